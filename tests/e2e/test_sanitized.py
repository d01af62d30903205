"""The full example under address and undefined-behaviour sanitizers: an evening with everything that can go wrong.

The sanitizers end the node at the first mistake, and a node that ended fails the test.
"""

from __future__ import annotations

import random

from evse_host import catalog
from evse_host.simulator import Car, Charger

from .test_writes import NUMBERS, TEXTS

CURRENT = catalog.ENTITY["number", "charging_current"]


def test_a_bad_evening_makes_no_wrong_memory_access(sanitized_node_program, start_charger, start_node):
    charger = start_charger(Charger(car=Car()))
    node = start_node(sanitized_node_program, charger)
    node.wait_for("binary_sensor.Connected", True)
    chance = random.Random(7)
    for _ in range(4):
        write_everything(node, chance)
        charger.call(lambda charger: charger.car.plug())
        node.wait_for("text_sensor.State", lambda state: state != "A", timeout=30)
        for _ in range(6):
            charger.inject(lambda faults: trouble(faults, chance))
        node.wait_for(CURRENT, lambda value: value is not None, timeout=40)
        charger.call(lambda charger: (charger.car.unplug(), charger.reboot(charger.now)))
        node.wait_for("text_sensor.State", "A", timeout=40)
    node.command(CURRENT, 7.0)
    node.wait_for(CURRENT, 7.0, timeout=30)
    dangerous = charger.call(lambda charger: [v for v in charger.journal.violations if v.kind != "overrun"])
    assert dangerous == []


def write_everything(node, chance):
    for key, value in {**NUMBERS, **TEXTS}.items():
        platform = "text" if key in TEXTS else "number"
        node.command(catalog.ENTITY[platform, key], value)
    for entity in catalog.entities("switch"):
        node.command(entity, chance.random() < 0.5)
    for entity in catalog.entities("select"):
        node.command(entity, chance.choice(entity.options))
    for key in ("authorize", "refresh", "wifi_scan", "start_ap", "reset_total_energy"):
        node.command(catalog.ENTITY["button", key])


def trouble(faults, chance):
    chance.choice(
        [
            faults.noise,
            faults.nuls,
            faults.long_line,
            faults.cut_line,
            faults.glue_lines,
            faults.echo_on,
            faults.lose_subscriptions,
            faults.missing_answer,
            faults.double_error,
            lambda: faults.late_answer(chance.uniform(0.5, 2)),
            lambda: faults.to_client_now(bytes(chance.randrange(256) for _ in range(300))),
        ]
    )()

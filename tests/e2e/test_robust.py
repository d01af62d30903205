"""Restarts, silence, late answers: the node finds its way back, and nothing dangerous is sent meanwhile."""

from __future__ import annotations

import pytest

from evse_host.catalog import ENTITY, LIVE_SETTINGS
from evse_host.simulator import Car, Charger

CURRENT = ENTITY["number", "charging_current"]
ONLINE = "binary_sensor.Connected"


@pytest.fixture
def charger(start_charger):
    server = start_charger(Charger(car=Car()))
    yield server
    # Noise alone can fill the charger's buffer.
    assert [v for v in server.call(lambda charger: charger.journal.violations) if v.kind != "overrun"] == []


@pytest.fixture
def node(full_node_program, start_node, charger):
    node = start_node(full_node_program, charger)
    node.wait_for(ONLINE, True)
    # Settled: everything has been read, the subscriptions come last.
    charger.wait_for(lambda charger: len(charger.subscriptions) >= 5)
    node.wait_for(CURRENT, lambda value: value is not None)
    return node


def restart(charger, **options):
    charger.call(lambda charger: charger.reboot(charger.now, **options))


def test_after_rdy_the_line_is_silent_for_a_second(node, charger):
    restart(charger)
    node.wait_for_log("Charger restarted")
    seen_at = charger.call(lambda charger: (charger.journal.clear(), charger.now)[1])
    node.command(CURRENT, 9.0)
    node.wait_for(CURRENT, 9.0)
    assert charger.call(lambda charger: charger.journal.entries[0].time) >= seen_at + 1.0
    assert charger.call(lambda charger: charger.value("CHCUR")) == (90,)


def test_a_wish_just_before_rdy_is_not_written_right_after_it(node, charger):
    """The node cannot have seen RDY yet, but has heard nothing for too long; `early write` would be a violation."""
    restart(charger)
    charger.wait_for(lambda charger: charger.ready)
    ready_at = charger.now
    node.command(CURRENT, 9.0)
    node.wait_for(CURRENT, 9.0)
    writes = charger.call(lambda charger: [e for e in charger.journal.entries if e.command == "AT+CHCUR=90"])
    assert len(writes) == 1 and writes[0].time >= ready_at + 1.0


def test_subscriptions_are_back_after_a_restart(node, charger):
    restart(charger)
    charger.wait_for(lambda charger: {s.name for s in charger.subscriptions} >= {"+STATE", "+ENABLE", "+ERROR"})
    charger.call(lambda charger: charger.car.plug())
    node.wait_for("text_sensor.State", "C2")


def test_a_restart_without_rdy_is_noticed(node, charger):
    restarts = node.value("sensor.Restarts")
    restart(charger, announce=False)
    node.wait_for("sensor.Restarts", restarts + 1, timeout=20)
    charger.wait_for(lambda charger: "+STATE" in {s.name for s in charger.subscriptions})


def test_values_are_unknown_while_the_charger_is_silent(node, charger):
    charger.inject(lambda faults: faults.cable_out())
    node.wait_for(ONLINE, False)
    for name in ("sensor.Power", "sensor.Uptime", "text_sensor.State", "text_sensor.Firmware version"):
        assert node.wait_for(name, None) is None
    for name in ("number.Charging current", "select.Meter mode", "text.Host name"):
        assert node.wait_for(name, None) is None
    for name in ("binary_sensor.Charging", "binary_sensor.Control pilot fault", "binary_sensor.Vehicle connected"):
        assert node.wait_for(name, None) is None
    node.wait_for("text_sensor.Charge status", "Charger not responding")
    node.wait_for("binary_sensor.Silent", True)
    charger.inject(lambda faults: faults.cable_in())
    node.wait_for(ONLINE, True)
    node.wait_for("text_sensor.State", "A")
    node.wait_for(CURRENT, lambda value: value is not None)
    node.wait_for("select.Meter mode", lambda value: value is not None)
    node.wait_for("text_sensor.Charge status", "No vehicle connected")
    node.wait_for("text_sensor.Clock", lambda value: value is not None, timeout=5)


def test_a_charger_that_starts_after_the_node(full_node_program, start_charger, start_node):
    charger = start_charger(Charger(running=False))
    node = start_node(full_node_program, charger)
    node.wait_for(ONLINE, True)
    node.wait_for(CURRENT, 32.0)
    assert charger.call(lambda charger: charger.journal.violations) == []


@pytest.mark.parametrize("delay", [0.6, 1.5, 4.0])
def test_a_late_answer_completes_no_other_command(node, charger, delay):
    charger.inject(lambda faults: faults.late_answer(delay, "CHCUR"))
    node.command(CURRENT, 10.0)
    node.command(ENTITY["switch", "available"], False)
    node.wait_for(ENTITY["switch", "available"], False, timeout=20)
    node.wait_for(CURRENT, 10.0, timeout=20)
    assert charger.call(lambda charger: (charger.value("CHCUR"), charger.value("AVAILABLE"))) == ((100,), (0,))


def test_a_lost_write_is_sent_again(node, charger):
    charger.inject(lambda faults: setattr(faults.to_charger, "drop", 1.0))
    node.command(CURRENT, 12.0)
    node.wait_for_log("charger does not answer")  # the write and what followed it are lost
    assert charger.call(lambda charger: charger.value("CHCUR")) == (320,)
    charger.inject(lambda faults: setattr(faults.to_charger, "drop", 0.0))
    node.wait_for(CURRENT, 12.0, timeout=20)
    assert charger.call(lambda charger: charger.value("CHCUR")) == (120,)


def test_echo_is_switched_off_again(node, charger):
    charger.inject(lambda faults: faults.echo_on())
    charger.wait_for(lambda charger: not charger.echo)
    node.command(CURRENT, 13.0)
    node.wait_for(CURRENT, 13.0)


def test_lost_subscriptions_are_renewed(node, charger):
    charger.inject(lambda faults: faults.lose_subscriptions())
    charger.wait_for(lambda charger: not charger.subscriptions)
    charger.wait_for(lambda charger: "+STATE" in {s.name for s in charger.subscriptions})


def test_a_wish_survives_noise_and_the_noise_is_counted(node, charger):
    for _ in range(5):
        charger.inject(lambda faults: (faults.noise(), faults.nuls(), faults.long_line(), faults.cut_line()))
    node.command(CURRENT, 15.0)
    node.wait_for(CURRENT, 15.0)
    node.wait_for("sensor.Lines discarded", lambda count: count > 0)


def test_older_firmware_leaves_its_entities_unknown_and_says_so_once(full_node_program, start_charger, start_node):
    charger = start_charger(Charger(firmware="v2.1.1"))
    node = start_node(full_node_program, charger)
    node.wait_for_log("has no TZ$")
    node.wait_for_log("has no TZRULE")
    node.wait_for("text_sensor.Firmware version", "v2.1.1")
    for name in ("text_sensor.Time zone name", "select.Time zone", "text_sensor.Static DNS"):
        assert node.value(name) is None
    answered = node.value("sensor.Commands answered")
    node.command("button.Refresh")
    node.wait_for("sensor.Commands answered", lambda count: count > answered, timeout=90)
    assert sum(line.endswith("has no TZ") for line in node.log) == 1


def test_older_firmware_is_not_asked_in_vain(full_node_program, start_charger, start_node):
    """Each heartbeat asked again for what it lacks: 318 ERRORs in ten minutes."""
    charger = start_charger(Charger(firmware="v2.1.1"))
    node = start_node(full_node_program, charger)
    node.wait_for_log("has no TZRULE")
    charger.call(lambda charger: charger.journal.clear())
    node.run(600)
    errors = charger.call(lambda charger: [e.command for e in charger.journal.entries if e.result == "ERROR"])
    assert len(errors) <= 2


def test_a_restart_forgets_the_settings_and_the_node_leaves_it_at_that(node, charger):
    """Without keep_settings nobody asked for them."""
    node.command(ENTITY["switch", "enable"], False)
    node.wait_for(ENTITY["switch", "enable"], False)
    charger.call(lambda charger: charger.journal.clear())
    restart(charger)
    node.wait_for(ENTITY["switch", "enable"], True)
    writes = charger.call(
        lambda charger: [entry.line for name in LIVE_SETTINGS for entry in charger.journal.writes(name)]
    )
    assert writes == []


def test_the_node_writes_nothing_at_its_start(full_node_program, start_charger, start_node):
    charger = start_charger()
    node = start_node(full_node_program, charger)
    node.wait_for(CURRENT, lambda value: value is not None)
    node.wait_for("text_sensor.Aux analog inputs", lambda value: value is not None)
    lines = charger.call(lambda charger: charger.journal.commands)
    allowed = ("AT+UNSUB=", "AT+SUB=", "ATE0", "~")
    assert [line for line in lines if not line.endswith("?") and not line.startswith(allowed)] == []


def test_time_from_port_open_to_valid_entities(full_node_program, start_charger, start_node):
    charger = start_charger()
    node = start_node(full_node_program, charger)
    node.wait_for("text_sensor.Aux analog inputs", lambda value: value is not None, timeout=3)
    assert node.wait_until(lambda: node.value("number.Charging current") is not None, 2)

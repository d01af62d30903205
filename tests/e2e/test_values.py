"""Each entity of the full example shows what the charger says, twice with different values."""

from __future__ import annotations

import pytest

from evse_host import catalog
from evse_host.catalog import ENTITIES
from evse_host.simulator import Charger
from tools.run.api import WAIT_TIMEOUT
from tools.soak.oracle.history import History
from tools.soak.oracle.shown import digits, possible

#: Commands whose values are not made up here: the link lives on the uptime, and a total that jumps back is a reset.
REAL = ("UPTIME", "EMETERTOTCONSUM")

SESSION = {"STATE": (4, 2), "ENABLE": (1, 0), "PENDAUTH": (0, 1), "LIMREACH": (0, 1), "ERROR": (0, 0)}


def made_up(command: catalog.Command, turn: int):
    """Values that no other command has, within the fields' ranges."""
    if command.name in SESSION:
        return (SESSION[command.name][turn],)
    if command.name == "TZ":
        return (("Europe/Berlin", "Asia/Tokyo")[turn],)
    number = catalog.COMMANDS.index(command) + 100 * turn
    values = tuple(made_up_field(field, number + 7 * index, turn) for index, field in enumerate(command.fields))
    return [values, values] if command.lines else values


def made_up_field(field: catalog.Field, number: int, turn: int):
    if field.type == "str":
        return f"{field.name} {number}"
    low, high = field.range
    if field.values or (low, high) == (0, 1) or field.name in ("enabled", "connected", "three_phase"):
        return (number + turn) % min(high + 1, len(field.values) or 2)
    if low < 0:
        return -20 - turn
    return low + (number * 37 + 3) % min(high - low + 1, 200_000) if high > low else low


MADE_UP = [c for c in catalog.COMMANDS if "R" in c.access and c.refresh != catalog.NEVER and c.name not in REAL]
TURNS = [{command.name: made_up(command, turn) for command in MADE_UP} for turn in (0, 1)]


@pytest.fixture(scope="module", params=(0, 1), ids=("first", "second"))
def wire(request, charger, node):
    """The charger answers the made-up values, and the node has read them."""
    values = TURNS[request.param]

    def answer(charger):
        for name, value in values.items():
            charger.override(name, *value)

    charger.call(answer)
    node.command("button.Refresh")
    last = ENTITIES[[entity.key for entity in ENTITIES].index("aux_analog_inputs")]
    node.wait_for(last, charger.call(lambda charger: expected(last, charger)))
    return charger


def expected(entity: catalog.Entity, charger: Charger):
    """What the oracle says a person must see now."""
    history = History(charger)
    history.sample(charger.now)
    return next(possible(entity, history, charger.now, charger.now))


BOUND = [e for e in ENTITIES if e.command in TURNS[0] and e.platform != "button" and e.convert != "lifetime"]


@pytest.mark.parametrize("entity", BOUND, ids=lambda entity: f"{entity.platform}.{entity.key}")
def test_shows_the_wire_value(node, wire, entity):
    wanted = wire.call(lambda charger: expected(entity, charger))
    patience = WAIT_TIMEOUT + entity.cadence
    if not isinstance(wanted, float):
        node.wait_for(entity, wanted, patience)
        return
    # A sensor leaves out changes below its last digit.
    tolerance = 0.5 / 10 ** digits(entity) if entity.platform == "sensor" else 1e-4 * max(1.0, abs(wanted))
    node.wait_for(entity, lambda value: value is not None and abs(value - wanted) <= tolerance * 1.001, patience)


def test_made_up_values_differ_between_the_turns():
    """Otherwise the second turn would prove nothing."""
    same = [name for name in TURNS[0] if TURNS[0][name] == TURNS[1][name]]
    assert set(same) <= {"ERROR"}


@pytest.mark.parametrize("bit", range(len(catalog.FAULTS)))
def test_each_fault_bit_has_its_entity(node, charger, bit):
    charger.call(lambda charger: charger.override("ERROR", 1 << bit))
    key, _ = catalog.FAULTS[bit]
    node.wait_for(catalog.ENTITY["binary_sensor", f"{key}_fault"], True)
    others = [catalog.ENTITY["binary_sensor", f"{other}_fault"] for other, _ in catalog.FAULTS if other != key]
    node.wait_until(lambda: not any(node.value(other) for other in others))
    assert not any(node.value(other) for other in others)
    node.wait_for("binary_sensor.Fault", True)
    charger.call(lambda charger: charger.override("ERROR", 0))
    node.wait_for("binary_sensor.Fault", False)


STATUS = [
    ({"STATE": 0}, "No vehicle connected", False, False),
    ({"STATE": 1}, "Vehicle connected", True, False),
    ({"STATE": 1, "PENDAUTH": 1}, "Waiting for authorization", True, False),
    ({"STATE": 2}, "Waiting for vehicle", True, False),
    ({"STATE": 2, "LIMREACH": 1}, "Charging limit reached", True, False),
    ({"STATE": 1, "ENABLE": 0}, "Paused", True, False),
    ({"STATE": 3}, "Stopping", True, False),
    ({"STATE": 4}, "Charging", True, True),
    ({"STATE": 6}, "Charging", True, True),
    ({"STATE": 7}, "Fault", None, False),
    ({"STATE": 7, "ERROR": 16}, "Fault: residual current", None, False),
    ({"STATE": 8}, "Not available", None, False),
]


@pytest.mark.parametrize(("situation", "text", "vehicle", "charging"), STATUS, ids=lambda item: str(item))
def test_each_situation_is_told_in_words_and_by_the_car(node, charger, situation, text, vehicle, charging):
    values = {"ENABLE": 1, "PENDAUTH": 0, "LIMREACH": 0, "ERROR": 0, **situation}
    charger.call(lambda charger: [charger.override(name, value) for name, value in values.items()])
    node.wait_for("text_sensor.Charge status", text)
    node.wait_for("text_sensor.State", catalog.STATES[situation["STATE"]])
    node.wait_for("binary_sensor.Vehicle connected", vehicle)
    node.wait_for("binary_sensor.Charging", charging)


@pytest.mark.parametrize(
    ("currents", "phases"),
    [((0, 0, 0), 0), ((16000, 0, 0), 1), ((6000, 501, 500), 2), ((9, 8, 7), 0), ((6000,) * 3, 3)],
)
def test_as_many_phases_are_in_use_as_carry_current(node, charger, currents, phases):
    charger.call(lambda charger: (charger.override("STATE", 4), charger.override("EMETERCURRENT", *currents)))
    node.wait_for("sensor.Phases in use", float(phases))


@pytest.mark.parametrize("energy", [2**24 + 1, 1_000_000_007, 123_456_789_012_345])
def test_lifetime_energy_is_exact_in_the_text(node, charger, energy):
    """2**24 + 1 Wh is the first number that a float loses."""
    charger.call(lambda charger: charger.override("STATE", 0))  # while charging the text stands still
    charger.call(lambda charger: charger.override("EMETERTOTCONSUM", energy))
    node.command("button.Refresh")
    node.wait_for("text_sensor.Total energy exact", str(energy), 30)
    assert node.value("sensor.Total energy") == pytest.approx(energy, rel=2**-24)

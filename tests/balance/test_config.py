"""What the load manager's YAML takes, and how it answers mistakes: with the key, the value and the remedy."""

from __future__ import annotations

import pytest

from tests.codegen import nodes
from tools.balance.offers import catalog

METER = "meter: {power_l1: p1, power_l2: p2, power_l3: p3}"
SHORT = f"limit: 25A\n  {METER}"
TREE = f"circuits: [{{id: a, limit: 25A, {METER}}}, {{id: b, parent: a, limit: 20A}}]"
CURRENTS = "meter: {current_l1: i1, current_l2: i2, current_l3: i3}"
FIVE_LINES = f"""
esp32evse_load_manager:
  limit: 25A
  {METER}
"""
HOME_ASSISTANT = "{platform: homeassistant, entity_id: sensor.grid, id: h1, unit_of_measurement: W}"
HA_SHARE = "{platform: homeassistant, entity_id: sensor.share, id: h2, unit_of_measurement: A}"


def house(text: str, more: str = "", **parts: str) -> str:
    """A node with a meter of the usual kinds of sensors, and `more`; `parts` are those of `nodes.node`."""
    return nodes.node(
        f"""
api:
time: [{{platform: host, id: clock_source}}]
binary_sensor:
  - {{platform: template, id: contact}}
sensor:
  - {{platform: template, id: p1, unit_of_measurement: W}}
  - {{platform: template, id: p2, unit_of_measurement: W}}
  - {{platform: template, id: p3, unit_of_measurement: kW}}
  - {{platform: template, id: i1, unit_of_measurement: A}}
  - {{platform: template, id: i2, unit_of_measurement: A}}
  - {{platform: template, id: i3, unit_of_measurement: mA}}
  - {{platform: template, id: volts, unit_of_measurement: V}}
  - {{platform: template, id: bare}}
  - {{platform: template, id: lazy, unit_of_measurement: W, lambda: return 1;}}
  - {HOME_ASSISTANT}
  - {HA_SHARE}
  - {{platform: homeassistant, entity_id: sensor.seen, id: beat}}
  - {{platform: uptime, id: own_uptime}}
{more}
{text}""",
        **parts,
    )


def house_with_devices(text: str, more: str) -> str:
    """A Modbus and a P1 port, at a UART of their own."""
    return house(DEVICES + text, more, uart=nodes.TWO_UARTS, hub="esp32evse: {id: evse, uart_id: left_uart}")


def manager(*lines: str) -> str:
    return "\n  ".join(("esp32evse_load_manager:", *lines))


def test_five_lines_protect_a_house():
    assert nodes.errors(house(FIVE_LINES)) == []
    assert len(FIVE_LINES.strip().splitlines()) <= 5


@pytest.mark.parametrize(
    "text",
    [
        manager("limit: 25A", CURRENTS),
        manager("limit: 25A", "meter: {power: p1, export: p3}", "chargers: [{phases: [L1]}]"),
        manager(
            "limit: 25A", METER, "surplus:", "capacity: {limit: 5kW}", "unbalance: 20A", "fallback: 8A", "lease: never"
        ),
        manager(SHORT, "dimming: {binary_sensor: contact}"),
        manager(TREE, "chargers: [{circuit: b}]"),
        manager("limit: 25A", "meter: {power: h1, heartbeat: p2}", "chargers: [{phases: [L1]}]"),
        manager("limit: 25A", "meter: {power: h1, heartbeat: beat}", "chargers: [{phases: [L1]}]"),
        manager("limit: 25A", "leader: {share: i1, worst_case: 6A}"),
        manager("limit: 25A", "leader: {share: i1, worst_case: pause, timeout: 5s}"),
        manager(SHORT, "followers: [{id: far, worst_case: 8A, usable: i1, drawn_l1: i1, drawn_l2: i2, drawn_l3: i1}]"),
        manager(SHORT, "followers: [{id: far, worst_case: pause, usable: i1, drawn_l2: i2, phases: [L2]}]"),
    ],
)
def test_what_a_house_may_have_is_valid_yaml(text):
    assert nodes.errors(house(text)) == []


DEVICES = """
modbus: {id: bus, uart_id: right_uart}
modbus_controller: {id: sdm, address: 1, modbus_id: bus}
dsmr: {uart_id: right_uart}
"""
SLOW = """
  - {platform: modbus_controller, modbus_controller_id: sdm, id: m1, address: 0, register_type: read,
     unit_of_measurement: W}"""
COPIED = "  - {platform: copy, source_id: h1, id: c1}"
P1 = "  - {platform: dsmr, power_delivered_l1: {id: d1}, power_returned_l1: {id: r1}}"

MISTAKES = {
    "limit: it names what is missing": (manager(METER), ["limit is missing", "25A"]),
    "meter": (manager("limit: 25A"), ["meter is missing"]),
    "range": (manager("limit: 5A", METER), ["limit must be 6 to 630 A", "5A"]),
    "unit": (manager("limit: 25A", "meter: {power_l1: volts}"), ["power_l1", "'volts'", "W or kW", "'V'"]),
    "no unit": (
        manager("limit: 25A", "meter: {power_l1: bare}"),
        ["power_l1", "'bare'", "none", "unit_of_measurement"],
    ),
    "power for current": (manager("limit: 25A", "meter: {current_l1: p1}"), ["current_l1", "A or mA", "'W'"]),
    "both": (manager("limit: 25A", "meter: {power_l1: p1, current_l2: i2}"), ["powers or currents", "not both"]),
    "export alone": (manager("limit: 25A", "meter: {export_l1: p1}"), ["export_l1", "power_l1"]),
    "a name too long for the reason": (
        manager(f"circuits: [{{id: a, limit: 25A, name: {21 * 'ä'}, {METER}}}]"),
        ["name", 21 * "ä", "1 to 40 bytes"],
    ),
    "sum": (manager("limit: 25A", "meter: {power: p1}"), ["phases", "L2, L3", "power_l2, power_l3", "phases: [L1]"]),
    "a phase too few": (
        manager("limit: 25A", "meter: {current_l1: i1, current_l2: i2}"),
        ["uses L3", "'Main fuse' does not show", "give the meter current_l3"],
    ),
    "the sum for each phase": (
        manager("limit: 25A", "meter: {power_l1: p1, power_l2: p1, power_l3: p1}"),
        ["power_l2", "'p1' is power_l1 already", "each phase needs its own"],
    ),
    "only a sensor": (manager("limit: 25A", "meter: p1"), ["meter", "not p1", "power_l1: p1"]),
    "only sensors": (manager("limit: 25A", "meter: [p1, p2, p3]"), ["meter", "'p1', 'p2', 'p3'", "power_l1: p1"]),
    "voltage": (
        manager("limit: 25A", METER.replace("}", ", voltage: 230V}")),
        ["meter has no voltage", "only power, ", "at 230 V"],
    ),
    "sign": (manager("limit: 25A", "meter: {power_l1: -p1}"), ["power_l1", "'-p1'", "multiply: -1", "'p1'"]),
    "dead link": (
        manager("limit: 25A", "meter: {power: h1}", "chargers: [{phases: [L1]}]"),
        ["homeassistant", "heartbeat"],
    ),
    "too rare": (
        manager("limit: 25A", "meter: {power: lazy}", "chargers: [{phases: [L1]}]"),
        ["lazy", "update_interval", "60s", "15s"],
    ),
    "sun by currents": (
        manager("limit: 25A", CURRENTS, "surplus:"),
        ["surplus", "currents", "power_l1"],
    ),
    "below the minimum": (
        manager("limit: 8A", METER, "chargers: [{min_current: 8A}]"),
        ["limit", "8 A", "can never carry", "8 A"],
    ),
    "solar without sun": (manager(SHORT, "chargers: [{mode: solar}]"), ["mode: solar", "surplus:"]),
    "unknown mode": (manager(SHORT, "chargers: [{mode: sunny}]"), ["mode must be one of", "sunny"]),
    "dimming too low": (
        manager(SHORT, "dimming: {binary_sensor: contact, limit: 3kW}"),
        ["limit must be 4200 W", "3kW"],
    ),
    "two phases": (
        manager(SHORT, "chargers: [{phases: [L1, L2]}]"),
        ["phases", "one phase or all three"],
    ),
    "twice": (
        manager(SHORT, "chargers: [{esp32evse_id: evse}, {esp32evse_id: evse}]"),
        ["evse", "twice"],
    ),
    "fallback above the limit": (manager("limit: 16A", METER, "fallback: 20A"), ["fallback", "20 A", "16 A"]),
    "fallback below what a car needs": (
        manager(SHORT, "fallback: 6A", "chargers: [{min_current: 8A}]"),
        ["fallback", "6 A", "min_current of 8 A", "pause"],
    ),
    "parent": (
        manager("circuits: [{id: b, parent: a, limit: 20A}, {id: a, limit: 25A, " + METER + "}]"),
        ["parent", "'a'", "before 'b'"],
    ),
    "two forms": (manager("limit: 25A", "circuits: [{limit: 25A, " + METER + "}]"), ["limit", "circuits", "two forms"]),
    "two managers": (
        "esp32evse_load_manager:\n  - {limit: 25A, " + METER + "}\n  - {limit: 20A, " + METER + "}",
        ["stands 2 times", "against each other", "keep one"],
    ),
    "a heartbeat that never dies": (
        manager("limit: 25A", "meter: {power: h1, heartbeat: own_uptime}", "chargers: [{phases: [L1]}]"),
        ["heartbeat", "'own_uptime'", "uptime", "homeassistant"],
    ),
    "leader and meter": (
        manager(SHORT, "leader: {share: i1, worst_case: 6A}"),
        ["leader", "meter", "one of both"],
    ),
    "worst case": (
        manager("limit: 25A", "leader: {share: i1, worst_case: 3A}"),
        ["worst_case", "pause", "6 to 63", "3A"],
    ),
    "no worst case": (manager("limit: 25A", "leader: {share: i1}"), ["worst_case"]),
    "worst case above the limit": (
        manager("limit: 16A", "leader: {share: i1, worst_case: 20A}"),
        ["worst_case", "20 A", "16 A"],
    ),
    "unit of a share": (manager("limit: 25A", "leader: {share: p1, worst_case: 6A}"), ["share", "'p1'", "A", "W"]),
    "a share that never dies": (
        manager("limit: 25A", "leader: {share: h2, worst_case: 6A}"),
        ["share", "homeassistant", "packet_transport"],
    ),
    "worst cases together": (
        manager(
            "limit: 20A",
            METER,
            "followers: [{id: a, worst_case: 10A, usable: i1, drawn_l1: i1, drawn_l2: i1, drawn_l3: i1},"
            " {id: b, worst_case: 10A, usable: i1, drawn_l1: i1, drawn_l2: i1, drawn_l3: i1}]",
        ),
        ["worst_case", "20 A", "19.5 A", "pause"],
    ),
    "a phase of a follower": (
        manager(SHORT, "followers: [{id: far, worst_case: 8A, usable: i1, drawn_l1: i1}]"),
        ["drawn_l2", "'far'"],
    ),
    "too many": (
        manager(
            SHORT,
            "followers: ["
            + ", ".join(f"{{id: f{n}, worst_case: pause, usable: i1, drawn_l1: i1, phases: [L1]}}" for n in range(4))
            + "]",
        ),
        ["followers", "more than 4"],
    ),
    "sun for a follower": (
        manager("limit: 25A", "leader: {share: i1, worst_case: 6A}", "surplus:"),
        ["surplus", "meter"],
    ),
    "lease": (manager(SHORT, "lease: 5s"), ["lease must be", "never", "60s to 60min", "5s"]),
}


ONE_PHASE = "chargers: [{phases: [L1]}]"
SENSORS_OF_DEVICES = {
    "a device that is read too rarely": (
        SLOW,
        manager("limit: 25A", "meter: {power: m1}", ONE_PHASE),
        ["'m1'", "update_interval of 60s", "15s", "1s to 5s"],
    ),
    "a copy of what keeps its value": (
        COPIED,
        manager("limit: 25A", "meter: {power: c1}", ONE_PHASE),
        ["homeassistant", "heartbeat"],
    ),
    "import without export": (
        P1,
        manager("limit: 25A", "meter: {power_l1: d1}", ONE_PHASE, "surplus:"),
        ["surplus", "'d1'", "export_l1", "power_returned_l1"],
    ),
}


@pytest.mark.parametrize("name", SENSORS_OF_DEVICES)
def test_a_meter_is_looked_at_as_far_as_its_device(name):
    sensor, text, words = SENSORS_OF_DEVICES[name]
    messages = "\n".join(nodes.errors(house_with_devices(text, sensor)))
    for word in words:
        assert word in messages


def test_import_and_export_of_a_p1_port_show_the_sun():
    text = manager("limit: 25A", "meter: {power_l1: d1, export_l1: r1}", ONE_PHASE, "surplus:")
    assert nodes.errors(house_with_devices(text, P1)) == []


WARNINGS = {
    "a reading that is lost": (
        "  - {platform: template, id: ten, unit_of_measurement: W, lambda: return 1;, update_interval: 10s}",
        manager("limit: 25A", "meter: {power: ten}", ONE_PHASE),
        ["'ten'", "update_interval of 10s", "one reading that is lost"],
    ),
    "a slow filter": (
        "  - {platform: template, id: slow, unit_of_measurement: W, filters: [throttle: 10s]}",
        manager("limit: 25A", "meter: {power: slow}", ONE_PHASE),
        ["filter throttle", "'slow'"],
    ),
    "a slow filter of what is copied": (
        "  - {platform: template, id: slow, unit_of_measurement: W, filters: [throttle: 10s]}\n"
        "  - {platform: copy, source_id: slow, id: fast}",
        manager("limit: 25A", "meter: {power: fast}", ONE_PHASE),
        ["filter throttle", "'fast'"],
    ),
    "dimmed below what a car needs": (
        "",
        manager(SHORT, "dimming: {binary_sensor: contact}", "chargers: [{min_current: 8A}]"),
        ["dimming", "'evse'", "5.52 kW", "4.20 kW", "pauses"],
    ),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_what_will_not_work_well_is_warned_of(name, caplog):
    sensor, text, words = WARNINGS[name]
    assert nodes.errors(house(text, sensor)) == []
    for word in words:
        assert word in caplog.text


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_answered_with_key_value_and_remedy(name):
    text, words = MISTAKES[name]
    messages = "\n".join(nodes.errors(house(text)))
    for word in words:
        assert word in messages


def test_an_entity_of_a_part_that_is_not_configured_is_refused():
    text = house(FIVE_LINES, "  - {platform: esp32evse_load_manager, surplus: {name: Surplus}}")
    assert any("surplus" in message and "would show nothing" in message for message in nodes.errors(text))


def test_with_several_circuits_the_entity_names_its_own():
    circuits = manager(TREE)
    entity = "  - {{platform: esp32evse_load_manager, {}house_current_l1: {{name: House}}}}"
    assert any(
        "circuit" in message and "a, b" in message for message in nodes.errors(house(circuits, entity.format("")))
    )
    assert nodes.errors(house(circuits, entity.format("circuit: b, "))) == []


def test_parts_that_are_not_configured_are_not_compiled():
    source = nodes.code(house(FIVE_LINES))
    assert "SURPLUS" not in str(source)


def test_every_row_has_its_function():
    header = (nodes.COMPONENTS / "esp32evse_load_manager/entities.h").read_text()
    for entity in catalog.ENTITIES:
        if entity.platform == "button":
            continue  # shows nothing
        assert f"{entity.function}(" in header

"""Every entity of the catalog, alone on a node: it validates, and the code names just what it needs.

What the wire looks like is written here once more, from the charger's protocol: an error in the catalog or in the code
generator shows as a difference.
"""

from __future__ import annotations

import re
from functools import cache

import pytest

from evse_host import catalog
from tests.codegen import nodes
from tests.codegen.nodes import Binding, entity, node

#: Fields of each command: B H I Q are unsigned of 8 to 64 bits, b and i signed of 8 and 32, s is a string; fields
#: behind | are not in every firmware. Commands without fields have none.
SIGNATURES = {
    **dict.fromkeys(("UPTIME", "ERROR", "EMETERSESTIME", "EMETERCHTIME", "EMETERCONSUM"), "I"),
    **dict.fromkeys(
        ("CONSUMLIM", "DEFCONSUMLIM", "CHTIMELIM", "DEFCHTIMELIM", "UNDERPOWERLIM", "DEFUNDERPOWERLIM"), "I"
    ),
    **dict.fromkeys(
        ("STATE", "ENABLE", "AVAILABLE", "REQAUTH", "PENDAUTH", "LIMREACH", "MAXCHCUR", "SOCKETOUTLET"), "B"
    ),
    **dict.fromkeys(("EMETERMODE", "WIFIAPCONN", "SOCKETLOCK", "PROXIMITY", "TEMPSENSOR"), "B"),
    **dict.fromkeys(("CHCUR", "DEFCHCUR", "EMETERPOWER", "EMETERACVOLTAGE", "EMETERTHREEPHASE"), "H"),
    **dict.fromkeys(("SOCKETLOCKMINBREAKTIME",), "H"),
    **dict.fromkeys(("EMETERTOTCONSUM", "TIME"), "Q"),
    **dict.fromkeys(("TZ", "TZRULE", "HOSTNAME", "INSTNAME", "DEVNAME", "VER", "IDFVER"), "s"),
    **dict.fromkeys(("WIFISTAIP", "WIFISTAMAC", "WIFIAPIP", "WIFIAPMAC"), "s"),
    **dict.fromkeys(("AUXINPUTS", "AUXOUTPUTS", "AUXANALOGINPUTS"), "s"),
    **dict.fromkeys(("AUTH", "RST"), ""),
    "EMETERVOLTAGE": "III",
    "EMETERCURRENT": "III",
    "TEMP": "Bii",
    "HEAP": "II",
    "CHIP": "sBH",
    "BUILDTIME": "ss",
    "EMETER": "BB",
    "SERIALS": "Bs",
    "WIFISTACONN": "Bb",
    "WIFISTACFG": "Bss",
    "WIFISTASTATIC": "Bsss|s",
    "WIFIAPCFG": "Bs",
    "WIFIAPSCAN": "sBb",
}

TRAITS = {
    "STORED": "REQAUTH DEFCHCUR MAXCHCUR DEFCONSUMLIM DEFCHTIMELIM DEFUNDERPOWERLIM SOCKETOUTLET EMETERTOTCONSUM "
    "EMETERMODE EMETERACVOLTAGE EMETERTHREEPHASE TZ WIFISTACFG WIFISTASTATIC HOSTNAME INSTNAME",
    "LINES": "WIFIAPSCAN SERIALS AUXINPUTS AUXOUTPUTS AUXANALOGINPUTS",
    "CLOCK": "TIME",
    "UNPROVABLE": "EMETERTOTCONSUM",
    "LIVE": "ENABLE AVAILABLE CHCUR CONSUMLIM CHTIMELIM UNDERPOWERLIM",
    "CHARGING_CURRENT": "CHCUR DEFCHCUR",
    "STARTS_ON": "ENABLE AVAILABLE",
    "WATCHED": "STATE EMETERSESTIME EMETERCONSUM EMETERTOTCONSUM",
}

#: What may be written, in the wire's unit; bytes of a text.
RANGES = {
    "ENABLE": (0, 1),
    "CHCUR": (60, 630),
    "MAXCHCUR": (6, 63),
    "UNDERPOWERLIM": (0, 65535),
    "EMETERTOTCONSUM": (0, 0),
    "TIME": (0, 2**32 - 1),
    "HOSTNAME": (1, 30),
    "INSTNAME": (1, 30),
    "TZ": (1, 31),
}

#: Values that the hub itself follows, with every entity configured.
FOLLOWED = {
    "STATE": "state_and_session",
    "ERROR": "error_and_report",
    "ENABLE": "enable",
    "PENDAUTH": "pendauth",
    "LIMREACH": "limreach",
    "MAXCHCUR": "maximum_current",
    "EMETERCURRENT": "current",
    "EMETERSESTIME": "session_time",
    "EMETERCONSUM": "session_energy",
    "EMETERTOTCONSUM": "total_energy",
    "WIFIAPSCAN": "wifi_scan",
}

#: What has sessions and faults reported to it, as an event or as a session's last value.
REPORTED = {
    ("sensor", "last_session_energy"): "state_and_session",
    ("sensor", "last_session_duration"): "state_and_session",
    ("event", "session"): "state_and_session",
    ("event", "fault"): "error_and_report",
}

#: Values that are not the first field as it is: index of the field, and power of ten that divides, number of the bit or
#: of the counter.
FIELDS = {
    ("sensor", "voltage_l1"): (0, 3),
    ("sensor", "voltage_l2"): (1, 3),
    ("sensor", "voltage_l3"): (2, 3),
    ("sensor", "current_l1"): (0, 3),
    ("sensor", "current_l2"): (1, 3),
    ("sensor", "current_l3"): (2, 3),
    ("sensor", "temperature"): (1, 2),
    ("sensor", "temperature_high"): (1, 2),
    ("sensor", "temperature_low"): (2, 2),
    ("sensor", "wifi_rssi"): (1, 0),
    ("sensor", "heap_total"): (1, 0),
    ("sensor", "commands_failed"): (0, 1),
    ("sensor", "commands_timed_out"): (0, 2),
    ("sensor", "resyncs"): (0, 3),
    ("sensor", "charger_reboots"): (0, 4),
    ("sensor", "lines_discarded"): (0, 5),
    ("binary_sensor", "diode_short_fault"): (0, 1),
    ("binary_sensor", "lock_fault"): (0, 2),
    ("binary_sensor", "unlock_fault"): (0, 3),
    ("binary_sensor", "rcm_triggered_fault"): (0, 4),
    ("binary_sensor", "rcm_self_test_fault"): (0, 5),
    ("binary_sensor", "temperature_high_fault"): (0, 6),
    ("binary_sensor", "temperature_sensor_fault"): (0, 7),
    ("binary_sensor", "three_phase_capable"): (1, 0),
    ("text_sensor", "wifi_sta_ssid"): (1, 0),
    ("text_sensor", "wifi_static_ip"): (1, 0),
    ("text_sensor", "wifi_static_gateway"): (2, 0),
    ("text_sensor", "wifi_static_netmask"): (3, 0),
    ("text_sensor", "wifi_static_dns"): (4, 0),
    ("text_sensor", "wifi_ap_ssid"): (1, 0),
}

#: Values that become a state in another way than most of their platform.
PUBLISH = {
    "sensor_gated": "temperature temperature_high temperature_low wifi_rssi",
    "sensor_lifetime": "total_energy_consumption",
    "sensor_counter": "commands_answered commands_failed commands_timed_out resyncs charger_reboots lines_discarded",
    "binary_sensor_bit": "pilot_fault diode_short_fault lock_fault unlock_fault rcm_triggered_fault "
    "rcm_self_test_fault temperature_high_fault temperature_sensor_fault",
    "binary_sensor_pending": "pending_authorization",
    "text_sensor_name": "state emeter_type",
    "text_sensor_join": "chip build_time",
    "text_sensor_list": "serial_ports aux_inputs aux_outputs aux_analog_inputs",
    "text_sensor_time": "device_time",
    "text_sensor_lifetime": "total_energy_consumption",
    "select_name": "timezone",
}

#: Objects that know how to write; the others are ESPHome's base classes.
OBJECTS = {
    "switch": "EvseSwitch(evse, {row.command})",
    "number": "EvseNumber(evse, {row.command}, {row.multiplier:.1f}f)",
    "text": "EvseText(evse, {row.command})",
    "button": "RunButton(evse, {row.command})",
    ("button", "start_ap"): "WriteButton(evse, WIFIAPCFG, 1)",
    ("button", "reset_total_energy"): "WriteButton(evse, EMETERTOTCONSUM, 0)",
    ("button", "refresh"): "RefreshButton(evse)",
    ("select", "emeter_mode"): "NumberSelect(evse, EMETERMODE)",
    ("select", "timezone"): "StringSelect(evse, TZ)",
    ("text_sensor", "state"): "NameTextSensor(it_names, 9)",
    ("text_sensor", "emeter_type"): "NameTextSensor(it_names, 3)",
    **{("text_sensor", key): "ListTextSensor()" for key in PUBLISH["text_sensor_list"].split()},
    "sensor": "sensor::Sensor()",
    "binary_sensor": "EvseBinarySensor()",
    "text_sensor": "text_sensor::TextSensor()",
    "event": "event::Event()",
}


@cache
def alone(row: catalog.Entity) -> nodes.Code:
    return nodes.code(node(entity(row.platform, row.key)))


def needed(row: catalog.Entity) -> set[str]:
    """The clock that notices restarts, what the entity shows, and the state with which others change."""
    commands = {"UPTIME", *row.commands}
    commands |= {
        limit for name in row.commands if row.platform == "number" and (limit := catalog.COMMAND[name].limited_by)
    }
    follows = {c.name for c in catalog.COMMANDS if c.refresh == catalog.CHARGING}.union(catalog.FOLLOWS_STATE)
    return commands | ({"STATE"} if commands & follows else set())


@pytest.fixture(scope="module")
def bare() -> nodes.Code:
    """A node without entities."""
    return nodes.code(node())


def test_without_an_entity_only_the_uptime_is_read(bare: nodes.Code) -> None:
    tables = bare.tables()
    assert tables.commands == ["UPTIME"]
    assert tables.bindings == []


def test_an_entity_asks_only_for_the_commands_that_it_needs() -> None:
    for row in catalog.ENTITIES:
        assert set(alone(row).tables().commands) == needed(row), row.name


def test_an_entity_makes_only_the_objects_that_it_needs(bare: nodes.Code) -> None:
    for row in catalog.ENTITIES:
        pattern = OBJECTS.get((row.platform, row.key)) or OBJECTS[row.platform]
        objects = alone(row).objects()
        new = {name: made for name, made in objects.items() if name not in bare.objects()}
        assert new == {"it": pattern.format(row=row)}, row.name
        assert set(bare.objects()) <= set(objects)


def test_an_entity_shows_the_field_that_the_catalog_says() -> None:
    for row in catalog.ENTITIES:
        tables = alone(row).tables()
        if row.platform in ("button", "event"):
            assert tables.bindings == [], row.name  # the one shows nothing, the hub triggers the other
            continue
        expected = binding(row)
        assert tables.bindings == [expected], row.name
        assert (tables.rows[row.command].bindings if row.command else tables.derived) == (expected,), row.name


def binding(row: catalog.Entity) -> Binding:
    ways = [name for name, keys in PUBLISH.items() if name.startswith(row.platform) and row.key in keys.split()]
    (publish,) = ways or [row.key if row.convert == "derived" else row.platform]
    flags = (str(row.cadence), str(row.steps).lower(), str(row.state_class == "total_increasing").lower())
    pacer = "0" if row.cadence else "esp32evse::Binding::NO_PACER"
    return Binding("it", publish, *FIELDS.get((row.platform, row.key), (0, 0)), pacer, False, flags)


def test_only_reports_cost_their_code() -> None:
    for row in catalog.ENTITIES:
        followed = {line.follow for line in alone(row).tables().rows.values()}
        reported = REPORTED.get((row.platform, row.key))
        expected = {reported} if reported else set()
        assert followed & {"state_and_session", "error_and_report"} == expected, row.name


def test_counters_are_in_the_order_of_the_client() -> None:
    header = (nodes.COMPONENTS / "esp32evse/at_client.h").read_text()
    (names,) = re.findall(r"enum Counter : uint8_t \{ (.*?), COUNTERS \}", header)
    for name, key in zip(names.lower().split(", "), PUBLISH["sensor_counter"].split(), strict=True):
        assert key.endswith(name)


@pytest.mark.parametrize("row", catalog.entities("event"), ids=lambda row: row.key)
def test_event_is_told_to_the_hub(row: catalog.Entity) -> None:
    code = alone(row)
    assert code.statements(r"evse->set_\w+_event\(.*\);") == [f"evse->set_{row.key}_event(it);"]
    (types,) = re.findall(r"it->set_event_types\(\{(.*?)\}\);", code.main, re.S)
    assert tuple(re.findall(r'"(\w+)"', types)) == row.options


NAMED = [row for row in catalog.ENTITIES if row.options]


@pytest.mark.parametrize("row", NAMED, ids=lambda row: f"{row.platform}.{row.key}")
def test_names_arrive_in_order(row: catalog.Entity) -> None:
    names = ", ".join(f'"{name}"' for name in row.options)
    code = alone(row)
    assert f"{{{names}}}" in code.globals + code.main


def test_options_of_the_user_replace_the_list() -> None:
    code = nodes.code(node(entity("select", "timezone", "options: [Europe/Oslo, Etc/UTC]")))
    assert '{"Europe/Oslo", "Etc/UTC"}' in code.globals + code.main
    assert "Africa/Cairo" not in code.globals + code.main


@pytest.mark.parametrize("row", catalog.entities("number"), ids=lambda row: row.key)
def test_a_number_has_the_range_of_the_catalog(row: catalog.Entity) -> None:
    assert number_traits(alone(row)) == [row.minimum, row.maximum, row.step]


def test_a_range_of_the_users_own_is_the_numbers() -> None:
    options = "min_value: 8, max_value: 32, step: 0.5, multiplier: 10"
    assert number_traits(nodes.code(node(entity("number", "charging_current", options)))) == [8, 32, 0.5]


def test_a_unit_of_the_users_own_changes_range_and_wire() -> None:
    code = nodes.code(node(entity("number", "consumption_limit", "multiplier: 1, max_value: 65000, step: 100")))
    assert code.objects()["it"] == "EvseNumber(evse, CONSUMLIM, 1.0f)"
    assert number_traits(code) == [0, 65000, 100]


def number_traits(code: nodes.Code) -> list[float]:
    pattern = r"it->traits\.set_(min_value|max_value|step)\((.*)f\);"
    return [float(re.fullmatch(pattern, line)[2]) for line in code.statements(pattern)]


@pytest.mark.parametrize("row", catalog.entities("text"), ids=lambda row: row.key)
def test_a_text_is_as_long_as_the_charger_keeps(row: catalog.Entity) -> None:
    assert alone(row).statements(r"it->traits\.set_\w+_length\(\d+\);") == [
        "it->traits.set_min_length(1);",
        "it->traits.set_max_length(31);",
    ]


@pytest.fixture(scope="module")
def full() -> nodes.Tables:
    """The tables of a node with every entity."""
    return nodes.code(node(nodes.entities())).tables()


def test_full_node_has_every_command_of_its_entities_once_in_order(full: nodes.Tables) -> None:
    used = {"UPTIME"}.union(*(row.commands for row in catalog.ENTITIES))
    assert full.commands == [command.name for command in catalog.COMMANDS if command.name in used]


def test_full_node_binds_every_entity_once(full: nodes.Tables) -> None:
    bound = [row for row in catalog.ENTITIES if row.platform not in ("button", "event")]
    assert len(full.bindings) == len({binding.variable for binding in full.bindings}) == len(bound)
    for command, line in full.rows.items():
        assert len(line.bindings) == sum(row.command == command for row in bound)


@pytest.mark.parametrize("command", sorted(SIGNATURES))
def test_a_command_has_the_fields_range_and_traits_of_the_wire(command: str, full: nodes.Tables) -> None:
    row = full.rows[command]
    assert row.signature == SIGNATURES[command]
    assert row.traits == {trait for trait, names in TRAITS.items() if command in names.split()}
    assert row.refresh.lower() == catalog.COMMAND[command].refresh
    assert row.answer == {"AUXOUTPUTS": "AUXOUPUTS"}.get(command, command)
    assert row.range == RANGES.get(command, row.range)
    assert row.follow == FOLLOWED.get(command, "nullptr")


def test_every_command_row_is_compared(full: nodes.Tables) -> None:
    assert sorted(full.commands) == sorted(SIGNATURES)


def test_no_refresh_subscribes_what_hangs_the_charger() -> None:
    for command in catalog.COMMANDS:
        if not command.subscribable:
            assert command.refresh in ("poll", "once", "never"), command.name
            assert not command.aliases, command.name


@pytest.mark.parametrize(
    "filters",
    [
        "filters: [{throttle: 1s}]",
        "filters: [lambda: return x;]",
        "filters: [{multiply: 2}, {delta: 5}]",
        "force_update: true",
    ],
)
def test_filters_get_every_value(filters: str) -> None:
    (binding,) = nodes.code(node(entity("sensor", "emeter_power", filters))).tables().bindings
    assert binding.every and not binding.pacer.isdigit()


@pytest.mark.parametrize(
    ("option", "paced"), [("", True), ("push_interval: 250ms", True), ("push_interval: 1s", False)]
)
def test_a_period_of_ones_own_gets_every_value(option: str, paced: bool) -> None:
    """Of what it is the period of: the meter, not the temperature."""
    text = "sensor: [{platform: esp32evse, emeter_power: {name: Power}, temperature: {name: Temperature}}]"
    power, temperature = nodes.code(node(text, hub=f"esp32evse: {{id: evse, {option}}}")).tables().bindings
    assert (power.pacer.isdigit(), temperature.pacer.isdigit()) == (paced, True)


def test_two_hubs_have_their_own_tables() -> None:
    text = "sensor: [{platform: esp32evse, esp32evse_id: left, voltage_l2: {id: volts, name: Voltage}}]\n" + (
        "switch:\n"
        "  - {platform: esp32evse, esp32evse_id: right, enable: {id: enable, name: Enable}}\n"
        "  - {platform: esp32evse, esp32evse_id: left, available: {id: available, name: Available}}\n"
    )
    code = nodes.code(node(text, hub=nodes.TWO_HUBS, uart=nodes.TWO_UARTS))
    left, right = code.tables("left"), code.tables("right")
    assert left.commands == ["UPTIME", "STATE", "AVAILABLE", "EMETERVOLTAGE"]
    assert [binding.variable for binding in left.bindings] == ["available", "volts"]
    assert right.commands == ["UPTIME", "ENABLE"]
    assert [binding.variable for binding in right.bindings] == ["enable"]
    assert code.objects()["enable"] == "EvseSwitch(right, ENABLE)"
    assert code.objects()["available"] == "EvseSwitch(left, AVAILABLE)"


def test_two_hubs_with_everything_share_no_entity() -> None:
    text = nodes.entities(hubs=("left", "right"))
    code = nodes.code(node(text, hub=nodes.TWO_HUBS, uart=nodes.TWO_UARTS))
    left, right = code.tables("left"), code.tables("right")
    assert left.commands == right.commands
    shown = [[binding.variable for binding in tables.bindings] for tables in (left, right)]
    assert len(shown[0]) == len(shown[1]) > 90
    assert not set(shown[0]) & set(shown[1])


def test_every_entity_can_belong_to_a_sub_device() -> None:
    text = node(nodes.entities()).replace("{name: codegen}", "{name: codegen, devices: [{id: meter, name: Meter}]}")
    shown = nodes.config(re.sub(r"(\{name: \"[^\"]*\")\}", r"\1, device_id: meter}", text))
    for row in catalog.ENTITIES:
        assert shown[row.platform][0][row.key]["device_id"].id == "meter", row.name

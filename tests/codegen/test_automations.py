"""Every action, condition, trigger and option of the catalog, in each form that users may write."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from evse_host import catalog
from tests.codegen import nodes
from tests.codegen.nodes import entity, node, on_ready

TIME = "time: [{platform: host, id: the_time}]"

#: What each action becomes, and its keys where some are required.
ACTIONS = {
    "enable": ("WriteAction<>(evse, ENABLE, 1)", ""),
    "disable": ("WriteAction<>(evse, ENABLE, 0)", ""),
    "authorize": ("RunAction<>(evse, AUTH)", ""),
    "set_charging_current": ("SetChargingCurrentAction<>(evse, CHCUR)", "current: 16A"),
    "set_session_limits": ("SetSessionLimitsAction<>(evse, CONSUMLIM, CHTIMELIM, UNDERPOWERLIM)", "energy: 20"),
    "set_wifi_station": ("SetWifiStationAction<>(evse, WIFISTACFG)", "ssid: home"),
    "set_static_ip": (
        "SetStaticIpAction<>(evse, WIFISTASTATIC)",
        "ip: 192.168.1.50, gateway: 192.168.1.1, netmask: 255.255.255.0",
    ),
    "set_time": ("SetTimeAction<>(evse, TIME, the_time)", ""),
    "wifi_scan": ("RunAction<>(evse, WIFIAPSCAN)", ""),
    "reset_total_energy": ("WriteAction<>(evse, EMETERTOTCONSUM, 0)", ""),
    "restart": ("RunAction<>(evse, RST)", ""),
    "send_command": ("SendCommandAction<>(evse, false)", "command: AT+STATE?"),
    "refresh": ("RefreshAction<>(evse)", ""),
    "force_update": ("RefreshAction<>(evse)", ""),
    "unsubscribe_all": ("UnsubscribeAllAction<>(evse)", ""),
}

CONDITIONS = {
    "is_connected": "IsConnectedCondition<>(evse)",
    "is_charging": "IsChargingCondition<>(evse)",
    "is_vehicle_connected": "IsVehicleConnectedCondition<>(evse)",
    "is_authorization_pending": "IsAuthorizationPendingCondition<>(evse)",
    "is_authorized": "IsAuthorizedCondition<>(evse)",
}

#: The types of each trigger's arguments.
TRIGGERS = {
    "on_ready": {},
    "on_connect": {},
    "on_disconnect": {},
    "on_state": {"state": "std::string"},
    "on_session_start": {},
    "on_session_end": {"energy": "float", "duration": "uint32_t"},
    "on_fault": {"fault": "std::string"},
    "on_write_failed": {"entity": "std::string", "reason": "std::string"},
    "on_wifi_scan_result": {"ssid": "std::string", "rssi": "int", "auth": "int"},
    "on_command_line": {"line": "std::string"},
    "on_command_result": {"success": "bool"},
}

WITHOUT_KEYS = sorted(name for name, (_, keys) in ACTIONS.items() if not keys)
WITH_KEYS = sorted(name for name, (_, keys) in ACTIONS.items() if keys)


def names(rows: tuple[catalog.Automation, ...]) -> list[str]:
    return [row.name for row in rows]


def by_name(rows: tuple[catalog.Automation, ...]) -> dict[str, catalog.Automation]:
    return {row.name: row for row in rows}


def generated(*actions: str) -> nodes.Code:
    return nodes.code(node(TIME, hub=on_ready(*actions)))


def with_trigger(name: str) -> str:
    return node(hub=f"{nodes.HUB_BLOCK}  {name}:\n    - lambda: return;")


def commands(code: nodes.Code) -> set[str]:
    return set(code.tables().commands)


def with_clock_and_state(needed: Iterable[str]) -> set[str]:
    """These commands, the clock that notices restarts, and the state with which others change."""
    wanted = {"UPTIME", *needed}
    wanted |= {catalog.COMMAND[name].limited_by for name in wanted} - {""}
    follows = {c.name for c in catalog.COMMANDS if c.refresh == catalog.CHARGING}.union(catalog.FOLLOWS_STATE)
    return wanted | ({"STATE"} if wanted & follows else set())


def made(code: nodes.Code, kind: str) -> list[str]:
    """The actions or conditions of the component in the generated code."""
    return [made for made in code.objects().values() if re.match(rf"\w+{kind}<", made)]


def values(code: nodes.Code, setter: str) -> list[str]:
    """What the generated code gives to a templatable key of each action."""
    return [_value(text) for text in re.findall(rf"->{setter}\((.*?)\);\n(?=\S)", code.main + "\nend", re.S)]


def _value(text: str) -> str:
    """Without the lambda around it, and without what keeps a string in flash."""
    text = re.sub(r'#line \d+ ".*?"\n', "", text)
    lambda_ = re.fullmatch(r"\[.*?\]\(.*?\) -> .*? \{\s*return (.*?);\s*\}", text, re.S)
    text = (lambda_[1] if lambda_ else text).strip()
    in_flash = re.fullmatch(r'ESPHOME_F\((".*")\)', text)
    return (in_flash[1] if in_flash else text).replace("\\042", '\\"')


# --- actions ----------------------------------------------------------------------------------------------------------


def test_catalog_has_these_actions_conditions_and_triggers() -> None:
    assert names(catalog.ACTIONS) == list(ACTIONS)
    assert names(catalog.CONDITIONS) == list(CONDITIONS)
    assert names(catalog.TRIGGERS) == list(TRIGGERS)
    for trigger in catalog.TRIGGERS:
        assert [argument.key for argument in trigger.arguments] == list(TRIGGERS[trigger.name])


@pytest.mark.parametrize("name", WITHOUT_KEYS)
@pytest.mark.parametrize("form", ["{}", "{}:", "{}: evse", "{}: {{id: evse}}", "{}: {{}}"])
def test_an_action_without_keys_may_be_written_in_every_form(name: str, form: str) -> None:
    code = generated("esp32evse." + form.format(name))
    assert made(code, "Action") == [ACTIONS[name][0]]


@pytest.mark.parametrize("name", WITH_KEYS)
@pytest.mark.parametrize("id_", ["", ", id: evse"])
def test_an_action_with_keys_is_made(name: str, id_: str) -> None:
    expected, keys = ACTIONS[name]
    assert made(generated(f"esp32evse.{name}: {{{keys}{id_}}}"), "Action") == [expected]


@pytest.mark.parametrize("name", ACTIONS)
def test_action_brings_its_commands(name: str) -> None:
    made, keys = ACTIONS[name]
    assert commands(generated(f"esp32evse.{name}: {{{keys}}}")) == with_clock_and_state(
        re.findall(r"\b([A-Z]{3,})\b", made)
    )


def test_actions_and_entities_share_one_row_of_a_command() -> None:
    code = nodes.code(node(entity("switch", "enable"), hub=on_ready("esp32evse.enable", "esp32evse.disable")))
    assert code.tables().commands == ["UPTIME", "ENABLE"]


@pytest.mark.parametrize(
    ("action", "setter", "expected"),
    [
        ("set_charging_current: 16", "set_current", "16.0f"),
        ("set_charging_current: 6", "set_current", "6.0f"),
        ("set_charging_current: 63 A", "set_current", "63.0f"),
        ("set_charging_current: 8500mA", "set_current", "8.5f"),
        ("set_charging_current: {current: 10.5}", "set_current", "10.5f"),
        ("set_charging_current: !lambda return 12;", "set_current", "12"),
        ("set_charging_current:\n    current: !lambda return 12;", "set_current", "12"),
        ("send_command: AT+STATE?", "set_command", '"AT+STATE?"'),
        ("send_command: at+state?", "set_command", '"at+state?"'),
        ("""send_command: 'AT+HOSTNAME="a,b"'""", "set_command", r'"AT+HOSTNAME=\"a,b\""'),
        ('send_command: !lambda return "AT";', "set_command", '"AT"'),
        ("set_wifi_station: {ssid: home}", "set_ssid", '"home"'),
        ("set_wifi_station: {ssid: home}", "set_enabled", "true"),
        ("set_wifi_station: {ssid: home, enabled: false}", "set_enabled", "false"),
        ("set_wifi_station: {ssid: home, password: x y}", "set_password", '"x y"'),
        ('set_wifi_station: {ssid: home, password: ""}', "set_password", '""'),
        ('set_wifi_station:\n    ssid: !lambda return "x";', "set_ssid", '"x"'),
        ("set_static_ip: {ip: 10.0.0.2, gateway: 10.0.0.1, netmask: 255.0.0.0}", "set_ip", '"10.0.0.2"'),
        ("set_static_ip: {ip: 10.0.0.2, gateway: 10.0.0.1, netmask: 255.0.0.0}", "set_gateway", '"10.0.0.1"'),
        ("set_static_ip: {ip: 10.0.0.2, gateway: 10.0.0.1, netmask: 255.0.0.0}", "set_netmask", '"255.0.0.0"'),
        ("set_static_ip: {ip: 1.1.1.2, gateway: 1.1.1.1, netmask: 255.0.0.0, dns: 9.9.9.9}", "set_dns", '"9.9.9.9"'),
        ("set_static_ip: {ip: 1.1.1.2, gateway: 1.1.1.1, netmask: 255.0.0.0}", "set_enabled", "true"),
    ],
)
def test_an_action_takes_each_value_as_it_is_written(action: str, setter: str, expected: str) -> None:
    assert values(generated(f"esp32evse.{action}"), setter) == [expected]


def test_password_left_out_is_not_set() -> None:
    assert "set_password" not in generated("esp32evse.set_wifi_station: {ssid: home}").main
    assert "set_dns" not in generated(f"esp32evse.set_static_ip: {{{ACTIONS['set_static_ip'][1]}}}").main


def test_force_makes_a_dangerous_command_pass() -> None:
    code = generated("esp32evse.send_command: {command: AT+SERIAL0?, force: true}")
    assert made(code, "Action") == ["SendCommandAction<>(evse, true)"]


def test_time_source_of_an_action() -> None:
    text = "time: [{platform: host, id: first}, {platform: host, id: second}]"
    code = nodes.code(node(text, hub=on_ready("esp32evse.set_time: {time_id: second}")))
    assert made(code, "Action") == ["SetTimeAction<>(evse, TIME, second)"]


def test_action_of_the_second_hub() -> None:
    text = "interval: [{interval: 60s, then: [esp32evse.enable: right, esp32evse.refresh: {id: left}]}]"
    code = nodes.code(node(text, hub=nodes.TWO_HUBS, uart=nodes.TWO_UARTS))
    assert made(code, "Action") == ["WriteAction<>(right, ENABLE, 1)", "RefreshAction<>(left)"]
    assert code.tables("left").commands == ["UPTIME"]
    assert code.tables("right").commands == ["UPTIME", "ENABLE"]


# --- subscriptions ----------------------------------------------------------------------------------------------------


#: Forms of a subscribe action, and the milliseconds that they mean.
PERIODS = {
    " 1s": "1000",
    " 100ms": "100",
    " 11h": "39600000",
    " never": "0",
    " !lambda return 500;": "500",
    " {period: 5s}": "5000",
    " {period: never, esp32evse_id: evse}": "0",
    "\n    esp32evse_id: evse\n    period: !lambda return 250;": "250",
}


@pytest.mark.parametrize("name", catalog.SUBSCRIBE_NAMES)
def test_every_command_can_be_subscribed_at_every_form_of_period(name: str) -> None:
    code = generated(*(f"esp32evse.{name}.subscribe:{form}" for form in PERIODS))
    command = catalog.SUBSCRIBE_NAMES[name]
    assert made(code, "Action") == [f"SubscribeAction<>(evse, {command})"] * len(PERIODS)
    assert values(code, "set_period") == list(PERIODS.values())
    assert commands(code) == with_clock_and_state([command])


def test_subscribe_of_the_second_hub() -> None:
    text = "interval: [{interval: 60s, then: [esp32evse.state.subscribe: {period: 1s, esp32evse_id: right}]}]"
    code = nodes.code(node(text, hub=nodes.TWO_HUBS, uart=nodes.TWO_UARTS))
    assert made(code, "Action") == ["SubscribeAction<>(right, STATE)"]
    assert code.tables("left").commands == ["UPTIME"]


def test_no_name_subscribes_what_must_not_be() -> None:
    assert all(catalog.COMMAND[command].subscribable for command in catalog.SUBSCRIBE_NAMES.values())


# --- conditions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("form", ["{}", "{{{}: }}", "{{{}: evse}}", "{{{}: {{id: evse}}}}"])
def test_a_condition_brings_the_commands_that_it_needs(name: str, form: str) -> None:
    code = generated(f"if: {{condition: {form.format('esp32evse.' + name)}, then: [esp32evse.refresh]}}")
    assert made(code, "Condition") == [CONDITIONS[name]]
    assert commands(code) == with_clock_and_state(by_name(catalog.CONDITIONS)[name].needs)


# --- triggers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRIGGERS)
def test_trigger_gives_its_arguments(name: str) -> None:
    types = ", ".join(TRIGGERS[name].values())
    code = nodes.code(with_trigger(name))
    (call,) = code.statements(rf"evse->add_{name}_callback\(.*\);")
    assert f"TriggerForwarder<{types}>" in call
    parameters = ", ".join(f"{type_} {key}" for key, type_ in TRIGGERS[name].items())
    assert f"([]({parameters}) -> void {{" in code.main


@pytest.mark.parametrize("name", TRIGGERS)
def test_trigger_brings_its_commands(name: str) -> None:
    code = nodes.code(with_trigger(name))
    assert commands(code) == with_clock_and_state(by_name(catalog.TRIGGERS)[name].needs)


@pytest.mark.parametrize("name", TRIGGERS)
def test_trigger_has_its_events_reported(name: str) -> None:
    followed = {row.follow for row in nodes.code(with_trigger(name)).tables().rows.values()}
    reported = {"on_fault": "error_and_report"}
    reported |= dict.fromkeys(("on_state", "on_session_start", "on_session_end"), "state_and_session")
    assert followed & {"state_and_session", "error_and_report"} == ({reported[name]} if name in reported else set())


def test_a_trigger_may_be_written_in_every_form_of_esphome() -> None:
    action = "esp32evse.refresh"
    for form in (f"on_ready: {{{action}: }}", f"on_ready: [{action}]", f"on_ready: {{then: [{action}]}}"):
        code = nodes.code(node(hub=f"{nodes.HUB_BLOCK}  {form}"))
        assert len(code.statements(r"evse->add_on_ready_callback\(.*\);")) == 1
    code = nodes.code(node(hub=f"{nodes.HUB_BLOCK}  on_ready: [{{then: [{action}]}}, {{then: [{action}]}}]"))
    assert len(code.statements(r"evse->add_on_ready_callback\(.*\);")) == 2


# --- options of the hub -----------------------------------------------------------------------------------------------

OPTIONS = [
    "id", "uart_id", "update_interval", "push_interval", "subscriptions", "keep_settings", "below_minimum", "time_id"
]  # fmt: skip


def hub(options: str, text: str = "") -> nodes.Code:
    return nodes.code(node(text, hub=f"esp32evse: {{id: evse, {options}}}"))


def test_catalog_has_these_options() -> None:
    assert [option.key for option in catalog.OPTIONS] == OPTIONS


def test_without_options_the_hub_has_its_defaults() -> None:
    code = hub("")
    assert code.statements(r"evse->set_.*_interval\(.*") == [
        "evse->set_update_interval(60000);",
        "evse->set_push_interval(250);",
    ]
    assert not code.statements(r"evse->(set_keep_settings|set_time|subscribe|set_lifetime_key)\(.*")


def test_defaults_are_those_of_the_catalog() -> None:
    shown = nodes.config(node())["esp32evse"][0]
    for option in catalog.OPTIONS:
        if option.default:
            assert option.key in shown
    assert shown["update_interval"].total_milliseconds == 60_000
    assert (shown["push_interval"], shown["keep_settings"]) == (250, False)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("update_interval: 10s", "evse->set_update_interval(10000);"),
        ("update_interval: 10min", "evse->set_update_interval(600000);"),
        ("push_interval: 100ms", "evse->set_push_interval(100);"),
        ("push_interval: 60s", "evse->set_push_interval(60000);"),
        ("push_interval: never", "evse->set_push_interval(0);"),
        ("keep_settings: true", "evse->set_keep_settings();"),
        ("below_minimum: pause", "evse->set_pause_below_minimum(ENABLE);"),
    ],
)
def test_an_option_reaches_the_hub(options: str, expected: str) -> None:
    assert expected in hub(options).main.splitlines()


def test_kept_settings_are_on_the_wire() -> None:
    kept = {"ENABLE", "AVAILABLE", "CHCUR", "CONSUMLIM", "CHTIMELIM", "UNDERPOWERLIM"}
    assert commands(hub("keep_settings: true")) == {"UPTIME", *kept}


def test_with_a_clock_the_charger_is_kept_on_time() -> None:
    code = hub("time_id: the_time", TIME)
    assert code.statements(r"evse->set_time\(.*") == ["evse->set_time(the_time, TIME);"]
    assert code.tables().rows["TIME"].follow == "time"


def test_time_that_is_only_shown_is_not_followed() -> None:
    assert nodes.code(node(entity("text_sensor", "device_time"))).tables().rows["TIME"].follow == "nullptr"


@pytest.mark.parametrize("name", catalog.SUBSCRIBE_NAMES)
def test_a_period_in_subscriptions_reaches_the_hub_after_its_tables(name: str) -> None:
    code = hub(f"subscriptions: {{{name}: 5s}}")
    command = catalog.SUBSCRIBE_NAMES[name]
    assert command in commands(code)
    lines = code.main.splitlines()
    assert lines.index(f"evse->subscribe({command}, 5000);") > max(
        number for number, line in enumerate(lines) if line.startswith("evse->set_tables(")
    )


def test_a_subscription_can_be_switched_off() -> None:
    code = hub("subscriptions: {state: never, emeter_power: 1s}")
    assert code.statements(r"evse->subscribe\(.*") == [
        "evse->subscribe(STATE, 0);",
        "evse->subscribe(EMETERPOWER, 1000);",
    ]


def test_lifetime_energy_has_a_place_of_its_own_for_each_hub() -> None:
    text = nodes.entities((catalog.ENTITY["sensor", "total_energy_consumption"],), hubs=("left", "right"))
    code = nodes.code(node(text, hub=nodes.TWO_HUBS, uart=nodes.TWO_UARTS))
    keys = [re.findall(r"\w+->set_lifetime_key\((\w+)\);", line) for line in code.statements(r".*set_lifetime_key.*")]
    assert len(keys) == 2 and keys[0] != keys[1]


# --- parts ------------------------------------------------------------------------------------------------------------


def entity_of(platform: str, key: str) -> str:
    return f"{platform}: [{{platform: esp32evse, {key}: {{name: It}}}}]"


@pytest.mark.parametrize(
    ("options", "text", "parts"),
    [
        ("", nodes.entities(), {"TEXTS", "SESSIONS", "LIFETIME"}),
        ("", entity_of("switch", "enable"), set()),
        ("", entity_of("switch", "wifi_station"), set()),
        ("", entity_of("select", "emeter_mode"), set()),
        ("", entity_of("select", "timezone"), {"TEXTS"}),
        ("", entity_of("text", "host_name"), {"TEXTS"}),
        ("", entity_of("sensor", "energy_consumption"), set()),
        ("", entity_of("sensor", "last_session_energy"), {"SESSIONS"}),
        ("", entity_of("sensor", "total_energy_consumption"), {"LIFETIME"}),
        ("", entity_of("text_sensor", "total_energy_consumption"), {"LIFETIME"}),
        ("", entity_of("event", "session"), {"SESSIONS"}),
        ("", entity_of("event", "fault"), set()),
        ("keep_settings: true", "", {"KEEP_SETTINGS"}),
        ("keep_settings: false", "", set()),
        ("on_session_start: [esp32evse.refresh]", "", {"SESSIONS"}),
        ("on_state: [esp32evse.refresh]", "", {"SESSIONS"}),
        ("on_ready: [esp32evse.send_command: AT+HEAP?]", "", {"RAW_COMMANDS"}),
        ("on_ready: [esp32evse.set_wifi_station: {ssid: home}]", "", {"TEXTS"}),
        (
            "on_ready: [esp32evse.set_static_ip: {ip: 10.0.0.2, gateway: 10.0.0.1, netmask: 255.0.0.0}]",
            "",
            {"TEXTS"},
        ),
        ("subscriptions: {temperature: 1s}", "", {"SUBSCRIPTIONS"}),
        ("on_ready: [esp32evse.temperature.subscribe: 1s]", "", {"SUBSCRIPTIONS"}),
        ("on_ready: [esp32evse.unsubscribe_all]", "", set()),
        ("on_ready: [esp32evse.authorize, esp32evse.set_charging_current: 16]", "", set()),
    ],
)
def test_parts_come_with_what_needs_them(options: str, text: str, parts: set[str]) -> None:
    assert hub(options, text).parts == parts


def test_traits_that_no_row_has_are_left_out_of_the_program() -> None:
    assert hub("").traits == set()
    assert hub("", entity_of("number", "charging_current")).traits == {"CHARGING_CURRENT", "LIVE", "STORED"}


def test_traits_of_all_hubs_are_in_the_program() -> None:
    entities = (
        "text_sensor: [{platform: esp32evse, esp32evse_id: left, serial_ports: {name: It}},"
        " {platform: esp32evse, esp32evse_id: right, device_time: {name: Other}}]"
    )
    code = nodes.code(node(entities, hub=nodes.TWO_HUBS, uart=nodes.TWO_UARTS))
    assert code.traits == {"LINES", "CLOCK"}

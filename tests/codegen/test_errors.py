"""Errors that teach: each names the key, what is wrong with its value, and what is allowed."""

from __future__ import annotations

import re

import pytest
from esphome.core import EsphomeError

from evse_host import catalog
from tests.codegen import nodes
from tests.codegen.nodes import ESP32, TWO_HUBS, TWO_UARTS, entity, node, on_ready

SUBSCRIBE_RANGE = "`never` or 100ms to 42949671ms"


def action_error(action: str) -> str:
    return nodes.error(node(hub=on_ready(action)))


def hub_error(options: str) -> str:
    return nodes.error(node(hub=f"esp32evse: {{{options}}}"))


def entity_error(platform: str, key: str, options: str) -> str:
    return nodes.error(node(entity(platform, key, options)))


def two_hubs_errors(text: str = "", hub: str = TWO_HUBS) -> list[str]:
    return nodes.errors(node(text, hub=hub, uart=TWO_UARTS))


# --- the UART ---------------------------------------------------------------------------------------------------------


def esp32_uart(**changes: object) -> str:
    """A real board, whose UART has these settings different from right ones; None leaves one out."""
    right = {"id": "line", "tx_pin": "GPIO17", "rx_pin": "GPIO16", "baud_rate": 115200, "rx_buffer_size": 1024}
    settings = {key: value for key, value in {**right, **changes}.items() if value is not None}
    uart = "uart: {" + ", ".join(f"{key}: {value}" for key, value in settings.items()) + "}"
    return node(uart=uart, board=ESP32)


def test_right_uart_is_accepted() -> None:
    assert nodes.errors(esp32_uart()) == []
    assert nodes.errors(esp32_uart(data_bits=8, parity="NONE", stop_bits=1)) == []
    assert nodes.errors(esp32_uart(rx_buffer_size=None)) == []  # ESPHome's own 256 bytes do


@pytest.mark.parametrize("pin", ["tx_pin", "rx_pin"])
def test_a_missing_pin_is_named(pin: str) -> None:
    expected = f"uart 'line': {pin} is missing; the charger is both asked and heard."
    assert nodes.error(esp32_uart(**{pin: None})) == expected


def test_one_pin_for_both_directions() -> None:
    assert set(nodes.errors(esp32_uart(rx_pin="GPIO17"))) == {"Pin 17 is used in multiple places."}


def test_pin_that_cannot_send() -> None:
    assert nodes.error(esp32_uart(tx_pin="GPIO34")) == "GPIO34 (34-39) does not support output pin mode."


def test_a_receive_buffer_that_is_too_small_is_refused_with_the_least() -> None:
    expected = (
        "uart 'line': rx_buffer_size must be at least 256 for the charger's answers, not 255; 1024 is comfortable."
    )
    assert nodes.error(esp32_uart(rx_buffer_size=255)) == expected


PINS = "add `uart:` with `tx_pin`, `rx_pin` and `baud_rate: 115200`"
PORT = "add `uart:` with `port` and `baud_rate: 115200`"


@pytest.mark.parametrize(("board", "remedy"), [(ESP32, PINS), (nodes.HOST, PORT)])
@pytest.mark.parametrize("uart", ["", "uart:", "uart: []"])
def test_without_a_uart_the_remedy_fits_the_board(uart: str, board: str, remedy: str) -> None:
    expected = f"Component esp32evse requires component uart: {remedy}."
    assert nodes.error(node(uart=uart, board=board)) == expected


def test_uart_platform_is_no_uart() -> None:
    """`platform: uart` loads the component, too."""
    text = node("switch: [{platform: uart, data: 'x', name: X}]", uart="", board=ESP32)
    assert nodes.errors(text)[0] in (
        f"Component esp32evse requires component uart: {PINS}.",
        "Component switch.uart requires component uart.",
    )


def test_uart_without_an_id_has_no_name() -> None:
    expected = "uart: rx_pin is missing; the charger is both asked and heard."
    assert nodes.error(node(uart="uart: {tx_pin: GPIO17, baud_rate: 115200}", board=ESP32)) == expected


# --- several chargers -------------------------------------------------------------------------------------------------


def test_two_hubs_are_accepted() -> None:
    assert two_hubs_errors("switch: [{platform: esp32evse, esp32evse_id: left, enable: {name: Enable}}]") == []


def test_two_hubs_on_one_uart() -> None:
    hub = "esp32evse: [{id: left, uart_id: left_uart}, {id: right, uart_id: left_uart}]"
    expected = "uart_id: 'left_uart' is used by esp32evse 'right', too; every charger needs a uart of its own."
    assert two_hubs_errors(hub=hub)[0] == expected


def test_two_hubs_without_uart_id() -> None:
    messages = two_hubs_errors(hub="esp32evse: [{id: left}, {id: right}]")
    assert len(messages) == 2
    for message in messages:
        assert "'uart_id'" in message and "'left_uart', 'right_uart'" in message


@pytest.mark.parametrize("entities", ["", "switch: [{platform: esp32evse, enable: {name: Enable}}]"])
def test_two_hubs_without_ids_are_told_to_have_them(entities: str) -> None:
    hub = "esp32evse: [{uart_id: left_uart}, {id: right, uart_id: right_uart}]"
    expected = "id is missing: each of several chargers must have one, such as `id: left`."
    assert expected in two_hubs_errors(entities, hub)


@pytest.mark.parametrize("platform", catalog.PLATFORMS)
def test_entity_of_two_hubs_without_esp32evse_id(platform: str) -> None:
    (message,) = two_hubs_errors(entity(platform, catalog.entities(platform)[0].key))
    assert "'esp32evse_id'" in message and "'left', 'right'" in message


def test_action_with_two_hubs_without_id() -> None:
    (message,) = two_hubs_errors("interval: [{interval: 60s, then: [esp32evse.enable: ]}]")
    assert "'id'" in message and "'left', 'right'" in message


def test_subscription_with_two_hubs_without_id() -> None:
    (message,) = two_hubs_errors("interval: [{interval: 60s, then: [esp32evse.state.subscribe: 1s]}]")
    assert "'id'" in message and "'left', 'right'" in message


def topic_errors(first: str, second: str, mqtt: str = "mqtt: {broker: home}") -> list[str]:
    """Of two chargers on two devices; ``first`` belongs to the left one, ``second`` is a platform's block."""
    uarts = TWO_UARTS.replace("port: /tmp/left", "tx_pin: GPIO17, rx_pin: GPIO16")
    uarts = uarts.replace("port: /tmp/right", "tx_pin: GPIO26, rx_pin: GPIO25")
    devices = "esphome: {name: codegen, devices: [{id: one, name: One}, {id: two, name: Two}]}\nwifi: {ssid: home}"
    entities = f"sensor:\n  - {{platform: esp32evse, esp32evse_id: left, uptime: {{name: Age, {first}}}}}\n{second}"
    text = node(f"{mqtt}\n{entities}", hub=TWO_HUBS, uart=uarts, board=ESP32)
    return nodes.errors(text.replace("esphome: {name: codegen}", devices))


OTHER_CHARGER = "  - {platform: esp32evse, esp32evse_id: right, uptime: {name: age, device_id: two}}"
OTHER_DEVICE = "  - {platform: esp32evse, esp32evse_id: left, heap_used: {name: Age, device_id: two}}"
OTHER_PLATFORM = "text_sensor: [{platform: esp32evse, esp32evse_id: left, state: {name: Age}}]"


@pytest.mark.parametrize(
    ("second", "user"),
    [
        (OTHER_CHARGER, "sensor 'age' of 'right'"),
        (OTHER_DEVICE, "sensor 'Age' of 'left'"),
        (OTHER_PLATFORM, "text_sensor 'Age' of 'left'"),
    ],
)
def test_two_entities_with_one_topic_over_mqtt_are_refused(second: str, user: str) -> None:
    """ESPHome lets them: one command would reach two chargers, and one value stand for two."""
    assert topic_errors("device_id: one", second) == [
        f"sensor 'Age' of 'left' and {user} would have one topic over mqtt: give each its own name; "
        "where packages bring several chargers, `prefix` does."
    ]


@pytest.mark.parametrize("topic", ["internal: true", "state_topic: home/age"])
def test_entities_without_a_topic_of_esphomes_may_share_a_name(topic: str) -> None:
    assert topic_errors(f"device_id: one, {topic}", OTHER_CHARGER) == []


def test_without_topics_devices_may_share_names() -> None:
    for mqtt in ("", "mqtt: {broker: home, topic_prefix: null}"):
        assert topic_errors("device_id: one", OTHER_CHARGER, mqtt) == []


def test_a_hub_that_does_not_exist_is_named() -> None:
    message = nodes.error(node("switch: [{platform: esp32evse, esp32evse_id: nobody, enable: {name: Enable}}]"))
    assert message.startswith("Couldn't find ID 'nobody'.")


# --- unknown names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "key", "hint"),
    [
        ("sensor", "emeter_powr", "perhaps emeter_power"),
        ("sensor", "power", "perhaps emeter_power"),
        ("sensor", "session_energy", "perhaps energy_consumption or last_session_energy"),
        ("binary_sensor", "waiting_for_authorization", "perhaps pending_authorization"),
        ("number", "current", "perhaps charging_current or default_charging_current or maximum_charging_current"),
        ("sensor", "evse_id", "perhaps esp32evse_id"),
        ("button", "reboot", "perhaps restart"),
        ("switch", "start", "perhaps enable"),
        ("sensor", "moon_phase", "docs/entities.md lists what sensor.esp32evse has"),
    ],
)
def test_an_unknown_entity_gets_a_hint_where_it_belongs(platform: str, key: str, hint: str) -> None:
    assert entity_error(platform, key, "") == f"[{key}] is no entity of {platform}.esp32evse; {hint}."


def test_entity_of_another_platform() -> None:
    expected = "[enable] is no sensor: it goes under `switch:` with `platform: esp32evse`."
    assert entity_error("sensor", "enable", "") == expected


@pytest.mark.parametrize(("written", "given"), [("", "nothing"), (" Power", "Power"), (" [Power]", "['Power']")])
def test_an_entity_without_options_is_shown_what_to_write(written: str, given: str) -> None:
    expected = f"emeter_power must have options such as `name: Power`, not {given}."
    assert nodes.error(node(f"sensor:\n  - platform: esp32evse\n    emeter_power:{written}\n")) == expected


@pytest.mark.parametrize("option", ["name: Power", "type: power", "unit_of_measurement: W", "filters: []"])
def test_an_option_above_its_entity_is_told_its_place(option: str) -> None:
    text = node(f"sensor: [{{platform: esp32evse, {option}, emeter_power: {{name: Power}}}}]")
    expected = (
        f"[{option.split(':')[0]}] is no entity: options go below one, such as `emeter_power:` with `name: Power`."
    )
    assert nodes.error(text) == expected


def test_a_name_that_comes_twice_is_named() -> None:
    text = node("sensor: [{platform: esp32evse, emeter_power: {name: P}, uptime: {name: P}}]")
    assert nodes.error(text).startswith("uptime: Duplicate sensor entity with name 'P' found.")


@pytest.mark.parametrize(
    "hub", ["esp32evse:", "esp32evse: {keep_settings: true}", "esp32evse: [{keep_settings: true}]"]
)
def test_entities_of_a_charger_that_has_no_id(hub: str) -> None:
    """As behind a package whose charger was replaced by the user's own block."""
    text = node("sensor: [{platform: esp32evse, esp32evse_id: evse, uptime: {name: Uptime}}]", hub=hub)
    expected = (
        "esp32evse_id: no charger has the id 'evse'; write `id: evse` under `esp32evse:`, or `- id: !extend evse` "
        "where a package brings the charger."
    )
    assert nodes.error(text) == expected


def test_action_with_a_truth_behind_it() -> None:
    expected = "esp32evse.enable: the charger's id or nothing belongs behind it, not true."
    assert action_error("esp32evse.enable: true") == expected


def test_limits_without_their_names_are_told_them() -> None:
    expected = "at least one of energy, charging_time, under_power belongs below it, not 10 behind it."
    assert action_error("esp32evse.set_session_limits: 10") == f"esp32evse.set_session_limits: {expected}"


def test_entities_under_the_hub_are_told_their_place() -> None:
    expected = "[sensor] stands by itself, not under esp32evse: `sensor:` with `platform: esp32evse`."
    assert hub_error("sensor: {emeter_power: {name: Power}}") == expected
    expected = "[emeter_power] is an entity: it goes under `sensor:` with `platform: esp32evse`."
    assert hub_error("emeter_power: {name: Power}") == expected


def test_hub_that_is_a_word() -> None:
    expected = "esp32evse must have options such as `id: evse`, or nothing behind it, not evse."
    assert nodes.error(node(hub="esp32evse: evse")) == expected


@pytest.mark.parametrize("hub", ["", "esp32evse: []"])
def test_a_hub_that_is_missing_is_a_line_to_add(hub: str) -> None:
    text = node("sensor: [{platform: esp32evse, emeter_power: {name: Power}}]", hub=hub)
    expected = "Component sensor.esp32evse requires component esp32evse: add a line `esp32evse:`."
    assert nodes.error(text) == expected


def test_an_id_that_comes_twice_is_named() -> None:
    text = node("sensor: [{platform: esp32evse, emeter_power: {name: P, id: x}, uptime: {name: U, id: x}}]")
    assert nodes.error(text).startswith("ID x redefined!")


def test_a_number_with_a_unit_is_refused() -> None:
    expected = "charging_current: max_value must be a number without a unit, not 16A."
    assert entity_error("number", "charging_current", "max_value: 16A") == expected


def test_keep_settings_that_is_no_boolean() -> None:
    assert hub_error("keep_settings: maybe") == "keep_settings must be true or false, not maybe."


@pytest.mark.parametrize("platform", catalog.PLATFORMS)
def test_a_platform_without_an_entity_lists_what_it_may_have(platform: str) -> None:
    keys = ", ".join(row.key for row in catalog.entities(platform))
    assert nodes.error(node(f"{platform}: [{{platform: esp32evse}}]")) == f"Must contain at least one of {keys}."


def test_an_unknown_option_of_the_hub_gets_a_suggestion() -> None:
    message = hub_error("update_intervall: 60s")
    assert message.startswith("[update_intervall] is an invalid option for [esp32evse]. Did you mean [update_interval]")


def test_an_unknown_subscription_lists_what_is_known() -> None:
    known = ", ".join(sorted(catalog.SUBSCRIBE_NAMES))
    assert hub_error("subscriptions: {power: 1s}") == f"subscriptions: 'power' is unknown, it must be one of {known}."


@pytest.mark.parametrize(("key", "near"), [("emeter_powr", "emeter_power"), ("voltage_l1", "voltage")])
def test_subscription_that_is_misspelt_or_an_entity_of_several(key: str, near: str) -> None:
    assert hub_error(f"subscriptions: {{{key}: 1s}}") == f"subscriptions: '{key}' is unknown, perhaps {near}."


@pytest.mark.parametrize(
    ("platform", "key", "option", "expected"),
    [
        ("sensor", "uptime", "unit: h", "[unit] is an invalid option for [uptime]. Did you mean [unit_of_meas"),
        ("sensor", "uptime", "nam: U", "[nam] is an invalid option for [uptime]. Did you mean [name]?"),
        ("number", "charging_current", "max: 16", "[max] is an invalid option for [charging_current]. Did you mean ["),
        ("sensor", "uptime", "update_interval: 5s", "[update_interval] is an option of the charger: it goes under `"),
        ("sensor", "uptime", "device_class: watt", "device_class: Unknown value 'watt', did you mean 'water'"),
        ("sensor", "uptime", "state_class: totl", "state_class: Unknown value 'totl', did you mean 'total'"),
        ("sensor", "uptime", "entity_category: diag", "entity_category: Unknown value 'diag', valid options are"),
        ("sensor", "uptime", "icon: clock", "icon 'clock': Icons must match the format"),
        ("sensor", "uptime", "accuracy_decimals: two", "accuracy_decimals: Expected integer, but cannot parse two"),
        ("sensor", "uptime", "internal: perhaps", "internal: Expected boolean value, but cannot convert perhaps"),
        ("number", "charging_current", "mode: slide", "mode: Unknown value 'SLIDE', did you mean 'SLIDER'"),
        ("sensor", "uptime", "filters: [{multiply: h}]", "multiply: expected float"),
        ("sensor", "uptime", "filters: [{multipli: 2}]", "Unable to find filter with the name 'multipli'"),
        ("sensor", "uptime", "on_value: [logger.lgo: x]", "Unable to find action with the name 'logger.lgo'"),
        ("switch", "enable", "restore_mode: on", "restore_mode 'True': Auto-converted this value to boolean"),
    ],
)  # fmt: skip
def test_wrong_option_of_an_entity(platform: str, key: str, option: str, expected: str) -> None:
    """ESPHome's own messages, with the key and the value that they lack."""
    assert entity_error(platform, key, option).startswith(expected)


def test_hub_that_is_no_id() -> None:
    text = node("sensor: [{platform: esp32evse, esp32evse_id: my-evse, uptime: {name: Uptime}}]")
    assert nodes.error(text).startswith("esp32evse_id 'my-evse': Dashes are not supported in IDs")


def test_an_id_that_is_none_is_refused() -> None:
    text = node("sensor: [{platform: esp32evse, uptime: {name: Uptime, id: my-uptime}}]")
    assert nodes.error(text).startswith("id 'my-uptime': Dashes are not supported in IDs")


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("uart: {tx_pin: GPIO17}", "[uart] stands by itself, not under esp32evse; `uart_id:` here names it "
         "where there are several"),
        ("tx_pin: GPIO17", "[tx_pin] is an option of the serial port: it goes under `uart:`"),
        ("baud_rate: 115200", "[baud_rate] is an option of the serial port: it goes under `uart:`"),
        ("name: EVSE", "[name] belongs to entities; the charger has an `id:`"),
        ("id: my-evse", "id 'my-evse': Dashes are not supported in IDs, please use underscores instead"),
        ("on_connect: hello", "on_connect must have actions below it, such as `- logger.log: on_connect`, not hello"),
        ("on_connect: ", "on_connect must have actions below it, such as `- logger.log: on_connect`, not nothing"),
        ("below_minimum: stop", "below_minimum must be minimum or pause, not stop"),
        ("subscriptions: emeter_power", "subscriptions must be lines such as `emeter_power: 1s`, not emeter_power"),
        ("subscriptions: ", "subscriptions must be lines such as `emeter_power: 1s`, not nothing"),
        ("subscriptions: [{state: 1s}]", "subscriptions must be lines such as `emeter_power: 1s`, not "
         "[{'state': '1s'}]"),
    ],
)  # fmt: skip
def test_wrong_option_of_the_hub(option: str, expected: str) -> None:
    assert hub_error(option) == f"{expected}."


@pytest.mark.parametrize(
    ("action", "kind", "hint"),
    [
        ("esp32evse.enabel: ", "action", "perhaps esp32evse.enable"),
        ("esp32evse.current: 16", "action", "perhaps esp32evse.set_charging_current"),
        ("esp32evse.power.subscribe: 1s", "action",
         "perhaps esp32evse.under_power_limit.subscribe or esp32evse.default_under_power_limit.subscribe or "
         "esp32evse.emeter_power.subscribe"),
        ("esp32evse.set_current: 16", "action", "perhaps esp32evse.set_charging_current"),
        ("esp32evse.start: ", "action", "perhaps esp32evse.enable"),
        ("esp32evse.pause: ", "action", "perhaps esp32evse.disable"),
        ("esp32evse.is_on: ", "condition", "docs/automations.md lists what there is"),
        ("esp32evse.emeter_power: 1s", "action", "perhaps esp32evse.emeter_power.subscribe"),
        ("esp32evse.emeter_power.unsubscribe: ", "action", "perhaps esp32evse.emeter_power.subscribe: never"),
        ("if: {condition: {esp32evse.connected: }, then: []}", "action", "perhaps esp32evse.is_connected"),
        ("esp32evse.dance: ", "action", "docs/automations.md lists what there is"),
        ("if: {condition: {esp32evse.is_chargin: }, then: []}", "condition", "perhaps esp32evse.is_charging"),
        ("esp32evse.authorise", "action", "perhaps esp32evse.authorize"),
        ("if: {condition: {not: [esp32evse.is_chargin]}, then: []}", "condition", "perhaps esp32evse.is_charging"),
        ("wait_until: esp32evse.is_conected", "condition", "perhaps esp32evse.is_connected"),
    ],
)  # fmt: skip
def test_unknown_action_or_condition(action: str, kind: str, hint: str) -> None:
    name = re.search(r"esp32evse[\w.]+", action)[0]
    message = action_error(action)
    assert re.fullmatch(rf"Unable to find {kind} with the name '{name}' in line \d+ of node.yaml; {hint}\.", message)


@pytest.mark.parametrize(
    ("action", "wrong", "right"),
    [
        ("esp32evse.set_charging_current", "curent: 16", "current"),
        ("esp32evse.emeter_power.subscribe", "periode: 1s", "period"),
        ("esp32evse.send_command", "comand: AT", "command"),
    ],
)
def test_misspelt_key_of_an_action(action: str, wrong: str, right: str) -> None:
    """ESPHome also says that the right one is missing."""
    key = wrong.partition(":")[0]
    expected = f"[{key}] is an invalid option for [{action}]. Did you mean [{right}]?"
    assert expected in nodes.errors(node(hub=on_ready(f"{action}: {{{wrong}}}")))


@pytest.mark.parametrize(
    "text", ["logger: {logs: {esp32evse.load_manager: DEBUG}}", ".notes: {list: [esp32evse.h], esp32evse.h.x.y: 1}"]
)
def test_what_only_looks_like_an_action_is_none(text: str) -> None:
    assert nodes.errors(node(text)) == []


# --- what ESPHome alone can say: docs/troubleshooting.md explains it --------------------------------------------------

SENSOR = "sensor:\n  - platform: esp32evse\n    uptime:\n      name: Uptime\n"


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (SENSOR.replace("  - ", "\t- "), r"found character '\\t' that cannot start any token"),
        (SENSOR.replace("    uptime", "   uptime"), r"expected <block end>, but found '<block mapping start>'"),
        (SENSOR.replace("platform: ", "platform:"), r"mapping values are not allowed here"),
        (SENSOR.replace("uptime:", "uptime"), r"could not find expected ':'|mapping values are not allowed here"),
        (SENSOR.replace("Uptime", '"Uptime'), r"found unexpected end of stream"),
        (SENSOR + SENSOR, r'Duplicate key "sensor"'),
        (SENSOR + SENSOR.partition("esp32evse\n")[2], r'Duplicate key "uptime"'),
    ],
)
def test_yaml_that_is_none_is_refused_with_line_and_column(wrong: str, cause: str) -> None:
    """ESPHome names the cause, the line and the column."""
    with pytest.raises(EsphomeError, match=rf"(?s)Invalid YAML syntax.*({cause}).*node.yaml\", line \d+, column \d+"):
        nodes.errors(node(wrong))


@pytest.mark.parametrize("platform", ["esp32_evse", "evse", "ESP32EVSE"])
def test_an_unknown_platform_is_named(platform: str) -> None:
    text = node(SENSOR.replace("esp32evse", platform))
    assert nodes.error(text) == f"Platform not found: 'sensor.{platform}'."


def test_a_hub_that_is_misspelt_is_named() -> None:
    assert nodes.error(node(hub="esp32_evse:")) == "Component not found: esp32_evse."


def test_a_block_without_platform_is_told_so() -> None:
    expected = "'sensor' requires a 'platform' key but it was not specified."
    assert nodes.error(node("sensor: [{uptime: {name: Uptime}}]")) == expected


# --- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", ["9999ms", "601s", "11min", "never", "60", "x"])
def test_an_update_interval_out_of_range_is_refused_with_the_range(period: str) -> None:
    assert hub_error(f"update_interval: {period}") == f"update_interval must be 10s to 600s, not {period}."


@pytest.mark.parametrize("period", ["99ms", "60001ms", "2min", "0s", "x"])
def test_a_push_interval_out_of_range_is_refused_with_the_range(period: str) -> None:
    expected = f"push_interval must be `never` or 100ms to 60000ms, not {period}."
    assert hub_error(f"push_interval: {period}") == expected


@pytest.mark.parametrize("period", ["always", "-1s", "1 parsec"])
def test_a_period_of_subscriptions_out_of_range_is_refused_with_the_range(period: str) -> None:
    assert hub_error(f"subscriptions: {{state: {period}}}") == f"state must be {SUBSCRIBE_RANGE}, not {period}."


@pytest.mark.parametrize("period", ["always", "-1s", "1 parsec"])
@pytest.mark.parametrize("form", ["{}", "{{period: {}}}", "{{period: {}, esp32evse_id: evse}}"])
def test_a_period_to_subscribe_out_of_range_is_refused_with_the_range(form: str, period: str) -> None:
    message = action_error(f"esp32evse.state.subscribe: {form.format(period)}")
    assert message == f"period must be {SUBSCRIBE_RANGE}, not {period}."


@pytest.mark.parametrize("form", ["", "{}", "{esp32evse_id: evse}"])
def test_subscribe_action_without_period(form: str) -> None:
    message = action_error(f"esp32evse.state.subscribe: {form}")
    assert message == f"period must be {SUBSCRIBE_RANGE}, not nothing."


def test_one_value_with_two_periods() -> None:
    expected = "wifi_rssi and wifi_connected come from the charger together: they must have one period."
    assert hub_error("subscriptions: {wifi_rssi: 10s, uptime: 1s, wifi_connected: never}") == expected


@pytest.mark.parametrize("limit", ["10s", "10min", "600s"])
def test_limits_of_update_interval_are_allowed(limit: str) -> None:
    assert nodes.errors(node(hub=f"esp32evse: {{update_interval: {limit}}}")) == []


@pytest.mark.parametrize("limit", ["100ms", "60s", "never", "NEVER"])
def test_limits_of_push_interval_are_allowed(limit: str) -> None:
    assert nodes.errors(node(hub=f"esp32evse: {{push_interval: {limit}}}")) == []


@pytest.mark.parametrize("limit", ["100ms", "42949671ms", "never", "NEVER"])
def test_limits_of_periods_are_allowed(limit: str) -> None:
    assert nodes.errors(node(hub=f"esp32evse: {{subscriptions: {{state: {limit}}}}}")) == []
    assert nodes.errors(node(hub=on_ready(f"esp32evse.state.subscribe: {limit}"))) == []


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "options", "expected"),
    [
        ("charging_current", "min_value: 20, max_value: 10", "min_value must be below max_value 10, not 20"),
        ("charging_current", "min_value: 16, max_value: 16", "min_value must be below max_value 16, not 16"),
        ("charging_current", "step: 0", "step must be above 0 and at most 57, not 0"),
        ("charging_current", "step: -0.5", "step must be above 0 and at most 57, not -0.5"),
        ("charging_current", "step: .nan", "step must be above 0 and at most 57, not nan"),
        ("charging_current", "max_value: 16, step: 11", "step must be above 0 and at most 10, not 11"),
        ("charging_current", "max_value: .inf", "max_value must be a finite number, not inf"),
        ("charging_current", "min_value: .nan", "min_value must be a finite number, not nan"),
        ("charging_current", "multiplier: 0", "multiplier must be above 0, not 0"),
        ("charging_current", "multiplier: -10", "multiplier must be above 0, not -10"),
        ("charging_current", "multiplier: .inf", "multiplier must be above 0, not inf"),
    ],
)
def test_bounds_and_steps_that_a_number_cannot_have_are_refused(key: str, options: str, expected: str) -> None:
    assert entity_error("number", key, options) == f"{key}: {expected}."


@pytest.mark.parametrize("current", ["5", "5.9", "64", "63.1 A", "0", "-6", "5000mA", ".nan", "many", "[16]"])
@pytest.mark.parametrize("form", ["{}", "{{current: {}}}", "{{current: {}, id: evse}}"])
def test_a_current_out_of_range_is_refused_with_the_range(form: str, current: str) -> None:
    message = action_error(f"esp32evse.set_charging_current: {form.format(current)}")
    assert message == f"current must be 6 to 63 A, not {current.removeprefix('.')}."


@pytest.mark.parametrize("form", ["", "{id: evse}"])
def test_set_charging_current_to_nothing(form: str) -> None:
    assert action_error(f"esp32evse.set_charging_current: {form}") == "current must be 6 to 63 A, not nothing."


# --- texts ------------------------------------------------------------------------------------------------------------


def wifi_error(**texts: str) -> str:
    keys = "".join(f'\n  {key}: "{text}"' for key, text in {"ssid": "home", **texts}.items())
    return action_error(f"esp32evse.set_wifi_station:{keys}")


@pytest.mark.parametrize(
    ("ssid", "size"), [("", 0), ("x" * 31, 31), ("ü" * 16, 32), ("漢" * 11, 33), ("x" * 28 + "🚗", 32)]
)
def test_ssid_counts_in_bytes(ssid: str, size: int) -> None:
    assert wifi_error(ssid=ssid) == f"ssid must have 1 to 30 bytes, not {size}; UTF-8 counts in bytes."


def test_a_password_that_is_too_long_is_refused_and_not_shown() -> None:
    assert wifi_error(password="secret" * 6) == "password must have 0 to 31 bytes, not 36; UTF-8 counts in bytes."


@pytest.mark.parametrize("key", ["ssid", "password"])
@pytest.mark.parametrize("escape", ["\\n", "\\t", "\\0", "\\r", "\\x7f"])
def test_a_control_character_in_a_text_is_refused_and_shown(key: str, escape: str) -> None:
    shown = {"\\0": "\\x00"}.get(escape, escape)
    message = wifi_error(**{key: f"secret{escape}"})
    assert message == f"{key} must be one line without control characters, but has '{shown}'."


def test_messages_do_not_show_the_password() -> None:
    assert "secret" not in wifi_error(password="secret" * 6) + wifi_error(password="secret\\n")


@pytest.mark.parametrize("texts", [{"ssid": "x" * 30}, {"ssid": "ü" * 15}, {"password": ""}, {"password": "x" * 31}])
def test_limits_of_texts_are_allowed(texts: dict[str, str]) -> None:
    keys = "".join(f'\n  {key}: "{text}"' for key, text in {"ssid": "home", **texts}.items())
    assert nodes.errors(node(hub=on_ready(f"esp32evse.set_wifi_station:{keys}"))) == []


def test_a_missing_ssid_is_named() -> None:
    message = action_error('esp32evse.set_wifi_station: {password: "x"}')
    assert message == "'ssid' is a required option for [esp32evse.set_wifi_station]."


@pytest.mark.parametrize("key", ["ip", "gateway", "netmask", "dns"])
@pytest.mark.parametrize("address", ["192.168.1", "192.168.1.256", "192.168.1.1.1", "host.local", "", "fe80::1"])
def test_an_address_that_is_none_is_refused_with_an_example(key: str, address: str) -> None:
    right = {"ip": "192.168.1.50", "gateway": "192.168.1.1", "netmask": "255.255.255.0"}
    keys = "".join(f'\n  {name}: "{text}"' for name, text in {**right, key: address}.items())
    message = action_error(f"esp32evse.set_static_ip:{keys}")
    assert message == f"{key} must be an IPv4 address such as 192.168.1.50, not {address or 'nothing'}."


def test_a_number_is_no_address() -> None:
    message = action_error("esp32evse.set_static_ip: {ip: 3232235826, gateway: 192.168.1.1, netmask: 255.255.255.0}")
    assert message == "ip must be an IPv4 address such as 192.168.1.50, not 3232235826."


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("STATE?", "must begin with AT, as `AT+STATE?` does, not 'STATE?'"),
        ("+++AT", "must begin with AT, as `AT+STATE?` does, not '+++AT'"),
        ("AT+STATE?\\nAT+RST", "must be one line without control characters, but has '\\n'"),
        ("AT+STATE?\\r", "must be one line without control characters, but has '\\r'"),
        ("AT+\\0", "must be one line without control characters, but has '\\x00'"),
        ("AT+EMETERC=AT+RST", "must be one command, but 'AT+EMETERC=AT+RST' holds another one behind its = or ?"),
        ("", "must have 2 to 127 bytes, not 0; UTF-8 counts in bytes"),
        ("AT+" + "X" * 125, "must have 2 to 127 bytes, not 128; UTF-8 counts in bytes"),
    ],
)
@pytest.mark.parametrize("form", ['"{}"', '{{command: "{}"}}', '{{command: "{}", force: true, id: evse}}'])
def test_a_raw_command_that_may_not_be_sent_is_refused_with_the_reason(form: str, command: str, expected: str) -> None:
    assert action_error(f"esp32evse.send_command: {form.format(command)}") == f"command {expected}."


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_restore_mode_is_said_to_do_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert nodes.errors(node(entity("switch", "enable", "restore_mode: ALWAYS_OFF"))) == []
    assert caplog.messages == ["enable: restore_mode ALWAYS_OFF has no effect, the node never writes by itself"]


def test_silence_about_no_restore_mode(caplog: pytest.LogCaptureFixture) -> None:
    assert nodes.errors(node(entity("switch", "enable", "restore_mode: DISABLED"))) == []
    assert caplog.messages == []


@pytest.mark.parametrize("options", ["[]", ""])
def test_a_select_without_options_is_shown_one(options: str) -> None:
    expected = "options must list at least one value, such as Etc/UTC."
    assert entity_error("select", "timezone", f"options: {options}") == expected


def test_an_option_that_is_too_long_is_refused() -> None:
    message = entity_error("select", "timezone", f"options: [Etc/UTC, {'x' * 32}]")
    assert message == "options must have 1 to 31 bytes, not 32; UTF-8 counts in bytes."


def test_set_time_without_a_clock_is_refused() -> None:
    expected = "Couldn't find any component that can be used for 'time::RealTimeClock'."
    assert action_error("esp32evse.set_time:").startswith(expected)


def test_a_clock_that_does_not_exist_is_named() -> None:
    assert hub_error("time_id: nobody").startswith("Couldn't find ID 'nobody'.")


def test_an_entity_without_name_and_id_is_shown_what_to_write() -> None:
    message = nodes.error(node("sensor: [{platform: esp32evse, uptime: {}}]"))
    assert message == "uptime: at least one of 'id:' or 'name:' is required, such as `name: Uptime`."


def test_entity_with_an_empty_name() -> None:
    message = nodes.error(node("sensor: [{platform: esp32evse, uptime: {name: }}]"))
    assert message == "uptime: at least one of 'id:' or 'name:' is required, such as `name: Uptime`."

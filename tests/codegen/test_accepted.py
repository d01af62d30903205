"""What working houses have in their YAML is accepted; what is unwise of it is warned of, by key and value."""

from __future__ import annotations

import logging

import pytest
from esphome.loader import get_component

from tests.codegen import nodes
from tests.codegen.nodes import ESP32, node, on_ready


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture):
    """`warnings(text)`: what is said of a configuration without errors."""

    def warnings_of(text: str) -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert nodes.errors(text) == []
        return [record.getMessage() for record in caplog.records if "esp32evse" in record.name]

    return warnings_of


# --- subscribe actions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", ["{}", "{{period: {}}}", "{{period: {}, esp32evse_id: evse}}", "{{period: {}, id: evse}}"]
)
@pytest.mark.parametrize("period", ["1000", "2000", "1s", "never", "0", "100ms", "42949671ms", "!lambda return 500;"])
def test_subscribe_takes_every_period_that_the_charger_keeps(warnings, form: str, period: str) -> None:
    assert warnings(node(hub=on_ready(f"esp32evse.emeter_power.subscribe: {form.format(period)}"))) == []


@pytest.mark.parametrize(
    ("period", "taken"), [("50ms", 100), ("50", 100), ("99ms", 100), ("24h", 42_949_671), ("42949672ms", 42_949_671)]
)
def test_periods_out_of_the_chargers_range(warnings, period: str, taken: int) -> None:
    expected = [f"period: {period} is out of the charger's range, taking {taken}ms"]
    text = node(hub=on_ready(f"esp32evse.emeter_power.subscribe: {period}"))
    assert warnings(text) == expected
    assert f"period: {taken}\n" in nodes.code(text).main


@pytest.mark.parametrize("action", ["unsubscribe_all", "force_update", "refresh", "enable", "restart", "set_time"])
@pytest.mark.parametrize("form", ["", "evse", "{id: evse}", "{esp32evse_id: evse}"])
def test_the_hub_of_an_action(warnings, action: str, form: str) -> None:
    clock = "time: [{platform: host}]"
    assert warnings(node(clock, hub=on_ready(f"esp32evse.{action}: {form}"))) == []


@pytest.mark.parametrize(
    "action", ["update: evse", "suspend: evse", "resume: evse", "resume: {id: evse, update_interval: 30s}"]
)
def test_esphomes_own_actions_take_the_hub(warnings, action: str) -> None:
    assert warnings(node(hub=on_ready(f"component.{action}"))) == []


def test_the_hub_of_an_action_twice() -> None:
    text = node(hub=on_ready("esp32evse.enable: {id: evse, esp32evse_id: evse}"))
    assert nodes.error(text) == "id and esp32evse_id both name the charger: leave one out."


# --- the UART ---------------------------------------------------------------------------------------------------------


def board(uart: str, others: str = "") -> str:
    return node(others, uart=uart, board=ESP32)


@pytest.mark.parametrize(
    ("key", "value", "usual"),
    [("baud_rate", 9600, "115200"), ("data_bits", 7, "8"), ("parity", "EVEN", "NONE"), ("stop_bits", 2, "1")],
)
def test_the_chargers_port_may_be_set_otherwise(warnings, key: str, value: object, usual: str) -> None:
    settings = {"id": "line", "tx_pin": "GPIO17", "rx_pin": "GPIO16", "baud_rate": 115200, key: value}
    uart = "uart: {" + ", ".join(f"{name}: {setting}" for name, setting in settings.items()) + "}"
    expected = f"uart 'line': {key} is {value}, but the charger's port comes with {usual}: set both to the same"
    assert warnings(board(uart)) == [expected]


WK2168 = """
i2c: {sda: GPIO21, scl: GPIO22}
wk2168_i2c:
  - id: bridge
    address: 0x10
    uart:
      - {id: line, channel: 0, baud_rate: 115200}
      - {id: other, channel: 1, baud_rate: 9600}
"""


def test_a_uart_of_a_wk2168_is_accepted(warnings) -> None:
    assert warnings(board(WK2168).replace("{id: evse}", "{id: evse, uart_id: line}")) == []


USB_UART = """
esp32: {variant: esp32s3, framework: {type: esp-idf}}
usb_uart:
  - type: CH340
    channels: [{id: line, baud_rate: 115200, stop_bits: 1}]
"""


def test_a_uart_over_usb_is_accepted(warnings) -> None:
    text = node(uart="", board=USB_UART).replace("{id: evse}", "{id: evse, uart_id: line}")
    assert warnings(text) == []


USB_CDC_ACM = """
esp32: {variant: esp32s3, framework: {type: esp-idf}}
tinyusb:
usb_cdc_acm:
  interfaces: [{id: line}]
"""


def test_uart_of_usb_cdc_acm(warnings) -> None:
    text = node(uart="", board=USB_CDC_ACM).replace("{id: evse}", "{id: evse, uart_id: line}")
    assert warnings(text) == []


@pytest.mark.skipif(get_component("tcp_uart") is None, reason="ESPHome has it since 2026.10")
def test_uart_over_a_network_has_no_speed(warnings) -> None:
    wifi = "wifi: {ssid: home, password: longenough}"
    text = board("tcp_uart: {id: line, host: 192.168.1.3, port: 4000}", wifi)
    assert warnings(text.replace("{id: evse}", "{id: evse, uart_id: line}")) == []


LINE = "uart: {id: line, tx_pin: GPIO17, rx_pin: GPIO16, baud_rate: 115200}"


@pytest.mark.parametrize(
    ("other", "user"),
    [
        ("modbus: {id: bus, uart_id: line}", "modbus 'bus'"),
        ("modbus: {uart_id: line}", "modbus"),
        ("sensor: [{platform: pmsx003, type: PMSX003, uart_id: line, pm_1_0: {name: Dust}}]", "sensor.pmsx003"),
        ("dfplayer: {uart_id: line}", "dfplayer"),
    ],
)
def test_second_user_of_the_uart(other: str, user: str) -> None:
    expected = f"uart_id: 'line' is used by {user}, too; every charger needs a uart of its own."
    assert expected in nodes.errors(board(LINE, other))


def test_second_user_of_a_uart_that_has_no_id() -> None:
    expected = "uart_id: the uart is used by dfplayer, too; every charger needs a uart of its own."
    assert nodes.error(board(LINE.replace("id: line, ", ""), "dfplayer:")) == expected


@pytest.mark.parametrize("written", ["{id: line, data: 'AT+RST'}", "'AT+RST'"])
def test_who_writes_to_the_line_himself_is_warned(warnings, written: str) -> None:
    text = f"""
button:
  - platform: template
    name: B
    on_press:
      - if: {{condition: [lambda: return true;], then: [uart.write: {written}]}}
"""
    expected = "uart.write: on 'line' it gets between the commands to the charger, use esp32evse.send_command instead"
    assert warnings(board(LINE, text)) == [expected]


def test_writing_to_another_uart_is_not_warned_of(warnings) -> None:
    uarts = LINE.replace("uart: {", "uart: [{") + ", {id: other, tx_pin: GPIO4, rx_pin: GPIO15, baud_rate: 9600}]"
    text = "interval: [{interval: 1s, then: [uart.write: {id: other, data: x}]}]"
    assert warnings(board(uarts, text).replace("{id: evse}", "{id: evse, uart_id: line}")) == []


def test_a_second_uart_for_another_component(warnings) -> None:
    uarts = LINE.replace("uart: {", "uart: [{") + ", {id: bus_line, tx_pin: GPIO4, rx_pin: GPIO5, baud_rate: 9600}]"
    text = board(uarts, "modbus: {uart_id: bus_line}").replace("{id: evse}", "{id: evse, uart_id: line}")
    assert warnings(text) == []


@pytest.mark.parametrize(
    ("chip", "tx", "is_console"),
    [
        (ESP32, 1, True),
        (ESP32, 17, False),
        ("esp32: {variant: esp32c3, framework: {type: esp-idf}}", 21, True),
        ("esp32: {variant: esp32c3, framework: {type: esp-idf}}", 1, False),
        ("esp32: {variant: esp32c5, framework: {type: esp-idf}}", 11, True),
        ("esp32: {variant: esp32c61, framework: {type: esp-idf}}", 11, True),
        ("esp32: {variant: esp32c2, framework: {type: esp-idf}}", 20, True),
        ("esp8266: {board: d1_mini}", 1, True),
    ],
)
def test_a_pin_of_the_boards_console_is_warned_of(warnings, chip: str, tx: int, is_console: bool) -> None:
    uart = f"uart: {{id: line, tx_pin: GPIO{tx}, rx_pin: GPIO5, baud_rate: 115200}}"
    text = "uart 'line': tx_pin is the board's console, whose boot messages reach the charger: take another"
    assert warnings(node(uart=uart, board=chip)) == ([text] if is_console else [])


@pytest.mark.parametrize(
    ("tx", "rx", "logger", "has_hardware"),
    [
        (15, 13, "", True),
        (15, 13, "logger: {baud_rate: 0}", True),
        (15, 13, "logger: {hardware_uart: UART1}", True),
        (15, 13, "logger:", False),
        (4, 5, "logger: {baud_rate: 0}", False),
    ],
)
def test_an_esp8266_has_one_uart(warnings, tx: int, rx: int, logger: str, has_hardware: bool) -> None:
    uart = f"uart: {{id: line, tx_pin: GPIO{tx}, rx_pin: GPIO{rx}, baud_rate: 115200}}"
    text = (
        "uart 'line': an ESP8266 loses bytes on these pins, it has hardware for tx_pin GPIO15 and rx_pin GPIO13 with "
        "`logger: baud_rate: 0`"
    )
    assert warnings(node(logger, uart=uart, board="esp8266: {board: d1_mini}")) == ([] if has_hardware else [text])


def test_a_debug_receiver_that_takes_the_answers_away(warnings) -> None:
    debug = LINE.replace("}", ", debug: {dummy_receiver: %s}}")
    expected = "uart 'line': debug: dummy_receiver must be false; it would take the charger's answers."
    assert nodes.error(board(debug % "true")) == expected
    assert warnings(board(debug % "false")) == []


@pytest.mark.parametrize("debug", ["true", "false"])
def test_the_debug_receiver_of_usb_uart(warnings, debug: str) -> None:
    """It has `debug` and `dummy_receiver` side by side."""
    usb = USB_UART.replace("stop_bits: 1", f"debug: {debug}, dummy_receiver: %s")
    text = node(uart="", board=usb).replace("{id: evse}", "{id: evse, uart_id: line}")
    expected = "uart 'line': dummy_receiver must be false; it would take the charger's answers."
    assert nodes.error(text % "true") == expected
    assert warnings(text % "false") == []


# --- entities ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "option", "value", "sent"),
    [
        ("charging_current", "min_value", "0", "6"),
        ("charging_current", "min_value", "5", "6"),
        ("charging_current", "max_value", "80", "63"),
        ("default_charging_current", "max_value", "100", "63"),
        ("maximum_charging_current", "min_value", "1", "6"),
        ("consumption_limit", "min_value", "-1", "0"),
        ("charging_time_limit", "min_value", "-1", "0"),
        ("under_power_limit", "max_value", "100", "65.535"),
        ("default_under_power_limit", "max_value", "100", "65.535"),
        ("consumption_limit", "max_value", "5000000", "4294967.295"),
    ],
)
def test_wider_ranges_than_the_chargers(warnings, key: str, option: str, value: str, sent: str) -> None:
    expected = f"{key}: {option} {value} is beyond what the charger takes, it will get {sent}"
    assert warnings(node(nodes.entity("number", key, f"{option}: {value}"))) == [expected]


@pytest.mark.parametrize("key", ["enable", "available", "request_authorization"])
def test_a_switch_may_be_inverted(warnings, key: str) -> None:
    assert warnings(node(nodes.entity("switch", key, "inverted: true"))) == []


def test_commands_that_the_broker_would_repeat_are_warned_of(warnings) -> None:
    """To restart the charger, for example, at every connection."""
    text = board(LINE, "wifi: {ssid: home}\nmqtt: {broker: home}\n" + nodes.entity("button", "restart", "%s"))
    text = text.replace("{id: evse}", "{id: evse, uart_id: line}")
    (warning,) = warnings(text % "command_retain: true")
    assert warning.startswith("restart: command_retain lets the broker repeat the last command at every connection")
    assert warnings(text % "command_retain: false") == []

"""What a gateway's configuration may say, and what is told about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from evse_host.bridge.gateway_config import (
    MAX_CHARGERS,
    ConfigError,
    ModbusConfig,
    full_address,
    parse_address,
)
from evse_host.bridge.gateway_file import load, parse

GOOD = """\
chargers:
  garage: {port: /dev/ttyUSB0}
  carport: {port: socket://192.168.1.31:2000, baud_rate: 9600}
bridges:
  - type: mqtt
    broker: mqtt://192.168.1.10
  - type: rest
  - type: modbus
    tcp: 127.0.0.1:5020
    units: {garage: 1}
"""
CHARGERS = "chargers:\n  garage: {port: /dev/ttyUSB0}\n  carport: {port: /dev/ttyUSB1}\n"
BRIDGES = "bridges: [{type: rest}]\n"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return caught.value.problems


def bridge(*lines: str) -> str:
    """A configuration whose line 5 is the first of ``lines``."""
    return CHARGERS + "bridges:\n" + "".join(f"  {'-' if at == 0 else ' '} {line}\n" for at, line in enumerate(lines))


def test_a_good_configuration_is_taken_as_written():
    config = parse(GOOD)
    assert config.chargers["garage"].baud_rate == 115200 and config.chargers["carport"].baud_rate == 9600
    mqtt, rest, modbus = config.bridges
    assert (mqtt.interval, mqtt.discovery, rest.listen) == (5.0, True, "127.0.0.1:8080")
    assert config.names_of(mqtt) == ["garage", "carport"] and config.names_of(modbus) == ["garage"]
    assert isinstance(modbus, ModbusConfig)


def test_a_number_is_a_name():
    assert list(parse(GOOD.replace("garage", "1")).chargers) == ["1", "carport"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "it has no `chargers:` and no `bridges:`"),
        ("- a\n", "it has no `chargers:` and no `bridges:`"),
        ("chargers: [\n", ":2: "),
        ("\tx: 1\n", ":1: found character '\\t' that cannot start any token"),
        (BRIDGES, "chargers: is missing"),
        ("chargers: {}\n" + BRIDGES, ":1: chargers: "),
        (CHARGERS, "bridges: is missing"),
        (CHARGERS + "bridges: []\n", ":4: bridges: must have one entry at least"),
        (CHARGERS + "bridges: rest\n", ":4: bridges: 'rest': must be a list: lines that begin with `- `"),
        (CHARGERS + "bridges: [rest]\n", "must be lines of names with their values, such as `type: rest`"),
        ("chargers:\n  a: x\n" + BRIDGES, "must be lines of names with their values, such as `port: /dev/ttyUSB0`"),
        (CHARGERS + BRIDGES + "charger: {}\n", ":5: charger: unknown; did you mean 'chargers'?"),
        (CHARGERS + "  garage: {port: /dev/ttyUSB2}\n" + BRIDGES, ":4: chargers.garage: is there twice"),
        ("chargers:\n  garage:\n    prot: x\n" + BRIDGES, ":3: chargers.garage.prot: unknown; did you mean 'port'?"),
        ("chargers:\n  garage:\n    prot: x\n" + BRIDGES, ":2: chargers.garage.port: is missing"),
        ("chargers:\n  a: {port: x, baud_rate: 9}\n" + BRIDGES, ":2: chargers.a.baud_rate: 9: must be greater than or"),
        ("chargers:\n  a: {port: x, baud_rate: no}\n" + BRIDGES, ":2: chargers.a.baud_rate: False: must be a valid"),
        ("chargers:\n  Car_port: {port: x}\n" + BRIDGES, ":2: chargers.Car_port: a charger's name is its identifier"),
        (CHARGERS.replace("USB1", "USB0") + BRIDGES,
         ":3: chargers.carport.port: port /dev/ttyUSB0 is used already, by chargers.garage.port"),
        (bridge("type: mqqt"),
         ":5: bridges.1.type: 'mqqt' is unknown; mqtt, thingsboard, rest, modbus, ocpp are allowed"),
        (bridge("broker: x"), ":5: bridges.1.type: is missing; mqtt, thingsboard, rest, modbus, ocpp are allowed"),
        (bridge("type: mqtt"), ":5: bridges.1.broker: is missing"),
        (bridge("type: mqtt", "broker: http://x"), ":6: bridges.1.broker: broker 'http://x': it must look like mqtt://"),
        (bridge("type: mqtt", "broker: mqtt://x", "interval: 0.5"), ":7: bridges.1.interval: 0.5: must be"),
        (bridge("type: mqtt", "broker: mqtt://x", "chargers: [shed]"),
         ":7: bridges.1.chargers.1: there is no charger 'shed'; garage, carport are there"),
        (bridge("type: mqtt", "broker: mqtt://x") + "  - {type: mqtt, broker: mqtt://x, chargers: [garage]}\n",
         ":7: bridges.2: the topics garage/# at mqtt://x is used already, by bridges.1"),
        (bridge("type: thingsboard", "broker: mqtt://x"), ":5: bridges.1.tokens: is missing"),
        (bridge("type: thingsboard", "broker: mqtt://x", "tokens: {garage: !file t}", "chargers: [carport]"),
         ":7: bridges.1.tokens: the access token of charger 'carport' is missing"),
        (bridge("type: rest", "listen: 8080x"), ":6: bridges.1.listen: '8080x': must be [HOST:]PORT, with a port"),
        (bridge("type: rest", "listen: 0.0.0.0:80"),
         ":5: bridges.1: 0.0.0.0:80: others than this computer are served only with user and password"),
        (bridge("type: mqtt", "broker: mqtt://x", "username: 12"), ":7: bridges.1.username: 12: must be text: put it"),
        (bridge("type: rest", "listen: 65536"), ":6: bridges.1.listen: '65536': must be [HOST:]PORT, with a port"),
        (bridge("type: rest", "energies: kWh"), ":6: bridges.1.energies: 'kWh': must be 'Wh' or 'Ws'"),
        (bridge("type: rest", "user: me"), ":5: bridges.1: user and password belong together"),
        (bridge("type: rest", "listen: 127.0.0.1:502") + "  - {type: modbus, tcp: '502', units: {garage: 1}}\n",
         ":7: bridges.2.tcp: the address 127.0.0.1:502 is used already, by bridges.1.listen"),
        (bridge("type: modbus", "units: {garage: 1}"), ":5: bridges.1: tcp or rtu: give one of them"),
        (bridge("type: modbus", "rtu: /dev/ttyUSB0", "units: {garage: 1}"),
         ":6: bridges.1.rtu: port /dev/ttyUSB0 is used already, by chargers.garage.port"),
        (bridge("type: modbus", "tcp: '502'", "units: {garage: 1, carport: 1}"),
         ":7: bridges.1.units: unit 1 is given to garage and carport"),
        (bridge("type: modbus", "tcp: '502'", "units: {garage: 248}"),
         ":7: bridges.1.units.garage: 248: must be less than or equal to 247"),
        (bridge("type: modbus", "tcp: '502'", "units: {shed: 1}"), ":7: bridges.1.units.shed: there is no charger"),
    ],
)  # fmt: skip
def test_a_wrong_one_is_told_with_line_key_value_and_what_is_allowed(text, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t").write_text("token\n")
    found = problems(text)
    assert any(f"config.yaml{expected}" in problem or expected in problem for problem in found), found
    assert not any("\n" in problem for problem in found)


@pytest.mark.parametrize(
    ("typed", "full"),
    [("8080", "127.0.0.1:8080"), ("0.0.0.0:1", "0.0.0.0:1"), ("[::1]:8080", "[::1]:8080"), ("me:0", "me:0")],
)
def test_an_address_is_told_with_its_host(typed, full):
    assert full_address(typed) == full


@pytest.mark.parametrize("port", ["8080", "'8080'", "localhost:8080"])
def test_a_port_alone_is_an_address_as_the_pages_say(port):
    rest, modbus = parse(
        bridge("type: rest", f"listen: {port}") + "  - {type: modbus, tcp: 502, units: {garage: 1}}\n"
    ).bridges
    assert parse_address(rest.listen) in (("127.0.0.1", 8080), ("localhost", 8080))
    assert parse_address(modbus.tcp) == ("127.0.0.1", 502)


def test_more_chargers_than_allowed_are_refused():
    many = "".join(f"  c{number}: {{port: /dev/x{number}}}\n" for number in range(MAX_CHARGERS + 1))
    assert "at most 50" in problems("chargers:\n" + many + BRIDGES)[0]


def test_everything_wrong_is_told_at_once():
    found = problems(bridge("type: mqtt", "brokr: mqtt://x") + "  - type: modbus\n")
    assert len(found) == 3
    with pytest.raises(ConfigError, match=r"\(and 2 more\)$"):
        parse(bridge("type: mqtt", "brokr: mqtt://x") + "  - type: modbus\n")


# --- secrets ----------------------------------------------------------------------------------------------------------

HIDDEN = "hunter2"


@pytest.mark.parametrize(
    "lines",
    [
        ("type: mqtt", "broker: mqtt://x", "username: me", f"password: {HIDDEN}"),
        ("type: mqtt", "broker: mqtt://x", "username: me", f"passwort: {HIDDEN}"),
        ("type: mqtt", f"broker: mqtt://me:{HIDDEN}@x"),
        ("type: thingsboard", "broker: mqtt://x", f"tokens: {HIDDEN}"),
        ("type: thingsboard", "broker: mqtt://x", f"tokens: {{garage: {HIDDEN}}}"),
        ("type: rest", "user: me", f"password: [{HIDDEN}]"),
        ("type: mqtt", f"broker: me:{HIDDEN}@x"),
        ("type: mqtt", f"broker: mqtt:/me:{HIDDEN}@x"),
        ("type: mqtt", f"broker: mqtt//me:{HIDDEN}@x"),
        ("type: mqtt", f"broker: tcp://me:{HIDDEN}@x"),
        ("type: mqtt", f"broker: mqtt://me:{HIDDEN}"),
        ("type: mqtt", f"broker: mqtt://x/me:{HIDDEN}"),
        ("type: mqtt", f"broker: mqtt://x?password={HIDDEN}"),
        ("type: mqtt", f"broker: mqtt://me%3A{HIDDEN}%40x"),
        ("type: mqtt", f"broker: mqtt://me%253A{HIDDEN}%2540x"),
        ("type: mqtt", f"broker: [mqtt://me:{HIDDEN}@x]"),
        ("type: mqtt", f"broker: {{mqtt://me:{HIDDEN}@x: 1}}"),
        ("type: mqtt", f"brokr: mqtt://me:{HIDDEN}@x"),
        ("type: mqtt", f"mqtt://me:{HIDDEN}@x: 1"),
        (f"type: mqtt://me:{HIDDEN}@x",),
        ("type: mqtt", "broker: mqtt://x", "username: me", f"password: *{HIDDEN}"),
        ("type: mqtt", "broker: mqtt://x", "username: me", f"password: !{HIDDEN} x"),
        ("type: mqtt", "broker: mqtt://x", "username: me", f"password: !env me:{HIDDEN}"),
        ("type: mqtt", "broker: mqtt://x", f"interval: mqtt://me:{HIDDEN}@x"),
        ("type: mqtt", "broker: mqtt://x", f"discovery: me:{HIDDEN}@x"),
        ("type: mqtt", "broker: mqtt://x", f"discovery_prefix: me:{HIDDEN}@x/"),
        ("type: mqtt", "broker: mqtt://x", f"chargers: [me:{HIDDEN}@x]"),
        ("type: rest", f"listen: me:{HIDDEN}@x"),
        ("type: rest", f"listen: http://me:{HIDDEN}@x:80"),
        ("type: modbus", f"tcp: me:{HIDDEN}@x", "units: {garage: 1}"),
        ("type: ocpp", f"url: ws://x?token={HIDDEN}"),
        ("type: ocpp", f"url: ws:/me:{HIDDEN}@x"),
        ("type: ocpp", "url: ws://x", f"ids: {{garage: 'me:{HIDDEN}'}}"),
        ("type: mqtt", "broker: mqtt://x", "username: me", f"password: !env {HIDDEN}"),
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_shown(lines):
    found = problems(bridge(*lines))
    assert all(HIDDEN not in problem for problem in found)
    if lines[-1].partition("password: ")[2].strip("[]") == HIDDEN:
        assert "must be `!env NAME` or `!file PATH`" in found[0]


def test_secrets_come_from_the_environment_or_a_file(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("abc\nrest\n")
    monkeypatch.setenv("MQTT_PASSWORD", HIDDEN)
    (tmp_path / "config.yaml").write_text(
        bridge("type: mqtt", "broker: mqtt://x", "username: me", "password: !env MQTT_PASSWORD")
        + "  - {type: thingsboard, broker: mqtt://y, tokens: {garage: !file token}}\n"
    )
    mqtt, thingsboard = load(tmp_path / "config.yaml").bridges
    assert mqtt.password.value == HIDDEN and thingsboard.tokens["garage"].value == "abc"
    assert HIDDEN not in repr(mqtt) and "abc" not in repr(thingsboard)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("password: !env NOT_THERE", ":8: the environment variable NOT_THERE is not set"),
        ("password: !file not-there", "there is no such file"),
        ("password: !file empty", "empty: its first line is empty"),
        ("password: !secret x", "could not determine a constructor for the tag '!secret'"),
    ],
)
def test_a_secret_that_cannot_be_had(line, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("empty").write_text("\n")
    assert expected in problems(bridge("type: mqtt", "broker: mqtt://x", "username: me", line))[0]


def test_a_file_that_cannot_be_read(tmp_path):
    for name, content, expected in (("no", None, "no such file"), ("bad", b"\xff\xfe", "not UTF-8")):
        if content:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=expected):
            load(tmp_path / name)

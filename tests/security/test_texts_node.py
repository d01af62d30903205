"""Every text of the table through every way into a real node: one well-formed command, or a refusal in the log."""

from __future__ import annotations

import re

import pytest

from evse_host import catalog
from evse_host.catalog import MAX_ARGUMENT_BYTES, MAX_STRING_BYTES
from evse_host.files.yaml_text import scalar
from tests.codegen import nodes
from tests.security.texts import NEVER_LINES, TEXTS, is_taken, wire

EVERY_TEXT = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
ENTITIES = {row.command: row.name for row in catalog.entities("text")}
NOT_EMPTY = 1
NAME = (NOT_EMPTY, 30)  # bytes of a name that every firmware keeps
REFUSED = "not sent: too few or too many bytes, or control characters"


class Attempt:
    """One text on its way: what the charger has received of it, and what the log says."""

    def __init__(self, node, charger) -> None:
        self.node, self.charger = node, charger
        self.start = len(node.log)
        self._settle()  # nothing of the attempt before is still repeated
        charger.call(lambda charger: charger.journal.clear())
        self.start = len(node.log)

    def _settle(self) -> None:
        """Whatever was asked before has been sent by now."""
        self.node.call_service("send_command", command="AT+VER?")
        self.node.wait_for_log("on_command_result OK", start=self.start)

    def is_taken(self, command: str, line: str) -> None:
        """``line`` was received, whole, alone and once, and read back."""
        self.charger.wait_for(lambda charger: charger.journal.writes(command))
        self.charger.wait_for(lambda charger: f"AT+{command}?" in _after(charger.journal.commands, line))
        self.only_whole_commands()
        assert self.writes() == [line]

    def is_refused(self, pattern: str) -> None:
        """The log says why, and nothing of it was received."""
        self.node.wait_for_log(pattern, start=self.start)
        self._settle()
        self.only_whole_commands()
        assert self.writes() == []

    def writes(self) -> list[str]:
        """Without the clock's, which the node keeps set."""
        writes = self.charger.call(lambda charger: charger.journal.writes())
        return [write for write in writes if not write.startswith("AT+TIME=")]

    def only_whole_commands(self) -> None:
        entries, violations = self.charger.call(lambda charger: (charger.journal.entries, charger.journal.violations))
        assert [entry.line for entry in entries if entry.command is None] == []
        assert violations == []
        assert not {"AT+RST", "AT+AUTH", "ATE1"} & {entry.command for entry in entries}


def _after(commands: list[str], line: str) -> list[str]:
    return commands[commands.index(line) + 1 :] if line in commands else []


@pytest.fixture
def attempt(node, charger) -> Attempt:
    return Attempt(node, charger)


#: What is asked for where a test does not say otherwise.
ADDRESSES = {"ip": "10.0.0.9", "gateway": "10.0.0.1", "netmask": "255.255.255.0", "dns": "10.0.0.2"}


# --- through the API --------------------------------------------------------------------------------------------------


def test_every_text_entity_is_tried() -> None:
    assert set(ENTITIES) == {"HOSTNAME", "INSTNAME"}


@EVERY_TEXT
@pytest.mark.parametrize("command", ENTITIES)
def test_a_hostile_text_in_a_text_entity_is_taken_whole_or_refused(node, attempt, command: str, text: str) -> None:
    node.command(ENTITIES[command], text)
    if is_taken(text, *NAME):
        attempt.is_taken(command, f"AT+{command}={wire(text)}")
    else:
        attempt.is_refused(rf"{command} {REFUSED}|'{ENTITIES[command]}' - Value set for TextCall is too")


@EVERY_TEXT
def test_a_hostile_network_name_is_taken_whole_or_refused(node, attempt, text: str) -> None:
    node.call_service("set_wifi_network", ssid=text)
    if is_taken(text, *NAME):
        attempt.is_taken("WIFISTACFG", f"AT+WIFISTACFG=1,{wire(text)}")
    else:
        attempt.is_refused(f"WIFISTACFG {REFUSED}")


@EVERY_TEXT
def test_a_hostile_password_is_taken_whole_or_refused(node, attempt, text: str) -> None:
    node.call_service("set_wifi_station", ssid="home", password=text)
    if is_taken(text):
        attempt.is_taken("WIFISTACFG", f'AT+WIFISTACFG=1,"home",{wire(text)}')
    else:
        attempt.is_refused(f"WIFISTACFG {REFUSED}")


@pytest.mark.parametrize("text", ["30 bytes", "30 quotes", "30 backslashes", "closes the string"])
def test_both_together_never_exceed_a_line(node, attempt, text: str) -> None:
    argument = f"1,{wire(TEXTS[text])},{wire(TEXTS[text])}"
    node.call_service("set_wifi_station", ssid=TEXTS[text], password=TEXTS[text])
    if len(argument) <= MAX_ARGUMENT_BYTES:
        attempt.is_taken("WIFISTACFG", f"AT+WIFISTACFG={argument}")
    else:
        attempt.is_refused(f"WIFISTACFG {REFUSED}")


@EVERY_TEXT
@pytest.mark.parametrize("field", ["ip", "dns"])
def test_a_text_that_is_no_address_is_refused(node, attempt, field: str, text: str) -> None:
    """None of these texts is an address; only the name server may be left out."""
    values = ADDRESSES | {field: text}
    node.call_service("set_address", **values)
    if field == "dns" and text == "":
        attempt.is_taken("WIFISTASTATIC", f"AT+WIFISTASTATIC=1,{_wires(ADDRESSES).rpartition(',')[0]}")
    else:
        attempt.is_refused("WIFISTASTATIC not sent: an address is not IPv4, such as")


@pytest.mark.parametrize("address", ["10.0.0", "010.0.0.1", "0x0a.0.0.1", "10.0.0.256", "10.0.0.1 ", "::1"])
@pytest.mark.parametrize("field", ["ip", "gateway", "netmask", "dns"])
def test_what_is_almost_an_address(node, attempt, field: str, address: str) -> None:
    """The charger would take some of these for another address."""
    node.call_service("set_address", **ADDRESSES | {field: address})
    attempt.is_refused("WIFISTASTATIC not sent: an address is not IPv4, such as")


def test_whole_addresses_are_sent_as_they_are(node, attempt) -> None:
    node.call_service("set_address", **ADDRESSES)
    attempt.is_taken("WIFISTASTATIC", f"AT+WIFISTASTATIC=1,{_wires(ADDRESSES)}")


def _wires(addresses: dict[str, str]) -> str:
    return ",".join(map(wire, addresses.values()))


@pytest.mark.parametrize("action", ["send_command", "force_command"])
@pytest.mark.parametrize("line", NEVER_LINES.values(), ids=NEVER_LINES.keys())
def test_raw_command_that_is_not_one(node, attempt, action: str, line: str) -> None:
    node.call_service(action, command=line)
    attempt.is_refused("Command not sent: ")


@EVERY_TEXT
def test_raw_command_around_a_text(node, attempt, text: str) -> None:
    line = f"AT+INSTNAME={wire(text)}"
    node.call_service("send_command", command=line)
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in text) or len(line.encode()) > 127:
        attempt.is_refused("Command not sent: ")
        return
    node.wait_for_log("on_command_result", start=attempt.start)
    assert attempt.writes() == [line]
    attempt.only_whole_commands()


# --- from YAML --------------------------------------------------------------------------------------------------------


def test_a_text_from_yaml_arrives_as_it_is(node, attempt) -> None:
    node.call_service("set_known_wifi")
    attempt.is_taken("WIFISTACFG", 'AT+WIFISTACFG=1,"from \\"YAML\\" \\\\ ü","yaml\\"pass\\\\word"')


@EVERY_TEXT
@pytest.mark.parametrize("key", ["ssid", "password"])
def test_a_text_in_yaml_is_taken_or_refused_by_its_key(key: str, text: str) -> None:
    values = {"ssid": "home", "password": "plain"} | {key: text}
    action = "esp32evse.set_wifi_station:\n    " + "\n    ".join(f"{k}: {scalar(v)}" for k, v in values.items())
    errors = nodes.errors(nodes.node(hub=nodes.on_ready(action)))
    least, most = NAME if key == "ssid" else (0, MAX_STRING_BYTES)
    if is_taken(text, least, most):
        assert errors == []
        return
    (message,) = errors
    assert re.match(rf"{key} must (have {least} to {most} bytes|be one line without control characters)", message)
    assert len(text) < 8 or text not in message


@pytest.mark.parametrize("line", NEVER_LINES.values(), ids=NEVER_LINES.keys())
def test_a_raw_command_in_yaml_is_one_line(line: str) -> None:
    errors = nodes.errors(nodes.node(hub=nodes.on_ready(f"esp32evse.send_command: {scalar(line)}")))
    assert len(errors) == 1 and errors[0].startswith("command must ")

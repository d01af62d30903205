"""A Wi-Fi password in a node that logs all it can: nothing of the component shows it at any level, and ESPHome itself
only in its dumps of API messages, which exist at VERY_VERBOSE alone."""

from __future__ import annotations

import re
from unittest import mock

import pytest
from aioesphomeapi import LogLevel

from tests.security.lines import SECRET

YAML_SECRET = 'yaml"pass\\word'
WISH_ENDS_S = 60.0
_HEADER = re.compile(r"\[[\d:.]+\]\[(\w+)\]\[([\w.]+):\d+\]")


def entries(log: list[str]) -> list[tuple[str, str, str]]:
    """(level, tag, text) of each entry; a dump has many lines."""
    found: list[tuple[str, str, str]] = []
    for line in log:
        header = _HEADER.match(line)
        if header:
            found.append((header[1], header[2], line))
        elif found:
            level, tag, text = found[-1]
            found[-1] = (level, tag, f"{text}\n{line}")
    return found


def showing(log: list[str]) -> list[tuple[str, str]]:
    """Level and tag of each entry with a password in it."""
    return [(level, tag) for level, tag, text in entries(log) if SECRET in text or YAML_SECRET in text]


@pytest.fixture(scope="module")
def told(node, charger) -> list[str]:
    """Everything that a client of the API is told as log, while a password goes every way there is."""
    lines: list[str] = []
    node.stream_log(LogLevel.LOG_LEVEL_VERY_VERBOSE, lines.append)
    start = len(node.log)

    def wait_for_written(count: int) -> None:
        charger.wait_for(lambda charger: _secret_writes(charger) >= count)
        charger.wait_for(lambda charger: charger.journal.commands[-1] != charger.journal.writes()[-1])

    node.call_service("set_wifi_station", ssid="home", password=SECRET)
    wait_for_written(1)
    node.call_service("switch_wifi_station", ssid="home", password=SECRET, enabled=False)
    wait_for_written(2)
    node.call_service("send_command", command=f'AT+WIFISTACFG=1,"home","{SECRET}"')
    wait_for_written(3)
    node.call_service("send_command", command=f'AT+WIFISTCFG=1,"home","{SECRET}"')
    node.wait_for_log("on_command_result ERROR", start=start)
    node.call_service("send_command", command=f'AT+WIFISTACFG=1,"home","{SECRET}"\nAT')
    node.wait_for_log("Command not sent: ", start=start)
    node.call_service("set_wifi_station", ssid="home", password=SECRET * 2)
    node.wait_for_log("WIFISTACFG not sent", start=start)
    node.call_service("set_known_wifi")
    charger.wait_for(lambda charger: charger.value("WIFISTACFG")[1].startswith("from"))
    node.command("Wi-Fi station", False)
    node.wait_for("Wi-Fi station", False)
    _through_trouble(node, charger, start, wait_for_written)
    node.call_service("conditions")  # the last thing to be logged
    node.wait_for_log("conditions done", start=start)
    node.wait_until(lambda: any("conditions done" in line for line in lines))
    return lines


def _secret_writes(charger) -> int:
    return sum(SECRET in line for line in charger.journal.writes("WIFISTACFG"))


def _through_trouble(node, charger, start: int, wait_for_written) -> None:
    """Done but answered ERROR, refused, unanswered, echoed, cut by a restart, and put back by keep_settings."""
    written = charger.call(_secret_writes)
    charger.inject(lambda faults: faults.double_error("WIFISTACFG", 4))
    node.call_service("set_wifi_station", ssid="doubted", password=SECRET)
    wait_for_written(written + 1)
    charger.wait_for(lambda charger: charger.value("WIFISTACFG")[1] == "doubted")
    charger.inject(lambda faults: faults.calm())
    asked = len(node.log)
    with mock.patch.object(charger.charger.device, "write", lambda *_: False):
        node.call_service("set_wifi_station", ssid="refused", password=SECRET)
        node.wait_for_log("did not take WIFISTACFG", WISH_ENDS_S, asked)
    written = charger.call(_secret_writes)
    charger.inject(lambda faults: faults.missing_answer("WIFISTACFG"))
    node.call_service("set_wifi_station", ssid="silent", password=SECRET)
    wait_for_written(written + 1)
    charger.wait_for(lambda charger: charger.value("WIFISTACFG")[1] == "silent")
    charger.inject(lambda faults: (faults.calm(), faults.echo_on()))
    written = charger.call(_secret_writes)
    node.call_service("set_wifi_station", ssid="echoed", password=SECRET)
    wait_for_written(written + 1)
    written = charger.call(_secret_writes)
    node.call_service("set_wifi_station", ssid="restart", password=SECRET)
    wait_for_written(written + 1)
    charger.inject(lambda faults: faults.reboot())
    node.wait_for_log("on_ready", start=start)
    charger.wait_for(lambda charger: charger.value("WIFISTACFG")[1] == "restart")


def test_the_password_has_gone_every_way_into_the_node(charger, told) -> None:
    assert charger.call(_secret_writes) >= 7
    assert any("[VV]" in line for line in told)


def test_no_log_shows_it_at_verbose(node, told) -> None:
    assert [place for place in showing(node.log) if place[0] != "VV"] == []


def test_nor_the_log_that_the_api_streams(told) -> None:
    assert [place for place in showing(_plain(told)) if place[0] != "VV"] == []


def test_at_very_verbose_only_esphome_dumps_it(node, told) -> None:
    """So that the sentence about it in docs/security.md stays true."""
    places = set(showing(node.log))
    assert places and all(level == "VV" and tag.startswith("api") for level, tag in places)


def test_the_component_names_what_it_refuses(node, told) -> None:
    text = "\n".join(node.log)
    assert "WIFISTACFG not sent: too few or too many bytes, or control characters" in text
    assert "Charger did not take WIFISTACFG" in text


def _plain(lines: list[str]) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", part) for line in lines for part in line.split("\n")]

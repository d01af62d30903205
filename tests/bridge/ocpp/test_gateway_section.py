"""The gateway's `ocpp` section: what is wrong is told with its line, key, value and what is allowed."""

from __future__ import annotations

import pytest

from evse_host.bridge.gateway_config import ConfigError
from evse_host.bridge.gateway_file import parse
from evse_host.bridge.ocpp.bridge import journal_file
from evse_host.bridge.ocpp.target import Target

CHARGERS = "chargers:\n  garage: {port: a}\n  carport: {port: b}\nbridges:\n"


def bridge(text: str) -> str:
    return CHARGERS + f"  - {{type: ocpp, {text}}}\n"


@pytest.mark.parametrize(("text", "problem"), [
    ("url: http://x", "bridges.1: url 'http://x': it must look like wss://"),
    ("ids: {garage: A}", "bridges.1.url: is missing"),
    ("url: ws://x, ids: {attic: A}", "bridges.1.ids.attic: there is no charger 'attic'"),
    ("url: ws://x, ids: {garage: A, carport: A}", "the charge point A at ws://x is used already"),
    ("url: ws://x, password: hunter2", "must be `!env NAME` or `!file PATH`"),
    ("url: ws://x, passwords: {garage: hunter2}", "must be `!env NAME` or `!file PATH`"),
    ("url: ws://x, version: '3'", "bridges.1.version"),
    ("url: ws://x, ca_file: x", "wss:// only"),
    ("url: wss://x, cert_file: x", "belong together"),
    ("url: ws://x, phases: 4", "bridges.1.phases: 4"),
    ("url: ws://x, tagg: A", "bridges.1.tagg: unknown; did you mean 'tag'?"),
])  # fmt: skip
def test_a_wrong_section_is_told(text, problem):
    with pytest.raises(ConfigError) as error:
        parse(bridge(text))
    told = "\n".join(error.value.problems)
    assert problem in told and "hunter2" not in told


def test_the_same_id_at_two_central_systems_has_two_journals(tmp_path):
    parse(bridge("url: ws://x, chargers: [garage]") + "  - {type: ocpp, url: 'ws://y', chargers: [garage]}\n")
    files = [journal_file(tmp_path, Target.parse(url, "garage")) for url in ("ws://x", "ws://y", "wss://x", "ws://x/a")]
    assert files[0] == files[2] and len(set(files)) == 3

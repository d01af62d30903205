"""Every line of shell in the bridges' pages runs as it stands, in a fresh environment.

Those of docs/host-tool.md run in tests/host/cli/test_docs.py, those of the README on a fresh Debian in
`python -m tools first-hour`, which also installs by pipx what the pages here install by pip.
"""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from evse_host.simulator import Car, Charger, PtyServer
from tests.bridge.mqtt_support import Mosquitto, needs_mosquitto
from tests.bridge.ocpp.central import Central
from tests.examples import configs
from tests.support.installed import WITHOUT_NETWORK, install
from tools.docs.host_pages import commands, normal, shell
from tools.run.host_node import free_port

PAGES = sorted((configs.ROOT / "docs/bridges").glob("*.md"))
CONSOLE = re.compile(r"^( *)```console\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
#: What a command that serves says when it does, by what is in its line.
SAYS = {
    " serve": "online: firmware",
    "modbus --tcp": "Modbus TCP on",
    "modbus --rtu": "Modbus RTU on",
    " bridge mqtt": "connected to",
    " bridge thingsboard": "connected to",
    " bridge ocpp": "connected to central system",
    "evse-host gateway config.yaml": "connected to",
}
#: Ends what served before, which must be a tidy end, begins another, and waits until it serves, or has failed.
SERVE = """
{end}
{line} > {log} 2>&1 & job=$!
grep -q '{says}' <(tail -n +1 -F --pid=$! {log} 2>/dev/null) || {{ cat {log}; exit 1; }}; cat {log}
"""
END = '[ -z "$job" ] || { kill -TERM $job; wait $job || exit 1; }'


def blocks(page: Path) -> list[str]:
    return [textwrap.dedent(match[0]) for match in CONSOLE.finditer(page.read_text(encoding="utf-8"))]


EVERY_BLOCK = [
    pytest.param(page, index, id=f"{page.stem}-{index}") for page in PAGES for index in range(len(blocks(page)))
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program of a fresh environment."""
    folder = tmp_path_factory.mktemp("pages")
    install(folder)
    return folder


@pytest.fixture
def world(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What stands for the addresses in the pages: two chargers, a broker, a central system, free ports."""
    far_end, bus = os.openpty()
    with (
        os.fdopen(far_end),
        os.fdopen(bus),
        PtyServer(Charger(car=Car(plugged=True)), tmp_path / "charger") as charger,
        PtyServer(Charger(), tmp_path / "other") as other,
        Mosquitto(tmp_path) as broker,
        Central() as central,
    ):
        charger.wait_for(lambda charger: charger.point.state == "C2")
        web = f"127.0.0.1:{free_port()}"
        yield {
            r"/dev/ttyUSB0|/dev/serial/by-id/\S+": charger.path,
            r"socket://[\d.:]+": other.path,
            r"/dev/ttyUSB1": os.ttyname(bus),
            r"mqtts?://[\w.:]+": broker.uri,
            r"wss?://[\w.:]+(/ocpp)?": central.url,
            r"[\d.]+:8080": web,
            r" serve$": f" serve --listen {web}",
            r" serve (?=--silent)": f" serve --listen {web} ",
            r"127\.0\.0\.1:502\b": f"127.0.0.1:{free_port()}",
            r"^( *- type: rest)$": rf"\1\n    listen: {web}",
            r"pipx install --force '\.(\[\w+\])'.*": rf"pip install {' '.join(WITHOUT_NETWORK)} '{configs.ROOT}\1'",
            r"nano (\S+)": r"echo secret > \1",
        }


def here(text: str, world: dict[str, str]) -> str:
    for pattern, stands_for in world.items():
        text = re.sub(pattern, stands_for, text, flags=re.MULTILINE)
    return text


def script(block: str, world: dict[str, str]) -> str:
    lines = commands(block)
    if "curl" in block and " serve" not in block:  # the page has said before how to serve
        lines.insert(0, "evse-host --port /dev/ttyUSB0 serve")
    return "\n".join(["set -e", *(played(line, here(line, world)) for line in lines), END])


def played(line: str, line_here: str) -> str:
    for part, says in SAYS.items():
        if part in line and "--check" not in line:
            return SERVE.format(end=END, line=line_here, log=f"{part.split()[-1].strip('-')}.log", says=says)
    return line_here


@needs_mosquitto
@pytest.mark.parametrize(("page", "index"), EVERY_BLOCK)
def test_lines_run_as_they_stand(page: Path, index: int, place: Path, world: dict[str, str], tmp_path: Path) -> None:
    block = blocks(page)[index]
    for configuration in re.findall(
        r"^```yaml\n(# config\.yaml\n.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
    ):
        (tmp_path / "config.yaml").write_text(here(configuration, world), encoding="utf-8")
    if "curl" in block and not shutil.which("curl"):
        pytest.skip("needs curl: apt-get install curl")
    environment = {"PATH": f"{place}/venv/bin:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    status, output = shell(script(block, world), tmp_path, environment, 60)
    assert status == 0, output
    for shown in printed(block):
        assert re.search(shown, normal(output)), f"{shown!r} is not in\n{output}"


def printed(block: str) -> list[str]:
    """What the page shows beneath the commands, as patterns; `...` is anything, times and addresses are the world's."""
    lines = [line for line in block.splitlines()[1:-1] if line and not line.startswith("$ ")]
    lines = [re.sub(r"\w+://[\w.:]+|^[\d-]+ [\d:,]+ ", "...", line) for line in lines]
    return [".*".join(re.escape(part) for part in normal(line).split("...")) for line in lines]

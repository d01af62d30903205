"""The decoders for LoRaWAN, and a converter as a Dragino RS485-LN with the settings of the example."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "example_configs" / "lorawan"
SETTINGS = FOLDER / "rs485-ln.txt"
DECODER = FOLDER / "the-things-network.js"
VECTORS = json.loads((Path(__file__).parent / "lorawan_vectors.json").read_text(encoding="utf-8"))

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js: apt-get install nodejs")

# The decoder runs alone, as it does in a network server: no modules, no console.
_RUNNER = """
const fs = require("fs"), vm = require("vm");
const alone = vm.createContext({});
vm.runInContext(fs.readFileSync(process.argv[1], "utf8"), alone);
const payloads = JSON.parse(fs.readFileSync(0, "utf8"));
console.log(JSON.stringify(payloads.map((bytes) => alone.decodeUplink({bytes: bytes, fPort: 2}))));
"""


def decode_in_javascript(payloads: Sequence[bytes]) -> list[dict]:
    asked = json.dumps([list(payload) for payload in payloads])
    command = ["node", "-e", _RUNNER, str(DECODER)]
    ran = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(ran.stdout)


@dataclass(frozen=True)
class Poll:
    """``request`` without its checksum; ``length`` of the answer; ``cuts`` from and to, counted from 1."""

    request: bytes
    length: int
    cuts: tuple[tuple[int, int], ...]

    def cut(self, answer: bytes) -> bytes:
        return b"".join(answer[first - 1 : last] for first, last in self.cuts)


@dataclass(frozen=True)
class Converter:
    """What the settings file makes of an RS485-LN."""

    version: int
    polls: tuple[Poll, ...]

    def uplink(self, ask: Callable[[bytes, int], bytes]) -> bytes:
        """``ask(request with checksum, length of the answer)`` is the RS-485 side."""
        cuts = [poll.cut(ask(poll.request + crc(poll.request), poll.length)) for poll in self.polls]
        return bytes([self.version]) + b"".join(cuts)


def converter() -> Converter:
    settings = dict(_settings())
    polls = []
    for number in range(1, 16):
        if f"COMMAND{number:X}" in settings:
            request, adds_crc = settings[f"COMMAND{number:X}"].split(",")
            length, by_section, sections = settings[f"DATACUT{number:X}"].split(",")
            assert (adds_crc, by_section) == ("1", "2")
            cuts = re.findall(r"(\d+)~(\d+)", sections)
            polls.append(Poll(bytes.fromhex(request), int(length), tuple((int(a), int(b)) for a, b in cuts)))
    return Converter(int(settings["PAYVER"]), tuple(polls))


def _settings() -> Iterator[tuple[str, str]]:
    for line in SETTINGS.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, _, value = line.removeprefix("AT+").partition("=")
            yield name, value


def crc(data: bytes) -> bytes:
    """Modbus's checksum as the standard describes it, bit by bit."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value.to_bytes(2, "little")

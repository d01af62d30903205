"""The installed command `evse-host` against simulated chargers on pseudo terminals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from evse_host.simulator import PtyServer

COMMAND = Path(sys.executable).with_name("evse-host")
TIMEOUT_S = 60


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """Without what the person who runs the tests may have set."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("EVSE_")}
    return clean | {"PYTHONUTF8": "1", "COLUMNS": "100"} | more


def run(*arguments: str, **options) -> Ran:
    """Runs `evse-host` to its end; never a traceback."""
    options.setdefault("env", environment())
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, **options)
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def start(*arguments: str, stdout=subprocess.PIPE) -> subprocess.Popen:
    """Starts `evse-host` with its outputs in pipes; use it in a ``with``."""
    return subprocess.Popen([COMMAND, *arguments], stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment())


@pytest.fixture
def charger(start_charger) -> PtyServer:
    return start_charger()


@pytest.fixture
def evse_host(charger: PtyServer) -> Callable[..., Ran]:
    """``evse_host("get", "CHCUR")`` on the fixture ``charger``."""
    return lambda *arguments: run("--port", charger.path, *arguments)

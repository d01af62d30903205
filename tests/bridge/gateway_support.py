"""`evse-host gateway` as a process, with simulated chargers and whatever it serves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from evse_host.simulator import PtyServer
from tools.build.node import MORTAL

from .support import wait_until

END_S = 40.0


class GatewayProcess:
    """A context manager; it is ended with SIGTERM. ``config`` is its file: JSON is YAML, and `"!file x"` a tag."""

    def __init__(self, folder: Path, chargers: Mapping[str, PtyServer | str], bridges: Sequence[dict]) -> None:
        ports = {name: getattr(charger, "path", charger) for name, charger in chargers.items()}
        self.config = folder / "config.yaml"
        config = {"chargers": {name: {"port": port} for name, port in ports.items()}, "bridges": bridges}
        self.config.write_text(re.sub(r'"(!\w+ [^"]*)"', r"\1", json.dumps(config)))
        self._log = folder / "gateway.log"

    def __enter__(self) -> GatewayProcess:
        self._file = self._log.open("w")
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
        self.process = subprocess.Popen(
            [*MORTAL, sys.executable, "-m", "evse_host.cli", "gateway", str(self.config)],
            stdout=subprocess.PIPE, stderr=self._file, env=environment,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end()
        self.process.stdout.close()
        self._file.close()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit code."""
        self.process.send_signal(number)
        try:
            return self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # it says where it is
            self.process.wait()
            raise AssertionError(f"it does not end:\n{self.log}") from None

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_log(self, text: str, times: int = 1) -> None:
        def said() -> bool:
            assert self.process.poll() is None, self.log
            return self.log.count(text) >= times

        wait_until(said, f"{text!r} in the log")

"""Firefox as Mozilla ships it, driven by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), its own language.

Playwright drives a Firefox of its own making only.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support import programs

from .support import wait_until

ANSWER_S = 60
READY = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
#: Firefox says it of every page that is left while it listens.
LEFT = re.compile(r"/events was interrupted while the page was loading")


class Firefox:
    """One window. Addresses may hold user and password."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self.errors: list[str] = []  # of scripts, and what the security policy has refused
        self.command("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": False}})
        self.command("session.subscribe", events=["log.entryAdded"])
        self._window = self.command("browsingContext.getTree")["contexts"][0]["context"]

    def command(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self._socket.recv(ANSWER_S))).get("id") != number:
            self._note(answer)
        assert answer["type"] == "success", f"{method}: {answer.get('message')}"
        return answer["result"]

    def _note(self, event: dict[str, Any]) -> None:
        entry = event.get("params", {})
        text = str(entry.get("text"))
        if event.get("method") == "log.entryAdded" and entry.get("level") == "error" and not LEFT.search(text):
            self.errors.append(text)

    def go(self, url: str) -> None:
        self.command("browsingContext.navigate", context=self._window, url=url, wait="complete")

    def get(self, expression: str) -> Any:
        """Its value: a text, a number, true or false."""
        target = {"context": self._window}
        answer = self.command("script.evaluate", expression=expression, target=target, awaitPromise=True)
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        wait_until(lambda: self.get(expression) is True, expression, ANSWER_S)

    def wait_text(self, id_: str, wanted: str) -> None:
        self.wait(f"document.getElementById({id_!r}).textContent.includes({wanted!r})")

    def text(self, id_: str) -> str:
        return str(self.get(f"document.getElementById({id_!r}).innerText"))

    def click(self, id_: str) -> None:
        """As a hand does it: in the middle of the element, when it takes a press."""
        self.wait(
            f"(() => {{ const e = document.getElementById({id_!r}); "
            "return !e.disabled && !e.hidden && !e.getAttribute('aria-disabled'); })()"
        )
        x, y = json.loads(
            self.get(f"""(() => {{
          const element = document.getElementById({id_!r});
          element.scrollIntoView({{block: "center"}});
          const box = element.getBoundingClientRect();
          return JSON.stringify([Math.round(box.left + box.width / 2), Math.round(box.top + box.height / 2)]);
        }})()""")
        )
        self._perform("pointer", [{"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0},
                                  {"type": "pointerUp", "button": 0}])  # fmt: skip

    def type(self, keys: str) -> None:
        self._perform("key", [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")])

    def _perform(self, kind: str, actions: list[dict[str, Any]]) -> None:
        self.command("input.performActions", context=self._window,
                     actions=[{"type": kind, "id": kind, "actions": actions}])  # fmt: skip


@contextmanager
def firefox(folder: Path, **preferences: int | str | bool) -> Iterator[Firefox]:
    """``folder`` is for its profile. Skips where there is no Firefox: it is not among the packages of `make test`."""
    program = programs.find("firefox-esr", "firefox")
    if program is None:
        pytest.skip("needs Firefox: apt-get install firefox-esr")
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()]
    (folder / "user.js").write_text("\n".join(lines))
    log = folder / "firefox.log"
    command = [program, "--headless", "--remote-debugging-port", "0", "--profile", str(folder), "--no-remote"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={"HOME": str(folder), "LANG": "C.UTF-8"})
    try:
        ready = wait_until(lambda: READY.search(log.read_text(errors="replace")), "Firefox is there", ANSWER_S)
        with connect(f"{ready[1]}/session", max_size=None) as socket:
            yield Firefox(socket)
    finally:
        process.terminate()
        process.wait(ANSWER_S)

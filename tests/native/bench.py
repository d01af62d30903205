"""A client beside a reference charger, on a good line unless a test spoils it; times are ms since its start."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from components.esp32evse.catalog import COMMAND
from tests.native.harness import Client, Event, Program, escape
from tests.native.reference_charger import ReferenceCharger

ONLINE_MS = 1500
READ_ONLY = ("SUB", "UNSUB")


class Bench:
    """The client loops every ms and gets each byte when the charger sends it, except while the loop is blocked."""

    def __init__(
        self,
        program: Program,
        rows: Iterable[str],
        *settings: str,
        push: int = 250,
        missing: Iterable[str] = (),
        run: int = ONLINE_MS,
        **values: int | str | list,
    ) -> None:
        self.charger = ReferenceCharger(random.Random(1), frozenset(missing))
        for name, value in {"ENABLE": 1, "CHCUR": 320, "DEFCHCUR": 320, "MAXCHCUR": 32, **values}.items():
            self.charger.set(name, value if isinstance(value, list) else [value])
        self.client = Client(program, ["UPTIME", *rows], push=push)
        self.events: list[Event] = []
        self.sent: list[tuple[int, str]] = []
        self.spoil: Callable[[bytes], bytes] = lambda data: data
        for setting in settings:
            self.client.ask(setting)
        self._handle(self.client.start())
        self.run(run)

    def run(self, duration: int) -> None:
        end = self.client.now + duration
        while self.client.now < end:
            self._handle(self.client.run_to_transmission(min(end, self.charger.next_event() + 1)))
            if data := self.spoil(self.charger.advance(self.client.now)):
                self._handle(self.client.receive(data))

    def block(self, duration: int, buffer: int = 1_000_000) -> None:
        """The main loop stands still; of what the charger sends meanwhile `buffer` bytes wait in the UART."""
        end, waiting = self.client.now + duration, b""
        while self.charger.now < end:
            waiting += self.charger.advance(min(end, self.charger.next_event() + 1))
        self.client.ask(f"block {end}")
        self.client.ask(f"wait {escape(waiting[:buffer])}")

    def ask(self, request: str) -> None:
        self._handle(self.client.ask(request))

    def hear(self, line: str) -> None:
        """A line that the charger has not sent."""
        self._handle(self.client.receive(f"\n{line}\n".encode()))

    def power_off(self, duration: int) -> None:
        self.charger.restart()
        self.charger.booted_at = self.client.now + duration
        self.run(duration)

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if event.transmitted is None:
                self.events.append(event)
                continue
            self.charger.advance_clock(event.time)
            self.sent.append((event.time, event.transmitted.decode().removesuffix("\n")))
            self.charger.receive(event.transmitted)

    # --- what has happened --------------------------------------------------------------------------------------------

    def forget(self) -> None:
        self.events.clear()
        self.sent.clear()

    @property
    def writes(self) -> list[str]:
        """Without `AT+`; what is run, too."""
        commands = [text[3:] for _, text in self.sent if text.startswith("AT+") and not text.endswith("?")]
        return [text for text in commands if text.partition("=")[0] not in READ_ONLY]

    def times(self, command: str) -> list[int]:
        return [time for time, text in self.sent if text == command]

    def count(self, prefix: str) -> int:
        return sum(text.startswith(prefix) for _, text in self.sent)

    @property
    def ends(self) -> list[str]:
        """`CHCUR held` ..."""
        return [event.text[4:] for event in self.events if event.text.startswith("end ")]

    def shown(self, name: str) -> list[str]:
        """All that the client has told of a value, in turn."""
        return [event.text.split(" ", 2)[2] for event in self.events if event.text.startswith(f"values {name} ")]

    def told(self, what: str) -> list[str]:
        return [event.text for event in self.events if event.text.startswith(what)]

    def held(self, name: str) -> int | str:
        return self.charger.values[name][COMMAND[name].field_index("value") if name == "TZ" else 0]

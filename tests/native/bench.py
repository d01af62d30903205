"""A client beside the simulated charger, on a good line unless a test spoils it; times are ms since its start."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from components.esp32evse.catalog import COMMAND
from evse_host.simulator import Charger, Faults
from evse_host.simulator.charger import BOOT_S
from evse_host.simulator.parser import Request
from tests.native.harness import Client, Event, Program, escape

ONLINE_MS = 1500
LIVE = ("ENABLE", "CHCUR")
OLDER = "v2.1.1"  # a firmware without TZ, TZRULE, and DNS in WIFISTASTATIC
READ_ONLY = ("SUB", "UNSUB")


class Bench:
    """The client loops every ms and gets each byte when the charger sends it, except while the loop is blocked.

    ``clock`` is what its millisecond counter begins with.
    """

    def __init__(
        self,
        program: Program,
        rows: Iterable[str],
        *settings: str,
        push: int = 250,
        firmware: str = "head",
        run: int = ONLINE_MS,
        clock: int = 0,
        **values: int | str,
    ) -> None:
        self.charger = Charger(firmware)
        self.faults = Faults(self.charger)
        for name, value in values.items():
            self.set(name, value)
        self.client = Client(program, ["UPTIME", *rows], push=push)
        self.events: list[Event] = []
        self.sent: list[tuple[int, str]] = []
        self.spoil: Callable[[bytes], bytes] = lambda data: data
        for setting in settings:
            self.client.ask(setting)
        self._handle(self.client.start(clock))
        self.run(run)

    def run(self, duration: int) -> None:
        end = self.client.now + duration
        while self.client.now < end:
            self._handle(self.client.run_to_transmission(min(end, self._next_event())))
            if data := self.spoil(self.faults.advance(self.client.now / 1000)):
                self._handle(self.client.receive(data))

    def _next_event(self) -> int:
        moment = self.faults.next_event(self.client.now / 1000)
        return self.client.now + 100 if moment is None else max(int(moment * 1000) + 1, self.client.now + 1)

    def block(self, duration: int, buffer: int = 1_000_000) -> None:
        """The main loop stands still; of what the charger sends meanwhile `buffer` bytes wait in the UART."""
        end = self.client.now + duration
        waiting = self.faults.advance(end / 1000)
        self.client.ask(f"block {end}")
        self.client.ask(f"wait {escape(waiting[:buffer])}")

    def ask(self, request: str) -> None:
        self._handle(self.client.ask(request))

    def hear(self, line: str) -> None:
        """A line that the charger has not sent."""
        self._handle(self.client.receive(f"\n{line}\n".encode()))

    def set(self, name: str, value: int | str) -> None:
        """Somebody else changes a setting, or a value becomes another."""
        change = self.charger.set if "W" in COMMAND[name].access else self.charger.override
        change(name, value)

    def restart(self) -> None:
        self.charger.reboot(self.client.now / 1000)

    def power_off(self, duration: int) -> None:
        """RDY comes after ``duration``, which is at least as long as a boot."""
        self.charger.power_off(self.client.now / 1000)
        self.run(duration - round(BOOT_S * 1000))
        self.charger.power_on(self.client.now / 1000)
        self.run(round(BOOT_S * 1000))

    def refuse_subscriptions(self) -> None:
        """From now on, each is answered ERROR."""

        def answer(request: Request, data: bytes, delay: float) -> tuple[bytes, float]:
            if request.name != "+SUB":
                return data, delay
            self.charger.subscriptions.clear()
            return b"\nERROR\n", delay

        self.charger.answer_hook = answer

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if event.transmitted is None:
                self.events.append(event)
                continue
            self.sent.append((event.time, event.transmitted.decode().removesuffix("\n")))
            self.faults.receive(event.transmitted, event.time / 1000)

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
        return self.charger.value(name)[0]


def paused(program: Program) -> Bench:
    bench = Bench(program, LIVE, "keep_settings")
    bench.ask("write ENABLE 0")
    bench.ask("write CHCUR 100")
    bench.run(500)
    assert bench.ends == ["ENABLE held", "CHCUR held"]
    bench.forget()
    return bench


def assert_put_back(bench: Bench) -> None:
    assert not bench.charger.journal.violations
    assert bench.held("ENABLE") == 0 and bench.held("CHCUR") == 100

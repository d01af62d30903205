"""A client and a reference charger on a bad line, driven by dice, and what must hold whatever happens.

All times are milliseconds since the client's start. An AssertionError tells the last events.
"""

from __future__ import annotations

import random
import re
from collections import Counter, deque

from components.esp32evse.catalog import COMMAND, COMMANDS, MAX_SUBSCRIBE_PERIOD_MS, WRITE_HOLDOFF_MS
from tests.native.harness import Client, Event, Program, escape
from tests.native.reference_charger import Faults, ReferenceCharger, fits, parse

WRITE_ENDS_MS = 33_000
RUN_WAITS_MS = 5200
RUN_ENDS_MS = 28_000  # in flight, waiting and in flight again
RECOVERY_MS = 10_000
POLL_MS = 5000
CAREFUL_MS = 61_000  # changed values are read twice for so long after damage

HARMLESS = [name for name, command in COMMAND.items() if "R" in command.access and not name.startswith("SERIAL")]
ESSENTIAL = {"UPTIME", "VER"}
WRITABLE = [name for name in HARMLESS if "W" in COMMAND[name].access]
NUMBERS = [name for name in WRITABLE if COMMAND[name].fields[0].type != "str"]
TEXTS = [name for name in WRITABLE if COMMAND[name].fields[-1].type == "str" and COMMAND[name].fields[-1].access != "R"]
RUNS = ["AUTH", "RST", "WIFIAPSCAN"]
BARRIER = (b"~\n", b"AT+VER?\n")
VALUE_LINE = rb"\+[A-Z0-9]+=[^\x00-\x1f\x7f]*"
RAW = ["at", "at+state?", "at+chcur?", "at+nothing", "ate1"]  # in small letters, unlike all that the client makes


class Scenario:
    def __init__(self, program: Program, seed: int) -> None:
        self.dice = dice = random.Random(seed)
        chosen = dice.sample(HARMLESS, dice.randrange(1, 25)) + dice.sample(RUNS, dice.randrange(4))
        self.rows = ["UPTIME", *(c.name for c in COMMANDS if c.name in chosen and c.name != "UPTIME")]
        lacking = {name for name in HARMLESS if dice.random() < 0.05} - ESSENTIAL
        self.charger = ReferenceCharger(dice, frozenset(lacking))
        self.client = Client(program, self.rows, push=dice.choice((0, 250, 1000)), poll=POLL_MS)
        self.log: deque[str] = deque(maxlen=60)
        self.online = False
        self.shown: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {}
        self.read_since_start: set[str] = set()
        self.unsupported: set[str] = set()
        self.writes: dict[str, tuple[int, list, int]] = {}  # time of the newest request, fields, how many are provable
        self.runs: dict[str, list[int]] = {name: [] for name in RUNS}  # times of the requests
        self.running: dict[str, int] = {}  # how many of them the command in flight serves
        self.raws: deque[bytes] = deque()  # not yet sent
        self.raws_pending = 0
        self.counters: Counter[str] = Counter()
        self.sent = 0
        self._outstanding, self._last_sent = False, b""
        self._ready_seen = -WRITE_HOLDOFF_MS
        self._line = b""
        self._handle(self.client.start(dice.choice((0, 5, 2**32 - 20_000, 2**31 - 7000, dice.randrange(2**32)))))

    # --- time ---------------------------------------------------------------------------------------------------------

    def run(self, duration: int) -> None:
        end = self.client.now + duration
        while self.client.now < end:
            self._handle(self.client.run_to_transmission(min(end, self.charger.next_event() + 1)))
            self._deliver(self.charger.advance(self.client.now))
        self._check_requests()

    def _deliver(self, data: bytes) -> None:
        while data:
            size = self.dice.choice((len(data), 1 + self.dice.randrange(len(data))))
            piece, data = data[:size], data[size:]
            self.log.append(f"{self.client.now:8} < {escape(piece)}")
            results = self._note_lines(piece)
            before = self._last_sent
            self._handle(self.client.receive(piece))
            # A damaged line may have been the barrier's answer, and in one piece the barrier may have been sent before.
            if self._last_sent in BARRIER and results > (before not in BARRIER):
                self._outstanding = False

    def _note_lines(self, data: bytes) -> int:
        """Of what the client is about to learn: how many lines are not values."""
        results = 0
        *lines, self._line = re.split(rb"[\n\r]", self._line + data)
        for line in lines:
            text = line.lstrip(b"\0")
            if text == b"RDY":
                self._ready_seen = self.client.now
            if text in (b"OK", b"ERROR", b"RDY"):
                self._outstanding = False
            results += bool(text) and not re.fullmatch(VALUE_LINE, text)
        return results

    # --- what the client does -----------------------------------------------------------------------------------------

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            self.log.append(f"{event.time:8} {event.text}")
            if event.transmitted:
                self.charger.advance_clock(event.time)
                self._on_transmission(event.transmitted, event.time)
            else:
                word, _, rest = event.text.partition(" ")
                getattr(self, f"_on_{word}", lambda *_: None)(rest)

    def _on_transmission(self, data: bytes, time: int) -> None:
        self.sent += 1
        assert time - self._ready_seen >= WRITE_HOLDOFF_MS, self.story(f"sent {time - self._ready_seen} ms after RDY")
        if data != b"~\n":
            assert not self._outstanding, self.story("two commands in flight")
            self._check_command(data, time)
        self._outstanding, self._last_sent = True, data
        self.charger.receive(data)
        assert not self.charger.crashes, self.story(f"the charger has crashed: {self.charger.crashes}")

    def _check_command(self, data: bytes, time: int) -> None:
        if data[:-1] in self.raws:
            while self.raws.popleft() != data[:-1]:
                pass  # given up
            return
        if data in (b"ATE0\n", b'AT+UNSUB=""\n'):
            return
        match = re.fullmatch(rb"AT\+([A-Z0-9]+)(?:(\?)|=(.{1,127}))?\n", data)
        assert match and match[1].decode() in COMMAND, self.story(f"not a command: {data!r}")
        command = COMMAND[match[1].decode()]
        if match[2]:
            assert "R" in command.access and (command.name in self.rows or command.name == "VER"), self.story("read")
        elif match[3] is None:
            self._check_run(command.name, time)
        elif command.name in ("SUB", "UNSUB"):
            self._check_subscription(match[3])
        else:
            self._check_write(command.name, match[3])

    def _check_run(self, name: str, time: int) -> None:
        asked = name in RUNS and self.runs[name] and name not in self.running
        assert asked, self.story(f"{name} was not asked for, or is repeated")
        behind = 10_000 if COMMAND[name].lines else 1000  # the same command may have been in flight
        assert time - self.runs[name][-1] <= RUN_WAITS_MS + behind, self.story(f"{name} is sent too late")
        self.running[name] = len(self.runs[name])

    def _check_subscription(self, argument: bytes) -> None:
        name, *period = parse(argument)
        command = COMMAND[name[1:]]
        assert name[0] == "+" and command.name in self.rows, self.story("subscription of something else")
        assert command.subscribable and not command.lines, self.story("a subscription that hangs the charger")
        assert not period or 100 <= period[0] <= MAX_SUBSCRIBE_PERIOD_MS, self.story("period")

    def _check_write(self, name: str, argument: bytes) -> None:
        assert name in self.writes, self.story(f"nobody has asked to write {name}")
        command, fields = COMMAND[name], parse(argument)
        assert fields and all(map(fits, command.fields, fields)), self.story(f"malformed {argument!r}")
        if name != "TIME":
            newest = self.argument(self.writes[name][1])
            shorter = self.argument(self.writes[name][1][:-1])  # for a firmware that knows fewer fields
            assert argument.decode() in (newest, shorter), self.story("not the newest wish")

    def _on_values(self, rest: str) -> None:
        name, _, text = rest.partition(" ")
        self.read_since_start.add(name)
        self.unsupported.discard(name)
        if COMMAND[name].lines:
            self.lists.setdefault(name, []).append(text)
        else:
            self.shown[name] = text

    def _on_lines_end(self, rest: str) -> None:
        name, result = rest.split()
        lines = " ".join(self.lists.pop(name, []))
        if result == "ok":
            self.shown[name] = lines

    def _on_lacking(self, name: str) -> None:
        known = name in self.read_since_start and not COMMAND[name].lines
        assert name in self.charger.missing or not known, self.story(f"{name} is there, it was read before")
        self.unsupported.add(name)

    def _on_end(self, rest: str) -> None:
        name, result = rest.split()
        if name in RUNS:
            assert self.runs[name], self.story("nobody waits for this")
            del self.runs[name][: self.running.pop(name, len(self.runs[name]))]
            return
        assert name in self.writes, self.story("nobody waits for this")
        time, fields, provable = self.writes.pop(name)
        if result == "held" and name not in ("TIME", "EMETERTOTCONSUM"):
            assert self.charger.held(name, fields[:provable], time), self.story(f"{name} was never {fields}")

    def _on_raw_result(self, _: str) -> None:
        assert self.raws_pending, self.story("nobody waits for this")
        self.raws_pending -= 1

    def _on_restart(self, _: str) -> None:
        self.read_since_start.clear()
        self.unsupported.clear()

    def _on_online(self, _: str) -> None:
        assert not self.online, self.story("online twice")
        self.online = True

    def _on_offline(self, _: str) -> None:
        self.online = False

    def _check_requests(self) -> None:
        for name, (time, *_) in self.writes.items():
            assert self.client.now - time <= WRITE_ENDS_MS, self.story(f"the write of {name} has no end")
        for name, times in self.runs.items():
            assert not times or self.client.now - times[-1] <= RUN_ENDS_MS, self.story(f"{name} has no end")
        counters = Counter(self.client.counters())
        assert all(counters[name] >= count for name, count in self.counters.items()), self.story("a counter fell")
        self.counters = counters

    # --- what happens -------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One random thing, then some time."""
        actions = {
            self.write_number: 6, self.write_text: 3, self.run_command: 2, self.send_raw: 1, self.subscribe: 2,
            self.unsubscribe_all: 0.1, self.refresh: 1, self.charging: 1, self.change_at_charger: 4,
            self.restart_charger: 0.7, self.noise: 2, self.worsen: 2, self.heal: 2,
        }  # fmt: skip
        (action,) = self.dice.choices(list(actions), list(actions.values()))
        self.log.append(f"{self.client.now:8} * {action.__name__}")
        action()
        self.run(self.dice.choice((1, 3, 10, 50, 200, 1000, 3000)) + self.dice.randrange(20))

    def _ask(self, request: str) -> None:
        self.log.append(f"{self.client.now:8} ! {request}")
        self._handle(self.client.ask(request))

    def _one_of(self, names: list[str]) -> str | None:
        """A row of the client's; often one that is pending."""
        present = [name for name in names if name in self.rows]
        pending = [name for name in present if name in self.writes and self.dice.random() < 0.3]
        return self.dice.choice(pending or present) if present else None

    def write_number(self) -> None:
        if name := self._one_of(NUMBERS):
            low, high = COMMAND[name].fields[0].range
            current = self.charger.value(name)[0]
            value = self.dice.choice((low, min(high, 2**32 - 1), self.dice.randint(low, min(high, 2**31)), current))
            if name == "TIME":
                value = self.dice.randrange(1_700_000_000, 1_900_000_000)
            if value < 2**32:
                _, fields, provable = self.writes.get(name, (0, [value], 1))
                self._wish(name, [value, *fields[1:]], provable, f"write {name} {value}")

    def write_text(self) -> None:
        if (name := self._one_of(TEXTS)) is None:
            return
        values, words, fields = [], [], COMMAND[name].fields
        provable = len([item for item in fields if item.access != "W"])
        for item in fields[: self.dice.choice((len(fields), provable))]:
            texts = ("", "b", 'q"\\', "Köln", "y" * 31)
            value = self.dice.choice(texts) if item.type == "str" else self.dice.randrange(2)
            values.append(value)
            words.append(str(value) if isinstance(value, int) else '"' + escape(value.encode()))
        if provable < len(words):
            words.insert(provable, "/")
        _, before, _ = self.writes.get(name, (0, [], 0))
        merged = [*values, *before[len(values) :]]
        self._wish(name, merged, min(provable, len(merged)), f"text {name} {' '.join(words)}")

    def _wish(self, name: str, fields: list, provable: int, request: str) -> None:
        before = self.writes.get(name)
        self.writes[name] = (self.client.now, fields, provable)
        self.log.append(f"{self.client.now:8} ! {request}")
        events = self.client.ask(request)
        if events and events[0].text.startswith("no room"):
            self.writes.pop(name)
            if before:
                self.writes[name] = before
        else:
            self._handle(events)

    def argument(self, fields: list) -> str:
        return ",".join(str(value) if isinstance(value, int) else self._quote(value) for value in fields)

    @staticmethod
    def _quote(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def run_command(self) -> None:
        if name := self._one_of(RUNS):
            self.runs[name].append(self.client.now)
            self._ask(f"run {name}")

    def send_raw(self) -> None:
        command = self.dice.choice(RAW)
        self.log.append(f"{self.client.now:8} ! raw {command}")
        events = self.client.ask(f"raw {command}")
        if not events:
            self.raws.append(command.encode())
            self.raws_pending += 1

    def subscribe(self) -> None:
        self._ask(f"subscribe {self.dice.choice(self.rows)} {self.dice.choice((0, 100, 1000, 5000))}")

    def unsubscribe_all(self) -> None:
        self._ask("unsubscribe_all")

    def refresh(self) -> None:
        self._ask("refresh")

    def charging(self) -> None:
        self._ask(f"charging {self.dice.randrange(2)}")

    def change_at_charger(self) -> None:
        names = [n for n in self.rows if n in self.charger.history and n not in ("UPTIME", "TIME")]
        if names := [name for name in names if COMMAND[name].refresh != "once"]:
            name = self.dice.choice(names)
            self.charger.set(name, self.charger.first_value(COMMAND[name]))

    def restart_charger(self) -> None:
        self.charger.restart()
        self._outstanding = False

    def noise(self) -> None:
        line = self.dice.choice((b"", b"+STATE=", b"\xff" * 200, b"OK", b"RDY", b"AT", bytes(range(1, 10))))
        self._deliver(b"\n" + self.charger.spoil(line + b"x") + b"\n")

    def worsen(self) -> None:
        rate = self.dice.choice((0.05, 0.3, 1.0))
        kinds = self.dice.sample(list(Faults.__dataclass_fields__), self.dice.randrange(1, 4))
        self.charger.faults = Faults(**dict.fromkeys(kinds, rate))

    def heal(self) -> None:
        self.charger.faults = Faults()

    # --- the end ------------------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """A good line and a charger that runs: soon everything that is shown is true."""
        self.heal()
        while not self.charger.is_up or any(self.runs.values()) or self.raws_pending:
            self.run(100)
        self.run(RECOVERY_MS)
        assert self.online, self.story("not online")
        for name in self.rows:
            if name in HARMLESS and name not in self.charger.missing | self.unsupported | set(self.writes):
                self._check_shown(name)

    def _check_shown(self, name: str) -> None:
        shown = self.shown.get(name, "nothing")
        if name in ("UPTIME", "TIME"):
            (true,) = self.charger.value(name)
            assert true - 2 - POLL_MS / 1000 <= int(shown) <= true, self.story(f"{name} is {true}, shown is {shown}")
            return
        values = self.charger.values[name] if COMMAND[name].lines else [self.charger.value(name)]
        true = " ".join(",".join(map(_show, value)) for value in values)
        assert shown == true, self.story(f"{name} is {true}, shown is {shown}")

    def check_calm(self) -> None:
        """Nothing happens: the client polls and is quiet else. And a write succeeds at once."""
        self.run(CAREFUL_MS)
        before = self.sent
        self.run(10_000)
        assert self.sent - before <= 2.5 * len(self.rows) + 12, self.story(f"{self.sent - before} lines in ten seconds")
        if "CHCUR" in self.rows and "CHCUR" not in self.charger.missing | self.unsupported and not self.writes:
            self.charger.set("MAXCHCUR", [63])
            self._wish("CHCUR", [77], 1, "write CHCUR 77")
            self.run(3000)
            assert self.charger.values["CHCUR"] == [77] and self.shown["CHCUR"] == "77", self.story("write")

    def story(self, what: str) -> str:
        return what + "\n" + "\n".join(self.log)


def _show(value: int | str) -> str:
    """A field as the program shows it."""
    return f'"{escape(value.encode())}"' if isinstance(value, str) else str(value)

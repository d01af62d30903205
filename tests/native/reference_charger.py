"""A small charger that answers as its AT protocol says, over a bad line; time is handed in, in ms.

It knows commands, values, subscriptions and restarts, not charging. What is damaged on the way from the charger to the
client is damaged recognisably, because the protocol has no checksum: a lost digit would be another value.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from components.esp32evse.catalog import COMMAND, COMMANDS, Command

BOOT_MS = 2000  # from the last sign of life to RDY
CORE_MS = 60  # from RDY to where a write does not crash it
RESTART_DELAY_MS = 5000  # from AT+RST's OK to the boot
LIVE_DEFAULTS = {"ENABLE": [1], "AVAILABLE": [1], "CONSUMLIM": [0], "CHTIMELIM": [0], "UNDERPOWERLIM": [0]}
FORGOTTEN_INPUT = 400  # bytes that it keeps while it is busy


@dataclass
class Faults:
    """Probabilities for each message: 0 is a perfect line."""

    lose_byte: float = 0.0  # of a command, one
    change_byte: float = 0.0
    add_byte: float = 0.0
    lose_answer: float = 0.0  # the whole answer
    lose_line: float = 0.0  # one line of it
    spoil_line: float = 0.0  # noise in one line
    late: float = 0.0  # answers everything up to 3 s later
    lose_ready: float = 0.0


@dataclass
class ReferenceCharger:
    dice: random.Random
    missing: frozenset[str] = frozenset()  # commands that this firmware lacks
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        self.now = 0
        self.booted_at = -3_600_000
        self.ready_at: int | None = -3_600_000  # None: booting
        self.values = {command.name: self.first_value(command) for command in COMMANDS if "R" in command.access}
        self.history: dict[str, list[tuple[int, list]]] = {
            name: [(0, value)] for name, value in self.values.items() if not COMMAND[name].lines
        }
        self.subscriptions: dict[str, tuple[int, int]] = {}  # period, next push
        self.crashes: list[str] = []
        self._input = b""
        self._busy_until = 0
        self._restart_at: int | None = None
        self._output: list[tuple[int, bytes]] = []
        self._echo = False
        self._listed = False  # the present answer is a list, whose lines would be lost without a trace

    def first_value(self, command: Command) -> list:
        if command.lines:
            return [[self._field(item) for item in command.fields] for _ in range(self.dice.randrange(4))]
        return [self._field(item) for item in command.fields if not item.since_head]

    def _field(self, item) -> int | str:
        if item.type == "str":
            return "" if item.access == "W" else self.dice.choice(("a", 'Zoë, "it"', "back\\slash", "x" * 31))
        low, high = item.range
        return self.dice.choice((low, high, self.dice.randint(low, high)))

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_event(self) -> int:
        """When `advance` has something to do."""
        times = [time for time, _ in self._output[:1]]
        if self.ready_at is None:
            times.append(self.booted_at)
        elif b"\n" in self._input or b"\r" in self._input:
            times.append(self._busy_until)
        if self._restart_at is not None:
            times.append(self._restart_at)
        times += [max(due, self._busy_until) for _, due in self.subscriptions.values()]
        return max(self.now, min(times, default=self.now + 1_000_000))

    def advance(self, now: int) -> bytes:
        """Goes on to `now`; what the client receives then."""
        self.now = now
        if self._restart_at is not None and now >= self._restart_at:
            self.restart()
        if self.ready_at is None and now >= self.booted_at:
            self._ready()
        if self.ready_at is not None and now >= self._busy_until:
            self._execute_input()
            self._push()
        sent = b"".join(data for time, data in self._output if time <= now)
        self._output = [(time, data) for time, data in self._output if time > now]
        return sent

    def advance_clock(self, now: int) -> None:
        """It is `now`; nothing happens yet."""
        self.now = max(self.now, now)

    def restart(self) -> None:
        """Power is gone now; RDY comes after the boot."""
        self._restart_at = None
        self.booted_at = self.now + BOOT_MS
        self.ready_at = None
        self.subscriptions.clear()
        self._echo = False
        self._input = b""
        self._output.clear()

    def _ready(self) -> None:
        self.ready_at = self._busy_until = self.now
        for name, value in LIVE_DEFAULTS.items():
            self.set(name, value)
        self.set("CHCUR", self.values["DEFCHCUR"])
        if self.dice.random() >= self.faults.lose_ready:
            self._output.append((self.now, b"\n\nRDY\n\0"))

    @property
    def is_up(self) -> bool:
        return self.ready_at is not None and self._restart_at is None

    # --- values -------------------------------------------------------------------------------------------------------

    def set(self, name: str, value: list) -> None:
        self.values[name] = value
        self.history[name].append((self.now, value))

    def held(self, name: str, value: list, since: int) -> bool:
        """Whether the charger has held this value at any time from `since` on."""
        entries = self.history[name]
        ends = [time for time, _ in entries[1:]] + [self.now + 1]
        return any(entry[1][: len(value)] == value and end >= since for entry, end in zip(entries, ends, strict=True))

    def value(self, name: str) -> list:
        if name == "UPTIME":
            return [(self.now - self.booted_at) // 1000]
        if name == "TIME":
            return [self.values["TIME"][0] % 2_000_000_000 + self.now // 1000]
        return self.values[name]

    def _line(self, name: str, value: list) -> bytes:
        fields = (f'"{_escape(item)}"' if isinstance(item, str) else str(item) for item in value)
        return f"+{COMMAND[name].answer_name}={','.join(fields)}".encode()

    # --- commands -----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        if self.ready_at is None:
            return  # lost in the boot
        faults, dice = self.faults, self.dice
        damaged = bytearray(data)
        if dice.random() < faults.lose_byte:
            del damaged[dice.randrange(len(damaged))]
        if damaged and dice.random() < faults.change_byte:
            damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
        if dice.random() < faults.add_byte:
            damaged.insert(dice.randrange(len(damaged) + 1), dice.randrange(256))
        if self._echo:
            self._output.append((self.now, bytes(damaged)))
        if dice.random() < faults.late:
            self._busy_until = max(self._busy_until, self.now + dice.randrange(3000))
        self._busy_until = max(self._busy_until, self.now + dice.randrange(1, 12))
        self._input = (self._input + damaged)[:FORGOTTEN_INPUT]

    def _execute_input(self) -> None:
        while (end := min((self._input.find(byte) for byte in b"\n\r" if byte in self._input), default=-1)) >= 0:
            line, self._input = self._input[:end], self._input[end + 1 :]
            if line:
                self._answer(*self._execute(line))
        if len(self._input) > FORGOTTEN_INPUT // 2:
            self._input = b"spoiled"  # an over-long line: one ERROR at its end

    def _answer(self, lines: Iterable[bytes], result: bytes) -> None:
        faults, dice = self.faults, self.dice
        if dice.random() < faults.lose_answer:
            return
        sent = [*lines, result]
        if dice.random() < faults.lose_line:
            del sent[-1 if self._listed else dice.randrange(len(sent))]
        if sent and dice.random() < faults.spoil_line:
            index = dice.randrange(len(sent))
            sent[index] = self.spoil(sent[index])
        self._output.append((self.now, b"".join(b"\n" + line + b"\n" for line in sent)))

    def spoil(self, line: bytes) -> bytes:
        """Noise that nobody can take for a value: a control byte somewhere in the line."""
        position = self.dice.randrange(1, len(line) + 1)
        noise = self.dice.choice((b"\0", b"\x01", b"\x7f", b"\x1b[A"))
        return line[:position] + noise + line[position:]

    def _execute(self, line: bytes) -> tuple[list[bytes], bytes]:
        self._listed = False
        text = line.decode("latin-1").upper()
        if text in ("ATE0", "ATE1"):
            self._echo = text == "ATE1"
            return [], b"OK"
        if text == "AT":
            return [], b"OK"
        if not text.startswith("AT+"):
            return [], b"ERROR"
        typed, form, argument = _split(line[3:])
        name = self._resolve(typed.upper())
        if name is None:
            return [], b"ERROR\n\nERROR" if form == "=" and self._is_ambiguous(typed) else b"ERROR"
        self._listed = COMMAND[name].lines
        if form == "?":
            return self._read(name)
        return [], self._run(name) if not form else self._write(name, argument)

    def _matches(self, typed: str) -> list[str]:
        names = [command.name for command in COMMANDS if command.name not in self.missing]
        return [typed] if typed in names else [name for name in names if typed and name.startswith(typed)]

    def _resolve(self, typed: str) -> str | None:
        matches = self._matches(typed)
        return matches[0] if len(matches) == 1 else None

    def _is_ambiguous(self, typed: str) -> bool:
        return len(self._matches(typed.upper())) > 1

    def _read(self, name: str) -> tuple[list[bytes], bytes]:
        if "R" not in COMMAND[name].access or name in self.missing:
            return [], b"ERROR"
        values = self.values[name] if COMMAND[name].lines else [self.value(name)]
        return [self._line(name, value) for value in values], b"OK"

    def _run(self, name: str) -> bytes:
        if name == "RST":
            self._restart_at = self.now + RESTART_DELAY_MS
        if name == "WIFIAPSCAN":
            self._busy_until = self.now + 2000
        return b"OK" if "X" in COMMAND[name].access else b"ERROR"

    def _write(self, name: str, argument: bytes) -> bytes:
        fields = parse(argument)
        if fields is None or "W" not in COMMAND[name].access:
            return b"ERROR"
        if name in ("SUB", "UNSUB"):
            return self._subscribe(name, fields)
        if self.now - self.ready_at < CORE_MS:
            self.crashes.append(f"{name} written {self.now - self.ready_at} ms after RDY")
        command = COMMAND[name]
        if len(fields) > len(command.fields) or not all(map(fits, command.fields, fields)):
            return b"ERROR"
        if name == "CHCUR" and fields[0] > self.values["MAXCHCUR"][0] * 10:
            return b"ERROR"
        if name == "TIME":
            fields = [fields[0] - self.now // 1000]
        shown = ["" if item.access == "W" else value for item, value in zip(command.fields, fields, strict=False)]
        self.set(name, shown + self.values[name][len(shown) :])
        return b"OK"

    # --- subscriptions ------------------------------------------------------------------------------------------------

    def _subscribe(self, form: str, fields: list) -> bytes:
        name = str(fields[0])[1:]
        if form == "UNSUB" and fields == [""]:
            self.subscriptions.clear()
            return b"OK"
        if str(fields[0])[:1] != "+" or name not in self.values or name in self.missing:
            return b"ERROR"
        self.subscriptions.pop(name, None)
        if form == "SUB":
            if COMMAND[name].lines:
                self.crashes.append(f"{name} subscribed")
            self.subscriptions[name] = (fields[1] if len(fields) > 1 else 1000, self.now + 5)
        return b"OK"

    def _push(self) -> None:
        for name, (period, due) in reversed(self.subscriptions.items()):
            if self.now >= due:
                line = self._line(name, self.value(name))
                if self.dice.random() < self.faults.spoil_line:
                    line = self.spoil(line)
                if self.dice.random() >= self.faults.lose_line:
                    self._output.append((self.now, b"\n" + line + b"\n"))
                self.subscriptions[name] = (period, self.now + max(260, period))


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _split(text: bytes) -> tuple[str, str, bytes]:
    """Name, form (`?`, `=` or nothing) and argument of what stands behind `AT+`."""
    name, equals, argument = text.partition(b"=")
    if equals:
        return name.decode("latin-1"), "=", argument
    if name.endswith(b"?"):
        return name[:-1].decode("latin-1"), "?", b""
    return name.decode("latin-1"), "", b""


def parse(argument: bytes) -> list | None:
    """Numbers and strings; None if it is neither."""
    fields, rest = [], argument
    while True:
        if rest.startswith(b'"'):
            text, position = bytearray(), 1
            while position < len(rest) and rest[position] != 0x22:
                position += rest[position] == 0x5C
                if position >= len(rest):
                    return None
                text.append(rest[position])
                position += 1
            if position >= len(rest):
                return None
            fields.append(text.decode("utf-8", "replace"))
            rest = rest[position + 1 :]
        else:
            digits = rest.partition(b",")[0]
            if not (digits.isdigit() and digits.isascii()):
                return None
            fields.append(int(digits))
            rest = rest[len(digits) :]
        if not rest:
            return fields
        if not rest.startswith(b","):
            return None
        rest = rest[1:]


def fits(item, value: int | str) -> bool:
    if isinstance(value, str):
        return item.type == "str" and len(value.encode()) <= 31 and value.isprintable()
    return item.type != "str" and item.range[0] <= value <= item.range[1]

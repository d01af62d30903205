"""The simulated charger: bytes in, bytes out, and the time in between. No socket, thread or clock: time is given to it.

The AT task of the charger does one thing at a time. It consumes its input up to a complete command, answers (it is busy
until the last byte of the answer is out), and when the input is empty it pushes what is due and rests until the next turn
of its loop, or until input arrives.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..catalog import BAUD_RATE, COMMAND, COMMANDS, MAX_LINE_BYTES, WRITE_HOLDOFF_MS
from . import journal
from .board import DISCARDED, FIRMWARES, Board
from .car import Car
from .device import Device, Row, fields_of, new_flash
from .fields import FieldError, describe, encode, format_values, split_arguments
from .journal import Entry, Journal, Violation
from .parser import INVALID, READ, RUN, TEST, WRITE, Parser, Request

READY_MESSAGE = b"\n\nRDY\n\0"
BOOT_S = 2.0  # from the reset to RDY
RESTART_DELAY_S = 5.0  # normal service after AT+RST
SCAN_S = 2.0
TURNAROUND_S = 0.003  # the chip's own time for an answer
CONTROL_WAIT_S = 0.01  # a setting waits for the control loop
INPUT_BUFFER_BYTES = 128
INPUT_BLOCK_BYTES = 120  # the UART hands over its input in blocks, and loses them as such
TICK_S = 0.01
CRASHES_UNTIL_DISCARD = 5
HOLDOFF_S = WRITE_HOLDOFF_MS / 1000
BYTE_S = 10 / BAUD_RATE
NEVER = float("inf")

CONTROL_SETTINGS = ("ENABLE", "AVAILABLE", "CHCUR")  # they touch the control loop: slower, and deadly before it runs
LISTS = tuple(command.name for command in COMMANDS if command.lines and "R" in command.access)
SERIAL_PORTS = ("SERIAL0", "SERIAL1")
ECHO = {"E0": False, "E1": True}
APPLIED_AS_A_WHOLE = ("EMETERTOTCONSUM",)  # other single-field commands take a value before they look behind it


@dataclass
class Subscription:
    """``period`` in ms as written; ``last_tick`` 10 ms ticks since the start of the last push."""

    name: str
    period: int
    last_tick: int = 0

    @property
    def period_ticks(self) -> int:
        return (self.period * 100) % 2**32 // 1000  # computed in 32 bits by the charger: large periods wrap


@dataclass
class Answer:
    """What goes out for one command: raw text, then the result, after ``seconds`` of the charger's own time."""

    body: str = ""
    ok: bool = True
    seconds: float = TURNAROUND_S


class Charger:
    """An ESP32-EVSE charger with its board, its flash, its energy meter and a car.

    ``firmware`` is `head` or `v2.1.1`. ``start`` is the time (s) of its birth: ``running`` it has been up for ``uptime``
    seconds by then, otherwise it is switched on at that moment and says RDY two seconds later. ``epoch`` (s) is its clock
    at ``start``.

    Public state for tests: ``board``, ``flash`` (survives everything), ``car``, ``device`` (until the next start),
    ``point`` (the charging point), ``journal``, ``echo``, ``subscriptions`` (newest first), ``hung``, ``crashes`` (in a
    row), ``single_line_values``, ``answer_hook``.
    """

    def __init__(
        self,
        firmware: str = "head",
        board: Board | None = None,
        start: float = 0.0,
        running: bool = True,
        car: Car | None = None,
        uptime: float = 3600.0,
        epoch: float = 1_781_000_000,
    ) -> None:
        if firmware not in FIRMWARES:
            raise ValueError(f"firmware {firmware!r}: use one of {', '.join(FIRMWARES)}")
        self.firmware_name, self.firmware = firmware, FIRMWARES[firmware]
        self.board = board or Board()
        self.flash = new_flash(self.board)
        self.car = car or Car()
        self.journal = Journal()
        self.now = start
        self.crashes = 0
        self.serial_read_crashes = not self.firmware.head
        #: Called with (request, answer bytes, seconds until it begins); returns the latter two, changed or not.
        self.answer_hook: Callable[[Request, bytes, float], tuple[bytes, float]] | None = None
        self._names = self._known_names()
        self._overrides: dict[str, list[Row]] = {}
        self._output: list[tuple[float, bytes]] = []
        self._boot(start, ready=start + BOOT_S)
        if running:
            self._wake(start, uptime)
        self.device.clock_offset = epoch - start

    def _known_names(self) -> dict[str, bool]:
        """Every name behind `AT`, in listing order, and whether it has a test form."""
        known = [command for command in COMMANDS if self.firmware.head or not command.head]
        return {"E0": False, "E1": False} | {f"+{c.name}": bool(c.fields) and c.access != "X" for c in known}

    # --- life

    def _boot(self, boot: float, ready: float) -> None:
        clock_offset = self.device.clock_offset if hasattr(self, "device") else -boot
        self._boot_at, self._ready_at = boot, ready
        self.device = Device(self.firmware, self.board, self.flash, self.car, boot, ready)
        self.device.clock_offset = clock_offset
        self._parser = Parser(self._names)
        self._input = bytearray()
        self.subscriptions: list[Subscription] = []
        self.echo = self.hung = self._powered_off = False
        self._announce = True
        self._booted = False
        self._restart_at = self._task_at = NEVER
        self._busy_until = ready
        self._last_u32 = 0
        self._output = [(time, data) for time, data in self._output if time <= boot]

    def _wake(self, now: float, uptime: float) -> None:
        """Has been running for ``uptime`` seconds already."""
        self._boot(now - uptime, now - uptime + BOOT_S)
        self.device = Device(self.firmware, self.board, self.flash, self.car, now - uptime, now - HOLDOFF_S)
        self._booted = True
        self._busy_until = now
        self._rest(now)

    def reboot(self, now: float, announce: bool = True) -> None:
        """Restarts at once. ``announce``: whether RDY can be seen."""
        self.advance_to(now)
        self._boot(now, now + BOOT_S)
        self._announce = announce

    def power_off(self, now: float) -> None:
        self.advance_to(now)
        self._boot(now, NEVER)
        self._powered_off = True

    def power_on(self, now: float) -> None:
        self.advance_to(now)
        self._boot(now, now + BOOT_S)
        self.device.clock_offset = -now  # the clock starts at 0
        self.crashes = 0

    def power_cycle(self, now: float) -> None:
        """The only cure for a hung charger."""
        self.power_off(now)
        self.power_on(now)

    def _crash(self, now: float) -> None:
        self.crashes += 1
        if self.crashes >= CRASHES_UNTIL_DISCARD:
            self.board = replace(DISCARDED, chip=self.board.chip, cores=self.board.cores, revision=self.board.revision)
        self._boot(now, now + BOOT_S)

    # --- what tests and faults do behind the charger's back

    @property
    def point(self):
        return self.device.point

    @property
    def ready(self) -> bool:
        """RDY is out (or would be) and the AT task lives."""
        return self._booted and not self.hung

    def value(self, name: str) -> Row | list[Row]:
        """What a read answers now: a tuple, for commands with many lines a list of tuples."""
        self.device.advance(self.now)
        rows = self._rows(name)
        return rows if COMMAND[name].lines else rows[0]

    def set(self, name: str, *values: int | str) -> None:
        """Somebody else changes a setting (the charger's own web page). Raises ValueError where it refuses."""
        self.device.advance(self.now)
        if "W" not in COMMAND[name].access or not self.device.write(name, values):
            raise ValueError(f"{name}={values}: the charger refuses it")

    def override(self, name: str, *values: int | str) -> None:
        """Reads of ``name`` answer these values whatever the charger does; without values the truth is back."""
        self._overrides.pop(name, None)
        if values:
            self._overrides[name] = [values]

    # --- time

    def receive(self, data: bytes, now: float) -> None:
        """Bytes arrive at the charger. Those that arrive while it boots are lost."""
        self.advance_to(now)
        for at in range(0, len(data), INPUT_BLOCK_BYTES):
            self._receive_block(data[at : at + INPUT_BLOCK_BYTES], now)

    def _receive_block(self, block: bytes, now: float) -> None:
        if not self._booted or self.hung:
            return
        if len(self._input) + len(block) > INPUT_BUFFER_BYTES:
            self._violation(journal.OVERRUN, now, block)
            return
        self._input += block
        self._task_at = min(self._task_at, max(now, self._busy_until))

    def next_event(self, now: float) -> float | None:
        """When ``advance`` has something to do again, given that nothing arrives; None if never."""
        moments = [self._next_moment(), *(time for time, _ in self._output[:1])]
        moment = min(moments)
        return None if moment == NEVER else max(moment, now)

    def advance(self, now: float) -> bytes:
        """Lives on to ``now`` (s, never goes back) and returns what was emitted until then."""
        self.advance_to(now)
        due = [data for time, data in self._output if time <= now]
        self._output = self._output[len(due) :]
        return b"".join(due)

    def advance_to(self, now: float) -> None:
        """Like ``advance``, but keeps the output for later."""
        while (moment := self._next_moment()) <= now:
            self._advance_device(moment)
            self._happen(moment)
        self._advance_device(now)
        self.now = max(self.now, now)

    def _advance_device(self, now: float) -> None:
        if self._powered_off or (self.hung and self.board.cores == 1):
            return  # a hung AT task starves the control loop of a single-core chip
        self.device.advance(now)
        if self.device.core_awake:
            self.crashes = 0

    def _next_moment(self) -> float:
        ready = NEVER if self._booted else self._ready_at
        return min(ready, self._restart_at, self._task_at)

    def _happen(self, now: float) -> None:
        if not self._booted and now >= self._ready_at:
            self._become_ready(now)
        elif now >= self._restart_at:
            self._boot(now, now + BOOT_S)
        else:
            self._run_task(now)

    def _become_ready(self, now: float) -> None:
        self._booted = True
        if self._announce:
            self._emit(READY_MESSAGE, now)
        self._rest(now)

    # --- the AT task

    def _tick(self, now: float) -> int:
        return int((now - self._boot_at) / TICK_S + 1e-6)

    def _rest(self, now: float) -> None:
        """Until the next turn of the loop."""
        self._task_at = self._boot_at + (self._tick(now) + self.firmware.loop_ticks) * TICK_S

    def _emit(self, data: bytes, now: float) -> None:
        self._output.append((now, data))
        self._busy_until = max(self._busy_until, now + len(data) * BYTE_S)

    def _run_task(self, now: float) -> None:
        request = self._consume(now)
        if request is None:
            self._push(now)
        else:
            self._execute(request, now)

    def _consume(self, now: float) -> Request | None:
        while self._input:
            byte = self._input.pop(0)
            if self.echo:
                self._emit(bytes([byte]), now)
            request = self._parser.feed(byte)
            if request is not None:
                return request
        return None

    def _push(self, now: float) -> None:
        tick = self._tick(now)
        self._busy_until = now
        for subscription in self.subscriptions:
            if tick - subscription.last_tick < subscription.period_ticks:
                continue
            subscription.last_tick = tick
            if subscription.name in LISTS:
                self.hung = True
                self._task_at = NEVER
                return
            self._emit(encode(self._pushed_line(subscription.name)), self._busy_until)
        self._rest(self._busy_until)

    def _pushed_line(self, name: str) -> str:
        if "R" not in COMMAND[name].access:
            return ""
        return self._value_lines(name)

    # --- commands

    def _execute(self, request: Request, now: float) -> None:
        name = request.name.removeprefix("+")
        if self._is_deadly(request, name, now):
            self._crash(now)
            return
        answer = self._answer(request, name, now)
        newline = self._parser.newline
        result = "OK" if answer.ok else "ERROR"
        data = encode(answer.body + newline + result + newline)
        self._record(request, now, result)
        self._finish(request, data, answer.seconds, now)

    def _finish(self, request: Request, data: bytes, seconds: float, now: float) -> None:
        self._parser.answered()
        if self.answer_hook:
            data, seconds = self.answer_hook(request, data, seconds)
        self._emit(data, now + seconds)
        self._task_at = self._busy_until

    def _is_deadly(self, request: Request, name: str, now: float) -> bool:
        """Dangerous commands are noted; True where the charger crashes."""
        self._check_manners(request, name, now)
        early = request.form == WRITE and name in CONTROL_SETTINGS and not self.device.core_awake
        garbage = request.form == READ and name in SERIAL_PORTS and self.serial_read_crashes
        if early or garbage:
            self._record(request, now, "")
        return early or garbage

    def _check_manners(self, request: Request, name: str, now: float) -> None:
        if request.abbreviated:
            self._violation(journal.ABBREVIATION, now, request.line)
        if name in SERIAL_PORTS and request.form != TEST:
            self._violation(journal.SERIAL_ACCESS, now, request.line)
        writes = request.form == WRITE and name not in ("SUB", "UNSUB")
        if writes and now < self._ready_at + HOLDOFF_S:
            self._violation(journal.EARLY_WRITE, now, request.line)

    def _answer(self, request: Request, name: str, now: float) -> Answer:
        if request.form == RUN:
            return self._run(name, now)
        if request.form == READ and "R" in COMMAND.get(name, COMMAND["RST"]).access:
            return self._read(name)
        if request.form == WRITE and "W" in COMMAND.get(name, COMMAND["RST"]).access:
            return self._write(name, request.arguments, now)
        if request.form == TEST:
            return Answer(self._frame(f"+{name}=" + describe(COMMAND[name], self._fields(name))))
        return Answer(ok=False)

    def _run(self, name: str, now: float) -> Answer:
        if name in ECHO:
            self.echo = ECHO[name]
        elif name == "CMD":
            return Answer(self._listing())
        elif name == "RST":
            self._restart_at = min(self._restart_at, now + RESTART_DELAY_S)
        elif name == "AUTH":
            self.point.authorize()
        elif name == "WIFIAPSCAN":
            return Answer(self._lines(name, self.device.scan()), seconds=SCAN_S)
        elif name:
            return Answer(ok=False)
        return Answer()

    def _read(self, name: str) -> Answer:
        lines = self._value_lines(name)
        too_long = any(len(encode(line)) >= MAX_LINE_BYTES for line in lines.splitlines())
        return Answer(ok=False) if too_long else Answer(lines)

    def _write(self, name: str, arguments: bytes, now: float) -> Answer:
        seconds = TURNAROUND_S
        if name in CONTROL_SETTINGS:
            seconds += max(CONTROL_WAIT_S, self.point.busy_until - now)
        return Answer(ok=self._apply(name, arguments, now), seconds=seconds)

    def _apply(self, name: str, arguments: bytes, now: float) -> bool:
        """Writes as the charger does: a single value takes effect even where an error follows it."""
        fields = self._fields(name)
        at_once = len(fields) == 1 and name not in APPLIED_AS_A_WHOLE and name not in ("SUB", "UNSUB")
        values: list[int | str] = []
        try:
            for value in split_arguments(fields, arguments):
                self._remember_number(fields[len(values)].type, value, values)
                values.append(value)
                if at_once and not self.device.write(name, (value,)):
                    return False
        except FieldError:
            return False
        return at_once or self._apply_whole(name, tuple(values), now)

    def _apply_whole(self, name: str, values: Row, now: float) -> bool:
        if name == "SUB":
            return self._subscribe(*values, now=now)
        if name == "UNSUB":
            return self._unsubscribe(*values)
        return self.device.write(name, values)

    def _subscribe(self, name: str, period: int | None = None, *, now: float) -> bool:
        if name not in self._names:
            return False
        name = name.removeprefix("+")
        if name in LISTS:
            self._violation(journal.LIST_SUBSCRIPTION, now, encode(name))
        period = self._last_u32 if period is None else period
        known = next((entry for entry in self.subscriptions if entry.name == name), None)
        if known:
            known.period = period
        elif name not in ECHO:
            self.subscriptions.insert(0, Subscription(name, period))
        return True

    def _unsubscribe(self, name: str) -> bool:
        if name and name not in self._names:
            return False
        self.subscriptions = [entry for entry in self.subscriptions if name and f"+{entry.name}" != name]
        return True

    # --- text

    def _fields(self, name: str):
        return fields_of(name, self.firmware)

    def _rows(self, name: str) -> list[Row]:
        return self._overrides.get(name) or self.device.read(name)

    def _value_lines(self, name: str) -> str:
        rows = self._rows(name)
        if rows:
            for field, value in zip(self._fields(name), rows[-1], strict=True):
                self._remember_number(field.type, value, ())
                break
        return self._lines(name, rows)

    def _remember_number(self, type_: str, value: int | str, before: list | tuple) -> None:
        """All commands share one variable for their first 32-bit number, and SUB without a period uses it."""
        if type_ == "u32" and all(isinstance(other, str) for other in before):
            self._last_u32 = value

    def _lines(self, name: str, rows: list[Row]) -> str:
        shown, fields = COMMAND[name].answer_name, self._fields(name)
        return "".join(self._frame(f"+{shown}=" + format_values(fields, row)) for row in rows)

    def _frame(self, line: str) -> str:
        newline = self._parser.newline
        return newline + line + newline

    def _listing(self) -> str:
        return "".join(self._frame(self._parser.newline.join(self._forms(name))) for name in self._names)

    def _forms(self, name: str) -> list[str]:
        access = COMMAND[name[1:]].access if name.startswith("+") else "X"
        suffixes = [suffix for letter, suffix in (("X", ""), ("R", "?"), ("W", "=")) if letter in access]
        return [f"AT{name}{suffix}" for suffix in suffixes + (["=?"] if self._names[name] else [])]

    # --- journal

    def _record(self, request: Request, now: float, result: str) -> None:
        self.journal.entries.append(Entry(now, request.line, _canonical(request), result))

    def _violation(self, kind: str, now: float, line: bytes) -> None:
        self.journal.violations.append(Violation(now, kind, bytes(line)))


def _canonical(request: Request) -> str | None:
    if request.form == INVALID:
        return None
    suffix = {RUN: "", READ: "?", TEST: "=?", WRITE: "=" + request.arguments.decode("utf-8", "replace")}
    return f"AT{request.name}{suffix[request.form]}"

"""The simulated charger: bytes in, bytes out, and the time in between. No socket, thread or clock: time is given to it.

The AT task of the charger does one thing at a time. It consumes its input up to a complete command, answers (it is
busy until the last byte of the answer is out), and when the input is empty it pushes what is due and rests until the
next turn of its loop, or until input arrives.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..catalog import BAUD_RATE, COMMAND, WRITE_HOLDOFF_MS
from .board import DISCARDED, FIRMWARES, Board
from .car import Car
from .device import CrashError, Device, Row, new_flash
from .evse import ChargingPoint
from .fields import encode
from .interpreter import LISTS, Answer, Interpreter, Subscription
from .journal import ABBREVIATION, EARLY_WRITE, OVERRUN, SERIAL_ACCESS, Journal
from .parser import READ, TEST, WRITE, Parser, Request

READY_MESSAGE = b"\n\nRDY\n\0"
BOOT_S = 2.0  # from the reset to RDY
CORE_READY_S = 0.05  # the charging point wakes this long after RDY
RESTART_DELAY_S = 5.0  # normal service after AT+RST
HOLDOFF_S = WRITE_HOLDOFF_MS / 1000
CRASHES_UNTIL_DISCARD = 5
INPUT_BUFFER_BYTES = 128
INPUT_BLOCK_BYTES = 120  # the UART hands over its input in blocks, and loses them as such
BYTE_S = 10 / BAUD_RATE
TICK_S = 0.01
NEVER = float("inf")

SERIAL_PORTS = ("SERIAL0", "SERIAL1")

#: Given (request, answer bytes, seconds until they begin), returns the latter two, changed or not.
AnswerHook = Callable[[Request, bytes, float], tuple[bytes, float]]


class Charger:
    """An ESP32-EVSE charger with its board, its flash, its energy meter and a car.

    ``firmware`` is `head` or `v2.1.1`. ``start`` is the time (s) of its birth: ``running`` it has been up for
    ``uptime`` seconds by then, otherwise it is switched on at that moment and says RDY two seconds later. ``epoch``
    (s) is what its clock shows at ``start``.

    For tests, besides the methods: ``board``, ``flash`` (survives everything), ``car``, ``journal``, ``device`` and
    ``point`` (until the next start), ``subscriptions``, ``echo``, ``hung``, ``ready``, ``crashes`` (in a row),
    ``serial_read_crashes``, ``answer_hook``, ``now`` (the time of the last call).
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
        self.firmware = FIRMWARES[firmware]
        self.board = board or Board()
        self.flash = new_flash(self.board)
        self.car = car or Car()
        self.journal = Journal()
        self.now = start
        self.crashes = 0
        self.serial_read_crashes = not self.firmware.head
        self.answer_hook: AnswerHook | None = None
        self._overrides: dict[str, list[Row]] = {}
        self._output: list[tuple[float, bytes]] = []
        self._boot(start, clock_offset=epoch - start)
        if running:
            self._boot(start - uptime, clock_offset=epoch - start, awake_at=start)
            self._booted = True
            self.device.advance(start)
            self._rest(start)

    # --- life

    def _boot(self, boot: float, clock_offset: float, awake_at: float | None = None) -> None:
        """A new life begins at ``boot``: RDY follows, and then, at ``awake_at``, the charging point."""
        self._boot_at, self._ready_at = boot, boot + BOOT_S
        awake_at = self._ready_at + CORE_READY_S if awake_at is None else awake_at
        self.device = Device(self.firmware, self.board, self.flash, self.car, boot, awake_at, clock_offset)
        self._interpreter = Interpreter(self.firmware, self.device, self.journal, self._overrides)
        self._parser = Parser(self._interpreter.names)
        self._input = bytearray()
        self._output = [(time, data) for time, data in self._output if time <= boot]
        self._announce = True
        self._booted = self._powered_off = self.hung = False
        self._restart_at = self._task_at = NEVER
        self._busy_until = boot

    def reboot(self, now: float, announce: bool = True) -> None:
        """Restarts at once, as after a crash. ``announce``: whether RDY can be seen."""
        self.advance_to(now)
        self._boot(now, self.device.clock_offset)
        self._announce = announce

    def power_off(self, now: float) -> None:
        self.advance_to(now)
        self._boot(now, self.device.clock_offset)
        self._powered_off = True
        self._ready_at = NEVER

    def power_on(self, now: float) -> None:
        """The clock starts at 0; RDY follows after two seconds."""
        self.advance_to(now)
        self._boot(now, clock_offset=-now)
        self.crashes = 0

    def power_cycle(self, now: float) -> None:
        """The only cure for a hung charger."""
        self.power_off(now)
        self.power_on(now)

    def _crash(self, now: float) -> None:
        self.crashes += 1
        if self.crashes >= CRASHES_UNTIL_DISCARD:
            self.board = replace(DISCARDED, chip=self.board.chip, cores=self.board.cores, revision=self.board.revision)
        self._boot(now, self.device.clock_offset)

    # --- what tests see, and do behind the charger's back

    @property
    def point(self) -> ChargingPoint:
        return self.device.point

    @property
    def subscriptions(self) -> list[Subscription]:
        """Newest first."""
        return self._interpreter.subscriptions

    @property
    def echo(self) -> bool:
        return self._interpreter.echo

    @echo.setter
    def echo(self, on: bool) -> None:
        self._interpreter.echo = on

    @property
    def ready(self) -> bool:
        """The AT task is up and lives."""
        return self._booted and not self.hung

    def value(self, name: str) -> Any:
        """What a read answers now: a tuple, for commands of many lines a list of tuples."""
        rows = self._interpreter.rows(name)
        return rows if COMMAND[name].lines else rows[0]

    def set(self, name: str, *values: int | str) -> None:
        """Somebody else changes a setting (the charger's own web page). Raises ValueError where it is refused."""
        if "W" not in COMMAND[name].access or not self.device.write(name, values):
            raise ValueError(f"{name}={values}: the charger refuses it")

    def override(self, name: str, *values: Any) -> None:
        """Reads of ``name`` answer these values, whatever the charger does; without values the truth is back.

        A command of many lines takes one tuple for each line.
        """
        self._overrides.pop(name, None)
        if values:
            self._overrides[name] = list(values) if isinstance(values[0], tuple) else [values]

    # --- time

    def receive(self, data: bytes, now: float) -> None:
        """Bytes arrive at the charger. Those that arrive while it boots are lost."""
        self.advance_to(now)
        for at in range(0, len(data), INPUT_BLOCK_BYTES):
            self._receive_block(data[at : at + INPUT_BLOCK_BYTES], now)
            self.advance_to(now)  # an idle charger consumes its input while more of it arrives

    def _receive_block(self, block: bytes, now: float) -> None:
        if not self.ready:
            return
        if len(self._input) + len(block) > INPUT_BUFFER_BYTES:
            self.journal.violation(now, OVERRUN, block)
            return
        self._input += block
        self._task_at = min(self._task_at, max(now, self._busy_until))

    def next_event(self, now: float) -> float | None:
        """When ``advance`` has something to do again, provided that nothing arrives; None if never."""
        moment = min([self._next_moment(), *(time for time, _ in self._output[:1])])
        return None if moment == NEVER else max(moment, now)

    @property
    def restart_at(self) -> float | None:
        """When it will restart, if it has been told to."""
        return None if self._restart_at == NEVER else self._restart_at

    @property
    def busy_until(self) -> float:
        """When the last byte of what it says now is out."""
        return self._busy_until

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
        if self.device.awake:
            self.crashes = 0

    def _next_moment(self) -> float:
        return min(NEVER if self._booted else self._ready_at, self._restart_at, self._task_at)

    def _happen(self, now: float) -> None:
        if now >= self._restart_at:
            self._boot(now, self.device.clock_offset)
        elif not self._booted:
            self._become_ready(now)
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
        begin = max(now, self._busy_until)
        self._busy_until = begin + len(data) * BYTE_S
        if data:
            self._output.append((begin, data))

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
        for name in self._interpreter.due(self._tick(now)):
            if name in LISTS:
                self.hung, self._task_at = True, NEVER
                return
            if name in SERIAL_PORTS and self.serial_read_crashes:
                self._crash(now)
                return
            self._emit(encode(self._interpreter.push_line(name)), now)
        self._rest(max(now, self._busy_until))

    def _execute(self, request: Request, now: float) -> None:
        name = request.name.removeprefix("+")
        self._check_manners(request, name, now)
        try:
            if request.form == READ and name in SERIAL_PORTS and self.serial_read_crashes:
                raise CrashError(name)
            answer = self._interpreter.execute(request, self._parser.newline, now)
        except CrashError:
            self.journal.record(now, request, "")
            self._crash(now)
            return
        if answer.restart:
            self._restart_at = min(self._restart_at, now + RESTART_DELAY_S)
        self._reply(request, answer, now)

    def _reply(self, request: Request, answer: Answer, now: float) -> None:
        result, newline = "OK" if answer.ok else "ERROR", self._parser.newline
        self._parser.answered()
        self.journal.record(now, request, result)
        data, seconds = encode(answer.body + newline + result + newline), answer.seconds
        if self.answer_hook:
            data, seconds = self.answer_hook(request, data, seconds)
        self._emit(data, now + seconds)
        self._task_at = self._busy_until

    def _check_manners(self, request: Request, name: str, now: float) -> None:
        if request.abbreviated:
            self.journal.violation(now, ABBREVIATION, request.line)
        if name in SERIAL_PORTS and request.form != TEST:
            self.journal.violation(now, SERIAL_ACCESS, request.line)
        writes = request.form == WRITE and name not in ("SUB", "UNSUB")
        if writes and now < self._ready_at + HOLDOFF_S:
            self.journal.violation(now, EARLY_WRITE, request.line)

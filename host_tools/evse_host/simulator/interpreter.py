"""What the charger does with a command once it has understood the line: values out of and into the device, echo and
subscriptions. Lives from one start of the charger to the next."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..catalog import COMMAND, COMMANDS, MAX_LINE_BYTES, Field
from .board import Firmware
from .device import CONTROL_SETTINGS, Device, Row, fields_of
from .fields import FieldError, Value, describe, encode, format_values, split_arguments
from .journal import LIST_SUBSCRIPTION, Journal
from .parser import READ, RUN, TEST, WRITE, Request

TURNAROUND_S = 0.003  # the chip's own time for an answer
CONTROL_WAIT_S = 0.01  # a setting waits for the control loop
SCAN_S = 2.0

#: The firmware's own table, in the order in which `AT+CMD` lists it and abbreviations are looked up.
TABLE = (
    "CMD", "SUB", "UNSUB", "RST", "CHIP", "HEAP", "VER", "IDFVER", "BUILDTIME", "TEMP", "TZ", "TZRULE", "TIME",
    "UPTIME", "STATE", "ERROR", "ENABLE", "AVAILABLE", "REQAUTH", "PENDAUTH", "AUTH", "CHCUR", "DEFCHCUR",
    "MAXCHCUR", "CONSUMLIM", "DEFCONSUMLIM", "CHTIMELIM", "DEFCHTIMELIM", "UNDERPOWERLIM", "DEFUNDERPOWERLIM",
    "LIMREACH", "SOCKETOUTLET", "EMETERMODE", "EMETERACVOLTAGE", "EMETERTHREEPHASE", "EMETERPOWER", "EMETERSESTIME",
    "EMETERCHTIME", "EMETERCONSUM", "EMETERTOTCONSUM", "EMETERVOLTAGE", "EMETERCURRENT", "WIFISTACFG", "WIFIAPCFG",
    "WIFISTACONN", "WIFIAPCONN", "WIFISTASTATIC", "WIFISTAIP", "WIFISTAMAC", "WIFIAPIP", "WIFIAPMAC", "WIFIAPSCAN",
    "HOSTNAME", "INSTNAME", "SERIAL0", "SERIAL1", "DEVNAME", "SOCKETLOCK", "PROXIMITY", "TEMPSENSOR",
    "SOCKETLOCKMINBREAKTIME", "EMETER", "SERIALS", "AUXINPUTS", "AUXOUTPUTS", "AUXANALOGINPUTS",
)  # fmt: skip
LISTS = tuple(command.name for command in COMMANDS if command.lines and "R" in command.access)
ECHO = {"E0": False, "E1": True}
APPLIED_AS_A_WHOLE = ("EMETERTOTCONSUM",)  # other single-field commands take a value before they look behind it


@dataclass
class Subscription:
    """``period`` in ms as written; ``last_tick`` of the last push in 10 ms ticks since the charger's start."""

    name: str
    period: int
    last_tick: int = 0

    @property
    def period_ticks(self) -> int:
        return (self.period * 100) % 2**32 // 1000  # computed in 32 bits by the charger: large periods wrap


@dataclass
class Answer:
    """What goes out for one command: ``body``, then the result, after ``seconds`` of the charger's own time."""

    body: str = ""
    ok: bool = True
    seconds: float = TURNAROUND_S
    restart: bool = False


def known_names(firmware: Firmware) -> dict[str, bool]:
    """Every name that may stand behind `AT`, in listing order, and whether it has the test form `=?`."""
    known = [COMMAND[name] for name in TABLE if firmware.head or not COMMAND[name].head]
    return dict.fromkeys(ECHO, False) | {f"+{c.name}": bool(c.fields) and c.access != "X" for c in known}


class Interpreter:
    """``overrides`` are rows that are answered instead of the device's own."""

    def __init__(self, firmware: Firmware, device: Device, journal: Journal, overrides: dict[str, list[Row]]) -> None:
        self.firmware, self.device, self.journal, self.overrides = firmware, device, journal, overrides
        self.names = known_names(firmware)
        self.echo = False
        self.subscriptions: list[Subscription] = []  # newest first
        self.newline = "\n"
        self._last_number = 0
        self._fields_of = {name: fields_of(name, firmware) for name in COMMAND}
        self._printed: dict[str, tuple[list[Row], str, str | None]] = {}  # of each name: rows, line end, value lines

    def execute(self, request: Request, newline: str, now: float) -> Answer:
        self.newline = newline
        name = request.name.removeprefix("+")
        access = COMMAND[name].access if name in COMMAND else "X"
        if request.form == RUN:
            return self._run(name, access)
        if request.form == READ and "R" in access:
            lines = self.value_lines(name)
            return Answer(ok=False) if lines is None else Answer(lines)
        if request.form == WRITE and "W" in access:
            return self._write(name, request.arguments, now)
        if request.form == TEST:
            return Answer(self._frame(f"+{name}=" + describe(COMMAND[name], self._fields(name))))
        return Answer(ok=False)

    def _run(self, name: str, access: str) -> Answer:
        if "X" not in access:
            return Answer(ok=False)
        if name in ECHO:
            self.echo = ECHO[name]
        elif name == "CMD":
            return Answer(self._listing())
        elif name == "WIFIAPSCAN":
            return Answer(self._lines(name, self.device.wifi.scan()), seconds=SCAN_S)
        elif name == "AUTH":
            self.device.point.authorize()
        return Answer(restart=name == "RST")

    # --- read

    def rows(self, name: str) -> list[Row]:
        return self.overrides.get(name) or self.device.read(name)

    def value_lines(self, name: str) -> str | None:
        """The value lines of an answer or a push; None if one is too long for the charger."""
        rows = self.rows(name)
        if rows:
            self._remember(self._fields(name)[0], rows[-1][0])
        printed = self._printed.get(name)
        if printed is None or printed[0] != rows or printed[1] != self.newline:
            printed = self._printed[name] = (list(rows), self.newline, self._print(name, rows))
        return printed[2]

    def _print(self, name: str, rows: list[Row]) -> str | None:
        lines = self._lines(name, rows)
        return None if any(len(encode(line)) > MAX_LINE_BYTES for line in lines.splitlines()) else lines

    def _fields(self, name: str) -> Sequence[Field]:
        return self._fields_of[name]

    def _lines(self, name: str, rows: list[Row]) -> str:
        shown, fields = COMMAND[name].answer_name, self._fields(name)
        return "".join(self._frame(f"+{shown}=" + format_values(fields, row)) for row in rows)

    def _frame(self, line: str) -> str:
        return self.newline + line + self.newline

    def _listing(self) -> str:
        return "".join(self._frame(self.newline.join(self._forms(name))) for name in self.names)

    def _forms(self, name: str) -> list[str]:
        access = COMMAND[name[1:]].access if name.startswith("+") else "X"
        suffixes = [suffix for letter, suffix in (("X", ""), ("R", "?"), ("W", "=")) if letter in access]
        return [f"AT{name}{suffix}" for suffix in suffixes + (["=?"] if self.names[name] else [])]

    # --- write

    def _write(self, name: str, arguments: bytes, now: float) -> Answer:
        seconds = TURNAROUND_S
        if name in CONTROL_SETTINGS:
            seconds += max(CONTROL_WAIT_S, self.device.point.busy_until - now)
        return Answer(ok=self._apply(name, arguments, now), seconds=seconds)

    def _apply(self, name: str, arguments: bytes, now: float) -> bool:
        """As the charger does it: a single value takes effect even where an error follows behind it."""
        fields = self._fields(name)
        at_once = len(fields) == 1 and name not in (*APPLIED_AS_A_WHOLE, "UNSUB")
        values: list[Value] = []
        try:
            for value in split_arguments(fields, arguments):
                self._remember(fields[len(values)], value)
                values.append(value)
                if at_once and not self.device.write(name, (value,)):
                    return False
        except FieldError:
            return False
        return at_once or self._apply_whole(name, tuple(values), now)

    def _apply_whole(self, name: str, values: Row, now: float) -> bool:
        if name == "SUB":
            return self._subscribe(now, *values)
        if name == "UNSUB":
            return self._unsubscribe(*values)
        return self.device.write(name, values)

    def _remember(self, field: Field, value: Value) -> None:
        """All commands share one 32-bit variable, and SUB without a period takes what is left in it."""
        if field.type == "u32":
            self._last_number = int(value)

    # --- subscriptions

    def _subscribe(self, now: float, name: str, period: int | None = None) -> bool:
        if name not in self.names:
            return False
        if name.removeprefix("+") in LISTS:
            self.journal.violation(now, LIST_SUBSCRIPTION, encode(name))
        period = self._last_number if period is None else period
        known = next((entry for entry in self.subscriptions if entry.name == name), None)
        if known:
            known.period = period
        else:
            self.subscriptions.insert(0, Subscription(name, period))
        return True

    def _unsubscribe(self, name: str) -> bool:
        if name and name not in self.names:
            return False
        self.subscriptions[:] = [entry for entry in self.subscriptions if name and entry.name != name]
        return True

    def due(self, tick: int) -> list[str]:
        """Names (without `+`) to push at this tick, newest subscription first; they count as pushed."""
        due = [entry for entry in self.subscriptions if tick - entry.last_tick >= entry.period_ticks]
        for entry in due:
            entry.last_tick = tick
        return [entry.name.removeprefix("+") for entry in due]

    def push_line(self, name: str) -> str:
        """Empty for commands that cannot be read."""
        self.newline = "\n"
        readable = name in COMMAND and "R" in COMMAND[name].access
        return (self.value_lines(name) or "") if readable else ""

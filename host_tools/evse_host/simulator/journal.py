"""What a test asks afterwards: which commands reached the charger, what became of them, and which were dangerous."""

from dataclasses import dataclass, field

from .parser import INVALID, READ, RUN, TEST, Request

EARLY_WRITE = "early write"  # a write within the first second after RDY
LIST_SUBSCRIPTION = "list subscription"  # hangs the charger
ABBREVIATION = "abbreviation"  # a command that was executed under a shortened name
SERIAL_ACCESS = "serial access"  # SERIAL0 or SERIAL1
OVERRUN = "overrun"  # more outstanding bytes than the charger buffers


@dataclass(frozen=True)
class Entry:
    """One result. ``line`` is what was received since the last one, ``command`` what was executed (`AT+STATE?`), None
    if the line was not understood; ``result`` is `OK`, `ERROR`, or empty where the charger crashed."""

    time: float
    line: bytes
    command: str | None
    result: str


@dataclass(frozen=True)
class Violation:
    """Something that a sane client never does."""

    time: float
    kind: str
    line: bytes


@dataclass
class Journal:
    entries: list[Entry] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    @property
    def commands(self) -> list[str]:
        """Every executed command in its canonical form, oldest first."""
        return [entry.command for entry in self.entries if entry.command is not None]

    def writes(self, name: str = "") -> list[str]:
        """Executed writes, those of one command (`CHCUR`) or, without a name, all but SUB and UNSUB."""
        writes = [command for command in self.commands if "=" in command and not command.endswith("=?")]
        if name:
            return [command for command in writes if command.startswith(f"AT+{name}=")]
        return [command for command in writes if not command.startswith(("AT+SUB=", "AT+UNSUB="))]

    def record(self, time: float, request: Request, result: str) -> None:
        self.entries.append(Entry(time, request.line, _canonical(request), result))

    def violation(self, time: float, kind: str, line: bytes) -> None:
        self.violations.append(Violation(time, kind, bytes(line)))

    def clear(self) -> None:
        self.entries.clear()
        self.violations.clear()


def _canonical(request: Request) -> str | None:
    if request.form == INVALID:
        return None
    suffixes = {RUN: "", READ: "?", TEST: "=?"}
    arguments = request.arguments.decode("utf-8", "replace")
    return f"AT{request.name}" + suffixes.get(request.form, f"={arguments}")

"""Finds commands in the charger's input, byte by byte, with all its oddities: abbreviated names, double errors,
carriage returns that swallow the next line. Knows names only, no values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..catalog import MAX_ARGUMENT_BYTES

CR, LF = 0x0D, 0x0A
LINE_END = (CR, LF)
NAME_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+#$@_")

RUN, READ, WRITE, TEST, INVALID = "run", "read", "write", "test", "invalid"


@dataclass(frozen=True)
class Request:
    """One complete command line.

    ``form`` is `run`, `read`, `write`, `test` or `invalid` (not understood, answered ERROR). ``name`` is the command as
    the charger knows it (`+STATE`, `E1`, empty for a bare `AT`), ``typed`` what was sent for it, in upper case.
    """

    line: bytes
    form: str
    name: str = ""
    typed: str = ""
    arguments: bytes = b""

    @property
    def abbreviated(self) -> bool:
        return self.form != INVALID and self.typed != self.name


class Parser:
    """The state is a method that takes the next byte; a complete command comes back as a ``Request``."""

    def __init__(self, names: Mapping[str, bool]) -> None:
        """``names``: every name that may follow `AT`, in the table's order, and whether it has the test form `=?`."""
        self._names = names
        self._last_name = list(names)[-1]
        self._carriage_return = False
        self._line = bytearray()
        self._reset()

    def _reset(self) -> None:
        self._state: Callable[[int], Request | None] = self._idle
        self._line.clear()
        self._typed = ""
        self._name = ""
        self._arguments = bytearray()

    @property
    def newline(self) -> str:
        """Line end of answers: the one with which the command ended."""
        return "\r\n" if self._carriage_return else "\n"

    def answered(self) -> None:
        """The result is out; the next command has its own line end."""
        self._carriage_return = False

    def feed(self, byte: int) -> Request | None:
        if self._state != self._idle:
            self._carriage_return |= byte == CR
        self._line.append(byte)
        if self._state != self._in_arguments and chr(byte).islower():
            byte = ord(chr(byte).upper()) if byte < 0x80 else byte
        return self._state(byte)

    def _idle(self, byte: int) -> Request | None:
        if byte in LINE_END:
            self._line.clear()
        else:
            self._state = self._prefix if byte == ord("A") else self._spoiled
        return None

    def _prefix(self, byte: int) -> Request | None:
        if byte in LINE_END:
            return self._done(INVALID)
        self._state = self._in_name if byte == ord("T") else self._spoiled
        return None

    def _in_name(self, byte: int) -> Request | None:
        if byte in LINE_END:
            return self._find(RUN, byte) if self._typed else self._done(RUN)
        if byte in NAME_BYTES:
            self._typed += chr(byte)
        elif byte == ord("?") and self._typed:
            self._state = self._read_end
        elif byte == ord("=") and self._typed:
            return self._begin_arguments()
        else:
            self._state = self._spoiled
        return None

    def _matches(self) -> list[str]:
        if self._typed in self._names:
            return [self._typed]
        return [name for name in self._names if name.startswith(self._typed)]

    def _find(self, form: str, line_end: int) -> Request | None:
        matches = self._matches()
        unknown = not matches or (len(matches) > 1 and matches[-1] == self._last_name)
        if unknown and line_end == CR:
            self._state = self._spoiled  # the charger waits for another line end
            return None
        return self._done(form, matches[0]) if len(matches) == 1 else self._done(INVALID)

    def _begin_arguments(self) -> Request | None:
        matches = self._matches()
        if len(matches) == 1:
            self._name, self._state = matches[0], self._in_arguments
        elif not matches or matches[-1] == self._last_name:
            self._state = self._spoiled
        else:
            return self._done(INVALID)  # at once: what follows the `=` becomes a line of its own, and fails again
        return None

    def _in_arguments(self, byte: int) -> Request | None:
        if byte in LINE_END:
            return self._done(WRITE, self._name)
        if byte == ord("?") and not self._arguments and self._names[self._name]:
            self._state = self._test_end
            return None
        self._arguments.append(byte)
        if len(self._arguments) > MAX_ARGUMENT_BYTES:
            self._state = self._spoiled
        return None

    def _read_end(self, byte: int) -> Request | None:
        if byte in LINE_END:
            return self._find(READ, byte)
        self._state = self._spoiled
        return None

    def _test_end(self, byte: int) -> Request | None:
        if byte in LINE_END:
            return self._done(TEST, self._name)
        self._state = self._spoiled
        return None

    def _spoiled(self, byte: int) -> Request | None:
        return self._done(INVALID) if byte in LINE_END else None

    def _done(self, form: str, name: str = "") -> Request:
        arguments = bytes(self._arguments).split(b"\0")[0]  # a C string in the charger
        request = Request(bytes(self._line), form, name, self._typed, arguments)
        self._reset()
        return request

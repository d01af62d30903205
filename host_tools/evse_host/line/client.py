"""A charger as a Python object.

with Evse.open("/dev/ttyUSB0") as evse:
    (current,) = evse.get("CHCUR")     # wire units: A/10
    evse.set("CHCUR", 160)             # written and read back
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator

from ..catalog import BAUD_RATE, COMMAND, COMMANDS, MAX_SUBSCRIBE_PERIOD_MS, Command
from ..errors import EvseError, MismatchError, NoAnswerError, RefusedError, UsageError
from ..timezones import zone_hint
from ..wire.annotation import WRITE, parse_command
from ..wire.codec import (
    Event,
    Field,
    Fields,
    Ready,
    Scalar,
    Value,
    check_line,
    danger_of,
    format_argument,
    name_of,
    same,
    to_bytes,
    writable_fields,
)
from ..wire.protocol import NEVER, SLOW_TIMEOUT_S, SYNC_TIMEOUT_S, Answer, Outcome, Protocol, Request, read_request
from .transport import Transport, find_port, open_port

TRIES = 3  # of a read, and of a write that got lost
REFUSALS = 2  # noise can spoil a line: an ERROR is believed the second time
SILENT_S = 1.0  # beyond three periods: the subscriptions are lost, or the charger is
WAIT_S = 0.25
CLOSE_TIMEOUT_S = 2.0
UNKNOWN_PERIOD_MS = 1000  # of a SUB without one
MAX_QUEUE = 1000  # pushes that nobody fetches: the oldest are dropped

_SUBSCRIBED = re.compile(r'"\+(\w+)"(?:,([0-9]+))?')

#: Called with `>` (to the charger) or `<` and the bytes.
Trace = Callable[[str, bytes], None]


class Evse:
    """A blocking client of one charger; names and values are those of the AT protocol, in wire units.

    Every method may raise NoAnswerError, and PortError when the port goes away. ``timeout`` (s) is how long a silent
    charger is knocked at.
    """

    def __init__(self, transport: Transport, timeout: float = SYNC_TIMEOUT_S, trace: Trace | None = None) -> None:
        self._transport = transport
        self._trace = trace
        self._protocol = Protocol(timeout)
        self._queue: deque[Value | Ready] = deque(maxlen=MAX_QUEUE)
        self._subscriptions: dict[str, int] = {}
        self._echo = False
        self._renew, self._pushed_at = False, 0.0
        self._last_shown: Fields = ()
        self._woken = False
        self.last_answer: Answer | None = None
        self._heard_at, self._longest_silence_s = time.monotonic(), 0.0

    @classmethod
    def open(
        cls,
        port: str | None = None,
        baud_rate: int = BAUD_RATE,
        timeout: float = SYNC_TIMEOUT_S,
        trace: Trace | None = None,
    ) -> Evse:
        """Opens ``port``, or what EVSE_PORT says, or the only charger. Nothing is sent yet. Raises PortError."""
        transport = open_port(find_port(port), baud_rate)
        transport.flush_input()
        return cls(transport, timeout, trace)

    def __enter__(self) -> Evse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the charger as it was, and the port. Does not wait long for a silent one."""
        self._protocol.sync_timeout = min(self._protocol.sync_timeout, CLOSE_TIMEOUT_S)
        try:
            self.leave()
        except EvseError:
            pass  # it is silent or gone, and forgets them with its next start
        finally:
            self._transport.close()

    def leave(self) -> None:
        """Ends our subscriptions, those of raw commands too, and the echo if we switched it on."""
        for name in list(self._subscriptions):
            self._unsubscribe(name)
        if self._echo:
            self.raw("ATE0")

    # --- values

    def get(self, name: str) -> Fields:
        """The fields of one value, e.g. ``(160,)``; of a command with many lines all fields in a row.

        UsageError: no such value. RefusedError: this firmware or board does not have it.
        """
        rows = self.get_rows(name)
        return tuple(field for row in rows for field in row)

    def get_rows(self, name: str, force: bool = False) -> list[Fields]:
        """The fields of every line of an answer: one, but for SERIALS and AUX..."""
        command = _command(name, "R", "read")
        _refuse_danger(f"AT+{name}?", force)
        hint = ": only newer firmware has it" if command.head else "; this firmware or board lacks it"
        answer = _accepted(self._read(name), f"{name}: the charger refuses to show it{hint}")
        rows = [value.fields for value in answer.values if value.name == name]
        return rows if command.lines else rows[-1:]

    def get_all(self) -> dict[str, list[Fields]]:
        """Every value that this charger has, in the catalog's order: name -> lines."""
        values = {}
        for command in COMMANDS:
            if "R" in command.access and command.refresh != "never":
                try:
                    values[command.name] = self.get_rows(command.name)
                except RefusedError:
                    continue
        return values

    def _read(self, name: str) -> Answer:
        return self._repeat(read_request(name))

    def _repeat(self, request: Request) -> Answer:
        """An OK or an ERROR that can be believed, for what does no harm when it is executed twice."""
        errors = 0
        for _ in range(TRIES):
            answer = self._ask(request)
            errors += answer.outcome is Outcome.ERROR
            if answer.ok or errors == REFUSALS:
                return answer
            if answer.outcome is Outcome.NOT_SENT:
                break
        raise _no_answer(answer)

    def set(self, name: str, *values: Scalar, force: bool = False) -> Fields:
        """Writes, reads back, and returns what the charger shows then.

        UsageError: out of range, nothing was sent. RefusedError: the charger said ERROR and does not show the value, or
        it would do harm and is not sent unless forced. MismatchError: it shows something else. What it keeps in flash
        is not written when it holds the value already.
        """
        command = _command(name, "W", "written")
        try:
            line = f"AT+{name}={format_argument(command, values)}"
        except ValueError as error:
            raise UsageError(str(error)) from None
        _refuse_danger(line, force)
        if name == "WIFISTACFG" and values[1:2] == ("",) and not force:
            raise RefusedError("WIFISTACFG: an empty SSID makes the charger forget its network; --force if you mean it")
        self._refuse_too_long(command, values)
        if command.verify == 0 or "R" not in command.access:
            return self._write_unproven(command, line)
        if command.stored and self._provable(command, values) and self._shown(command, values, 0):
            return self._last_shown
        return self._write(command, line, values)

    def _refuse_too_long(self, command: Command, values: tuple[Scalar, ...]) -> None:
        for column, value in zip(writable_fields(command), values, strict=False):
            room = column.released_bytes
            if room and len(to_bytes(str(value))) > room and not self._read("TZ").ok:  # only newer firmware has TZ
                raise UsageError(
                    f"{command.name}: {value!r} has {len(to_bytes(str(value)))} bytes, at most {room} are allowed on "
                    "this charger: its firmware would store it and then not use it"
                )

    def _provable(self, command: Command, values: tuple[Scalar, ...]) -> bool:
        """Whether a read-back shows all of it: a password never is."""
        return len(values) <= command.verify and all(
            column.access != "W" for column in writable_fields(command)[: len(values)]
        )

    def _write(self, command: Command, line: str, values: tuple[Scalar, ...]) -> Fields:
        refusals, started = 0, time.monotonic()
        for _ in range(TRIES):
            answer = self._ask(Request(line))
            proof = answer.ok or self._provable(command, values)
            if answer.outcome is Outcome.NOT_SENT:
                raise _no_answer(answer)
            if self._shown(command, values, time.monotonic() - started) and proof:
                return self._last_shown
            if answer.ok:
                break
            refusals += answer.outcome is Outcome.ERROR
            if refusals == REFUSALS:
                raise RefusedError(
                    f"{command.name}: the charger refuses {_words(values, command)}{self._hint(command, values)}"
                )
        shown = _words(self._last_shown, command)
        raise MismatchError(f"{command.name}: wrote {_words(values, command)}, the charger shows {shown}")

    def _shown(self, command: Command, values: tuple[Scalar, ...], seconds: float) -> bool:
        """Whether the charger shows ``values``, written ``seconds`` ago; a mismatch is read twice."""
        tolerance = command.tolerance + seconds if command.tolerance else 0
        count = min(command.verify, len(values))
        for _ in range(2):
            answer = self._read(command.name)
            rows = [value.fields for value in answer.values if value.name == command.name]
            self._last_shown = rows[-1] if rows else ()
            if self._last_shown and all(
                _equal(column, have, want, tolerance)
                for column, have, want in zip(command.fields, self._last_shown[:count], values, strict=False)
            ):
                return len(self._last_shown) >= count
        return False

    def _hint(self, command: Command, values: tuple[Scalar, ...]) -> str:
        if command.name == "TZ":
            return f"; {zone_hint(str(values[0]))}" if self._read("TZ").ok else ": only newer firmware has it"
        if command.name not in ("CHCUR", "DEFCHCUR"):
            return ""
        (maximum,) = self.get("MAXCHCUR")
        return f"; at most {maximum} A on this charger, by its MAXCHCUR"

    def _write_unproven(self, command: Command, line: str) -> Fields:
        answer = self._ask(Request(line))
        if answer.outcome is Outcome.ERROR:
            answer = self._ask(Request(line))
        _accepted(answer, f"{command.name}: the charger refuses {line.partition('=')[2]}")
        return self.get(command.name) if "R" in command.access else ()

    # --- commands

    def run(self, name: str) -> None:
        """Runs AUTH or RST, once: without an answer nobody knows whether it was executed, and it is not repeated."""
        _command(name, "X", "run")
        _accepted(self._ask(Request(f"AT+{name}")), f"{name}: the charger said ERROR")

    def scan(self) -> list[Fields]:
        """Wi-Fi networks in reach: (ssid, auth, rssi in dBm). The charger is deaf for about 2 s."""
        answer = self._ask(Request("AT+WIFIAPSCAN", timeout=SLOW_TIMEOUT_S))
        _accepted(answer, "WIFIAPSCAN: the charger cannot scan now; is its Wi-Fi on?")
        return [value.fields for value in answer.values if value.name == "WIFIAPSCAN"]

    def commands(self) -> frozenset[str]:
        """Names of the catalog, and others, that this firmware knows."""
        lines, ok = self.raw("AT+CMD")
        if not ok:
            raise RefusedError("CMD: the charger does not list its commands")
        return frozenset(line[3:].rstrip("?=") for line in lines if line.startswith("AT+"))

    def raw(self, text: str, force: bool = False) -> tuple[list[str], bool]:
        """Sends one command line as it is; returns the lines of its answer and whether it ended with OK.

        UsageError: not one line that begins with AT. RefusedError: it can hang or crash the charger, unless forced.
        """
        try:
            check_line(text)
        except ValueError as error:
            raise UsageError(str(error)) from None
        _refuse_danger(text, force)
        before = dict(self._subscriptions), self._echo
        self._note_begun(text)
        answer = self._ask(Request(text, timeout=SLOW_TIMEOUT_S))
        if answer.outcome in (Outcome.ERROR, Outcome.NOT_SENT):
            self._subscriptions, self._echo = before
        if answer.outcome not in (Outcome.OK, Outcome.ERROR):
            raise _no_answer(answer)
        if answer.ok:
            self._note_ended(text)
        return list(answer.lines), answer.ok

    def _note_begun(self, text: str) -> None:
        """What a raw command switches on, to be switched off at the end: before it is sent, for its OK may get lost."""
        spoken = parse_command(text.strip())
        self._echo |= spoken is not None and spoken.name == "E1"
        if spoken and (spoken.name, spoken.form) == ("SUB", WRITE):
            subject = _SUBSCRIBED.fullmatch(spoken.argument)
            if subject and subject[1] in COMMAND:
                self._subscriptions[subject[1]] = max(int(subject[2] or UNKNOWN_PERIOD_MS), 1)
                self._pushed_at = time.monotonic()

    def _note_ended(self, text: str) -> None:
        spoken = parse_command(text.strip())
        if spoken and spoken.name == "E0":
            self._echo = False
        if spoken and (spoken.name, spoken.form) == ("UNSUB", WRITE):
            name = spoken.argument.strip('"').removeprefix("+")
            for ended in [name] if name else list(self._subscriptions):
                self._subscriptions.pop(ended, None)

    # --- subscriptions

    @property
    def subscriptions(self) -> frozenset[str]:
        """Names of the values that the charger pushes, or may push, because of us."""
        return frozenset(self._subscriptions)

    def subscribe(self, name: str, period_ms: int) -> None:
        """The charger pushes the value every ``period_ms`` (100 to 42 949 671), rounded up to its own loop."""
        command = _command(name, "R", "subscribed to")
        if not command.subscribable:
            raise RefusedError(f"{name}: {command.danger or 'it cannot be subscribed to'}")
        if not 100 <= period_ms <= MAX_SUBSCRIBE_PERIOD_MS:
            raise UsageError(f"{name}: period {period_ms} ms is out of range, 100 to {MAX_SUBSCRIBE_PERIOD_MS} ms")
        self._subscriptions[name] = period_ms  # noted first: even an unanswered one may have been taken
        self._subscribe(name)

    def _subscribe(self, name: str) -> None:
        answer = self._repeat(Request(f'AT+SUB="+{name}",{self._subscriptions[name]}'))
        if not answer.ok:
            del self._subscriptions[name]
            raise RefusedError(f"{name}: the charger does not push it; this firmware lacks it")
        self._pushed_at = time.monotonic()

    def unsubscribe(self, name: str) -> None:
        """Ends a subscription, whoever made it."""
        _command(name, "R", "subscribed to")
        _accepted(self._unsubscribe(name), f"{name}: the charger does not end the subscription")

    def _unsubscribe(self, name: str) -> Answer:
        answer = self._repeat(Request(f'AT+UNSUB="+{name}"'))
        self._subscriptions.pop(name, None)
        return answer

    def events(self, timeout: float | None = None) -> Iterator[Value | Ready]:
        """Pushed values and restarts as they come, until nothing came for ``timeout`` s (None: for ever), or ``wake``.

        After a restart of the charger, and when its pushes stop, the subscriptions are made again.
        """
        quiet_since = time.monotonic()
        while True:
            while self._queue:
                yield self._queue.popleft()
                quiet_since = time.monotonic()
            now = time.monotonic()
            if self._woken or (timeout is not None and now - quiet_since >= timeout):
                self._woken = False
                return
            left = NEVER if timeout is None else timeout - (now - quiet_since)
            self._listen(min(left, WAIT_S))
            self._keep_subscriptions()

    def wake(self) -> None:
        """Ends ``events`` of another thread, or the next one, when all that came has been fetched. The one method that
        may be called from any thread."""
        self._woken = True
        self._transport.wake()

    def _keep_subscriptions(self) -> None:
        wanted = [name for name in self._subscriptions if COMMAND[name].subscribable]
        if not wanted:
            return
        limit = 3 * min(self._subscriptions[name] for name in wanted) / 1000 + SILENT_S
        if self._renew or time.monotonic() - self._pushed_at > limit:
            for name in wanted:
                self._subscribe(name)
            self._renew = False

    @property
    def longest_silence_s(self) -> float:
        """For how long the charger has said nothing at most, since ``forget_silence``; the present silence counts."""
        return max(self._longest_silence_s, time.monotonic() - self._heard_at)

    def forget_silence(self) -> None:
        self._longest_silence_s = 0.0

    # --- the engine

    def _ask(self, request: Request) -> Answer:
        """One request to its end."""
        while self._listen(0):  # a RDY that lies unread must be seen before anything is sent, and no old answer later
            pass
        self._protocol.start(request, time.monotonic())
        self.last_answer = None
        try:
            while self.last_answer is None:
                self._send()
                self._pump(max(self._protocol.deadline - time.monotonic(), 0.0))
        except BaseException:
            self._protocol.cancel()
            raise
        return self.last_answer

    def _send(self) -> None:
        data = self._protocol.outgoing()
        if data:
            if self._trace:
                self._trace(">", data)
            self._transport.write(data)

    def _listen(self, seconds: float) -> bool:
        heard = self._pump(seconds)
        self._send()
        return heard

    def _pump(self, seconds: float) -> bool:
        """Whether anything came."""
        data = self._transport.read(seconds)
        now = time.monotonic()
        if data and self._trace:
            self._trace("<", data)
        asked = self._protocol.asked
        for event in self._protocol.receive(data, now) if data else self._protocol.advance(now):
            self._on_event(event, asked)
        return bool(data)

    def _on_event(self, event: Event | Answer, asked: str) -> None:
        if isinstance(event, Value | Ready) or (
            isinstance(event, Answer) and event.outcome in (Outcome.OK, Outcome.ERROR)
        ):
            self._longest_silence_s, self._heard_at = self.longest_silence_s, time.monotonic()
        if isinstance(event, Answer):
            self.last_answer = event
        elif isinstance(event, Ready):
            self._renew = True
            self._queue.append(event)
        elif isinstance(event, Value) and (event.name != asked or event.name in self._subscriptions):
            self._pushed_at = time.monotonic()
            self._queue.append(event)


def _command(name: str, access: str, verb: str) -> Command:
    command = COMMAND.get(name)
    if command is None:
        raise UsageError(f"{name}: no such command")
    if access not in command.access:
        raise UsageError(f"{name}: cannot be {verb}")
    return command


def _refuse_danger(line: str, force: bool) -> None:
    reason = danger_of(line)
    if reason and not force:
        raise RefusedError(reason)


def _equal(column: Field, have: Scalar, want: Scalar, tolerance: float) -> bool:
    return same(column, have, want) or (bool(tolerance) and abs(int(have) - int(want)) <= tolerance)


def _words(values: Fields, command: Command) -> str:
    """Values for a message, passwords left out."""
    shown = [str(value) for value, column in zip(values, command.fields, strict=False) if column.access != "W"]
    return ", ".join(shown) or "nothing"


def _accepted(answer: Answer, refusal: str) -> Answer:
    """An answer that is an OK. Raises RefusedError with ``refusal``, or NoAnswerError."""
    if answer.outcome is Outcome.ERROR:
        raise RefusedError(refusal)
    if not answer.ok:
        raise _no_answer(answer)
    return answer


def _no_answer(answer: Answer) -> NoAnswerError:
    if answer.outcome is Outcome.NOT_SENT:
        return NoAnswerError("the charger does not answer: is it on, in AT mode, at this baud rate, TX and RX crossed?")
    what = "the charger restarted" if answer.outcome is Outcome.RESTARTED else "no answer"
    return NoAnswerError(f"{name_of(answer.request.line)}: {what}; it may have been executed or not")

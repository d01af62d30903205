"""What the client alone must never do: each of its calls, each of its answers, on lines that no charger sends.

The fuzzer (tests/fuzz/report.h) gives the events of an execution in a line of JSON and gets a line back: empty, or what
was wrong first.
"""

from __future__ import annotations

import json
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from evse_host.catalog import COMMAND, LIVE_SETTINGS, Command
from tools.soak.oracle.command import READ, RUN, UNSUBSCRIBE, WRITE, forbidden, read_command
from tools.soak.oracle.contract import MAX_SENDS, RUN_EXPIRES_S, WISH_EXPIRES_S
from tools.soak.oracle.link import Line, Link, Value, read_line

WRITE_ENDS_MS = WISH_EXPIRES_S * 1000 + 3000
RUN_WAITS_MS = RUN_EXPIRES_S * 1000 + 200  # and the same command may have been in flight before
RUN_ENDS_MS = 28000
LACKING_MS = 600000
STARVED_MS = 700
RAW_TIMEOUT_MS = 4000
CLOCK_OFF_S = 4
MOST_BYTES = 500  # of a verdict
HEARD_TIMES = 3  # noise comes once, or the same twice
FIELD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+', re.DOTALL)


class FindingError(Exception):
    """What must not be."""


def require(holds: bool, what: str) -> None:
    if not holds:
        raise FindingError(what)


@dataclass
class Wish:
    """A write of ``argument``, of which ``provable`` bytes can be read back; without (a number) the value."""

    argument: str
    provable: int | None
    time: int
    since: int  # of the first of those that it has replaced
    sends: int = 0
    acknowledged: bool = False

    @property
    def hides(self) -> bool:
        """A part of it cannot be read back."""
        return self.provable is not None and self.provable < len(self.argument)


@dataclass
class State:
    """Of a command."""

    command: Command
    wish: Wish | None = None
    shown: str = ""  # what the client has told last
    heard: str | None = None  # of a setting that is kept
    times: int = 0  # in a row
    kept: set[str] = field(default_factory=set)  # may be put back after a restart: heard three times, or proven
    may_restore: bool = False
    failed: str | None = None  # the last wish of which nobody knows whether the charger holds it
    read: str = ""  # what the last read has shown
    unsupported: bool = False
    shown_since_read: bool = False  # the wish's value, in answer to the read in flight
    held: bool = False  # and that read has ended
    run_wanted: bool = False  # to be sent
    run_waits: bool = False  # for its end
    run_in_flight: bool = False
    run_at: int = 0
    vain_reads: int = 0
    lines: int = 0  # heard of it: each is a reason to ask whether the firmware has it


class Client:
    """Judges one execution. Raises FindingError."""

    def __init__(self, names: Iterable[str], keeps_settings: bool) -> None:
        self._states = {name: State(COMMAND[name]) for name in names}
        self._keeps_settings = keeps_settings
        self._link = Link(
            self._states,
            lambda what, command: require(False, f"{what}: {command}"),
            lambda name: self._states[name].unsupported,
        )
        self._begun = ""  # of a line
        self._line: Line | None = None  # the last one received
        self._fields: tuple = ()  # if it was a value
        self._value_of: State | None = None
        self._reads: State | None = None  # the command in flight
        self._writes: State | None = None
        self._raws: deque[tuple[str, int]] = deque()  # to be sent
        self._raw_in_flight, self._raw_sent_at, self._raws_wait = False, 0, 0
        self._drops = False  # up to the next line end
        self._online, self._honest = False, True
        self._unsubscribe_asked = True  # those of an earlier life
        self._sent, self._sent_before_calm = 0, 0

    # --- what is asked for --------------------------------------------------------------------------------------------

    def on_wish(self, now: int, name: str, argument: str, provable: int | None = None) -> None:
        state = self._states[name]
        wish = merged(state.wish, Wish(argument, provable, now, now))
        if state.wish and state.wish.argument == wish.argument and wish.provable is None:
            state.wish.time = now  # the same once more: one write serves both
            return
        state.wish = wish
        state.shown_since_read = state.held = False

    def on_run(self, now: int, name: str) -> None:
        state = self._states[name]
        state.run_wanted = state.run_waits = True
        state.run_at = now

    def on_raw(self, now: int, text: str) -> None:
        self._raws.append((text, now))
        self._raws_wait += 1

    def on_unsubscribe(self, _now: int) -> None:
        self._unsubscribe_asked = True

    # --- out ----------------------------------------------------------------------------------------------------------

    def on_sent(self, now: int, data: str) -> None:
        self._sent += 1
        self._reads = self._writes = None
        self._raw_in_flight = False
        require(data.endswith("\n"), "not one line")
        if self._link.on_sent(data[:-1], now):
            self._judge_command(data[:-1], now)

    def _judge_command(self, command: str, now: int) -> None:
        if self._is_raw(command, now) or command == "ATE0":
            return
        form = read_command(command)
        wrong = forbidden(form, self._states)
        require(not wrong, wrong)
        if form.kind == UNSUBSCRIBE:
            require(form.name != "" or self._unsubscribe_asked, "all subscriptions are stopped, nobody asked")
        elif form.kind == RUN:
            self._judge_run(self._states[form.name], now)
        elif form.kind == READ:
            self._judge_read(self._states[form.name], now)
        elif form.kind == WRITE:
            self._judge_write(self._states[form.name], form.argument)

    def _is_raw(self, command: str, now: int) -> bool:
        if not any(command == text and now - time <= RUN_WAITS_MS for text, time in self._raws):
            return False
        while True:  # those before it were given up
            text, time = self._raws.popleft()
            if command == text and now - time <= RUN_WAITS_MS:
                break
        self._raw_in_flight, self._raw_sent_at = True, now
        return True

    def _judge_read(self, state: State, now: int) -> None:
        if state.unsupported and not state.wish and not state.may_restore:
            state.vain_reads += 1
            reasons = 2 + state.lines + now // LACKING_MS
            require(state.vain_reads <= reasons, "what the firmware lacks is asked again and again")
        self._reads = state
        state.shown_since_read = state.held = False

    def _judge_run(self, state: State, now: int) -> None:
        require(state.run_wanted, "a run that nobody asked for, or again")
        state.run_wanted, state.run_in_flight = False, True
        before = 11000 if state.command.lines else 1000
        require(now - state.run_at <= RUN_WAITS_MS + before, "a run long after it was asked for")

    def _judge_write(self, state: State, argument: str) -> None:
        command, wish = state.command, state.wish
        self._writes = state
        if not wish:
            require(state.may_restore and argument in state.kept, "a write that nobody asked for")
            require(state.failed != state.read, "a kept setting undoes a newer wish that the charger holds after all")
            return
        if not command.tolerance and wish.provable is not None and argument != wish.argument:
            # An older firmware shows fewer fields: the others are left out.
            require(wish.argument.startswith(f"{argument},"), "not the newest wish")
            wish.argument, wish.provable = argument, min(wish.provable, len(argument))
        require(command.tolerance > 0 or argument == wish.argument, "not the newest wish is written")
        wish.sends += 1
        require(wish.sends <= MAX_SENDS, "written too often")
        flash = command.stored and command.verify
        require(not flash or wish.hides or not state.held, "written to flash, though the charger holds it")
        wish.acknowledged = False

    # --- in -----------------------------------------------------------------------------------------------------------

    def on_received(self, now: int, piece: str) -> None:
        """At most one line."""
        self._value_of = None
        if self._drops:
            self._drops = "\n" not in piece and "\r" not in piece
            return
        self._begun += piece
        if piece[-1] in "\r\n":
            line, self._begun = read_line(self._begun), ""
            if line:
                self._line = line
                heard = self._link.on_line(line, now)
                if isinstance(heard, Value):
                    self._on_value(heard, line.rest, now)
                elif heard and heard.answers:
                    self._on_result(heard.ok)

    def on_dropped(self, _now: int) -> None:
        """What the charger has sent while the loop stood still."""
        self._link.lose()
        self._begun, self._drops = "", True

    def on_forged(self, _now: int) -> None:
        """Bytes come that the charger has not sent: what it holds proves nothing any more."""
        self._honest = False

    def _on_result(self, ok: bool) -> None:
        """Of the command in flight."""
        if self._reads:
            self._reads.held = self._reads.shown_since_read
        if self._writes and self._writes.wish:
            self._writes.wish.acknowledged = ok and self._writes.wish.sends > 0

    def _on_value(self, value: Value, text: str, now: int) -> None:
        self._value_of, self._fields = state, fields = self._states[value.command], value.fields
        command = state.command
        state.lines += state.unsupported
        if state.wish and state.lines >= 2:  # the firmware has it after all, though nothing is shown beside a wish
            state.unsupported, state.lines, state.vain_reads = False, 0, 0
        answers = self._link.in_flight and self._reads is state
        if state.wish and answers:
            state.shown_since_read = fulfils(command, state.wish, text, fields, now)
        if self._keeps_settings and command.name in LIVE_SETTINGS:
            self._keep(state, str(fields[0]), answers)  # `00` is written as `0`

    @staticmethod
    def _keep(state: State, value: str, answers: bool) -> None:
        if answers:
            state.read = value
        state.times = state.times + 1 if state.heard == value else 1
        state.heard = value
        if state.times >= HEARD_TIMES or state.failed == value:
            state.kept.add(value)

    # --- what the client says -----------------------------------------------------------------------------------------

    def on_values(self, now: int, name: str, *values: int | str) -> None:
        state = self._states[name]
        require(self._value_of is state, "a value that was not on the line")
        require(values == said(self._fields), "not the value that was on the line")
        starved = state.wish and now - state.wish.since > STARVED_MS
        told = not state.wish or state.shown_since_read or starved
        require(told, "another value is told while a write is pending")
        state.unsupported = False
        state.shown = self._line.rest

    def on_lacking(self, _now: int, name: str) -> None:
        state = self._states[name]
        require(not state.unsupported, "unsupported is said twice")
        state.unsupported = True

    def on_done(self, _now: int, name: str, success: bool, unknown: bool) -> None:
        """``unknown``: nobody knows what the charger holds."""
        state = self._states[name]
        if state.run_waits:
            state.run_wanted &= state.run_in_flight  # else it was given up
            state.run_in_flight = False
            state.run_waits = state.run_wanted  # asked for once more meanwhile
            return
        wish, state.wish, state.failed = state.wish, None, None
        require(wish is not None or state.may_restore, "nobody waits for this")
        if success or not wish:
            state.may_restore = False
        elif unknown:
            state.failed = wish.argument
        if wish and success:
            self._judge_success(state, wish)

    def _judge_success(self, state: State, wish: Wish) -> None:
        if not state.command.verify:
            require(wish.acknowledged or state.held, "done, without an OK")
            return
        require(state.held, "done, but no read-back has shown it")
        proven = not wish.hides or wish.acknowledged
        require(proven, "done, but nothing tells whether the part was taken that cannot be read")
        if self._keeps_settings:
            state.kept.add(wish.argument)

    def on_online(self, _now: int, online: bool) -> None:
        require(not online or not self._online, "online twice")
        self._online = online

    def on_restart(self, _now: int) -> None:
        for name, state in self._states.items():
            state.unsupported, state.heard, state.failed = False, None, None
            state.may_restore |= self._keeps_settings and name in LIVE_SETTINGS

    def on_raw_line(self, _now: int, line: str) -> None:
        same = self._line is not None and self._line.text == line
        require(self._raw_in_flight and same, "a line of a raw command that was not one")

    def on_raw_result(self, now: int) -> None:
        require(self._raws_wait > 0, "nobody waits for this result")
        self._raws_wait -= 1
        if not self._link.in_flight or now - self._raw_sent_at >= RAW_TIMEOUT_MS:
            self._raw_in_flight = False  # else another one was given up

    # --- at any time --------------------------------------------------------------------------------------------------

    def on_damage(self, _now: int, what: str) -> None:
        require(not self._honest, what)

    def on_look(self, now: int) -> None:
        for state in self._states.values():
            require(not state.wish or now - state.wish.time <= WRITE_ENDS_MS, "a write has no end")
            require(not state.run_waits or now - state.run_at <= RUN_ENDS_MS, "a run has no end")

    def on_recovered(self, _now: int, online: bool) -> None:
        require(online and self._online, "all is well, but the client is offline")
        self._sent_before_calm = self._sent

    def on_held(self, _now: int, name: str, value: str) -> None:
        """By the charger: the client must have told it."""
        state = self._states[name]
        command = state.command
        known = "R" in command.access and not command.lines and not command.tolerance and name != "UPTIME"
        told = not known or state.unsupported or state.shown == value
        require(told, f"another value than the charger's is shown: {name} {state.shown}")

    def on_calm(self, _now: int) -> None:
        sent = self._sent - self._sent_before_calm
        require(sent <= 2 * len(self._states) + 24, "the line is never calm")


@lru_cache(10_000)
def said(fields: tuple) -> tuple:
    """As the fuzzer's process says it: numbers of 64 bits without a sign."""
    return tuple(value if isinstance(value, str) else value % 2**64 for value in fields)


def merged(old: Wish | None, new: Wish) -> Wish:
    """A newer wish takes an older one's place, field by field."""
    if not old:
        return new
    new.since = old.since
    if old.provable is None:
        return new
    end = len(",".join(FIELD.findall(old.argument)[: len(FIELD.findall(new.argument))]))
    if new.provable is None:
        new.provable = old.provable + len(new.argument) - end
    elif not new.hides and not old.hides:
        new.provable = len(new.argument) + len(old.argument) - end
    new.argument += old.argument[end:]
    return new


def fulfils(command: Command, wish: Wish, text: str, fields: tuple, now: int) -> bool:
    """Whether a value line shows what was wished for."""
    if wish.provable is not None:
        proven = wish.argument[: wish.provable]
        return f"{text},".startswith(f"{proven},")
    tolerance = CLOCK_OFF_S + (now - wish.time) // 1000 if command.tolerance else 0
    return abs(fields[0] - int(wish.argument)) <= tolerance


def judge(events: list[list]) -> str:
    """What was wrong first, with its moment (ms); empty if nothing was. The first event is the client's making."""
    (_, _, keeps_settings, *names), *others = events
    client = Client(names, keeps_settings)
    on: dict[str, Callable] = {}
    for kind, now, *words in others:
        act = on.get(kind) or on.setdefault(kind, getattr(client, f"on_{kind}"))
        try:
            act(now, *words)
        except FindingError as error:
            return f"{error} (at {now} ms)"[:MOST_BYTES]
    return ""


def main() -> None:
    for line in sys.stdin.buffer:
        print(judge(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()

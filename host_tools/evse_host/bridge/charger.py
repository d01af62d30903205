"""One charger, one serial owner, any number of bridges.

A thread of its own holds the port, keeps a snapshot of everything current by subscription, and executes what bridges
ask for, one after the other, in the order in which they asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from ..catalog import COMMANDS, ONCE, SESSION_STATES, Command
from ..catalog import NEVER as NEVER_READ
from ..errors import EvseError, NoAnswerError, PortError, RefusedError
from ..line.client import Evse
from ..line.steady import TRIES, read_steady
from ..wire.codec import Fields, Ready, Scalar, Value
from ..wire.protocol import Outcome
from .counters import COUNTERS, Counters
from .energy_follower import TOTAL, EnergyFollower
from .snapshot import Snapshot

FAST_MS = 250  # a change is told within half a second; the charger's push loop takes 260 ms
SLOW_MS = 2000
#: What bridges show as it changes; the rest is pushed with SLOW_MS.
FAST = ("STATE", "ERROR", "ENABLE", "AVAILABLE", "PENDAUTH", "LIMREACH", "CHCUR", "EMETERPOWER", "EMETERCURRENT",
        "EMETERCONSUM", "TEMP")  # fmt: skip
#: A charger that says nothing for so long is not known any more. It pushes FAST every 260 ms, is silent for 2 s while
#: it boots, and what it is asked for may take longer to fail.
SILENT_S = 3.0
LOST_PERIODS, LOST_S = 3, 1.0  # a subscription that is silent for longer is gone
IDLE_S = 0.5
GATHER_S = 0.025  # pushes come in bursts: one snapshot for all of them
MAX_GATHER_S = 0.1
JOB_EXPIRES_S = 10.0
RUN_EXPIRES_S = 5.0  # as in the component: an old authorization must not unlock for somebody else
MAX_JOBS = 100  # that wait: whoever asks for more is told at once, instead of in ten seconds
STOP_TIMEOUT_S = 15.0  # a name server that does not answer must not keep a program from its end
BACK_OFF_S = (0.5, 1.0, 2.0, 5.0)
ENDS = "this program ends"

T = TypeVar("T")
Listener = Callable[[Snapshot], None]
#: Called with AT name, first value in wire units, and who asked for it, after a write.
WriteListener = Callable[[str, Scalar, object], None]


@dataclass
class _Job:
    work: Callable[[Evse], object]
    expires_s: float
    asked_at: float
    future: Future[Any] = field(default_factory=Future[Any])

    def fail(self, error: Exception) -> None:
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class SharedCharger:
    """``open_evse`` opens the port, again and again as it vanishes and comes back: it may raise EvseError.

    In ``state_dir`` the lifetime energy outlives this program; without it, it does not.
    """

    def __init__(self, open_evse: Callable[[], Evse], name: str = "charger", state_dir: Path | None = None) -> None:
        self.name = name
        self._error = "not connected yet"
        self._open = open_evse
        self._log = logging.getLogger(f"evse.{name}")
        self._snapshot = Snapshot()
        self._listeners: list[Listener] = []
        self._write_listeners: list[WriteListener] = []
        self._bound = ""
        self._notes: dict[str, str] = {}
        self._jobs: deque[_Job] = deque()
        self._evse: Evse | None = None  # only while jobs are taken; with _jobs under the lock
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"evse-{name}", daemon=True)
        self._failures = 0  # in a row
        self._problem: type | None = None  # what was logged last
        self._counters = Counters()
        self._energy = EnergyFollower(state_dir)
        self._periods: dict[str, int] = {}
        self._seen: dict[str, float] = {}
        self._restarted = False

    # --- for bridges, from any thread

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, wait: bool = True) -> None:
        """Ends the subscriptions and closes the port. It may be called at any time, and twice."""
        self._stop.set()
        with self._lock:
            evse = self._evse
        if evse:
            evse.wake()
        if wait and self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(STOP_TIMEOUT_S)

    @property
    def snapshot(self) -> Snapshot:
        """Offline as soon as its values are older than they may be, which listeners hear a few seconds later."""
        return replace(self._snapshot, online=False) if self._snapshot.online and self._doubt() else self._snapshot

    @property
    def error(self) -> str:
        """Why it is offline, for a person."""
        return (self._snapshot.online and self._doubt()) or self._error

    def _doubt(self) -> str:
        """Why the values that are shown need not be true any more; empty: they are."""
        if self._evse and self._restarted:
            return "it has restarted, and is read again"
        return f"the charger does not answer: nothing came for {SILENT_S:g} s" if self._is_silent() else ""

    def _is_silent(self) -> bool:
        """Or it was, and has not been read again since: much may have changed."""
        evse = self._evse
        return evse is not None and evse.longest_silence_s > SILENT_S

    def note(self, who: str, text: str) -> None:
        """A sentence about a controller, shown with the next values; empty: nothing any more. From any thread."""
        with self._lock:
            if self._notes.get(who, "") == text:
                return
            self._notes, evse = {**self._notes, who: text}, self._evse
        if evse:
            evse.wake()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls ``listener``, in the charger's thread, with every new snapshot; returns what ends that."""
        with self._lock:
            self._listeners.append(listener)
        return lambda: self._forget(listener)

    def listen_to_writes(self, listener: WriteListener) -> Callable[[], None]:
        """Calls ``listener``, in the charger's thread, after every write that any bridge asked for; returns what ends
        that."""
        with self._lock:
            self._write_listeners.append(listener)
        return lambda: self._forget_writes(listener)

    def show_bound(self, words: str) -> None:
        """What a central system forbids or limits, for the snapshot: people shall see why the charger does not do what
        they want. From any thread."""
        self._bound = words
        with self._lock:
            evse = self._evse
        if evse:
            evse.wake()

    def set(self, name: str, *values: Scalar, by: object = None) -> Future[Fields]:
        """Writes in wire units and reads back; the snapshot shows it before the future is done. ``by`` tells those who
        listen to writes whose it is.

        The future raises UsageError (out of range, nothing was sent), RefusedError, MismatchError, NoAnswerError or
        PortError.
        """
        return self.submit(lambda evse: self._set(evse, name, values, by))

    def run(self, name: str) -> Future[None]:
        """Runs AUTH or RST, once, within RUN_EXPIRES_S or not at all."""
        return self.submit(lambda evse: evse.run(name), RUN_EXPIRES_S)

    def submit(self, work: Callable[[Evse], T], expires_s: float = JOB_EXPIRES_S) -> Future[T]:
        """``work`` is called with the open charger, in its thread. Without a charger the future fails at once.

        Cancelling the future before its turn means that nothing is sent."""
        job = _Job(work, expires_s, time.monotonic())
        with self._lock:
            evse, busy = self._evse, len(self._jobs) >= MAX_JOBS
            if evse and not busy and not self._is_silent():
                self._jobs.append(job)
            elif not busy:
                evse = None
        if evse is None:
            job.fail(self._offline_error())
        elif busy:
            job.fail(NoAnswerError(f"{self.name} is busy: {MAX_JOBS} wait already; nothing was sent"))
        else:
            evse.wake()
        return job.future

    def _offline_error(self) -> NoAnswerError:
        return NoAnswerError(f"{self.name} is offline: {self.error}")

    def _forget(self, listener: Listener) -> None:
        with self._lock, contextlib.suppress(ValueError):
            self._listeners.remove(listener)

    def _forget_writes(self, listener: WriteListener) -> None:
        with self._lock, contextlib.suppress(ValueError):
            self._write_listeners.remove(listener)

    # --- the thread: online and offline

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._open() as evse:
                    self._serve(evse)
            except EvseError as error:
                self._go_offline(error)
            self._stop.wait(BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)])
            self._failures += 1
        self._energy.end()
        self._go_offline(None)

    def _serve(self, evse: Evse) -> None:
        """Until the charger is lost or not wanted any more; it is offline before the port is closed, which takes a
        while when nobody answers."""
        error = None
        try:
            self._begin(evse)
            while not self._stop.is_set():
                self._step(evse)
        except EvseError as lost:
            error = lost
        except Exception as bug:
            self._log.exception("an error in this program; connecting again")
            error = EvseError(str(bug) or type(bug).__name__)
        self._go_offline(error)

    def _go_offline(self, error: Exception | None) -> None:
        """``error`` None: we end."""
        self._error = ENDS if error is None else " ".join(str(error).split()) or type(error).__name__
        with self._lock:
            jobs, self._evse = list(self._jobs), None
            self._jobs.clear()
        self._show(online=False)
        if error and type(error) is not self._problem:  # once, not with every attempt
            self._log.warning("offline: %s", self._error)
            self._problem = type(error)
        for job in jobs:
            job.fail(self._offline_error())

    def _begin(self, evse: Evse) -> None:
        """Reads all that can be read, then subscribes."""
        self._counters = Counters()
        self._periods, self._seen = {}, {}
        values = self._read_all(evse)
        if self._stop.is_set():
            return
        if values.pop(TOTAL, None):  # this firmware has it
            self._energy.begin(evse, str(values.get("WIFISTAMAC", (self.name,))[0]))
            values |= self._energy.shown
        self._failures, self._problem = 0, None
        with self._lock:
            self._evse = evse
        before, self._snapshot = self._snapshot, self._make(True, values)  # while what was shown is still in doubt
        self._restarted = False
        evse.forget_silence()
        self._tell_since(before)
        self._log.info("online: firmware %s", values.get("VER", ("?",))[0])  # now it answers
        self._subscribe(evse, [name for name in values if _is_pushed(_BY_NAME[name])])

    def _read_all(self, evse: Evse) -> dict[str, Fields]:
        values: dict[str, Fields] = {}
        for command in [*_READ, *_READ]:  # noise may refuse what this charger has: the second time counts
            if self._stop.is_set():
                break
            if command.name not in values:
                with contextlib.suppress(RefusedError):
                    values[command.name] = self._read(evse, command)
        return {command.name: values[command.name] for command in _READ if command.name in values}

    def _read(self, evse: Evse, command: Command) -> Fields:
        if _is_fact(command):
            return read_steady(evse, command.name)
        fields = evse.get(command.name)
        if command.name not in COUNTERS:
            return fields
        for _ in range(TRIES):
            if self._counters.believes(command.name, fields):
                return fields
            fields = evse.get(command.name)
        raise NoAnswerError(f"{command.name}: no two answers agree: the line is too noisy; see `evse-host doctor`")

    # --- the thread: while online

    def _step(self, evse: Evse) -> None:
        """Some pushes, then all jobs."""
        was_in_session = self._snapshot.state in SESSION_STATES
        self._hear(evse)
        if self._restarted or self._is_silent():
            self._log.warning("the charger has restarted" if self._restarted else f"nothing came for {SILENT_S:g} s")
            self._begin(evse)
            return
        self._renew(evse)
        if was_in_session and self._snapshot.state not in SESSION_STATES:
            self._energy.look_again(evse)  # what it has cost is asked for now
        self._energy.look(evse, bool(self._snapshot.charging))
        self._show(self._energy.shown)
        while not self._restarted and (job := self._next_job()):
            self._work(evse, job)

    def _hear(self, evse: Evse) -> None:
        """Waits for pushes, and for those that come with them."""
        changed: dict[str, Fields] = {}
        try:
            for event in evse.events(IDLE_S):
                self._take(event, changed)
                break
            deadline = time.monotonic() + MAX_GATHER_S
            for event in evse.events(GATHER_S if changed else 0):
                self._take(event, changed)
                if self._restarted or time.monotonic() >= deadline:
                    break
        except RefusedError as error:
            self._log.debug("%s", error)  # noise, when it was subscribed again; _renew repeats it
        self._show(changed)

    def _take(self, event: Value | Ready, changed: dict[str, Fields]) -> None:
        if isinstance(event, Ready):
            self._restarted = True
        elif event.name in self._snapshot.values and event.name != TOTAL:
            self._seen[event.name] = time.monotonic()
            if self._counters.believes(event.name, event.fields):
                changed[event.name] = event.fields

    def _subscribe(self, evse: Evse, names: list[str]) -> None:
        for name in names:
            if self._stop.is_set():
                return
            period = FAST_MS if name in FAST else SLOW_MS
            self._periods[name], self._seen[name] = period, time.monotonic()
            with contextlib.suppress(RefusedError):  # noise, for it was read; _renew asks again
                evse.subscribe(name, period)

    def _renew(self, evse: Evse) -> None:
        """A single subscription can get lost, and another program can end it."""
        now = time.monotonic()
        lost = [
            name
            for name, period in self._periods.items()
            if now - self._seen[name] > LOST_PERIODS * period / 1000 + LOST_S
        ]
        self._subscribe(evse, lost)

    def _next_job(self) -> _Job | None:
        with self._lock:
            return self._jobs.popleft() if self._jobs and not self._stop.is_set() else None

    def _work(self, evse: Evse, job: _Job) -> None:
        if time.monotonic() - job.asked_at > job.expires_s:
            job.fail(NoAnswerError(f"{self.name} was busy for more than {job.expires_s:.0f} s; nothing was sent"))
            return
        if not job.future.set_running_or_notify_cancel():
            return
        try:
            result = job.work(evse)
        except EvseError as error:
            job.future.set_exception(error)
            if isinstance(error, PortError) or _is_silent(evse):
                raise  # the jobs behind it shall not wait for it in vain
        except Exception as error:
            self._log.exception("an error in this program")
            job.future.set_exception(error)
        else:
            job.future.set_result(result)

    def _set(self, evse: Evse, name: str, values: tuple[Scalar, ...], by: object) -> Fields:
        if name == TOTAL and values == (0,):
            self._energy.reset(evse)
            fields = self._energy.shown.get(TOTAL, ())
        else:
            fields = evse.set(name, *values)
        self._log.info("%s is set", name)
        changed: dict[str, Fields] = {}
        for event in evse.events(0):  # what came before the read-back must not be shown after it
            self._take(event, changed)
        self._show({**changed, name: fields} if fields else changed)
        with self._lock:
            listeners = list(self._write_listeners)
        for listener in listeners:
            listener(name, values[0], by)
        return fields

    # --- what is shown

    def _show(self, changed: dict[str, Fields] | None = None, *, online: bool = True) -> None:
        before = self._snapshot
        new = {name: fields for name, fields in (changed or {}).items() if before.values.get(name) != fields}
        self._snapshot = self._make(online, {**before.values, **new} if new else before.values)
        self._tell_since(before)

    def _make(self, online: bool, values: Mapping[str, Fields]) -> Snapshot:
        return Snapshot(online, values, self._bound, tuple(text for text in self._notes.values() if text))

    def _tell_since(self, before: Snapshot) -> None:
        """Tells the listeners if anything is new."""
        snapshot = self._snapshot
        if snapshot == before:
            return
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            try:
                listener(snapshot)
            except Exception:
                self._log.exception("an error in a bridge")


def _is_silent(evse: Evse) -> bool:
    return evse.last_answer is not None and evse.last_answer.outcome is Outcome.NOT_SENT


def _is_fact(command: Command) -> bool:
    return command.refresh == ONCE


def _is_pushed(command: Command) -> bool:
    return command.subscribable and not _is_fact(command) and command.name != TOTAL


_READ = tuple(
    command for command in COMMANDS if "R" in command.access and command.refresh != NEVER_READ and not command.danger
)
_BY_NAME = {command.name: command for command in _READ}


async def changes(charger: SharedCharger, every: float | None = None) -> AsyncGenerator[Snapshot]:
    """The snapshot now and every newer one, with ``every`` at least one in so many seconds; a slow reader gets the
    newest only."""
    loop, news = asyncio.get_running_loop(), asyncio.Event()

    def tell(_: Snapshot) -> None:
        loop.call_soon_threadsafe(news.set)

    forget = charger.listen(tell)
    try:
        while True:
            news.clear()
            yield charger.snapshot
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), every)
    finally:
        forget()

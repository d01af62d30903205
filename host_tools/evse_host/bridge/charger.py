"""One charger, one serial owner, any number of bridges.

A thread of its own holds the port, keeps a snapshot of everything current by subscription, and executes what bridges
ask for, one after the other, in the order in which they asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from ..catalog import COMMANDS, ONCE, Command
from ..client import Evse
from ..codec import Fields, Ready, Scalar, Value
from ..errors import EvseError, NoAnswerError, RefusedError
from ..steady import read_steady
from .snapshot import Snapshot

FAST_MS = 250  # a change is told within half a second; the charger's push loop takes 260 ms
SLOW_MS = 2000
#: What bridges show as it changes; the rest is pushed with SLOW_MS.
FAST = ("STATE", "ERROR", "ENABLE", "AVAILABLE", "PENDAUTH", "LIMREACH", "CHCUR", "EMETERPOWER", "EMETERCURRENT",
        "EMETERCONSUM", "TEMP")  # fmt: skip
SILENT_CHARGER_S = 2.0
GATHER_S = 0.05  # pushes come in bursts: one snapshot for all of them
JOB_EXPIRES_S = 10.0  # an old authorization must not unlock for somebody else
BACK_OFF_S = (0.5, 1.0, 2.0, 4.0, 8.0)

T = TypeVar("T")
Listener = Callable[[Snapshot], None]


@dataclass
class _Job:
    work: Callable[[Evse], object]
    asked_at: float
    future: Future = field(default_factory=Future)


class SharedCharger:
    """``open_evse`` opens the port, again and again as it vanishes and comes back: it may raise EvseError."""

    def __init__(self, open_evse: Callable[[], Evse], name: str = "charger") -> None:
        self.name = name
        self.error = "not connected yet"  # why it is offline, for a person
        self._open = open_evse
        self._log = logging.getLogger(f"evse.{name}")
        self._snapshot = Snapshot()
        self._listeners: list[Listener] = []
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"evse-{name}", daemon=True)
        self._periods: dict[str, int] = {}
        self._seen: dict[str, float] = {}

    # --- for bridges, from any thread

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the subscriptions and closes the port."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._fail_jobs("this program ends")

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshot

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls ``listener``, in the charger's thread, with every new snapshot; returns what ends that."""
        with self._lock:
            self._listeners.append(listener)
        return lambda: self._forget(listener)

    def set(self, name: str, *values: Scalar) -> Future[Fields]:
        """Writes in wire units and reads back; the snapshot shows it before the future is done.

        The future raises UsageError (out of range, nothing was sent), RefusedError, MismatchError, NoAnswerError or
        PortError.
        """
        return self.submit(lambda evse: self._set(evse, name, values))

    def run(self, name: str) -> Future[None]:
        """Runs AUTH or RST, once."""
        return self.submit(lambda evse: evse.run(name))

    def submit(self, work: Callable[[Evse], T]) -> Future[T]:
        """``work`` is called with the open charger, in its thread. Without a charger the future fails at once."""
        job = _Job(work, time.monotonic())
        if self._snapshot.online and not self._stop.is_set():
            self._jobs.put(job)
        else:
            job.future.set_exception(NoAnswerError(f"{self.name} is offline: {self.error}"))
        return job.future

    def _forget(self, listener: Listener) -> None:
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    # --- the thread

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                with self._open() as evse:
                    self._begin(evse)
                    failures = 0
                    while not self._stop.is_set():
                        self._step(evse)
            except EvseError as error:
                self._go_offline(str(error))
                self._stop.wait(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
                failures += 1
        self._show(online=False)

    def _begin(self, evse: Evse) -> None:
        """Reads all that can be read, then subscribes."""
        values = {}
        self._periods, self._seen = {}, {}
        for command in _READ:
            try:
                values[command.name] = read_steady(evse, command.name) if _is_fact(command) else evse.get(command.name)
            except RefusedError:
                continue  # this firmware or board lacks it
            if self._stop.is_set():
                return
        self._log.info("online: %s", values.get("VER", ("?",))[0])
        self._show(values, online=True)
        self._subscribe(evse)

    def _subscribe(self, evse: Evse) -> None:
        for name in self._snapshot.values:
            command = _BY_NAME[name]
            if not command.subscribable or _is_fact(command):
                continue
            period = FAST_MS if name in FAST else SLOW_MS
            try:
                evse.subscribe(name, period)
            except RefusedError:
                continue  # noise; it was read, and the next renewal asks again
            self._periods[name], self._seen[name] = period, time.monotonic()

    def _step(self, evse: Evse) -> None:
        """Some pushes, one job."""
        changed, restarted = {}, False
        deadline = time.monotonic() + 2 * GATHER_S
        for event in evse.events(GATHER_S):
            if isinstance(event, Ready):
                restarted = True
            elif isinstance(event, Value) and event.name in self._snapshot.values:
                self._seen[event.name] = time.monotonic()
                changed[event.name] = event.fields
            if time.monotonic() >= deadline or restarted:
                break
        if restarted:
            self._log.warning("the charger has restarted")
            self._begin(evse)
            return
        self._show(changed, online=True)
        self._renew(evse)
        self._work(evse)

    def _renew(self, evse: Evse) -> None:
        """A single subscription can get lost, and another program can end it."""
        now = time.monotonic()
        if any(now - self._seen[name] > 3 * period / 1000 + 1 for name, period in self._periods.items()):
            self._subscribe(evse)

    def _work(self, evse: Evse) -> None:
        try:
            job = self._jobs.get_nowait()
        except queue.Empty:
            return
        if not job.future.set_running_or_notify_cancel():
            return
        if time.monotonic() - job.asked_at > JOB_EXPIRES_S:
            job.future.set_exception(NoAnswerError(f"{self.name} was busy for more than {JOB_EXPIRES_S:.0f} s"))
            return
        try:
            result = job.work(evse)
        except Exception as error:
            job.future.set_exception(error)
            if isinstance(error, NoAnswerError) or not isinstance(error, EvseError):
                self._log.warning("%s", error)
            return
        job.future.set_result(result)

    def _set(self, evse: Evse, name: str, values: tuple[Scalar, ...]) -> Fields:
        fields = evse.set(name, *values)
        self._log.info("%s is set", name)
        if fields:
            self._show({name: fields}, online=True)
        return fields

    def _go_offline(self, reason: str) -> None:
        if self._snapshot.online or reason != self.error:
            self._log.warning("offline: %s", reason)
        self.error = reason
        self._show(online=False)
        self._fail_jobs(reason)

    def _fail_jobs(self, reason: str) -> None:
        while not self._jobs.empty():
            job = self._jobs.get_nowait()
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(NoAnswerError(f"{self.name} is offline: {reason}"))

    def _show(self, changed: dict[str, Fields] | None = None, *, online: bool) -> None:
        """Tells the listeners if anything is new."""
        before = self._snapshot
        after = Snapshot(online, {**before.values, **(changed or {})})
        if after == before:
            return
        self._snapshot = after
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener(after)


def _is_fact(command: Command) -> bool:
    return command.refresh == ONCE


_READ = tuple(
    command for command in COMMANDS if "R" in command.access and command.refresh != "never" and not command.danger
)
_BY_NAME = {command.name: command for command in _READ}


async def changes(charger: SharedCharger, every: float | None = None) -> AsyncIterator[Snapshot]:
    """The snapshot now and every newer one, with ``every`` at least one in so many seconds; a slow reader gets the
    newest only."""
    loop, news = asyncio.get_running_loop(), asyncio.Event()
    forget = charger.listen(lambda _: loop.call_soon_threadsafe(news.set))
    try:
        while True:
            news.clear()
            yield charger.snapshot
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), every)
    finally:
        forget()

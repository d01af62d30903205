"""Everything that can go wrong, by name. A fault puts what it does on the run's agenda and says when it is over."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from evse_host.catalog import COMMAND
from evse_host.simulator import Faults
from evse_host.simulator.interpreter import Subscription
from tools.soak.oracle.history import History
from tools.soak.oracle.wish import Wish, press

BOOT_S = 2.1  # until RDY, and the charging point behind it
FLOOD_MS = 100
TARGETS = ("", "", "CHCUR", "AUTH", "RST", "EMETERTOTCONSUM", "MAXCHCUR")  # whose answer goes wrong; "": the next one


class Stage(Protocol):
    """What a fault may do to a run. Moments are in s."""

    history: History
    clock_zero_at: float

    def inject(self, at: float, act: Callable[[Faults], object]) -> None: ...
    def wish(self, wish: Wish) -> None: ...
    def someone_else(self, at: float, dice: random.Random) -> None: ...
    def restart(self, rdy_seen: bool) -> None: ...
    def restart_in_answer(self) -> None: ...
    def restart_in_write(self, part: float) -> None: ...
    def power(self, on: bool) -> None: ...
    def stand_still(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class Fault:
    """``order(run, dice, at)`` lets it happen at ``at`` and returns when it is over (s). ``lies``: bytes of values can
    change on their way, so that a value may be wrong that the node has no means to doubt."""

    name: str
    doc: str
    order: Callable[[Stage, random.Random, float], float]
    lies: bool = False


def _bytes(kind: str) -> Callable[[Stage, random.Random, float], float]:
    def order(run: Stage, dice: random.Random, at: float) -> float:
        chance, seconds = 10 ** dice.uniform(-3.0, -1.3), dice.uniform(1.0, 8.0)
        run.inject(at, lambda faults: getattr(faults, kind)(chance))
        run.inject(at + seconds, lambda faults: getattr(faults, kind)(0.0))
        return at + seconds

    return order


def _burst(act: Callable[[Faults, random.Random], object]) -> Callable[[Stage, random.Random, float], float]:
    """Several times within two seconds."""

    def order(run: Stage, dice: random.Random, at: float) -> float:
        moments = sorted(at + dice.uniform(0.0, 2.0) for _ in range(dice.randint(1, 6)))
        for moment in moments:
            run.inject(moment, lambda faults: act(faults, dice))
        return moments[-1] + 0.3

    return order


def _answers(kind: str) -> Callable[[Stage, random.Random, float], float]:
    """It happens to the next answers, or to those of one command; the run notes when."""

    def order(run: Stage, dice: random.Random, at: float) -> float:
        command, count = dice.choice(TARGETS), dice.randint(1, 4)
        run.inject(at, lambda faults: getattr(faults, kind)(command=command, count=count))
        return at

    return order


def _reboot(run: Stage, dice: random.Random, at: float) -> float:
    seen = dice.random() < 0.7
    run.inject(at, lambda faults: run.restart(seen))
    return at + BOOT_S


def _reboot_loop(run: Stage, dice: random.Random, at: float) -> float:
    for _ in range(dice.randint(3, 6)):
        _reboot(run, dice, at)
        at += dice.uniform(0.3, 5.0)
    return _reboot(run, dice, at)


def _flapping_power(run: Stage, dice: random.Random, at: float) -> float:
    """It stays for a moment after RDY, goes for up to a minute, and comes back."""
    for _ in range(dice.randint(1, 3)):
        run.inject(at, lambda _: run.power(False))
        at += 0.5 * 120.0 ** dice.random()
        run.inject(at, lambda _: run.power(True))
        at += BOOT_S + dice.uniform(0.0, 3.0)
    return at


def _blocked_loop(run: Stage, dice: random.Random, at: float) -> float:
    """Often the charger restarts just before, or meanwhile."""
    seconds = 10.0 ** dice.random()
    if dice.random() < 0.7:
        run.inject(max(at + dice.uniform(-BOOT_S, seconds), 0.0), lambda _: run.restart(dice.random() < 0.7))
    run.inject(at, lambda _: run.stand_still(seconds))
    return at + seconds + BOOT_S


def _reboot_in_answer(run: Stage, _dice: random.Random, at: float) -> float:
    run.inject(at, lambda _: run.restart_in_answer())
    return at + BOOT_S


def _reboot_in_write(run: Stage, dice: random.Random, at: float) -> float:
    part = dice.uniform(0.0, 1.6)
    run.inject(at, lambda _: run.restart_in_write(part))
    return at + BOOT_S


def _hung(run: Stage, dice: random.Random, at: float) -> float:
    seconds = 10.0 * 12.0 ** dice.random()
    run.inject(at, lambda faults: faults.silence(seconds))
    return at + seconds


def _cable(run: Stage, dice: random.Random, at: float) -> float:
    seconds = 0.2 * 100.0 ** dice.random()
    run.inject(at, lambda faults: faults.cable_out())
    run.inject(at + seconds, lambda faults: faults.cable_in())
    return at + seconds


def _push_flood(run: Stage, dice: random.Random, at: float) -> float:
    seconds = dice.uniform(2.0, 10.0)
    flood: list[Subscription] = []
    names = [name for name in run.history.names if COMMAND[name].subscribable]

    def begin(faults: Faults) -> None:
        there = {subscription.name for subscription in faults.charger.subscriptions}
        flood.extend(Subscription(f"+{name}", FLOOD_MS) for name in names if f"+{name}" not in there)
        faults.charger.subscriptions.extend(flood)

    def end(faults: Faults) -> None:
        ours = {id(subscription) for subscription in flood if subscription.period == FLOOD_MS}
        there = faults.charger.subscriptions
        there[:] = [subscription for subscription in there if id(subscription) not in ours]

    run.inject(at, begin)
    run.inject(at + seconds, end)
    return at + seconds


def _other_party(run: Stage, dice: random.Random, at: float) -> float:
    for _ in range(dice.randint(1, 5)):
        run.someone_else(at, dice)
        at += dice.uniform(0.0, 2.0)
    return at


def _scan(run: Stage, _dice: random.Random, at: float) -> float:
    run.wish(press(at, "wifi_scan"))
    return at + 3.0


def _wrap(run: Stage, _dice: random.Random, at: float) -> float:
    run.clock_zero_at = at
    return at


def _late(run: Stage, dice: random.Random, at: float) -> float:
    seconds, command, count = dice.uniform(0.5, 10.0), dice.choice(TARGETS), dice.randint(1, 3)
    run.inject(at, lambda faults: faults.late_answer(seconds, command, count))
    return at


FAULTS = (
    Fault("drop", "bytes are lost in both directions, 0.1 to 5 %", _bytes("drop"), lies=True),
    Fault("flip", "bits turn over in both directions, 0.1 to 5 % of the bytes", _bytes("flip"), lies=True),
    Fault("duplicate", "bytes are doubled in both directions, 0.1 to 5 %", _bytes("duplicate"), lies=True),
    Fault("noise", "bursts of 40 to 200 random bytes to both ends", _burst(lambda f, d: f.noise(d.randint(40, 200)))),
    Fault("nuls", "NUL bytes to both ends", _burst(lambda f, d: f.nuls(d.randint(1, 60)))),
    Fault("line cut", "lines to the node end early", _burst(lambda f, d: f.cut_line(d.randint(0, 9))), lies=True),
    Fault("line glued", "lines to the node lose their end", _burst(lambda f, _: f.glue_lines())),
    Fault("long line", "of 130 to 3000 bytes to the node", _burst(lambda f, d: f.long_line(d.randint(130, 3000)))),
    Fault("answer late", "one to three answers 0.5 to 10 s late", _late),
    Fault("answer missing", "commands are executed but not answered", _answers("missing_answer")),
    Fault("error after apply", "ERROR although the value was taken", _answers("error_after_apply")),
    Fault("double error", "ERROR twice for one command", _answers("double_error")),
    Fault("reboot", "at any moment; RDY is lost in 3 of 10", _reboot),
    Fault("reboot in answer", "in the middle of an answer", _reboot_in_answer),
    Fault("reboot in write", "in the middle of a write, or between it and its answer", _reboot_in_write),
    Fault("reboot loop", "four to seven, 0.3 to 5 s apart", _reboot_loop),
    Fault("flapping power", "off for 0.5 to 60 s, on for a moment, several times", _flapping_power),
    Fault("blocked loop", "the node stands still for 1 to 10 s, and the charger restarts", _blocked_loop, lies=True),
    Fault("hung", "deaf and dumb for 10 to 120 s, then as if nothing had been", _hung),
    Fault("cable out", "for 0.2 to 20 s", _cable),
    Fault("echo on", "somebody sent ATE1", _burst(lambda f, _: f.echo_on())),
    Fault("other party", "somebody else changes settings", _other_party),
    Fault("subscriptions lost", "the charger forgets them", _burst(lambda f, _: f.lose_subscriptions())),
    Fault("push flood", "every value is pushed in every turn of the charger's loop", _push_flood),
    Fault("scan", "a Wi-Fi scan: the charger is deaf for 2 s", _scan),
    Fault("clock wrap", "the node's 32-bit millisecond counter begins again at 0", _wrap),
)  # fmt: skip
FAULT = {fault.name: fault for fault in FAULTS}

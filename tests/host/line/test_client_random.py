"""The blocking client in virtual time: whatever goes wrong, `set` returns only when the charger holds the value."""

from __future__ import annotations

from types import SimpleNamespace
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evse_host.errors import EvseError, MismatchError, UsageError
from evse_host.line import client
from evse_host.line.client import Evse
from evse_host.simulator import Charger, Faults
from evse_host.simulator.journal import EARLY_WRITE, LIST_SUBSCRIPTION, SERIAL_ACCESS

STEP_S = 0.002
OUR_FAULT = {EARLY_WRITE, LIST_SUBSCRIPTION, SERIAL_ACCESS}  # noise can do the others


class VirtualPort:
    """A transport to a simulated charger; reading lets time pass."""

    def __init__(self, seed: int = 0) -> None:
        self.charger = Charger()
        self.faults = Faults(self.charger, seed)
        self.now = self.charger.now
        self.closed = False

    def write(self, data: bytes) -> None:
        self.faults.receive(data, self.now)

    def read(self, timeout: float) -> bytes:
        end = self.now + timeout
        while True:
            data = self.faults.advance(self.now)
            if data or self.now >= end:
                return data
            moment = self.faults.next_event(self.now)
            self.now = min(max(end if moment is None else moment, self.now + STEP_S), max(end, self.now + STEP_S))

    def close(self) -> None:
        self.closed = True


SETTINGS = {
    "CHCUR": st.integers(0, 400),
    "MAXCHCUR": st.integers(6, 63),
    "ENABLE": st.integers(0, 1),
    "CONSUMLIM": st.integers(0, 2**32 - 1),
    "UNDERPOWERLIM": st.integers(0, 70_000),
    "HOSTNAME": st.text('ab,"\\ \u00e4', max_size=12),
    "EMETERMODE": st.integers(0, 3),
}
writes = st.one_of([st.tuples(st.just("set"), st.just(name), values) for name, values in SETTINGS.items()])
faults = st.one_of(
    st.tuples(st.just("late_answer"), st.floats(0.1, 3)),
    st.tuples(st.just("missing_answer"), st.sampled_from(["", "CHCUR", "HOSTNAME"])),
    st.tuples(st.just("error_after_apply")),
    st.tuples(st.just("double_error")),
    st.tuples(st.just("reboot"), st.booleans()),
    st.tuples(st.just("silence"), st.floats(0.1, 3)),
    st.tuples(st.just("cut_line"), st.integers(0, 8)),
    st.tuples(st.just("echo_on")),
    st.tuples(st.just("nuls"), st.integers(1, 9)),
    st.tuples(st.just("noise"), st.integers(1, 60)),
)


@given(steps=st.lists(writes | faults, min_size=1, max_size=15), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=150)
def test_set_returns_only_what_the_charger_holds(steps: list, seed: int) -> None:
    port = VirtualPort(seed)
    clock = SimpleNamespace(monotonic=lambda: port.now)
    with mock.patch.object(client, "time", clock), Evse(port) as evse:
        for kind, *rest in steps:
            if kind == "set":
                try_to_set(evse, port, *rest)
            else:
                getattr(port.faults, kind)(*rest)
    assert port.closed
    assert not {violation.kind for violation in port.charger.journal.violations} & OUR_FAULT


def try_to_set(evse: Evse, port: VirtualPort, name: str, value) -> None:
    sent = len(port.charger.journal.entries)
    try:
        shown = evse.set(name, value)
    except UsageError:
        assert len(port.charger.journal.entries) == sent
    except EvseError as error:
        assert ("\n" not in str(error) and name in str(error)) or "does not answer" in str(error)
    else:
        assert shown == (value,) == port.charger.value(name)


class LossyPort(VirtualPort):
    """The first writes of CHCUR never arrive."""

    def __init__(self, losses: int) -> None:
        super().__init__()
        self.losses = losses

    def write(self, data: bytes) -> None:
        if data.startswith(b"AT+CHCUR=") and self.losses:
            self.losses -= 1
        else:
            super().write(data)


def test_a_write_may_get_lost_twice() -> None:
    port = LossyPort(2)
    with mock.patch.object(client, "time", SimpleNamespace(monotonic=lambda: port.now)), Evse(port) as evse:
        assert evse.set("CHCUR", 100) == (100,)
    assert port.charger.journal.writes() == ["AT+CHCUR=100"]


def test_a_write_that_gets_lost_again_and_again_is_told() -> None:
    port = LossyPort(9)
    clock = mock.patch.object(client, "time", SimpleNamespace(monotonic=lambda: port.now))
    wrong = pytest.raises(MismatchError, match="CHCUR: wrote 100, the charger shows 320")
    with clock, Evse(port) as evse, wrong:
        evse.set("CHCUR", 100)
    assert port.losses == 9 - client.TRIES

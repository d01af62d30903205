"""The transaction engine against the simulated charger, in virtual time, with everything that can go wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evse_host.simulator import Charger
from evse_host.wire.codec import Ready, Value
from evse_host.wire.protocol import SETTLE_S, Answer, Outcome, Protocol, Request
from tests.host.bench import Bench

# --- one thing after the other ----------------------------------------------------------------------------------------


def test_the_first_contact_gets_into_step_and_writes_nothing() -> None:
    bench = Bench()
    answer = bench.read("CHCUR")
    assert (answer.outcome, answer.values[-1]) == (Outcome.OK, Value("CHCUR", (320,)))
    assert [data for _, data in bench.sent] == [b"~\n", b"AT+VER?\n", b"AT+UPTIME?\n", b"AT+CHCUR?\n"]
    assert bench.now < 0.1


def test_a_half_command_of_somebody_else_is_not_executed() -> None:
    bench = Bench()
    bench.charger.receive(b"AT+CHCUR=60", 0)
    assert bench.read("CHCUR").values[-1].fields == (320,)
    assert bench.charger.value("CHCUR") == (320,)
    assert bench.charger.journal.entries[0].result == "ERROR"


def test_one_request_at_a_time() -> None:
    protocol = Protocol()
    protocol.start(Request("AT"), 0)
    with pytest.raises(RuntimeError, match="AT is still in flight"):
        protocol.start(Request("AT+RST"), 0)


def test_a_late_ok_completes_no_other_command() -> None:
    bench = Bench()
    bench.read("STATE")
    bench.faults.late_answer(1.3, "CHCUR")
    assert bench.ask("AT+CHCUR=160").outcome is Outcome.SILENCE
    bench.faults.missing_answer("ENABLE")
    assert bench.ask("AT+ENABLE=0").outcome is Outcome.SILENCE  # CHCUR's OK came before it was even sent
    assert bench.charger.journal.writes() == ["AT+CHCUR=160", "AT+ENABLE=0"]


@given(delay=st.floats(0.9, 4.0), name=st.sampled_from(["CHCUR", "STATE", "VER", "UPTIME"]))
def test_an_answer_of_any_lateness_is_told_apart(delay: float, name: str) -> None:
    bench = Bench()
    bench.read("STATE")
    bench.faults.late_answer(delay, name)
    bench.read(name)
    for other in ("DEFCHCUR", "MAXCHCUR", "CHCUR"):
        answer = bench.read(other)
        assert answer.outcome is Outcome.OK and answer.values[-1].fields == bench.charger.value(other)


def test_an_ok_without_the_value_is_no_answer() -> None:
    bench = Bench()
    bench.read("STATE")
    bench.faults.cut_line(3)
    assert bench.read("CHCUR").outcome is Outcome.SILENCE
    assert bench.read("CHCUR").ok


def test_the_second_error_of_an_ambiguous_write_belongs_to_it() -> None:
    bench = Bench()
    assert bench.ask("AT+EMETERC=1").outcome is Outcome.ERROR
    assert bench.read("STATE").ok and bench.protocol.resyncs == 1


def test_a_silent_charger_is_given_up_and_found_again() -> None:
    bench = Bench()
    bench.faults.cable_out()
    start = bench.now
    assert bench.read("STATE").outcome is Outcome.NOT_SENT
    assert 5 <= bench.now - start < 8
    bench.faults.cable_in()
    assert bench.read("STATE").ok


@pytest.mark.parametrize("seen", [True, False])
def test_no_write_soon_after_a_restart(seen: bool) -> None:
    bench = Bench()
    bench.read("STATE")
    bench.faults.reboot(rdy_seen=seen)
    bench.idle(2.06)
    while not (answer := bench.ask("AT+CHCUR=100")).ok:
        assert answer.outcome is not Outcome.ERROR
    assert Ready() in bench.events
    assert bench.charger.journal.violations == [] and bench.charger.value("CHCUR") == (100,)


def test_after_rdy_not_a_byte_is_sent_until_the_charger_has_settled() -> None:
    bench = Bench(Charger(running=False))
    assert bench.read("CHCUR").values[-1].fields == (320,)  # not the zeros that are shown at first
    ready = 2.0
    assert not [moment for moment, _ in bench.sent if ready < moment < ready + SETTLE_S]


def test_a_restart_while_an_answer_is_awaited_is_told() -> None:
    bench = Bench()
    bench.read("STATE")
    bench.faults.late_answer(30, "CHCUR")
    bench.protocol.start(Request("AT+CHCUR=100", timeout=10), bench.now)
    bench.step()
    bench.faults.reboot()
    events: list = []
    while not any(isinstance(event, Answer) for event in events):
        events += bench.step()
    assert [type(event) for event in events] == [Ready, Answer]
    assert events[1].outcome is Outcome.RESTARTED


@pytest.mark.parametrize(("second", "restarted"), [(3610, False), (12, True)])
def test_an_uptime_that_runs_backwards_is_read_twice_before_it_means_a_restart(second: int, restarted: bool) -> None:
    protocol, now = Protocol(), 0.0
    answers = {
        b"~\n": [b"\nERROR\n"] * 2,
        b"AT+VER?\n": [b'\n+VER="v"\n\nOK\n'] * 2,
        b"AT+STATE?\n": [b"\n+STATE=0\n\nOK\n"] * 2,
    }
    answers[b"AT+UPTIME?\n"] = [b"\n+UPTIME=%d\n\nOK\n" % uptime for uptime in (3600, 11, second)]
    events = []
    for moment in (0.0, 10.0):
        now = moment
        protocol.start(Request("AT+STATE?", "STATE"), now)
        while data := protocol.outgoing():
            now += 0.01
            events += protocol.receive(answers[data].pop(0), now)
        assert isinstance(events[-1], Answer) and events[-1].ok
    assert (Ready() in events) is restarted
    assert answers[b"AT+UPTIME?\n"] == []


def test_echo_is_switched_off_and_is_no_answer() -> None:
    bench = Bench()
    bench.read("STATE")
    bench.faults.echo_on()
    assert bench.read("CHCUR").lines == ("+CHCUR=320",)
    assert bench.read("CHCUR").ok and not bench.charger.echo


def test_an_echo_that_cannot_be_switched_off_confuses_no_answer() -> None:
    bench = Bench()
    check_read(bench, "CHCUR")
    bench.faults.echo_on()
    check_read(bench, "CHCUR")
    bench.faults.double_error()
    check_write(bench, "CHCUR", 60)
    check_write(bench, "CHCUR", 70)


def test_pushes_are_told_apart_from_the_result() -> None:
    bench = Bench()
    assert bench.ask('AT+SUB="+STATE",100').ok and bench.ask('AT+SUB="+ENABLE",100').ok
    for _ in range(20):
        assert bench.read("CHCUR").ok
    bench.idle(1)
    assert {event.name for event in bench.events if isinstance(event, Value)} >= {"STATE", "ENABLE"}


def test_a_cancelled_command_gives_its_answer_to_nobody() -> None:
    bench = Bench()
    bench.read("STATE")
    bench.faults.late_answer(0.3, "CHCUR")
    bench.protocol.start(Request("AT+CHCUR=100"), bench.now)
    bench.step()
    bench.protocol.cancel()
    answer = bench.read("MAXCHCUR")
    assert answer.ok and answer.values[-1].fields == (32,)


def test_the_list_of_commands_is_no_echo() -> None:
    bench = Bench()
    lines = bench.ask("AT+CMD", timeout=10).lines
    assert "AT+CMD" in lines and "AT+CHCUR?" in lines
    bench.read("STATE")
    assert b"ATE0\n" not in [data for _, data in bench.sent]


# --- random histories -------------------------------------------------------------------------------------------------

READS = ("CHCUR", "DEFCHCUR", "MAXCHCUR", "CONSUMLIM", "CHTIMELIM", "HOSTNAME", "EMETERACVOLTAGE")
WRITES = ("CHCUR", "CONSUMLIM", "CHTIMELIM")

requests = st.one_of(
    st.tuples(st.just("read"), st.sampled_from(READS)),
    st.tuples(st.just("write"), st.sampled_from(WRITES), st.integers(60, 320)),
    st.tuples(st.just("sub"), st.sampled_from(READS), st.integers(100, 500)),
    st.tuples(st.just("idle"), st.floats(0.01, 4)),
)
delays = st.one_of(
    st.tuples(st.just("late_answer"), st.floats(0.1, 3)),
    st.tuples(st.just("missing_answer")),
    st.tuples(st.just("reboot"), st.booleans()),
    st.tuples(st.just("silence"), st.floats(0.1, 4)),
    st.tuples(st.just("echo_on")),
    st.tuples(st.just("nuls"), st.integers(1, 20)),
    st.tuples(st.just("double_error")),
    st.tuples(st.just("lose_subscriptions")),
)
histories = st.lists(requests | delays, min_size=1, max_size=25)


def play(bench: Bench, step: tuple) -> None:
    kind, *rest = step
    if kind == "read":
        check_read(bench, rest[0])
    elif kind == "write":
        check_write(bench, *rest)
    elif kind == "sub":
        bench.ask(f'AT+SUB="+{rest[0]}",{rest[1]}')
    elif kind == "idle":
        bench.idle(rest[0])
    else:
        getattr(bench.faults, kind)(*rest)


def check_read(bench: Bench, name: str) -> None:
    answer = bench.read(name)
    if answer.ok:
        shown = [value.fields for value in answer.values if value.name == name]
        assert shown[-1] == bench.charger.value(name)


def check_write(bench: Bench, name: str, value: int) -> None:
    """OK means: executed, once, by now."""
    before = bench.charger.journal.writes(name)
    answer = bench.ask(f"AT+{name}={value}")
    done = bench.charger.journal.writes(name)[len(before) :]
    assert done == [f"AT+{name}={value}"] if answer.ok else len(done) <= 1


@given(history=histories, piece=st.integers(1, 40))
@settings(deadline=None, max_examples=150)
def test_whatever_is_late_missing_or_restarted_nothing_is_confused(history: list, piece: int) -> None:
    bench = Bench(piece=piece)
    for step in history:
        play(bench, step)
    assert bench.charger.journal.violations == []
    bench.idle(5)
    assert any(bench.read("CHCUR").ok for _ in range(6))


rates = st.floats(0, 0.05)


@given(history=histories, drop=rates, flip=rates, duplicate=rates, seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=100)
def test_on_a_bad_line_every_request_ends_and_the_engine_recovers(
    history: list, drop: float, flip: float, duplicate: float, seed: int
) -> None:
    bench = Bench(seed=seed)
    bench.faults.drop(drop), bench.faults.flip(flip), bench.faults.duplicate(duplicate)
    for kind, *rest in history:
        if kind in ("read", "write", "sub"):
            bench.ask(f"AT+{rest[0]}?", rest[0])  # ends, whatever came
        elif kind == "idle":
            bench.idle(rest[0])
        else:
            getattr(bench.faults, kind)(*rest)
    bench.faults.drop(0), bench.faults.flip(0), bench.faults.duplicate(0)
    bench.idle(10)
    outcomes = [bench.read("CHCUR").outcome for _ in range(4)]
    assert outcomes[-1] is Outcome.OK, outcomes


@given(st.lists(st.binary(max_size=60) | st.floats(0, 3), max_size=30))
@settings(deadline=None)
def test_no_bytes_at_any_time_stop_the_engine(steps: list) -> None:
    protocol, now = Protocol(), 0.0
    for step in steps:
        if isinstance(step, bytes):
            protocol.receive(step, now)
        else:
            now += step
            protocol.advance(now)
        if not protocol.busy:
            protocol.start(Request("AT+STATE?", "STATE"), now)
        assert protocol.outgoing().count(b"\n") <= 2
    end = now + 40
    while protocol.busy and now < end:
        now += 0.05
        protocol.advance(now)
    assert not protocol.busy

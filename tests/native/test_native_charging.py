"""Sessions and the status text."""

from __future__ import annotations

import pytest

from components.esp32evse.catalog import CHARGING_STATES, FAULTS, SESSION_STATES, STATES
from tests.native.harness import Program

A, B1, B2, C1, C2, D1, D2, E, F = range(9)
UNKNOWN = 9


# --- names ------------------------------------------------------------------------------------------------------------


def test_states_are_those_of_the_catalog(program: Program) -> None:
    answers = [line.split() for line in program.ask("states")]
    *known, unknown = [
        (name.strip('"'), charging == "1", session == "1") for name, _, charging, _, session, _, _ in answers
    ]
    assert known == [(name, name in CHARGING_STATES, name in SESSION_STATES) for name in STATES]
    assert unknown == ("", False, False)
    hidden = {name for name, line in zip((*STATES, "unknown"), answers, strict=True) if line[-1] == "1"}
    assert hidden == {"E", "F", "unknown"}


def test_faults_are_those_of_the_catalog(program: Program) -> None:
    assert program.ask("faults") == [key for key, _ in FAULTS]


# --- status text ------------------------------------------------------------------------------------------------------


def describe(program: Program, state: int, faults: int = 0, enabled: bool = True, pending: bool = False,
             limit: bool = False) -> str:  # fmt: skip
    (text,) = program.ask(f"describe {state} {faults} {enabled:d} {pending:d} {limit:d}")
    return text


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (A, "No vehicle connected"),
        (B1, "Vehicle connected"),
        (B2, "Waiting for vehicle"),
        (C1, "Stopping"),
        (C2, "Charging"),
        (D1, "Stopping"),
        (D2, "Charging"),
        (E, "Fault"),
        (F, "Not available"),
        (UNKNOWN, "Charger not responding"),
    ],
)
def test_each_state_has_its_text(program: Program, state: int, text: str) -> None:
    assert describe(program, state) == text


@pytest.mark.parametrize("state", range(10))
def test_the_status_says_why_a_session_waits(program: Program, state: int) -> None:
    waits = state in (B1, B2, C1, D1)
    plain = describe(program, state)
    assert describe(program, state, enabled=False) == ("Paused" if waits else plain)
    assert describe(program, state, limit=True) == ("Charging limit reached" if waits else plain)
    assert describe(program, state, pending=True) == ("Waiting for authorization" if waits else plain)
    # What has to be done first comes first.
    assert describe(program, state, enabled=False, limit=True) == ("Charging limit reached" if waits else plain)
    assert describe(program, state, pending=True, limit=True) == ("Waiting for authorization" if waits else plain)


@pytest.mark.parametrize("state", range(10))
def test_a_fault_goes_before_everything(program: Program, state: int) -> None:
    texts = [describe(program, state, faults=1 << bit, pending=True) for bit in range(len(FAULTS))]
    assert len(set(texts)) == len(FAULTS) and all(text.startswith("Fault: ") for text in texts)
    assert describe(program, state, faults=0b11000000) == texts[6]


# --- sessions ---------------------------------------------------------------------------------------------------------


def track(program: Program, *steps: tuple[str, int]) -> list[str]:
    return program.ask("session " + " ".join(f"{verb} {value}" for verb, value in steps))


def state(value: int) -> tuple[str, int]:
    return "state", value


def energy(value: int) -> tuple[str, int]:
    return "energy", value


def total(value: int) -> tuple[str, int]:
    return "total", value


def wait(seconds: int) -> tuple[str, int]:
    return "wait", seconds


def seen(value: int) -> tuple[str, int]:
    return "seen", value


def duration(value: int) -> tuple[str, int]:
    return "duration", value


@pytest.mark.parametrize("first", range(9))
def test_first_state_is_no_event(program: Program, first: int) -> None:
    assert track(program, state(first)) == ["nothing", "no last"]


def test_session_from_plug_to_unplug(program: Program) -> None:
    steps = [state(A), state(B1), state(B2), state(C2), energy(100), duration(60), state(C1), state(B1)]
    steps += [wait(30), energy(150), duration(90), state(A)]
    events = ["nothing", "started", *["nothing"] * 5, "finished", "last 150 90"]
    assert track(program, *steps) == events


@pytest.mark.parametrize("end", [A, E, F])
def test_values_zeroed_before_or_after_the_state(program: Program, end: int) -> None:
    start = [state(A), state(B1), state(C2), energy(4999), energy(5000), duration(3599), duration(3600)]
    zeroed = [energy(0), duration(0)]
    events = ["nothing", "started", "nothing", "finished", "last 5000 3600"]
    assert track(program, *start, state(end), *zeroed) == events
    assert track(program, *start, *zeroed, state(end)) == events
    assert track(program, *start, energy(0), state(end), duration(0)) == events
    assert track(program, *start, *zeroed, *zeroed, state(end)) == events


def test_second_session_starts_at_zero(program: Program) -> None:
    first = [state(A), state(B1), energy(5000), duration(3600), energy(0), duration(0), state(A)]
    events = track(program, *first, state(B1), state(A))
    assert events == ["nothing", "started", "finished", "started", "finished", "last 0 0"]
    assert track(program, *first, state(B1), energy(7), duration(3), state(A))[-1] == "last 7 3"


def test_restart_of_the_charger_within_a_session_ends_it(program: Program) -> None:
    start = [state(C2), energy(5000), duration(3600)]
    after = [energy(0), duration(0), energy(0), duration(0), state(B1), energy(20), duration(10), state(A)]
    assert track(program, *start, *after) == ["nothing", "finished started", "finished", "last 20 10"]
    # The state may be read before the values.
    events = ["nothing", "nothing", "finished started", "finished", "last 20 10"]
    assert track(program, *start, state(B1), *after) == events


def test_an_end_that_nobody_saw_is_told_by_the_values(program: Program) -> None:
    """Unplugged and plugged in again between two looks: only the values tell."""
    steps = [state(A), state(C2), energy(5000), duration(3600)]
    steps += [energy(100), duration(60), energy(101), duration(61), state(C2)]
    assert track(program, *steps) == ["nothing", "started", "finished started", "last 5000 3600"]
    # The duration alone tells, too, when both sessions have used no energy.
    steps = [state(A), state(B1), duration(3600), duration(5), state(B1), duration(6), state(B1)]
    assert track(program, *steps) == ["nothing", "started", "nothing", "finished started", "last 0 3600"]


@pytest.mark.parametrize("wrong", [500, 50_001, 0])
def test_a_lost_digit_ends_no_session(program: Program, wrong: int) -> None:
    """The line has no checksum: one value far from the one before it counts only if the next one agrees."""
    steps = [state(A), state(C2), energy(5000), duration(3600)]
    steps += [energy(wrong), duration(wrong), state(C2), energy(5001), duration(3601), state(C2)]
    steps += [energy(5002), duration(3602), state(A)]
    assert track(program, *steps) == ["nothing", "started", "nothing", "nothing", "finished", "last 5002 3602"]


def test_a_doubled_digit_is_never_believed(program: Program) -> None:
    """It may be near enough to continue what was there before; what comes after it does not continue it."""
    start = [state(A), state(C2), duration(9), duration(10), duration(111), duration(11), duration(11), state(C2)]
    assert track(program, *start, duration(12), state(A)) == ["nothing", "started", "nothing", "finished", "last 0 12"]
    # Nor is a lost one that the next value happens to continue.
    lost = [state(A), state(C2), duration(599), duration(600), duration(60), duration(601), state(C2), state(A)]
    assert track(program, *lost) == ["nothing", "started", "nothing", "finished", "last 0 601"]
    end = [state(A), state(C2), duration(9), duration(10), duration(111), state(A)]
    assert track(program, *end) == ["nothing", "started", "finished", "last 0 10"]


@pytest.mark.parametrize("step", [10, 60, 600, 3600])
def test_the_last_value_counts_however_far_apart_they_are(program: Program, step: int) -> None:
    """At 43 kW: a last step that can have come in the time is believed, one that cannot is damage."""
    looks = range(step, 4 * step + 1, step)
    steps = [part for t in looks for part in (wait(step), energy(t * 12), duration(t))]
    assert track(program, state(A), state(C2), *steps, state(A))[-1] == f"last {48 * step} {4 * step}"
    impossible = [wait(1), energy(480 * step), state(A)]
    assert track(program, state(A), state(C2), *steps, *impossible)[-1] == f"last {48 * step} {4 * step}"


def test_the_total_tells_what_no_look_has_caught(program: Program) -> None:
    """Asked every minute, unplugged 50 s after the last look: the total has it."""
    start = [seen(A), total(90_000), seen(C2), energy(0), total(90_000), wait(60), energy(183), total(90_183)]
    start += [wait(60), energy(367), duration(120), total(90_367), wait(50)]
    assert track(program, *start, seen(A), energy(0), total(90_520))[-2:] == ["finished", "last 520 120"]
    # The values may be zeroed before the state.
    assert track(program, *start, energy(0), seen(A), total(90_520))[-2:] == ["finished", "last 520 120"]
    # Without a total, with a damaged one, or after a restart, the last look counts.
    assert track(program, *start, seen(A), wait(2), wait(1))[-3:] == ["nothing", "finished", "last 367 120"]
    assert track(program, *start, seen(A), total(9_052))[-2:] == ["finished", "last 367 120"]
    assert track(program, *start, seen(A), total(90_000))[-2:] == ["finished", "last 367 120"]
    # The next session does not wait.
    assert track(program, *start, seen(A), seen(B1))[-2:] == ["finished started", "last 367 120"]


def test_energy_and_total_of_different_moments(program: Program) -> None:
    """The session's energy comes only every minute, the total every second."""
    steps = [seen(A), seen(C2)]
    for t in range(151):
        steps += [energy(t * 3)] if t % 60 == 0 else []
        steps += [wait(1), total(90_000 + t * 3)]
    assert track(program, *steps, wait(1), seen(A), total(90_453))[-1] == "last 453 0"


def test_session_that_was_there_before_the_node(program: Program) -> None:
    steps = [state(C2), energy(5000), duration(3600), wait(10), energy(5100), state(A)]
    assert track(program, *steps) == ["nothing", "nothing", "finished", "last 5100 3600"]


def test_values_without_a_session_mean_nothing(program: Program) -> None:
    steps = [energy(9), state(A), energy(5000), duration(3600), state(B1), state(A)]
    assert track(program, *steps) == ["nothing", "started", "finished", "last 0 0"]

"""Sessions, the lifetime energy counter and the status text."""

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
def test_why_a_session_waits(program: Program, state: int) -> None:
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


def duration(value: int) -> tuple[str, int]:
    return "duration", value


@pytest.mark.parametrize("first", range(9))
def test_first_state_is_no_event(program: Program, first: int) -> None:
    assert track(program, state(first)) == ["nothing", "no last"]


def test_session_from_plug_to_unplug(program: Program) -> None:
    steps = [state(A), state(B1), state(B2), state(C2), energy(100), duration(60), state(C1), state(B1)]
    steps += [energy(150), duration(90), state(A)]
    events = ["nothing", "started", "nothing", "nothing", "nothing", "nothing", "finished", "last 150 90"]
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


def test_end_that_nobody_saw(program: Program) -> None:
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


def test_values_of_a_session_may_be_far_apart(program: Program) -> None:
    """At 43 kW, asked every hour."""
    steps = [step for hour in range(1, 5) for step in (energy(43_000 * hour), duration(3600 * hour))]
    assert track(program, state(A), state(C2), *steps, *steps[-2:], state(A))[-1] == "last 172000 14400"
    # The very last one has none that continues it.
    assert track(program, state(A), state(C2), *steps, state(A))[-1] == "last 129000 10800"


def test_session_that_was_there_before_the_node(program: Program) -> None:
    steps = [state(C2), energy(5000), duration(3600), energy(5100), state(A)]
    assert track(program, *steps) == ["nothing", "finished", "last 5100 3600"]


def test_values_without_a_session_mean_nothing(program: Program) -> None:
    steps = [energy(9), state(A), energy(5000), duration(3600), state(B1), state(A)]
    assert track(program, *steps) == ["nothing", "started", "finished", "last 0 0"]


# --- lifetime energy --------------------------------------------------------------------------------------------------


def count(program: Program, *steps: str) -> list[int]:
    return [int(line) for line in program.ask("lifetime " + " ".join(steps))]


def count_twice(program: Program, *updates: str) -> list[int]:
    """Every value comes twice, because it is believed when the next one continues it."""
    return count(program, *(update for update in updates for _ in range(2)))[1::2]


@pytest.mark.parametrize("wrong", [1000, 1003, 10_006, 10_013, 10_803, 12_003, 18_003, 90_003, 0])
def test_a_wrong_digit_is_never_shown(program: Program, wrong: int) -> None:
    """Home Assistant would add up the whole counter again after a fall, and a rise would stay for good."""
    shown = count(program, "update 10002 0", "update 10003 0", f"update {wrong} 0", "update 10004 0", "update 10005 0")
    assert shown == sorted(shown) and set(shown) <= {10_002, 10_003, 10_004}
    assert count(program, "update 10003 0", f"update {wrong} 0", "update 10004 0", "update 10004 0")[-1] == 10_004


@pytest.mark.parametrize(("total", "wrong"), [(13, 113), (13, 1), (603, 60), (603, 6603), (0, 500)])
def test_a_wrong_digit_of_a_small_total(program: Program, total: int, wrong: int) -> None:
    shown = count(program, f"update {total} 0", f"update {wrong} 0", *(f"update {total + 1} 0" for _ in range(2)))
    assert shown[0] == total and set(shown) <= {total, total + 1} and shown[-1] == total + 1


def test_values_may_be_far_apart(program: Program) -> None:
    """At 43 kW, asked every hour."""
    assert count(program, *(f"update {total} 0" for total in (0, 43_000, 86_000, 129_000, 129_000))) == [
        0, 0, 43_000, 86_000, 129_000,
    ]  # fmt: skip


def test_counter_follows_the_charger(program: Program) -> None:
    assert count_twice(program, "update 10000 0", "update 10500 500", "update 12000 2000", "update 12000 0") == [
        10_000, 10_500, 12_000, 12_000,
    ]  # fmt: skip


def test_64_bits(program: Program) -> None:
    assert count_twice(program, f"update {2**63} 5", f"update {2**64 - 2} 5") == [2**63, 2**64 - 2]
    assert count_twice(program, f"update {2**64 - 2} 0", f"update {2**63} 5") == [2**64 - 2, 2**63]


def test_restart_of_the_charger_takes_nothing_back(program: Program) -> None:
    """The running session's 5 kWh are taken back; what is shown stays until the charger has caught up."""
    steps = ["update 20000 0", "update 25000 5000", "update 20000 0", "update 22000 2000", "update 26000 6000"]
    assert count_twice(program, *steps) == [20_000, 25_000, 25_000, 25_000, 26_000]


def test_restarts_one_after_the_other(program: Program) -> None:
    steps = ["update 25000 5000", "update 20000 0", "update 20100 100", "update 20000 0", "update 20000 0"]
    assert count(program, *steps) == [25_000] * 5


def test_energy_and_session_of_different_moments(program: Program) -> None:
    """The session's energy is newer than the total: the stored value looks lower, never by much."""
    assert count(program, "update 25000 5600", "update 19000 0") == [25_000, 25_000]
    # It is older: the stored value looks higher than what the charger falls back to.
    assert count(program, "update 25600 5000", "update 20000 0") == [25_600, 25_600]


def test_reset_by_the_person_is_shown(program: Program) -> None:
    assert count(program, "update 20000 0", "expect_reset 1", "update 0 0", *["update 30 30"] * 2) == [20_000, 0, 0, 30]
    # The running session's energy stays.
    assert count(program, "update 25000 5000", "expect_reset 1", "update 5000 5000") == [25_000, 5000]
    # Even if it lands where a restart would: the person has asked for it.
    assert count(program, "update 900 900", "expect_reset 1", "update 800 800") == [900, 800]


def test_reset_serves_one_fall_only(program: Program) -> None:
    steps = ["update 20000 0", "expect_reset 1", "update 20000 0", "update 0 0"]
    steps += ["update 5000 5000", "update 5000 5000", "update 0 0", "update 0 0"]
    assert count(program, *steps) == [20_000, 20_000, 0, 0, 5000, 5000, 5000]


def test_reset_that_failed_does_not_let_a_restart_through(program: Program) -> None:
    steps = ["update 25000 5000", "expect_reset 1", "expect_reset 0", "update 20000 0"]
    assert count(program, *steps) == [25_000, 25_000]
    # Not even if nothing was known when the person asked.
    assert count(program, "expect_reset 1", "expect_reset 0", "update 20000 0") == [20_000]


def test_a_reset_that_is_expected_lets_no_spike_through(program: Program) -> None:
    steps = ["update 20000 0", "expect_reset 1", "update 90000 0", "update 20000 0", "update 0 0"]
    assert count(program, *steps) == [20_000, 20_000, 20_000, 0]


def test_reset_elsewhere_is_shown(program: Program) -> None:
    """Far below the stored value: no restart can do that."""
    assert count_twice(program, "update 20000 0", "update 0 0") == [20_000, 0]
    assert count_twice(program, "update 25000 5000", "update 5000 5000") == [25_000, 5000]


def test_limit_between_restart_and_reset(program: Program) -> None:
    assert count_twice(program, "update 25000 5000", "update 19000 0")[-1] == 25_000
    assert count_twice(program, "update 25000 5000", "update 18999 0")[-1] == 18_999


def test_first_value_is_taken_as_it_is(program: Program) -> None:
    assert count(program, "update 123 5000") == [123]
    assert count(program, "update 0 0") == [0]


def test_memory_outlives_the_node(program: Program) -> None:
    # The charger has restarted while the node was off.
    assert count_twice(program, "restore 25000 20000", "update 20000 0") == [25_000]
    # It has gone on.
    assert count_twice(program, "restore 25000 20000", "update 31000 0") == [31_000]
    # It is another one, or was reset.
    assert count_twice(program, "restore 25000 20000", "update 3 0") == [3]
    # The first value is not believed sooner than another.
    assert count(program, "restore 25000 20000", "update 2500 0", "update 25000 0") == [25_000, 25_000]

"""Which of a meter's many values are published."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.native.harness import Program


def pace(program: Program, cadence: str, *steps: str) -> list[list[float]]:
    return [[float(word) for word in line.split()] for line in program.ask(f"pace {cadence} " + " ".join(steps))]


def test_first_value_at_once_then_at_the_cadence_equal_or_not(program: Program) -> None:
    seconds = ["put 7 wait 1000"] * 12
    assert pace(program, "5 0 0", *seconds) == [[7], [], [], [], [], [7], [], [], [], [], [7], []]


def test_held_value_goes_out_when_its_time_has_come(program: Program) -> None:
    steps = ["put 7", "wait 4200", "put 8", "tick", "wait 800", "tick", "tick", "wait 5000", "tick"]
    assert pace(program, "5 0 0", *steps) == [[7], [], [], [8], [], []]


def test_to_and_from_zero_at_once_behind_what_was_before(program: Program) -> None:
    steps = ["put 0", "wait 3000", "put 0", "wait 100", "put 11000", "wait 300", "put 11020", "wait 300", "put 0"]
    assert pace(program, "5 0 0", *steps) == [[0], [], [0, 11000], [], [11020, 0]]


def test_a_counter_shows_its_end_before_it_begins_anew(program: Program) -> None:
    """A second apart, because a client gets the last one only of what comes quickly."""
    steps = ["put 5000", "put 5080", "put 0", "wait 400", "put 0", "tick", "wait 600", "tick", "tick"]
    assert pace(program, "30 0 1", *steps) == [[5000], [], [5080], [], [], [0], []]
    assert pace(program, "30 0 1", "put 5000", "wait 30000", "put 5080", "put 0") == [[5000], [5080], [5080, 0]]


def test_a_step_goes_out_when_the_next_value_agrees(program: Program) -> None:
    steps = ["put 11000", "put 10400", "put 11000", "put 10400", "put 10390", "put 10400"]
    assert pace(program, "5 1 0", *steps) == [[11000], [], [], [], [10390], []]
    assert pace(program, "5 0 0", *steps) == [[11000], [], [], [], [], []]


def test_three_steps_go_out_in_a_row_and_the_next_when_six_values_have_come_in_turn(program: Program) -> None:
    step, back = ["put 9000", "put 9000"], ["put 11000", "put 11000"]
    in_turn = ["wait 5000 put 11000"] * 6
    three, shown = [*step, *back, *step], [[11000], [], [9000], [], [11000], [], [9000]]
    assert pace(program, "5 1 0", "put 11000", *three, *back) == [*shown, [], []]
    assert pace(program, "5 1 0", "put 11000", *three, *in_turn[:5], *step) == [*shown, *[[11000]] * 5, [], []]
    assert pace(program, "5 1 0", "put 11000", *three, *in_turn, *step, *back) == [
        *shown, *[[11000]] * 6, [], [9000], [], [],
    ]  # fmt: skip


def test_after_zero_a_step_goes_out_whatever_was_before(program: Program) -> None:
    three = ["put 9000", "put 9000", "put 11000", "put 11000", "put 9000", "put 9000"]
    assert pace(program, "5 1 0", "put 11000", *three, "put 0", "put 1400", "put 11000", "put 11000") == [
        [11000], [], [9000], [], [11000], [], [9000], [9000, 0], [0, 1400], [], [11000],
    ]  # fmt: skip


def test_exactly_a_twentieth_is_no_step(program: Program) -> None:
    assert pace(program, "5 1 0", "put 1000", "put 1050", "put 1050", "put 1051", "put 1051") == [
        [1000],
        [],
        [],
        [],
        [1051],
    ]


def test_hurry_publishes_what_is_held_or_comes_next(program: Program) -> None:
    steps = ["put 7", "wait 100", "put 8", "hurry", "tick", "put 9", "hurry", "wait 9", "put 10", "put 11"]
    assert pace(program, "30 0 0", *steps) == [[7], [], [8], [], [10], []]


def test_after_unknown_the_next_value_is_a_first_one(program: Program) -> None:
    assert pace(program, "30 0 0", "put 7", "put 0", "put 0", "restart", "tick", "put 5", "put 6") == [
        [7],
        [7, 0],
        [],
        [],
        [5],
        [],
    ]


def test_a_text_passes_at_the_cadence(program: Program) -> None:
    assert program.ask("pace 60 0 0 pass pass wait 59800 pass wait 200 pass pass tick restart pass") == [
        "yes", "no", "no", "yes", "no", "", "yes",
    ]  # fmt: skip


@pytest.mark.parametrize(("noise", "most"), [(0.015, 760), (0.05, 850), (0.3, 850)])
def test_a_noisy_meter_makes_few_rows(program: Program, noise: float, most: int) -> None:
    """An hour at 11 kW, four values a second, with noise as its standard deviation."""
    dice = random.Random(7)
    steps = [f"put {dice.gauss(11_000, 11_000 * noise):.0f} wait 260" for _ in range(3600 * 1000 // 260)]
    rows = sum(map(len, pace(program, "5 1 0", *steps)))
    assert 650 <= rows <= most


def test_who_integrates_is_right(program: Program) -> None:
    """Idle for an hour, a minute at 11 kW, idle again: with the value at each interval's right or left end."""
    values = [(t, 11_000.0 if 3600 <= t < 3660 else 0.0) for t in range(0, 7200, 2)]
    out = pace(program, "5 1 0", *(f"put {value:.0f} wait 2000" for _, value in values))
    points = [(t, value) for (t, _), published in zip(values, out, strict=True) for value in published]
    for side in (0, 1):
        energy = sum((b[0] - a[0]) * (a, b)[side][1] for a, b in itertools.pairwise(points)) / 3600
        assert abs(energy - 11_000 / 60) < 11_000 * 2 / 3600 + 1

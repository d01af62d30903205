"""What the component costs at run time: the short form of `python -m tools cost`, about 30 s and the node's build.

Flash and RAM have a test of their own, test_budgets.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import programs
from tools.measure import charging_hour, cost, heap_watch, loop_profile
from tools.measure.heap_watch import OURS, STATES, Allocations, Frame


@pytest.fixture(scope="module")
def program() -> Path:
    programs.require("addr2line")
    return cost.build()


# --- the real node ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def allocations(program: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Allocations]:
    return heap_watch.measure(program, tmp_path_factory.mktemp("heap"), len(charging_hour.SCENES))[-1]


def test_component_allocates_nothing_after_setup(allocations: list[Allocations]) -> None:
    found = [f"{each.count} x {each.site}" for each in allocations if each.party in cost.MUST_BE_ZERO]
    assert found == []


def test_allocations_after_setup_are_counted_by_place(allocations: list[Allocations]) -> None:
    """ESPHome's API allocates when a client connects, its preferences when the lifetime energy is saved."""
    assert any(each.party is None and "/components/api/" in each.site.place for each in allocations)
    assert any(each.party == "preferences of the host platform" for each in allocations)


def test_loop_stays_within_its_budget_of_instructions(program: Path, tmp_path: Path) -> None:
    programs.require("valgrind")
    profile = loop_profile.measure(program, tmp_path)
    assert cost.judge(profile.budgeted(), cost.load_budgets(), cost.toolchain()) == []
    assert profile.idle < profile.tick < profile.second < profile.worst[0][1]
    assert profile.unchanged > 0 and profile.changed > 0


def test_loop_takes_a_bounded_part_of_a_backlog(program: Path, tmp_path: Path) -> None:
    most_read, loops = cost.read_backlog(program, tmp_path)
    full = cost.BACKLOG_BYTES // loop_profile.BYTES_PER_LOOP
    assert most_read == loop_profile.BYTES_PER_LOOP
    assert full <= loops <= full + 2, "one may have been under way, and one finds nothing"


def test_a_flood_of_lines_leaves_the_processor_free(program: Path, tmp_path: Path) -> None:
    """At full line rate the loop's share of the computer's time is small: it stays responsive."""
    loops_per_s, average_us, calmest_ms, longest_ms, share = cost.time_loops(program, tmp_path, 7)
    assert 0 < share < 0.2, "of a processor, the log at DEBUG and the API included"
    assert loops_per_s > 0 and average_us > 0  # wall time, which is the computer's load, too
    assert calmest_ms <= longest_ms


# --- judgement --------------------------------------------------------------------------------------------------------

MADE_WITH = {"g++": "12", "machine": "x86_64", "ESPHome": "2026.6"}


@pytest.mark.parametrize(
    ("count", "missed"),
    [
        (109, []),
        (50, []),
        (111, ["instructions: idle loop takes 111, more than 10 % above the budget of 100"]),
    ],
)
def test_budget_may_be_exceeded_by_ten_percent(count: int, missed: list[str]) -> None:
    budgets = {"made with": MADE_WITH, "instructions": {"idle loop": 100}}
    assert cost.judge({"idle loop": count}, budgets, MADE_WITH) == missed


def test_every_figure_needs_a_budget() -> None:
    budgets = {"made with": MADE_WITH, "instructions": {}}
    assert cost.judge({"idle loop": 1}, budgets, MADE_WITH) == ["instructions: no budget for idle loop"]


def test_another_compiler_is_not_judged() -> None:
    budgets = {"made with": MADE_WITH, "instructions": {"idle loop": 100}}
    assert cost.judge({"idle loop": 500}, budgets, MADE_WITH | {"g++": "13"}) == []


HUB = Frame("esphome::esp32evse::Esp32Evse::loop()", "src/esphome/components/esp32evse/esp32evse.cpp:43")
STRING = Frame("std::string::assign(char const*)", "/usr/include/c++/12/bits/basic_string.h:1531")
LIBRARY = Frame("libstdc++.so.6", "libstdc++.so.6")
TEXT_SENSOR = Frame(
    "esphome::text_sensor::TextSensor::publish_state()", "src/esphome/components/text_sensor/text_sensor.cpp:32"
)
API = Frame("esphome::api::APIConnection::add_item()", "src/esphome/components/api/api_connection.h:685")
MAIN = Frame("main", "src/esphome/components/host/core.cpp:97")


@pytest.mark.parametrize(
    ("frames", "party"),
    [
        ((LIBRARY, STRING, HUB, MAIN), OURS),
        ((LIBRARY, STRING, TEXT_SENSOR, HUB, MAIN), STATES),
        ((LIBRARY, API, TEXT_SENSOR, HUB, MAIN), "ESPHome's API, its queue"),
        ((LIBRARY, API, MAIN), None),
        ((LIBRARY, Frame("esphome::ESPTime::now()", "src/esphome/core/time.h:1"), HUB, MAIN), heap_watch.OTHERS),
    ],
)
def test_allocation_is_his_who_asked_for_it(frames: tuple[Frame, ...], party: str | None) -> None:
    assert Allocations(1, 8, frames).party == party

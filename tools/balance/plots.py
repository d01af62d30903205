"""Plots of one hard day and one cloudy day, as SVG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "load-management"  # the same plot is the same file
import matplotlib.pyplot as plt  # noqa: E402

from tools.balance import days, loop, scenarios  # noqa: E402
from tools.balance.loop import SOLAR, TYPICAL, Run, Scenario  # noqa: E402

STEP = 20  # s between two points


def _hours(seconds: int) -> list[float]:
    return [second / 3600 for second in range(0, seconds, STEP)]


def _highest(values, width: int) -> list[float]:
    """The greatest of each step, over the phases."""
    return [max(values[start * width : (start + STEP) * width]) for start in range(0, len(values) // width, STEP)]


def _mean(values, width: int, factor: float) -> list[float]:
    steps = (values[start * width : (start + STEP) * width] for start in range(0, len(values) // width, STEP))
    return [sum(step) / STEP * factor for step in steps]


def _finish(figure, axes, path: Path) -> None:
    axes[-1].set_xlabel("hour of the day")
    for axis in axes:
        axis.grid(alpha=0.3)
        axis.legend(loc="upper left", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def hard_day(path: Path) -> None:
    scenario = scenarios.hard_day(25, TYPICAL)(1)
    hours = _hours(scenario.seconds)
    figure, axes = plt.subplots(4, 1, figsize=(10, 10), sharex=True)
    axes[0].plot(hours, _highest(scenario.amperes, 3), lw=0.5, color="gray", label="house alone, highest phase, A")
    for axis, law in zip(axes[1:], ("integrator", "subtraction", "law"), strict=True):
        run = loop.run(law, scenario)
        axis.plot(hours, _highest(run.mains, 3), lw=0.5, label=f"{law}: main fuse, highest phase, A")
        axis.plot(hours, _mean(run.own, 1, 1.0), lw=0.6, label="car, A")
    for axis in axes:
        axis.axhline(scenario.limit, color="tab:red", lw=0.8)
        axis.set_ylim(0, 55)
    _finish(figure, axes, path)


def cloudy_day(path: Path) -> None:
    day = days.quiet_day(5)
    sun = days.add_sun(day, 12000, 0.35)
    scenario = Scenario(day.amperes, limit=35, mode=SOLAR, cars=(replace(TYPICAL),))
    hours = _hours(scenario.seconds)
    figure, axes = plt.subplots(2, 1, figsize=(10, 6), sharex=True)
    for axis, law in zip(axes, ("subtraction", "law"), strict=True):
        run: Run = loop.run(law, scenario)
        axis.plot(hours, [watt / 1000 for watt in sun[::STEP]], lw=0.5, color="orange", label="sun, kW")
        axis.plot(hours, _mean(run.own, 1, 0.69), lw=0.7, color="tab:blue", label=f"{law}: car, kW")
        axis.plot(hours, _mean(run.mains, 3, 0.23), lw=0.4, color="tab:red", label="grid, kW")
        axis.set_xlim(6, 21)
    _finish(figure, axes, path)


def draw(directory: Path) -> None:
    hard_day(directory / "hard-day.svg")
    cloudy_day(directory / "cloudy-day.svg")

"""Breaks the load manager's law on purpose, one place after the other, and sees that a test fails each time.

    python -m tests.balance.mutations [WORD ...]      only those whose description contains a word; some seconds each

Exits with 1 if a mutation survives or no longer fits the code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAW = ROOT / "components/esp32evse_load_manager"


@dataclass(frozen=True)
class Mutation:
    """`old`, which stands exactly once in `file`, becomes `new`."""

    what: str
    file: str
    old: str
    new: str


MUTATIONS = (
    Mutation("the margin is not kept", "circuit.cpp", "this->config_.limit - this->config_.margin - this->house_[phase]",
             "this->config_.limit - this->house_[phase]"),
    Mutation("a ramp is a load", "circuit.cpp", "std::clamp(this->house_[phase], least, most) : most", "most : most"),
    Mutation("absurd samples count", "circuit.cpp", "return std::fabs(ampere) <= ABSURD", "return true || std::fabs(ampere) <= ABSURD"),
    Mutation("a silent meter stays valid", "circuit.cpp", "this->silent_ = true;", "this->silent_ = false;"),
    Mutation("no fallback", "circuit.cpp", "    return this->config_.fallback;", "    return this->config_.limit;"),
    Mutation("rises at once into any room", "circuit.cpp",
             "std::min({lasting.get() + HARMLESS * this->config_.limit, lasting.get(SHORT), this->room(phase)})",
             "this->room(phase)"),
    Mutation("starts into a gap", "circuit.h", "std::min(this->lasting_[phase].get(), this->room(phase))", "this->room(phase)"),
    Mutation("the breaker never heats", "breaker.cpp", "this->used_ += heat_per_second(ratio) * seconds;", "(void) ratio;"),
    Mutation("the breaker is always hot", "circuit.h", "this->valid_ && this->breaker_[phase].allows_overload()", "false && phase"),
    Mutation("rises without a sample", "law.cpp", "if ((charger.fresh & charger.path) != charger.path)", "if (charger.path == 0)"),
    Mutation("rises twice as fast", "law.h", "RISE_A_PER_S = 1.0f", "RISE_A_PER_S = 2.0f"),
    Mutation("a blocked loop is no reason", "law.cpp", "passed > LONGEST_STEP_MS ? 0 :", "false ? 0 :"),
    Mutation("the wish does not bind", "law.cpp", "std::min({charger.view.wish, charger.view.maximum, need})",
             "std::min({charger.view.maximum, need})"),
    Mutation("the maximum does not bind", "law.cpp", "std::min({charger.view.wish, charger.view.maximum, need})",
             "std::min({charger.view.wish, need})"),
    Mutation("the car's need does not bind", "law.h", "ABOVE_DRAW = 4.0f", "ABOVE_DRAW = 40.0f"),
    Mutation("a person's pause is forgotten", "law.cpp", "charger.view.vehicle && charger.view.enabled &&", "charger.view.vehicle &&"),
    Mutation("off is on", "law.cpp", " && charger.mode != Mode::OFF;", ";"),
    Mutation("all phases count always", "law.cpp", "charger.used = charger.own.carrying(DRAWS);", "charger.used = ALL_PHASES;"),
    Mutation("a phase that wakes does not count", "law.cpp", "charger.used |= carrying;", "charger.used |= 0;"),
    Mutation("a silent charger's share is free", "law.cpp", "demand.wants = demand.most > 0;", "demand.wants = false;"),
    Mutation("no turns", "law.cpp", "if (this->turn_wanted_ && lasting.crowded_out", "if (false && lasting.crowded_out"),
    Mutation("no pause lasts", "law.cpp", "if (charger.starts > 0 && since < pause)", "if (charger.starts > 200 && since < pause)"),
    Mutation("sun never ends", "surplus.h", "this->borrowed_ >= this->config_.stop_energy", "this->borrowed_ > 1e9f"),
    Mutation("sun is always there", "surplus.h", "this->saved_ >= this->config_.start_energy", "this->saved_ >= 0"),
    Mutation("dimming is ignored", "law.cpp", "if (HAS_DIMMING && this->dimmed_)", "if (HAS_DIMMING && !this->dimmed_)"),
    Mutation("the phases of a dimmed car count once", "sharing.h", "counts_power(pool) ? count_phases(this->phases) : 1.0f", "1.0f"),
    Mutation("unbalance is ignored", "law.cpp", "count_phases(phases) < PHASES)", "count_phases(phases) > PHASES)"),
    Mutation("a quarter never ends", "capacity.cpp", "} else if (quarter != this->quarter_) {", "} else if (quarter == 0) {"),
    Mutation("a quarter has no bound", "capacity.cpp", "- this->used_ - SAFETY_WH", "- SAFETY_WH"),
    Mutation("the parent does not count", "law.cpp", "charger.path |= 1 << circuit;", "charger.path |= 1 << config.circuit;"),
    Mutation("the lease is never renewed", "lease.h", "const bool enough = current > charging_time + this->length_ / RENEW_DIVISOR;",
             "const bool enough = current != 0;"),
    Mutation("an old limit is a lease", "lease.h", "current == 0 || current > charging_time + this->length_", "current == 0"),
    Mutation("a person's time limit is ignored", "lease.h", "person != 0 && person <=", "person == 1 && person <="),
)  # fmt: skip


def survives(mutation: Mutation) -> bool:
    """Whether no test notices it."""
    with tempfile.TemporaryDirectory() as directory:
        components = Path(directory) / "components"
        shutil.copytree(LAW, components / LAW.name)
        path = components / LAW.name / mutation.file
        path.write_text(path.read_text().replace(mutation.old, mutation.new))
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/balance/test_law.py"]
        environment = {**os.environ, "EVSE_COMPONENTS": str(components)}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False).returncode == 0


def main(words: list[str]) -> int:
    chosen = [m for m in MUTATIONS if not words or any(word in m.what for word in words)]
    survivors = []
    for mutation in chosen:
        lives = survives(mutation)
        print(f"{'SURVIVES' if lives else 'found   '}  {mutation.what}", flush=True)
        survivors += [mutation] if lives else []
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} found")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

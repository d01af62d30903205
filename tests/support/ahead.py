"""Builds what later tests need, in the background: the first tests mostly wait for chargers and brokers, and a compiler
can use that time. Each build is locked and repeated by the test that needs it, which then finds it ready.

    python -m tests.support.ahead
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bridge import companion_components
from tests.fuzz import targets
from tools.build import esp32_warnings, node
from tools.measure import cost, footprint

TESTS = Path(__file__).resolve().parents[1]
DEMO = node.ROOT / "tools/run/demo.yaml"
WORTH_IT = 1000  # tests


def builds() -> Iterator[Callable[[], object]]:
    """In the order in which the tests come."""
    for path in sorted((TESTS / "compile").glob("*.yaml")):
        if path.name != "common.yaml":
            yield lambda path=path: _generate(path)
    yield lambda: node.build(DEMO)
    for name in ("e2e/actions.yaml", "e2e/minimal.yaml"):
        yield lambda name=name: node.build(TESTS / name)
    yield lambda: node.build(DEMO, "sanitized")
    for path in esp32_warnings.default_configs():
        yield lambda path=path: _generate(path)
    for target in targets.TARGETS:
        yield lambda target=target: targets.build(target)
    yield cost.build
    yield lambda: footprint.measure_subjects(footprint.BUDGETS)
    yield lambda: node.build(TESTS / "bridge/companion_modbus.yaml")
    yield companion_components.lay_out
    yield lambda: node.build(TESTS / "bridge/companion_mqtt.yaml")


def _generate(path: Path) -> None:
    with node.locked(path) as directory:
        node.generate(path, directory)


@contextlib.contextmanager
def building(tests: int) -> Iterator[None]:
    """Builds with the lowest priority, if so many tests are worth it."""
    if tests < WORTH_IT:
        yield
        return
    command = ["nice", "-n", "19", sys.executable, "-m", "tests.support.ahead"]
    with subprocess.Popen(command, cwd=node.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield
        process.terminate()


if __name__ == "__main__":
    for build in builds():
        with contextlib.suppress(node.BuildError, targets.BuildError):  # the test that needs it says why
            build()

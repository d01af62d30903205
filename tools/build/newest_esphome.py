"""Runs what depends on ESPHome against the newest one: every example, every board, the component's code and its errors.

    python -m tools newest-esphome [--python python3.13] [--pre]      exits with pytest's code

ESPHome from 2026.10 on needs Python 3.12 or newer, which the machine's own Python need not be: one is looked for on the
path and among pyenv's. The newest release, or with `--pre` the newest beta, goes from PyPI into an environment of its
own under .cache/.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.build import node
from tools.run import child

ENVIRONMENT = node.CACHE / "newest-esphome"
TESTS = ("tests/codegen", "tests/examples", "tests/compile")
OLDEST_PYTHON = (3, 12)
NEW_BUILD_SYSTEM = "2026.10.0"


def find_python() -> str:
    """A Python that is new enough: this one, one on the path, or one of pyenv's; this one where there is none."""
    names = [f"python3.{minor}" for minor in range(OLDEST_PYTHON[1] + 8, OLDEST_PYTHON[1] - 1, -1)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    others = [*map(shutil.which, names), *(path for name in names for path in pyenv.glob(f"*/bin/{name}"))]
    return next(
        (str(python) for python in (sys.executable, *others) if python and _is_new_enough(python)), sys.executable
    )


def _is_new_enough(python: str | Path) -> bool:
    """Also whether it runs at all: pyenv puts names on the path that do not."""
    check = f"import sys; sys.exit(sys.version_info < {OLDEST_PYTHON})"
    try:
        return subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def install(python: str, beta: bool) -> Path:
    """Make the environment, or bring it up to date; returns its Python. Raises node.BuildError."""
    if not _is_new_enough(python):
        raise node.BuildError(f"--python {python} must be a Python of at least {'.'.join(map(str, OLDEST_PYTHON))}")
    _run([python, "-m", "venv", ENVIRONMENT], "the environment could not be made")
    newest = ENVIRONMENT / "bin/python"
    pip = [newest, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
    _run([*pip, "--editable", f"{node.ROOT}[dev]"], "the tools could not be installed")
    _run([*pip, *(["--pre"] if beta else []), f"esphome>={NEW_BUILD_SYSTEM}"], "ESPHome could not be installed")
    return newest


def _run(command: list, failure: str) -> None:
    try:
        subprocess.run(list(map(str, command)), check=True)
    except (OSError, subprocess.CalledProcessError):
        raise node.BuildError(failure) from None


def main() -> int:
    parser = argparse.ArgumentParser(description="Test against the newest ESPHome.")
    parser.add_argument(
        "--python",
        default=find_python(),
        help="Python 3.12 or newer; default: the one that runs this, or one that is found",
    )
    parser.add_argument("--pre", action="store_true", help="a beta, if it is newer")
    arguments = parser.parse_args()
    try:
        newest = install(arguments.python, arguments.pre)
    except node.BuildError as error:
        print(error, file=sys.stderr)
        return 1
    subprocess.run([newest, "-m", "esphome", "version"], check=True)
    return child.run([newest, "-m", "pytest", "-q", *TESTS], cwd=node.ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())

"""The wheel of this checkout in a fresh environment, as whoever runs `pipx install .` has it."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_NETWORK = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation")


def install(folder: Path, extra: str = "") -> Path:
    """Returns the program `evse-host` of an environment in ``folder``, which lends the packages it needs from ours."""
    environment = folder / "venv"
    if not environment.exists():
        venv.create(environment, with_pip=True)
        (packages,) = (environment / "lib").glob("python3*/site-packages")
        ours = [path for path in sys.path if path.endswith("-packages")]
        (packages / "ours.pth").write_text("\n".join(ours), encoding="utf-8")
    command = [
        environment / "bin/python",
        "-m",
        "pip",
        "install",
        *WITHOUT_NETWORK,
        "--force-reinstall",
        f"{ROOT}{extra}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert "does not provide the extra" not in done.stderr, done.stderr
    return environment / "bin/evse-host"

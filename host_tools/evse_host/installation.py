"""How this program was installed: from where, and what to type to add what is missing."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from pathlib import Path

NAME = "evse-host"


def git_source() -> str | None:
    """The git repository that it was installed from, as `URL@COMMIT`; None if from elsewhere."""
    try:
        text = importlib.metadata.distribution(NAME).read_text("direct_url.json") or "{}"
    except importlib.metadata.PackageNotFoundError:
        return None
    origin = json.loads(text)
    vcs = origin.get("vcs_info", {})
    return f"{origin['url']}@{vcs['commit_id']}" if vcs.get("vcs") == "git" else None


def how_to_add(extra: str) -> str:
    """The command that installs the packages of an extra beside this program, in its own environment."""
    packages = " ".join(f"'{package}'" for package in packages_of(extra))
    if Path(sys.prefix).parent.name == "venvs" and Path(sys.prefix).name == NAME:
        return f"pipx inject {NAME} {packages}"
    return f"{sys.executable} -m pip install {packages}"


def packages_of(extra: str) -> list[str]:
    """Requirements of an extra, those of the extras that it names included."""
    found: list[str] = []
    for requirement in importlib.metadata.requires(NAME) or []:
        package, _, marker = requirement.partition(";")
        if f"extra == '{extra}'" not in marker.replace('"', "'"):
            continue
        own = re.match(rf"{NAME}\[(.+)\]", package.strip())
        found += (
            [each for name in own[1].split(",") for each in packages_of(name.strip())] if own else [package.strip()]
        )
    return found

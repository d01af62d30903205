"""Lays out the examples as users have them, beside the component and with a secrets.yaml; runs `esphome config`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "example_configs"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.yaml") if not path.name.startswith("secrets."))
PACKAGES = sorted(path.name for path in (EXAMPLES / "packages").glob("*.yaml"))


class Loader(yaml.SafeLoader):
    """YAML with ESPHome's tags, whose values are taken as they stand."""


def _plain(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node):
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


Loader.add_multi_constructor("!", _plain)


def load(text: str) -> dict:
    return yaml.load(text, Loader)


def lay_out(directory: Path) -> Path:
    """Copies the examples into `directory` with the example's secrets; returns where they are."""
    target = directory / "example_configs"
    shutil.copytree(EXAMPLES, target, ignore=shutil.ignore_patterns("secrets.yaml", ".esphome"))
    shutil.copy(EXAMPLES / "secrets.example.yaml", target / "secrets.yaml")
    (directory / "components").symlink_to(ROOT / "components")
    return target


def validate(config: Path, substitutions: dict[str, str] | None = None) -> tuple[bool, str]:
    """Whether ESPHome takes this configuration, and the resolved configuration or what it complains about."""
    given = [word for name, value in (substitutions or {}).items() for word in ("-s", name, value)]
    command = [sys.executable, "-m", "esphome", *given, "config", "--show-secrets", config.name]
    run = subprocess.run(command, cwd=config.parent, capture_output=True, text=True, timeout=120, check=False)
    return run.returncode == 0, run.stdout if run.returncode == 0 else run.stdout + run.stderr


def resolved(config: Path, substitutions: dict[str, str] | None = None) -> dict:
    """The resolved configuration; fails with ESPHome's own words when there is none."""
    valid, output = validate(config, substitutions)
    assert valid, f"{config.name}:\n{output}"
    return load(output)

"""What a wheel brings, in an environment of its own: the command, its version, and the component for `generate`."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from evse_host import installation
from tests.support.installed import ROOT, install

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
GENERATE = ("generate", "--board", "esp32dev", "--tx", "17", "--rx", "16", "--offline", "--meter", "none", "--no-check",
            "--single-phase", "--no-temperature-sensor", "--no-socket-lock", "--no-proximity")  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("installed"))


def run(program: Path, *arguments: str, cwd: Path) -> str:
    done = subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, env={})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_version_is_that_of_the_project(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "--version", cwd=tmp_path).split()[-1] == VERSION


def test_generate_finds_the_component_that_the_wheel_brought(installed: Path, tmp_path: Path) -> None:
    run(installed, *GENERATE, cwd=tmp_path)
    source = external_components(tmp_path)
    assert source["type"] == "local" and Path(source["path"]).is_relative_to(installed.parents[1])
    for file in (ROOT / "components/esp32evse").iterdir():
        if file.suffix not in (".cpp", ".h", ".py"):
            continue
        copy = Path(source["path"]) / "esp32evse" / file.name
        assert copy.read_bytes() == file.read_bytes(), file.name


def test_generate_names_the_git_repository_that_it_was_installed_from(installed: Path, tmp_path: Path) -> None:
    (record,) = installed.parents[1].glob("lib/python3*/site-packages/evse_host-*.dist-info/direct_url.json")
    before = record.read_text(encoding="utf-8")
    origin = {"url": "https://example.org/evse.git", "vcs_info": {"vcs": "git", "commit_id": "0a1b2c3d"}}
    record.write_text(json.dumps(origin), encoding="utf-8")
    try:
        run(installed, *GENERATE, cwd=tmp_path)
    finally:
        record.write_text(before, encoding="utf-8")
    assert external_components(tmp_path) == {"type": "git", "url": "https://example.org/evse.git", "ref": "0a1b2c3d"}


def external_components(folder: Path) -> dict[str, str]:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!secret", lambda loader, node: node.value)
    (entry,) = yaml.load((folder / "evse.yaml").read_text(encoding="utf-8"), Loader)["external_components"]
    return entry["source"]


def test_what_an_extra_needs_is_named_whole() -> None:
    assert [package.partition(">")[0].partition("<")[0] for package in installation.packages_of("mqtt")] == [
        "paho-mqtt"
    ]
    gateway = installation.packages_of("gateway")
    assert set(installation.packages_of("serve") + installation.packages_of("modbus")) < set(gateway)
    assert not any("evse-host" in package for package in gateway)


def test_every_package_that_the_host_tool_imports_is_named() -> None:
    """One that comes with another today may not come with it tomorrow."""
    files = (ROOT / "host_tools" / "evse_host").rglob("*.py")
    imported = {name for file in files for name in imports(file)} - sys.stdlib_module_names
    imported -= {"evse_host", "esp32evse", "pydantic_core"}  # the last is pydantic's other half, in one exact version
    there = importlib.metadata.packages_distributions()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    of_bridges = (each for name in ("mqtt", "serve", "modbus", "ocpp", "gateway") for each in extras[name])
    named = [*project["dependencies"], *of_bridges]
    names = {re.match(r"[\w-]+", each)[0].lower().replace("_", "-") for each in named}
    packages = {name: there.get(name, ["?"])[0].lower().replace("_", "-") for name in imported}
    assert {name for name, package in packages.items() if package not in names} == set()


def imports(file: Path) -> set[str]:
    """The packages that a file imports, its own not."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_pipx_is_told_from_a_virtual_environment(monkeypatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/home/me/.local/share/pipx/venvs/evse-host")
    assert installation.how_to_add("mqtt").startswith("pipx inject evse-host 'paho-mqtt")
    monkeypatch.setattr(sys, "prefix", "/home/me/evse-host")
    assert installation.how_to_add("mqtt").startswith(f"{sys.executable} -m pip install 'paho-mqtt")

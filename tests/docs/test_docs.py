"""The generated pages are current and complete, and what README and pages say exists."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
import yaml

from tests.examples import configs
from tools.docs import pages as docs

catalog = docs.catalog

PAGES = ("README.md", "docs/entities.md", "docs/automations.md")
ENTITIES = configs.ROOT / "docs" / "entities.md"
AUTOMATIONS = configs.ROOT / "docs" / "automations.md"


def text(page: str | Path) -> str:
    return (configs.ROOT / page).read_text(encoding="utf-8")


def section(page: Path, title: str) -> str:
    """The text between the heading `## title` and the next one."""
    return re.split(r"^## ", text(page).split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def rows(page: Path, title: str) -> dict[str, str]:
    """The table rows of a section, by the name in their first column."""
    return {match[1]: match[0] for match in re.finditer(r"^\| `([\w.]+)` \|.*$", section(page, title), re.MULTILINE)}


def test_generated_files_are_current(capsys):
    assert docs.main(["--check"]) == 0, capsys.readouterr().err


def test_check_names_what_is_not_current(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    for target in (*docs.PAGES.values(), *(package.target for package in docs.PACKAGES)):
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
    assert docs.main(["--check"]) == 1
    assert "docs/entities.md is not current" in capsys.readouterr().err
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
    (tmp_path / "docs/automations.md").write_text("edited by hand")
    capsys.readouterr()
    assert docs.main(["--check"]) == 1
    assert capsys.readouterr().err == "docs/automations.md is not current: run make docs\n"


@pytest.mark.parametrize("platform", catalog.PLATFORMS)
def test_every_entity_has_its_row(platform):
    table = rows(ENTITIES, platform)
    assert list(table) == [entity.key for entity in catalog.entities(platform)]
    for entity in catalog.entities(platform):
        row = table[entity.key]
        assert f"| {entity.name} |" in row
        assert all(f"`{command}`" in row for command in entity.commands)
        assert not entity.unit or entity.unit in row
        assert all(f"`{option}`" in row for option in entity.options) or platform == "text_sensor"


def test_every_automation_has_its_row():
    assert list(rows(AUTOMATIONS, "Options of `esp32evse:`")) == [option.key for option in catalog.OPTIONS]
    assert list(rows(AUTOMATIONS, "Subscriptions")) == list(catalog.SUBSCRIBE_NAMES)
    for title, prefix, automations in (
        ("Triggers", "", catalog.TRIGGERS),
        ("Actions", "esp32evse.", catalog.ACTIONS),
        ("Conditions", "esp32evse.", catalog.CONDITIONS),
    ):
        table = rows(AUTOMATIONS, title)
        assert list(table) == [prefix + automation.name for automation in automations]
        for automation in automations:
            for argument in automation.arguments:
                assert f"`{argument.key}`" in table[prefix + automation.name]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text(page))
    base = (configs.ROOT / page).parent
    assert [link for link in links if not (base / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_actions_and_conditions_that_are_named_exist(page):
    known = {automation.name for automation in catalog.ACTIONS + catalog.CONDITIONS}
    named = set(re.findall(r"\besp32evse\.(\w+)(?!\.subscribe|\w)", text(page)))
    assert named <= known
    assert set(re.findall(r"\besp32evse\.(\w+)\.subscribe", text(page))) <= set(catalog.SUBSCRIBE_NAMES)


def test_commands_of_the_readme_are_in_the_makefile():
    targets = set(re.findall(r"^([a-z][\w-]*):", text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z][\w-]*)", text("README.md"), re.MULTILINE))
    assert {"demo", "test", "docs"} <= named
    assert named <= targets
    for variable in re.findall(r"make \w+ ([A-Z]+)=", text("README.md")):
        assert re.search(rf"\$[({{]{variable}[)}}]", text("Makefile")), f"the Makefile does not use {variable}"


def test_readme_names_every_example():
    examples = {path.name for path in (configs.ROOT / "example_configs").glob("*.yaml")} - {"secrets.yaml"}
    assert {name for name in examples if name not in text("README.md")} == set()


def test_float_limits_in_the_docs_are_those_of_a_float():
    def stored(value: int) -> float:
        return struct.unpack("f", struct.pack("f", value))[0]

    assert stored(16_777_216) == 16_777_216 and stored(16_777_217) != 16_777_217
    assert stored(33_554_432 + 2) != 33_554_432 + 2
    assert "16 777 216 Wh" in text("docs/promises.md")


def blocks(page: str) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```$", text(page), re.MULTILINE | re.DOTALL)


FRAME = {
    "esphome": {"name": "fragment"},
    "host": None,
    "logger": None,
    "api": None,
    "uart": {"port": "/tmp/fragment", "baud_rate": 115200, "rx_buffer_size": 1024},
    "esp32evse": {"id": "evse"},
}


@pytest.mark.parametrize(
    ("page", "index"), [(page, index) for page in PAGES[1:] for index in range(len(blocks(page)))]
)  # fmt: skip
def test_yaml_in_the_pages_is_valid(tmp_path, page, index):
    """Each block stands in a node for this computer, which adds what a configuration needs and the block leaves out."""
    block = blocks(page)[index]
    frame = {key: value for key, value in FRAME.items() if key not in configs.load(block)}
    frame["external_components"] = [{"source": {"type": "local", "path": str(configs.ROOT / "components")}}]
    config = tmp_path / "fragment.yaml"
    config.write_text(yaml.safe_dump(frame) + block, encoding="utf-8")
    assert configs.resolved(config)["esp32evse"]


def test_packages_that_the_readme_takes_from_git_exist():
    (block,) = (block for block in blocks("README.md") if "packages:" in block)
    files = configs.load(block)["packages"]["evse"]["files"]
    assert len(files) > 1
    for file in files:
        path, variables = (file, {}) if isinstance(file, str) else (file["path"], file["vars"])
        assert set(variables) <= set(configs.load(text(path))["substitutions"])

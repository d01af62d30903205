"""The generated pages are current and complete, and what README and pages say exists."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
import yaml
from esphome import wizard

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


# --- a builder's first node -------------------------------------------------------------------------------------------


def new_device(directory: Path) -> str:
    """What ESPHome's own dashboard writes for a new device."""
    (directory / "secrets.yaml").write_text("wifi_ssid: home\nwifi_password: longenough\n")
    return wizard.wizard_file(
        type="basic", name="evse", friendly_name="EVSE", platform="ESP32", board="esp32dev",
        ssid="!secret wifi_ssid", psk="!secret wifi_password",
        api_encryption_key="cmVwbGFjZSB0aGlzIHdpdGggeW91ciBvd24ga2V5ISE=", ota_password="0" * 32,
    )  # fmt: skip


def test_the_ten_lines_in_a_new_device(tmp_path):
    """With the component beside it, as docs/esphome-add-on.md says for who has no address on GitHub."""
    ten = next(block for block in blocks("README.md") if "packages:" not in block)
    (beside,) = (block for block in blocks("docs/esphome-add-on.md") if "external_components:" in block)
    lines = ten.replace(re.match(r"external_components:\n(  .*\n)+", ten)[0], beside)
    assert beside in lines and "OWNER" not in lines
    (tmp_path / "components").symlink_to(configs.ROOT / "components")
    config = tmp_path / "evse.yaml"
    config.write_text(f"{new_device(tmp_path)}\n{lines}", encoding="utf-8")
    found = configs.resolved(config)
    assert [block["platform"] for block in found["sensor"]] == ["esp32evse"]
    assert found["uart"][0]["tx_pin"]["number"] == 17


EVERY_TEXT = [
    configs.ROOT / "README.md",
    *sorted((configs.ROOT / "docs").rglob("*.md")),
    *sorted(configs.EXAMPLES.rglob("*.yaml")),
]
#: Projects of others that are named by their address.
OTHERS = {"dzurikmiroslav/esp32-evse", "dequelabs/axe-core", "evcc-io/evcc", "lbbrhzn/ocpp"}


def test_this_project_has_one_address():
    """One search finds all places where it is to be written."""
    named = {
        match[1].removesuffix(".git")
        for file in EVERY_TEXT
        for match in re.finditer(r"github(?:\.com/|://)([\w.-]+/[\w.-]+)", text(file))
    }
    assert len(named - OTHERS) == 1, named
    assert "github.com" in text("README.md")


def test_every_secret_has_an_example():
    named = {name for file in EVERY_TEXT for name in re.findall(r": !secret ([a-z_]+)", text(file))}
    offered = re.findall(r'^(?:# )?([a-z_]+): "', text("example_configs/secrets.example.yaml"), re.MULTILINE)
    assert named <= set(offered)


def test_what_tests_ask_for_is_installed_by_make_test():
    """Or they would be skipped on the machine that the README describes."""
    asked = {
        package
        for file in (configs.ROOT / "tests").rglob("*.py")
        for match in re.findall(
            r'reason="needs[^"]*apt-get install ([^"]+)"|skip\("needs[^"]*install ([^"]+)"', text(file)
        )
        for package in " ".join(match).split()
    }
    listed = set(re.sub(r"#.*", "", text("tools/debian-packages.txt")).split())
    assert {"firefox-esr", "npm", "mosquitto"} <= asked <= listed

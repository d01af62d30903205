"""What people copy into Home Assistant: it names entities that exist, and nothing that must be installed first.

It was loaded and looked at in Home Assistant 2026.11.0; here its form is checked.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from evse_host import catalog
from tests.examples import configs

FOLDER = configs.EXAMPLES / "home_assistant"
BLUEPRINTS = sorted((FOLDER / "blueprints").glob("*.yaml"))


class Loader(yaml.SafeLoader):
    """YAML with `!input`."""


class Input(str):
    """The name behind `!input`."""


Loader.add_constructor("!input", lambda loader, node: Input(loader.construct_scalar(node)))


def slug(text: str) -> str:
    """As Home Assistant makes an entity id of a name."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def entity_ids() -> set[str]:
    """Those of a node with the friendly name EVSE; ESPHome's text sensors are Home Assistant's sensors."""
    domains = {"text_sensor": "sensor"}
    return {f"{domains.get(row.platform, row.platform)}.evse_{slug(row.name)}" for row in catalog.ENTITIES}


def inside(value) -> list:
    """Every key and value in it, at any depth."""
    if isinstance(value, dict):
        return [*value, *(found for item in value.values() for found in inside(item))]
    if isinstance(value, list):
        return [found for item in value for found in inside(item)]
    return [value]


@pytest.mark.parametrize("name", ["dashboard.yaml", "charger_card.yaml"])
def test_every_entity_on_the_dashboard_exists(name: str) -> None:
    named = {item for item in inside(yaml.safe_load((FOLDER / name).read_text())) if re.match(r"\w+\.evse_", str(item))}
    assert len(named) > 8
    assert named <= entity_ids()


def test_dashboard_needs_no_add_on_card() -> None:
    assert "custom:" not in (FOLDER / "dashboard.yaml").read_text()


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: path.stem)
def test_a_blueprint_uses_every_input_that_it_asks_for(path: Path) -> None:
    blueprint = yaml.load(path.read_text(), Loader)
    head = blueprint.pop("blueprint")
    assert head["domain"] == "automation"
    assert head["name"].startswith("Charger: ") and head["description"]
    assert {"mode", "triggers", "actions"} <= set(blueprint)
    assert {item for item in inside(blueprint) if isinstance(item, Input)} == set(head["input"])
    for declared in head["input"].values():
        assert declared["name"] and declared["selector"]


def test_the_three_blueprints_are_there() -> None:
    assert [path.stem for path in BLUEPRINTS] == ["car_finished_or_fault", "cheap_hours_or_sun", "remind_to_plug_in"]

"""What people copy into Home Assistant: it names entities that exist, and nothing that must be installed first.

It was loaded and looked at in Home Assistant 2026.11.0; here its form is checked, and on what its automations act.
"""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
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


def trigger_of(blueprint: dict, name: str, old: str, new: str) -> str | None:
    """The id of the trigger that a change of the entity behind input `name` fires, as Home Assistant judges it."""
    for number, trigger in enumerate(blueprint["triggers"]):
        if (
            trigger.get("entity_id") == name
            and new in trigger.get("to", [new])
            and old in trigger.get("from", [old])
            and old not in trigger.get("not_from", [])
        ):
            return trigger.get("id", str(number))
    return None


def load(name: str) -> dict:
    return yaml.load((FOLDER / f"blueprints/{name}.yaml").read_text(), Loader)


@pytest.mark.parametrize("old", ["off", "unknown", "unavailable"])
def test_a_fault_that_is_there_after_a_power_cut_is_told(old: str) -> None:
    assert trigger_of(load("car_finished_or_fault"), "fault", old, "on") == "fault"


@pytest.mark.parametrize(
    ("entity", "old", "new", "mode", "chosen_by_a_person", "acts"),
    [
        ("cheap", "off", "on", "solar", False, True),
        ("cheap", "off", "on", "manual", True, True),  # until the next change
        ("cheap", "unavailable", "on", "solar", False, True),  # missed by the tariff's own outage
        ("cheap", "unavailable", "on", "solar", True, False),
        ("cheap", "unavailable", "on", "fast", False, False),
        ("cheap", "unknown", "off", "fast", False, True),
        ("cheap", "unavailable", "off", "min_solar", False, False),  # a mode of neither: somebody wants it
        ("mode", "unavailable", "solar", "solar", False, True),  # missed by the node's outage
        ("mode", "unavailable", "fast", "fast", False, False),
        ("mode", "fast", "solar", "solar", False, None),  # by hand or by another automation
        ("cheap", "on", "unavailable", "fast", False, None),
    ],
)
def test_a_change_of_the_tariff_sets_the_mode_and_a_missed_one_is_made_up_for(
    entity: str, old: str, new: str, mode: str, chosen_by_a_person: bool, acts: bool | None
) -> None:
    blueprint = load("cheap_hours_or_sun")
    trigger = trigger_of(blueprint, entity, old, new)
    if acts is None:
        assert trigger is None
        return
    cheap = new if entity == "cheap" else "on"
    context = {"user_id": "somebody" if chosen_by_a_person else None}
    words = jinja2.Environment(trim_blocks=True).from_string(blueprint["conditions"][-1]["value_template"])
    said = words.render(
        trigger={"id": trigger},
        mode="mode",
        cheap="cheap",
        while_cheap="fast",
        otherwise="solar",
        is_state=lambda entity, state: {"mode": mode, "cheap": cheap}[entity] == state,
        states={"mode": {"context": context}},
    )
    assert (said == "True") == acts

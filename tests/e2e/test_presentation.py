"""What the catalog says of each entity's looks is what Home Assistant gets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aioesphomeapi import EntityInfo, SensorStateClass

from evse_host import catalog
from tools.run.api import label

CATEGORIES = ("", "config", "diagnostic")
STATE_CLASSES = {
    "": SensorStateClass.NONE,
    "measurement": SensorStateClass.MEASUREMENT,
    "total_increasing": SensorStateClass.TOTAL_INCREASING,
}


@pytest.fixture(scope="module")
def shown(node) -> dict[str, EntityInfo]:
    return {label(info): info for info in node.entities}


def expected(row: catalog.Entity) -> Iterator[tuple[str, object]]:
    yield "icon", row.icon
    yield "entity_category", CATEGORIES.index(row.category)
    yield "disabled_by_default", row.disabled
    if row.platform not in ("switch", "select", "text"):
        yield "device_class", row.device_class
    if row.platform in ("sensor", "number"):
        yield "unit_of_measurement", row.shown_in or row.unit
    if row.platform == "sensor":
        yield "state_class", STATE_CLASSES[row.state_class]
    if row.platform == "sensor" and not row.shown_in:
        yield "accuracy_decimals", row.accuracy
    if row.platform == "number":
        yield from (("min_value", row.minimum), ("max_value", row.maximum), ("step", row.step))


@pytest.mark.parametrize("row", catalog.ENTITIES, ids=lambda row: f"{row.platform}.{row.key}")
def test_it_looks_as_the_catalog_says(row: catalog.Entity, shown: dict[str, EntityInfo]) -> None:
    info = shown[f"{row.platform}.{row.name}"]
    assert {name: getattr(info, name) for name, _ in expected(row)} == pytest.approx(dict(expected(row)))

"""What Home Assistant's recorder keeps of a node, counted from the API's states: a row for each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tools.run.clocked_node import ClockedNode


def rows(node: ClockedNode, live: Callable[[], None]) -> Counter[str]:
    """Changes while ``live`` runs of what Home Assistant has enabled, by entity; an equal value is none."""
    start, shown, counted = len(node.changes), dict(node.values), Counter[str]()
    live()
    for change in node.changes[start:]:
        if shown.get(change.name) != change.value and not change.entity.disabled_by_default:
            counted[change.name] += 1
        shown[change.name] = change.value
    return counted

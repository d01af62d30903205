"""What people write instead of what they mean, answered in one line: the key, what is wrong, and what to write."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import esphome.config_validation as cv
from esphome.const import CONF_PLATFORM

from . import catalog

DOMAIN = "esp32evse"


def in_entities(platform: str, others: set[str]) -> Callable[[Any], Any]:
    """For a platform's block: a key that is none of ``others`` and no entity, and an entity without options."""
    known = {entity.key: entity for entity in catalog.entities(platform)}

    def validator(block):
        for key, options in block.items() if isinstance(block, dict) else ():
            if key in others:
                continue
            if key not in known:
                raise cv.Invalid(_unknown(platform, str(key)), path=[key])
            if not isinstance(options, dict):
                given = "nothing" if options in (None, "") else options
                name = known[key].name
                raise cv.Invalid(f"{key} must have options such as `name: {name}`, not {given}", path=[key])
        return block

    return validator


def _unknown(platform: str, key: str) -> str:
    where = f"{platform}.{DOMAIN}"
    elsewhere = [other for other in catalog.PLATFORMS if (other, key) in catalog.ENTITY]
    if elsewhere:
        return f"[{key}] is no {platform}: it goes under {_block(elsewhere[0])}"
    near = _near(platform, key)
    hint = f"perhaps {' or '.join(near)}" if near else f"docs/entities.md lists what {where} has"
    return f"[{key}] is no entity of {where}; {hint}"


def _near(platform: str, key: str) -> list[str]:
    """Keys that are spelt like it or have it in them, or whose name in Home Assistant is like it; three at most."""
    entities = catalog.entities(platform)
    wanted = key.lower().replace("_", " ")
    by_name = {entity.name.lower(): entity.key for entity in entities}
    spelt = difflib.get_close_matches(key, [entity.key for entity in entities], 2, 0.75)
    named = [by_name[name] for name in difflib.get_close_matches(wanted, by_name, 2, 0.75)]
    within = [entity.key for entity in entities if key.lower() in entity.key]
    return list(dict.fromkeys([*named, *spelt, *within]))[:3]


def in_hub(hub: Any) -> Any:
    """For the hub's block: entities under it, or a word instead of options."""
    if hub is not None and not isinstance(hub, dict):
        raise cv.Invalid(f"{DOMAIN} must have options such as `id: evse`, or nothing behind it, not {hub}")
    for key in hub or ():
        if key in catalog.PLATFORMS:
            raise cv.Invalid(f"[{key}] stands by itself, not under {DOMAIN}: {_block(key)}", path=[key])
        for platform in catalog.PLATFORMS:
            if (platform, key) in catalog.ENTITY:
                raise cv.Invalid(f"[{key}] is an entity: it goes under {_block(platform)}", path=[key])
    return hub


def _block(platform: str) -> str:
    return f"`{platform}:` with `{CONF_PLATFORM}: {DOMAIN}`"

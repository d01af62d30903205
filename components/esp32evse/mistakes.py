"""What people write instead of what they mean, answered in one line: the key, what is wrong, and what to write.

ESPHome's own validation goes first where it can; its messages get the key and the value that they lack.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import esphome.config_validation as cv
import esphome.final_validate as fv
from esphome.automation import ACTION_REGISTRY, CONDITION_REGISTRY
from esphome.const import (
    CONF_COMMAND_RETAIN,
    CONF_COMMAND_TOPIC,
    CONF_ID,
    CONF_INTERNAL,
    CONF_NAME,
    CONF_PLATFORM,
    CONF_STATE_TOPIC,
    CONF_TOPIC_PREFIX,
)
from esphome.core import CORE
from esphome.helpers import sanitize, snake_case
from esphome.loader import get_component
from esphome.voluptuous_schema import ExtraKeysInvalid
from esphome.yaml_util import ESPHomeDataBase
from voluptuous import RequiredFieldInvalid

from . import catalog

DOMAIN = "esp32evse"
UART = "uart"

_LOGGER = logging.getLogger(__name__)

_UART_KEYS = ("tx_pin", "rx_pin", "baud_rate", "rx_buffer_size", "data_bits", "parity", "stop_bits", "port")
_HUB_KEYS = tuple(option.key for option in catalog.OPTIONS)

#: Keys below which a word alone is an action or a condition; so it is below every `on_...`.
_WORD_HOLDERS = {"then", "else", "condition", "conditions", "all", "any", "and", "or", "xor", "not", "wait_until"}

#: What actions, buttons and switches are called elsewhere.
_OTHER_WORDS = {
    **dict.fromkeys(("start", "resume", "continue"), "enable"),
    **dict.fromkeys(("stop", "pause"), "disable"),
    **dict.fromkeys(("reboot", "reset"), "restart"),
    "update": "refresh",
}


def _close(wanted: str, known: Iterable[str], count: int = 2) -> list[str]:
    return difflib.get_close_matches(wanted, list(known), count, 0.75)


def _block(platform: str) -> str:
    return f"`{platform}:` with `{CONF_PLATFORM}: {DOMAIN}`"


def naming(validator: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The validator, whose errors say which key they are about, and what an option was set to."""

    def named(options):
        try:
            return validator(options)
        except cv.MultipleInvalid as errors:
            raise cv.MultipleInvalid([_named(error, options) for error in errors.errors]) from None

    return named


def _named(error: cv.Invalid, options: dict[str, Any]) -> cv.Invalid:
    keys = [str(key) for key in error.path if not isinstance(key, int)]
    if not keys or isinstance(error, (ExtraKeysInvalid, RequiredFieldInvalid)):
        return error
    key = re.escape(keys[-1])
    if re.search(rf"^\[?{key}\b|\b{key}(:| must)|'{key}'", error.msg):
        return error
    value = _option_at(error.path, options)
    given = f" '{value}'" if value and len(value) <= 40 and value.lower() not in error.msg.lower() else ""
    return cv.Invalid(f"{keys[-1]}{given}: {error.msg}", path=error.path)


def _option_at(path: list[Any], options: Any) -> str:
    """An option of the hub or of an entity; not what stands deeper in automations, which may be anybody's secret."""
    if len(path) > 2:
        return ""
    for key in path:
        options = options.get(key) if isinstance(options, dict) else None
    return "" if options is None or isinstance(options, (dict, list)) else str(options)


# --- entities ---------------------------------------------------------------------------------------------------------


def in_entities(platform: str, others: set[str], options_of: dict[str, Any]) -> Callable[[Any], Any]:
    """For a platform's block: no such hub, a key that is none of ``others`` and no entity, an entity without options.

    ``options_of`` has the schema of each entity.
    """
    known = {entity.key: entity for entity in catalog.entities(platform)}
    of_entities = {"type"}.union(*map(_option_names, options_of.values()))

    def validator(block):
        _require_hub(f"{platform}.{DOMAIN}")
        for key, options in block.items() if isinstance(block, dict) else ():
            if key == f"{DOMAIN}_id":
                _require_id(options)
            if key in others:
                continue
            if key not in known:
                if key in of_entities and key not in _HUB_KEYS:
                    first = next(iter(known.values()))
                    raise cv.Invalid(
                        f"[{key}] is no entity: options go below one, such as `{first.key}:` with `name: {first.name}`",
                        path=[key],
                    )
                raise cv.Invalid(_unknown(platform, str(key), others), path=[key])
            if not isinstance(options, dict):
                given = "nothing" if options in (None, "") else options
                name = known[key].name
                raise cv.Invalid(f"{key} must have options such as `name: {name}`, not {given}", path=[key])
        return block

    return validator


def _require_hub(user: str) -> None:
    if CORE.raw_config.get(DOMAIN, []) == []:  # nothing behind it is a hub without options
        raise cv.Invalid(f"Component {user} requires component {DOMAIN}: add a line `{DOMAIN}:`")


def _require_id(wanted: Any) -> None:
    """Where one charger has no id, ESPHome would only say that there is none, once for each block."""
    hubs = CORE.raw_config[DOMAIN]
    (first, *others) = hubs if isinstance(hubs, list) else [hubs]
    own = (first or {}).get(CONF_ID)  # ESPHome has made one up where the block was validated before
    if not others and wanted is not None and (own is None or not getattr(own, "is_manual", True)):
        raise cv.Invalid(
            f"{DOMAIN}_id: no charger has the id '{wanted}'; write `id: {wanted}` under `{DOMAIN}:`, or "
            f"`- id: !extend {wanted}` where a package brings the charger",
            path=[f"{DOMAIN}_id"],
        )


def _unknown(platform: str, key: str, others: set[str]) -> str:
    where = f"{platform}.{DOMAIN}"
    elsewhere = [other for other in catalog.PLATFORMS if (other, key) in catalog.ENTITY]
    if elsewhere:
        return f"[{key}] is no {platform}: it goes under {_block(elsewhere[0])}"
    if key in _HUB_KEYS:
        return f"[{key}] is an option of the charger: it goes under `{DOMAIN}:`"
    near = _near(platform, key) or [other for other in others if key in other]
    hint = f"perhaps {' or '.join(near)}" if near else f"docs/entities.md lists what {where} has"
    return f"[{key}] is no entity of {where}; {hint}"


def _near(platform: str, key: str) -> list[str]:
    """Keys that mean it, are spelt like it or have it in them, or whose name is like it; three at most."""
    entities = catalog.entities(platform)
    by_name = {entity.name.lower(): entity.key for entity in entities}
    other_word = [entity.key for entity in entities if entity.key == _OTHER_WORDS.get(key)]
    named = [by_name[name] for name in _close(key.lower().replace("_", " "), by_name)]
    spelt = _close(key, [entity.key for entity in entities])
    within = [entity.key for entity in entities if key.lower() in entity.key]
    return list(dict.fromkeys([*other_word, *named, *spelt, *within]))[:3]


def in_options(entity: catalog.Entity, schema: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """An entity's schema, after a look at what has no name, is no option, or would repeat what was asked for once."""
    names = _option_names(schema)

    def validator(options):
        for key in [str(key) for key in options if key not in names]:
            if near := _close(key, names) or sorted(name for name in names if key in name.split("_")):
                raise ExtraKeysInvalid("extra keys not allowed", path=[key], candidates=near)
            if key in _HUB_KEYS:
                raise cv.Invalid(f"[{key}] is an option of the charger: it goes under `{DOMAIN}:`", path=[key])
        if options.get(CONF_NAME, options.get(CONF_ID)) is None:
            example = f"such as `{CONF_NAME}: {entity.name}`"
            raise cv.Invalid(f"{entity.key}: at least one of '{CONF_ID}:' or '{CONF_NAME}:' is required, {example}")
        if options.get(CONF_COMMAND_RETAIN):
            _LOGGER.warning(
                "%s: %s lets the broker repeat the last command at every connection, days later too: leave it out",
                entity.key,
                CONF_COMMAND_RETAIN,
            )
        return schema(options)

    return validator


def _option_names(schema: Any) -> set[str]:
    parts = getattr(schema, "validators", (schema,))
    return {str(key) for part in parts if isinstance(part, cv.Schema) for key in part.schema}


def check_topics(hub: dict[str, Any]) -> dict[str, Any]:
    """ESPHome's own MQTT makes topics of names and knows no sub-devices: one command would reach two chargers."""
    config = fv.full_config.get()
    if not (config.get("mqtt") or {}).get(CONF_TOPIC_PREFIX):
        return hub
    users: dict[tuple[str, str], str] = {}
    for platform, name, owner in _published(config):
        topic = (platform.removeprefix("text_"), sanitize(snake_case(name)))  # text sensors stand among the sensors
        user = f"{platform} '{name}' of '{owner}'"
        if topic in users:
            raise cv.Invalid(
                f"{users[topic]} and {user} would have one topic over mqtt: give each its own name; "
                "where packages bring several chargers, `prefix` does"
            )
        users[topic] = user
    return hub


def _published(config: Any) -> Iterator[tuple[str, str, Any]]:
    """Platform, name and hub of each entity that has ESPHome's own topics."""
    for platform in catalog.PLATFORMS:
        for block in config.get(platform, ()):
            for options in block.values() if block[CONF_PLATFORM] == DOMAIN else ():
                is_entity = isinstance(options, dict) and not options.get(CONF_INTERNAL)
                if is_entity and options.get(CONF_NAME) and not {CONF_STATE_TOPIC, CONF_COMMAND_TOPIC} & set(options):
                    yield platform, options[CONF_NAME], block[f"{DOMAIN}_id"]


# --- the hub ----------------------------------------------------------------------------------------------------------


def in_hub(hub: Any) -> Any:
    """For the hub's block: what it needs, what stands under it by mistake, and actions that it does not have."""
    if not _has_uart():
        keys = "`port`" if CORE.is_host else "`tx_pin`, `rx_pin`"
        raise cv.Invalid(
            f"Component {DOMAIN} requires component {UART}: "
            f"add `{UART}:` with {keys} and `baud_rate: {catalog.BAUD_RATE}`"
        )
    if hub is not None and not isinstance(hub, dict):
        raise cv.Invalid(f"{DOMAIN} must have options such as `id: evse`, or nothing behind it, not {hub}")
    for key, value in (hub or {}).items():
        if message := _in_hub(str(key), value):
            raise cv.Invalid(message, path=[key])
    _check_actions()
    return hub


def _in_hub(key: str, value: Any) -> str | None:
    """What is wrong with an option of the hub, or with its being there."""
    if key in catalog.PLATFORMS:
        return f"[{key}] stands by itself, not under {DOMAIN}: {_block(key)}"
    for platform in catalog.PLATFORMS:
        if (platform, key) in catalog.ENTITY:
            return f"[{key}] is an entity: it goes under {_block(platform)}"
    if key == UART:
        return f"[{key}] stands by itself, not under {DOMAIN}; `{UART}_id:` here names it where there are several"
    if key in _UART_KEYS:
        return f"[{key}] is an option of the serial port: it goes under `{UART}:`"
    if key == CONF_NAME:
        return f"[{key}] belongs to entities; the charger has an `{CONF_ID}:`"
    if key in {trigger.name for trigger in catalog.TRIGGERS} and not isinstance(value, (dict, list)):
        return f"{key} must have actions below it, such as `- logger.log: {key}`, not {value or 'nothing'}"
    return None


def _has_uart() -> bool:
    """Whether there is a serial port: ESPHome's own, or that of another component, which loads ESPHome's."""
    if UART not in CORE.loaded_integrations:
        return False
    if CORE.raw_config.get(UART):
        return True
    others = (get_component(domain) for domain in CORE.loaded_integrations)
    return any(other and (callable(other.auto_load) or UART in other.auto_load) for other in others)


def _check_actions() -> None:
    """Actions and conditions that ESPHome will not find: it would not say which there are."""
    for name in _names({domain: part for domain, part in CORE.raw_config.items() if domain != "logger"}):  # log tags
        kind, registry = ("condition", CONDITION_REGISTRY) if ".is_" in name else ("action", ACTION_REGISTRY)
        if re.fullmatch(rf"{DOMAIN}\.\w+(\.(un)?subscribe)?", name) and name not in registry:
            near = _near_actions(name, registry) or _of_the_other_kind(name)
            hint = f"perhaps {' or '.join(near)}" if near else "docs/automations.md lists what there is"
            raise cv.Invalid(f"Unable to find {kind} with the name '{name}'{_place(name)}; {hint}")


def _place(name: str) -> str:
    """Where it was written, if ESPHome knows."""
    if not isinstance(name, ESPHomeDataBase) or name.esp_range is None:
        return ""
    mark = name.esp_range.start_mark
    return f" in line {mark.line + 1} of {Path(mark.document).name}"


def _near_actions(name: str, registry: Iterable[str]) -> list[str]:
    """Names of the same form whose second word means the same, is like it or has its words in it; three at most."""
    head, word, *tail = name.split(".")
    words = [parts[1] for parts in (other.split(".") for other in registry) if [parts[0], *parts[2:]] == [head, *tail]]
    if not tail and _OTHER_WORDS.get(word) in words:
        return [f"{head}.{_OTHER_WORDS[word]}"]
    parts = set(word.split("_"))
    near = [*_close(word, words), *(other for other in words if word in other or parts <= set(other.split("_")))]
    return [".".join((head, other, *tail)) for other in dict.fromkeys(near)][:3]


def _of_the_other_kind(name: str) -> list[str]:
    """The condition, the subscription or its end that is written like this, if there is one."""
    head, word, *tail = name.split(".")
    subscribe = f"{head}.{word}.subscribe"
    if f"{head}.is_{word}" in CONDITION_REGISTRY and not tail:
        return [f"{head}.is_{word}"]
    if subscribe in ACTION_REGISTRY and tail != ["subscribe"]:
        return [f"{subscribe}: never" if tail else subscribe]
    return []


def near_subscriptions(wanted: str) -> list[str]:
    """What shows the entity of that key, as `voltage` shows `voltage_l1`, or is spelt like it."""
    commands = {entity.command for entity in catalog.ENTITIES if entity.key == wanted}
    shown = [name for name, command in catalog.SUBSCRIBE_NAMES.items() if command in commands]
    return shown or _close(wanted, catalog.SUBSCRIBE_NAMES)


def _names(part: Any, holder: str = "") -> Iterator[str]:
    """Every key below `holder`, and every word that stands where an action or a condition belongs."""
    if isinstance(part, dict):
        for key, value in part.items():
            if isinstance(key, str):
                yield key
            yield from _names(value, str(key))
    elif isinstance(part, list):
        for item in part:
            yield from _names(item, holder)
    elif isinstance(part, str) and (holder in _WORD_HOLDERS or holder.startswith("on_")):
        yield part

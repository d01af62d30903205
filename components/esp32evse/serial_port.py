"""Final validation of the UART behind a hub.

Only keys that are there are looked at, and by their meaning: a UART of another component (wk2168, usb_uart, ...) has
other keys and other types than ESPHome's own. Settings that the charger can be set to as well are only warned of.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import esphome.config_validation as cv
import esphome.final_validate as fv
from esphome.components import uart
from esphome.components.esp32 import get_esp32_variant
from esphome.const import (
    CONF_BAUD_RATE,
    CONF_DEBUG,
    CONF_DUMMY_RECEIVER,
    CONF_ID,
    CONF_NUMBER,
    CONF_PLATFORM,
    CONF_RX_BUFFER_SIZE,
    CONF_RX_PIN,
    CONF_TX_PIN,
    CONF_UART_ID,
)
from esphome.core import CORE, ID
from esphome.types import ConfigType

from . import catalog
from .codegen import DOMAIN

CONF_DATA_BITS = "data_bits"
CONF_PARITY = "parity"
CONF_STOP_BITS = "stop_bits"

MIN_RX_BUFFER_SIZE = 256

#: Where the chip's ROM prints its boot messages, by ESP32 variant; an ESP8266 prints at GPIO1.
_CONSOLE_TX = {
    "ESP32": 1,
    "ESP32C2": 20,
    "ESP32C3": 21,
    "ESP32C5": 11,
    "ESP32C6": 16,
    "ESP32C61": 11,
    "ESP32H2": 24,
    "ESP32P4": 37,
    "ESP32S2": 43,
    "ESP32S3": 43,
}

#: What the charger's port is set to unless its owner has changed it.
_CHARGER_DEFAULTS = {
    CONF_BAUD_RATE: str(catalog.BAUD_RATE),
    CONF_DATA_BITS: "8",
    CONF_PARITY: "NONE",
    CONF_STOP_BITS: "1",
}

#: UARTs over a network: bytes have no speed there, and what is set means nothing.
_WITHOUT_SPEED = ("tcp_uart::TcpUart",)

_LOGGER = logging.getLogger(__name__)


def validate(config: ConfigType) -> ConfigType:
    """The UART fits, and nobody else listens or talks on it."""
    _check_sole_user(config)
    _warn_of_writers(config[CONF_UART_ID])
    cv.Schema({cv.Required(CONF_UART_ID): fv.id_declaration_match_schema(_check_settings)}, extra=cv.ALLOW_EXTRA)(
        config
    )
    if CORE.is_host:
        return config
    # ESPHome's own check: names whoever asks for the same pins later.
    return uart.final_validate_device_schema(DOMAIN, require_tx=True, require_rx=True)(config)


# --- other users ------------------------------------------------------------------------------------------------------


def _check_sole_user(config: ConfigType) -> None:
    wanted = config[CONF_UART_ID]
    others = [
        user
        for domain, blocks in fv.full_config.get().items()
        for user, uart_id in _uart_users(blocks, domain)
        if uart_id.id == wanted.id and user != f"{DOMAIN} '{config[CONF_ID]}'"
    ]
    if others:
        named = f"'{wanted}'" if _declared(wanted).is_manual else "the uart"
        raise cv.Invalid(
            f"{CONF_UART_ID}: {named} is used by {' and '.join(sorted(set(others)))}, too; "
            "every charger needs a uart of its own",
            path=[CONF_UART_ID],
        )


def _declared(uart_id: ID) -> ID:
    """The id as the UART's own block has it, which tells whether a person wrote it."""
    config = fv.full_config.get()
    return config.get_config_for_path(config.get_path_for_id(uart_id)[:-1])[CONF_ID]


def _warn_of_writers(uart_id: ID) -> None:
    """What `uart.write` says comes between the hub's own commands, and can make other commands of them."""
    if any(isinstance(action, dict) and action.get(CONF_ID) == uart_id for action in _values_of("uart.write")):
        _LOGGER.warning(
            "uart.write: on '%s' it gets between the commands to the charger, use esp32evse.send_command instead",
            uart_id,
        )


def _values_of(key: str) -> list[Any]:
    """Every value that the key has, anywhere in the configuration."""
    found, parts = [], [fv.full_config.get()]
    while parts:
        part = parts.pop()
        found += [part[key]] if isinstance(part, dict) and key in part else []
        parts += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return found


def _uart_users(block: Any, name: str) -> Iterator[tuple[str, ID]]:
    """Every (user, UART) in a part of the configuration; a user goes by its domain, its platform and its id."""
    if isinstance(block, list):
        for item in block:
            yield from _uart_users(item, name)
    if not isinstance(block, dict):
        return
    if CONF_PLATFORM in block:
        name = f"{name.partition('.')[0]}.{block[CONF_PLATFORM]}"
    if isinstance(uart_id := block.get(CONF_UART_ID), ID):
        own_id = block.get(CONF_ID)
        named = isinstance(own_id, ID) and (own_id.is_manual or name == DOMAIN)
        yield (f"{name} '{own_id}'" if named else name), uart_id
    for value in block.values():
        yield from _uart_users(value, name)


# --- settings ---------------------------------------------------------------------------------------------------------


def _name(uart_id: ID) -> str:
    return f"uart '{uart_id}'" if uart_id.is_manual else "uart"


def _check_settings(uart_config: ConfigType) -> ConfigType:
    name = _name(uart_config[CONF_ID])
    kind = str(uart_config[CONF_ID].type)
    for key, usual in _CHARGER_DEFAULTS.items() if kind not in _WITHOUT_SPEED else ():
        if key in uart_config and (value := str(uart_config[key]).upper()) != usual:
            _LOGGER.warning(
                "%s: %s is %s, but the charger's port comes with %s: set both to the same",
                name,
                key,
                value,
                usual,
            )
    _check_receiver(name, uart_config)
    if kind in uart.NATIVE_UART_CLASSES:
        _check_native(name, uart_config)
    return uart_config


def _check_receiver(name: str, uart_config: ConfigType) -> None:
    """The option stands under `debug:`, or beside a `debug:` that is true or false, as usb_uart has it."""
    debug = uart_config.get(CONF_DEBUG)
    for options, path in ((debug, [CONF_DEBUG, CONF_DUMMY_RECEIVER]), (uart_config, [CONF_DUMMY_RECEIVER])):
        if isinstance(options, dict) and options.get(CONF_DUMMY_RECEIVER):
            raise cv.Invalid(
                f"{name}: {': '.join(path)} must be false; it would take the charger's answers",
                path=path,
            )


def _check_native(name: str, uart_config: ConfigType) -> None:
    size = uart_config.get(CONF_RX_BUFFER_SIZE, MIN_RX_BUFFER_SIZE)
    if size < MIN_RX_BUFFER_SIZE:
        raise cv.Invalid(
            f"{name}: {CONF_RX_BUFFER_SIZE} must be at least {MIN_RX_BUFFER_SIZE} for the charger's answers, "
            f"not {size}; 1024 is comfortable",
            path=[CONF_RX_BUFFER_SIZE],
        )
    for key in (CONF_TX_PIN, CONF_RX_PIN):
        if key not in uart_config:
            raise cv.Invalid(f"{name}: {key} is missing; the charger is both asked and heard", path=[key])
    variant = get_esp32_variant() if CORE.is_esp32 else ""
    if uart_config[CONF_TX_PIN].get(CONF_NUMBER) == _CONSOLE_TX.get(variant, 1 if CORE.is_esp8266 else None):
        _LOGGER.warning("%s: tx_pin is the board's console, whose boot messages reach the charger: take another", name)
    elif CORE.is_esp8266 and not _has_hardware(uart_config):
        _LOGGER.warning(
            "%s: an ESP8266 loses bytes on these pins, it has hardware for tx_pin GPIO15 and rx_pin GPIO13 with "
            "`logger: baud_rate: 0`",
            name,
        )


def _has_hardware(uart_config: ConfigType) -> bool:
    """Whether an ESP8266 sends and receives on these pins by its UART, which the log has where it is sent at all."""
    logger = fv.full_config.get().get("logger") or {}
    is_logged = logger.get(CONF_BAUD_RATE) and logger.get("hardware_uart") != "UART1"
    return not is_logged and [uart_config[key].get(CONF_NUMBER) for key in (CONF_TX_PIN, CONF_RX_PIN)] == [15, 13]

"""`evse-host bridge mqtt`, `bridge thingsboard`; `bridge ocpp` is a module of its own"""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from ..bridge import home_assistant
from ..bridge import thingsboard as words
from ..errors import UsageError
from .bridging import Function, needs, run_connected, secret, silence_options, snapshot_now, state_dir_option
from .group import CommandGroup
from .ocpp import ocpp
from .session import Session

if TYPE_CHECKING:
    from ..bridge.charger import SharedCharger
    from ..bridge.snapshot import Snapshot


@click.group("bridge", cls=CommandGroup)
def command() -> None:
    """Serve the charger to Home Assistant (mqtt) or ThingsBoard over an MQTT broker, or be a charge point of an OCPP
    central system, until Ctrl-C.

    A broker, a central system or a charger that is away is tried again for ever.
    """


command.add_command(ocpp)


broker_option = click.option(
    "--broker", default="", envvar="EVSE_MQTT_BROKER", show_envvar=True, help="mqtt:// or mqtts://HOST[:PORT]. Needed."
)


def _chosen(broker: str) -> str:
    if not broker:
        raise UsageError("which broker? Give --broker mqtt://HOST[:PORT], or mqtts:// for TLS, or set EVSE_MQTT_BROKER")
    return broker


def _broker_options(function: Function) -> Function:
    for option in (
        click.option("--print", "only_print", is_flag=True, help="Print what would be sent now, and end."),
        click.option("--ca-file", help="Certificate of the authority that signed the broker's; with mqtts://."),
    ):
        function = option(function)
    return function


@command.command("mqtt")
@broker_option
@click.option("--username", default="", help="Without one: anonymous.")
@click.option("--password-file", help="Its first line is the password; or set EVSE_MQTT_PASSWORD.")
@click.option("--identifier", default="evse", show_default=True, help="Letters and digits; begins all topics.")
@click.option(
    "--interval",
    type=float,
    default=home_assistant.INTERVAL_S,
    show_default=True,
    help="Seconds between two states, at least 1.",
)
@click.option("--discovery/--no-discovery", default=True, help="Make Home Assistant find the charger by itself.")
@click.option("--discovery-prefix", default=home_assistant.PREFIX, show_default=True,
              help="What Home Assistant's MQTT integration has as discovery prefix.")  # fmt: skip
@_broker_options
@silence_options
@state_dir_option
@click.pass_obj
def mqtt(
    session: Session,
    broker: str,
    username: str,
    password_file: str | None,
    identifier: str,
    interval: float,
    discovery: bool,
    discovery_prefix: str,
    ca_file: str | None,
    only_print: bool,
) -> int | None:
    """State, availability and commands of the charger at an MQTT broker, found by Home Assistant.

    Topics: IDENTIFIER/state, IDENTIFIER/availability. Commands at IDENTIFIER/NAME/set: enabled and available (on, off),
    current (A), consumption_limit (Wh), charging_time_limit (s), under_power_limit (W).
    """
    identifier = home_assistant.check_identifier(identifier)
    prefix = home_assistant.check_prefix(discovery_prefix)
    if only_print:
        _print(session, lambda snapshot: home_assistant.messages(identifier, snapshot, discovery, prefix))
        return None
    shells, link = _import()
    password = secret(password_file, "EVSE_MQTT_PASSWORD") if username or password_file else ""
    where = link.Broker.parse(_chosen(broker), username, password, ca_file or "")

    def make(charger: SharedCharger) -> Any:
        return shells.HomeAssistantBridge(charger, where, identifier, interval, discovery, prefix)

    return run_connected(session, make, f"broker {where}")


@command.command("thingsboard")
@broker_option
@click.option("--token-file", help="Its first line is the device's access token; or set EVSE_THINGSBOARD_TOKEN.")
@click.option(
    "--interval", type=float, default=words.INTERVAL_S, show_default=True, help="Seconds between telemetry, at least 1."
)
@_broker_options
@silence_options
@state_dir_option
@click.pass_obj
def thingsboard(
    session: Session, broker: str, token_file: str | None, interval: float, ca_file: str | None, only_print: bool
) -> int | None:
    """Telemetry of the charger for ThingsBoard, and answers to its remote procedure calls."""
    if only_print:
        _print(session, lambda snapshot: {words.TELEMETRY_TOPIC: json.dumps(words.telemetry(snapshot))})
        return None
    shells, link = _import()
    token = secret(token_file, "EVSE_THINGSBOARD_TOKEN", "--token-file")
    where = link.Broker.parse(_chosen(broker), token, ca_file=ca_file or "")
    return run_connected(session, lambda charger: shells.ThingsBoardBridge(charger, where, interval), f"broker {where}")


def _import() -> tuple[ModuleType, ModuleType]:
    try:
        from ..bridge import mqtt, mqtt_link
    except ImportError:
        raise needs("mqtt", "the MQTT bridge") from None
    return mqtt, mqtt_link


def _print(session: Session, messages: Callable[[Snapshot], dict[str, str]]) -> None:
    """As `mosquitto_sub -v` shows them."""
    found = messages(snapshot_now(session))
    data = {topic: json.loads(payload) if payload.startswith("{") else payload for topic, payload in found.items()}
    session.show(data, "\n".join(f"{topic} {payload}" for topic, payload in found.items()))

"""Any number of chargers and bridges in one process.

gateway = Gateway(gateway_file.load("config.yaml"))
gateway.run(ended)      # until it is told to end
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from ..errors import PortError, UsageError
from ..files.secret_file import read_secret
from ..line.client import Evse
from .charger import SharedCharger
from .ending import Ending
from .energy_file import default_state_dir
from .gateway_config import (
    BridgeConfig,
    ConfigError,
    GatewayConfig,
    ModbusConfig,
    MqttConfig,
    OcppConfig,
    RestConfig,
    Secret,
    ThingsBoardConfig,
    full_address,
    parse_address,
)
from .modbus import ModbusRtu, ModbusTcp
from .mqtt import HomeAssistantBridge, ThingsBoardBridge
from .mqtt_link import Broker
from .ocpp.bridge import OcppBridge, journal_file
from .ocpp.situation import Settings
from .ocpp.target import Target
from .rest_app import make_app
from .rest_hearing import watch_clients
from .rest_server import RestServer
from .watchdog import Connected, watch_connection, watch_modbus

RETRY_S = 5.0  # a bridge whose address or port is taken

log = logging.getLogger("evse.gateway")


class Bridge(Protocol):
    def start(self) -> None:
        """Raises PortError; may be called again then."""

    def stop(self) -> None: ...


class Gateway:
    """``folder`` is where relative paths of the configuration begin; in ``state_dir`` the lifetime energies outlive
    this program. Raises ConfigError; nothing is opened yet."""

    def __init__(self, config: GatewayConfig, folder: Path | None = None, state_dir: Path | None = None) -> None:
        self._folder = folder or Path()
        self._state_dir = state_dir or default_state_dir()
        self.chargers = {
            name: SharedCharger(_opener(charger.port, charger.baud_rate), name, state_dir)
            for name, charger in config.chargers.items()
        }
        self.bridges: list[Bridge] = []
        self.lines: list[str] = []  # what there is, for a person
        problems = []
        for at, bridge in enumerate(config.bridges, 1):
            try:
                self._add(bridge, {name: self.chargers[name] for name in config.names_of(bridge)})
                if then := bridge.fallback:
                    self.lines[-1] += f"; after {then.after:g} s of silence {then.words}"
            except UsageError as error:
                problems.append(f"bridges.{at}: {error}")
        if problems:
            raise ConfigError(problems)
        self._waiting = list(self.bridges)  # not started yet
        self._told: dict[Bridge, str] = {}

    def _add(self, config: BridgeConfig, chargers: dict[str, SharedCharger]) -> None:
        if isinstance(config, MqttConfig):
            self._add_mqtt(config, chargers)
        elif isinstance(config, ThingsBoardConfig):
            self._add_thingsboard(config, chargers)
        elif isinstance(config, RestConfig):
            self._add_rest(config, chargers)
        elif isinstance(config, OcppConfig):
            self._add_ocpp(config, chargers)
        else:
            self._add_modbus(config, chargers)

    def _add_mqtt(self, config: MqttConfig, chargers: dict[str, SharedCharger]) -> None:
        password = self._secret(config.password, config.password_file)
        broker = Broker.parse(config.broker, config.username, password, self._path(config.ca_file))
        for name, charger in chargers.items():
            self._add_connected(
                HomeAssistantBridge(charger, broker, name, config.interval, config.discovery, config.discovery_prefix),
                charger, config, f"broker {broker}",
            )  # fmt: skip
        self.lines.append(f"mqtt: {', '.join(chargers)} at {broker}, topics NAME/state and so on")

    def _add_thingsboard(self, config: ThingsBoardConfig, chargers: dict[str, SharedCharger]) -> None:
        for name, charger in chargers.items():
            broker = Broker.parse(config.broker, config.tokens[name].value, ca_file=self._path(config.ca_file))
            bridge = ThingsBoardBridge(charger, broker, config.interval)
            self._add_connected(bridge, charger, config, f"broker {broker}")
        self.lines.append(f"thingsboard: {', '.join(chargers)} at {broker}")

    def _add_rest(self, config: RestConfig, chargers: dict[str, SharedCharger]) -> None:
        password = self._secret(config.password, config.password_file)
        host, port = parse_address(config.listen)
        credentials = (config.user, password) if config.user else None
        app = make_app(chargers, credentials, config.energies, config.allow_hosts)
        self.bridges.append(RestServer(app, host, port))
        if then := config.fallback:
            self.bridges += watch_clients(app, {f"/{name}": charger for name, charger in chargers.items()}, then)
        self.lines.append(f"rest: {', '.join(chargers)} at http://{full_address(config.listen)}/NAME/")

    def _add_modbus(self, config: ModbusConfig, chargers: dict[str, SharedCharger]) -> None:
        units = {config.units[name]: charger for name, charger in chargers.items()}
        watchdogs = watch_modbus(units, config.fallback) if config.fallback else {}
        heard = {unit: watchdog.heard for unit, watchdog in watchdogs.items()}
        if config.tcp:
            self.bridges.append(ModbusTcp(units, *parse_address(config.tcp), heard))
        else:
            self.bridges.append(ModbusRtu(units, config.rtu, config.baud_rate, heard))
        self.bridges += watchdogs.values()
        places = ", ".join(f"{name} unit {unit}" for name, unit in config.units.items())
        self.lines.append(f"modbus: {places} at {full_address(config.tcp) if config.tcp else config.rtu}")

    def _add_ocpp(self, config: OcppConfig, chargers: dict[str, SharedCharger]) -> None:
        settings = Settings(config.tag, config.free_vend, config.phases)
        files = (self._path(config.ca_file), self._path(config.cert_file), self._path(config.key_file))
        for name, charger in chargers.items():
            secret = config.passwords.get(name, config.password)
            target = Target.parse(config.url, config.id_of(name), self._secret(secret, config.password_file), *files)
            journal = journal_file(self._state_dir, target)
            bridge = OcppBridge(charger, target, journal, settings, config.version)
            self._add_connected(bridge, charger, config, "the central system")
        names = ", ".join(f"{name} as {config.id_of(name)}" for name in chargers)
        self.lines.append(f"ocpp {config.version}: {names} at {config.url}")

    def _add_connected(self, bridge: Connected, charger: SharedCharger, config: BridgeConfig, who: str) -> None:
        self.bridges.append(bridge)
        if then := config.fallback:
            self.bridges.append(watch_connection(bridge, charger, then, who))

    def _secret(self, secret: Secret | None, file: str) -> str:
        if not file:
            return secret.value if secret else ""
        try:
            return read_secret(self._folder / file)
        except UsageError as error:
            raise UsageError(f"password_file: {error}") from None

    def _path(self, file: str) -> str:
        return str(self._folder / file) if file else ""

    # --- life

    def run(self, ended: Ending) -> None:
        """Until ``ended``; then everything is left tidy."""
        for line in self.lines:
            log.info("%s", line)
        try:
            for charger in self.chargers.values():
                charger.start()
            self._start_waiting()
            while not ended.wait(RETRY_S if self._waiting else None):
                self._start_waiting()
        finally:
            self.stop()

    def stop(self) -> None:
        """The bridges say goodbye, then the chargers are left as they were."""
        started = [bridge for bridge in self.bridges if bridge not in self._waiting]
        _all_at_once([bridge.stop for bridge in started])
        _all_at_once([charger.stop for charger in self.chargers.values()])
        log.info("ended")

    def _start_waiting(self) -> None:
        """What cannot start does not keep the others from it, and is tried again."""
        waiting, self._waiting = self._waiting, []
        for bridge in waiting:
            try:
                bridge.start()
            except PortError as error:
                self._waiting.append(bridge)
                if self._told.get(bridge) != str(error):
                    log.error("%s; the others go on, trying again", error)
                self._told[bridge] = str(error)
            except Exception:
                log.exception("a bridge cannot start; the others go on")


def _opener(port: str, baud_rate: int) -> Callable[[], Evse]:
    return lambda: Evse.open(port, baud_rate)


def _all_at_once(functions: Iterable[Callable[[], None]]) -> None:
    """One that fails does not keep the others from their end."""
    functions = list(functions)
    with ThreadPoolExecutor(max(len(functions), 1)) as pool:
        for future in [pool.submit(function) for function in functions]:
            if (error := future.exception()) is not None:
                log.error("at the end: %s: %s", type(error).__name__, error)

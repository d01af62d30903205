"""The values behind the commands: what a read answers, what a write does and refuses. Knows nothing of bytes.

A command named X is read by ``_read_x`` and written by ``_write_x``; commands that have neither are plain settings in
flash, under their own name.
"""

from typing import Any

from ..catalog import COMMAND, FIRMWARE_TIMEZONES, Field
from ..timezones import posix_rule
from .board import Board, Firmware
from .car import Car
from .evse import ChargingPoint
from .fields import Value, truncate
from .meter import Meter
from .wifi import Wifi

Row = tuple[Any, ...]

TEMPERATURE_S = 10.0
CONTROL_SETTINGS = ("ENABLE", "AVAILABLE", "CHCUR")  # they touch the control loop: slower, and deadly before it runs
DEFAULT_HOSTNAME = "evse"
DEFAULT_INSTANCE_NAME = "EVSE"
SERIAL_GARBAGE = {"mode": 176, "baud_rate": 1073424384, "data_bits": 63, "stop_bits": 8, "parity": 128}


class CrashError(Exception):
    """The charger does not survive this write."""


def new_flash(board: Board) -> dict[str, Any]:
    """What a charger keeps without power, as it leaves the factory (with a plausible life behind it)."""
    return {
        "MAXCHCUR": 32,
        "DEFCHCUR": None,  # as much as MAXCHCUR
        "DEFCONSUMLIM": 0,
        "DEFCHTIMELIM": 0,
        "DEFUNDERPOWERLIM": 0,
        "REQAUTH": 0,
        "SOCKETOUTLET": 0,
        "EMETERMODE": board.emeter,
        "EMETERACVOLTAGE": 230,
        "EMETERTHREEPHASE": int(board.emeter_three_phase),
        "total_ws": 1_234_567 * 3600,
        "TZ": "Etc/UTC",
        "HOSTNAME": DEFAULT_HOSTNAME,
        "INSTNAME": "Simulated EVSE",
        "station": [1, board.networks[0].ssid if board.networks else "", ""],
        "static": [0, None, None, None, None],
    }


def fields_of(name: str, firmware: Firmware) -> tuple[Field, ...]:
    """The fields that this firmware knows of a command."""
    fields = tuple(field for field in COMMAND[name].fields if firmware.head or not field.since_head)
    if name.startswith("SERIAL") and name != "SERIALS" and firmware.head:
        return (Field("mode", "str"), *fields[1:])
    return fields


class Device:
    """One life of the charger: it starts at ``boot``, its charging point at ``awake_at`` (s).

    ``clock_offset`` is the charger's clock (epoch) minus the time given to ``advance``. ``temperatures`` (high, low,
    1/100 °C) and ``heap`` may be set at any time.
    """

    def __init__(
        self,
        firmware: Firmware,
        board: Board,
        flash: dict[str, Any],
        car: Car,
        boot: float,
        awake_at: float,
        clock_offset: float,
    ) -> None:
        self.firmware, self.board, self.flash = firmware, board, flash
        self.boot, self.awake_at, self.now = boot, awake_at, boot
        self.clock_offset = clock_offset
        self.point = ChargingPoint(flash, car, awake_at, board.rcm)
        self.temperatures = (3150, 2875)
        self.heap = (115_992, 308_884)
        self.wifi = Wifi(firmware, board, flash, boot)
        self._shown_temperatures, self._temperatures_read = self.temperatures, boot
        self._readers = {name: getattr(self, f"_read_{name.lower()}", None) for name in COMMAND}

    @property
    def awake(self) -> bool:
        return self.now >= self.awake_at

    @property
    def meter(self) -> Meter:
        return self.point.meter

    def advance(self, now: float) -> None:
        self.now = max(self.now, now)
        self.point.advance(self.now)
        if self.now - self._temperatures_read >= TEMPERATURE_S:
            self._shown_temperatures, self._temperatures_read = self.temperatures, self.now
        self.wifi.advance(self.now)

    # --- read, write and run

    def read(self, name: str) -> list[Row]:
        """The value lines that answer a read."""
        reader = self._readers[name]
        rows = reader() if reader else (self.flash[name],)
        return rows if isinstance(rows, list) else [rows]

    def write(self, name: str, values: Row) -> bool:
        """False where the charger answers ERROR. ``values`` may be fewer than the fields. Raises CrashError."""
        writer = getattr(self, f"_write_{name.lower()}", None)
        if not self.awake:
            return self._write_early(name, values)
        if writer is not None:
            return writer(*values) is not False
        low, high = COMMAND[name].fields[0].range
        if COMMAND[name].fields[0].maximum == 1:
            values = (int(values[0] != 0),)
        elif not low <= values[0] <= high:
            return False
        self.flash[name] = values[0]
        return True

    def _write_early(self, name: str, values: Row) -> bool:
        """Accepted and lost; but what goes to the control loop crashes, once its range has been looked at."""
        if name not in CONTROL_SETTINGS:
            return True
        if name == "CHCUR" and not self._current_allowed(name, values[0]):
            return False
        raise CrashError(name)

    # --- the chip and its firmware

    def _read_uptime(self) -> Row:
        return (int(self.now - self.boot),)

    def _read_time(self) -> Row:
        return (int(self.now + self.clock_offset) % 2**64,)

    def _write_time(self, epoch: int) -> None:
        self.clock_offset = epoch - self.now

    def _read_heap(self) -> Row:
        return self.heap

    def _read_chip(self) -> Row:
        return self.board.chip, self.board.cores, self.board.revision

    def _read_ver(self) -> Row:
        return (self.firmware.version,)

    def _read_idfver(self) -> Row:
        return (self.firmware.idf_version,)

    def _read_buildtime(self) -> Row:
        return self.firmware.build_date, self.firmware.build_time

    def _read_temp(self) -> Row:
        return self.board.temperature_sensors, *self._shown_temperatures

    def _write_tz(self, name: str) -> bool:
        if name not in FIRMWARE_TIMEZONES:
            return False
        self.flash["TZ"] = name
        return True

    def _read_tzrule(self) -> Row:
        return (truncate(posix_rule(self.flash["TZ"]) or "UTC0"),)

    # --- the charging point

    def _read_state(self) -> Row:
        return (self.point.state_number,)

    def _read_error(self) -> Row:
        return (self.point.errors,)

    def _read_enable(self) -> Row:
        return (int(self.point.enabled),)

    def _write_enable(self, value: int) -> None:
        self.point.enabled = value != 0

    def _read_available(self) -> Row:
        return (int(self.point.available),)

    def _write_available(self, value: int) -> None:
        self.point.available = value != 0

    def _read_pendauth(self) -> Row:
        return (int(self.point.pending_authorization),)

    def _read_limreach(self) -> Row:
        return (int(self.point.limit_reached),)

    def _read_chcur(self) -> Row:
        return (self.point.current if self.awake else 0,)

    def _write_chcur(self, value: int) -> bool:
        if not self._current_allowed("CHCUR", value):
            return False
        self.point.current = value
        return True

    def _read_defchcur(self) -> Row:
        return (self.flash["DEFCHCUR"] or self.flash["MAXCHCUR"] * 10,)

    def _write_defchcur(self, value: int) -> bool:
        if not self._current_allowed("DEFCHCUR", value):
            return False
        self.flash["DEFCHCUR"] = value
        return True

    def _current_allowed(self, name: str, value: int) -> bool:
        highest: int = self.flash["MAXCHCUR"] * 10
        return COMMAND[name].fields[0].range[0] <= value <= highest

    def _read_consumlim(self) -> Row:
        return (self.point.consumption_limit,)

    def _write_consumlim(self, value: int) -> None:
        self.point.consumption_limit = value

    def _read_chtimelim(self) -> Row:
        return (self.point.time_limit,)

    def _write_chtimelim(self, value: int) -> None:
        self.point.time_limit = value

    def _read_underpowerlim(self) -> Row:
        return (self.point.under_power_limit,)

    def _write_underpowerlim(self, value: int) -> None:
        self.point.under_power_limit = value & 0xFFFF

    def _write_defunderpowerlim(self, value: int) -> None:
        self.flash["DEFUNDERPOWERLIM"] = value & 0xFFFF

    def _write_socketoutlet(self, value: int) -> bool:
        if value and not self.board.proximity:
            return False
        self.flash["SOCKETOUTLET"] = int(value != 0)
        return True

    # --- the meter

    def _write_emetermode(self, value: int) -> bool:
        if value > self.board.emeter:
            return False
        self.flash["EMETERMODE"] = value
        return True

    def _read_emeterpower(self) -> Row:
        return (round(self.meter.power),)

    def _read_emetersestime(self) -> Row:
        return (int(self.meter.session_time + 1e-6),)

    def _read_emeterchtime(self) -> Row:
        return (int(self.meter.charging_time + 1e-6),)

    def _read_emeterconsum(self) -> Row:
        return (self.meter.session_energy,)

    def _read_emetertotconsum(self) -> Row:
        return (self.meter.total_energy,)

    def _write_emetertotconsum(self, value: int) -> bool:
        if value:
            return False
        self.meter.reset_total()
        return True

    def _read_emetervoltage(self) -> Row:
        l1, l2, _ = self.meter.voltages
        return tuple(round(volt * 1000) for volt in (l1, l2, l2))  # these versions report L2 for L3

    def _read_emetercurrent(self) -> Row:
        return tuple(round(ampere * 1000) for ampere in self.meter.currents)

    # --- the network

    def _read_wifistacfg(self) -> Row:
        return self.wifi.station()

    def _write_wifistacfg(self, enabled: int, *texts: str) -> bool:
        return self.wifi.set_station(enabled, *texts)

    def _read_wifistaconn(self) -> Row:
        return self.wifi.connection()

    def _read_wifistastatic(self) -> Row:
        return self.wifi.static()

    def _write_wifistastatic(self, enabled: int, *texts: str) -> bool:
        return self.wifi.set_static(enabled, *texts)

    def _read_wifistaip(self) -> Row:
        return (self.wifi.address(),)

    def _read_wifistamac(self) -> Row:
        return (self.board.sta_mac,)

    def _read_wifiapcfg(self) -> Row:
        return self.wifi.access_point()

    def _write_wifiapcfg(self, enabled: int, *_: Value) -> None:
        self.wifi.set_access_point(enabled)

    def _read_wifiapconn(self) -> Row:
        return (int(self.wifi.access_point_in_use()),)

    def _read_wifiapip(self) -> Row:
        return (self.wifi.access_point_address(),)

    def _read_wifiapmac(self) -> Row:
        return (self.board.ap_mac,)

    def _read_hostname(self) -> Row:
        return (self.wifi.kept(self.flash["HOSTNAME"], DEFAULT_HOSTNAME),)

    def _read_instname(self) -> Row:
        return (self.wifi.kept(self.flash["INSTNAME"], DEFAULT_INSTANCE_NAME),)

    def _write_hostname(self, name: str) -> bool:
        return self._store_name("HOSTNAME", name)

    def _write_instname(self, name: str) -> bool:
        return self._store_name("INSTNAME", name)

    def _store_name(self, key: str, name: str) -> bool:
        if name:
            self.flash[key] = name
        return bool(name)

    # --- the board

    def _read_devname(self) -> Row:
        return (self.board.name,)

    def _read_socketlock(self) -> Row:
        return (int(self.board.socket_lock),)

    def _read_socketlockminbreaktime(self) -> Row:
        return (self.board.socket_lock_min_break_ms,)

    def _read_proximity(self) -> Row:
        return (int(self.board.proximity),)

    def _read_tempsensor(self) -> Row:
        return (int(self.board.temperature_sensors > 0),)

    def _read_emeter(self) -> Row:
        return self.board.emeter, int(self.board.emeter_three_phase)

    def _read_serials(self) -> list[Row]:
        return list(self.board.serials)

    def _read_auxinputs(self) -> list[Row]:
        return [(name,) for name in self.board.aux_inputs]

    def _read_auxoutputs(self) -> list[Row]:
        return [(name,) for name in self.board.aux_outputs]

    def _read_auxanaloginputs(self) -> list[Row]:
        return [(name,) for name in self.board.aux_analog_inputs]

    def _read_serial0(self) -> Row:
        garbage = [SERIAL_GARBAGE[field.name] for field in fields_of("SERIAL0", self.firmware)]
        return ("\x01\x7f?", *garbage[1:]) if self.firmware.head else tuple(garbage)

    _read_serial1 = _read_serial0

    def _write_serial0(self, *_: Value) -> bool:
        return False

    _write_serial1 = _write_serial0

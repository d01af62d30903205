"""What the simulated charger is made of: its firmware and its hardware."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Firmware:
    """``loop_ticks`` of 10 ms is the rest between two turns of the loop that pushes."""

    version: str
    idf_version: str
    build_date: str
    build_time: str
    loop_ticks: int
    head: bool


FIRMWARES = {
    "head": Firmware("v2.2.0-dev", "v5.5.1", "Jun 12 2026", "09:41:07", 26, True),
    "v2.1.1": Firmware("v2.1.1", "v5.5.1", "Nov 30 2025", "18:22:51", 10, False),
}


@dataclass(frozen=True)
class Network:
    """A Wi-Fi network in reach; ``auth`` 0 = open, 1 = protected; ``rssi`` in dBm; without a password any is right."""

    ssid: str
    auth: int
    rssi: int
    password: str | None = None


@dataclass(frozen=True)
class Board:
    """The board configuration. ``emeter``: 0 none, 1 current, 2 current and voltage. ``serials``: type (1 UART,
    2 RS-485) and name of each port."""

    name: str = "Simulated EVSE"
    chip: str = "esp32s3"
    cores: int = 2
    revision: int = 2
    socket_lock: bool = True
    socket_lock_min_break_ms: int = 1000
    proximity: bool = True
    temperature_sensors: int = 2
    rcm: bool = False
    emeter: int = 2
    emeter_three_phase: bool = True
    serials: tuple[tuple[int, str], ...] = ((1, "UART via USB"), (1, "UART"), (2, "RS485"))
    aux_inputs: tuple[str, ...] = ("IN1", "IN2")
    aux_outputs: tuple[str, ...] = ("OUT1", "OUT2")
    aux_analog_inputs: tuple[str, ...] = ("ADC1",)
    sta_mac: str = "34:85:18:00:00:01"
    ap_mac: str = "34:85:18:00:00:02"
    networks: tuple[Network, ...] = (
        Network("home", 1, -58),
        Network('Café "Zur Post", 1. Stock', 1, -71),
        Network("", 0, -88),
    )


#: What is left after five crashes in a row: a charger that does not know its board.
DISCARDED = Board(
    name="", socket_lock=False, socket_lock_min_break_ms=0, proximity=False, temperature_sensors=0, emeter=0,
    emeter_three_phase=False, serials=(), aux_inputs=(), aux_outputs=(), aux_analog_inputs=(),
)  # fmt: skip

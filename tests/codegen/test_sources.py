"""The component compiles with the defines of every kind of configuration, without a warning.

What ESPHome generates is only checked, not linked: some seconds instead of half a minute for each. Of a platform alone
it is what ESPHome generates; the component's own files with each platform alone are tools/build/esp32_warnings.py's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evse_host import catalog
from tests.codegen import nodes
from tests.codegen.nodes import node
from tests.support import programs

COMPILER = "g++"
FLAGS = ("-std=gnu++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only")

LOGGER = "logger: {level: VERY_VERBOSE}\n"  # every log line is compiled, and its format checked

AUTOMATIONS = """
logger:
time: [{platform: host, id: the_time}]
esp32evse:
  id: evse
  update_interval: 30s
  push_interval: never
  subscriptions: {state: 1s, temperature: never}
  keep_settings: true
  time_id: the_time
  on_ready:
    - esp32evse.enable
    - esp32evse.disable: evse
    - esp32evse.authorize: {id: evse}
    - esp32evse.unsubscribe_all:
    - esp32evse.force_update:
    - esp32evse.refresh:
    - esp32evse.restart:
    - esp32evse.wifi_scan:
    - esp32evse.reset_total_energy:
    - esp32evse.set_time:
    - esp32evse.set_charging_current: 16
    - esp32evse.set_wifi_station: {ssid: home, password: secret}
    - esp32evse.set_wifi_station: {ssid: home, enabled: false}
    - esp32evse.set_static_ip: {ip: 10.0.0.2, gateway: 10.0.0.1, netmask: 255.0.0.0}
    - esp32evse.send_command: AT+STATE?
    - esp32evse.emeter_power.subscribe: never
  on_connect:
    - esp32evse.set_charging_current: !lambda "return id(current).state + 0.5f;"
    - esp32evse.voltage.subscribe: !lambda "return id(evse).is_charging() ? 1000 : 0;"
    - esp32evse.set_wifi_station:
        ssid: !lambda return std::string("home");
        password: !lambda return "secret";
        enabled: !lambda return id(evse).is_connected();
    - esp32evse.set_static_ip:
        ip: !lambda return "10.0.0.2";
        gateway: !lambda return "10.0.0.1";
        netmask: !lambda return "255.0.0.0";
        dns: !lambda return "9.9.9.9";
        enabled: !lambda return true;
    - esp32evse.send_command: {command: !lambda 'return "AT+HEAP?";', force: true}
  on_disconnect:
    - if:
        condition:
          and:
            - esp32evse.is_connected
            - esp32evse.is_charging: evse
            - esp32evse.is_vehicle_connected: {id: evse}
            - esp32evse.is_authorization_pending:
            - not: esp32evse.is_authorized
        then: []
  on_state:
    - lambda: if (state == "C2") ESP_LOGI("test", "%s", std::string(state).c_str());
    - esp32evse.enable
    - esp32evse.state.subscribe: !lambda return 1000;
    - if: {condition: esp32evse.is_charging, then: [esp32evse.refresh]}
  on_session_start:
    - esp32evse.refresh
  on_session_end:
    - lambda: ESP_LOGI("test", "%.0f Wh in %" PRIu32 " s", energy, duration);
    - esp32evse.set_charging_current: !lambda "return energy > 1000 ? 6 : 16;"
    - esp32evse.set_time
  on_fault:
    - lambda: ESP_LOGI("test", "%s", std::string(fault).c_str());
  on_wifi_scan_result:
    - lambda: ESP_LOGI("test", "%s %d dBm %d", std::string(ssid).c_str(), rssi, auth);
  on_command_line:
    - lambda: ESP_LOGI("test", "%s", std::string(line).c_str());
    - esp32evse.send_command: !lambda return std::string(line);
  on_command_result:
    - lambda: 'ESP_LOGI("test", "%s", success ? "done" : "failed");'
number: [{platform: esp32evse, charging_current: {id: current, name: Charging current}}]
"""

TWO_HUBS = """
sensor:
  - {platform: esp32evse, esp32evse_id: left, voltage_l2: {name: Voltage}, total_energy_consumption: {name: Energy}}
switch:
  - {platform: esp32evse, esp32evse_id: right, enable: {name: Enable}}
interval: [{interval: 60s, then: [esp32evse.enable: left, esp32evse.refresh: right]}]
"""

CONFIGS = {
    "none": node(LOGGER),
    **{platform: node(LOGGER + nodes.entities(catalog.entities(platform))) for platform in catalog.PLATFORMS},
    "all": node(f"{LOGGER}api:\n" + nodes.entities()),
    "two_hubs": node(LOGGER + TWO_HUBS, hub=nodes.TWO_HUBS, uart=nodes.TWO_UARTS),
    "two_full_hubs_without_logger": node(
        nodes.entities(hubs=("left", "right")), hub=nodes.TWO_HUBS, uart=nodes.TWO_UARTS
    ),
    "automations": node(AUTOMATIONS, hub=""),
}

#: For the component's own files nothing that is not in another configuration.
GENERATED_ONLY = (*catalog.PLATFORMS, "two_hubs")


def test_a_set_of_rows_has_room_for_every_command() -> None:
    """Behind its end it would write into its neighbour."""
    header = (nodes.COMPONENTS / "esp32evse/row_set.h").read_text()
    assert int(re.search(r"MAX_ROWS = (\d+);", header)[1]) >= len(catalog.COMMANDS)


@pytest.mark.parametrize("name", CONFIGS)
def test_sources_compile_without_warnings(name: str, tmp_path: Path) -> None:
    programs.require(COMPILER)
    source, flags = nodes.sources(CONFIGS[name], tmp_path)
    ours = our_tree(source, tmp_path / "ours")
    command = [COMPILER, *FLAGS, *flags, "-I", ours, "-isystem", source]
    paths = [ours / "main.cpp"] if name in GENERATED_ONLY else sorted(ours.rglob("*.cpp"))
    commands = [[*command, *relaxed(name, path), path] for path in paths]
    assert commands
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        assert "".join(pool.map(complaint, commands)) == ""


def relaxed(name: str, path: Path) -> list[str]:
    """A user's lambda need not use what a trigger gives it; without a logger, nothing uses what is only logged."""
    return ["-Wno-unused-parameter"] if path.name == "main.cpp" or "logger" not in CONFIGS[name] else []


def our_tree(source: Path, directory: Path) -> Path:
    """A copy of our files and of the node's own code.

    ESPHome's files are not in it: they count as the system's, and the compiler does not warn of them.
    """
    shutil.copytree(source / "esphome/components/esp32evse", directory / "esphome/components/esp32evse")
    for name in ("main.cpp", "esphome.h"):
        shutil.copy(source / name, directory)
    return directory


def complaint(command: list) -> str:
    """What the compiler says."""
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False).stderr

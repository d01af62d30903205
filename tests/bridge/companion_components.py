"""ESPHome's own MQTT component for a node on this computer, which ESPHome offers for boards only.

Everything is the installed ESPHome's code except for the lowest layer: a socket instead of a board's MQTT library
(tests/bridge/mqtt_on_host).
"""

from __future__ import annotations

import re
from pathlib import Path

import esphome.components

from tools import node as nodes

OURS = Path(__file__).parent / "mqtt_on_host"
TARGET = nodes.CACHE / "components"  # named in companion_mqtt.yaml

JSON = """
import esphome.codegen as cg
import esphome.config_validation as cv

CONFIG_SCHEMA = cv.Schema({})


async def to_code(config):
    cg.add_define("USE_JSON")
    cg.add_global(cg.esphome_ns.namespace("json").using)
"""

#: In which file what is replaced by what; \\g<0> is the text itself.
CHANGES = (
    ("__init__.py", r"cv\.only_on\(\s*\[", 'cv.only_on(["host", '),
    (
        "mqtt_client.h",
        r"#elif defined\(USE_ESP8266\)\n#i",
        '#elif defined(USE_HOST)\n#include "mqtt_backend_host.h"\n\\g<0>',
    ),
    (
        "mqtt_client.h",
        r"#elif defined\(USE_ESP8266\)\n  M",
        "#elif defined(USE_HOST)\n  MQTTBackendHost mqtt_backend_;\n\\g<0>",
    ),
    ("mqtt_client.h", r'"lwip/ip_addr\.h"', '"lwip.h"'),
    ("mqtt_client.cpp", r'"lwip/(dns|err)\.h"', '"lwip.h"'),
    ("mqtt_client.cpp", r"ip\.is_set\(\)", "true"),  # this computer's addresses have no such question
)


def lay_out() -> None:
    """Writes the components `mqtt` and `json`. A file that does not change is left alone, and so is what was built."""
    source = Path(esphome.components.__path__[0]) / "mqtt"
    files = {path.name: path.read_text() for path in source.iterdir() if path.suffix in (".py", ".h", ".cpp")}
    for name, old, new in CHANGES:
        files[name], count = re.subn(old, new, files[name])
        assert count, f"{name}: {old} is not in this ESPHome"
    ours = {path.name: path.read_text() for path in OURS.iterdir()}
    json = {name: ours.pop(name) for name in ("ArduinoJson.h", "json_util.h")}
    for component, content in (("mqtt", files | ours), ("json", json | {"__init__.py": JSON})):
        for name, text in content.items():
            nodes.write_if_changed(TARGET / component / name, text)

"""ESPHome's own MQTT component for a node on this computer, which ESPHome offers for boards only.

Everything is the installed ESPHome's code except for the lowest layer: a socket instead of a board's MQTT library
(tests/bridge/mqtt_on_host). JSON comes along without its library, which a build would download.
"""

from __future__ import annotations

import re
from pathlib import Path

import esphome.components

from tools.build import node as nodes

OURS = Path(__file__).parent / "mqtt_on_host"
TARGET = nodes.CACHE / "components"  # named in companion_mqtt.yaml

INCLUDE = '#include "mqtt_backend_host.h"\n'
MEMBER = "  MQTTBackendHost mqtt_backend_;\n"
#: Of which component, in which file, what is replaced by what; \\g<0> is the text itself.
CHANGES = (
    ("json", "__init__.py", r'cg\.add_library\("bblanchon/ArduinoJson", "[^"]*"\)', "pass"),
    ("mqtt", "__init__.py", r"cv\.only_on\(\s*\[", 'cv.only_on(["host", '),
    ("mqtt", "mqtt_client.h", r"#elif defined\(USE_ESP8266\)\n#", "#elif defined(USE_HOST)\n" + INCLUDE + r"\g<0>"),
    ("mqtt", "mqtt_client.h", r"#elif defined\(USE_ESP8266\)\n  M", "#elif defined(USE_HOST)\n" + MEMBER + r"\g<0>"),
    ("mqtt", "mqtt_client.h", r'"lwip/ip_addr\.h"', '"lwip.h"'),
    ("mqtt", "mqtt_client.cpp", r'"lwip/(dns|err)\.h"', '"lwip.h"'),
    ("mqtt", "mqtt_client.cpp", r"ip\.is_set\(\)", "true"),  # this computer's addresses have no such question
)
#: What is ours instead of the installed code.
OWN = {"json": ("ArduinoJson.h", "json_util.h"), "mqtt": ("lwip.h", "mqtt_backend_host.h")}
#: Not for this computer: it needs the library.
LEFT_OUT = {"json": ("json_util.cpp",), "mqtt": ()}


def lay_out() -> None:
    """Writes both components. A file that does not change is left alone, and so is what was built of it."""
    for component, own in OWN.items():
        source = Path(esphome.components.__path__[0]) / component
        files = {path.name: path.read_text() for path in source.iterdir() if path.suffix in (".py", ".h", ".cpp")}
        for _, name, old, new in (change for change in CHANGES if change[0] == component):
            files[name], count = re.subn(old, new, files[name])
            assert count, f"{component}/{name}: {old} is not in this ESPHome"
        files |= {name: (OURS / name).read_text() for name in own}
        for name in LEFT_OUT[component]:
            del files[name]
        for path in (TARGET / component).glob("*.*"):
            if path.name not in files:  # of another ESPHome
                path.unlink()
        for name, text in files.items():
            nodes.write_if_changed(TARGET / component / name, text)

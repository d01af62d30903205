"""ESPHome's web_server in front of a real node on this computer.

ESPHome offers `web_server:` on boards only, so this stands in for it: the same addresses and the same JSON, written
after esphome/components/web_server/web_server.cpp (2026.6 and 2026.10), with the values and the entities of a node that
runs; a write goes to the node. ``SOURCE`` holds the lines of that file on which this rests.
"""

from __future__ import annotations

import json
import math
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import esphome

from tools.run.api import NodeError
from tools.run.host_node import ApiClient

WEB_SERVER = Path(esphome.__file__).parent / "components/web_server/web_server.cpp"
SOURCE = (
    'root[ESPHOME_F("value")] = value;',
    "if (this->id == entity->get_name()) {",
    'set_json_icon_state_value(root, obj, "sensor", state, value',
    'set_json_icon_state_value(root, obj, "text_sensor", value.c_str(), value.c_str()',
    'set_json_icon_state_value(root, obj, "switch", value ? "ON" : "OFF", value',
    'set_json_icon_state_value(root, obj, "number", state_str, val_str',
    'std::isnan(value) ? "\\"NaN\\""',
    'match.method_equals(ESPHOME_F("turn_on"))',
    'match.method_equals(ESPHOME_F("turn_off"))',
    'match.method_equals(ESPHOME_F("set"))',
    'parse_num_param_(request, ESPHOME_F("value"), call',
)


class WebServer:
    """A context manager; ``url`` is its address."""

    def __init__(self, node: ApiClient) -> None:
        self._node = node
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> WebServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def get(self, path: str) -> dict | None:
        """`/domain/name`; None: not found."""
        match = re.fullmatch(r"/(sensor|binary_sensor|text_sensor|switch|number)/([^/]+)", path)
        entity = match and self._find(*match.groups())
        if not entity:
            return None
        return {"name_id": path[1:], "id": path[1:], **shown(match[1], self._node.value(entity), entity)}

    def post(self, path: str, query: dict[str, list[str]]) -> bool:
        """`/domain/name/action`; False: not found."""
        match = re.fullmatch(r"/(switch|number)/([^/]+)/(\w+)", path)
        entity = match and self._find(match[1], match[2])
        if not entity:
            return False
        if match[1] == "switch" and match[3] in ("turn_on", "turn_off"):
            self._node.command(entity, match[3] == "turn_on")
            return True
        if match[1] == "number" and match[3] == "set":
            self._set(entity, query.get("value", [""])[0])
            return True
        return False

    def _set(self, entity, text: str) -> None:
        try:
            self._node.command(entity, float(text))
        except ValueError:
            return  # a call without a value does nothing

    def _find(self, domain: str, name: str):
        try:
            return self._node.find(f"{domain}.{name}")
        except NodeError:
            return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = server.get(unquote(urlsplit(self.path).path))
                body = json.dumps(found).encode() if found else b""
                self._send(200 if found else 404, body)

            def do_POST(self) -> None:
                if "content-length" not in self.headers:
                    self._send(411, b"")
                    return
                self.rfile.read(int(self.headers["content-length"]))
                parts = urlsplit(self.path)
                self._send(200 if server.post(unquote(parts.path), parse_qs(parts.query)) else 404, b"")

            def _send(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        return Handler


def shown(domain: str, value: object, entity) -> dict[str, object]:
    """``value`` and ``state``; of what is unknown (None) as ESPHome's types show it."""
    if domain == "sensor":
        return {"value": value, "state": "NA" if value is None else f"{value} {entity.unit_of_measurement}".strip()}
    if domain == "text_sensor":
        return {"value": value or "", "state": value or ""}
    if domain == "number":
        digits = max(0, -math.floor(math.log10(entity.step))) if entity.step < 1 else 0
        text = '"NaN"' if value is None else f"{value:.{digits}f}"
        return {"value": text, "state": text}
    return {"value": bool(value), "state": "ON" if value else "OFF"}

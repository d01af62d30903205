"""A real Mosquitto on a free port, and a client that sees all that passes there."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from tools.build.node import MORTAL
from tools.run.host_node import free_port

from .support import wait_until

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
MOSQUITTO = shutil.which("mosquitto", path=PATH)
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto: apt-get install mosquitto")


class Mosquitto:
    """A broker that can go and come back at its port. A context manager.

    ``users``: name -> password, anonymous without; ``tls``: lines of its configuration. It forgets what it has
    retained, as one in memory does.
    """

    def __init__(self, folder: Path, users: dict[str, str] | None = None, tls: str = "") -> None:
        self.port = free_port()
        self._folder, self._process = folder, None
        self._config = folder / f"mosquitto-{self.port}.conf"
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", tls]
        lines += ["user root"] if os.geteuid() == 0 else []
        if users:
            file = folder / f"users-{self.port}"
            file.touch(mode=0o600)
            for name, password in users.items():
                subprocess.run(["mosquitto_passwd", "-b", file, name, password], check=True, capture_output=True)
            lines += ["allow_anonymous false", f"password_file {file}"]
        else:
            lines += ["allow_anonymous true"]
        self._config.write_text("\n".join(lines) + "\n")

    @property
    def uri(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self._folder / "mosquitto.log").open("a") as log:
            self._process = subprocess.Popen([*MORTAL, MOSQUITTO, "-c", self._config], stdout=log, stderr=log)
        wait_until(self._listens, "Mosquitto listens")

    def _listens(self) -> bool:
        assert self._process.poll() is None, (self._folder / "mosquitto.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(10)
        self._process = None

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass(frozen=True)
class Heard:
    at: float
    topic: str
    payload: str
    retained: bool

    @property
    def json(self):
        return json.loads(self.payload)


class Client:
    """Hears everything; a context manager. Comes back when the broker does."""

    def __init__(self, broker: Mosquitto, username: str = "", password: str = "", ca_file: Path | None = None) -> None:
        self.heard: list[Heard] = []
        versions = getattr(mqtt, "CallbackAPIVersion", None)
        self._client = mqtt.Client(*([versions.VERSION2] if versions else []))
        if username:
            self._client.username_pw_set(username, password)
        if ca_file:
            self._client.tls_set_context(ssl.create_default_context(cafile=ca_file))
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self.is_subscribed = False
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", broker.port)

    def _on_subscribe(self, *_: object) -> None:
        self.is_subscribed = True

    def _on_disconnect(self, *_: object) -> None:
        self.is_subscribed = False

    def _on_message(self, _client, _userdata, message) -> None:
        self.heard.append(
            Heard(time.monotonic(), message.topic, message.payload.decode("utf-8", "replace"), bool(message.retain))
        )

    def __enter__(self) -> Client:
        self._client.loop_start()
        wait_until(lambda: self.is_subscribed, "the test's client has subscribed")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: str | bytes, retain: bool = False, qos: int = 0) -> None:
        self._client.publish(topic, payload, qos=qos, retain=retain)

    def on(self, topic: str) -> list[Heard]:
        return [heard for heard in list(self.heard) if heard.topic == topic]

    def wait(self, topic: str, fits=lambda heard: True, after: int = 0) -> Heard:
        """The first message on ``topic`` that fits, among those after the first ``after`` of all topics."""

        def find():
            return next((h for h in list(self.heard)[after:] if h.topic == topic and fits(h)), None)

        return wait_until(find, f"a message on {topic}; heard {self.heard[after:][-5:]}")

    def wait_state(self, topic: str = "evse/state", after: int = 0, **values: object) -> Heard:
        """A state with these values."""
        return self.wait(topic, lambda heard: all(heard.json[key] == value for key, value in values.items()), after)

"""A connection to an MQTT broker that comes back by itself. One thread does all that concerns it."""

from __future__ import annotations

import contextlib
import logging
import queue
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt

from ..errors import UsageError
from ..files.secret_file import require_file
from ..secrecy import shown

BACK_OFF_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
STEADY_S = 10.0  # a connection that lived shorter does not start the back-off anew
KEEP_ALIVE_S = 15  # a broker that is cut off is noticed within twice that
PING_S = 5.0  # for the answer to a ping
TURN_S = 1.0
FAREWELL_S = 1.0
_HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+(%[\w.-]+)?")  # a name or an IPv4 address; IPv6 with its zone
PORTS = {"mqtt": 1883, "mqtts": 8883}

#: Answers to CONNECT: numbers of MQTT 3.1.1, as paho-mqtt 1 gives them, and those of 2.
_REFUSALS = {
    1: "it does not speak MQTT 3.1.1",
    2: "it refuses the client's name",
    3: "it is not available now",
    4: "wrong user name or password",
    5: "not authorized: wrong user name or password?",
    132: "it does not speak MQTT 3.1.1",
    133: "it refuses the client's name",
    134: "wrong user name or password",
    135: "not authorized: wrong user name or password?",
    136: "it is not available now",
}

WE_CLOSED = f"it did not answer for {KEEP_ALIVE_S} s, so we closed the connection"
#: Why paho-mqtt has ended a connection that the broker did not end: numbers of its version 1, and of 2.
_ENDED_BY_US = {
    mqtt.MQTT_ERR_PROTOCOL: "it sent what is no MQTT, so we closed the connection",
    mqtt.MQTT_ERR_KEEPALIVE: WE_CLOSED,
    141: WE_CLOSED,
}
SUBSCRIPTION_REFUSED = 128


@dataclass(frozen=True)
class Broker:
    """Where the broker is and how it knows us. ``str`` shows no secret."""

    host: str
    port: int
    tls: bool = False
    username: str = field(default="", repr=False)  # it is the access token of ThingsBoard
    password: str = field(default="", repr=False)
    ca_file: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    @classmethod
    def parse(cls, uri: str, username: str = "", password: str = "", ca_file: str = "") -> Broker:
        """`mqtt://HOST[:PORT]` or `mqtts://HOST[:PORT]`. Raises UsageError."""
        example = "it must look like mqtt://192.168.1.10:1883, or mqtts:// for TLS"
        try:
            parts = urlsplit(uri.strip())
            port = PORTS.get(parts.scheme) if parts.port is None else parts.port
        except ValueError:
            raise UsageError(f"broker: {example}; ports are 1 to 65535") from None
        if parts.username is not None or parts.password is not None:
            raise UsageError("broker: leave user name and password out of it, others may see them there")
        if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
            raise UsageError(f"broker {shown(uri)}: {example}")
        if not _HOST.fullmatch(parts.hostname):
            raise UsageError(f"broker: this is no name and no address of a computer; {example}")
        if not port:
            raise UsageError("broker: port 0 is out of range, 1 to 65535")
        if password and not username:
            raise UsageError("broker: a password needs a user name")
        if ca_file and parts.scheme != "mqtts":
            raise UsageError("ca file: it is of use with mqtts:// only")
        broker = cls(parts.hostname, port, parts.scheme == "mqtts", username, password, ca_file)
        broker.tls_context()
        return broker

    def tls_context(self) -> ssl.SSLContext | None:
        """Raises UsageError when the CA file is missing or none."""
        if not self.tls:
            return None
        require_file("ca file", self.ca_file)
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"ca file {self.ca_file}: {reason.lower()}") from None


@dataclass(frozen=True)
class Message:
    topic: str
    payload: str
    retain: bool = False


class MqttLink:
    """``start`` and ``stop`` are called once, from any thread; everything else happens in the link's own thread.

    ``connected`` is called whenever the connection is there; ``turn`` then, after ``wake``, and at the time
    (``time.monotonic``) that it returned; ``received`` for every message of a subscription that is not retained: a
    command of long ago is none. All three may ``publish``.
    """

    def __init__(
        self,
        broker: Broker,
        log: logging.Logger,
        *,
        client_id: str = "",
        subscriptions: Sequence[str] = (),
        will: Message | None = None,
        connected: Callable[[], None],
        turn: Callable[[], float],
        received: Callable[[str, bytes], None],
    ) -> None:
        self.is_connected = False
        self._broker, self._log, self._client_id = broker, log, client_id
        self._subscriptions, self._will = subscriptions, will
        self._connected, self._turn, self._received = connected, turn, received
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._inbox: list[tuple[str, bytes]] = []
        self._stop = threading.Event()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._thread = threading.Thread(target=self._run, name=f"{log.name}-link", daemon=True)
        self._client = self._make_client()
        self._reason = ""  # why the connection ended or did not come about
        self._asked: dict[int, str] = {}  # number of a SUBSCRIBE -> topic
        self._deaf: set[str] = set()  # topics that the broker refuses, which were logged
        self._connected_at: float | None = None
        self._due = 0.0
        self._heard_at = 0.0

    @property
    def is_heard(self) -> bool:
        """Connected to a broker that is not frozen: it answers a ping every KEEP_ALIVE_S."""
        return self.is_connected and time.monotonic() - self._heard_at < KEEP_ALIVE_S + PING_S

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Says the last will and goes; waits a few seconds at most."""
        self._stop.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(3 * FAREWELL_S)

    def wake(self) -> None:
        """``turn`` soon. From any thread."""
        with contextlib.suppress(OSError):  # full: it wakes up anyway; closed: nobody is there any more
            self._wake_writer.send(b"w")

    def call(self, function: Callable[[], None]) -> None:
        """``function`` soon, in the link's thread, if it is connected then. From any thread."""
        self._calls.put(function)
        self.wake()

    def publish(self, message: Message) -> None:
        """In the link's thread only. What is sent while no broker is there is lost."""
        self._client.publish(message.topic, message.payload, retain=message.retain)

    # --- the thread

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            lived = self._live()
            if self._stop.is_set():
                break
            if lived >= STEADY_S:
                failures = 0
            self._stop.wait(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
            failures += 1
        self._wake_reader.close()
        self._wake_writer.close()

    def _live(self) -> float:
        """One connection from its beginning to its end; how long there was one, s."""
        before, self._reason, self._connected_at = self._reason, "", None
        try:
            self._client.reconnect()
            while (line := self._client.socket()) is not None and not self._stop.is_set():
                self._exchange(line)
            if self.is_connected:
                self._say_farewell()
        except (OSError, ValueError) as error:  # ValueError: a host name that cannot be one
            self._reason = _words(error)
        except Exception as error:  # paho-mqtt trips over some packets that are none
            self._reason = f"it sent what is no MQTT ({type(error).__name__})"
        self.is_connected = False
        lived = None if self._connected_at is None else time.monotonic() - self._connected_at
        if not self._stop.is_set():
            self._complain(lived, before)
        return lived or 0.0

    def _complain(self, lived: float | None, before: str) -> None:
        if lived is not None:
            twice = "; is another client with our name there?" if self._client_id and lived < STEADY_S else ""
            self._log.warning("broker %s is lost: %s", self._broker, self._reason or f"it closed the connection{twice}")
            return
        self._reason = self._reason or "it closed the connection without an answer"
        if self._reason != before:
            self._log.warning("broker %s cannot be used: %s; trying again", self._broker, self._reason)

    def _exchange(self, line: socket.socket) -> None:
        """What has come, what is to go, what is to do."""
        unread = line.pending() if isinstance(line, ssl.SSLSocket) else 0
        writing = [line] if self._client.want_write() else []
        wait = 0.0 if unread else min(max(self._due - time.monotonic(), 0.0), TURN_S)
        readable, writable, _ = select.select([line, self._wake_reader], writing, [], wait)
        if self._wake_reader in readable:
            self._wake_reader.recv(4096)
        if unread or line in readable:
            self._heard_at = time.monotonic()
            self._note_end(self._client.loop_read())
        if writable and self._client.socket() is line:
            self._client.loop_write()
        self._client.loop_misc()
        if self.is_connected:
            self._work()
        else:
            self._due = time.monotonic() + TURN_S

    def _work(self) -> None:
        inbox, self._inbox = self._inbox, []
        for topic, payload in inbox:
            self._guarded(self._received, topic, payload)
        while not self._calls.empty():
            self._guarded(self._calls.get_nowait())
        self._due = time.monotonic() + TURN_S
        self._guarded(self._take_turn)

    def _take_turn(self) -> None:
        self._due = self._turn()

    def _guarded(self, function: Callable[..., None], *arguments: object) -> None:
        """No message, however strange, ends the bridge."""
        try:
            function(*arguments)
        except Exception:
            self._log.exception("this should not happen; going on")

    def _say_farewell(self) -> None:
        """A broker publishes the will of a client that has vanished only."""
        if self._will:
            self.publish(self._will)
        self._client.disconnect()
        deadline = time.monotonic() + FAREWELL_S
        while (line := self._client.socket()) is not None and self._client.want_write() and time.monotonic() < deadline:
            if select.select([], [line], [], FAREWELL_S)[1]:
                self._client.loop_write()

    # --- paho-mqtt, 1.6 and 2

    def _make_client(self) -> mqtt.Client:
        versions = getattr(mqtt, "CallbackAPIVersion", None)
        arguments = (versions.VERSION2,) if versions else ()
        client = mqtt.Client(*arguments, client_id=self._client_id)
        if self._broker.username:
            client.username_pw_set(self._broker.username, self._broker.password or None)
        if (context := self._broker.tls_context()) is not None:
            client.tls_set_context(context)
        if self._will:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=self._will.retain)
        client.on_connect, client.on_message, client.on_disconnect = self._on_connect, self._on_message, self._on_end
        client.on_subscribe = self._on_subscribe
        client.connect_async(self._broker.host, self._broker.port, KEEP_ALIVE_S)
        return client

    def _on_connect(self, _client: Any, _userdata: Any, _flags: Any, answer: Any, _properties: Any = None) -> None:
        code = getattr(answer, "value", answer)
        if code:
            self._reason = _REFUSALS.get(code, f"it refuses the connection, code {code}")
            return
        self._log.info("connected to broker %s", self._broker)
        self.is_connected, self._connected_at = True, time.monotonic()
        self._inbox.clear()
        while not self._calls.empty():  # answers that belong to the connection before
            self._calls.get_nowait()
        self._asked = {self._client.subscribe(topic, qos=1)[1]: topic for topic in self._subscriptions}
        self._connected()

    def _on_subscribe(
        self, _client: Any, _userdata: Any, number: int, answers: Iterable[Any], _properties: Any = None
    ) -> None:
        """Without an error a broker that forbids a topic lets nothing through, and nobody would know why."""
        topic = self._asked.pop(number, None)
        if topic is None:
            return
        if all(getattr(answer, "value", answer) < SUBSCRIPTION_REFUSED for answer in answers):
            self._deaf.discard(topic)
        elif topic not in self._deaf:
            self._deaf.add(topic)
            self._log.warning("broker %s refuses the subscription of %s: what is sent there is not heard; "
                              "does it let this user read the topic?", self._broker, topic)  # fmt: skip

    def _on_message(self, _client: Any, _userdata: Any, message: Any) -> None:
        if message.retain:
            self._log.info("%s: the message that the broker keeps there is of the past, ignored", message.topic)
        else:
            self._inbox.append((message.topic, bytes(message.payload)))

    def _on_end(self, _client: Any, _userdata: Any, *answers: Any) -> None:
        """``answers``: a number, or flags, a reason and properties."""
        self.is_connected = False
        answer = answers[1] if len(answers) > 1 and hasattr(answers[1], "value") else answers[0]
        self._note_end(getattr(answer, "value", answer))

    def _note_end(self, code: object) -> None:
        """Who ends the connection says why."""
        if not self._reason and isinstance(code, int):
            self._reason = _ENDED_BY_US.get(int(code), "")


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}; is this its TLS port?"
    if isinstance(error, TimeoutError):
        return "no answer"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split()).lower()

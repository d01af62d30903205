"""A charger at an MQTT broker, for Home Assistant or for ThingsBoard."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future

from ..errors import UsageError
from ..wire.codec import Fields
from . import home_assistant, thingsboard
from .charger import SharedCharger
from .mqtt_link import Broker, Message, MqttLink
from .pace import Pace

MIN_INTERVAL_S = 1.0


def check_interval(seconds: float) -> float:
    """Raises UsageError."""
    if not seconds >= MIN_INTERVAL_S:
        raise UsageError(f"interval {seconds:g} s is out of range, at least {MIN_INTERVAL_S:g} s")
    return seconds


class _Bridge:
    """A link that looks after every change of the charger."""

    def __init__(self, charger: SharedCharger, link: MqttLink) -> None:
        self._charger, self._link = charger, link
        self._forget: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._forget = self._charger.listen(lambda _: self._link.wake())
        self._link.start()

    def stop(self) -> None:
        self._forget()
        self._link.stop()

    @property
    def is_connected(self) -> bool:
        return self._link.is_connected

    def is_heard(self) -> bool:
        """Whether the broker is there."""
        return self._link.is_heard


class HomeAssistantBridge(_Bridge):
    """State, availability and discovery at the broker as they change; its commands to the charger.

    ``identifier`` is the first part of all topics; ``interval`` (s) is how often the state is sent unchanged;
    ``prefix`` is what discovery topics begin with. Raises UsageError for wrong ones.
    """

    def __init__(
        self,
        charger: SharedCharger,
        broker: Broker,
        identifier: str = "evse",
        interval: float = home_assistant.INTERVAL_S,
        discovery: bool = True,
        prefix: str = home_assistant.PREFIX,
    ) -> None:
        self._id = identifier = home_assistant.check_identifier(identifier)
        self._interval = check_interval(interval)
        self._birth_topic = home_assistant.birth_topic(home_assistant.check_prefix(prefix))
        self._discovery, self._prefix = discovery, prefix
        self._commands = home_assistant.command_topics(identifier)
        self._log = logging.getLogger(f"evse.{charger.name}.mqtt")
        self._sent: dict[str, str] = {}
        self._pace = Pace()
        self._again = 0.0  # when the state is sent although nothing has changed
        self._greet = 0.0  # and the availability
        link = MqttLink(
            broker, self._log, client_id=f"evse-host-{identifier}",
            subscriptions=(*self._commands, self._birth_topic),
            will=Message(home_assistant.availability_topic(identifier), home_assistant.OFFLINE, retain=True),
            connected=self._send_all_again, turn=self._turn, received=self._received,
        )  # fmt: skip
        super().__init__(charger, link)

    # --- in the link's thread

    def _send_all_again(self) -> None:
        self._sent.clear()

    def _send_state_again(self) -> None:
        self._sent.pop(home_assistant.state_topic(self._id), None)

    def _turn(self) -> float:
        """Sends what differs from what was sent."""
        now, state_topic = time.monotonic(), home_assistant.state_topic(self._id)
        if now >= self._again:
            self._send_state_again()
        if now >= self._greet:
            self._sent.pop(home_assistant.availability_topic(self._id), None)
            self._greet = now + max(self._interval, home_assistant.AVAILABILITY_S)
        snapshot = self._charger.snapshot
        told = self._pace.paced(home_assistant.state(snapshot), now)
        messages = home_assistant.messages(self._id, snapshot, self._discovery, self._prefix, told)
        for topic, payload in messages.items():
            if self._sent.get(topic) != payload:
                self._sent[topic] = payload
                self._link.publish(Message(topic, payload, retain=True))
                if topic == state_topic:
                    self._again = now + self._interval
        return min(self._again, self._greet, self._pace.due)

    def _received(self, topic: str, payload: bytes) -> None:
        if topic == self._birth_topic:
            if payload == home_assistant.BIRTH.encode():
                self._log.info("Home Assistant has started")
                self._send_all_again()
        elif topic in self._commands and home_assistant.is_empty(payload):
            self._log.debug("%s: empty, nobody asks for anything", topic)
        elif topic in self._commands:
            self._command(topic, self._commands[topic], payload)

    def _command(self, topic: str, command: home_assistant.Command, payload: bytes) -> None:
        try:
            value = command.parse(payload, self._charger.snapshot)
        except UsageError as error:
            self._log.warning("%s: %s", topic, error)
            self._send_state_again()  # Home Assistant's slider jumps back
        else:
            self._charger.set(command.name, value).add_done_callback(lambda future: self._written(topic, future))

    def _written(self, topic: str, future: Future[Fields]) -> None:
        """In the charger's thread."""
        if (error := future.exception()) is not None:
            self._log.warning("%s: %s", topic, error)
        self._link.call(self._send_state_again)


class ThingsBoardBridge(_Bridge):
    """Telemetry every ``interval`` s, and with every return of broker or charger; answers every call."""

    def __init__(self, charger: SharedCharger, broker: Broker, interval: float = thingsboard.INTERVAL_S) -> None:
        if not broker.username:
            raise UsageError("thingsboard: the device's access token is missing")
        self._interval = check_interval(interval)
        self._log = logging.getLogger(f"evse.{charger.name}.thingsboard")
        self._due = 0.0
        self._was_online = False
        link = MqttLink(
            broker, self._log, subscriptions=(f"{thingsboard.REQUEST_TOPIC}+",),
            connected=self._send_now, turn=self._turn, received=self._received,
        )  # fmt: skip
        super().__init__(charger, link)

    # --- in the link's thread

    def _send_now(self) -> None:
        self._due = 0.0

    def _turn(self) -> float:
        now, snapshot = time.monotonic(), self._charger.snapshot
        returned = snapshot.online and not self._was_online
        self._was_online = snapshot.online
        if snapshot.online and (returned or now >= self._due):
            self._due = now + self._interval
            self._link.publish(Message(thingsboard.TELEMETRY_TOPIC, json.dumps(thingsboard.telemetry(snapshot))))
        return self._due if snapshot.online else now + self._interval

    def _received(self, topic: str, payload: bytes) -> None:
        if not topic.startswith(thingsboard.REQUEST_TOPIC):
            return
        request = topic.removeprefix(thingsboard.REQUEST_TOPIC)
        try:
            call = thingsboard.parse_call(payload, self._charger.snapshot)
        except UsageError as error:
            self._refuse(request, error)
            return
        if isinstance(call, thingsboard.Read):
            self._respond(request, value=call.value)
            return
        future = self._charger.set(call.name, call.value)
        future.add_done_callback(lambda done: self._link.call(lambda: self._written(request, call, done)))

    def _written(self, request: str, call: thingsboard.Write, done: Future[Fields]) -> None:
        if (error := done.exception()) is not None:
            self._refuse(request, error)
        else:
            self._respond(request, value=thingsboard.shown(call, done.result()[0]))

    def _refuse(self, request: str, error: BaseException) -> None:
        self._log.warning("request %r: %s", request, error)
        self._respond(request, error=str(error))

    def _respond(self, request: str, **answer: object) -> None:
        self._link.publish(Message(f"{thingsboard.RESPONSE_TOPIC}{request}", json.dumps(answer)))

"""A simulated charger, a charge point and a central system in one virtual time: hours pass in a second, and line,
charger, server and process can be cut at any moment.

world = World(tmp_path / "journal", tag="HOME")
world.car.plug()
world.run(60)
assert world.server.actions("StartTransaction")
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ocpp.messages import Call, CallResult

from evse_host.bridge.lifetime_energy import LifetimeEnergy, Reading
from evse_host.bridge.ocpp import rpc
from evse_host.bridge.ocpp.journal import Journal
from evse_host.bridge.ocpp.model import ChargePoint
from evse_host.bridge.ocpp.situation import Settings
from evse_host.bridge.ocpp.station import DIALECTS, take_answer
from evse_host.bridge.snapshot import Snapshot
from evse_host.catalog import COMMANDS
from evse_host.simulator import Car, Charger

from .central import against_schema

EPOCH = 1_781_000_000.0
STEP_S = 0.25
SHOWN = (
    "STATE", "ERROR", "ENABLE", "AVAILABLE", "REQAUTH", "PENDAUTH", "LIMREACH", "CHCUR", "MAXCHCUR", "EMETERPOWER",
    "EMETERCURRENT", "EMETERVOLTAGE", "EMETERCONSUM", "EMETERTOTCONSUM", "EMETERSESTIME", "UPTIME", "EMETERTHREEPHASE",
    "EMETERACVOLTAGE", "TEMP", "VER", "DEVNAME", "WIFISTAMAC", "SOCKETOUTLET",
)  # fmt: skip
assert set(SHOWN) <= {command.name for command in COMMANDS}

OK, LOST, UNANSWERED, KILLED_BEFORE, KILLED_AFTER = "ok", "lost", "unanswered", "killed before", "killed after"
FATES = (OK, LOST, UNANSWERED, KILLED_BEFORE, KILLED_AFTER)


class Server:
    """A central system that knows a repeated message by its id; ``told`` has each message once, as it came."""

    def __init__(self, version: str = "1.6") -> None:
        self.version = version
        self.told: list[tuple[str, dict]] = []
        self.wrong: list[str] = []
        self.answers: dict[str, object] = {}
        self.repeated = 0
        self._seen: dict[str, tuple[str, str]] = {}  # id -> (text, answer)
        self._number = 0

    def receive(self, text: str) -> str:
        _, unique_id, action, payload = json.loads(text)
        self.check(Call(unique_id, action, payload), text)
        if unique_id in self._seen:
            before, answer = self._seen[unique_id]
            self.repeated += 1
            if before != text:
                self.wrong.append(f"repeated, and another: {before} {text}")
            return answer
        self.told.append((action, payload))
        answer = self._answer(unique_id, action, payload)
        if json.loads(answer)[0] == 3:  # what was refused may come again
            self._seen[unique_id] = text, answer
        return answer

    def check(self, message: Call | CallResult, text: str) -> None:
        self.wrong += against_schema(message, self.version, text)

    def _answer(self, unique_id: str, action: str, payload: dict) -> str:
        answer = self.answers.get(action)
        if callable(answer):
            answer = answer(payload)
        if isinstance(answer, str):
            self.told.pop()
            return json.dumps([4, unique_id, answer, "", {}])
        return json.dumps([3, unique_id, self._usual(action) if answer is None else answer])

    def _usual(self, action: str) -> dict:
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": rpc.stamp(EPOCH), "interval": 300}
        if action == "Heartbeat":
            return {"currentTime": rpc.stamp(EPOCH)}
        if action == "Authorize":
            return {"idTagInfo" if self.version == "1.6" else "idTokenInfo": {"status": "Accepted"}}
        if action == "StartTransaction":
            self._number += 1
            return {"transactionId": self._number, "idTagInfo": {"status": "Accepted"}}
        return {}

    def actions(self, action: str) -> list[dict]:
        return [payload for name, payload in self.told if name == action]

    def statuses(self, connector: int = 1) -> list[str]:
        key = "status" if self.version == "1.6" else "connectorStatus"
        return [p[key] for p in self.actions("StatusNotification") if p["connectorId"] == connector]


class World:
    def __init__(self, file: Path | None = None, version: str = "1.6", reqauth: int = 0, **settings) -> None:
        self.version, self.settings, self._file = version, Settings(**settings), file
        self.car = Car()
        self.charger = Charger(car=self.car)
        self.charger.flash["REQAUTH"] = reqauth
        self.server = Server(version)
        self.time = 0.0
        self.line = True  # the network
        self.serial = True
        self.fate: Callable[[str], str] = lambda _: OK  # of the next message
        self.writes: list[tuple[str, int | None]] = []
        self.refuse_writes = False
        self.refusals: list[str] = []
        self._energy = LifetimeEnergy()
        self._ids = 0
        self._memory = None if file else Journal.in_memory()
        self._begin()
        self.run(3)

    def _begin(self) -> None:
        self.journal = self._memory or Journal.open(self._file)
        dialect = DIALECTS[self.version]
        self.point = ChargePoint(self.journal, self.settings, updates=dialect.updates, measurands=dialect.measurands)
        self.dialect = dialect(self.point)
        self._connected = False
        self._shown: Snapshot | None = None
        self._ticked = 0.0

    @property
    def now(self) -> float:
        return EPOCH + self.time

    # --- what happens to it

    def kill(self) -> None:
        """As kill -9: what is on disk stays. It is started again at once."""
        if self._file:
            self.journal.close()
        self._begin()

    def person(self, name: str, value: int, told: bool = True) -> None:
        """``told``: through another bridge of this program."""
        self.charger.set(name, value)
        self._look()
        if told:
            self.point.asked(name, value, self.now)

    def reset_total(self) -> None:
        """As a person does it at the page."""
        self.charger.set("EMETERTOTCONSUM", 0)
        self._energy.on_reset()
        self._look()

    def restart_charger(self) -> None:
        self.charger.reboot(self.time)

    def value(self, name: str):
        return self.charger.value(name)[0]

    # --- time

    def run(self, seconds: float, until: Callable[[], object] | None = None) -> bool:
        """Whether ``until`` came true."""
        end = self.time + seconds
        while self.time < end:
            if until and until():
                return True
            self.step()
        return bool(until and until())

    def step(self) -> None:
        self.time += STEP_S
        self.charger.advance(self.time)
        self._look()
        if self.time >= self._ticked + 1:
            self._ticked = self.time
            self.point.tick(self.now)
        self._act()
        self._talk()

    def _look(self) -> None:
        online = self.serial and self.charger.ready and self.charger.device.awake
        values = self._read() if online else self.point.snapshot.values
        snapshot = Snapshot(online, values)
        if snapshot != self._shown:
            self._shown = snapshot
            self.point.see(snapshot, self.now)

    def _read(self) -> dict:
        values = {name: self.charger.value(name) for name in SHOWN}
        names = ("EMETERTOTCONSUM", "EMETERCONSUM", "UPTIME")
        for _ in range(2):
            self._energy.update(Reading(*(values[name][0] for name in names)))
        values["EMETERTOTCONSUM"] = (self._energy.shown,)
        return values

    def _act(self) -> None:
        for order in self.point.take_orders(self.now):
            self.writes.append((order.name, order.value))
            done = not self.refuse_writes
            if done and order.name == "AUTH":
                self.charger.point.authorize()
            elif done and order.name == "RST":
                self.charger._restart_at = self.time + 5
            elif done:
                self.charger.set(order.name, order.value)
                self._look()  # a write is read back before it is done
            self.point.ordered(order, done, self.now)

    # --- the line

    def _talk(self) -> None:
        if not self.line or not self.point.identity:
            if self._connected:
                self._connected = False
                self.point.line_is_down()
            return
        if not self._connected:
            self._connected = True
            self.point.line_is_up(self.now)
        for _ in range(50):
            outgoing = self.point.outbox.next(self.now)
            if outgoing is None or not self._send(outgoing):
                return

    def _send(self, outgoing) -> bool:
        said = self.dialect.say(outgoing)
        if said is None:
            if outgoing.message is not None:
                self.point.told(outgoing.message, self.now)
            return True
        text = rpc.call_text(outgoing.unique_id, *said)
        fate = self.fate(said[0])
        answer = self.server.receive(text) if fate in (OK, UNANSWERED, KILLED_AFTER) else None
        if fate in (KILLED_BEFORE, KILLED_AFTER):
            self.kill()
            return False
        if fate != OK:
            self.point.outbox.lost(outgoing)
            self._connected = False
            self.point.line_is_down()
            return False
        message = rpc.parse(answer, self.version)
        reason, _ = take_answer(self.dialect, outgoing, message, self.now)
        if reason:
            self.refusals.append(reason)
        return True

    def call(self, action: str, payload: dict | None = None) -> dict:
        """The central system calls: the answer's payload, or `{"error": code}`."""
        self._ids += 1
        text = json.dumps([2, f"server-{self._ids}", action, payload or {}])
        message = rpc.parse(text, self.version)
        try:
            answer = self.dialect.called(message, self.now)
        except rpc.CallError as error:
            return {"error": error.code}
        finally:
            self._act()
        result = CallResult(f"server-{self._ids}", json.loads(json.dumps(answer)), action=action)
        self.server.check(result, f"{action} {answer}")
        return answer

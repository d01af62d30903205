"""A protocol engine and a simulated charger with virtual time: the line between them, and the faults on it."""

from __future__ import annotations

from evse_host.simulator import Charger, Faults
from evse_host.wire.codec import Event
from evse_host.wire.protocol import Answer, Protocol, Request

STEP_S = 0.002  # also the time that a byte burst takes on the line
LIMIT_S = 60.0


class Bench:
    """``ask`` runs one request to its end; ``events`` are all others that came."""

    def __init__(self, charger: Charger | None = None, piece: int = 1000, seed: int = 0) -> None:
        self.charger = charger or Charger()
        self.faults = Faults(self.charger, seed)
        self.protocol = Protocol()
        self.now = self.charger.now
        self.piece = piece
        self.events: list[Event] = []
        self.sent: list[tuple[float, bytes]] = []

    def ask(self, line: str, reads: str = "", timeout: float = 1.0) -> Answer:
        """Raises AssertionError if the request does not end within a minute."""
        start = self.now
        self.protocol.start(Request(line, reads, timeout), self.now)
        while self.now - start < LIMIT_S:
            for event in self.step():
                if isinstance(event, Answer):
                    return event
                self.events.append(event)
        raise AssertionError(f"{line}: no end, {self.protocol.state}")

    def read(self, name: str) -> Answer:
        return self.ask(f"AT+{name}?", name)

    def step(self) -> list[Event | Answer]:
        out = self.protocol.outgoing()
        if out:
            self.sent.append((self.now, out))
            self.faults.receive(out, self.now)
        self.now = self._next_moment()
        data = self.faults.advance(self.now)
        events = []
        for at in range(0, len(data), self.piece):
            events += self.protocol.receive(data[at : at + self.piece], self.now)
        return events + self.protocol.advance(self.now)

    def _next_moment(self) -> float:
        moments = [self.protocol.deadline, self.faults.next_event(self.now)]
        return min(max(min(m for m in moments if m is not None), self.now + STEP_S), self.now + 0.1)

    def idle(self, seconds: float) -> None:
        """Nobody asks for anything."""
        end = self.now + seconds
        while self.now < end:
            self.events += self.step()

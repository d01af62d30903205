"""What the line says: is there anybody, at which baud rate, over which wires, in which mode?"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..catalog import BAUD_RATE
from ..wire.codec import Decoder, Ready, Result, Value, printable, to_text
from .finding import Finding, Status

_LOG = re.compile(r"\x1b\[[0-9;]*m|^[EWIDV] \(\d+\)|ESP-ROM:|rst:0x|boot:|Guru Meditation|Backtrace:", re.MULTILINE)


class Kind(enum.IntEnum):
    """What bytes look like; the larger, the closer to a charger that answers."""

    SILENCE = 0
    LOW = 1  # nothing but NUL
    GARBAGE = 2
    LOG = 3  # text
    HEARD = 4  # the charger speaks, and does not answer
    LOOPBACK = 5  # our own bytes come back
    ANSWERS = 6


@dataclass(frozen=True)
class Sample:
    """What came at one baud rate, unasked or after ``sent``."""

    baud_rate: int
    data: bytes
    sent: bytes = b""

    @property
    def kind(self) -> Kind:
        return classify(self.data, self.sent)


def classify(data: bytes, sent: bytes = b"") -> Kind:
    if not data:
        return Kind.SILENCE
    if not data.strip(b"\0"):
        return Kind.LOW
    events = Decoder().feed(data + b"\n")
    if sent and any(isinstance(event, Result) for event in events):
        return Kind.ANSWERS
    if sent and data.strip(b"\0") == sent:
        return Kind.LOOPBACK
    if any(isinstance(event, (Value, Ready, Result)) for event in events):
        return Kind.HEARD
    return Kind.LOG if _is_text(data) else Kind.GARBAGE


def _is_text(data: bytes) -> bool:
    readable = sum(byte in b"\r\n\t\x1b" or 0x20 <= byte < 0x7F for byte in data)
    return readable >= 0.9 * len(data) and len(data) >= 4


def best(samples: Sequence[Sample]) -> Sample:
    """The one that says most; the first of equals."""
    return max(samples, key=lambda sample: sample.kind)


def judge_bytes(samples: Sequence[Sample]) -> Finding:
    """Any bytes at all?"""
    count = sum(len(sample.data) for sample in samples)
    if count:
        shown = printable(to_text(best(samples).data[:40]))
        return Finding("bytes", Status.OK, f"{count} bytes came, such as {shown}", data={"bytes": count})
    return Finding(
        "bytes", Status.PROBLEM, "not one byte came, neither unasked nor after knocking",
        "nothing reaches this computer", "see `lines`", {"bytes": 0},
    )  # fmt: skip


def judge_baud_rate(samples: Sequence[Sample], wanted: int, fixed: bool = False) -> Finding:
    """Is it the right baud rate, or which is? ``fixed``: the other end of a TCP connection decides."""
    found, tried = best(samples), sorted({sample.baud_rate for sample in samples})
    data = {"baud_rate": found.baud_rate if found.kind >= Kind.LOG else None, "tried": tried}
    rates = ", ".join(map(str, tried))
    if found.kind is Kind.LOOPBACK:
        return Finding("baud rate", Status.NOTE, "cannot be found: only our own bytes come back", data=data)
    if found.kind < Kind.LOG:
        what = "unreadable bytes" if found.kind is Kind.GARBAGE else "no readable byte"
        return Finding(
            "baud rate", Status.PROBLEM, f"{what} at {rates} Bd",
            "an unusual baud rate, an inverted signal or noise" if found.kind is Kind.GARBAGE else "it cannot be found",
            "look up the charger's baud rate on its web page (serial settings) and give it " +
            ("to the program at the other end" if fixed else "with --baud"), data,
        )  # fmt: skip
    if found.baud_rate == wanted:
        seen = "right at the other end of the TCP connection" if fixed else f"{wanted} Bd is right"
        return Finding("baud rate", Status.OK, seen, data=data)
    return Finding(
        "baud rate", Status.WARNING, f"the charger speaks {found.baud_rate} Bd, not {wanted} Bd",
        "at the baud rate that was asked for, nothing works",
        f"give --baud {found.baud_rate}, and the same baud_rate to the ESPHome uart; or set the charger's port to "
        f"{BAUD_RATE} Bd on its web page", data,
    )  # fmt: skip


#: Swapped or dead lines? What is not here: readable answers decide.
LINES = {
    Kind.ANSWERS: Finding("lines", Status.OK, "both directions work"),
    Kind.HEARD: Finding(
        "lines", Status.PROBLEM, "the charger is heard, but does not answer",
        "what we send does not arrive: our TX, or the charger's RX, is not connected (or it is hung)",
        "check the wire from the adapter's TX to the charger's RX; if it is sound, switch the charger off and on",
    ),
    Kind.LOOPBACK: Finding(
        "lines", Status.PROBLEM, "our own bytes come back, and nothing else",
        "TX and RX of the adapter touch each other, or an RS-485 adapter hears itself",
        "separate TX and RX; remove a loopback plug; see that the charger is connected at all",
    ),
    Kind.LOW: Finding(
        "lines", Status.PROBLEM, "nothing but NUL bytes: the RX line is held low",
        "the other end has no power, the wires are swapped, or RX is shorted to ground",
        "check that the charger is on, that TX and RX are crossed, and that ground is connected",
    ),
    Kind.SILENCE: Finding(
        "lines", Status.PROBLEM, "the line is silent in both directions",
        "TX and RX are swapped or not connected, ground is missing, the charger is off, hung, or this is not its "
        "AT port",
        "connect the adapter's RX to the charger's TX, TX to RX, and ground to ground (3.3 V levels); set the "
        "port's mode to AT on the charger's web page; then run `doctor --listen 15` and switch the charger off and "
        "on: a charger in AT mode says RDY",
    ),
}  # fmt: skip
UNREADABLE = Finding(
    "lines", Status.NOTE, "something is received; whether we are heard is unknown until it is readable"
)


def judge_lines(kind: Kind) -> Finding:
    return LINES.get(kind, UNREADABLE)


def judge_mode(kind: Kind, heard: bytes) -> Finding:
    """Log output instead of AT mode?"""
    text = to_text(heard)
    line = printable(next((line for line in text.splitlines() if len(line.strip()) > 3), "")[:70])
    if kind is Kind.LOG:
        what = "log output" if _LOG.search(text) else "text"
        return Finding(
            "mode", Status.PROBLEM, f"{what} instead of answers: {line}",
            "this port of the charger is in log mode" if what == "log output" else "another device or another mode",
            "set this port's mode to AT on the charger's web page (serial settings)",
        )  # fmt: skip
    if kind is Kind.ANSWERS and _LOG.search(text):
        return Finding(
            "mode", Status.WARNING, f"log output between the answers: {line}",
            "log and AT share this port, or two wires touch; answers get damaged",
            "turn the log off on this port, or use another one for it",
        )  # fmt: skip
    if kind in (Kind.ANSWERS, Kind.HEARD):
        return Finding("mode", Status.OK, "AT mode")
    return Finding("mode", Status.NOTE, "unknown: nothing readable came")

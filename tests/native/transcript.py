"""Conversations between client and charger, kept as text: transcripts/*.txt.

    rows UPTIME CHCUR          settings first: the client's rows, `push` and `poll` in ms, `keep_settings`, and with
    start 4294960000           `start` the clock at the start (default 0); `include NAME` puts another file's lines here
      +0 > ~\\n                 the client transmits
      +3 < \\n\\nERROR\\n         the charger does; \\n \\r \\0 \\x7f \\\\ as usual
     +20 ! write CHCUR 160     somebody asks for something: any request of shim.cpp
      +0 = done CHCUR ok    the client tells its listener
    +500 end                   nothing more happens until here

Every line begins with its milliseconds since the line before. What the client does must be exactly what stands here.

After a deliberate change `python -m tests.native.transcript FILE...` plays files again and rewrites their `=` lines and
times; each `>` line is waited for. Read the difference before you keep it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.native.harness import Client, Event, Program, unescape

DIRECTORY = Path(__file__).resolve().parent / "transcripts"
TIMED = re.compile(r"\s*\+(\d+) ([<>!=]|end) ?(.*)")
WAIT_MS = 70_000  # for a transmission, when a transcript is rewritten


@dataclass(frozen=True)
class Line:
    """`time` is in ms since the start, `delay` since the line before."""

    time: int
    delay: int
    kind: str
    text: str


@dataclass
class Transcript:
    rows: list[str] = field(default_factory=lambda: ["UPTIME"])
    settings: list[str] = field(default_factory=list)
    clock: int = 0
    lines: list[Line] = field(default_factory=list)

    @property
    def expected(self) -> list[Event]:
        shown = {">": "> ", "=": ""}
        return [Event(line.time, shown[line.kind] + line.text) for line in self.lines if line.kind in shown]

    @property
    def longest_instant(self) -> int:
        """Most bytes that the charger sends at one moment."""
        return max((len(data) for kind, _, data in self.steps() if kind == "<"), default=1)

    def steps(self) -> list[tuple[str, int, bytes | str]]:
        """(kind, time, text or bytes) of what happens to the client; bytes of one moment are joined."""
        steps = []
        for line in self.lines:
            if line.kind == "<":
                data = unescape(line.text)
                if steps and steps[-1][:2] == ("<", line.time):
                    data = steps.pop()[2] + data
                steps.append(("<", line.time, data))
            elif line.kind in ("!", "end"):
                steps.append((line.kind, line.time, line.text))
        return steps


def read(path: Path) -> Transcript:
    transcript = Transcript()
    _read_into(transcript, path)
    return transcript


def _read_into(transcript: Transcript, path: Path) -> None:
    for number, text in enumerate(path.read_text().splitlines(), 1):
        timed = TIMED.fullmatch(text)
        if timed:
            delay = int(timed[1])
            time = (transcript.lines[-1].time if transcript.lines else 0) + delay
            transcript.lines.append(Line(time, delay, timed[2], timed[3]))
        elif text.strip() and not text.startswith("#"):
            _read_setting(transcript, path, number, text)


def _read_setting(transcript: Transcript, path: Path, number: int, text: str) -> None:
    key, _, value = text.partition(" ")
    if key == "include":
        _read_into(transcript, DIRECTORY / value)
    elif key == "rows":
        transcript.rows = value.split()
    elif key == "start":
        transcript.clock = int(value)
    elif key in ("push", "poll", "keep_settings"):
        transcript.settings.append(text)
    else:
        raise ValueError(f"{path.name}:{number}: neither a setting nor a timed line: {text}")


def _new_client(transcript: Transcript, program: Program) -> Client:
    client = Client(program, transcript.rows)
    for setting in transcript.settings:
        client.ask(setting)
    return client


def play(transcript: Transcript, program: Program, size: int = 1_000_000) -> list[Event]:
    """What the client does when the charger's bytes come in pieces of `size`."""
    client = _new_client(transcript, program)
    events = client.start(transcript.clock)
    for step in transcript.steps():
        events += _do(client, step, size)
    return events


def play_some(transcript: Transcript, program: Program, count: int) -> Client:
    """A client that has gone through the first `count` steps."""
    client = _new_client(transcript, program)
    client.start(transcript.clock)
    for step in transcript.steps()[:count]:
        _do(client, step)
    return client


def _do(client: Client, step: tuple[str, int, bytes | str], size: int = 1_000_000) -> list[Event]:
    kind, time, what = step
    events = client.run_to(time)
    if kind == "<":
        events += client.receive(what, size)
    elif kind == "!":
        events += client.ask(what)
    return events


# --- rewriting --------------------------------------------------------------------------------------------------------


def rewrite(path: Path, program: Program) -> None:
    """Play a file with its `<` and `!` lines at the same delay behind what comes before them."""
    transcript = read(path)
    texts = path.read_text().splitlines()
    lines = iter(transcript.lines)
    player = _Rewriter(transcript, program)
    for _ in range(len(transcript.lines) - sum(bool(TIMED.fullmatch(text)) for text in texts)):
        player.play(next(lines))  # from included files
    out = []
    for text in texts:
        player.written.clear()
        if TIMED.fullmatch(text):
            player.play(next(lines))
            out += player.written
        else:
            out.append(text)
    path.write_text("\n".join(out) + "\n")


class _Rewriter:
    def __init__(self, transcript: Transcript, program: Program) -> None:
        self.written: list[str] = []
        self._last = 0  # time of the line written last
        self._due = 0  # time of the present line, counted from the last `>`, `<` or `!`
        self._client = _new_client(transcript, program)
        self._ahead = self._client.start(transcript.clock)

    def play(self, line: Line) -> None:
        self._due += line.delay
        if line.kind == ">":
            self._wait_for(f"> {line.text}")
            self._due = self._last
        elif line.kind != "=":
            self._ahead += self._client.run_to(self._due)
            self._write_ahead(len(self._ahead))
            self._write(self._due, f"{line.kind} {line.text}".rstrip())
            if line.kind == "<":
                self._ahead += self._client.receive(unescape(line.text))
            elif line.kind == "!":
                self._ahead += self._client.ask(line.text)
            while self._ahead and not self._ahead[0].transmitted:
                self._write_ahead(1)

    def _wait_for(self, text: str) -> None:
        limit = self._client.now + WAIT_MS
        while all(event.text != text for event in self._ahead):
            if self._client.now >= limit:
                raise SystemExit(f"the client does not transmit {text[2:]} any more; remove the line")
            self._ahead += self._client.run_to_transmission(limit)
        self._write_ahead(1 + [event.text for event in self._ahead].index(text))

    def _write_ahead(self, count: int) -> None:
        for event in self._ahead[:count]:
            self._write(event.time, event.text if event.transmitted else f"= {event.text}")
        del self._ahead[:count]

    def _write(self, time: int, text: str) -> None:
        delay = f"+{time - self._last}"
        self.written.append(f"{delay:>7} {text}")
        self._last = time


if __name__ == "__main__":
    with Program() as running:
        for name in sys.argv[1:]:
            rewrite(Path(name), running)

"""The client against conversations written down in transcripts/*.txt, see transcript.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.esp32evse.catalog import SLOW_INTERVAL_MS, WRITE_HOLDOFF_MS
from tests.native import harness, transcript
from tests.native.bench import Bench
from tests.native.harness import Client, Event, Program

PATHS = sorted(transcript.DIRECTORY.glob("*.txt"))
FILES = [pytest.param(path, id=path.stem) for path in PATHS]


def show(events: list[Event]) -> list[str]:
    return [f"{event.time:6} {event.text}" for event in events]


@pytest.mark.parametrize("path", FILES)
def test_the_client_says_what_the_transcript_says(program: Program, path: Path) -> None:
    conversation = transcript.read(path)
    assert show(transcript.play(conversation, program)) == show(conversation.expected)


@pytest.mark.parametrize("path", FILES)
def test_pieces_of_any_size_mean_the_same(program: Program, path: Path) -> None:
    conversation = transcript.read(path)
    expected = show(conversation.expected)
    for size in range(1, conversation.longest_instant):
        assert show(transcript.play(conversation, program, size)) == expected, f"in pieces of {size}"


@pytest.mark.parametrize("path", FILES)
def test_restart_at_any_moment_is_followed_by_silence(program: Program, path: Path) -> None:
    """RDY in every state that a conversation leads to: not a byte for a second, then the client gets into step."""
    conversation = transcript.read(path)
    for count in range(1, len(conversation.steps())):
        client = transcript.play_some(conversation, program, count)
        client.receive(b"\n\nRDY\n\0")
        ready = client.now
        for request in ("charging 1", "refresh", "unsubscribe_all", "raw AT"):
            client.ask(request)
        sent = [event for event in client.run_to_transmission(ready + 3000) if event.transmitted]
        assert [event.transmitted for event in sent] == [b"~\n"], f"after step {count}"
        assert sent[0].time - ready > WRITE_HOLDOFF_MS, f"after step {count}"


def test_what_a_caller_may_ask(program: Program) -> None:
    client = Bench(program, ("ENABLE", "CHCUR"), push=0).client
    assert client.says("is_online") and not client.says("is_busy")
    client.ask("write CHCUR 100")
    assert client.says("is_pending CHCUR") and not client.says("is_pending ENABLE") and client.says("is_busy")
    client.receive(b"\n\nRDY\n\0")
    assert client.says("is_online") and client.says("is_pending CHCUR")
    client.run_to(client.now + 60_000)
    assert not client.says("is_online") and not client.says("is_pending CHCUR")
    assert not client.says("is_busy"), "nobody needs to hurry for a charger that does not answer"


def test_unknown_lines_in_a_transcript_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.txt"
    path.write_text("rows UPTIME\n+0 ? nothing\n")
    with pytest.raises(ValueError, match=r"wrong\.txt:2: neither a setting nor a timed line: \+0 \? nothing"):
        transcript.read(path)


def test_client_needs_no_memory_of_earlier_clients(program: Program) -> None:
    """Two clients in a row behave alike: nothing is kept in statics."""
    clients = (Client(program, ["UPTIME"]) for _ in range(2))
    first, second = (client.start() + client.run_to(1) for client in clients)
    assert first == second == [Event(0, "> ~\\n")]


def test_the_slow_interval_is_the_catalogs() -> None:
    header = (harness.COMPONENT / "schedule.h").read_text()
    assert re.findall(r"(?:SLOW_MS|HEARTBEAT_MS) = (\d+);", header) == [str(SLOW_INTERVAL_MS)] * 2

"""The journal over the death of its process: nothing that was said to be on disk is missing, nothing is there twice."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from evse_host.bridge.ocpp.journal import METER, START, STOP, Journal
from evse_host.errors import PortError

WRITER = """
import sys
from pathlib import Path
from evse_host.bridge.ocpp.journal import METER, Journal
journal = Journal.open(Path(sys.argv[1]))
count = 0
while True:
    transaction = journal.begin("HOME", count, count, {"number": count})
    journal.add(transaction, METER, {"number": count})
    journal.end(transaction, {"number": count})
    count += 1
    print(count, flush=True)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "journal.sqlite3"


def drain(journal: Journal) -> list[tuple[str, int, int]]:
    found = []
    while (message := journal.head()) is not None:
        found.append((message.kind, message.number, message.payload["number"]))
        journal.settle(message)
    return found


def test_messages_come_in_their_order_and_once(file):
    journal = Journal.open(file)
    first = journal.begin("A", 1.0, 100, {"number": 0})
    journal.add(first, METER, {"number": 0})
    journal.end(first, {"number": 0})
    second = journal.begin("B", 2.0, 200, {"number": 1})
    journal.close()
    journal = Journal.open(file)
    assert journal.running() == journal.transaction(second.id)
    assert drain(journal) == [(START, 0, 0), (METER, 1, 0), (STOP, 2, 0), (START, 0, 1)]
    assert journal.head() is None


@pytest.mark.parametrize("after", [1, 7, 40])
def test_killed_at_any_moment_it_has_all_that_it_had_promised(file, after):
    file.parent.mkdir()
    with subprocess.Popen([sys.executable, "-c", WRITER, file], stdout=subprocess.PIPE, text=True) as process:
        promised = 0
        for line in process.stdout:
            promised = int(line)
            if promised >= after:
                process.send_signal(signal.SIGKILL)
                break
    found = drain(Journal.open(file))
    whole = [(kind, number, count) for count in range(promised)
             for number, kind in enumerate((START, METER, STOP))]  # fmt: skip
    assert found[: len(whole)] == whole
    rest = found[len(whole) :]
    assert [entry[2] for entry in rest] == sorted(entry[2] for entry in rest), (
        "what was begun behind it is in order too"
    )


def test_the_central_systems_number_and_the_message_go_together(file):
    journal = Journal.open(file)
    transaction = journal.begin("A", 1.0, 100, {})
    journal.settle(journal.head(), remote="4711")
    journal.close()
    journal = Journal.open(file)
    assert journal.find("4711").id == transaction.id == journal.find(transaction.uuid).id
    assert journal.head() is None and journal.find("4712") is None


def test_a_message_keeps_its_id_and_counts_its_refusals(file):
    journal = Journal.open(file)
    journal.begin("A", 1.0, 100, {})
    first = journal.head()
    journal.refused(first, 60.0, last_time=False)
    journal.close()
    journal = Journal.open(file)
    again = journal.head()
    assert (again.unique_id, again.attempts, again.not_before) == (first.unique_id, 1, 60.0)
    journal.refused(again, 0, last_time=True)
    assert journal.head() is None and journal.given_up() == 1


def test_only_its_owner_may_read_it(file):
    Journal.open(file).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_processes_at_one_journal_are_refused(file):
    journal = Journal.open(file)
    with pytest.raises(PortError, match="one charge point, one process"):
        Journal.open(file)
    journal.close()
    Journal.open(file).close()


def test_what_is_no_journal_is_said(tmp_path):
    file = tmp_path / "text"
    file.write_text("not a database at all, just some text " * 100)
    with pytest.raises(PortError, match="no journal"):
        Journal.open(file)


def test_facts_survive_a_restart_of_this_program(file):
    journal = Journal.open(file)
    assert journal.fact("profiles", []) == []
    journal.keep("profiles", [{"id": 1}])
    journal.close()
    assert Journal.open(file).fact("profiles") == [{"id": 1}]


def test_what_is_done_together_is_undone_together(file):
    journal = Journal.open(file)
    with pytest.raises(ZeroDivisionError), journal.together():
        journal.begin("A", 1.0, 100, {})
        raise ZeroDivisionError
    assert journal.running() is None and journal.head() is None


def test_a_full_journal_loses_values_but_neither_begin_nor_end(file, monkeypatch):
    monkeypatch.setattr("evse_host.bridge.ocpp.journal.MAX_MESSAGES", 20)
    journal = Journal.open(file)
    transaction = journal.begin("A", 1.0, 100, {"number": -1})
    for number in range(100):
        journal.add(transaction, METER, {"number": number})
    journal.end(transaction, {"number": 100})
    found = drain(journal)
    assert found[0][0] == START and found[-1][0] == STOP and len(found) < 30
    assert [entry[2] for entry in found] == sorted(entry[2] for entry in found)

"""What must outlive the process and the power: transactions, their messages in order, and what the central system has
set. One SQLite file, which only its owner may read, for it can hold the key.

journal = Journal.open(Path("garage.sqlite3"))
transaction = journal.begin(tag="HOME", at=now, meter=1200)     # on disk before anything is sent
message = journal.head()                                        # the next one to send, again and again until
journal.settle(message)                                         # it was answered
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import PortError

START, METER, UPDATE, STOP = "start", "meter", "update", "stop"
MAX_MESSAGES = 200_000  # three months of a value every 40 s; beyond it values are thinned out, never begin or end

_SCHEMA = """
CREATE TABLE IF NOT EXISTS transactions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL, remote TEXT, tag TEXT NOT NULL, began REAL NOT NULL,
    meter_start INTEGER NOT NULL, last_meter INTEGER NOT NULL, last_at REAL NOT NULL, ended INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0, extra TEXT NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, transaction_id INTEGER NOT NULL, kind TEXT NOT NULL, number INTEGER NOT NULL,
    unique_id TEXT NOT NULL, payload TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0, given_up INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS waiting ON messages (given_up, id);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Transaction:
    """``id`` is ours, ``uuid`` that of OCPP 2.0.1, ``remote`` the central system's number, None until it has answered.
    ``last_meter`` (Wh) and ``last_at`` are the newest that the journal knows."""

    id: int
    uuid: str
    remote: str | None
    tag: str
    began: float
    meter_start: int
    last_meter: int
    last_at: float
    ended: bool
    messages: int
    extra: dict[str, Any]

    @classmethod
    def of(cls, row: sqlite3.Row) -> Transaction:
        values = dict(row)
        return cls(**{**values, "ended": bool(values["ended"]), "extra": json.loads(values["extra"])})


@dataclass(frozen=True)
class Message:
    """``number`` counts a transaction's messages from 0; ``unique_id`` stays the same however often it is sent, so that
    a central system can know it again."""

    id: int
    transaction_id: int
    kind: str
    number: int
    unique_id: str
    payload: dict[str, Any]
    attempts: int
    not_before: float


class Journal:
    """Every method is on disk when it returns. Raises PortError where the file cannot be used."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.row_factory = sqlite3.Row
        database.executescript(_SCHEMA)
        self._facts = {row["name"]: json.loads(row["value"]) for row in database.execute("SELECT * FROM facts")}

    @classmethod
    def open(cls, file: Path) -> Journal:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            database = sqlite3.connect(file, timeout=0.5, isolation_level=None, check_same_thread=False)
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute("BEGIN IMMEDIATE")
            database.execute("COMMIT")
            return cls(database)
        except OSError as error:
            raise PortError(f"{file}: {(error.strerror or str(error)).lower()}") from None
        except sqlite3.OperationalError as error:
            reason = (
                "another evse-host uses it: one charge point, one process" if "locked" in str(error) else str(error)
            )
            raise PortError(f"{file}: {reason}") from None
        except sqlite3.DatabaseError as error:
            raise PortError(f"{file}: it is no journal: {error}; move it away to begin a new one") from None

    @classmethod
    def in_memory(cls) -> Journal:
        """For tests, and for looks that leave nothing behind."""
        return cls(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))

    def close(self) -> None:
        self._database.close()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What is done inside is on disk as a whole, or not at all."""
        if self._database.in_transaction:
            yield
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    # --- transactions

    def begin(
        self, tag: str, at: float, meter: int, payload: dict[str, Any], extra: dict[str, Any] | None = None
    ) -> Transaction:
        with self.together():
            cursor = self._database.execute(
                "INSERT INTO transactions (uuid, tag, began, meter_start, last_meter, last_at, extra)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (str(uuid.uuid4()), tag, at, meter, meter, at, json.dumps(extra or {})),
            )
            number = cursor.lastrowid or 0  # SQLite begins with 1
            self.add(self.transaction(number), START, payload)
        return self.transaction(number)

    def end(self, transaction: Transaction, payload: dict[str, Any]) -> None:
        with self.together():
            self.add(transaction, STOP, payload)
            self._database.execute("UPDATE transactions SET ended = 1 WHERE id = ?", (transaction.id,))

    def note_meter(self, transaction: Transaction, meter: int, at: float) -> Transaction:
        """What the meter showed last, in case that nobody sees its end."""
        self._database.execute(
            "UPDATE transactions SET last_meter = ?, last_at = ? WHERE id = ?", (meter, at, transaction.id)
        )
        return replace(transaction, last_meter=meter, last_at=at)

    def note_extra(self, transaction: Transaction, extra: dict[str, Any]) -> Transaction:
        self._database.execute("UPDATE transactions SET extra = ? WHERE id = ?", (json.dumps(extra), transaction.id))
        return replace(transaction, extra=extra)

    def transaction(self, number: int) -> Transaction:
        return Transaction.of(self._database.execute("SELECT * FROM transactions WHERE id = ?", (number,)).fetchone())

    def running(self) -> Transaction | None:
        row = self._database.execute("SELECT * FROM transactions WHERE ended = 0 ORDER BY id DESC LIMIT 1").fetchone()
        return Transaction.of(row) if row else None

    def find(self, remote: str) -> Transaction | None:
        """By what the central system calls it: its number, or our uuid."""
        row = self._database.execute(
            "SELECT * FROM transactions WHERE remote = ? OR uuid = ? ORDER BY id DESC LIMIT 1", (remote, remote)
        ).fetchone()
        return Transaction.of(row) if row else None

    # --- messages

    def add(self, transaction: Transaction, kind: str, payload: dict[str, Any]) -> None:
        if kind in (METER, UPDATE) and self.waiting() >= MAX_MESSAGES:
            self._thin_out()
        with self.together():
            self._database.execute(
                "INSERT INTO messages (transaction_id, kind, number, unique_id, payload)"
                " SELECT id, ?, messages, ?, ? FROM transactions WHERE id = ?",
                (kind, str(uuid.uuid4()), json.dumps(payload), transaction.id),
            )
            self._database.execute("UPDATE transactions SET messages = messages + 1 WHERE id = ?", (transaction.id,))

    def _thin_out(self) -> None:
        """Every second value of those that wait."""
        self._database.execute(
            "DELETE FROM messages WHERE id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS place"
            " FROM messages WHERE kind IN ('meter', 'update') AND given_up = 0) WHERE place % 2 = 0)"
        )

    def head(self) -> Message | None:
        """The oldest message that was neither answered nor given up."""
        row = self._database.execute(
            "SELECT id, transaction_id, kind, number, unique_id, payload, attempts, not_before FROM messages"
            " WHERE given_up = 0 ORDER BY id LIMIT 1"
        ).fetchone()
        return Message(**{**dict(row), "payload": json.loads(row["payload"])}) if row else None

    def waiting(self) -> int:
        return self._count("given_up = 0")

    def waits_for(self, transaction: Transaction) -> bool:
        """Whether messages of it are still to be sent."""
        query = "SELECT 1 FROM messages WHERE given_up = 0 AND transaction_id = ? LIMIT 1"
        return self._database.execute(query, (transaction.id,)).fetchone() is not None

    def settle(self, message: Message, remote: str | None = None) -> None:
        """It was answered; ``remote`` is the number that the answer gave the transaction."""
        with self.together():
            if remote is not None:
                self._database.execute(
                    "UPDATE transactions SET remote = ? WHERE id = ?", (remote, message.transaction_id)
                )
            self._database.execute("DELETE FROM messages WHERE id = ?", (message.id,))
            self._forget_old()

    def refused(self, message: Message, not_before: float, last_time: bool) -> None:
        """It was answered with an error: again from ``not_before`` on, or never; what was given up stays on disk."""
        self._database.execute(
            "UPDATE messages SET attempts = attempts + 1, not_before = ?, given_up = ? WHERE id = ?",
            (not_before, int(last_time), message.id),
        )

    def given_up(self) -> int:
        return self._count("given_up = 1")

    def _count(self, condition: str) -> int:
        return int(self._database.execute(f"SELECT COUNT(*) FROM messages WHERE {condition}").fetchone()[0])

    def _forget_old(self) -> None:
        """Ended and told long ago: the last hundred stay."""
        self._database.execute(
            "DELETE FROM transactions WHERE ended = 1 AND id < (SELECT MAX(id) FROM transactions) - 100"
            " AND id NOT IN (SELECT transaction_id FROM messages)"
        )

    # --- what else must be kept

    def fact(self, name: str, default: object = None) -> Any:
        return self._facts.get(name, default)

    def keep(self, name: str, value: object) -> None:
        """Written only when it is another."""
        if name in self._facts and self._facts[name] == value:
            return
        text = json.dumps(value)
        self._database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, text))
        self._facts[name] = json.loads(text)

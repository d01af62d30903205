"""Who may write when several share a charger: the arbiter alone, with bytes and times."""

from __future__ import annotations

from evse_host.line.arbitration import ANSWER_TIMEOUT_S, COMPANION, Arbiter, Output

ALL = ("a", "b", "watcher")


class Table:
    """An arbiter with clients a, b and watcher, and what everybody got so far."""

    def __init__(self) -> None:
        self.arbiter, self.now = Arbiter(), 0.0
        self.charger = b""
        self.got = dict.fromkeys((COMPANION, *ALL), b"")
        for name in ALL:
            self.arbiter.join(name)

    def _take(self, output: Output) -> None:
        self.charger += b"".join(data for _, data in output.to_charger)
        for name, data in output.to_parties.items():
            self.got[name] += data

    def companion(self, data: bytes) -> None:
        self._take(self.arbiter.from_companion(data, self.now))

    def client(self, name: str, data: bytes) -> None:
        self._take(self.arbiter.from_client(name, data, self.now))

    def says(self, data: bytes, size: int = 1000) -> None:
        for at in range(0, len(data), size):
            self._take(self.arbiter.from_charger(data[at : at + size], self.now))

    def leave(self, name: str) -> None:
        self._take(self.arbiter.leave(name, self.now))

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.arbiter.deadline <= end:
            self.now = self.arbiter.deadline
            self._take(self.arbiter.advance(self.now))
        self.now = end
        self._take(self.arbiter.advance(self.now))

    def sent(self) -> bytes:
        data, self.charger = self.charger, b""
        return data


def test_the_companions_bytes_pass_as_they_come():
    table = Table()
    for byte in b"AT+STATE?\n":
        table.companion(bytes([byte]))
        assert table.sent() == bytes([byte])
    answer = b"\n+STATE=0\n\nOK\n\xff\0"
    table.says(answer, size=1)
    assert table.got[COMPANION] == answer and table.got["watcher"] == answer


def test_a_clients_line_is_sent_whole_and_only_between_commands():
    table = Table()
    table.companion(b"AT+STA")
    table.client("a", b"AT+CHCUR?")
    table.client("a", b"\n")
    table.client("b", b"AT+VER?\n")
    assert table.sent() == b"AT+STA"
    table.companion(b"TE?\n")
    assert table.sent() == b"TE?\n"
    table.says(b"\n+STATE=0\n\nOK\n")
    assert table.sent() == b"AT+CHCUR?\n"
    table.companion(b"AT+ENABLE?\n")
    assert table.sent() == b"", "it waits for the answer of a"
    table.says(b"\n+CHCUR=320\n\nOK\n")
    assert table.sent() == b"AT+ENABLE?\n"
    table.says(b"\n+ENABLE=1\n\nOK\n")
    assert table.sent() == b"AT+VER?\n"


def test_results_go_to_who_asked_and_values_to_all():
    for size in (1, 3, 1000):
        table = Table()
        table.client("a", b"AT+CHCUR?\n")
        table.client("b", b"AT\n")
        table.says(b"\n+CHCUR=320\n\nOK\n", size)
        table.says(b"\n+STATE=1\n\nOK\n", size)
        assert table.got["a"] == b"\n+CHCUR=320\n\nOK\n\n+STATE=1\n"
        assert table.got["b"] == b"\n+CHCUR=320\n\n+STATE=1\n\nOK\n"
        assert table.got[COMPANION] == b"\n+CHCUR=320\n\n+STATE=1\n"
        assert table.got["watcher"] == b"\n+CHCUR=320\n\nOK\n\n+STATE=1\n\nOK\n"


def test_a_list_is_for_who_asked():
    table = Table()
    table.client("a", b"AT+WIFIAPSCAN\n")
    answer = b'\n+WIFIAPSCAN="home",3,-50\n\nOK\n'
    table.says(answer)
    assert table.got["a"] == answer and table.got[COMPANION] == b""


def test_a_line_that_had_begun_for_the_companion_goes_on_to_it():
    table = Table()
    table.says(b"\n+STA")
    table.client("a", b"AT\n")
    table.says(b"TE=0\n\nOK\n")
    assert table.got[COMPANION] == b"\n+STATE=0\n"
    assert table.got["a"].endswith(b"OK\n") and table.got["watcher"] == b"\n+STATE=0\n\nOK\n"


def test_a_second_error_is_nobody_elses():
    table = Table()
    table.client("a", b"AT+EMETERC=1\n")
    table.companion(b"AT+STATE?\n")
    table.says(b"\nERROR\n\nERROR\n")
    assert table.got[COMPANION] == b""
    table.sent()
    table.wait(0.1)
    assert table.sent() == b"AT+STATE?\n"


def test_after_a_silence_no_late_result_becomes_another_partys():
    table = Table()
    table.client("a", b"AT+CHCUR=100\n")
    table.companion(b"AT+ENABLE=0\n")
    assert table.sent() == b"AT+CHCUR=100\n"
    table.wait(ANSWER_TIMEOUT_S + 0.01)
    assert table.sent() == b"~\n", "the proxy's own barrier"
    table.says(b"\nOK\n\nERROR\n")
    table.wait(0.1)
    assert table.sent() == b"AT+ENABLE=0\n" and table.got[COMPANION] == b""
    table.says(b"\nOK\n")
    assert table.got[COMPANION] == b"\nOK\n"


def test_a_client_that_gave_up_may_send_its_barrier_at_once():
    table = Table()
    table.client("a", b"AT+CHCUR?\n")
    table.wait(1.0)
    table.client("a", b"~\n")
    assert table.sent() == b"AT+CHCUR?\n~\n"
    table.says(b"\nOK\n\nERROR\n")
    table.wait(0.1)
    table.client("b", b"AT\n")
    assert table.sent() == b"AT\n"


def test_every_barrier_of_an_impatient_client_is_answered_before_another_writes():
    """A late ERROR that the next party took for its own would shift all answers by one."""
    table = Table()
    for _ in range(3):
        table.client("a", b"~\n")
        table.wait(0.5)
    table.client("b", b"AT+CHCUR?\n")
    assert table.sent() == b"~\n~\n~\n"
    for _ in range(2):
        table.says(b"\nERROR\n")
        table.wait(0.2)
        assert table.sent() == b""
    table.says(b"\nERROR\n")
    assert table.got["a"].count(b"ERROR") == 3 and b"ERROR" not in table.got["b"]
    table.wait(0.1)
    assert table.sent() == b"AT+CHCUR?\n"


def test_a_begun_line_of_the_companion_is_ended_before_another_writes():
    table = Table()
    table.companion(b"AT+CHCUR=1")
    table.client("a", b"AT+STATE?\n")
    table.wait(ANSWER_TIMEOUT_S + 0.01)
    assert table.sent() == b"AT+CHCUR=1~\n"
    table.says(b"\nERROR\n")
    table.wait(0.1)
    assert table.sent() == b"AT+STATE?\n"


def test_a_silent_charger_blocks_nobody_for_ever():
    table = Table()
    table.client("a", b"AT\n")
    table.wait(5)
    table.companion(b"AT+STATE?\n")
    assert table.sent().endswith(b"AT+STATE?\n")


def test_a_vanished_clients_half_line_is_never_sent():
    table = Table()
    table.client("a", b"AT+ENABLE=1")
    table.leave("a")
    table.client("b", b"AT\n")
    assert table.sent() == b"AT\n"


def test_a_restart_forgets_what_was_in_flight():
    table = Table()
    table.client("a", b"AT+RST\n")
    table.says(b"\n\nRDY\n\0")
    assert all(b"RDY" in table.got[name] for name in (COMPANION, *ALL))
    table.companion(b"AT\n")
    assert table.sent() == b"AT+RST\nAT\n"


def subscribe(table: Table, who: str, line: bytes) -> bytes:
    if who == COMPANION:
        table.companion(line)
    else:
        table.client(who, line)
    sent = table.sent()
    table.says(b"\nOK\n")
    return sent


def test_a_vanished_clients_subscriptions_end_with_it():
    table = Table()
    subscribe(table, "a", b'AT+SUB="+STATE",500\n')
    table.leave("a")
    assert table.sent() == b'AT+UNSUB="+STATE"\n'


def test_what_another_still_wants_goes_on():
    table = Table()
    assert subscribe(table, COMPANION, b'AT+SUB="+STATE",250\n') == b'AT+SUB="+STATE",250\n'
    assert subscribe(table, "a", b'AT+SUB="+STATE",1000\n') == b'AT+SUB="+STATE",250\n'
    assert subscribe(table, "a", b'AT+SUB="+STATE",100\n') == b'AT+SUB="+STATE",100\n'
    assert subscribe(table, "a", b'AT+UNSUB="+STATE"\n') == b'AT+SUB="+STATE",250\n'
    assert subscribe(table, "a", b'AT+UNSUB=""\n') == b"AT\n"
    assert subscribe(table, COMPANION, b'AT+UNSUB=""\n') == b'AT+UNSUB=""\n', "the companion's bytes are its own"
    assert subscribe(table, "a", b'AT+UNSUB=""\n') == b'AT+UNSUB=""\n'


def test_an_endless_line_is_no_line():
    table = Table()
    table.client("a", b"x" * 5000)
    table.client("a", b"\nAT\n")
    assert table.sent() == b"AT\n"
    table.says(b"y" * 9000)
    assert len(table.got[COMPANION]) == 0 and table.got["watcher"] == b"y" * 9000

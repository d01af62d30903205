"""Faults on the link and in the charger, as ordered and no others."""

import pytest

from evse_host.simulator import Charger, Faults


class Link:
    """A client's view of a faulty charger."""

    def __init__(self, seed: int = 0) -> None:
        self.charger = Charger()
        self.faults = Faults(self.charger, seed)
        self.now = 0.0

    def send(self, data: bytes, seconds: float = 0.05) -> bytes:
        self.faults.receive(data, self.now)
        return self.run(seconds)

    def run(self, seconds: float) -> bytes:
        self.now += seconds
        return self.faults.advance(self.now)


STATE = b"\n+STATE=0\n\nOK\n"


@pytest.fixture
def link():
    return Link()


def test_without_orders_nothing_goes_wrong(link):
    assert link.send(b"AT+STATE?\n") == STATE
    assert link.faults.next_event(link.now) == link.charger.next_event(link.now)


@pytest.mark.parametrize("kind", ["drop", "flip", "duplicate"])
def test_byte_faults_are_the_same_for_the_same_seed(kind):
    def received(seed):
        link = Link(seed)
        getattr(link.faults.to_client, kind)  # exists
        setattr(link.faults.to_client, kind, 0.2)
        return b"".join(link.send(b"AT+CHIP?\n") for _ in range(10))

    clean = b'\n+CHIP="esp32s3",2,2\n\nOK\n' * 10
    assert received(1) == received(1) != received(2)
    assert received(1) != clean
    assert (len(received(1)) - len(clean)) * {"drop": -1, "flip": 0, "duplicate": 1}[kind] >= 0


def test_byte_faults_towards_the_charger(link):
    link.faults.drop(1.0)
    assert link.send(b"AT+STATE?\n") == b""
    link.faults.drop(0.0)
    assert link.send(b"AT+STATE?\n") == STATE
    link.faults.to_charger.duplicate = 1.0
    assert link.send(b"AT+STATE?\n") == b"\nERROR\n"


def test_noise_spoils_one_line(link):
    link.faults.noise(20)
    burst = link.run(0.01)
    assert len(burst) >= 20
    link.send(b"~\n", 0.5)
    assert link.send(b"AT+STATE?\n") == STATE


def test_nuls_spoil_the_next_command(link):
    link.faults.nuls(3)
    assert link.send(b"AT+STATE?\n") == b"\0\0\0\nERROR\n"


def test_cut_glued_and_long_lines(link):
    link.faults.cut_line(4)
    assert link.send(b"AT+STATE?\n") == b"\n+STA\nOK\n"
    link.faults.glue_lines()
    assert link.send(b"AT+STATE?\n") == b"\n+STATE=0\nOK\n"
    link.faults.long_line(300)
    assert link.run(0.01) == b"\n+" + b"X" * 299 + b"\n"
    link.faults.to_client_now(b"\n+STATE=8\n")
    assert link.send(b"AT+STATE?\n") == b"\n+STATE=8\n" + STATE


def test_late_answers_keep_the_charger_busy(link):
    link.faults.late_answer(3.0)
    assert link.send(b"AT+STATE?\n", 2.9) == b""
    assert link.send(b"AT\n", 0.2) == STATE + b"\nOK\n"


def test_answer_faults_wait_for_their_command(link):
    link.faults.missing_answer("CHCUR", count=2)
    assert link.send(b"AT+STATE?\n") == STATE
    assert link.send(b"AT+CHCUR=70\n") == b""
    assert link.charger.value("CHCUR") == (70,)
    assert link.send(b"AT+CHCUR?\n") == b""
    assert link.send(b"AT+CHCUR?\n") == b"\n+CHCUR=70\n\nOK\n"


def test_error_after_an_applied_value(link):
    link.faults.error_after_apply("CHCUR")
    assert link.send(b"AT+CHCUR=70\n") == b"\nERROR\n"
    assert link.charger.value("CHCUR") == (70,)


def test_an_error_can_come_twice(link):
    link.faults.double_error()
    assert link.send(b"AT+CHCUR=70\r\n") == b"\r\nERROR\r\n\r\nERROR\r\n"


def test_what_was_sent_into_a_silence_is_lost_and_pushes_go_on(link):
    link.send(b'AT+SUB="+ERROR",0\n')
    link.faults.silence(5)
    assert link.send(b"AT+CHCUR=70\n", 4.9) == b""
    assert link.run(0.5).startswith(b"\n+ERROR=0\n")
    assert link.charger.value("CHCUR") == (320,)


def test_cable_out_and_in(link):
    link.faults.cable_out()
    assert link.send(b"AT+CHCUR=70\n", 60) == b""
    link.faults.cable_in()
    assert link.send(b"AT+CHCUR?\n") == b"\n+CHCUR=320\n\nOK\n"


@pytest.mark.parametrize(("seen", "emitted"), [(True, b"\n\nRDY\n\0"), (False, b"")])
def test_a_reboot_may_be_seen_or_missed_and_forgets_the_current(link, seen, emitted):
    link.send(b"AT+CHCUR=70\n")
    link.faults.reboot(rdy_seen=seen)
    assert link.run(3) == emitted
    assert link.send(b"AT+CHCUR?\n") == b"\n+CHCUR=320\n\nOK\n"


def test_what_others_do_to_the_charger(link):
    link.send(b'AT+SUB="+ERROR",0\n')
    link.faults.lose_subscriptions()
    assert link.run(2) == b""
    link.faults.change_setting("CHCUR", 100)
    assert link.send(b"AT+CHCUR?\n") == b"\n+CHCUR=100\n\nOK\n"
    link.faults.echo_on()
    assert link.send(b"AT\n") == b"AT\n\nOK\n"

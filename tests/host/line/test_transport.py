"""A port that is lost, and a computer that stood still."""

from __future__ import annotations

import os
import time

import pytest
import serial

from evse_host.errors import PortError
from evse_host.line import transport


@pytest.fixture
def charger():
    """The other end of a line, and its port's name."""
    master, slave = os.openpty()
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


def test_a_computer_that_stood_still_while_it_wrote_has_lost_no_port(charger, monkeypatch):
    clock = iter(range(0, 1000, 100))  # s: between any two looks much time has passed
    with transport.open_port(charger[1]) as port:
        monkeypatch.setattr(serial.serialutil.Timeout, "TIME", lambda *_: next(clock))
        port.write(b"~\n")
    assert os.read(charger[0], 10) == b"~\n"


def test_a_port_that_takes_nothing_any_more_is_lost(charger, monkeypatch):
    monkeypatch.setattr(transport, "WRITE_TIMEOUT_S", 0.05)
    with transport.open_port(charger[1]) as port, pytest.raises(PortError, match="lost"):
        began = time.monotonic()
        while time.monotonic() - began < 20:  # nobody reads at the other end
            port.write(b"x" * 4096)

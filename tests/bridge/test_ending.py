"""A signal ends a program whatever its threads are doing."""

from __future__ import annotations

import subprocess
import sys

import pytest

IN_EVERY_MOMENT = """
import random, signal
from evse_host.bridge.ending import Ending
dice = random.Random(1)
for _ in range(1000):
    ended = Ending()
    signal.signal(signal.SIGALRM, lambda *_: ended.set())
    signal.setitimer(signal.ITIMER_REAL, dice.uniform(1e-5, 3e-4))
    while not ended.wait(0):
        pass
assert ended.wait() and ended.wait(), "it stays told"
"""
IN_ANOTHER_THREAD = """
import signal, threading, time
from evse_host.bridge.ending import Ending
ended = Ending()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
thread = threading.Timer(0.2, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM))
thread.start()
assert ended.wait()
"""


@pytest.mark.parametrize("program", [IN_EVERY_MOMENT, IN_ANOTHER_THREAD])
def test_a_signal_is_heard(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")

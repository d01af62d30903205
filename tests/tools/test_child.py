"""What a command of the workshop has started ends with it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tools.build import node

PROGRAM = """
import signal
from tools.run import child
signal.signal(signal.SIGTERM, signal.default_int_handler)  # as `python -m tools` does
signal.signal(signal.SIGINT, signal.default_int_handler)
child.run(["sh", "-c", "sh -c 'echo it is there; exec sleep 100' & wait"])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_leaves_no_grandchild(number):
    with subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=node.ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as command:  # fmt: skip
        command.stdout.readline()
        command.send_signal(number)
        command.communicate(timeout=60)  # the pipe is open as long as it lives; who is dead may long be a zombie
        assert command.returncode != 0


TALKS = """
import signal, subprocess, sys
from tools.run import child
signal.signal(signal.SIGTERM, signal.default_int_handler)
words = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit('x' * 1_000_000)); "
words += "print('it is there', flush=True); signal.pause()"
child.run([sys.executable, "-c", words], stderr=subprocess.PIPE)
"""


def test_who_says_much_when_it_is_interrupted_holds_nobody_up():
    with subprocess.Popen([sys.executable, "-c", TALKS], cwd=node.ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as command:  # fmt: skip
        command.stdout.readline()
        command.send_signal(signal.SIGTERM)
        try:
            assert command.wait(20) != 0
        finally:
            command.kill()

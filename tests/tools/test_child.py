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


STARTS_SLOWLY = """
import os, signal, subprocess
start = subprocess.Popen._execute_child
came, comes = os.pipe()
os.set_blocking(comes, False)
signal.set_wakeup_fd(comes)
def start_and_be_interrupted(*arguments):
    start(*arguments)
    os.read(came, 1)  # as on a computer with much to do: the child runs, and its parent knows nothing of it yet
subprocess.Popen._execute_child = start_and_be_interrupted
"""


def test_who_is_interrupted_while_a_child_starts_does_not_forget_it():
    with subprocess.Popen([sys.executable, "-c", STARTS_SLOWLY + PROGRAM], cwd=node.ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as command:  # fmt: skip
        command.stdout.readline()
        command.send_signal(signal.SIGTERM)
        command.communicate(timeout=20)
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

"""`evse-host shell` as a person and as a script see it: the installed command, in a terminal and on a pipe."""

import json
import signal
import subprocess
import termios

import pexpect
import pytest

from evse_host.simulator import Charger, Faults, PtyServer
from evse_host.simulator.journal import LIST_SUBSCRIPTION, SERIAL_ACCESS
from tests.host.commands import COMMAND, environment, run

PROMPT = "evse>"


@pytest.fixture
def terminal_environment(tmp_path):
    return environment(XDG_STATE_HOME=str(tmp_path), TERM="xterm", NO_COLOR="1", PROMPT_TOOLKIT_NO_CPR="1")


@pytest.fixture
def spawn(terminal_environment):
    """Starts the shell in a terminal of 40 lines and 120 columns; it is killed at the end."""
    terminals = []

    def start(server, *arguments):
        terminal = pexpect.spawn(
            str(COMMAND), ["--port", server.path, *arguments, "shell"], env=terminal_environment, dimensions=(40, 120),
            encoding="utf-8", timeout=30,
        )  # fmt: skip
        terminals.append(terminal)
        return terminal

    yield start
    for terminal in terminals:
        terminal.kill(signal.SIGKILL)
        terminal.wait()
        terminal.close()


def pipe(server, text, *arguments):
    """Runs the shell on a pipe."""
    return run("--port", server.path, *arguments, "shell", input=text)


def type_line(terminal, line):
    terminal.expect(PROMPT)
    terminal.send(line + "\r")


def end(terminal):
    """Presses Ctrl-D until it has gone: what is pressed just before a new prompt is lost."""
    terminal.expect(PROMPT)
    for _ in range(10):
        terminal.sendeof()
        if terminal.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=3) == 0:
            break


def leave(terminal):
    end(terminal)
    return terminal.wait()


# --- in a terminal ----------------------------------------------------------------------------------------------------


def test_a_command_is_answered_with_its_meaning(start_charger, spawn):
    terminal = spawn(start_charger())
    type_line(terminal, "AT+CHCUR?")
    terminal.expect(r"\+CHCUR=320 +charging_current 32 A\r\nOK +[0-9.]+ ms")
    assert leave(terminal) == 0


def test_the_terminal_is_left_as_it_was(start_charger, spawn):
    terminal = spawn(start_charger())
    end(terminal)
    cooked = termios.ICANON | termios.ECHO | termios.ISIG
    assert termios.tcgetattr(terminal.child_fd)[3] & cooked == cooked


def test_tab_completes_commands_and_values(start_charger, spawn):
    server = start_charger()
    terminal = spawn(server)
    terminal.expect(PROMPT)
    terminal.send("AT+MAXCHCUR=\t")
    terminal.expect("least, A")
    terminal.send("\t\t")  # the second value: the largest
    terminal.expect("63")
    terminal.send("\r")
    terminal.expect("OK")
    assert server.charger.journal.writes() == ["AT+MAXCHCUR=63"]
    terminal.expect(PROMPT)
    terminal.send("AT+DEVN")
    terminal.expect("Name of the board")  # the menu
    terminal.send("\t")
    terminal.expect(r"AME\?")
    terminal.send("\r")
    terminal.expect(r'\+DEVNAME="Simulated EVSE"')


def test_help_stands_below_the_line(start_charger, spawn, terminal_environment):
    del terminal_environment["PROMPT_TOOLKIT_NO_CPR"]
    terminal = spawn(start_charger())
    terminal.expect_exact("\x1b[6n")  # where is the cursor?
    terminal.send("\x1b[5;1R")
    terminal.send("AT+CHCUR=")
    terminal.expect_exact("A/10 | Charging current; DEFCHCUR")


def test_pushes_appear_while_a_line_is_typed(start_charger, spawn):
    server = start_charger()
    terminal = spawn(server)
    type_line(terminal, 'AT+SUB="+STATE",260')
    terminal.expect("OK +[0-9.]+ ms")
    terminal.expect(PROMPT)
    terminal.send("AT+CHC")  # begun, and not sent
    server.call(lambda charger: charger.car.plug(wants_charge=False))
    terminal.expect(r"<< \d\d:\d\d:\d\d\.\d{3} +\+STATE=2 +state B2")
    terminal.send("UR?\r")
    terminal.expect(r"\+CHCUR=320")
    assert leave(terminal) == 0
    assert server.charger.subscriptions == []


def test_danger_is_refused_until_it_is_forced(start_charger, spawn):
    server = start_charger()
    terminal = spawn(server)
    type_line(terminal, "AT+SERIAL0?")
    terminal.expect("not sent: SERIAL0: reading it can crash the charger.*put ! in front")
    assert server.charger.journal.violations == []
    type_line(terminal, "!AT+SERIAL0?")
    server.wait_for(lambda charger: charger.journal.violations)
    assert [violation.kind for violation in server.charger.journal.violations] == [SERIAL_ACCESS]


def test_ctrl_c_discards_the_line_and_interrupts_a_command(start_charger, spawn):
    server = start_charger()
    terminal = spawn(server)
    terminal.expect(PROMPT)
    terminal.send("AT+MAXCHCUR=6\x03")
    type_line(terminal, "AT+WIFIAPSCAN")
    server.wait_for(lambda charger: "AT+WIFIAPSCAN" in charger.journal.commands)
    terminal.sendintr()
    terminal.expect("interrupted: it may have been executed or not")
    type_line(terminal, "AT+STATE?")
    terminal.expect(r"\+STATE=0")
    assert server.charger.journal.writes() == []


def test_the_history_is_kept_without_passwords(start_charger, spawn, tmp_path):
    server = start_charger()
    terminal = spawn(server)
    for line in ("AT+STATE?", 'AT+WIFISTACFG=1,"home","correct horse"', "set WIFISTACFG 1 home correct"):
        type_line(terminal, line)
        terminal.expect(["OK +[0-9.]+ ms", "WIFISTACFG +1"])
    leave(terminal)
    history = tmp_path / "evse-host" / "history"
    assert history.stat().st_mode & 0o777 == 0o600
    text = history.read_text()
    assert "+AT+STATE?" in text and "WIFISTACFG" not in text  # called back, *** would be written as the password
    again = spawn(server)
    again.expect(PROMPT)
    again.send("\x1b[A\r")
    again.expect("STATE=0")


def test_a_vanishing_port_ends_it_in_one_line(spawn):
    with PtyServer(Charger()) as server:
        terminal = spawn(server)
        terminal.expect(PROMPT)
    terminal.expect(r"evse-host: port .*: lost")
    terminal.expect(pexpect.EOF)
    assert terminal.wait() == 3
    assert "Traceback" not in (terminal.before or "")


def test_a_silent_charger_does_not_end_it(spawn, start_charger):
    charger = Charger()
    server = start_charger(charger, faults=Faults(charger))
    server.inject(lambda faults: faults.cable_out())
    terminal = spawn(server, "--timeout", "0.5")
    terminal.expect(r"the charger does not answer: .*evse-host doctor")
    server.inject(lambda faults: faults.cable_in())
    type_line(terminal, "AT+STATE?")
    terminal.expect(r"\+STATE=0")


# --- on a pipe --------------------------------------------------------------------------------------------------------


def test_lines_from_a_pipe_are_answered_one_by_one(start_charger):
    done = pipe(start_charger(), "# a comment\n\nAT+STATE?\nget charging_current\n")
    assert done.code == 0 and done.err == ""
    lines = done.out.splitlines()
    assert lines[2:4] == ["> AT+STATE?", "+STATE=0                state A"]
    assert lines[-1] == "charging_current  32 A"


def test_a_refused_line_does_not_stop_the_others_but_shows_in_the_exit_code(start_charger):
    server = start_charger()
    done = pipe(server, 'AT+SUB="+SERIALS",1000\nAT+CHCUR=9999\nAT+CHCUR=160\n')
    assert done.code == 5
    assert "not sent: SERIALS: subscribing to it hangs the charger" in done.err
    assert "not sent: CHCUR: 9999 is out of range, 60 to 630 A/10 are allowed" in done.err
    assert server.charger.journal.writes() == ["AT+CHCUR=160"]
    assert LIST_SUBSCRIPTION not in [violation.kind for violation in server.charger.journal.violations]


def test_piped_commands_are_answered_as_lines_of_json(start_charger):
    done = pipe(start_charger(), 'AT+STATE?\nAT+SUB="+UPTIME",260\nwait 0.8\nAT+NOSUCH?\n', "--json")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert found[0]["answer"]["values"] == {"STATE": [0]}
    assert {"push"} in [set(each) for each in found]
    assert found[-1]["answer"]["ok"] is False and done.code == 5


def test_what_was_subscribed_is_given_up_at_the_end(start_charger):
    server = start_charger()
    pipe(server, 'AT+SUB="+STATE",260\nATE1\n')
    assert server.charger.subscriptions == [] and server.charger.echo is False


def test_a_silent_charger_stops_a_script(start_charger):
    charger = Charger()
    server = start_charger(charger, faults=Faults(charger))
    server.inject(lambda faults: faults.cable_out())
    done = pipe(server, "AT+STATE?\nAT+CHCUR?\n", "--timeout", "0.5")
    assert done.code == 4 and done.out == "> AT+STATE?\n"
    assert done.err.startswith("evse-host: the charger does not answer") and done.err.count("\n") == 1


@pytest.fixture
def script(start_charger, terminal_environment):
    """A shell whose input stays open, and its charger."""
    server = start_charger()
    with subprocess.Popen(
        [COMMAND, "--port", server.path, "shell"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=terminal_environment,
    ) as shell:  # fmt: skip
        yield server, shell
        shell.kill()


def test_ctrl_c_ends_a_script_tidily(script):
    server, shell = script
    shell.stdin.write('AT+SUB="+STATE",260\n')
    shell.stdin.flush()
    server.wait_for(lambda charger: charger.subscriptions)
    shell.send_signal(signal.SIGINT)
    assert shell.wait(20) == 130 and shell.stderr.read() == ""
    assert server.charger.subscriptions == []


def test_pushes_come_while_a_script_pauses(script):
    server, shell = script
    shell.stdin.write('AT+SUB="+STATE",260\n')
    shell.stdin.flush()
    lines = iter(shell.stdout.readline, "")
    assert next(line for line in lines if line.startswith("<<")).endswith("+STATE=0                state A\n")
    shell.stdin.write("quit\n")
    shell.stdin.flush()
    assert shell.wait(20) == 0 and shell.stderr.read() == ""
    assert server.charger.subscriptions == []


def test_a_reader_that_has_enough_ends_it(script):
    server, shell = script
    shell.stdin.write('AT+SUB="+STATE",260\n')
    shell.stdin.flush()
    server.wait_for(lambda charger: charger.subscriptions)
    shell.stdout.close()
    assert shell.wait(20) == 1 and shell.stderr.read() == ""
    assert server.charger.subscriptions == []

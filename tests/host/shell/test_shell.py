"""The shell without its terminal: completion, help, what is refused, and which lines are answers."""

import datetime
import json
import queue

import pytest

from evse_host.catalog import COMMANDS
from evse_host.cli.shell import CHUNK, MAX_LINE, _read_input, run_lines
from evse_host.errors import NoAnswerError, RefusedError, UsageError
from evse_host.line.client import Evse
from evse_host.shell.help import help_text, hint, suggestions, understand
from evse_host.shell.shell import JsonOutput, Leave, Shell, TextOutput, explain, split_answer
from evse_host.simulator import Charger, PtyServer
from evse_host.wire.codec import Value
from evse_host.wire.protocol import Answer, Outcome, Request


def lines_of(found):
    return [suggestion.line for suggestion in found]


# --- what a line means ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "form"),
    [
        ("AT+CHCUR?", "CHCUR", "?"),
        ("at+chcur=160", "CHCUR", "="),
        ("!AT+EN=1", "ENABLE", "="),
        ("AT+STATE=?", "STATE", "=?"),
        ("AT+TEMP?", "TEMP", "?"),  # exact, though TEMPSENSOR begins with it
        ("AT+AUTH", "AUTH", ""),
        ("AT+EMETER", "EMETER", ""),
    ],
)
def test_the_command_that_the_charger_takes_a_line_for(text, name, form):
    command, found = understand(text)
    assert (command.name, found) == (name, form)


@pytest.mark.parametrize("text", ["AT", "ATE1", "AT+WIFI?", "AT+NOSUCH?", "get state", ""])
def test_a_line_without_one_command_is_none(text):
    assert understand(text)[0] is None


# --- completion -------------------------------------------------------------------------------------------------------


def test_commands_are_offered_in_their_forms():
    assert lines_of(suggestions("AT+CHCU")) == ["AT+CHCUR?", "AT+CHCUR="]
    assert lines_of(suggestions("at+aut")) == ["AT+AUTH"]
    assert lines_of(suggestions("chcu")) == ["AT+CHCUR?", "AT+CHCUR="]
    assert lines_of(suggestions("!AT+SERIAL0")) == ["!AT+SERIAL0?", "!AT+SERIAL0="]


def test_nothing_typed_offers_everything():
    offered = lines_of(suggestions(""))
    assert {"get ", "quit"} <= set(offered)
    assert all(any(line.startswith(f"AT+{command.name}") for line in offered) for command in COMMANDS)


def test_danger_is_said_beside_the_command():
    assert all(found.meta.startswith("DANGER: reading it can crash") for found in suggestions("AT+SERIAL0"))


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("AT+ENABLE=", ["AT+ENABLE=0", "AT+ENABLE=1"]),
        ("AT+CHCUR=", ["AT+CHCUR=60", "AT+CHCUR=630"]),
        ("AT+EMETERMODE=", ["AT+EMETERMODE=0", "AT+EMETERMODE=1", "AT+EMETERMODE=2"]),
        ('AT+TZ="Europe/Ber', ['AT+TZ="Europe/Berlin"']),
        ('AT+SUB="+CHC', ['AT+SUB="+CHCUR",']),
        ('AT+SUB="+CHCUR",1', ['AT+SUB="+CHCUR",1000']),
        ('AT+UNSUB="', ['AT+UNSUB="+STATE"', 'AT+UNSUB=""']),
        ("AT+WIFISTACFG=", ["AT+WIFISTACFG=0", "AT+WIFISTACFG=1"]),
        ("AT+WIFISTACFG=1,", ['AT+WIFISTACFG=1,"']),
        ("AT+STATE=", []),  # read only
        ("AT+CHCUR=160,", []),
        ("set enable o", ["set enable on", "set enable off"]),
        ("set charging_current ", ["set charging_current 6", "set charging_current 63"]),
        ("get charging_curr", ["get charging_current"]),
        ("get state enab", ["get state enable"]),
        ("set stat", []),
        ("nonsense", []),
    ],
)
def test_the_tab_key_offers_what_may_follow(typed, offered):
    assert lines_of(suggestions(typed, ["STATE"]))[:3] == offered


def test_lists_are_not_offered_for_subscription():
    assert not [line for line in lines_of(suggestions('AT+SUB="')) if "SERIAL" in line or "AUX" in line]


# --- help -------------------------------------------------------------------------------------------------------------


def test_help_for_one_command():
    text = help_text("chcur")
    assert "AT+CHCUR?  AT+CHCUR=" in text and "60 to 630 A/10" in text and "charging_current" in text
    assert help_text("charging_current") == help_text("AT+CHCUR") == text


def test_help_names_flash_firmware_and_danger():
    assert "flash" in help_text("TZ") and "v2.1.1" in help_text("TZ")
    assert "danger    reading it can crash" in help_text("SERIAL0")


def test_help_lists_everything():
    text = help_text()
    assert all(f"AT+{command.name}" in text for command in COMMANDS)
    assert help_text("nosuch") == ""


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("", "Tab completes"),
        ("AT+CHCUR=1", "CHCUR: read, write | value: 60 to 630 A/10"),
        ("AT+AUTH", "AUTH: run | Grant authorization"),
        ("set ", "set NAME VALUE..."),
        ("set charging_current 1", "6 to 63 A"),
        ("get state", "read only"),
        ("set enable", "on or off"),
    ],
)
def test_the_hint_below_the_line(typed, shown):
    assert shown in hint(typed)


@pytest.mark.parametrize("typed", ["AT+NOSUCH", "???", "\x00", "AT+" + "X" * 500, "set x y", "wait x"])
def test_odd_lines_do_no_harm(typed):
    assert isinstance(hint(typed), str) and isinstance(suggestions(typed), list)


# --- answers and pushes -----------------------------------------------------------------------------------------------


def answer(line, *values, more=()):
    texts = tuple(value.text for value in values)
    return Answer(Request(line), Outcome.OK, values, (*texts, *more), 0.005)


def value(name, *fields):
    return Value(name, fields, f"+{name}=" + ",".join(map(str, fields)))


def test_pushes_before_an_answer_are_not_of_it():
    push, own = value("UPTIME", 5), value("STATE", 0)
    assert split_answer("AT+STATE?", answer("AT+STATE?", push, own)) == (["+STATE=0"], [push])


def test_a_push_of_the_value_that_is_asked_for_comes_first():
    push, own = value("STATE", 0), value("STATE", 1)
    assert split_answer("at+stat?", answer("at+stat?", push, own)) == (["+STATE=1"], [push])
    same = value("STATE", 1)
    assert split_answer("AT+STATE?", answer("AT+STATE?", same, own))[0] == ["+STATE=1"]


def test_a_write_is_answered_by_no_value():
    push = value("CHCUR", 160)
    assert split_answer("AT+CHCUR=60", answer("AT+CHCUR=60", push)) == ([], [push])


def test_all_lines_of_a_list_are_its_answer():
    rows = [Value("SERIALS", (1, "A"), '+SERIALS=1,"A"'), Value("SERIALS", (2, "B"), '+SERIALS=2,"B"')]
    assert split_answer("AT+SERIALS?", answer("AT+SERIALS?", *rows)) == ([row.text for row in rows], [])


def test_other_lines_belong_to_the_answer():
    assert split_answer("AT+CMD", answer("AT+CMD", more=("AT+VER?", "AT+VER=?")))[0] == ["AT+VER?", "AT+VER=?"]


@pytest.mark.parametrize(
    ("shown", "meaning"),
    [
        (value("CHCUR", 165), "charging_current 16.5 A"),
        (value("STATE", 4), "state C2"),
        (value("ERROR", 0), "no fault"),
        (value("ERROR", 5), "Control pilot, Socket lock"),
        (value("EMETERCURRENT", 16000, 0, 0), "current_l1 16 A, current_l2 0 A, current_l3 0 A"),
        (value("LIMREACH", 1), "charging_limit_reached on"),
    ],
)
def test_each_value_is_explained_in_words(shown, meaning):
    assert explain(shown) == meaning


# --- what is done -----------------------------------------------------------------------------------------------------


@pytest.fixture
def server():
    with PtyServer(Charger()) as server:
        yield server


@pytest.fixture
def shell(server):
    with Evse.open(server.path, timeout=1) as evse:
        now = datetime.datetime(2026, 11, 22, 20, 0, 0, 250_000)
        yield Shell(evse, TextOutput(terminal=True, color=False, now=lambda: now))


def test_answers_are_shown_with_their_meaning(shell, capsys):
    assert shell.execute("AT+CHCUR?") == 0
    assert capsys.readouterr().out.startswith("+CHCUR=320              charging_current 32 A\nOK  ")


def test_an_error_says_that_the_value_may_have_been_taken(shell, capsys):
    assert shell.execute("AT+CHCUR=160,junk") == RefusedError.exit_code
    shown = capsys.readouterr().out
    assert "ERROR" in shown and "AT+CHCUR? shows it" in shown


def test_an_abbreviation_is_named(shell, capsys):
    shell.execute("AT+CHCU?")
    shown = capsys.readouterr().out
    assert "the charger takes it for CHCUR" in shown and "+CHCUR=320" in shown and "<<" not in shown


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ('AT+SUB="+SERIALS",1000', RefusedError, "hangs the charger until a power cycle; put ! in front"),
        ('at+sub="+auxin",1000', RefusedError, "hangs the charger"),
        ("AT+SERIAL1?", RefusedError, "can crash the charger"),
        ("AT+SER?", RefusedError, "put ! in front"),
        ("AT+CHCUR=9999", UsageError, "60 to 630 A/10 are allowed; put ! in front"),
        ("AT+UNDERPOWERLIM=70000", UsageError, "0 to 65535 W"),
        ("AT+STATE?\x0bAT+RST", UsageError, "one line without control characters"),
        ("charge", UsageError, "AT commands begin with AT+"),
        ("set charging_current 99", UsageError, "6 to 63 A"),
        ("set charging_current", UsageError, "give a name and a value"),
        ("set hostname 'open", UsageError, "no closing quotation"),
        ("get nothing", UsageError, "no such value"),
        ("get", UsageError, "name a value"),
        ("get AUTH", UsageError, "no such value"),
        ("get SERIAL0", RefusedError, "can crash"),
        ("help nosuch", UsageError, "unknown"),
        ("wait soon", UsageError, "give the seconds"),
    ],
)
def test_a_line_that_is_refused_sends_nothing(server, shell, line, error, message):
    with pytest.raises(error) as caught:
        shell.execute(line)
    assert message in str(caught.value)
    assert server.charger.journal.entries == []


def test_force_sends_it_nevertheless(server, shell):
    assert shell.execute("!AT+CHCUR=9999") == RefusedError.exit_code
    assert server.charger.journal.writes() == ["AT+CHCUR=9999"]


def test_get_and_set_in_human_units(server, shell, capsys):
    shell.execute("set charging_current 16.5")
    shell.execute("get charging_current STATE")
    assert capsys.readouterr().out.splitlines() == [
        "charging_current  16.5 A", "charging_current  16.5 A", "STATE             0 (A)",
    ]  # fmt: skip
    assert server.charger.value("CHCUR") == (165,)


def test_pushes_are_shown_apart(server, shell, capsys):
    shell.execute('AT+SUB="+STATE",260')
    shell.execute("wait 0.6")
    assert "<< 20:00:00.250  +STATE=0                state A\n" in capsys.readouterr().out


def test_a_restart_is_shown(server, shell, capsys):
    shell.execute("AT+STATE?")
    server.call(lambda charger: charger.reboot(charger.now))
    shell.execute("wait 3")
    assert "the charger has restarted" in capsys.readouterr().out


def test_answers_can_be_json_and_hide_passwords(server, capsys):
    with Evse.open(server.path) as evse:
        shell = Shell(evse, JsonOutput())
        shell.execute('AT+WIFISTACFG=1,"home","secret"')
        shell.execute("get charging_current")
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["answer"]["command"] == 'AT+WIFISTACFG=1,"home","***"' and first["answer"]["ok"]
    assert second == {"values": {"charging_current": 32.0}}


# --- scripts ----------------------------------------------------------------------------------------------------------


class Script:
    """A shell that does what its lines say."""

    def __init__(self):
        self.done, self.listened = [], 0

    def listen(self, seconds):
        self.listened += 1

    def execute(self, line):
        self.done.append(line)
        if line == "quit":
            raise Leave
        if line == "silent":
            raise NoAnswerError("silent")
        if line == "wrong":
            raise UsageError("wrong")
        return 5 if line == "refused" else 0


def run_script(*lines):
    script = Script()
    return run_lines(script, TextOutput(terminal=False, color=False), iter(lines)), script


def test_the_first_failure_decides_and_the_rest_is_executed():
    code, script = run_script("good", "refused", "wrong", "good")
    assert code == 5 and script.done == ["good", "refused", "wrong", "good"]


def test_errors_go_to_stderr(capsys):
    assert run_script("wrong")[0] == 2
    assert capsys.readouterr().err == "wrong\n"


def test_quit_ends_a_script():
    assert run_script("good", "quit", "wrong")[1].done == ["good", "quit"]


def test_pushes_are_looked_for_while_there_is_no_line():
    assert run_script(None, "good", None)[1].listened == 2


def test_silence_ends_a_script():
    with pytest.raises(NoAnswerError):
        run_script("silent", "good")


def test_a_line_without_an_end_takes_no_memory(monkeypatch):
    """/dev/zero, or a file that is no script."""
    pieces = [b"x" * CHUNK] * 1000 + [b"\nAT\n", b""]
    monkeypatch.setattr("evse_host.cli.shell.os.read", lambda *_: pieces.pop(0))
    monkeypatch.setattr("sys.stdin", Terminal())
    lines = queue.Queue()
    _read_input(lines)
    first, *others = (lines.get_nowait() for _ in range(lines.qsize()))
    assert MAX_LINE <= len(first) <= MAX_LINE + CHUNK + 1
    assert others == ["AT\n", ""]


class Terminal:
    def fileno(self) -> int:
        return 0

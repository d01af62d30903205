"""A Wi-Fi password shows up in nothing that the host tool prints or keeps, however its line was mistyped."""

from __future__ import annotations

import itertools
import json
import stat
import subprocess
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evse_host import cli
from evse_host.cli.editor import DiscreetHistory
from evse_host.line import client
from evse_host.recordings.recording import Recorder
from evse_host.shell.help import discreet
from evse_host.simulator import Charger
from evse_host.wire import codec
from tests.host.commands import COMMAND, environment, run
from tests.security.lines import HARMLESS, MISPLACED, MISTYPED, RIGHT, SECRET, TYPED

WIRE = RIGHT | MISTYPED
EVERYTHING = WIRE | TYPED
#: No piece of the password may be left either.
PIECES = (SECRET, *SECRET.split()[:2])


def reveals(text: str) -> bool:
    return any(piece in text.lower() for piece in PIECES)


def cases(lines: dict[str, str]):
    return pytest.mark.parametrize("line", lines.values(), ids=lines.keys())


# --- one line ---------------------------------------------------------------------------------------------------------


@cases(WIRE)
def test_a_line_of_the_wire_is_shown_without_it(line: str) -> None:
    assert not reveals(codec.redact(line))
    assert "***" in codec.redact(line)


@cases(HARMLESS)
def test_what_holds_none_is_shown_as_it_is(line: str) -> None:
    assert codec.redact(line) == line


@cases(EVERYTHING | MISPLACED)
def test_a_typed_line_is_shown_without_it(line: str) -> None:
    assert not reveals(discreet(line))


@given(st.text(min_size=8, max_size=20, alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E)), st.data())
def test_no_password_survives_a_mistyped_name(password: str, data) -> None:
    """One letter of the name dropped, doubled, changed or moved, wherever."""
    name = list("AT+WIFISTACFG")
    at = data.draw(st.integers(3, len(name) - 1))
    change = data.draw(st.sampled_from(["drop", "double", "change", "swap"]))
    if change == "drop":
        del name[at]
    elif change == "double":
        name.insert(at, name[at])
    elif change == "change":
        name[at] = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_#"))
    else:
        name[at - 1 : at + 1] = reversed(name[at - 1 : at + 1])
    line = f"{''.join(name)}=1,{json.dumps('home')},{json.dumps(password)}"
    assert password not in codec.redact(line)
    assert password not in discreet(line)


# --- recordings -------------------------------------------------------------------------------------------------------


@given(st.sampled_from(sorted(WIRE.values())), st.lists(st.integers(0, 80), max_size=4), st.booleans(), st.booleans())
def test_no_recording_holds_it_in_whatever_pieces_it_comes(line: str, cuts: list[int], quiet: bool, echo: bool) -> None:
    data = codec.to_bytes(line) + b"\n"
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    recorder, entries, moment = Recorder(), [], 0
    for direction in (">", "<") if echo else (">",):
        for begin, end in itertools.pairwise(places):
            moment += 2_000_000
            entries += recorder.feed(direction, data[begin:end], moment)
            entries += recorder.advance(moment + 1_500_000) if quiet else []
    entries += recorder.feed("<", b"\nERROR\n", moment) + recorder.finish()
    assert not reveals("".join(codec.to_text(entry.data) for entry in entries))


ECHOES = {
    "cut by the first ERROR of an ambiguous name": (
        MISTYPED["too short to be one"],
        f'AT+WIFISTA=\nERROR\n1,"home","{SECRET}"\n\nERROR\n',
    ),
    "cut by a push, a byte lost": (RIGHT["the command"], f'AT+WIFI\n+STATE=0\nSTACFG1,"home","x{SECRET}"\n\nOK\n'),
}


@pytest.mark.parametrize(("line", "echo"), ECHOES.values(), ids=ECHOES.keys())
def test_no_echo_in_pieces_is_recorded(line: str, echo: str) -> None:
    recorder = Recorder()
    entries = recorder.feed(">", line.encode() + b"\n", 0) + recorder.feed("<", echo.encode(), 1) + recorder.finish()
    assert not reveals("".join(entry.text for entry in entries))


def test_other_lines_are_recorded_whole() -> None:
    data = "".join(f"{line}\n" for line in HARMLESS.values()).encode()
    recorder = Recorder()
    recorded = b"".join(entry.data for entry in recorder.feed(">", data, 0) + recorder.finish())
    assert recorded == data


# --- the shell --------------------------------------------------------------------------------------------------------


@cases(EVERYTHING | MISPLACED)
def test_the_history_does_not_hold_it(tmp_path, line: str) -> None:
    path = tmp_path / "state" / "history"
    history = DiscreetHistory(path)
    for text in ("AT+STATE?", line, "set charging_current 16", "get state", "help", "wait 10", "AT+CHCUR=160"):
        history.append_string(text)
    kept = path.read_text(errors="surrogateescape")
    assert not reveals(kept)
    assert kept.count("\n+") == 6  # all the others
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("options", [(), ("--json",), ("--verbose",)], ids=["text", "json", "verbose"])
def test_the_shell_never_prints_it(start_charger, options) -> None:
    """Echo on, so that the charger says everything again."""
    server = start_charger(baud_rate=None)
    lines = [line for name, line in EVERYTHING.items() if name != "noise before"]
    done = run("--port", server.path, *options, "shell", input="\n".join(["ATE1", *lines, "ATE1", *lines, ""]))
    assert done.code != 0  # most of them were refused
    assert not reveals(done.out), done.out
    assert not reveals(done.err), done.err
    sent = server.call(lambda charger: charger.journal.writes("WIFISTACFG"))
    assert sum(SECRET in line for line in sent) >= 2 * len(RIGHT)  # the right ones were sent


# --- the commands -----------------------------------------------------------------------------------------------------


SENT = [
    ("wifi", "connect", "home", "--no-wait"),
    ("set", "WIFISTACFG", "1", "home", SECRET),
    ("raw", RIGHT["the command"]),
    ("raw", RIGHT["shortened"]),
]
WRONG = [
    ("raw", MISTYPED["letter missing"]),
    ("raw", MISTYPED["no AT"]),
    ("raw", MISTYPED["colon"]),
    ("raw", MISTYPED["quote in the name not escaped"]),
    ("raw", RIGHT["the command"] + "\n"),
    ("raw", RIGHT["the command"] + "x" * 120),
    ("raw", "AT+EMETERC=" + RIGHT["the command"]),
    ("set", "WIFISTACFG", "1", "home", SECRET + "x" * 20),
    ("set", "WIFISTACFG", "1", "home", SECRET + "\n"),
    ("set", "WIFISTACFG", "1", "home", SECRET, SECRET),
    ("set", "WIFISTACF", "1", "home", SECRET),
    ("set", f"WIFISTACFG=1,home,{SECRET}", "1"),
]
FAULTS = {"refused": "error_after_apply", "silent": "missing_answer"}


def in_words(arguments: tuple[str, ...]) -> str:
    return " ".join(arguments)[:40].replace(SECRET, "...")


@pytest.mark.parametrize("arguments", SENT + WRONG, ids=in_words)
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_no_command_prints_it(start_charger, options, arguments) -> None:
    done = run_command(start_charger(baud_rate=None), *options, *arguments)
    assert (done.code == 0) == (arguments in SENT)


@pytest.mark.parametrize("arguments", SENT, ids=in_words)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_failure_prints_it(start_charger, fault, arguments, monkeypatch, capsys) -> None:
    monkeypatch.setattr(client, "SLOW_TIMEOUT_S", 1.0)  # of a raw command, 10 s else
    monkeypatch.setenv("EVSE_WIFI_PASSWORD", SECRET)
    server = start_charger(baud_rate=None)
    server.inject(lambda faults: getattr(faults, FAULTS[fault])("WIFISTACFG"))
    cli.run(["--port", server.path, "--timeout", "1", "--verbose", *arguments])
    shown = capsys.readouterr()
    assert "AT+WIFISTACF" in shown.err and not reveals(shown.out + shown.err)


def run_command(server, *arguments: str):
    options = ("--port", server.path, "--timeout", "1", "--verbose")
    done = run(*options, *arguments, env=environment(EVSE_WIFI_PASSWORD=SECRET))
    assert not reveals(done.out), done.out
    assert not reveals(done.err), done.err
    return done


def test_verbose_hides_an_echo_that_a_push_cut_in_two(capsys) -> None:
    from evse_host.cli.session import WireTrace

    trace = WireTrace()
    line = RIGHT["the command"].encode()
    half = line.index(SECRET.encode())
    trace(">", line + b"\n")
    trace("<", line[:half] + b"\n+STATE=0\n")
    trace("<", line[half:] + b"\nOK\n")
    shown = capsys.readouterr().err
    assert "+STATE=0" in shown and "***" in shown and not reveals(shown)


def test_a_backup_does_not_hold_it(start_charger, tmp_path) -> None:
    server = start_charger(baud_rate=None)
    server.call(lambda charger: charger.set("WIFISTACFG", 1, "home", SECRET))
    file = tmp_path / "backup.yaml"
    done = run("--port", server.path, "--verbose", "backup", str(file))
    assert done.code == 0 and '"home"' in file.read_text()
    assert not reveals(file.read_text() + done.out + done.err)


def test_a_restore_of_one_does_not_print_it(start_charger, tmp_path) -> None:
    server = start_charger(baud_rate=None)
    file = tmp_path / "backup.yaml"
    file.write_text(f"settings: {{WIFISTACFG: {{enabled: 1, ssid: home, password: {SECRET}}}}}")
    for options in ((), ("--json",)):
        done = run("--port", server.path, "--verbose", *options, "restore", "--yes", str(file))
        assert done.code == 0 and not reveals(done.out + done.err)
    assert f'AT+WIFISTACFG=1,"home","{SECRET}"' in server.call(lambda charger: charger.journal.writes())


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_the_view_and_the_recording_of_a_proxy_do_not_hold_it(start_charger, tmp_path, options) -> None:
    """A companion says every right and every mistyped line through it, the charger echoes them."""
    server = start_charger(Charger(), baud_rate=None)
    link, file = tmp_path / "companion", tmp_path / "session.txt"
    command = [COMMAND, "--port", server.path, *options, "proxy", "--link", str(link), "--record", str(file)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as proxy:
        shown: list[str] = []
        reader = threading.Thread(target=lambda: shown.extend(proxy.stdout), daemon=True)
        reader.start()
        assert "companion" in proxy.stderr.readline()
        results = _say_all(link, ["ATE1", *WIRE.values()])
        proxy.terminate()
        proxy.wait(10)
        reader.join(10)
    assert results == len(WIRE) + 1
    seen, kept = "".join(shown), file.read_text()
    assert "WIFISTACFG" in seen and "WIFISTACFG" in kept
    assert not reveals(seen), seen
    assert not reveals(kept), kept


def _say_all(link, lines: list[str]) -> int:
    """Sends the lines one by one through a terminal; how many of them got a result."""
    import serial

    results = 0
    with serial.Serial(str(link), timeout=5) as port:
        for line in lines:
            port.write(codec.to_bytes(line) + b"\n")
            answer = b""
            while not answer.endswith((b"\nOK\n", b"\nERROR\n")):
                more = port.read(1)
                if not more:
                    return results
                answer += more
            port.timeout = 0.05
            port.read(1000)  # an ambiguous name gets a second ERROR
            port.timeout = 5
            results += 1
    return results


def test_generate_makes_secrets_that_only_their_owner_reads(tmp_path) -> None:
    """And they stand in secrets.yaml alone: neither in the configuration nor on the terminal."""
    answers = ("--single-phase", "--no-temperature-sensor", "--no-socket-lock", "--no-proximity", "--meter", "none")
    done = run(
        "generate", "--board", "esp32dev", "--tx", "17", "--rx", "16", "--offline", *answers, "--no-check",
        cwd=tmp_path, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.code == 0, done.err
    file = tmp_path / "secrets.yaml"
    made = [line.partition(": ")[2].strip('"') for line in file.read_text().splitlines() if "REPLACE-ME" not in line]
    assert len(made) == 3 and all(len(secret) >= 16 for secret in made)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for secret in made:
        assert secret not in (tmp_path / "evse.yaml").read_text() + done.out + done.err

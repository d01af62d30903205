"""`evse-host backup` and `restore`: nothing is lost, nothing is written that need not be, and every failure is told."""

from __future__ import annotations

import datetime
import json
import sys

import pexpect
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from evse_host.catalog import COMMANDS
from evse_host.cli import run
from evse_host.files import backup as backups
from evse_host.files.backup import Backup, compare, format_backup, parse_backup
from evse_host.line.client import Evse
from evse_host.simulator import Charger

NOW = datetime.datetime(2026, 11, 22, 20, 0, tzinfo=datetime.UTC)
#: What stands on a wire: also bytes that are not UTF-8.
CHARACTERS = st.characters(exclude_categories=("Cc", "Cs")) | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
STORED = [command.name for command in backups.STORED]


@pytest.fixture
def served(start_charger, monkeypatch):
    """Makes a simulated charger the one that commands find; returns its server."""

    def serve(charger: Charger | None = None):
        server = start_charger(charger, baud_rate=None)
        monkeypatch.setenv("EVSE_PORT", server.path)
        return server

    return serve


def writes(charger: Charger) -> list[str]:
    """Names of all commands that wrote a setting, in order."""
    return [line.removeprefix("AT+").partition("=")[0] for line in charger.journal.writes()]


def save(tmp_path):
    file = tmp_path / "charger.yaml"
    assert run(["backup", str(file)]) == 0
    return file


# --- what is saved


def test_a_backup_holds_every_stored_setting_that_can_be_restored():
    left_out = {command.name for command in COMMANDS if command.stored} - set(STORED)
    assert left_out == {"EMETERTOTCONSUM", "SERIAL0", "SERIAL1"}


def test_a_backup_read_again_is_the_same(served):
    served()
    with Evse.open() as evse:
        saved = backups.read_charger(evse)
    assert list(saved.settings) == STORED
    again = parse_backup(format_backup(saved, NOW))
    assert again.charger == saved.charger == {"device_name": "Simulated EVSE", "version": "v2.2.0-dev"}
    assert again.settings == saved.settings | {"WIFISTACFG": saved.settings["WIFISTACFG"][:2]}
    assert compare(again, saved) == ([], [])


@pytest.mark.parametrize(
    "name",
    ["no", "1e3", "~", "", "# x", 'say "hi"', "back\\slash", " a: b ", "Grüße", "\U0001f50c", "caf\udce9", "{{", "'"],
)
def test_any_text_survives_the_file(name):
    saved = Backup({"device_name": name}, {"WIFISTACFG": (1, name, ""), "HOSTNAME": (name or "evse",)})
    again = parse_backup(format_backup(saved, NOW))
    assert again.charger == saved.charger
    assert again.settings == saved.settings | {"WIFISTACFG": (1, name)}


@given(st.text(CHARACTERS, min_size=1, max_size=31))
def test_whatever_text_a_charger_holds_survives_the_file(name):
    text = format_backup(Backup({"device_name": name}, {"TZ": (name[:7],)}), NOW)
    again = parse_backup(text)
    assert again.charger == {"device_name": name}
    assert again.settings == {"TZ": (name[:7],)}


def test_json_of_a_backup_can_be_restored_too(served, tmp_path, capsys):
    charger = served().charger
    assert run(["--json", "backup"]) == 0
    text = capsys.readouterr().out
    assert json.loads(text)["not_readable"] == ["WIFISTACFG password"]
    file = tmp_path / "backup.json"
    file.write_text(text)
    charger.set("HOSTNAME", "other")
    assert run(["restore", str(file), "--yes"]) == 0
    assert charger.value("HOSTNAME") == ("evse",)


def test_the_password_is_not_in_the_backup_and_it_says_so(served, capsys):
    served().charger.set("WIFISTACFG", 1, "home", "hunter2hunter2")
    assert run(["backup"]) == 0
    text = capsys.readouterr().out
    assert "hunter2" not in text
    assert "# password: the charger never shows it" in text
    assert yaml.safe_load(text)["settings"]["WIFISTACFG"] == {"enabled": 1, "ssid": "home"}


def test_a_backup_explains_its_values(served, capsys):
    charger = served().charger
    charger.set("MAXCHCUR", 20)
    charger.set("DEFCHTIMELIM", 5400)
    assert run(["backup"]) == 0
    text = capsys.readouterr().out
    assert "  MAXCHCUR: 20 # 20 A; Largest current of the installation\n" in text
    assert "  DEFCHTIMELIM: 5400 # 1.5 h; " in text


def test_what_older_firmware_lacks_is_named(served, capsys):
    served(Charger("v2.1.1"))
    assert run(["backup"]) == 0
    text = capsys.readouterr().out
    assert "  # TZ: this charger does not have it\n" in text
    assert "dns" not in yaml.safe_load(text)["settings"]["WIFISTASTATIC"]


def test_no_file_is_overwritten(served, tmp_path, capsys):
    served()
    file = tmp_path / "mine.yaml"
    file.write_text("mine")
    assert run(["backup", str(file)]) == 2
    assert file.read_text() == "mine"
    assert capsys.readouterr().err.count("\n") == 1


def test_a_backup_writes_nothing_to_the_charger(served):
    charger = served().charger
    assert run(["backup"]) == 0
    assert writes(charger) == []


# --- what is written


def test_only_what_differs_is_written(served, tmp_path, capsys):
    charger = served().charger
    file = save(tmp_path)
    charger.set("REQAUTH", 1)
    charger.set("WIFISTACFG", 1, "garage")
    capsys.readouterr()
    assert run(["restore", str(file), "--yes"]) == 0
    assert writes(charger) == ["REQAUTH", "WIFISTACFG"]
    assert charger.value("REQAUTH") == (0,)
    assert charger.value("WIFISTACFG")[:2] == (1, "home")
    out = capsys.readouterr().out
    assert 'REQAUTH: on -> off\nWIFISTACFG ssid: "garage" -> "home"\n' in out
    assert "keeps its Wi-Fi password" in out


def test_nothing_is_written_when_nothing_differs(served, tmp_path, capsys):
    charger = served().charger
    file = save(tmp_path)
    assert run(["restore", str(file), "--yes"]) == 0
    assert writes(charger) == []
    assert "nothing to write" in capsys.readouterr().out


def test_a_dry_run_shows_and_writes_nothing(served, tmp_path, capsys):
    charger = served().charger
    file = save(tmp_path)
    charger.set("HOSTNAME", "other")
    assert run(["restore", str(file), "--dry-run"]) == 0
    assert 'HOSTNAME: "other" -> "evse"' in capsys.readouterr().out
    assert writes(charger) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [((16, 160), (32, 320)), ((32, 320), (16, 160)), ((32, 320), (16, 320)), ((32, 300), (16, 320))],
)
def test_currents_are_restored_whichever_way_they_move(served, tmp_path, before, after):
    """DEFCHCUR must fit MAXCHCUR when it is written, but not afterwards."""
    charger = served().charger
    file = tmp_path / "backup.yaml"
    file.write_text(f"settings: {{MAXCHCUR: {after[0]}, DEFCHCUR: {after[1]}}}")
    charger.set("DEFCHCUR", before[1])
    charger.set("MAXCHCUR", before[0])
    assert run(["restore", str(file), "--yes"]) == 0
    assert (charger.value("MAXCHCUR"), charger.value("DEFCHCUR")) == ((after[0],), (after[1],))
    assert [entry for entry in charger.journal.entries if entry.command and entry.result == "ERROR"] == []
    assert writes(charger) == list(dict.fromkeys(writes(charger))), "nothing is tried twice"


EMPTY = (0, "", "", "", "")
USED = (1, "10.0.0.2", "10.0.0.1", "255.0.0.0", "10.0.0.1")
ZERO = (0, "0.0.0.0", "0.0.0.0", "0.0.0.0")


@pytest.mark.parametrize(
    ("firmware", "saved", "here", "afterwards"),
    [
        ("head", EMPTY, USED, EMPTY),
        ("head", USED, EMPTY, USED),
        ("head", EMPTY, EMPTY, EMPTY),
        ("v2.1.1", EMPTY[:4], USED[:4], ZERO),
        ("v2.1.1", ZERO, USED[:4], ZERO),
        ("v2.1.1", USED[:4], EMPTY[:4], USED[:4]),
        ("v2.1.1", EMPTY[:4], ZERO, ZERO),
    ],
)
def test_empty_addresses_are_restored(served, tmp_path, capsys, firmware, saved, here, afterwards):
    charger = served(Charger(firmware=firmware)).charger

    def becomes(row):
        charger.flash["static"] = [row[0], *(None if text == "" else text for text in row[1:]), None][:5]

    becomes(saved)
    file = save(tmp_path)
    becomes(here)
    charger.set("HOSTNAME", "other")
    assert run(["restore", str(file), "--yes"]) == 0, capsys.readouterr()
    assert charger.value("WIFISTASTATIC") == afterwards
    assert charger.value("HOSTNAME") == ("evse",)
    assert len(charger.journal.writes("WIFISTASTATIC")) == (saved != here and {saved, here} != {EMPTY[:4], ZERO})


def test_what_is_too_long_for_this_charger_is_told_and_the_rest_is_restored(served, tmp_path, capsys):
    charger = served(Charger(firmware="v2.1.1")).charger
    file = tmp_path / "backup.yaml"
    file.write_text(f'settings: {{HOSTNAME: "{"x" * 31}", INSTNAME: "Garage"}}')
    assert run(["restore", str(file), "--yes"]) == 5
    assert "HOSTNAME" in capsys.readouterr().err
    assert (charger.value("HOSTNAME"), charger.value("INSTNAME")) == (("evse",), ("Garage",))


def test_a_backup_without_a_network_wipes_it(served, tmp_path):
    """Nothing else may do so unasked: see the command `set`."""
    charger = served().charger
    file = tmp_path / "backup.yaml"
    file.write_text('settings: {WIFISTACFG: {enabled: 0, ssid: ""}}')
    assert run(["restore", str(file), "--yes"]) == 0
    assert charger.value("WIFISTACFG")[:2] == (0, "")


def test_a_password_that_was_added_is_written_and_never_shown(served, tmp_path, capsys):
    charger = served().charger
    file = tmp_path / "backup.yaml"
    file.write_text("settings: {WIFISTACFG: {enabled: 1, ssid: home, password: correct horse}}")
    assert run(["--json", "restore", str(file), "--yes"]) == 0
    assert charger.flash["station"] == [1, "home", "correct horse"]
    output = capsys.readouterr()
    assert "horse" not in output.out + output.err
    assert json.loads(output.out)["written"] == ["WIFISTACFG"]


def test_another_board_is_pointed_out(served, tmp_path, capsys):
    served()
    file = tmp_path / "backup.yaml"
    file.write_text("charger: {device_name: Garage}\nsettings: {HOSTNAME: evse}")
    assert run(["restore", str(file), "--yes"]) == 0
    assert 'the backup is of a "Garage", this is a "Simulated EVSE"' in capsys.readouterr().out


# --- asking


@pytest.mark.parametrize(("answer", "code", "name"), [("y", 0, "evse"), ("n", 1, "other"), ("\x03", 130, "other")])
def test_a_restore_asks_first_and_obeys_the_answer(served, tmp_path, answer, code, name):
    charger = served().charger
    file = save(tmp_path)
    charger.set("HOSTNAME", "other")
    terminal = pexpect.spawn(
        sys.executable, ["-m", "evse_host.cli", "restore", str(file)], encoding="utf-8", timeout=20
    )
    terminal.expect_exact("Write 1 setting? [y/N]: ")
    assert writes(charger) == []
    terminal.send(answer if answer == "\x03" else answer + "\n")
    terminal.expect(pexpect.EOF)
    assert terminal.wait() == code
    assert charger.value("HOSTNAME") == (name,)


def test_with_nobody_to_ask_nothing_is_written(served, tmp_path, capsys):
    charger = served().charger
    file = save(tmp_path)
    charger.set("HOSTNAME", "other")
    capsys.readouterr()
    assert run(["restore", str(file)]) == 2
    assert "--yes" in capsys.readouterr().err
    assert writes(charger) == []


# --- what goes wrong


def test_an_interrupted_restore_goes_on(served, tmp_path, monkeypatch, capsys):
    charger = served().charger
    file = save(tmp_path)
    for name, values in {"REQAUTH": (1,), "DEFCONSUMLIM": (5000,), "HOSTNAME": ("other",)}.items():
        charger.set(name, *values)
    plain_set = Evse.set

    def interrupted(evse, name, *values, **options):
        if name == "DEFCONSUMLIM":
            raise KeyboardInterrupt
        return plain_set(evse, name, *values, **options)

    monkeypatch.setattr(Evse, "set", interrupted)
    assert run(["restore", str(file), "--yes"]) == 130
    assert "1 of 3 settings are written; run it again to go on" in capsys.readouterr().err
    monkeypatch.setattr(Evse, "set", plain_set)
    assert run(["restore", str(file), "--yes"]) == 0
    assert writes(charger) == ["REQAUTH", "DEFCONSUMLIM", "HOSTNAME"]
    assert run(["restore", str(file), "--yes"]) == 0
    assert len(writes(charger)) == 3


def test_a_charger_that_falls_silent_is_told_with_what_was_done(served, tmp_path, capsys):
    server = served()
    file = save(tmp_path)
    charger = server.charger
    charger.set("REQAUTH", 1)
    charger.set("HOSTNAME", "other")

    charger.answer_hook = lambda request, data, seconds: _silent_from(charger, b"AT+HOSTNAME=", request, data, seconds)
    assert run(["--timeout", "0.3", "restore", str(file), "--yes"]) == 4
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("evse-host: ")
    assert error.endswith("1 of 2 settings are written; run it again to go on")


def _silent_from(charger: Charger, start: bytes, request, data: bytes, seconds: float) -> tuple[bytes, float]:
    """From that command on the charger says nothing more."""
    if request.line.startswith(start):
        charger.answer_hook = lambda _request, _data, seconds: (b"", seconds)
        return b"", seconds
    return data, seconds


def test_noise_gets_into_no_backup(served, capsys):
    """Every third answer that holds a 1 shows a 9 there, as a flipped bit does."""
    charger, answers = served().charger, []
    charger.set("WIFISTASTATIC", 1, "192.168.1.42", "192.168.1.1", "255.255.255.0", "192.168.1.1")

    def noisy(request, data, seconds):
        answers.append(data)
        return (data.replace(b"1", b"9") if len(answers) % 3 == 0 else data), seconds

    charger.answer_hook = noisy
    assert run(["backup"]) == 0
    saved = yaml.safe_load(capsys.readouterr().out)["settings"]
    assert any(b"1" in data for data in answers[2::3])
    assert saved["WIFISTASTATIC"]["ip"] == "192.168.1.42"
    assert saved["EMETERTHREEPHASE"] == 1


def test_a_line_that_never_tells_the_same_twice_is_given_up(served, tmp_path, capsys):
    charger, count = served().charger, iter(range(60, 255))
    charger.answer_hook = lambda request, data, seconds: (
        (f"\n+MAXCHCUR={next(count) % 50 + 6}\n\nOK\n".encode(), seconds)
        if request.name == "+MAXCHCUR"
        else (data, seconds)
    )
    assert run(["backup", str(tmp_path / "backup.yaml")]) == 4
    assert "MAXCHCUR: no two answers in 7 agree" in capsys.readouterr().err
    assert not (tmp_path / "backup.yaml").exists()


def test_a_backup_of_newer_firmware_is_restored_as_far_as_it_goes(served, tmp_path, capsys):
    served()
    file = save(tmp_path)
    old = served(Charger("v2.1.1")).charger
    old.set("HOSTNAME", "other")
    capsys.readouterr()
    assert run(["restore", str(file), "--yes"]) == 5
    assert old.value("HOSTNAME") == ("evse",)
    assert capsys.readouterr().err.splitlines()[-1].startswith("evse-host: not restored: TZ, WIFISTASTATIC dns;")


def test_what_the_charger_refuses_does_not_stop_the_rest(served, tmp_path, capsys):
    charger = served().charger
    file = tmp_path / "backup.yaml"
    file.write_text('settings: {TZ: "Mars/Olympus", HOSTNAME: garage}')
    assert run(["restore", str(file), "--yes"]) == 5
    assert charger.value("HOSTNAME") == ("garage",)
    assert capsys.readouterr().err.splitlines()[-1].startswith("evse-host: not restored: TZ;")


def test_a_charger_that_shows_something_else_is_a_mismatch(served, tmp_path, capsys):
    charger = served().charger
    file = save(tmp_path)
    charger.override("HOSTNAME", "stubborn")
    assert run(["restore", str(file), "--yes"]) == 6
    assert 'HOSTNAME: "stubborn" -> "evse"' in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("name", ["SERIAL0", "SERIAL1"])
def test_serial_settings_are_never_written(served, tmp_path, capsys, name):
    charger = served().charger
    file = tmp_path / "backup.yaml"
    file.write_text(f"settings: {{HOSTNAME: other, {name}: {{mode: 1, baud_rate: 9600}}}}")
    assert run(["restore", str(file), "--yes"]) == 5
    assert charger.journal.entries == []
    assert name in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no `settings:`"),
        ("settings: [", "no YAML"),
        ("settings: []", "no `settings:`"),
        ("settings: {MAXCHCUR: 64}", "MAXCHCUR: 64 is out of range, 6 to 63 A"),
        ("settings: {MAXCHCUR: 16.5}", "MAXCHCUR value: 16.5 is not a whole number"),
        ("settings: {HOSTNAME: 12}", "put it in quotes"),
        ("settings: {HOSTNAME: " + "x" * 32 + "}", "at most 31"),
        ('settings: {HOSTNAME: "a\\nAT+RST"}', "HOSTNAME: "),
        ('settings: {HOSTNAME: ""}', "HOSTNAME: it is empty, 1 to 31 bytes are allowed"),
        ('settings: {WIFISTASTATIC: {enabled: 1, ip: ""}}', "WIFISTASTATIC ip: it is empty"),
        ('settings: {WIFISTASTATIC: {enabled: 0, ip: "10.0.0"}}', "WIFISTASTATIC ip: '10.0.0' is not an IPv4 address"),
        ("settings: {HOSTNAM: x}", "HOSTNAM: no such setting"),
        ("settings: {CHCUR: 160}", "CHCUR: not a setting that the charger keeps"),
        ("settings: {EMETERTOTCONSUM: 0}", "EMETERTOTCONSUM: not a setting"),
        ("settings: {WIFISTACFG: home}", "WIFISTACFG: 'home' is not a list of enabled, ssid, password"),
        ("settings: {WIFISTACFG: {ssid: home}}", "without gaps"),
        ("settings: {WIFISTACFG: {enabled: 1, sid: home}}", "without gaps"),
        ("settings: {1: 2}", "1: no such setting"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line_before_the_port_is_opened(tmp_path, capsys, text, says):
    file = tmp_path / "backup.yaml"
    file.write_text(text)
    assert run(["--port", str(tmp_path / "no-port"), "restore", str(file), "--yes"]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read(tmp_path, capsys, content):
    file = tmp_path / "backup.yaml"
    if content:
        file.write_bytes(content)
    assert run(["restore", str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"evse-host: {file}: ")

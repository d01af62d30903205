"""How `evse-host` behaves towards a person at a terminal, in every command."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pexpect
import pytest

from evse_host import cli, settings, words
from evse_host.line import transport
from evse_host.simulator import Car, Charger
from tests.host.commands import COMMAND, Command, environment, run

PROGRAM = ["-m", "evse_host.cli"]


@pytest.fixture
def served(start_charger, monkeypatch):
    """Makes a simulated charger the one that commands find; returns its server."""

    def serve(**options):
        charger = Charger(**options)
        charger.advance_to(30)
        server = start_charger(charger, baud_rate=None)
        monkeypatch.setenv("EVSE_PORT", server.path)
        return server

    return serve


def said(capsys, *arguments: str) -> tuple[int, str, str]:
    code = cli.run(list(arguments))
    return (code, *capsys.readouterr())


# --- global options ---------------------------------------------------------------------------------------------------


def commands(group: click.Group, *path: str):
    """Every command, with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        yield (*path, name), command


ALL = dict(commands(cli.group))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_takes_every_global_option(path) -> None:
    taken = {option for parameter in ALL[path].params for option in parameter.opts}
    assert {"--port", "--baud", "--json", "--verbose", "--timeout"} <= taken


def test_global_options_behind_the_command(start_charger, capsys) -> None:
    server = start_charger(baud_rate=None)
    for words_ in (
        ["get", "state", "--port", server.path, "--json"],
        ["get", "--json", f"--port={server.path}", "state"],
        ["--port", "/dev/nothing", "get", "state", "--json", "--port", server.path],  # the last one counts
    ):
        assert said(capsys, *words_) == (0, '{"state": "A"}\n', "")
    assert said(capsys, "raw", "--port", server.path, "AT")[:2] == (0, "OK\n")
    assert said(capsys, "wifi", "scan", "--port", server.path, "--json")[0] == 0
    assert said(capsys, "time", "--port", server.path)[0] == 0
    code, _, err = said(capsys, "get", "state", "--port", server.path, "-v")
    assert code == 0 and "AT+STATE?" in err


def test_an_option_of_the_commands_own_stays_its_own() -> None:
    assert next(p for p in ALL["modbus",].params if "--baud" in p.opts).default == 9600


# --- what was meant ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("power", "emeter_power"), ("Power", "emeter_power"), ("curent", "current_l1"), ("chcurr", "CHCUR"),
     ("session-energy", "energy_consumption"), ("Status", "state"), ("enabled", "enable"), ("ssid", "wifi_sta_ssid"),
     ("powr", "emeter_power"), ("enrgy", "energy_consumption")],
)  # fmt: skip
def test_a_misspelt_name_finds_the_one_that_was_meant(typed, meant) -> None:
    assert meant in settings.likes(typed)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("gett", "get"), ("wach", "watch"), ("Restart", "restart"), ("mqtt", "bridge"), ("clock", "time"),
     ("wifi scann", "scan"), ("wifi conect", "connect")],
)  # fmt: skip
def test_a_misspelt_command_finds_the_one_that_was_meant(capsys, typed, meant) -> None:
    code, out, err = said(capsys, *typed.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"evse-host: {typed.split()[-1]}: no such command; did you mean") and meant in err


def test_a_command_like_no_other(capsys) -> None:
    assert said(capsys, "xyzzy") == (2, "", "evse-host: xyzzy: no such command; `evse-host --help` lists all\n")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("watch --once", "--once: no such option; see evse-host watch --help"),  # not --json
        ("raw --prt /x AT", "--prt: no such option; did you mean --port?"),
        ("bridge mqtt --password x", "--password: no such option; did you mean --password-file?"),
        ("--token x info", "--token: no such option; see evse-host --help"),
        ("wifi --port x", "a command is missing; see evse-host wifi --help"),
        ("--port x", "a command is missing; see evse-host --help"),
    ],
)
def test_options_that_were_meant_and_a_command_that_is_missing(capsys, typed, hint) -> None:
    assert said(capsys, *typed.split()) == (2, "", f"evse-host: {hint}\n")


# --- completion -------------------------------------------------------------------------------------------------------


def complete(line: str) -> list[str]:
    """What bash would offer at the end of the line."""
    line_words = line.split(" ")
    env = environment(
        _EVSE_HOST_COMPLETE="bash_complete", COMP_WORDS="\n".join(line_words), COMP_CWORD=str(len(line_words) - 1)
    )
    done = subprocess.run([COMMAND], env=env, capture_output=True, text=True, timeout=60, check=True)
    return [entry.partition(",")[2] for entry in done.stdout.splitlines()]


def test_commands_names_and_values_are_completed() -> None:
    assert complete("evse-host wa") == ["watch"]
    assert set(complete("evse-host wifi ")) == {"scan", "connect", "static"}
    assert "emeter_power" in complete("evse-host get emeter_p")
    assert complete("evse-host set enable o") == ["on", "off"]
    assert complete("evse-host set timezone Europe/Pr") == ["Europe/Prague"]
    assert "emeter_power" not in complete("evse-host set emeter_")
    assert complete("evse-host get CHC") == ["CHCUR"]


def test_ports_are_completed(monkeypatch) -> None:
    found = [transport.Port(name, "", "", "") for name in ("/dev/ttyUSB0", "/dev/ttyACM1")]
    monkeypatch.setattr(transport, "list_ports", lambda: found)
    option = next(option for option in cli.group.params if option.name == "port")
    offered = option.shell_complete(click.Context(cli.group), "/dev/ttyU")
    assert [item.value for item in offered] == ["/dev/ttyUSB0"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_for_each_shell(capsys, shell) -> None:
    code, out, _ = said(capsys, "completion", shell)
    assert code == 0 and "_EVSE_HOST_COMPLETE" in out and shell in out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=out, text=True, check=True, timeout=30)


# --- quantities -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (725, "12 min 5 s"), (3600, "1 h"), (12_000, "3 h 20 min"),
     (86_400, "1 day"), (100_000, "1 day 3 h"), (14_700_000, "170 days"), (10**9, "11,574 days")],
)  # fmt: skip
def test_a_duration_is_said_in_words(seconds, text) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("watt_hours", "text"),
    [(0, "0 Wh"), (999, "999 Wh"), (1000, "1.00 kWh"), (12_345, "12.35 kWh"), (1_234_567, "1,235 kWh")],
)
def test_an_energy_is_said_in_its_unit(watt_hours, text) -> None:
    assert words.energy(watt_hours) == text


def test_people_get_words_and_machines_numbers(served, capsys) -> None:
    server = served(uptime=14_700_000)
    server.charger.set("TIME", 1_750_000_000)
    _, text, _ = said(capsys, "get", "total_energy_consumption", "uptime", "EMETERTOTCONSUM")
    assert [line.split(maxsplit=1)[1] for line in text.splitlines()] == ["1,235 kWh", "170 days", "1234567 Wh"]
    data = json.loads(said(capsys, "--json", "get", "total_energy_consumption", "uptime")[1])
    assert data["total_energy_consumption"] == 1_234_567 and data["uptime"] >= 14_700_000
    assert "days behind this computer" in said(capsys, "time")[1]
    assert json.loads(said(capsys, "--json", "time")[1])["ahead_s"] < -86_400
    assert "1,235 kWh" in said(capsys, "info")[1]


def test_a_decimal_comma_is_one_but_not_where_it_may_mean_thousands(served, capsys) -> None:
    server = served()
    assert said(capsys, "set", "charging_current", "16,5")[:2] == (0, "charging_current  16.5 A\n")
    assert server.charger.value("CHCUR") == (165,)
    code, _, err = said(capsys, "set", "consumption_limit", "1,500")  # 1.5 or 1500?
    assert code == 2 and "'1,500' is not a number, 0 to 200 kWh are allowed" in err


@pytest.mark.parametrize(("typed", "code"), [("99", 2), ("40", 5), ("400", 2)])
def test_the_most_that_this_charger_allows_is_named(served, capsys, typed, code) -> None:
    server = served()
    name = "CHCUR" if typed == "400" else "charging_current"
    got, _, err = said(capsys, "set", name, typed if name != "CHCUR" else "999")
    assert got == code and "at most 32 A on this charger" in err
    assert server.charger.value("CHCUR") == (320,)


# --- what commands say ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_restart_asks_while_a_car_charges(served, answer, code) -> None:
    server = served(car=Car(plugged=True))
    terminal = pexpect.spawn(sys.executable, [*PROGRAM, "restart", "--no-wait"], encoding="utf-8", timeout=30)
    terminal.expect(r"A car charges \(state C2\).*Restart\? \[y/N\]: ")
    assert "AT+RST" not in server.charger.journal.commands
    terminal.sendline(answer)
    terminal.expect(pexpect.EOF)
    assert terminal.wait() == code
    assert server.charger.journal.commands.count("AT+RST") == (code == 0)


def test_restart_without_a_person_needs_yes(served, capsys, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    server = served(car=Car(plugged=True))
    code, _, err = said(capsys, "restart", "--no-wait")
    assert code == 2 and "--yes" in err and "AT+RST" not in server.charger.journal.commands
    code, _, err = said(capsys, "restart", "--no-wait", "--yes")
    assert code == 0 and "restarts: five seconds of service" in err


def test_restart_does_not_ask_where_no_car_wants_to_charge(served, capsys) -> None:
    served(car=Car(plugged=True, wants_charge=False))
    assert said(capsys, "restart", "--no-wait")[0] == 0


def test_record_says_what_it_does(served, capsys, tmp_path) -> None:
    served()
    file = str(tmp_path / "session.txt")
    code, out, err = said(capsys, "record", file, "state", "--seconds", "0.5")
    assert (code, out) == (0, "")
    first, last = err.splitlines()
    assert first == f"evse-host: records to {file}: every value once, STATE, for 0.5 s"
    count = sum(line[:1] != "#" for line in Path(file).read_text(encoding="utf-8").splitlines())
    assert last == f"evse-host: {count} lines are in {file}"


def test_simulate_says_what_it_is_and_refuses_a_link_in_use(tmp_path) -> None:
    link = tmp_path / "evse"
    with Command("simulate", "--link", str(link), "--car", "plugged") as first:
        assert first.wait_for(str(link)).strip() == str(link)  # alone on stdout, for scripts
        first.wait_for("simulated charger, firmware head, a car that wants energy", err=True)
        first.wait_for("Ctrl-C ends", err=True)
        second = run("simulate", "--link", str(link))
        assert second.code == 3 and f"--link {link}: in use" in second.err and "choose another" in second.err
        assert run("--port", str(link), "get", "state").code == 0
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "gone")  # of one that was killed
    with Command("simulate", "--link", str(link)) as third:
        third.wait_for(str(link))


@pytest.mark.parametrize("kind", ["mqtt", "thingsboard"])
def test_a_bridge_asks_for_its_broker(capsys, kind) -> None:
    code, _, err = said(capsys, "bridge", kind)
    assert code == 2 and "--broker mqtt://HOST" in err and "EVSE_MQTT_BROKER" in err


@pytest.mark.parametrize(
    "arguments", [("watch", "--every", "uptime"), ("get", "--list"), ("info",), ("record", "-", "uptime")]
)
def test_a_reader_that_has_enough_ends_it_quietly(served, arguments) -> None:
    served()
    script = f'"{COMMAND}" {" ".join(arguments)} | head -1'
    done = subprocess.run(["bash", "-c", script], input="show\n" * 3, capture_output=True, text=True, timeout=60)
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr and "Broken pipe" not in done.stderr


GENERATE = ("generate", "--board", "esp32dev", "--tx", "17", "--rx", "16", "--offline", "--meter", "none", "--no-check",
            "--single-phase", "--no-temperature-sensor", "--no-socket-lock", "--no-proximity")  # fmt: skip


def test_generated_secrets_are_ignored_by_git(tmp_path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("*.bin")
    for place in (tmp_path, tmp_path / "garage"):
        place.mkdir(exist_ok=True)
        for options in ((), ("--force",)):
            assert run(*GENERATE, *options, cwd=place).code == 0
        assert (place / ".gitignore").read_text().count("secrets.yaml") == 1
        assert subprocess.run(["git", "check-ignore", "--quiet", "secrets.yaml"], cwd=place).returncode == 0
        assert (place / "secrets.yaml").stat().st_mode & 0o077 == 0
    assert (tmp_path / ".gitignore").read_text() == "*.bin\n/secrets.yaml\n"

"""`evse-host serve` as a person runs it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from evse_host.installation import how_to_add
from tests.host.commands import COMMAND, Command, environment, run

from .rest_support import API, JSON, orders, value
from .support import wait_until


@pytest.fixture
def password_file(tmp_path):
    file = tmp_path / "password"
    file.write_text("secret\n")
    return file


def url(served: Command) -> str:
    return served.wait_for("listening on", err=True).rpartition(" ")[2]


def online(address: str, **options) -> httpx.Response:
    return wait_until(lambda: (a := httpx.get(f"{address}{API}/state", **options)).status_code == 200 and a)


def test_serve_until_it_is_ended(server):
    with Command("--port", server.path, "serve", "--listen", "0") as served:
        address = url(served)
        assert address.startswith("http://127.0.0.1:")
        assert online(address).json()["enabled"] is True
        assert httpx.post(f"{address}{API}/state/charging-current", content="10.5", headers=JSON).text == "OK"
        assert "<html" in httpx.get(f"{address}/").text
        assert value(server, "CHCUR") == (105,)
        assert served.end(signal.SIGTERM) == 0
    assert orders(server) == ["CHCUR=105"]
    assert not server.call(lambda charger: charger.subscriptions)  # left as it was found


def test_ctrl_c_ends_it_without_a_traceback(server):
    with Command("--port", server.path, "serve", "--listen", "127.0.0.1:0") as served:
        online(url(served))
        assert served.end(signal.SIGINT) == 130
        assert not [line for line in served.err if "Traceback" in line]


def test_a_charger_that_is_not_there_yet(server, tmp_path):
    link = tmp_path / "evse"
    with Command("--port", str(link), "serve", "--listen", "0") as served:
        address = url(served)
        answer = wait_until(lambda: (a := httpx.get(f"{address}{API}/state")) and str(link) in a.text and a)
        assert answer.status_code == 503
        link.symlink_to(server.path)
        assert online(address).json()["enabled"] is True
        assert len([line for line in served.err if "offline:" in line]) == 1


def test_with_credentials_it_may_listen_to_all(server, password_file):
    arguments = ("serve", "--listen", "0.0.0.0:0", "--user", "owner", "--password-file", str(password_file))
    with Command("--port", server.path, *arguments) as served:
        port = url(served).rpartition(":")[2]
        address = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{address}{API}/state").status_code == 401
        assert online(address, auth=("owner", "secret")).json()["enabled"] is True
        assert served.end(signal.SIGTERM) == 0
    assert "secret" not in "\n".join(served.err + served.out)


def test_the_password_may_be_in_the_environment(server):
    command = [COMMAND, "--port", server.path, "serve", "--listen", "0", "--user", "owner"]
    options = {"env": environment(EVSE_HTTP_PASSWORD="secret"), "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **options) as served:
        try:
            address = next(line for line in served.stderr if "listening on" in line).split()[-1]
            assert httpx.get(f"{address}{API}/state").status_code == 401
            assert online(address, auth=("owner", "secret"))
        finally:
            served.terminate()


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "[::]:8080", "192.168.1.5:8080", "somewhere:8080"])
def test_nobody_else_is_served_without_credentials(listen):
    done = run("--port", "/dev/null", "serve", "--listen", listen)
    assert done.code == 2
    assert done.err == (
        f"evse-host: --listen {listen}: others than this computer are served only with credentials: "
        "add --user NAME and --password-file FILE (or EVSE_HTTP_PASSWORD)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--listen", "8080x"], "no TCP port, 0 to 65535 are allowed"),
        (["--listen", "65536"], "no TCP port, 0 to 65535 are allowed"),
        (
            ["--user", "owner"],
            "--user owner: its password is missing: add --password-file FILE, or set EVSE_HTTP_PASSWORD",
        ),
        (["--user", "owner", "--password-file", "/none"], "--password-file: there is no such file"),
        (["--user", "a:b"], "--user a:***: a name in HTTP has no colon; the password has a place of its own"),
        (
            ["--user", "a:b", "--password-file", "PASSWORD"],
            "--user a:***: a name in HTTP has no colon; the password has a place of its own",
        ),
        (["--password-file", "PASSWORD"], "a password without --user NAME"),
    ],
)
def test_wrong_options_end_it_in_one_line(password_file, arguments, words):
    done = run("--port", "/dev/null", "serve", *(str(password_file) if a == "PASSWORD" else a for a in arguments))
    assert done.code == 2
    assert done.err.count("\n") == 1 and words in done.err


def test_a_port_that_is_taken(server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--port", server.path, "serve", "--listen", str(port))
    assert done.code == 3
    assert done.err.splitlines()[-1] == f"evse-host: cannot listen on 127.0.0.1:{port}: address already in use"


@pytest.mark.parametrize(("options", "shown"), [((), 1_234_649), (("--energies", "Ws"), 4_444_736_400)])
def test_print_shows_the_state_and_writes_nothing(server, options, shown):
    server.call(lambda charger: charger.override("EMETERTOTCONSUM", 1_234_649))
    done = run("--port", server.path, "serve", "--print", *options)
    assert json.loads(done.out)["totalConsumption"] == shown
    assert orders(server) == []


def test_what_to_install_when_something_is_missing(tmp_path):
    (tmp_path / "fastapi.py").write_text("raise ImportError('not installed')\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = run("serve", env=environment(PYTHONPATH=path))
    assert done.code == 2
    # The command may know its interpreter as python3, and these tests as python.
    interpreter, _, rest = done.err.removeprefix("evse-host: the REST server needs more packages: ").partition(" -m ")
    assert Path(interpreter).parent == Path(sys.executable).parent and os.access(interpreter, os.X_OK)
    assert rest == f"{how_to_add('serve').partition(' -m ')[2]}\n"

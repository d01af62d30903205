"""The line to the central system: keys, certificates, dead sockets, servers that go and come; real sockets."""

from __future__ import annotations

import logging
import random
import ssl
import subprocess
from pathlib import Path

import pytest

from evse_host.bridge.ocpp.journal import Journal
from evse_host.bridge.ocpp.link import LONGEST_WAIT_S, back_off
from evse_host.bridge.ocpp.target import Credentials, Target, key_bytes
from evse_host.errors import UsageError

from ..support import wait_until
from .central import Central
from .test_charge_point import profile

KEY = "0123456789abcdefXYZ"


# --- certificates -----------------------------------------------------------------------------------------------------


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Path:
    """ca.pem; server.pem for 127.0.0.1 and client.pem, with their .key."""
    folder = tmp_path_factory.mktemp("certificates")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(folder, "req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", "-days",
            "2", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1\n")
    (folder / "client.ext").write_text("extendedKeyUsage=clientAuth\n")
    for name in ("server", "client"):
        openssl(folder, "req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
                "-extfile", f"{name}.ext", "-out", f"{name}.pem")  # fmt: skip
    return folder


def server_tls(folder: Path, client: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    if client:
        context.load_verify_locations(folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


# --- profiles 0 to 3 --------------------------------------------------------------------------------------------------


def test_profile_0_sends_no_key(start, central):
    start(central)
    central.wait("BootNotification")
    assert central.headers == [""]


def test_profile_1_with_the_right_key(start):
    with Central(keys={"GARAGE": KEY}) as central:
        start(central, key=KEY)
        central.wait("BootNotification")
        assert value(central, "SecurityProfile") == "1"


def test_a_wrong_key_is_told_and_never_shown(start, caplog):
    with caplog.at_level(logging.DEBUG), Central(keys={"GARAGE": KEY}) as central:
        bridge = start(central, key="another-key-0123456")
        wait_until(lambda: "401: the key is wrong" in bridge.reason, "it is refused")
        wait_until(lambda: "401" in caplog.text)
        assert "another-key" not in caplog.text and not central.heard


def test_profile_2_with_the_authority_that_we_trust(start, certificates):
    with Central(tls=server_tls(certificates), keys={"GARAGE": KEY}) as central:
        start(central, key=KEY, ca_file=str(certificates / "ca.pem"))
        central.wait("BootNotification")
        assert value(central, "SecurityProfile") == "2"


def test_a_certificate_that_we_do_not_trust_gets_no_key(start, certificates):
    with Central(tls=server_tls(certificates), keys={"GARAGE": KEY}) as central:
        bridge = start(central, key=KEY)
        wait_until(lambda: "not trusted" in bridge.reason)
        assert central.headers == []


def test_profile_3_shows_our_certificate(start, certificates):
    files = {"ca_file": "ca.pem", "cert_file": "client.pem", "key_file": "client.key"}
    with Central(tls=server_tls(certificates, client=True)) as central:
        start(central, **{name: str(certificates / file) for name, file in files.items()})
        central.wait("BootNotification")
        assert value(central, "SecurityProfile") == "3"


def test_without_our_certificate_such_a_server_lets_nobody_in(start, certificates):
    with Central(tls=server_tls(certificates, client=True)) as central:
        bridge = start(central, ca_file=str(certificates / "ca.pem"))
        wait_until(lambda: bridge.reason not in ("", "not connected yet"))
        assert not central.heard


def value(central: Central, key: str) -> str:
    return central.call("GetConfiguration", {"key": [key]})["configurationKey"][0]["value"]


# --- never a step down ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lower", ["0", "1"])
def test_the_central_system_cannot_step_down(start, lower):
    with Central(keys={"GARAGE": KEY}) as central:
        start(central, key=KEY)
        central.wait("BootNotification")
        answer = central.call("ChangeConfiguration", {"key": "SecurityProfile", "value": lower})
        assert answer == {"status": "Rejected"} and central.connections == 1


def test_a_step_up_is_tried_and_kept_when_it_works(certificates):
    journal = Journal.in_memory()
    plain = Target.parse("ws://127.0.0.1:9000/x", "GARAGE", KEY)
    credentials = Credentials(plain, journal)
    assert credentials.raise_profile("2") == "Accepted" and credentials.target.uri.startswith("wss:")
    credentials.connected(credentials.target)
    again = Credentials(plain, journal)
    assert again.target.is_encrypted and again.security_profile == 2, "ws:// in a configuration is no way back"
    assert again.raise_profile("1") == "Rejected"
    assert again.raise_profile("3") == "Rejected", "there is no certificate"


def test_a_step_up_that_does_not_work_leaves_the_old_way():
    journal = Journal.in_memory()
    credentials = Credentials(Target.parse("ws://127.0.0.1:9000/x", "GARAGE", KEY), journal)
    credentials.raise_profile("2")
    tried = []
    for _ in range(7):
        tried.append(credentials.target.is_encrypted)
        credentials.failed(credentials.target, was_answered=True)
    assert tried == [True, False, True, False, True, False, False]
    assert Credentials(Target.parse("ws://127.0.0.1:9000/x", "GARAGE", KEY), journal).security_profile == 1


def test_a_new_key_outlives_a_stop_before_it_was_used():
    journal = Journal.in_memory()
    target = Target.parse("ws://127.0.0.1:9000/x", "GARAGE", KEY)
    Credentials(target, journal).change_key("fedcba98765432100123")
    again = Credentials(target, journal)
    new = b"fedcba98765432100123"
    assert again.target.key == new, "the central system may take no other any more"
    again.failed(again.target, was_answered=True)
    assert again.target.key == target.key, "or it has not kept the new one"
    for _ in range(9):
        again.failed(again.target, was_answered=False)
    again.connected(again.target)
    assert Credentials(target, journal).target.key == new and not Credentials(target, journal).is_changing


def test_a_new_key_is_used_from_the_next_connection_on(start, caplog):
    new = "fedcba98765432100123"
    with caplog.at_level(logging.DEBUG), Central(keys={"GARAGE": KEY}) as central:
        bridge = start(central, key=KEY)
        central.wait("BootNotification")
        central._keys["GARAGE"] = new
        assert central.call("ChangeConfiguration", {"key": "AuthorizationKey", "value": new}) == {"status": "Accepted"}
        wait_until(lambda: central.connections == 2 and bridge.is_connected)
        bridge.stop()
        start(central, key=KEY)
        wait_until(lambda: central.connections == 3, "it was kept")
        keys = central.call("GetConfiguration", {"key": ["AuthorizationKey"]})
        ours = str([record.getMessage() for record in caplog.records if record.name.startswith("evse")])
        assert "***" in ours and all(key not in str(keys) + ours for key in (new, KEY))


def test_a_new_key_that_the_central_system_does_not_know_itself_leaves_the_old_one(start):
    with Central(keys={"GARAGE": KEY}) as central:
        start(central, key=KEY)
        central.wait("BootNotification")
        central.call("ChangeConfiguration", {"key": "AuthorizationKey", "value": "x" * 16})
        wait_until(lambda: central.connections == 2, "with the old key")


@pytest.mark.parametrize(("text", "key"), [
    ("00" * 20, bytes(20)), ("FF" * 16, b"\xff" * 16), ("a-key-of-16-chars", b"a-key-of-16-chars"), ("short", None),
    ("x" * 41, None), ("ä" * 16, None), ("line\n0123456789abc", None),
])  # fmt: skip
def test_a_key_is_hexadecimal_or_text_of_its_length_or_none(text, key):
    assert key_bytes(text) == key


@pytest.mark.parametrize(("arguments", "problem"), [
    (("http://x", "A"), "must look like wss://"), (("ws://", "A"), "must look like"), (("ws://h:0", "A"), "must look"),
    (("ws://user:hunter2@h", "A"), "leave user name"), (("ws://h", ""), "1 to 48"), (("ws://h", "a:b"), "no colon"),
    (("ws://h", "A", "", "/ca.pem"), "wss:// only"), (("wss://h", "A", "", "", "/c.pem"), "belong together"),
    (("wss://h", "A", "", "hunter2"), "ca file: there is no such file"), (("ws://h?x=1", "A"), "must look"),
])  # fmt: skip
def test_an_address_that_is_none_is_refused_without_its_key(arguments, problem):
    with pytest.raises(UsageError, match=problem) as error:
        Target.parse(*arguments)
    assert "hunter2" not in str(error.value)


def test_the_identity_is_escaped_and_nothing_shows_the_key():
    target = Target.parse("wss://h/ocpp/", "G 1/ä", KEY)
    assert target.uri == "wss://h/ocpp/G%201%2F%C3%A4" and KEY not in repr(target) + str(target)


# --- lines that die ---------------------------------------------------------------------------------------------------


def test_a_dead_socket_is_found_within_two_ping_intervals(start, central):
    start(central)
    central.wait("BootNotification")
    assert central.call("ChangeConfiguration", {"key": "WebSocketPingInterval", "value": "1"}) == {"status": "Accepted"}
    central.freeze()
    wait_until(lambda: central.connections == 2, "a new line")  # how soon: `python -m tools ocpp-bench`


def test_a_server_that_answers_nothing_any_more_is_left(start, central, monkeypatch):
    monkeypatch.setattr("evse_host.bridge.ocpp.station.CALL_TIMEOUT_S", 0.5)
    central.silent.add("BootNotification")
    start(central)
    wait_until(lambda: central.connections >= 2)
    central.silent.clear()
    central.wait("StatusNotification")


def test_a_server_that_restarts_finds_us_again_and_gets_what_waited(start, central, server):
    start(central, tag="HOME")
    central.wait_status("Available")
    central.stop()
    server.call(lambda model: model.car.plug())
    wait_until(lambda: server.call(lambda model: model.value("STATE")) == (4,))
    central.start()
    assert central.wait("StartTransaction").payload["idTag"] == "HOME"
    assert len(central.on("BootNotification")) == 1


def test_a_server_of_another_version_is_told(start):
    with Central(version="2.0.1") as central:
        bridge = start(central)
        wait_until(lambda: "does it speak this version of OCPP?" in bridge.reason)


def test_the_back_off_doubles_to_a_minute_and_no_two_come_together():
    waits = [[back_off(failures, random.Random(seed)) for failures in range(20)] for seed in range(50)]
    assert all(wait <= LONGEST_WAIT_S for row in waits for wait in row)
    assert min(row[19] for row in waits) >= LONGEST_WAIT_S / 2
    assert len({round(row[19], 3) for row in waits}) > 40


# --- speed and bounds at the real charger's interface -----------------------------------------------------------------


def test_a_profile_is_at_the_charger_at_once(start, central, server, monkeypatch):
    """Nothing waits for a turn; `python -m tools ocpp-bench` measures it."""
    monkeypatch.setattr("evse_host.bridge.ocpp.station.TURN_S", 3600.0)
    start(central)
    central.wait_status("Available")
    central.call("SetChargingProfile", profile(13.2))
    wait_until(lambda: server.call(lambda model: model.value("CHCUR")) == (132,))


def test_people_see_the_bound_and_stay_below_it(start, central, server, charger):
    start(central)
    central.wait_status("Available")
    central.call("SetChargingProfile", profile(13.2))
    wait_until(lambda: charger.snapshot.bound == "limited by the central system to 13.2 A")
    charger.set("CHCUR", 200).result(20)
    wait_until(lambda: server.call(lambda model: model.value("CHCUR")) == (132,))
    charger.set("CHCUR", 100).result(20)
    wait_until(lambda: (charger.snapshot.charging_current == 10 and charger.snapshot.bound == (
        "limited by the central system to 13.2 A")) or charger.snapshot.bound == "")  # fmt: skip
    central.call("ClearChargingProfile", {})
    wait_until(lambda: charger.snapshot.bound == "" and charger.snapshot.charging_current == 10)

"""The charge point in virtual time: the alliance's cases that a box without reader can meet, by their names."""

from __future__ import annotations

import itertools

import pytest

from .world import KILLED_AFTER, KILLED_BEFORE, LOST, OK, UNANSWERED, World


def stamp(world: World, seconds: float = 0) -> str:
    from evse_host.bridge.ocpp.rpc import stamp as to_text

    return to_text(world.now + seconds)


def profile(limit: float = 10, purpose: str = "TxDefaultProfile", number: int = 1, **values) -> dict:
    schedule = {"chargingRateUnit": values.pop("unit", "A"), "chargingSchedulePeriod": values.pop(
        "periods", [{"startPeriod": 0, "limit": limit}])}  # fmt: skip
    for key in ("startSchedule", "duration"):
        if key in values:
            schedule[key] = values.pop(key)
    return {
        "connectorId": values.pop("connector", 0 if purpose == "ChargePointMaxProfile" else 1),
        "csChargingProfiles": {
            "chargingProfileId": number, "stackLevel": values.pop("level", 0), "chargingProfilePurpose": purpose,
            "chargingProfileKind": values.pop("kind", "Absolute"), "chargingSchedule": schedule, **values,
        },
    }  # fmt: skip


@pytest.fixture
def world():
    world = World(tag="HOME")
    yield world
    assert world.server.wrong == []


@pytest.fixture
def locked():
    """A charger that wants an authorization, and no home tag."""
    world = World(reqauth=1)
    yield world
    assert world.server.wrong == []


def charging(world: World) -> World:
    world.car.plug()
    assert world.run(30, lambda: world.server.statuses()[-1:] == ["Charging"])
    return world


# --- booting ------------------------------------------------------------------------------------------


def test_an_accepted_boot_is_followed_by_the_states_of_charger_and_connector(world):
    assert [action for action, _ in world.server.told[:3]] == [
        "BootNotification", "StatusNotification", "StatusNotification",
    ]  # fmt: skip


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_boot_not_accepted_yet_nothing_else_is_sent_and_it_is_tried_at_the_interval(status):
    world = World.__new__(World)
    World.__init__(world, tag="HOME")
    world.server.told.clear()
    world.server.answers["BootNotification"] = {
        "status": status, "currentTime": stamp(world), "interval": 20,
    }  # fmt: skip
    world.call("TriggerMessage", {"requestedMessage": "BootNotification"})
    world.car.plug()
    world.run(50)
    assert {action for action, _ in world.server.told} == {"BootNotification"}
    assert len(world.server.told) == 3
    del world.server.answers["BootNotification"]
    world.run(30)
    assert world.server.statuses()[-1] == "Charging" and world.server.actions("StartTransaction")


def test_a_pending_boot_lets_triggered_messages_through(world):
    world.server.answers["BootNotification"] = {"status": "Pending", "currentTime": stamp(world), "interval": 100}
    world.call("TriggerMessage", {"requestedMessage": "BootNotification"})
    world.run(2)
    before = len(world.server.told)
    assert world.call("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1})["status"] == (
        "Accepted"
    )
    world.run(2)
    assert [action for action, _ in world.server.told[before:]] == ["StatusNotification"]


def test_heartbeats_come_at_the_interval_of_the_boot(world):
    world.server.answers["BootNotification"] = {"status": "Accepted", "currentTime": stamp(world), "interval": 60}
    world.call("TriggerMessage", {"requestedMessage": "BootNotification"})
    world.run(2)
    before = len(world.server.actions("Heartbeat"))
    world.run(610)
    assert len(world.server.actions("Heartbeat")) - before == 10


# --- a session ----------------------------------------------------------------------------------------


def test_plug_charge_stop_unplug(world):
    charging(world)
    world.car.stop()
    world.run(20)
    world.car.request()
    world.run(20)
    world.car.unplug()
    world.run(5)
    assert [status for status, _ in itertools.groupby(world.server.statuses())] == [
        "Available", "SuspendedEV", "Charging", "SuspendedEV", "Charging", "Available",
    ]  # fmt: skip
    start, stop = world.server.actions("StartTransaction")[0], world.server.actions("StopTransaction")[0]
    assert stop["reason"] == "EVDisconnected" and stop["meterStop"] - start["meterStart"] > 30
    assert stop["meterStop"] == world.charger.value("EMETERTOTCONSUM")[0]


def test_remote_start_then_plug(locked):
    assert locked.call("RemoteStartTransaction", {"idTag": "CARD"}) == {"status": "Accepted"}
    locked.run(5)
    assert locked.server.statuses()[-1] == "Preparing"
    charging(locked)
    assert locked.server.actions("StartTransaction")[0]["idTag"] == "CARD"
    assert ("AUTH", None) in locked.writes


def test_plug_then_remote_start(locked):
    locked.car.plug()
    locked.run(10)
    assert locked.server.statuses()[-1] == "Preparing" and not locked.server.actions("StartTransaction")
    locked.call("RemoteStartTransaction", {"idTag": "CARD", "connectorId": 1})
    charging(locked)


def test_remote_start_times_out(locked):
    locked.call("ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "10"})
    locked.call("RemoteStartTransaction", {"idTag": "CARD"})
    locked.run(12)
    assert locked.server.statuses()[-1] == "Available"
    locked.car.plug()
    locked.run(20)
    assert not locked.server.actions("StartTransaction")


def test_remote_start_asks_first_if_it_shall(locked):
    locked.call("ChangeConfiguration", {"key": "AuthorizeRemoteTxRequests", "value": "true"})
    locked.server.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
    locked.car.plug()
    locked.run(5)
    assert locked.call("RemoteStartTransaction", {"idTag": "BAD"})["status"] == "Accepted"
    locked.run(20)
    assert locked.server.actions("Authorize") == [{"idTag": "BAD"}]
    assert locked.writes == [] and not locked.server.actions("StartTransaction")


def test_remote_start_while_a_transaction_runs_is_rejected(world):
    charging(world)
    assert world.call("RemoteStartTransaction", {"idTag": "CARD"}) == {"status": "Rejected"}


@pytest.mark.parametrize("where", [{"connectorId": 2}, {"connectorId": 0}])
def test_remote_start_where_no_connector_is(locked, where):
    assert locked.call("RemoteStartTransaction", {"idTag": "CARD", **where}) == {"status": "Rejected"}


def test_remote_stop_ends_the_transaction_and_the_energy(world):
    charging(world)
    assert world.call("RemoteStopTransaction", {"transactionId": 1}) == {"status": "Accepted"}
    world.run(20)
    assert world.server.actions("StopTransaction")[0]["reason"] == "Remote"
    assert world.server.statuses()[-1] == "Finishing" and world.value("ENABLE") == 0
    world.person("ENABLE", 1)
    world.run(5)
    assert world.value("ENABLE") == 0, "the central system's stop stays until the car is gone"
    world.car.unplug()
    world.run(5)
    assert world.value("ENABLE") == 1 and world.server.statuses()[-1] == "Available"
    charging(world)
    assert len(world.server.actions("StartTransaction")) == 2


def test_remote_stop_then_remote_start_with_the_car_still_there(world):
    charging(world)
    world.call("RemoteStopTransaction", {"transactionId": 1})
    world.run(20)
    assert world.call("RemoteStartTransaction", {"idTag": "CARD"}) == {"status": "Accepted"}
    assert world.run(30, lambda: world.server.statuses()[-1] == "Charging")
    _, second = world.server.actions("StartTransaction")
    assert second["timestamp"] > world.server.actions("StopTransaction")[0]["timestamp"]
    assert second["idTag"] == "CARD" and second["meterStart"] >= world.server.actions("StopTransaction")[0]["meterStop"]


def test_a_begin_in_the_same_session_counts_none_of_its_energy_again(world):
    """The charger's values are of different moments: a session's name is a second more or less."""
    charging(world)
    world.run(300)
    world.call("RemoteStopTransaction", {"transactionId": 1})
    world.run(10)
    world.charger.override("UPTIME", world.value("UPTIME") + 2)
    world.call("RemoteStartTransaction", {"idTag": "CARD"})
    world.run(5)
    stop, start = world.server.actions("StopTransaction")[0], world.server.actions("StartTransaction")[1]
    assert start["timestamp"] > stop["timestamp"] and start["meterStart"] >= stop["meterStop"]


def test_an_authorization_that_the_charger_does_not_take_is_not_repeated_for_ever(locked):
    locked.refuse_writes = True
    locked.car.plug()
    locked.call("RemoteStartTransaction", {"idTag": "CARD"})
    locked.run(300)
    assert locked.writes.count(("AUTH", None)) == 3 and locked.server.statuses()[-1] == "Preparing"


def test_a_charger_that_takes_no_write_is_asked_again_with_patience(world):
    world.refuse_writes = True
    world.call("SetChargingProfile", profile(10))
    world.run(61)
    assert 10 <= world.writes.count(("CHCUR", 100)) <= 13
    world.refuse_writes = False
    world.run(6)
    assert world.value("CHCUR") == 100


def test_remote_stop_of_another_transaction_is_rejected_and_nothing_is_written(world):
    charging(world)
    assert world.call("RemoteStopTransaction", {"transactionId": 99}) == {"status": "Rejected"}
    world.run(5)
    assert world.writes == [] and world.server.statuses()[-1] == "Charging"


def test_a_tag_that_the_central_system_refuses_at_the_begin_is_stopped(world):
    world.server.answers["StartTransaction"] = {"transactionId": 7, "idTagInfo": {"status": "Invalid"}}
    world.car.plug()
    world.run(20)
    assert world.server.actions("StopTransaction")[0]["reason"] == "DeAuthorized" and world.value("ENABLE") == 0


def test_a_refused_tag_gets_no_energy_where_the_transaction_shall_go_on(world):
    world.call("ChangeConfiguration", {"key": "StopTransactionOnInvalidId", "value": "false"})
    world.server.answers["StartTransaction"] = {"transactionId": 7, "idTagInfo": {"status": "Invalid"}}
    world.car.plug()
    world.run(20)
    assert not world.server.actions("StopTransaction") and world.value("ENABLE") == 0
    assert world.server.statuses()[-1] == "SuspendedEVSE"
    world.car.unplug()
    world.run(5)
    assert world.value("ENABLE") == 1, "the next car is another"


def test_a_refusal_that_comes_when_the_car_is_gone_holds_nobody_else(world):
    world.server.answers["StartTransaction"] = {"transactionId": 7, "idTagInfo": {"status": "Invalid"}}
    world.line = False
    world.car.plug()
    world.run(20)
    world.car.unplug()
    assert world.run(5, lambda: world.point.transactions.is_ending)
    world.line = True  # within the second in which the session's last energy is waited for
    world.run(5)
    del world.server.answers["StartTransaction"]
    assert len(world.server.actions("StopTransaction")) == 1 and world.value("ENABLE") == 1
    charging(world)


def test_the_home_tag_is_asked_for_where_the_charger_wants_an_authorization():
    world = charging(World(reqauth=1, tag="HOME"))
    assert world.server.actions("Authorize") == [{"idTag": "HOME"}]


def test_the_home_tag_is_refused():
    world = World(reqauth=1, tag="HOME")
    world.server.answers["Authorize"] = {"idTagInfo": {"status": "Expired"}}
    world.car.plug()
    world.run(60)
    assert world.writes == [] and len(world.server.actions("Authorize")) == 1
    assert world.server.statuses()[-1] == "Preparing"


def test_free_vend_asks_nobody():
    world = charging(World(reqauth=1, free_vend=True))
    assert not world.server.actions("Authorize") and world.server.actions("StartTransaction")[0]["idTag"] == "FREEVEND"


def test_somebody_at_the_page_authorizes(locked):
    locked.car.plug()
    locked.run(5)
    locked.charger.point.authorize()
    charging(locked)
    assert locked.writes == []


# --- offline ------------------------------------------------------------------------------------------


def test_a_charge_while_the_line_is_cut_is_told_afterwards_with_its_times(world):
    world.line = False
    began = world.now
    world.car.plug()
    world.run(200)
    world.car.unplug()
    world.run(100)
    world.line = True
    world.run(5)
    order = [a for a, _ in world.server.told if a in ("StartTransaction", "MeterValues", "StopTransaction")]
    assert order == ["StartTransaction", *["MeterValues"] * (len(order) - 2), "StopTransaction"] and len(order) == 5
    start = world.server.actions("StartTransaction")[0]
    assert start["timestamp"] < stamp(world, -290) and stamp(world, began - world.now - 1) < start["timestamp"]


@pytest.mark.parametrize(("known", "charges"), [("Accepted", True), ("Blocked", False), (None, False)])
def test_offline_authorization_by_the_local_list(known, charges):
    world = World(reqauth=1, tag="HOME")
    if known:
        entry = {"idTag": "home", "idTagInfo": {"status": known}}
        answer = world.call(
            "SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry]}
        )
        assert answer == {"status": "Accepted"} and world.call("GetLocalListVersion") == {"listVersion": 1}
    world.line = False
    world.car.plug()
    world.run(20)
    assert (("AUTH", None) in world.writes) == charges


def test_offline_authorization_by_the_cache():
    world = charging(World(reqauth=1, tag="HOME"))
    world.car.unplug()
    world.run(5)
    world.line = False
    world.car.plug()
    world.run(20)
    assert world.writes.count(("AUTH", None)) == 2
    assert world.call("ClearCache") == {"status": "Accepted"}
    world.car.unplug()
    world.run(5)
    world.car.plug()
    world.run(20)
    assert world.writes.count(("AUTH", None)) == 2


def test_offline_unknown_tags_if_they_may():
    world = World(reqauth=1, tag="HOME")
    world.call("ChangeConfiguration", {"key": "AllowOfflineTxForUnknownId", "value": "true"})
    world.line = False
    world.car.plug()
    world.run(20)
    assert ("AUTH", None) in world.writes


def test_the_local_list_spares_the_question():
    world = World(reqauth=1, tag="HOME")
    world.call("ChangeConfiguration", {"key": "LocalPreAuthorize", "value": "true"})
    entry = {"idTag": "HOME", "idTagInfo": {"status": "Accepted"}}
    world.call("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry]})
    charging(world)
    assert not world.server.actions("Authorize")


def test_the_line_dies_while_it_is_asked_and_the_list_decides():
    world = World(reqauth=1, tag="HOME")
    entry = {"idTag": "HOME", "idTagInfo": {"status": "Accepted"}}
    world.call("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry]})
    world.fate = lambda _: LOST
    world.car.plug()
    world.run(10)
    assert ("AUTH", None) in world.writes
    world.fate = lambda _: "ok"
    world.run(10)
    assert not world.server.actions("Authorize"), "it is decided"


def test_a_question_that_was_cut_off_is_asked_again():
    world = World(reqauth=1, tag="HOME")
    fates = iter([LOST])
    world.fate = lambda action: next(fates, "ok") if action == "Authorize" else "ok"
    charging(world)


@pytest.mark.parametrize("action", ["StartTransaction", "MeterValues", "StopTransaction"])
@pytest.mark.parametrize("fate", [UNANSWERED, KILLED_AFTER, LOST, KILLED_BEFORE])
def test_a_message_whose_answer_is_lost_is_sent_again_as_it_was(action, fate, tmp_path):
    """The same id and the same text: the world's server refuses anything else."""
    world = World(tmp_path / "journal", tag="HOME")
    fates = iter([fate, fate])
    world.fate = lambda name: next(fates, OK) if name == action else OK
    charging(world)
    world.run(130)
    world.car.unplug()
    world.run(10)
    assert world.server.repeated == (2 if fate in (UNANSWERED, KILLED_AFTER) else 0)
    assert len(world.server.actions("StartTransaction")) == len(world.server.actions("StopTransaction")) == 1
    assert len(world.server.actions("MeterValues")) == 2 and world.server.wrong == []


def test_a_message_that_is_refused_is_tried_as_often_as_the_configuration_says(world):
    world.call("ChangeConfiguration", {"key": "TransactionMessageAttempts", "value": "3"})
    world.call("ChangeConfiguration", {"key": "TransactionMessageRetryInterval", "value": "10"})
    tries = []
    world.server.answers["StartTransaction"] = lambda _: tries.append(world.time) or "InternalError"
    world.car.plug()
    world.run(120)
    assert [round(b - a) for a, b in itertools.pairwise(tries)] == [10, 20]
    world.car.unplug()
    world.run(10)
    assert world.server.actions("StopTransaction")[0]["transactionId"] == -1
    assert world.journal.given_up() == 1


# --- the charger restarts, this program restarts ----------------------------------------------------------------------


def test_the_chargers_restart_ends_the_transaction_and_the_meter_goes_on(world):
    charging(world)
    world.run(600)
    world.restart_charger()
    world.run(120)
    stop = world.server.actions("StopTransaction")[0]
    starts = world.server.actions("StartTransaction")
    assert stop["reason"] == "PowerLoss" and len(starts) == 2
    assert starts[1]["meterStart"] >= stop["meterStop"] > starts[0]["meterStart"] + 1000
    assert len(world.server.actions("BootNotification")) == 1


def test_this_programs_restart_within_a_transaction_goes_on_with_it(world):
    charging(world)
    world.run(120)
    world.kill()
    world.run(120)
    world.car.unplug()
    world.run(5)
    assert len(world.server.actions("StartTransaction")) == len(world.server.actions("StopTransaction")) == 1
    assert len(world.server.actions("BootNotification")) == 2


def test_a_car_that_came_while_this_program_was_away_is_another(world):
    charging(world)
    world.run(100)
    meter = world.charger.value("EMETERTOTCONSUM")[0]
    for seconds in (1, 1):  # nobody looks
        world.car.unplug() if seconds and world.car.plugged else world.car.plug()
        world.charger.advance(world.time + 5)
        world.time += 5
    world.charger.advance(world.time + 60)
    world.time += 60
    world.kill()
    world.run(20)
    starts, stops = world.server.actions("StartTransaction"), world.server.actions("StopTransaction")
    assert len(starts) == 2 and len(stops) == 1
    assert meter <= stops[0]["meterStop"] <= starts[1]["meterStart"] <= meter + 40


def test_after_a_remote_stop_this_programs_restart_begins_nothing(world):
    charging(world)
    world.call("RemoteStopTransaction", {"transactionId": 1})
    world.run(10)
    world.kill()
    world.run(30)
    assert len(world.server.actions("StartTransaction")) == 1 and world.value("ENABLE") == 0
    assert world.server.statuses()[-1] == "Finishing"


@pytest.mark.parametrize("kind", ["Soft", "Hard"])
def test_a_reset_ends_the_charge_with_its_reason_and_restarts_the_charger_once(world, kind):
    charging(world)
    assert world.call("Reset", {"type": kind}) == {"status": "Accepted"}
    world.run(60)
    assert world.server.actions("StopTransaction")[0]["reason"] == f"{kind}Reset"
    assert world.writes.count(("RST", None)) == 1 and len(world.server.actions("BootNotification")) == 2
    assert world.value("ENABLE") == 1


@pytest.mark.parametrize("killed", [False, True])
def test_a_total_that_a_person_resets_takes_nothing_from_the_bill(world, killed):
    """The central system's meter goes on, in a transaction and after it, in this life of the process and the next."""
    charging(world)
    world.run(1800)
    world.reset_total()
    if killed:
        world.kill()
    world.run(1800)
    used = world.charger.value("EMETERCONSUM")[0]
    world.car.unplug()
    world.run(10)
    begin, end = world.server.actions("StartTransaction")[0], world.server.actions("StopTransaction")[0]
    assert end["meterStop"] - begin["meterStart"] == pytest.approx(used, abs=20)
    charging(world)
    assert world.server.actions("StartTransaction")[1]["meterStart"] >= end["meterStop"]


# --- availability, unlock, faults -------------------------------------------------------------------------------------


def test_availability_is_obeyed_told_and_stays_over_a_restart(world):
    assert world.call("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}) == {"status": "Accepted"}
    world.run(5)
    assert world.value("AVAILABLE") == 0
    assert world.server.statuses()[-1] == world.server.statuses(0)[-1] == "Unavailable"
    world.restart_charger()
    world.run(20)
    assert world.value("AVAILABLE") == 0, "over the charger's restart, too"
    assert world.call("ChangeAvailability", {"connectorId": 0, "type": "Operative"}) == {"status": "Accepted"}
    world.run(5)
    assert world.value("AVAILABLE") == 1 and world.server.statuses()[-1] == "Available"


def test_availability_waits_for_the_end_of_the_transaction(world):
    charging(world)
    assert world.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}) == {"status": "Scheduled"}
    world.run(10)
    assert world.value("AVAILABLE") == 1
    world.kill()
    world.run(5)
    world.car.unplug()
    world.run(10)
    assert world.value("AVAILABLE") == 0 and world.server.statuses()[-1] == "Unavailable"


def test_operative_where_it_always_was_writes_nothing(world):
    """As EVCC begins."""
    assert world.call("ChangeAvailability", {"connectorId": 0, "type": "Operative"}) == {"status": "Accepted"}
    world.run(5)
    assert world.writes == []


def test_a_person_has_set_it_unavailable(world):
    world.person("AVAILABLE", 0)
    world.run(5)
    assert world.call("ChangeAvailability", {"connectorId": 0, "type": "Operative"}) == {"status": "Rejected"}
    world.run(5)
    assert world.value("AVAILABLE") == 0


@pytest.mark.parametrize(("socket", "status"), [(0, "NotSupported"), (1, "UnlockFailed")])
def test_unlocking_is_answered_by_what_kind_of_socket_there_is(world, socket, status):
    world.charger.override("SOCKETOUTLET", socket)
    world.run(2)
    assert world.call("UnlockConnector", {"connectorId": 1}) == {"status": status}


@pytest.mark.parametrize(("fault", "code"), [
    ("rcm_triggered", "GroundFailure"), ("temperature_high", "HighTemperature"), ("pilot", "OtherError"),
    ("lock", "ConnectorLockFailure"), ("diode_short", "EVCommunicationError"),
])  # fmt: skip
def test_a_fault_is_told_by_its_code_and_ends_the_charge(world, fault, code):
    charging(world)
    world.charger.point.set_fault(fault)
    world.run(10)
    told = [p for p in world.server.actions("StatusNotification") if p["connectorId"] == 1][-1]
    assert (told["status"], told["errorCode"]) == ("Faulted", code) and told["info"]
    assert world.server.actions("StopTransaction")[0]["reason"] == "Other"


def test_a_silent_charger_is_a_fault_and_its_transaction_goes_on(world):
    charging(world)
    world.serial = False
    world.run(20)
    assert world.server.statuses()[-1] == "Faulted"
    world.serial = True
    world.run(5)
    assert world.server.statuses()[-1] == "Charging" and not world.server.actions("StopTransaction")


def test_a_state_that_is_soon_over_is_not_told(world):
    world.call("ChangeConfiguration", {"key": "MinimumStatusDuration", "value": "10"})
    charging(world)
    told = len(world.server.statuses())
    world.serial = False
    world.run(5)
    world.serial = True
    world.run(20)
    assert len(world.server.statuses()) == told
    world.serial = False
    world.run(20)
    assert world.server.statuses()[told:] == ["Faulted"]


def test_states_are_told_again_when_the_line_is_back(world):
    told = len(world.server.statuses())
    world.line = False
    world.run(5)
    world.line = True
    world.run(5)
    assert world.server.statuses()[told:] == ["Available"]


# --- smart charging -----------------------------------------------------------------------------------


def test_a_limit_a_pause_and_the_end_of_both(world):
    charging(world)
    assert world.call("SetChargingProfile", profile(10.4))["status"] == "Accepted"
    assert world.value("CHCUR") == 104, "at once"
    world.call("SetChargingProfile", profile(0))
    world.run(15)
    assert world.value("ENABLE") == 0 and world.server.statuses()[-1] == "SuspendedEVSE"
    assert not world.server.actions("StopTransaction"), "a pause is no end"
    world.call("SetChargingProfile", profile(16))
    world.run(15)
    assert (world.value("ENABLE"), world.value("CHCUR")) == (1, 160)
    assert world.server.statuses()[-1] == "Charging"
    assert world.call("ClearChargingProfile", {"id": 1}) == {"status": "Accepted"}
    assert world.value("CHCUR") == 320
    assert world.call("ClearChargingProfile", {"id": 1}) == {"status": "Unknown"}


def test_a_schedule_goes_on_without_the_central_system(world):
    charging(world)
    periods = [{"startPeriod": 0, "limit": 16}, {"startPeriod": 60, "limit": 0}, {"startPeriod": 120, "limit": 8}]
    world.call("SetChargingProfile", profile(periods=periods, startSchedule=stamp(world), duration=180))
    world.line = False
    seen = []
    for _ in range(4):
        world.run(50)
        seen.append((world.value("ENABLE"), world.value("CHCUR")))
        world.run(10)
    assert seen == [(1, 160), (0, 160), (1, 80), (1, 320)]


def test_profiles_survive_this_program_and_are_there_before_the_line_is(world):
    world.call("SetChargingProfile", profile(10))
    world.line = False
    world.kill()
    world.charger.set("CHCUR", 320)
    world.run(2)
    assert world.value("CHCUR") == 100


def test_watts_are_shared_by_the_phases(world):
    world.charger.flash["EMETERTHREEPHASE"] = 1
    world.run(2)
    world.call("SetChargingProfile", profile(11040, unit="W"))
    assert world.value("CHCUR") == 160


def test_a_transaction_profile_needs_its_transaction_and_ends_with_it(world):
    assert world.call("SetChargingProfile", profile(8, "TxProfile"))["status"] == "Rejected"
    charging(world)
    assert world.call("SetChargingProfile", profile(8, "TxProfile", transactionId=99))["status"] == "Rejected"
    assert world.call("SetChargingProfile", profile(8, "TxProfile", transactionId=1))["status"] == "Accepted"
    assert world.value("CHCUR") == 80
    assert world.call("SetChargingProfile", profile(7, "TxProfile"))["status"] == "Accepted"
    world.car.unplug()
    world.run(5)
    assert world.value("CHCUR") == 320
    charging(world)
    assert world.value("CHCUR") == 320, "it is no other transaction's"


def test_a_remote_start_brings_its_profile(locked):
    its = profile(9, "TxProfile", kind="Relative")["csChargingProfiles"]
    locked.call("RemoteStartTransaction", {"idTag": "CARD", "chargingProfile": its})
    charging(locked)
    assert locked.value("CHCUR") == 90


def test_a_remote_start_that_nobody_used_leaves_no_profile(locked):
    locked.call("ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "5"})
    its = profile(9, "TxProfile", kind="Relative")["csChargingProfiles"]
    locked.call("RemoteStartTransaction", {"idTag": "CARD", "chargingProfile": its})
    locked.run(10)
    locked.call("RemoteStartTransaction", {"idTag": "CARD"})
    charging(locked)
    assert locked.value("CHCUR") == 320


def test_a_remote_start_with_another_purpose_is_rejected(locked):
    its = profile(9)["csChargingProfiles"]
    assert locked.call("RemoteStartTransaction", {"idTag": "C", "chargingProfile": its})["status"] == "Rejected"


def test_the_composite_schedule_joins_all_profiles_in_amperes_or_watts(world):
    world.call("SetChargingProfile", profile(20, "ChargePointMaxProfile", 1))
    periods = [{"startPeriod": 0, "limit": 25}, {"startPeriod": 100, "limit": 10}]
    world.call("SetChargingProfile", profile(number=2, periods=periods, startSchedule=stamp(world), duration=200))
    answer = world.call("GetCompositeSchedule", {"connectorId": 1, "duration": 300})
    assert [(p["startPeriod"], p["limit"]) for p in answer["chargingSchedule"]["chargingSchedulePeriod"]] == [
        (0, 20), (100, 10), (200, 20),
    ]  # fmt: skip
    watts = world.call("GetCompositeSchedule", {"connectorId": 0, "duration": 10, "chargingRateUnit": "W"})
    assert watts["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 20 * 230 * world.point.supply.phases


@pytest.mark.parametrize("wrong", [
    profile(periods=[{"startPeriod": 5, "limit": 6}]), profile(level=100), profile(connector=2),
    profile(10, "ChargePointMaxProfile", connector=1), profile(kind="Recurring"), profile(periods=[]),
])  # fmt: skip
def test_a_profile_that_cannot_be_used_is_rejected_and_nothing_is_written(world, wrong):
    assert world.call("SetChargingProfile", wrong).get("status") == "Rejected"
    world.run(2)
    assert world.writes == []


# --- reservation ------------------------------------------------------------------------------------------------------


def reserve(world: World, tag: str = "CARD", seconds: float = 600, number: int = 5, **more) -> str:
    return world.call("ReserveNow", {
        "connectorId": 1, "expiryDate": stamp(world, seconds), "idTag": tag, "reservationId": number, **more,
    })["status"]  # fmt: skip


def test_a_reservation_and_who_may_use_it(locked):
    assert reserve(locked) == "Accepted"
    locked.run(2)
    assert locked.server.statuses()[-1] == "Reserved"
    assert locked.call("RemoteStartTransaction", {"idTag": "OTHER"}) == {"status": "Rejected"}
    assert locked.call("RemoteStartTransaction", {"idTag": "card"}) == {"status": "Accepted"}
    charging(locked)
    assert locked.server.actions("StartTransaction")[0]["reservationId"] == 5
    locked.car.unplug()
    locked.run(5)
    assert locked.server.statuses()[-1] == "Available"


def test_a_reservation_is_cancelled_expires_and_is_kept(locked):
    reserve(locked, seconds=30)
    locked.kill()
    locked.run(2)
    assert locked.server.statuses()[-1] == "Reserved"
    assert locked.call("CancelReservation", {"reservationId": 6}) == {"status": "Rejected"}
    locked.run(30)
    assert locked.server.statuses()[-1] == "Available"
    reserve(locked)
    assert locked.call("CancelReservation", {"reservationId": 5}) == {"status": "Accepted"}
    locked.run(2)
    assert locked.server.statuses()[-1] == "Available"


def test_a_reservation_lets_its_group_charge(locked):
    locked.server.answers["Authorize"] = {"idTagInfo": {"status": "Accepted", "parentIdTag": "FAMILY"}}
    locked.call("ChangeConfiguration", {"key": "AuthorizeRemoteTxRequests", "value": "true"})
    entry = {"idTag": "SON", "idTagInfo": {"status": "Accepted", "parentIdTag": "FAMILY"}}
    locked.call("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry]})
    assert reserve(locked, "MOTHER", parentIdTag="FAMILY") == "Accepted"
    assert locked.call("RemoteStartTransaction", {"idTag": "SON"}) == {"status": "Accepted"}
    charging(locked)


def test_a_foreign_car_at_a_reserved_charger_gets_nothing(world):
    assert reserve(world) == "Accepted"
    world.car.plug()
    world.run(20)
    assert world.value("ENABLE") == 0 and not world.server.actions("StartTransaction")
    world.call("CancelReservation", {"reservationId": 5})
    charging(world)


def test_a_charger_in_use_or_faulted_cannot_be_reserved(world):
    assert reserve(world, seconds=-5) == "Rejected"
    charging(world)
    assert reserve(world) == "Occupied"
    world.charger.point.set_fault("rcm_triggered")
    world.run(3)
    assert reserve(world) == "Faulted"


# --- meter values -----------------------------------------------------------------------------------------------------


def measured(world: World) -> list[dict]:
    return [values for payload in world.server.actions("MeterValues") for values in payload["meterValue"]]


def test_samples_at_the_interval_within_a_transaction(world):
    world.call("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "10"})
    world.call("ChangeConfiguration", {"key": "MeterValuesSampledData",
                                       "value": "Power.Active.Import,Current.Import,Voltage"})  # fmt: skip
    charging(world)
    before = len(measured(world))
    world.run(100)
    assert len(measured(world)) - before == 10
    names = {(v["measurand"], v.get("phase")) for v in measured(world)[-1]["sampledValue"]}
    assert ("Power.Active.Import", None) in names and ("Current.Import", "L1") in names and ("Voltage", "L1-N") in names


def test_clock_aligned_values_at_the_quarters(world):
    world.call("ChangeConfiguration", {"key": "ClockAlignedDataInterval", "value": "900"})
    world.run(3600)
    stamps = [values["timestamp"] for values in measured(world)]
    assert len(stamps) == 4 and all(s[14:] in ("00:00.000Z", "15:00.000Z", "30:00.000Z", "45:00.000Z") for s in stamps)


def test_values_of_begin_and_end_come_with_the_end(world):
    world.call("ChangeConfiguration", {"key": "StopTxnSampledData", "value": "Energy.Active.Import.Register"})
    charging(world)
    world.run(60)
    world.car.unplug()
    world.run(5)
    data = world.server.actions("StopTransaction")[0]["transactionData"]
    assert [v["sampledValue"][0]["context"] for v in data] == ["Transaction.Begin", "Transaction.End"]


@pytest.mark.parametrize(("message", "action"), [
    ("BootNotification", "BootNotification"), ("Heartbeat", "Heartbeat"), ("MeterValues", "MeterValues"),
    ("StatusNotification", "StatusNotification"),
])  # fmt: skip
def test_a_triggered_message_comes(world, message, action):
    before = len(world.server.told)
    assert world.call("TriggerMessage", {"requestedMessage": message, "connectorId": 1}) == {"status": "Accepted"}
    world.run(3)
    assert action in [name for name, _ in world.server.told[before:]]


def test_trigger_of_what_is_not_there(world):
    assert world.call("TriggerMessage", {"requestedMessage": "FirmwareStatusNotification"})["status"] == (
        "NotImplemented"
    )
    assert world.call("TriggerMessage", {"requestedMessage": "Heartbeat", "connectorId": 2})["status"] == "Rejected"


# --- two masters, through the protocol --------------------------------------------------------------------------------


def test_a_persons_pause_stays_when_the_limit_rises(world):
    charging(world)
    world.call("SetChargingProfile", profile(0))
    world.run(5)
    world.person("ENABLE", 0)
    world.call("SetChargingProfile", profile(16))
    world.run(10)
    assert world.value("ENABLE") == 0 and world.server.statuses()[-1] == "SuspendedEVSE"


def test_a_person_may_take_less_and_never_more(world):
    charging(world)
    world.call("SetChargingProfile", profile(16))
    world.person("CHCUR", 100)
    world.run(3)
    assert world.value("CHCUR") == 100
    world.person("CHCUR", 320)
    world.run(3)
    assert world.value("CHCUR") == 160
    assert world.point.masters.words == "limited by the central system to 16 A"

"""OCPP 2.0.1's core on the same model, in virtual time; every message is checked by the schemas."""

from __future__ import annotations

import itertools
import random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from ocpp.messages import get_validator

from evse_host.bridge.ocpp import rpc

from .central import Central
from .schema_strategies import from_schema
from .world import FATES, OK, World

TOKEN = {"idToken": "CARD", "type": "ISO14443"}


@pytest.fixture
def world():
    world = World(version="2.0.1", tag="HOME")
    yield world
    assert world.server.wrong == []


@pytest.fixture
def locked():
    world = World(version="2.0.1", reqauth=1)
    yield world
    assert world.server.wrong == []


def events(world: World, kind: str | None = None) -> list[dict]:
    return [event for event in world.server.actions("TransactionEvent") if kind in (None, event["eventType"])]


def charging(world: World) -> World:
    world.car.plug()
    assert world.run(30, lambda: world.server.statuses()[-1:] == ["Occupied"] and world.journal.head() is None and any(
        event["transactionInfo"].get("chargingState") == "Charging" for event in events(world)))  # fmt: skip
    return world


def variable(component: str, name: str, **more) -> dict:
    return {"component": {"name": component}, "variable": {"name": name}, **more}


def profile(limit: float, purpose: str = "TxDefaultProfile", number: int = 1, **more) -> dict:
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    return {"evseId": 0 if purpose == "ChargingStationMaxProfile" else 1, "chargingProfile": {
        "id": number, "stackLevel": 0, "chargingProfilePurpose": purpose, "chargingProfileKind": "Relative",
        "chargingSchedule": [schedule], **more}}  # fmt: skip


def test_a_station_boots_and_says_that_it_is_available(world):
    boot = world.server.actions("BootNotification")[0]
    assert boot["reason"] == "PowerUp" and boot["chargingStation"]["vendorName"] == "ESP32-EVSE"
    assert world.server.statuses() == ["Available"]


def test_a_transaction_from_plug_to_plug(world):
    charging(world)
    world.run(130)
    world.car.unplug()
    world.run(5)
    told = events(world)
    assert [event["seqNo"] for event in told] == list(range(len(told)))
    assert len({event["transactionInfo"]["transactionId"] for event in told}) == 1
    assert (told[0]["eventType"], told[0]["triggerReason"]) == ("Started", "CablePluggedIn")
    assert told[0]["idToken"] == {"idToken": "HOME", "type": "Central"}
    reasons = {event["triggerReason"] for event in told}
    assert {"ChargingStateChanged", "MeterValuePeriodic", "EVDeparted"} <= reasons
    end = told[-1]
    assert (end["eventType"], end["transactionInfo"]["stoppedReason"]) == ("Ended", "EVDisconnected")
    meters = [value["sampledValue"][0]["value"] for event in told for value in event.get("meterValue", [])]
    assert meters == sorted(meters) and meters[-1] > meters[0]
    assert world.server.statuses()[-1] == "Available"


def test_a_central_system_starts_and_stops_a_charge(locked):
    locked.car.plug()
    locked.run(5)
    answer = locked.call("RequestStartTransaction", {"remoteStartId": 7, "idToken": TOKEN, "evseId": 1})
    assert answer["status"] == "Accepted"
    charging(locked)
    start = events(locked, "Started")[0]
    assert (start["triggerReason"], start["transactionInfo"]["remoteStartId"], start["idToken"]) == (
        "RemoteStart", 7, TOKEN,
    )  # fmt: skip
    number = start["transactionInfo"]["transactionId"]
    assert locked.call("RequestStopTransaction", {"transactionId": "other"}) == {"status": "Rejected"}
    assert locked.call("RequestStopTransaction", {"transactionId": number}) == {"status": "Accepted"}
    locked.run(10)
    end = events(locked, "Ended")[0]
    assert (end["triggerReason"], end["transactionInfo"]["stoppedReason"]) == ("RemoteStop", "Remote")
    assert locked.value("ENABLE") == 0
    status = locked.call("GetTransactionStatus", {"transactionId": number})
    assert status == {"ongoingIndicator": False, "messagesInQueue": False}


def test_the_home_tag_is_authorized(locked):
    world = charging(World(version="2.0.1", reqauth=1, tag="HOME"))
    assert world.server.actions("Authorize") == [{"idToken": {"idToken": "HOME", "type": "Central"}}]


def test_a_tag_that_the_central_system_refuses_is_stopped(world):
    world.server.answers["TransactionEvent"] = lambda event: (
        {"idTokenInfo": {"status": "NoCredit"}} if event["eventType"] == "Started" else {}
    )
    world.car.plug()
    world.run(20)
    assert events(world, "Ended")[0]["transactionInfo"]["stoppedReason"] == "DeAuthorized"
    assert world.value("ENABLE") == 0


def test_what_happened_offline_says_so(world):
    world.line = False
    world.run(2)
    world.car.plug()
    world.run(30)
    world.line = True
    world.run(5)
    assert [event["offline"] for event in events(world)][:2] == [True, True]


def test_a_variable_is_read_or_its_refusal_says_why(world):
    read = [variable("OCPPCommCtrlr", "HeartbeatInterval"), variable("OCPPCommCtrlr", "Nothing"),
            variable("Nobody", "X"), variable("SecurityCtrlr", "BasicAuthPassword"),
            variable("OCPPCommCtrlr", "HeartbeatInterval", attributeType="Target")]  # fmt: skip
    results = world.call("GetVariables", {"getVariableData": read})["getVariableResult"]
    assert [result["attributeStatus"] for result in results] == [
        "Accepted", "UnknownVariable", "UnknownComponent", "Rejected", "NotSupportedAttributeType",
    ]  # fmt: skip
    assert results[0]["attributeValue"] == "300"
    (list_,) = world.call("GetVariables", {"getVariableData": [variable("SampledDataCtrlr", "TxUpdatedMeasurands")]})[
        "getVariableResult"]  # fmt: skip
    assert "Voltage" in list_["attributeValue"] and "Temperature" not in list_["attributeValue"]
    wished = [variable("SampledDataCtrlr", "TxUpdatedInterval", attributeValue="10"),
              variable("SampledDataCtrlr", "TxUpdatedMeasurands", attributeValue="Temperature"),
              variable("SampledDataCtrlr", "TxUpdatedInterval", attributeValue="often"),
              variable("SmartChargingCtrlr", "ProfileStackLevel", attributeValue="1")]  # fmt: skip
    results = world.call("SetVariables", {"setVariableData": wished})["setVariableResult"]
    assert [result["attributeStatus"] for result in results] == ["Accepted", "Rejected", "Rejected", "Rejected"]
    charging(world)
    before = len(events(world))
    world.run(50)
    assert len(events(world)) - before == 5


def test_the_base_report_comes_in_parts(world):
    assert world.call("GetBaseReport", {"requestId": 3, "reportBase": "FullInventory"}) == {"status": "Accepted"}
    world.run(2)
    reports = world.server.actions("NotifyReport")
    assert [report["seqNo"] for report in reports] == list(range(len(reports))) and len(reports) > 1
    assert [report["tbc"] for report in reports] == [True] * (len(reports) - 1) + [False]
    names = {row["variable"]["name"] for report in reports for row in report["reportData"]}
    assert {"HeartbeatInterval", "TxUpdatedInterval", "BasicAuthPassword"} <= names


def test_limits_reach_the_charger_and_foreign_ones_are_refused(world):
    charging(world)
    number = events(world)[0]["transactionInfo"]["transactionId"]
    assert world.call("SetChargingProfile", profile(20, "ChargingStationMaxProfile"))["status"] == "Accepted"
    assert world.value("CHCUR") == 200
    assert world.call("SetChargingProfile", profile(8, "TxProfile", 2, transactionId=number))["status"] == "Accepted"
    assert world.value("CHCUR") == 80
    assert world.call("SetChargingProfile", profile(8, "TxProfile", 3, transactionId="x"))["status"] == "Rejected"
    assert world.call("SetChargingProfile", profile(8, "ChargingStationExternalConstraints", 4))["status"] == "Rejected"
    schedule = world.call("GetCompositeSchedule", {"duration": 60, "evseId": 1})["schedule"]
    assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 8}]
    assert world.call("ClearChargingProfile", {"chargingProfileId": 2}) == {"status": "Accepted"}
    assert world.value("CHCUR") == 200
    criteria = {"chargingProfileCriteria": {"chargingProfilePurpose": "ChargingStationMaxProfile"}}
    assert world.call("ClearChargingProfile", criteria) == {"status": "Accepted"}
    assert world.value("CHCUR") == 320


def test_availability_resets_and_triggers_are_obeyed(world):
    assert world.call("ChangeAvailability", {"operationalStatus": "Inoperative"}) == {"status": "Accepted"}
    world.run(3)
    assert world.value("AVAILABLE") == 0 and world.server.statuses()[-1] == "Unavailable"
    world.call("ChangeAvailability", {"operationalStatus": "Operative"})
    world.run(3)
    charging(world)
    for message in ("BootNotification", "Heartbeat", "StatusNotification", "TransactionEvent", "MeterValues"):
        before = len(world.server.told)
        assert world.call("TriggerMessage", {"requestedMessage": message}) == {"status": "Accepted"}
        world.run(2)
        assert len(world.server.told) > before
    assert world.call("Reset", {"type": "OnIdle"}) == {"status": "Scheduled"}
    world.run(10)
    assert ("RST", None) not in world.writes
    world.car.unplug()
    world.run(30)
    assert world.writes.count(("RST", None)) == 1
    assert world.server.actions("BootNotification")[-1]["reason"] == "RemoteReset"


def test_reservation_list_and_the_rest(locked):
    wish = {"id": 5, "expiryDateTime": rpc.stamp(locked.now + 600), "idToken": TOKEN}
    assert locked.call("ReserveNow", wish) == {"status": "Accepted"}
    locked.run(2)
    assert locked.server.statuses()[-1] == "Reserved"
    assert locked.call("CancelReservation", {"reservationId": 5}) == {"status": "Accepted"}
    entry = {"idToken": TOKEN, "idTokenInfo": {"status": "Accepted"}}
    sent = {"versionNumber": 1, "updateType": "Full", "localAuthorizationList": [entry]}
    assert locked.call("SendLocalList", sent) == {"status": "Accepted"}
    assert locked.call("GetLocalListVersion") == {"versionNumber": 1}
    assert locked.call("ClearCache") == {"status": "Accepted"}
    assert locked.call("UnlockConnector", {"evseId": 1, "connectorId": 1}) == {"status": "UnlockFailed"}


@pytest.mark.parametrize(("action", "payload", "code"), [
    ("Nothing", {}, "NotImplemented"), ("UpdateFirmware", {}, "NotSupported"),
    ("Reset", {}, "OccurrenceConstraintViolation"), ("Reset", {"type": 1}, "TypeConstraintViolation"),
    ("Reset", {"type": "Now"}, "PropertyConstraintViolation"), ("Reset", {"type": "OnIdle", "x": 1}, "FormatViolation"),
    ("GetVariables", {"getVariableData": []}, "OccurrenceConstraintViolation"),
])  # fmt: skip
def test_a_wrong_call_gets_its_error_and_the_charger_is_not_touched(world, action, payload, code):
    assert world.call(action, payload) == {"error": code}
    assert world.writes == []


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_any_call_that_fits_the_schema_is_answered(data):
    world = World(version="2.0.1", tag="HOME")
    world.car.plug()
    world.run(3)
    action = data.draw(st.sampled_from(sorted(world.dialect._actions)))
    payload = data.draw(from_schema(get_validator(2, action, "2.0.1").schema))
    answer = world.call(action, payload)
    assert answer.get("error") in (None, "TypeConstraintViolation", "PropertyConstraintViolation"), (action, payload)
    world.run(1)
    assert world.server.wrong == []


@pytest.mark.parametrize("seed", range(3))
def test_after_a_cut_no_event_is_lost_or_doubled(seed, tmp_path):
    """Numbers without a gap, each once, and every transaction has its begin and its end."""
    dice = random.Random(seed)
    world = World(tmp_path / "journal", version="2.0.1", tag="HOME")
    for _ in range(8):
        world.car.unplug() if world.car.plugged else world.car.plug()
        fate = dice.choice(FATES)
        when = itertools.count()
        hit = dice.randrange(3)
        world.fate = lambda action, fate=fate, when=when, hit=hit: (
            fate if action == "TransactionEvent" and next(when) == hit else OK
        )
        world.run(dice.uniform(5, 40))
    world.car.unplug()
    assert world.run(60, lambda: world.journal.running() is None and world.journal.head() is None)
    told = events(world)
    for _, group in itertools.groupby(told, lambda event: event["transactionInfo"]["transactionId"]):
        whole = list(group)
        assert [event["seqNo"] for event in whole] == list(range(len(whole)))
        assert (whole[0]["eventType"], whole[-1]["eventType"]) == ("Started", "Ended")
    assert world.server.wrong == [] and len(events(world, "Started")) == len(events(world, "Ended")) > 1


def test_a_charge_through_real_sockets_and_nonsense_is_answered(start, server):
    with Central(version="2.0.1") as central:
        start(central, version="2.0.1", tag="HOME")
        central.wait("BootNotification")
        server.call(lambda model: model.car.plug())
        central.wait("TransactionEvent", lambda event: event["transactionInfo"].get("chargingState") == "Charging")
        assert central.call("SetChargingProfile", profile(10)) == {"status": "Accepted"}
        central.raw("this is no message")
        central.raw('[2,"1","Reset"]')
        central.wait("Heartbeat") if central.call("TriggerMessage", {"requestedMessage": "Heartbeat"}) else None
        assert [error[:3] for error in central.errors] == [[4, "-1", "FormatViolation"], [4, "1", "FormatViolation"]]
        assert central.wrong == []

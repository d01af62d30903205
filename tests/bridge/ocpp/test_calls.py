"""Calls that are wrong in every way, by hand and by hypothesis on the schemas: an answer of the right kind, always, and
never a write that the call did not ask for."""

from __future__ import annotations

import json
from decimal import Decimal

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from ocpp.messages import get_validator

from evse_host.bridge.ocpp import rpc

from .schema_strategies import any_json, from_schema
from .world import World

#: Whose effect may be a write, at once.
TOUCHING = {
    "SetChargingProfile", "ClearChargingProfile", "RemoteStartTransaction", "RemoteStopTransaction",
    "ChangeAvailability", "Reset", "CancelReservation",
}  # fmt: skip
PERIOD = {"startPeriod": 0, "limit": 10}
PROFILE = {
    "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [PERIOD]},
}  # fmt: skip


@pytest.fixture(scope="module")
def world():
    """A car charges."""
    world = World(tag="HOME")
    world.car.plug()
    world.run(20)
    return world


@pytest.mark.parametrize(("action", "payload", "code"), [
    ("NoSuchAction", {}, "NotImplemented"),
    ("UpdateFirmware", {}, "NotSupported"),
    ("GetDiagnostics", {"location": "ftp://x"}, "NotSupported"),
    ("BootNotification", {"chargePointVendor": "x", "chargePointModel": "y"}, "NotSupported"),
    ("Reset", {}, "OccurenceConstraintViolation"),
    ("Reset", {"type": "Medium"}, "PropertyConstraintViolation"),
    ("Reset", {"type": 5}, "TypeConstraintViolation"),
    ("Reset", {"type": "Soft", "more": 1}, "FormationViolation"),
    ("RemoteStopTransaction", {"transactionId": "1"}, "TypeConstraintViolation"),
    ("RemoteStartTransaction", {"idTag": "x" * 21}, "PropertyConstraintViolation"),
    ("ChangeAvailability", {"connectorId": 0}, "OccurenceConstraintViolation"),
    ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {**PROFILE, "validFrom": "tomorrow"}},
     "TypeConstraintViolation"),
    ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {
        **PROFILE, "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 10.55}]}}}, "PropertyConstraintViolation"),
    ("ReserveNow", {"connectorId": 1, "expiryDate": "soon", "idTag": "A", "reservationId": 1},
     "TypeConstraintViolation"),
])  # fmt: skip
def test_a_wrong_call_gets_its_error_and_the_charger_is_not_touched(world, action, payload, code):
    before = list(world.writes)
    assert world.call(action, payload) == {"error": code}
    world.run(1)
    assert world.writes == before


def test_a_limit_with_one_decimal_is_no_wrong_call(world):
    for limit in (16.1, 10.7, 31.9):
        period = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
        answer = world.call(
            "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {**PROFILE, "chargingSchedule": period}}
        )
        assert answer == {"status": "Accepted"} and world.value("CHCUR") == round(limit * 10)


@pytest.mark.parametrize(("text", "unique_id"), [
    ("", ""), ("x", ""), ("{}", ""), ("[]", ""), ("[2]", ""), ("[2,5,\"Reset\",{}]", ""), ('[2,"","Reset",{}]', ""),
    ('[2,"1"]', "1"), ('[2,"1","Reset"]', "1"), ('[2,"1","Reset",[]]', "1"), ('[2,"1",7,{}]', "1"),
    ('[2,"1","Reset",{},{}]', "1"), ('["2","1","Reset",{}]', ""), ('[true,"1","Reset",{}]', ""),
    ('[9,"1","Reset",{}]', ""), ('[2,"%s","Reset",{}]' % ("x" * 37), ""), ("[" * 100_000, ""),
    ('[2,"1","Reset",{"type":NaN}]', ""), ('[2,"1","Reset",{"type":1e999999}]', None),
])  # fmt: skip
def test_what_is_no_call_is_told_by_its_id_where_it_has_one(text, unique_id):
    message = rpc.parse(text, "1.6")
    if unique_id is None:
        assert isinstance(message, rpc.Call)
    else:
        assert isinstance(message, rpc.Unreadable) and message.id == unique_id
        assert message.error.code in ("FormationViolation", "GenericError")


def schema(action: str) -> dict:
    return get_validator(2, action, "1.6").schema


def actions(world: World) -> list[str]:
    return sorted(world.dialect._actions)


def charging() -> World:
    """A new one for each call: what one call has set shall not act in the next."""
    world = World(tag="HOME")
    world.car.plug()
    world.run(3)
    return world


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_any_call_that_fits_the_schema_is_answered(data):
    """By the schema of the answer, which the world checks."""
    world = charging()
    action = data.draw(st.sampled_from(actions(world)))
    payload = data.draw(from_schema(schema(action)))
    before = list(world.writes)
    answer = world.call(action, payload)
    json.dumps(answer)
    assert answer.get("error") in (None, "TypeConstraintViolation", "PropertyConstraintViolation"), (action, payload)
    world.run(0.5)
    written = world.writes[len(before) :]
    assert not written or action in TOUCHING, (action, payload, written)
    assert all(value is None or name != "CHCUR" or 60 <= value <= 320 for name, value in written)
    assert world.server.wrong == []


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_any_object_at_all_is_answered(data):
    """One property of a call that fits is anything."""
    world = charging()
    action = data.draw(st.sampled_from(actions(world)))
    payload = data.draw(from_schema(schema(action)))
    where = data.draw(st.sampled_from([*schema(action).get("properties", {}), "other"]))
    payload = {**payload, where: data.draw(any_json)}
    valid = get_validator(2, action, "1.6").is_valid(json.loads(json.dumps(payload), parse_float=Decimal))
    before = list(world.writes)
    answer = world.call(action, payload)
    if not valid and "error" in answer:
        assert answer["error"] in (
            "FormationViolation", "PropertyConstraintViolation", "TypeConstraintViolation",
            "OccurenceConstraintViolation",
        )  # fmt: skip
        assert world.writes == before
    assert answer.get("error") != "InternalError"
    assert world.server.wrong == []


@given(st.text(max_size=200) | any_json.map(json.dumps) | st.lists(any_json, max_size=6).map(json.dumps))
@settings(max_examples=200, deadline=None)
def test_any_text_at_all_is_parsed(text):
    assert isinstance(rpc.parse(text, "1.6"), rpc.Call | rpc.Result | rpc.Error | rpc.Unreadable)


@given(st.dictionaries(st.sampled_from(["status", "interval", "currentTime", "idTagInfo", "transactionId"]), any_json))
@settings(max_examples=50, deadline=None)
def test_any_answer_at_all_loses_no_transaction_message(payload):
    """An answer that is none leaves the message where it is, or it was understood."""
    world = World(tag="HOME")
    world.server.answers["StartTransaction"] = payload
    world.car.plug()
    world.run(3)
    message = world.journal.head()
    understood = world.journal.running().remote is not None
    assert understood or message is not None

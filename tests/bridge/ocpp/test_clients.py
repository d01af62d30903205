"""What the two clients of most homes do at once, in their order: EVCC and Home Assistant's OCPP integration."""

from __future__ import annotations

import pytest

from evse_host.bridge.ocpp.rpc import stamp

from .test_charge_point import charging, profile
from .world import World

#: EVCC takes any other status for an error.
EVCC_STATUSES = {"Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Unavailable"}
EVCC_MEASURANDS = ("Power.Active.Import", "Energy.Active.Import.Register", "Current.Import", "Voltage",
                   "Current.Offered", "Power.Offered", "SoC")  # fmt: skip


@pytest.fixture(params=[0, 1], ids=["single phase", "three phases"])
def world(request):
    world = World(tag="HOME")
    world.charger.flash["EMETERTHREEPHASE"] = request.param
    yield world
    assert world.server.wrong == []


def configuration(world: World) -> dict[str, str]:
    return {key["key"]: key["value"] for key in world.call("GetConfiguration", {})["configurationKey"]}


def change(world: World, key: str, value: str) -> str:
    return world.call("ChangeConfiguration", {"key": key, "value": value})["status"]


def test_what_evcc_does_in_its_order_is_answered(world):
    # it connects
    keys = configuration(world)
    assert int(keys["ChargeProfileMaxStackLevel"]) > 0 and "Current" in keys["ChargingScheduleAllowedChargingRateUnit"]
    assert int(keys["NumberOfConnectors"]) == 1
    assert {"SmartCharging", "RemoteTrigger"} <= set(keys["SupportedFeatureProfiles"].split(","))
    assert world.call("ChangeAvailability", {"connectorId": 0, "type": "Operative"}) == {"status": "Accepted"}
    # it wants measurands: all at once, then one by one
    assert change(world, "MeterValuesSampledData", ",".join(EVCC_MEASURANDS)) == "Rejected"
    accepted: list[str] = []
    for measurand in EVCC_MEASURANDS:
        if change(world, "MeterValuesSampledData", measurand) == "Accepted":
            accepted.append(measurand)
    assert accepted == [name for name in EVCC_MEASURANDS if name != "SoC"]
    assert change(world, "MeterValuesSampledData", ",".join(accepted)) == "Accepted"
    assert change(world, "MeterValueSampleInterval", "10") == "Accepted"
    assert change(world, "WebSocketPingInterval", "30") == "Accepted"
    for message in ("BootNotification", "StatusNotification", "MeterValues"):
        assert world.call("TriggerMessage", {"requestedMessage": message})["status"] == "Accepted"
    world.run(3)
    assert world.server.actions("MeterValues")
    # it controls: off, a car comes, on with 6.0 and 16.2 A, off
    limit = lambda ampere: world.call(  # noqa: E731
        "SetChargingProfile",
        profile(ampere, startSchedule=stamp(world.now), kind="Absolute", connector=1),
    )
    assert limit(0) == {"status": "Accepted"}
    world.car.plug()
    world.run(20)
    assert world.server.statuses()[-1] == "SuspendedEVSE" and world.value("ENABLE") == 0
    limit(6)
    assert world.run(30, lambda: world.server.statuses()[-1] == "Charging") and world.value("CHCUR") == 60
    limit(16.2)
    assert world.value("CHCUR") == 162
    world.run(25)
    last = world.server.actions("MeterValues")[-1]
    assert last["transactionId"] == 1 and stamp(world.now - 20) < last["meterValue"][0]["timestamp"], "not stale"
    values = {v["measurand"]: float(v["value"]) for v in last["meterValue"][0]["sampledValue"]}
    phases = {f"{v['measurand']} {v['phase']}" for v in last["meterValue"][0]["sampledValue"] if "phase" in v}
    assert phases == {f"Current.Import L{n}" for n in "123"} | {f"Voltage L{n}-N" for n in "123"}, (
        "all three, or EVCC has none"
    )
    assert values["Current.Offered"] == 16.2 and values["Power.Active.Import"] > 1000
    limit(0)
    world.run(15)
    assert world.server.statuses()[-1] == "SuspendedEVSE" and not world.server.actions("StopTransaction")
    assert set(world.server.statuses()) <= EVCC_STATUSES


def test_evcc_with_authorization_by_remote_start():
    world = World(reqauth=1)
    world.car.plug()
    world.run(5)
    assert world.server.statuses()[-1] == "Preparing"
    world.call("RemoteStartTransaction", {"idTag": "evcc", "connectorId": 1})
    assert world.run(30, lambda: world.server.statuses()[-1] == "Charging")


def test_what_home_assistants_integration_does_is_answered(world):
    # it reads, and sets what it wants to see
    for key in ("SupportedFeatureProfiles", "NumberOfConnectors", "HeartbeatInterval"):
        answer = world.call("GetConfiguration", {"key": [key]})
        assert answer["configurationKey"][0]["value"] and "unknownKey" not in answer
    everything = "Current.Export,Frequency,SoC,Energy.Active.Import.Register,Voltage"
    assert change(world, "MeterValuesSampledData", everything) == "Rejected"
    ours = world.call("GetConfiguration", {"key": ["MeterValuesSampledData"]})["configurationKey"][0]["value"]
    assert {"Energy.Active.Import.Register", "Temperature", "Voltage"} <= set(ours.split(",")), "it takes what is there"
    wanted = "Current.Import,Current.Offered,Energy.Active.Import.Register,Power.Active.Import,Temperature,Voltage"
    assert change(world, "MeterValuesSampledData", wanted) == "Accepted"
    assert change(world, "MeterValueSampleInterval", "60") == "Accepted"
    assert change(world, "ClockAlignedDataInterval", "0") == "Accepted"
    assert change(world, "WebSocketPingInterval", "60") == "Accepted"
    # it waits three seconds for what it triggers
    for message in ("BootNotification", "StatusNotification"):
        before = len(world.server.told)
        assert world.call("TriggerMessage", {"requestedMessage": message})["status"] == "Accepted"
        world.run(2.5)
        assert message in [action for action, _ in world.server.told[before:]]
    assert world.call("ChangeAvailability", {"connectorId": 1, "type": "Operative"}) == {"status": "Accepted"}
    charging(world)
    # its slider: first the whole charge point, relative; then the transaction, then the default
    assert world.call("SetChargingProfile", profile(20, "ChargePointMaxProfile", 8, kind="Relative")) == {
        "status": "Accepted"
    }
    assert world.value("CHCUR") == 200
    assert world.call("SetChargingProfile", profile(10, "TxProfile", 8, kind="Relative", transactionId=1)) == {
        "status": "Accepted"
    }
    assert world.value("CHCUR") == 100
    assert world.call("SetChargingProfile", profile(12, "TxDefaultProfile", 8, kind="Relative"))["status"] == "Accepted"
    assert world.value("CHCUR") == 120
    assert world.call("ClearChargingProfile", {}) == {"status": "Accepted"}
    assert world.value("CHCUR") == 320
    # its switches
    assert world.call("RemoteStopTransaction", {"transactionId": 1}) == {"status": "Accepted"}
    world.run(10)
    assert world.call("RemoteStartTransaction", {"connectorId": 1, "idTag": "ha"}) == {"status": "Accepted"}
    assert world.run(30, lambda: world.server.statuses()[-1] == "Charging")
    assert world.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}) == {"status": "Scheduled"}
    assert world.call("UnlockConnector", {"connectorId": 1})["status"] in ("NotSupported", "UnlockFailed")
    assert world.call("Reset", {"type": "Hard"}) == {"status": "Accepted"}
    world.run(60)
    assert len(world.server.actions("BootNotification")) == 3

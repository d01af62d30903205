"""OCPP 1.6 Core at a simulated charger, as a central system sees it."""

from __future__ import annotations


def setting(server, name):
    return server.call(lambda model: model.get(name))


def test_it_boots_says_who_it_is_and_what_state_it_is_in(start, central):
    start(central)
    boot = central.wait("BootNotification").payload
    assert boot["chargePointVendor"] == "ESP32-EVSE" and boot["firmwareVersion"].startswith("v2")
    central.wait_status("Available", connector=0)
    central.wait_status("Available", connector=1)
    assert central.paths == ["/ocpp/GARAGE"]


def test_a_free_vend_charge_from_plug_to_plug(start, central, server, charger):
    start(central, tag="HOME")
    central.wait_status("Available")
    before = charger.snapshot.total_energy
    server.call(lambda model: model.car.plug())
    begin = central.wait("StartTransaction").payload
    assert begin["idTag"] == "HOME" and begin["connectorId"] == 1 and begin["meterStart"] == before
    central.wait_status("Charging")
    charged = len(central.heard)
    server.call(lambda model: model.car.unplug())
    end = central.wait("StopTransaction").payload
    assert end["reason"] == "EVDisconnected" and end["meterStop"] >= begin["meterStart"] and end["transactionId"] == 1
    central.wait_status("Available", after=charged)

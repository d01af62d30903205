"""The rule for two masters where people stand: the page's own data, REST and OCPP at one charger."""

from __future__ import annotations

from evse_host.bridge.page_view import view

from ..support import wait_until
from .test_charge_point import profile


def explanation(charger) -> str:
    return view(charger.snapshot, "")["explanation"]


def test_the_page_says_who_limits_and_a_persons_wish_returns(start, central, server, charger):
    start(central, tag="HOME")
    central.wait_status("Available")
    charger.set("CHCUR", 250).result(10)  # a person at the page
    server.call(lambda model: model.car.plug())
    central.wait_status("Charging")
    central.call("SetChargingProfile", profile(10))
    wait_until(lambda: charger.snapshot.charging_current == 10)
    wait_until(lambda: explanation(charger).endswith("Limited by the central system to 10 A."))
    central.call("SetChargingProfile", profile(0))
    wait_until(lambda: explanation(charger).startswith("Paused by the central system."))
    wait_until(lambda: charger.snapshot.flag("ENABLE") is False)
    charger.set("ENABLE", 0).result(10)  # the person pauses, too
    central.call("ClearChargingProfile", {})
    wait_until(lambda: explanation(charger).startswith("Somebody stopped"))
    wait_until(lambda: charger.snapshot.charging_current == 25)
    assert not charger.snapshot.flag("ENABLE")
    charger.set("ENABLE", 1).result(10)
    central.wait_status("Charging", after=len(central.heard) - 1)
    assert not central.on("StopTransaction")

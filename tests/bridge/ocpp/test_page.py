"""The rule for two masters where people stand: the page's own data, REST and OCPP at one charger."""

from __future__ import annotations

import pytest

from evse_host.bridge.page_view import view
from evse_host.bridge.silence import Fallback
from evse_host.bridge.watchdog import watch_connection

from ..support import wait_until
from .test_charge_point import profile


def explanation(charger) -> str:
    return view(charger.snapshot, "")["explanation"]


def test_the_page_says_who_limits_and_a_persons_wish_returns(start, central, server, charger):
    start(central, tag="HOME")
    central.wait_status("Available")
    charger.set("CHCUR", 250).result(20)  # a person at the page
    server.call(lambda model: model.car.plug())
    central.wait_status("Charging")
    central.call("SetChargingProfile", profile(10))
    wait_until(lambda: charger.snapshot.charging_current == 10)
    wait_until(lambda: explanation(charger).endswith("Limited by the central system to 10 A."))
    central.call("SetChargingProfile", profile(0))
    wait_until(lambda: explanation(charger).startswith("Paused by the central system."))
    wait_until(lambda: charger.snapshot.flag("ENABLE") is False)
    charger.set("ENABLE", 0).result(20)  # the person pauses, too
    central.call("ClearChargingProfile", {})
    wait_until(lambda: explanation(charger).startswith("Somebody stopped"))
    wait_until(lambda: charger.snapshot.charging_current == 25)
    assert not charger.snapshot.flag("ENABLE")
    paused = len(central.heard)
    charger.set("ENABLE", 1).result(20)
    central.wait_status("Charging", after=paused)
    assert not central.on("StopTransaction")


@pytest.mark.parametrize(("ampere", "fallen", "normal"), [(6.0, (60, 1), (160, 1)), (None, (160, 0), (160, 1))])
def test_a_central_system_that_is_silent_and_comes_back(start, central, server, charger, ampere, fallen, normal):
    """silence.py lets the charger fall; the central system's limit holds again when it is there."""
    values = lambda: server.call(lambda m: (m.value("CHCUR")[0], m.value("ENABLE")[0]))  # noqa: E731
    bridge = start(central, tag="HOME")
    central.wait_status("Available")
    central.call("SetChargingProfile", profile(16))
    wait_until(lambda: values() == normal)
    watchdog = watch_connection(bridge, charger, Fallback(0.3, ampere), "the central system")
    watchdog.start()
    try:
        central.stop()
        wait_until(lambda: values() == fallen)
        central.start()
        wait_until(lambda: values() == normal)
    finally:
        watchdog.stop()

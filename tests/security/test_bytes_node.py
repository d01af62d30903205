"""Bytes that are not UTF-8 in what the charger says: a client of the API must not be cut off."""

from __future__ import annotations

import pytest

from evse_host.simulator import Charger
from tools.run.clocked_node import ClockedCharger

#: name -> (what the charger shows, what Home Assistant sees)
TEXTS = {
    "a name of the air, in Latin 1": ("caf\udce9", "caf\ufffd"),
    "a name cut inside a character": ("x" * 30 + "\udcc3", "x" * 30 + "\ufffd"),
    "a flipped bit": ("ev\udcf3e", "ev\ufffde"),
    "UTF-8": ("Café 🚗", "Café 🚗"),
}


@pytest.mark.parametrize(("shown", "seen"), TEXTS.values(), ids=TEXTS.keys())
def test_a_client_stays_connected_and_sees_text(security_program, tmp_path, shown: str, seen: str) -> None:
    charger = Charger()
    for name in ("INSTNAME", "HOSTNAME", "DEVNAME"):
        charger.override(name, shown)
    charger.override("WIFISTACFG", 1, shown, "")
    with ClockedCharger(charger).node(security_program, tmp_path) as node:
        node.connect()
        for entity in ("Wi-Fi network", "Board", "Instance name", "Host name"):
            node.wait_for(entity, seen)

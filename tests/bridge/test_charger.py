"""One charger, one owner, at a simulated charger."""

from __future__ import annotations

from .support import wait_until


def test_a_change_at_the_charger_reaches_the_listeners(server, charger):
    heard = []
    charger.listen(heard.append)
    server.inject(lambda faults: faults.change_setting("CHCUR", 100))
    wait_until(lambda: heard and heard[-1].charging_current == 10)
    assert charger.snapshot == heard[-1]


def test_a_write_is_shown_before_its_future_is_done(server, charger):
    assert charger.set("CHCUR", 120).result(5) == (120,)
    assert charger.snapshot.charging_current == 12
    assert server.call(lambda model: model.value("CHCUR")) == (120,)

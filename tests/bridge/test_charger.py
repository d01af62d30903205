"""One charger, one owner, at a simulated charger: what bridges are promised, and every fault."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import tracemalloc
from concurrent.futures import CancelledError, wait
from itertools import dropwhile
from types import SimpleNamespace

import pytest

from evse_host.bridge import charger as module
from evse_host.bridge.charger import FAST, FAST_MS, SharedCharger, changes
from evse_host.bridge.counters import MAX_STEP, Counters
from evse_host.errors import MismatchError, NoAnswerError, PortError, UsageError
from evse_host.line.client import Evse
from evse_host.simulator import Charger, PtyServer

from .support import shared, wait_until


def commands(server: PtyServer, start: str) -> list[str]:
    return server.call(lambda model: [line for line in model.journal.commands if line.startswith(start)])


def subscriptions(server: PtyServer) -> set[str]:
    return server.call(lambda model: {one.name.strip("+") for one in model.subscriptions})


def block(charger: SharedCharger) -> threading.Event:
    """The charger is busy until the event is set."""
    busy, go_on = threading.Event(), threading.Event()
    charger.submit(lambda _: (busy.set(), go_on.wait(20)))
    assert busy.wait(10)
    return go_on


# --- what it shows ----------------------------------------------------------------------------------------------------


def test_everything_that_can_be_read_is_there(server, charger):
    values = charger.snapshot.values
    assert {"STATE", "CHCUR", "VER", "EMETERTOTCONSUM", "TEMP", "UPTIME", "CHIP"} <= values.keys()
    assert charger.snapshot.state == "C2" and charger.snapshot.power > 0
    assert not {"SERIAL0", "AUXINPUTS", "SERIALS"} & values.keys(), "what can hang the charger is never asked for"


def test_a_change_at_the_charger_reaches_the_listeners(server, charger):
    heard = []
    charger.listen(heard.append)
    server.inject(lambda faults: faults.change_setting("CHCUR", 100))
    wait_until(lambda: heard and heard[-1].charging_current == 10 and charger.snapshot == heard[-1])


def test_a_listener_that_has_gone_hears_no_more(server, charger):
    gone, stays = [], []
    charger.listen(gone.append)()
    charger.listen(stays.append)
    charger.set("CHCUR", 90).result(20)
    assert stays and not gone


def test_a_listener_that_fails_does_no_harm(charger, caplog):
    heard = []
    charger.listen(lambda _: 1 / 0)
    charger.listen(heard.append)
    charger.set("CHCUR", 90).result(20)
    assert heard[-1].charging_current == 9 and charger.snapshot.online
    assert "an error in a bridge" in caplog.text and "ZeroDivisionError" in caplog.text


def test_old_firmware_is_served_without_what_it_lacks(share):
    with PtyServer(Charger("v2.1.1")) as server:
        charger = share(server)
        assert "TZ" not in charger.snapshot.values and charger.snapshot.get("VER") == "v2.1.1"
        assert charger.set("CHCUR", 80).result(20) == (80,)


def test_asyncio_sees_the_changes(server, charger):
    async def second() -> float:
        seen = changes(charger)
        await anext(seen)
        server.inject(lambda faults: faults.change_setting("CHCUR", 70))
        async for snapshot in seen:
            if snapshot.charging_current == 7:
                await seen.aclose()
                return snapshot.charging_current
        raise AssertionError

    assert asyncio.run(asyncio.wait_for(second(), 10)) == 7
    assert not charger._listeners


# --- writes -----------------------------------------------------------------------------------------------------------


def test_a_write_is_shown_before_its_future_is_done(server, charger):
    assert charger.set("CHCUR", 120).result(20) == (120,)
    assert charger.snapshot.charging_current == 12
    assert server.call(lambda model: model.value("CHCUR")) == (120,)


def test_after_a_write_no_older_value_is_shown(server, charger):
    """Pushes from before the write lie in the queue when it is done."""
    shown = []
    charger.listen(lambda snapshot: shown.append(snapshot.get("CHCUR")))
    for current in range(60, 80):
        go_on = block(charger)
        server.inject(lambda faults: faults.to_client_now(b"\n+CHCUR=320\n"))
        wish = charger.set("CHCUR", current)
        go_on.set()
        wish.result(20)
    since = list(dropwhile(lambda current: current == 320, shown))
    assert list(dict.fromkeys(since)) == [*range(60, 80)] and since == sorted(since)


def test_a_value_out_of_range_is_not_sent(server, charger):
    with pytest.raises(UsageError, match="60 to 630"):
        charger.set("CHCUR", 640).result(20)
    assert commands(server, "AT+CHCUR=") == []


def test_what_the_charger_shows_instead_is_told(server, charger):
    server.call(lambda model: model.override("CHCUR", 160))
    with pytest.raises(MismatchError, match="shows 160"):
        charger.set("CHCUR", 100).result(20)
    assert len(commands(server, "AT+CHCUR=")) == 1


def test_two_writers_at_once_in_their_order(server, charger):
    go_on = block(charger)
    wishes = [charger.set("CHCUR", value) for value in (100, 110, 120, 130)]
    go_on.set()
    assert [wish.result(20) for wish in wishes] == [(100,), (110,), (120,), (130,)]
    assert commands(server, "AT+CHCUR=") == ["AT+CHCUR=100", "AT+CHCUR=110", "AT+CHCUR=120", "AT+CHCUR=130"]
    assert charger.snapshot.charging_current == 13


def test_writers_of_many_threads_are_all_told_the_truth(server, charger):
    wishes = {}

    def write(start: int) -> None:
        for value in range(start, start + 50, 10):
            wishes[value] = charger.set("CHCUR", value)

    writers = [threading.Thread(target=write, args=(start,)) for start in (60, 120, 180)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert {value: wish.result(20) for value, wish in wishes.items()} == {value: (value,) for value in wishes}
    last = commands(server, "AT+CHCUR=")[-1].partition("=")[2]
    assert charger.snapshot.get("CHCUR") == int(last)


def test_a_cancelled_wish_is_never_sent(server, charger):
    go_on = block(charger)
    wish = charger.set("CHCUR", 100)
    assert wish.cancel()
    go_on.set()
    assert charger.set("CHCUR", 110).result(20) == (110,)
    assert commands(server, "AT+CHCUR=") == ["AT+CHCUR=110"]
    with pytest.raises(CancelledError):
        wish.result(0)


def test_an_old_authorization_is_not_given(server, charger, monkeypatch):
    """While a write that was asked for before it is still wanted."""
    go_on = block(charger)
    wish, write = charger.run("AUTH"), charger.set("CHCUR", 110)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + module.RUN_EXPIRES_S))
    go_on.set()
    with pytest.raises(NoAnswerError, match="nothing was sent"):
        wish.result(20)
    assert write.result(20) == (110,)
    assert commands(server, "AT+AUTH") == []


def test_a_flood_of_wishes_is_refused_at_once(server, charger):
    go_on = block(charger)
    wishes = [charger.set("CHCUR", 100) for _ in range(module.MAX_JOBS)]
    with pytest.raises(NoAnswerError, match="is busy: 100 wait already; nothing was sent"):
        charger.set("CHCUR", 110).result(0)
    go_on.set()
    assert len(wait(wishes, 20).done) == module.MAX_JOBS and wishes[0].result() == (100,)
    assert "AT+CHCUR=110" not in commands(server, "AT+CHCUR=")


def test_authorization_is_sent_once(server, charger):
    charger.submit(lambda _: None).result(20)  # it has subscribed to everything
    charger.run("AUTH").result(20)
    assert commands(server, "AT+AUTH") == ["AT+AUTH"]


def test_a_job_with_an_error_of_its_own_harms_nobody(charger):
    with pytest.raises(ZeroDivisionError):
        charger.submit(lambda _: 1 / 0).result(20)
    assert charger.snapshot.online and charger.set("CHCUR", 100).result(20) == (100,)


def test_an_idle_charger_is_written_to_at_once(server, charger, monkeypatch):
    """Its thread is woken, and does not wait for the next push: there is none."""
    monkeypatch.setattr(module, "IDLE_S", 60.0)
    server.inject(lambda faults: faults.lose_subscriptions())
    for value in range(60, 71):
        charger.set("CHCUR", value).result(20)


# --- away -------------------------------------------------------------------------------------------------------------


def test_nothing_is_asked_before_it_starts(server):
    charger = shared(server)
    with pytest.raises(NoAnswerError, match="not connected yet"):
        charger.set("CHCUR", 100).result(0)
    charger.stop()
    assert server.call(lambda model: model.journal.entries) == []


def test_a_silent_charger_is_offline_and_comes_back(server, charger, caplog):
    server.inject(lambda faults: faults.cable_out())
    wait_until(lambda: not charger.snapshot.online)
    assert "does not answer" in charger.error
    with pytest.raises(NoAnswerError, match="is offline: the charger does not answer"):
        charger.set("CHCUR", 100).result(0)
    server.inject(lambda faults: faults.change_setting("CHCUR", 90))
    server.inject(lambda faults: faults.cable_in())
    wait_until(lambda: charger.snapshot.online)
    assert charger.snapshot.charging_current == 9
    assert commands(server, "AT+CHCUR=") == []
    wait_until(lambda: set(FAST) <= subscriptions(server))


def test_jobs_behind_a_silent_one_do_not_wait_for_it(server, charger):
    charger.submit(lambda _: None).result(20)  # it has subscribed to everything
    server.inject(lambda faults: faults.cable_out())
    wishes = [charger.set("CHCUR", 100) for _ in range(20)]
    assert len(wait(wishes, 15).done) == 20, "not a second and more for each"
    assert all(isinstance(wish.exception(), NoAnswerError) for wish in wishes)
    server.inject(lambda faults: faults.cable_in())
    wait_until(lambda: charger.snapshot.online)
    charger.set("CHCUR", 110).result(20)
    assert commands(server, "AT+CHCUR=") == ["AT+CHCUR=110"], "what failed is never executed later"


def test_a_port_that_vanishes_and_comes_back(tmp_path, share):
    link = tmp_path / "charger"
    with PtyServer(Charger(), link) as server:
        charger = share(server)
        go_on = block(charger)
        wishes = [charger.set("CHCUR", 100), charger.run("AUTH")]
    go_on.set()
    assert all(isinstance(wish.exception(10), NoAnswerError | PortError) for wish in wishes)
    wait_until(lambda: not charger.snapshot.online)
    wait_until(lambda: "no such file or directory: is it plugged in?" in charger.error)
    with PtyServer(Charger(), link) as server:
        wait_until(lambda: charger.snapshot.online)
        assert charger.set("CHCUR", 110).result(20) == (110,)
        assert commands(server, "AT+CHCUR=") == ["AT+CHCUR=110"] and commands(server, "AT+AUTH") == []
        charger.stop()


def test_while_it_stays_away_it_is_said_once(server, monkeypatch, caplog):
    monkeypatch.setattr(module, "BACK_OFF_S", (0.01,))
    attempts = []

    def open_evse():
        attempts.append(0)
        raise PortError(f"port x: attempt {len(attempts)}")

    charger = SharedCharger(open_evse, "garage")
    charger.start()
    wait_until(lambda: len(attempts) > 5)
    charger.stop()
    assert [record.getMessage() for record in caplog.records] == ["offline: port x: attempt 1"]
    assert caplog.records[0].name == "evse.garage"


def test_another_charger_at_the_same_port_has_its_own_values(tmp_path, share):
    link = tmp_path / "charger"
    with PtyServer(Charger(), link) as server:
        charger = share(server)
        assert "TZ" in charger.snapshot.values
    wait_until(lambda: not charger.snapshot.online)
    with PtyServer(Charger("v2.1.1"), link):
        wait_until(lambda: charger.snapshot.online)
        assert "TZ" not in charger.snapshot.values
        charger.stop()


@pytest.mark.parametrize("rdy_seen", [True, False])
def test_after_a_restart_everything_is_read_and_subscribed_again(server, share, rdy_seen, caplog):
    charger = share(server, timeout=5.0)
    charger.set("ENABLE", 0).result(20)
    charger.set("CHCUR", 80).result(20)
    server.inject(lambda faults: faults.reboot(rdy_seen))
    wait_until(lambda: charger.snapshot.get("ENABLE") == 1 and charger.snapshot.get("UPTIME") < 60)
    assert charger.snapshot.get("CHCUR") == server.call(lambda model: model.value("CHCUR"))[0] != 80
    assert "the charger has restarted" in caplog.text
    wait_until(lambda: set(FAST) <= subscriptions(server))
    assert not server.call(lambda model: model.journal.violations), "nothing is written while it boots"


def test_what_it_held_before_a_restart_is_never_shown_after_it(server, charger, monkeypatch):
    """Not even for the moment in which the doubt ends."""
    forget, shown = Evse.forget_silence, []
    monkeypatch.setattr(Evse, "forget_silence", lambda evse: (forget(evse), shown.append(charger.snapshot)))
    charger.set("CHCUR", 80).result(20)
    server.inject(lambda faults: faults.reboot())
    wait_until(lambda: shown)
    assert shown[0].online and shown[0].charging_current == 32


def test_after_a_restart_on_demand_a_write_waits_and_is_done(server, charger):
    server.call(lambda model: model.reboot(model.now))
    wait_until(lambda: charger.snapshot.get("UPTIME", 0) < 60)
    assert charger.set("CHCUR", 100).result(20) == (100,)
    assert not server.call(lambda model: model.journal.violations)


@pytest.mark.parametrize("lost", [("STATE",), ("TEMP", "POWER"), None])
def test_lost_subscriptions_are_made_again(server, charger, lost):
    wait_until(lambda: set(FAST) <= subscriptions(server))

    def lose(model: Charger) -> None:
        model.subscriptions[:] = [one for one in model.subscriptions if lost and one.name.strip("+") not in lost]

    server.call(lose)
    wait_until(lambda: set(FAST) <= subscriptions(server))
    assert charger.snapshot.online


# --- noise ------------------------------------------------------------------------------------------------------------


def test_noise_leaves_the_right_values_and_no_counter_that_fell(server, charger):
    totals = []
    charger.listen(lambda snapshot: totals.append(snapshot.total_energy))
    server.inject(lambda faults: faults.flip(0.004))
    for value in (100, 110, 120):
        wish = charger.submit(lambda evse, value=value: evse.set("CHCUR", value))
        wait([wish], 20)
    server.inject(lambda faults: faults.calm())
    wait_until(lambda: charger.snapshot.online)
    assert charger.set("CHCUR", 150).result(20) == (150,)
    truth = server.call(lambda model: {name: model.value(name) for name in ("STATE", "ENABLE", "MAXCHCUR", "DEVNAME")})
    wait_until(lambda: {name: charger.snapshot.values.get(name) for name in truth} == truth)
    assert totals == sorted(totals) and totals[-1] - totals[0] < MAX_STEP


def test_a_counter_is_believed_when_it_continues():
    counters = Counters()
    values = (5000, 5001, 9501, 5003, 5004, 4, 5005, 5006, 0, 0, 1)
    assert [value for value in values if counters.believes("UPTIME", (value,))] == [5001, 5004, 5006, 0, 1]
    assert counters.believes("CHCUR", (160,)) and counters.believes("CHCUR", (60,))


def test_a_forged_total_is_not_shown(server, charger):
    true = charger.snapshot.total_energy
    shown = []
    charger.listen(lambda snapshot: shown.append(snapshot.total_energy))
    server.inject(lambda faults: faults.to_client_now(b"\n+EMETERTOTCONSUM=99999999\n\n+CHCUR=70\n"))
    wait_until(lambda: charger.snapshot.get("UPTIME") and shown)
    charger.set("CHCUR", 150).result(20)
    assert all(true <= total < true + MAX_STEP for total in shown)


# --- the end ----------------------------------------------------------------------------------------------------------


def test_at_the_end_nothing_is_left_at_the_charger(server, charger):
    last = []
    charger.listen(last.append)
    wait_until(lambda: subscriptions(server))
    charger.stop()
    assert subscriptions(server) == set()
    assert last[-1].online is False and charger.error == "this program ends"
    with pytest.raises(NoAnswerError, match="this program ends"):
        charger.set("CHCUR", 100).result(0)
    charger.stop()


def test_a_foreign_subscription_stays(server, charger):
    """Ours end one by one."""
    server.call(lambda model: model.receive(b'AT+SUB="+SOCKETLOCK",5000\n', model.now))
    wait_until(lambda: "SOCKETLOCK" in subscriptions(server))
    charger.stop()
    assert subscriptions(server) == {"SOCKETLOCK"}


def test_waiting_jobs_fail_at_the_end(server, charger):
    go_on = block(charger)
    wish = charger.set("CHCUR", 100)
    charger.stop(wait=False)
    go_on.set()
    charger.stop()
    with pytest.raises(NoAnswerError, match="this program ends"):
        wish.result(0)
    assert commands(server, "AT+CHCUR=") == []


@pytest.mark.parametrize("after", [0.0, 0.01, 0.05, 0.2, 0.4])
@pytest.mark.parametrize("silent", [False, True])
def test_it_ends_at_any_moment(server, after, silent):
    server.inject(lambda faults: faults.cable_out() if silent else None)
    charger = shared(server)
    charger.start()
    threading.Event().wait(after)
    charger.stop()
    assert not charger._thread.is_alive(), "within STOP_TIMEOUT_S"
    assert subscriptions(server) == set()


def test_it_may_be_stopped_by_a_listener(server, charger, caplog):
    charger.listen(lambda _: charger.stop())
    charger.set("CHCUR", 100)
    wait_until(lambda: not charger._thread.is_alive())
    assert "error" not in caplog.text


def test_a_bug_in_the_way_is_told_and_survived(server, charger, monkeypatch, caplog):
    step = SharedCharger._step
    broken = [ZeroDivisionError("bug")]
    monkeypatch.setattr(
        SharedCharger, "_step", lambda self, evse: (broken and _raise(broken.pop())) or step(self, evse)
    )
    wait_until(lambda: "an error in this program" in caplog.text)
    wait_until(lambda: charger.snapshot.online)
    assert caplog.records[0].levelno == logging.ERROR


def _raise(error: Exception) -> None:
    raise error


# --- the library's part -----------------------------------------------------------------------------------------------


def test_waking_ends_the_waiting_for_pushes(server):
    with Evse.open(server.path) as evse:
        threading.Timer(0.1, evse.wake).start()
        begin = time.monotonic()
        assert list(evse.events(60)) == []
        evse.wake()
        assert list(evse.events(60)) == [], "called before"
        assert time.monotonic() - begin < 60
        assert evse.get("CHCUR") == (320,), "waking harms no question"
    evse.wake()


def test_months_of_pushes_take_no_memory(server):
    """Who only listens asks nothing that would begin anew."""
    with Evse.open(server.path) as evse:
        evse.get("STATE")
        lines = b"\n+EMETERPOWER=3680\n\nnobody asked\n\n+STATE=x\n" * 1000
        feed = lambda: evse._protocol.receive(lines, time.monotonic())  # noqa: E731
        feed()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            feed()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert grown < 1_000_000
        assert evse.get("CHCUR") == (320,)


def test_waiting_costs_nothing(server):
    """No asking again and again whether something has come."""
    with Evse.open(server.path) as evse:
        evse.get("STATE")
        before = time.thread_time()
        list(evse.events(1.0))
        assert time.thread_time() - before < 0.01


def test_a_car_that_leaves_is_pushed_fast_and_not_asked_for(server, charger):
    wait_until(lambda: set(FAST) <= subscriptions(server))
    assert {one.period for one in server.call(lambda model: list(model.subscriptions)) if one.name == "+STATE"} == {
        FAST_MS
    }
    server.call(lambda model: (model.journal.clear(), model.car.unplug()))
    wait_until(lambda: charger.snapshot.state == "A")
    assert commands(server, "AT+STATE?") == []


# --- who writes, and who forbids --------------------------------------------------------------------------------------


def test_writes_are_told_with_whose_they_are(charger):
    heard = []
    forget = charger.listen_to_writes(lambda *write: heard.append(write))
    charger.set("CHCUR", 100, by="me").result(20)
    charger.set("ENABLE", 0).result(20)
    assert heard == [("CHCUR", 100, "me"), ("ENABLE", 0, None)]
    with pytest.raises(UsageError):
        charger.set("CHCUR", 1).result(20)  # nothing was written
    forget()
    forget()
    charger.set("ENABLE", 1).result(20)
    assert len(heard) == 2


def test_what_a_central_system_forbids_is_in_the_snapshot(charger):
    charger.show_bound("paused by the central system")
    wait_until(lambda: charger.snapshot.bound == "paused by the central system")
    charger.show_bound("")
    wait_until(lambda: charger.snapshot.bound == "")


def test_the_energy_of_a_session_is_known_at_its_end(server, charger):
    server.call(lambda model: (model.journal.clear(), model.car.unplug()))
    wait_until(lambda: charger.snapshot.state == "A")
    wait_until(lambda: commands(server, "AT+EMETERTOTCONSUM?") != [])
    wait_until(lambda: (charger.snapshot.total_energy,) == server.call(lambda model: model.value("EMETERTOTCONSUM")))

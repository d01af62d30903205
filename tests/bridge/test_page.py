"""The web page in a real browser, at a simulated charger."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from evse_host.simulator import Charger, PtyServer

from .page_support import CONTRAST, DESKTOP, NARROW, PHONE, TARGETS, WAIT_MS, chromium, serving, text, wait_text
from .support import wait_until

LOST, SILENT = "The connection to this server is lost", "The charger does not answer"
SILENCE_S = 3600


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def idle() -> Iterator[PtyServer]:
    with PtyServer(Charger()) as running:
        yield running


@pytest.fixture
def look(browser: Browser) -> Iterator[Callable[..., Page]]:
    """``look(url, **context's options)`` opens the page and waits until it is live; at the end it must have asked
    nobody else, and have had no error of its own."""
    contexts, errors, asked = [], [], []

    def open_page(url: str, path: str = "/", **options) -> Page:
        contexts.append(browser.new_context(**{"viewport": PHONE, "reduced_motion": "reduce"} | options))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Policy" in said.text else None)
        page.on("request", lambda request: asked.append((request.url, url)))
        page.goto(f"{url}{path}")
        wait_text(page, "link", "Live")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert [address for address, url in asked if not address.startswith(url)] == []


@pytest.fixture
def page(charger, look) -> Iterator[Page]:
    """At a charger where a car is plugged in."""
    with serving(charger) as server:
        page = look(server.url)
        yield page
        page.close()  # or the server would wait for it


@pytest.fixture
def settings(charger, look) -> Iterator[Page]:
    """The page with the settings, of the same charger."""
    with serving(charger) as server:
        page = look(server.url, "/settings")
        yield page
        page.close()


def writes(server: PtyServer, name: str = "") -> list[str]:
    return server.call(lambda charger: charger.journal.writes(name))


def audit(page: Page, least: int = 15) -> None:
    """What a machine can find, in light and dark, on a phone and a desktop: axe's rules, the contrast of all texts,
    target sizes, nothing wider than the screen."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page, options={"resultTypes": ["violations"]})
        assert found.violations_count == 0, found.generate_report()
        contrast = page.evaluate(CONTRAST, 4.5)
        assert contrast["low"] == [] and contrast["count"] > least
    for size in (NARROW, PHONE, DESKTOP):
        page.set_viewport_size(size)
        assert page.evaluate(TARGETS, 44) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# --- at a glance


def test_a_session_is_followed_without_a_reload(idle, share, look) -> None:
    """A car comes, draws energy on two phases, has a fault and leaves: all without a reload."""
    with serving(share(idle)) as server:
        page = look(server.url)
        assert text(page, "headline") == "No car"
        idle.call(lambda charger: setattr(charger.car, "phases", 2))
        idle.call(lambda charger: charger.car.plug())
        wait_text(page, "headline", "Charging")
        wait_text(page, "power", "7.38 kW")
        wait_text(page, "explanation", "on 2 phases")
        assert page.locator("#currents td").all_inner_texts() == ["16.0 A", "16.0 A", "0.0 A"]
        assert page.locator("#voltages td").all_inner_texts()[:2] == ["230 V", "231 V"]
        wait_text(page, "session-energy", " Wh")
        assert re.fullmatch(r"\d+ s", text(page, "charging-time"))
        assert page.title() == "Charging: Simulated EVSE"

        idle.call(lambda charger: charger.point.set_fault("rcm_triggered"))
        wait_text(page, "faults", "Fault: Residual current")
        wait_text(page, "headline", "Fault")
        assert page.locator("#faults").get_attribute("role") == "alert"
        wait_text(page, "power", "0 W")
        idle.call(lambda charger: charger.override("ERROR", 0))
        idle.call(lambda charger: charger.override("STATE", 0))
        wait_text(page, "headline", "No car")
        page.wait_for_function("() => document.getElementById('faults').textContent === ''")


def test_texts_of_the_charger_are_texts(server, share, look) -> None:
    name = "<img src=x onerror=alert(1)>"
    server.call(lambda charger: charger.set("INSTNAME", name))
    with serving(share(server)) as http:
        page = look(http.url)
        dialogs = []
        page.on("dialog", lambda dialog: dialogs.append(dialog.dismiss()))
        wait_text(page, "name", name)
        assert text(page, "name") == name and page.title().endswith(name)
        assert page.locator("img").count() == 0 and dialogs == []


def test_the_policy_would_stop_a_script(charger, browser) -> None:
    """Even if a text became HTML, it could not run, and could not load anything."""
    with serving(charger) as server, browser.new_page() as page:
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(server.url)
        page.evaluate("""document.body.insertAdjacentHTML("beforeend",
            '<img src="http://127.0.0.1:9/x"><button id="injected" onclick="window.evil = 1">x</button>')""")
        page.evaluate("document.getElementById('injected').click()")
        assert page.evaluate("window.evil") is None
        assert sum("Content Security Policy" in text for text in said) >= 2


# --- all that it can show

#: What a charger may do, by what it says of itself: name -> (values, headline, what can be done).
STATES = {
    "no-car": ({}, "No car", []),
    "no-car-stopped": ({"ENABLE": 0}, "No car, stopped", ["toggle"]),
    "waiting-for-authorization": ({"STATE": 1, "PENDAUTH": 1}, "Waiting for authorization", ["authorize"]),
    "stopped": ({"STATE": 3, "ENABLE": 0}, "Stopped", ["toggle"]),
    "prepares": ({"STATE": 1}, "Car connected", []),
    "full": ({"STATE": 2}, "Car connected", ["toggle"]),
    "charging": ({"STATE": 4, "EMETERPOWER": 7245, "EMETERCURRENT": (10500, 10400, 10300),
                  "EMETERVOLTAGE": (230100, 229900, 231000), "CHCUR": 160}, "Charging", ["toggle"]),
    "limit": ({"STATE": 1, "LIMREACH": 1}, "Limit reached", []),
    "fault": ({"STATE": 7, "ERROR": 0x11}, "Fault", []),
    "out-of-service": ({"STATE": 8, "AVAILABLE": 0}, "Out of service", []),
}  # fmt: skip
#: Where to keep the pictures, to be looked at.
PICTURES = os.environ.get("EVSE_SCREENSHOTS", "")


@pytest.mark.parametrize("name", STATES)
def test_every_state_says_what_it_is_and_offers_what_can_be_done(idle, share, look, tmp_path, name) -> None:
    """Only what can be done has a button; readable in light and dark, on a phone and a desktop, and pictured."""
    values, headline, actions = STATES[name]
    for command, value in values.items():
        fields = value if isinstance(value, tuple) else (value,)
        idle.call(lambda charger, command=command, fields=fields: charger.override(command, *fields))
    with serving(share(idle)) as server:
        page = look(server.url)
        wait_text(page, "headline", headline)
        assert [id_ for id_ in ("toggle", "authorize") if page.is_visible(f"#{id_}")] == actions
        look_back_at_a_day(page)
        audit(page)
        folder = Path(PICTURES or tmp_path)
        for size in (PHONE, DESKTOP):
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                page.set_viewport_size(size)
                picture = page.screenshot(path=folder / f"{name}-{size['width']}-{scheme}.png", full_page=True)
                assert len(picture) > 10_000


A_DAY = {
    "start": 1_800_000_000, "step": 60,
    "power": [None] * 60 + [0] * 300 + [11_000] * 240 + [0] * 540 + [4_000] * 300,
    "energy": [None] * 360 + [11_000 * minute // 60 for minute in range(240)] + [None] * 540
    + [4_000 * minute // 60 for minute in range(300)],
    "sessions": [{"start": 1_800_021_600, "energy": 44_000, "duration": 14_400},
                 {"start": 1_799_900_000, "energy": 8_250, "duration": 7_260}],
}  # fmt: skip


def look_back_at_a_day(page: Page) -> None:
    page.wait_for_function("() => past !== null")  # its own
    page.evaluate(f"() => {{ past = {json.dumps(A_DAY)}; renderHistory(past); }}")


def test_the_day_is_drawn_and_said(page) -> None:
    look_back_at_a_day(page)
    assert text(page, "history-text") == "At most 11.0 kW."
    assert page.locator("#chart polyline.power").count() == 1  # unknown at its beginning only
    assert page.locator("#chart polyline.energy").count() == 2
    rows = page.locator("#sessions tbody tr").all_inner_texts()
    assert len(rows) == 2 and "4 h 0 min" in rows[0] and "44.00 kWh" in rows[0] and "2 h 1 min" in rows[1]
    assert not page.is_visible("#no-sessions")
    width = page.evaluate("byId('chart').getBoundingClientRect().width")
    drawn = page.evaluate("(({ x, width }) => ({ x, width }))(byId('chart').querySelector('polyline').getBBox())")
    assert drawn["x"] >= 0 and drawn["x"] + drawn["width"] <= width + 1


def test_the_first_minute_can_be_seen(page) -> None:
    """A line of one point has no length, and would not be drawn."""
    page.wait_for_selector("#chart polyline.power", state="attached")
    assert page.evaluate("document.querySelector('#chart polyline.power').getTotalLength()") >= 1


def test_a_session_that_has_ended_is_in_the_list(server, charger, look) -> None:
    """From the charger to the page; a session shorter than a minute counts for its energy."""
    with serving(charger) as http:
        page = look(http.url)
        wait_until(lambda: (charger.snapshot.session_energy or 0) > 80)
        server.call(lambda model: model.car.unplug())
        wait_text(page, "headline", "No car")
        page.evaluate("lookBack()")
        page.wait_for_selector("#sessions tbody tr")
        assert re.search(r"\d+ Wh", page.locator("#sessions tbody tr").inner_text())
        assert text(page, "history-text").startswith("At most")


def test_a_gateways_list_shows_what_each_does(server, charger, idle, share, look) -> None:
    with serving({"garage": charger, "yard": share(idle, "yard")}) as http:
        page = look(http.url)
        page.wait_for_function("() => document.querySelectorAll('#chargers li').length === 2")
        rows = page.locator("#chargers li")
        wait_until(lambda: "Charging" in rows.nth(0).inner_text() and "kW" in rows.nth(0).inner_text())
        wait_until(lambda: "No car" in rows.nth(1).inner_text())
        audit(page, least=4)
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / "list.png")
        server.inject(lambda faults: faults.silence(SILENCE_S))
        wait_until(lambda: "Does not answer" in rows.nth(0).inner_text())
        assert rows.nth(0).get_attribute("class") == "silent"
        rows.nth(1).get_by_role("link").click()
        wait_text(page, "headline", "No car")
        server.inject(lambda faults: faults.silence(0))
    assert writes(server) == writes(idle) == []


def test_it_can_be_put_on_a_home_screen(page) -> None:
    manifest = page.evaluate("fetch(document.querySelector('[rel=manifest]').href).then((answer) => answer.json())")
    assert manifest["display"] == "standalone" and manifest["start_url"] == "./"
    assert page.locator("meta[name=theme-color]").count() == 2


# --- what a person does


def test_stop_and_start_are_one_write_each(page, server) -> None:
    wait_text(page, "toggle", "Stop charging")
    page.click("#toggle")
    wait_text(page, "now-answer", "Charging is stopped.")
    wait_text(page, "headline", "Stopped")
    assert writes(server) == ["AT+ENABLE=0"]
    assert text(page, "toggle") == "Start charging"
    page.click("#toggle")  # Playwright waits until it is ready again
    server.wait_for(lambda charger: charger.point.enabled)
    wait_text(page, "toggle", "Stop charging")


def test_a_button_that_changes_under_the_finger_does_nothing(page, server) -> None:
    """Somebody else stops charging just before the press: it must not start it again."""
    page.evaluate("""() => {
        const stopped = { ...latest, enabled: false, action: "start", pending_authorization: true };
        source.onmessage({ data: JSON.stringify(stopped) });
        byId("toggle").click();
        byId("authorize").click();
    }""")
    assert text(page, "now-answer") == "" and writes(server) == []


def test_looking_writes_nothing(page, server) -> None:
    page.reload()
    wait_text(page, "link", "Live")
    assert writes(server) == []


def test_current_by_keyboard_is_one_write(page, server) -> None:
    page.focus("#current")
    page.clock.install(time=0)
    page.clock.pause_at(1)  # s: however slow the computer presses
    for key in ("ArrowLeft", "ArrowLeft", "ArrowDown", "PageDown"):
        page.keyboard.press(key)
    page.clock.resume()
    wait_text(page, "current-answer", "Set to 30.7 A.")
    assert writes(server) == ["AT+CHCUR=307"]
    page.keyboard.press("Home")
    wait_text(page, "current-answer", "Set to 6.0 A.")
    page.keyboard.press("PageUp")
    wait_text(page, "current-shown", "7.0 A")
    server.wait_for(lambda charger: charger.point.current == 70)


def test_current_by_pointer_is_whole_amperes_in_one_write(page, server) -> None:
    box = page.locator("#current").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] - 10, middle)
    page.mouse.down()
    for part in (0.8, 0.6, 0.5, 0.41):
        page.mouse.move(box["x"] + box["width"] * part, middle)
    assert writes(server) == []  # while it is held
    page.mouse.up()
    wait_text(page, "current-answer", "Set to ")
    (write,) = writes(server)
    assert write.endswith("0") and 130 <= int(write.removeprefix("AT+CHCUR=")) <= 190
    page.click("#less")
    wait_until(lambda: len(writes(server)) == 2)
    assert int(writes(server)[1].removeprefix("AT+CHCUR=")) == int(write.removeprefix("AT+CHCUR=")) - 1


def test_what_is_dragged_while_another_write_is_on_its_way_waits(page, server) -> None:
    """Only what was let go is sent, not what the finger passed."""
    page.evaluate("""() => {
        window.waiting = [];
        window.fetch = (path, { body }) => new Promise((done) => waiting.push([Number(body), done]));
        choose(20);
        sendCurrent();  // as after letting go
        choose(25);  // the next drag begins
        waiting[0][1](new Response("OK"));
    }""")
    wait_text(page, "current-answer", "Set to 20.0 A.")
    assert page.evaluate("waiting.map(([ampere]) => ampere)") == [20]
    page.evaluate("() => { choose(12); sendCurrent(); }")
    assert page.evaluate("waiting.map(([ampere]) => ampere)") == [20, 12]


def test_scrolling_over_the_slider_is_no_wish(charger, look, server) -> None:
    with serving(charger) as http:
        page = look(http.url, has_touch=True)
        page.evaluate("window.ended = 0; addEventListener('pointercancel', () => ended++)")
        page.evaluate("window.wishes = 0; byId('current').addEventListener('input', () => wishes++)")
        box = page.locator("#current").bounding_box()
        touch = page.context.new_cdp_session(page)
        x, y = box["x"] + box["width"] / 3, box["y"] + box["height"] / 2
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        for step in range(1, 8):
            point = {"x": x, "y": y - 20 * step}
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_function("() => window.ended && scrollY > 0")
        assert page.evaluate("[wish, settling, settled, sending]") == [None, 0, False, False]
        assert text(page, "current-shown") == "32.0 A" and page.input_value("#current") == "32"
        page.close()
    assert writes(server) == []


def test_the_slider_ends_at_the_chargers_maximum(page, server) -> None:
    assert page.locator("#current").get_attribute("max") == "32"
    server.call(lambda charger: charger.set("MAXCHCUR", 16))
    page.wait_for_function("() => document.getElementById('current').max === '16'")
    assert text(page, "current-shown") == "32.0 A, above the charger's maximum"


def test_a_refused_current_names_the_maximum(page, server) -> None:
    """Somebody lowers the maximum while the page still shows the old one."""
    page.evaluate("""() => {
        latest.maximum_current = 63;
        render();
        const range = byId("current");
        range.value = 40;
        range.dispatchEvent(new Event("input"));
        range.dispatchEvent(new Event("change"));
    }""")
    wait_text(page, "current-answer", "Not done")
    assert "6 to 32 A" in text(page, "current-answer")
    wait_text(page, "current-shown", "32.0 A")
    assert writes(server) == []


def test_only_a_car_that_waits_can_be_authorized(idle, share, look) -> None:
    idle.call(lambda charger: charger.set("REQAUTH", 1))
    with serving(share(idle)) as server:
        page = look(server.url)
        assert not page.is_visible("#authorize")
        idle.call(lambda charger: charger.car.plug())
        wait_text(page, "headline", "Waiting for authorization")
        page.wait_for_selector("#authorize:not([aria-disabled])")  # it has just come
        page.focus("#authorize")
        page.keyboard.press("Enter")
        wait_text(page, "now-answer", "Authorized.")
        wait_text(page, "headline", "Charging")
        assert not page.is_visible("#authorize")
        assert page.evaluate("document.activeElement.id") == "toggle"  # the keyboard is not lost
        assert idle.call(lambda charger: charger.journal.commands.count("AT+AUTH")) == 1


def test_a_limit_is_written_as_entered_and_shown_as_held(settings, server) -> None:
    page = settings
    for id_, entered, written, shown in (
        ("energy", "10,5", "AT+CONSUMLIM=10500", "Now: 10.5 kWh"),
        ("energy", "0.0001", "AT+CONSUMLIM=1", "Now: 0.001 kWh"),  # 0 would be none
        ("time", "90", "AT+CHTIMELIM=5400", "Now: 1 h 30 min"),
        ("under-power", "500", "AT+UNDERPOWERLIM=500", "Now: 500 W"),
    ):
        page.fill(f"#{id_}", entered)
        page.keyboard.press("Enter")
        wait_text(page, f"{id_}-now", shown)
        wait_text(page, f"{id_}-answer", "Done.")
        assert writes(server)[-1] == written
        assert page.input_value(f"#{id_}") == ""
    page.fill("#energy", "0")
    page.click("#energy-form button")
    wait_text(page, "energy-now", "Now: no limit")
    assert len(writes(server)) == 5


def test_a_limit_is_the_same_where_the_api_has_ws(server, charger, look) -> None:
    with serving(charger, energies="Ws") as http:
        page = look(http.url, "/settings")
        page.fill("#energy", "10.5")
        page.keyboard.press("Enter")
        wait_text(page, "energy-now", "Now: 10.5 kWh")
        page.close()
    assert writes(server) == ["AT+CONSUMLIM=10500"]


def test_what_is_no_number_is_not_sent(settings, server) -> None:
    page = settings
    for entered in ("", "-1", "ten", "1e3", "Infinity", "1,000,000"):
        page.fill("#energy", entered)
        page.click("#energy-form button")
        wait_text(page, "energy-answer", "Please enter a number")
        assert page.get_attribute("#energy", "aria-invalid") == "true"
        assert page.evaluate("document.activeElement.id") == "energy"
        page.evaluate("byId('energy-answer').textContent = ''")
    assert writes(server) == []


def test_what_the_charger_keeps_is_set_apart(settings, server) -> None:
    settings.fill("#default-current", "13.5")
    settings.keyboard.press("Enter")
    wait_text(settings, "default-current-now", "Now: 13.5 A")
    settings.fill("#default-energy", "12")
    settings.keyboard.press("Enter")
    wait_text(settings, "default-energy-now", "Now: 12 kWh")
    settings.click("#authorization")
    wait_text(settings, "authorization-now", "Now: needed")
    wait_text(settings, "authorization", "Do not require it")
    assert writes(server) == ["AT+DEFCHCUR=135", "AT+DEFCONSUMLIM=12000", "AT+REQAUTH=1"]


def test_what_the_server_refuses_is_said_in_words(settings, server) -> None:
    page = settings
    page.fill("#under-power", "65536")
    page.keyboard.press("Enter")
    wait_text(page, "under-power-answer", "Not done: 65536 is out of range, 0 to 65535 W")
    assert writes(server) == []


# --- what goes wrong


def test_while_the_charger_is_silent_nothing_can_be_pressed(page, server) -> None:
    server.inject(lambda faults: faults.silence(SILENCE_S))
    wait_text(page, "problem", SILENT)
    assert "The values below are from" in text(page, "problem")
    assert page.locator("body.old").count() == 1
    assert page.locator("main button:enabled, main input:enabled").count() == 0
    audit(page)
    server.inject(lambda faults: faults.silence(0))
    wait_text(page, "link", "Live")
    assert text(page, "problem") == "" and page.is_enabled("#toggle") and page.locator("body.old").count() == 0


def test_a_controller_that_is_silent_is_said(page, charger) -> None:
    charger.note("EVCC", "No word from EVCC for 60 s: charging is paused.")
    wait_text(page, "problem", "No word from EVCC for 60 s: charging is paused.")
    wait_until(lambda: page.is_enabled("#toggle"), "a person may start it")
    audit(page)
    charger.note("EVCC", "")
    wait_text(page, "problem", "")


def test_after_a_restart_the_page_shows_what_the_charger_holds(page, server) -> None:
    """It forgets what was set, and the page shows what is."""
    page.click("#toggle")
    wait_text(page, "headline", "Stopped")
    server.inject(lambda faults: faults.reboot())
    page.wait_for_function("() => latest.online && latest.enabled")
    wait_text(page, "link", "Live")
    assert page.is_enabled("#current") and writes(server) == ["AT+ENABLE=0"]


def test_two_people_see_the_same(page, server, look) -> None:
    other = look(page.url.rstrip("/"), viewport=DESKTOP)
    page.click("#toggle")
    wait_text(other, "toggle", "Start charging")
    other.click("#less")
    wait_text(page, "current-shown", "31.9 A")
    assert writes(server) == ["AT+ENABLE=0", "AT+CHCUR=319"]
    other.close()


def test_a_server_that_goes_and_comes_back(charger, look) -> None:
    with serving(charger) as server:
        page = look(server.url)
        page.focus("#less")
    wait_text(page, "problem", LOST)
    assert page.locator("body.old").count() == 1 and page.is_disabled("#toggle")
    assert page.evaluate("getComputedStyle(power).color !== getComputedStyle(document.body).color")
    with serving(charger, port=server.port):
        wait_text(page, "link", "Live")
        assert text(page, "problem") == "" and page.is_enabled("#toggle")
        assert page.evaluate("document.activeElement.id") == "less"  # a person at the keyboard goes on


def test_a_connection_that_dies_without_a_word(page) -> None:
    """As a phone that leaves the Wi-Fi: no error comes, only nothing."""
    page.clock.install()
    page.evaluate("connect()")  # its watchdog runs by that clock
    wait_text(page, "link", "Live")
    page.evaluate("source.onmessage = null")
    page.clock.fast_forward(12_500)
    wait_text(page, "problem", LOST)


def test_an_unsent_wish_dies_with_the_connection(page, server) -> None:
    page.clock.install()
    page.focus("#current")
    page.keyboard.press("ArrowLeft")
    assert text(page, "current-shown") == "31.9 A"
    page.evaluate("lose()")
    page.clock.fast_forward(1000)
    assert text(page, "current-shown") == "32.0 A" and writes(server) == []


def test_a_write_without_an_answer(page, charger) -> None:
    page.route("**/state/enabled", lambda route: route.abort())
    page.click("#toggle")
    wait_text(page, "now-answer", "The server did not answer. Look at what the charger shows")


def test_a_hidden_page_gives_its_connection_back(page, charger) -> None:
    """A browser has six connections for all its tabs."""
    hide = "(hidden) => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });" \
        " document.dispatchEvent(new Event('visibilitychange')); }"  # fmt: skip
    page.evaluate(hide, True)
    wait_until(lambda: len(charger._listeners) == 1, "the connection is closed")
    assert text(page, "problem") == ""
    page.evaluate(hide, False)
    wait_text(page, "link", "Live")


def test_with_credentials_page_and_writes_work(charger, look, server) -> None:
    with serving(charger, ("user", "secret")) as http:
        page = look(http.url, http_credentials={"username": "user", "password": "secret"})
        page.click("#toggle")
        wait_text(page, "toggle", "Start charging")
    assert writes(server) == ["AT+ENABLE=0"]


# --- for everybody


def test_no_rule_of_accessibility_is_broken_in_any_situation(idle, share, look) -> None:
    """Without a car; with a wrong entry, faults and an authorization to give; and cut off."""
    owner = share(idle)
    with serving(owner) as server:
        page = look(server.url, "/settings")
        audit(page)
        page.click("#energy-form button")
        audit(page)
        page.goto(f"{server.url}/")
        wait_text(page, "link", "Live")
        audit(page)
        for name, value in (("STATE", 1), ("PENDAUTH", 1), ("ERROR", 0x200 + 255)):
            idle.call(lambda charger, row=(name, value): charger.override(*row))
        page.wait_for_selector("#authorize:visible")
        wait_text(page, "faults", "number 9")
        audit(page)
    wait_text(page, "problem", LOST)
    audit(page)


def test_every_setting_has_its_label_and_unit(settings) -> None:
    for label in ("Energy limit, kWh", "Charging time limit, minutes", "Under-power limit, W", "Charging current, A",
                  "Usual energy limit, kWh"):  # fmt: skip
        assert settings.get_by_label(label, exact=True).count() == 1


def test_a_screen_reader_is_told_language_and_news(page) -> None:
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("#headline").evaluate("node => node.closest('[role=status]') !== null")
    assert page.get_by_role("slider", name="Charging current").count() == 1


def test_a_live_region_is_touched_only_by_news(page) -> None:
    """Otherwise a screen reader would read the same again, every five seconds."""
    page.evaluate("""() => {
        window.touched = 0;
        const watch = new MutationObserver((changes) => (window.touched += changes.length));
        for (const region of document.querySelectorAll("[role=status], [role=alert]")) {
            watch.observe(region, { childList: true, characterData: true, subtree: true });
        }
        for (let i = 0; i < 5; i++) source.onmessage({ data: JSON.stringify({ ...latest, power: i }) });
    }""")
    assert page.evaluate("window.touched") == 0


@pytest.mark.parametrize(("path", "least"), [("/", 5), ("/settings", 10)])
def test_tab_comes_to_every_control_and_shows_it(charger, look, path, least) -> None:
    """Tab comes to every control in the order of the page, and each shows that it has the focus."""
    with serving(charger) as server:
        page = look(server.url, path)
        everything = page.evaluate("[...document.querySelectorAll('a, button, input')]"
                                   ".filter((x) => x.getClientRects().length)"
                                   ".map((x) => x.id || x.ariaLabel || x.textContent)")  # fmt: skip
        seen = []
        for _ in everything:
            page.keyboard.press("Tab")
            seen.append(page.evaluate("(({ id, ariaLabel, textContent }) => id || ariaLabel || textContent)"
                                      "(document.activeElement)"))  # fmt: skip
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
        assert seen == everything and len(seen) >= least
        page.close()


def test_nothing_moves(page) -> None:
    assert page.evaluate("document.getAnimations().length") == 0
    assert (
        page.evaluate("""[...document.querySelectorAll("*")].filter((node) => {
        const { transitionDuration, animationName } = getComputedStyle(node);
        return animationName !== "none" || /[1-9]/.test(transitionDuration);
    }).length""")
        == 0
    )

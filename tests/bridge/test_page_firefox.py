"""The page's essentials in Firefox: what Chromium does is no proof for another engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .firefox_support import Firefox, firefox
from .page_support import CONTRAST, serving
from .rest_support import orders

DARK = {"layout.css.prefers-color-scheme.content-override": 0}
USER = ("home", "secret")


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Firefox]:
    """In the dark. Nothing on the page may be an error for it."""
    with firefox(tmp_path_factory.mktemp("firefox"), **DARK) as running:
        yield running
        assert running.errors == []


def test_live_in_the_dark_with_its_history(charger, browser):
    with serving(charger) as http:
        browser.go(f"{http.url}/")
        browser.wait_text("link", "Live")
        assert browser.text("headline") == "Charging" and browser.text("power").endswith("kW")
        browser.wait("document.querySelectorAll('#chart polyline.power').length > 0")
        assert "At most" in browser.text("history-text")
        assert browser.get("matchMedia('(prefers-color-scheme: dark)').matches") is True
        assert browser.get("getComputedStyle(document.body).backgroundColor") == "rgb(14, 20, 24)"
        assert browser.get(f"({CONTRAST})(4.5).low.length") == 0
        browser.go("about:blank")


def test_buttons_with_user_and_password_in_the_address(charger, server, browser):
    """As a bookmark or a wall tablet has it."""
    with serving(charger, USER) as http:
        browser.go(http.url.replace("://", f"://{USER[0]}:{USER[1]}@") + "/")
        browser.wait_text("link", "Live")
        browser.click("toggle")
        browser.wait_text("toggle", "Start charging")
        assert "Charging is stopped." in browser.text("now-answer")
        browser.click("less")
        browser.wait_text("current-shown", "31.9 A")
        browser.wait_text("current-answer", "31.9 A")
        browser.go("about:blank")
    assert orders(server) == ["ENABLE=0", "CHCUR=319"]


def test_a_limit_on_the_settings_page(charger, server, browser):
    with serving(charger) as http:
        browser.go(f"{http.url}/settings")
        browser.wait_text("link", "Live")
        browser.click("energy")
        browser.type("12,5\ue007")  # and Enter
        browser.wait_text("energy-now", "12.5 kWh")
        browser.go("about:blank")
    assert orders(server) == ["CONSUMLIM=12500"]

"""Where the page is opened from: an address with a password in it, real web servers in front, a frame in Home
Assistant. Each time it must be live, and its buttons must work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Frame, Page

from .page_support import WAIT_MS, chromium, serving, wait_text
from .proxies import caddy, ingress, needs_caddy, needs_nginx, nginx
from .rest_support import orders

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "bridges" / "web-page.md").read_text(encoding="utf-8")


BARE = "location / {{ proxy_pass http://127.0.0.1:{}; }}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def open_page(browser) -> Iterator:
    contexts = []

    def begin(url: str, **options) -> Page:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(url)
        return page

    yield begin
    for context in contexts:
        context.close()


def stop_charging(page: Page | Frame) -> None:
    page.wait_for_function("() => document.getElementById('link').textContent.includes('Live')", timeout=WAIT_MS)
    page.click("#toggle")
    page.wait_for_function("() => document.getElementById('toggle').textContent === 'Start charging'", timeout=WAIT_MS)


def snippet(language: str, number: int = 0) -> str:
    """Of the documentation."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)
    return found[number]


def test_an_address_with_user_and_password(charger, server, open_page):
    """As a bookmark or a wall tablet has it."""
    with serving(charger, ("home", "secret")) as http:
        page = open_page(http.url.replace("://", "://home:secret@") + "/")
        stop_charging(page)
        page.close()
    assert orders(server) == ["ENABLE=0"]


@needs_nginx
def test_the_page_works_behind_nginx_as_documented(charger, server, open_page, tmp_path):
    """The page's own path, events that are not held back, and writes."""
    with serving(charger, ("home", "secret")) as http:
        text = snippet("nginx").replace("127.0.0.1:8080", f"127.0.0.1:{http.port}")
        with nginx(tmp_path, text) as port:
            (path,) = re.findall(r"location (/\S+/) \{", text)
            page = open_page(f"http://127.0.0.1:{port}{path}",
                             http_credentials={"username": "home", "password": "secret"})  # fmt: skip
            stop_charging(page)
            page.close()
    assert orders(server) == ["ENABLE=0"]


#: What people put around it: the proxy's own password with buffers and gzip, and an ingress that calls the page by
#: another name.
AROUND = {
    "/evse/": """
        gzip on; gzip_types *; gzip_proxied any; gzip_min_length 0; proxy_buffering on; proxy_http_version 1.1;
        auth_basic evse; auth_basic_user_file {folder}/users; proxy_set_header Host $http_host;
    """,
    "/api/hassio_ingress/a1B2c3_-token/": """
        gzip on; gzip_types *; gzip_proxied any; proxy_http_version 1.1; proxy_set_header Host 127.0.0.1:{upstream};
        proxy_set_header X-Ingress-Path /api/hassio_ingress/a1B2c3_-token;
        proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Proto http;
    """,
}


@needs_nginx
@pytest.mark.parametrize("path", AROUND)
def test_nginx_with_what_people_put_around(charger, server, open_page, tmp_path, path):
    """Events are not held back, and writes are the page's own."""
    (tmp_path / "users").write_text("home:{PLAIN}secret\n")
    with serving({"garage": charger}) as http:
        options = AROUND[path].format(folder=tmp_path, upstream=http.port)
        with nginx(tmp_path, f"location {path} {{ {options} proxy_pass http://127.0.0.1:{http.port}/; }}") as port:
            page = open_page(f"http://127.0.0.1:{port}{path}garage",
                             http_credentials={"username": "home", "password": "secret"})  # fmt: skip
            stop_charging(page)
            page.click("text=Settings")
            page.wait_for_url("**/garage/settings")
            page.close()
    assert orders(server) == ["ENABLE=0"]


@needs_nginx
def test_a_bare_proxy_pass_is_told_what_it_leaves_out(charger, server, open_page, tmp_path, browser):
    """By a name, for then no browser vouches for the page; it shows, and says why it cannot write."""
    with (
        serving(charger) as http,
        nginx(tmp_path, f"location / {{ proxy_pass http://127.0.0.1:{http.port}; }}") as port,
    ):
        resolved = browser.browser_type.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--host-resolver-rules=MAP home.lan 127.0.0.1"]
        )
        try:
            page = resolved.new_page()
            page.goto(f"http://home.lan:{port}/")
            wait_text(page, "link", "Live")
            page.click("#toggle")
            wait_text(page, "now-answer", "proxy_set_header Host $http_host;")
        finally:
            resolved.close()
    assert orders(server) == []


@needs_caddy
def test_the_page_works_behind_caddy_as_documented(charger, server, open_page, tmp_path):
    with serving(charger, ("home", "secret")) as http:
        inside = re.search(r"\{\n(.*)\}\n", snippet("caddy"), re.DOTALL)[1]
        routes = inside.replace("127.0.0.1:8080", f"127.0.0.1:{http.port}")
        with caddy(tmp_path, routes) as port:
            (path,) = re.findall(r"handle_path (/\S+/)\*", routes)
            page = open_page(f"http://127.0.0.1:{port}{path}",
                             http_credentials={"username": "home", "password": "secret"})  # fmt: skip
            stop_charging(page)
            page.close()
    assert orders(server) == ["ENABLE=0"]


@needs_nginx
def test_the_add_on_as_documented(charger, server, open_page, tmp_path):
    """Home Assistant's ingress, nginx in the add-on, and the server beside it."""
    with serving(charger) as http:
        (inside,) = re.findall(r"listen 8099;\n(.*)\}\n", snippet("nginx", 1), re.DOTALL)
        here = inside.replace("172.30.32.2", "127.0.0.1").replace("127.0.0.1:8080", f"127.0.0.1:{http.port}")
        with nginx(tmp_path, here) as port, ingress(port) as (panel, _):
            page = open_page(panel)
            stop_charging(page.wait_for_selector("iframe").content_frame())
            page.close()
        strangers = inside.replace("127.0.0.1:8080", f"127.0.0.1:{http.port}")
        with nginx(tmp_path, strangers) as port:
            assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 403
    assert orders(server) == ["ENABLE=0"]


@pytest.mark.parametrize("framed", [True, False])
def test_the_page_works_in_home_assistants_ingress(charger, server, open_page, framed):
    with serving(charger) as http, ingress(http.port) as (panel, inside):
        page = open_page(panel if framed else f"{inside}/")
        frame = page.wait_for_selector("iframe").content_frame() if framed else page
        stop_charging(frame)
        page.close()
    assert orders(server) == ["ENABLE=0"]


def test_a_charger_of_a_gateway_without_a_slash_behind_a_path(charger, server, open_page):
    with serving({"garage": charger}) as http, ingress(http.port) as (_, inside):
        page = open_page(f"{inside}/garage")
        assert page.url == f"{inside}/garage/"
        stop_charging(page)
        page.close()
    assert orders(server) == ["ENABLE=0"]

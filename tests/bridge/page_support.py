"""The page's server, and Chromium to look at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from evse_host.bridge.rest_app import make_app
from evse_host.bridge.rest_server import RestServer
from tests.support import programs

NARROW = {"width": 320, "height": 568}
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 60_000

#: Colour contrast (WCAG) of every visible text against what is behind it, as [ratio, text] below ``least``.
CONTRAST = """(least) => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !element.getClientRects().length || element.disabled) continue;
    const [a, b] = [parse(getComputedStyle(element).color), behind(element)].map(luminance);
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text]);
  }
  return { count: found.length, low: found.filter(([ratio]) => ratio < least) };
}"""

#: Everything to press or to type into that is smaller than ``least`` CSS pixels, as [width, height, id or text].
TARGETS = """(least) => [...document.querySelectorAll("button, input, a, summary, select")]
  .filter((target) => target.getClientRects().length)
  .map((target) => [target.getBoundingClientRect(), target.id || target.textContent])
  .filter(([box]) => box.width < least || box.height < least)
  .map(([box, name]) => [box.width, box.height, name])"""


@contextmanager
def serving(charger, credentials=None, port: int = 0, energies: str = "Wh") -> Iterator[RestServer]:
    server = RestServer(make_app(charger, credentials, energies), port=port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def chromium() -> Iterator[Browser]:
    path = programs.require(*CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def text(page: Page, id_: str) -> str:
    return page.locator(f"#{id_}").inner_text()


def wait_text(page: Page, id_: str, wanted: str) -> None:
    """Waits until the element has ``wanted`` in its text."""
    page.wait_for_function(
        "([id, text]) => document.getElementById(id).textContent.includes(text)", arg=[id_, wanted], timeout=WAIT_MS
    )

"""What EVCC does with a `type: custom` charger: reads and writes by its HTTP and MQTT plugins, values through real jq.

Written after EVCC's own code (charger/charger.go, plugin/http.go, plugin/helper.go, plugin/getter.go, util/jq,
api/chargemodestatus.go as of 2026): an answer other than 200 or 204 is an error, `jq` must give exactly one result, and
the results are printed as Go's `%v` does before they are parsed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml

EXAMPLES = Path(__file__).resolve().parents[2] / "example_configs" / "evcc"
JQ = shutil.which("jq")
needs_jq = pytest.mark.skipif(JQ is None, reason="needs jq: apt-get install jq")

TRUE, FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")


class EvccError(Exception):
    """What EVCC would log and show."""


def jq(expression: str, text: str) -> str:
    """The one result, as Go's `%v` prints it."""
    done = subprocess.run([JQ, "-c", expression], input=text, capture_output=True, text=True)
    results = done.stdout.splitlines()
    if done.returncode or len(results) != 1:
        raise EvccError(f"jq: {done.stderr.strip() or results}")
    return printed(json.loads(results[0]))


def printed(value: object) -> str:
    """Go's `%v` of a string, number, boolean or nil."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "<nil>"
    return f"{value:.17g}" if isinstance(value, float) and value == int(value) else str(value)


def rendered(template: str, name: str, value: object) -> str:
    """A text with its value: `${name}`, `${name:%.1f}`, `{{.name}}`, `{{if .name}}a{{else}}b{{end}}`."""
    if not template:
        return printed(value)
    choice = re.compile(rf"{{{{\s*if \.{name}\s*}}}}(.*?){{{{\s*else\s*}}}}(.*?){{{{\s*end\s*}}}}")
    text = choice.sub(lambda match: match[1] if value else match[2], template)
    text = re.sub(rf"{{{{\s*\.{name}\s*}}}}", printed(value), text)
    text = re.sub(rf"\${{{name}(?::(%[\d.]*[a-z]))?}}", lambda m: m[1] % value if m[1] else printed(value), text)
    assert not re.search(r"\${|{{", text), f"EVCC cannot fill in {text}"
    return text


def status(text: str) -> str:
    """EVCC's A, B or C; everything else is an error."""
    text = text.strip("\0 ").upper()
    if text[:1] in ("A", "B"):
        return text[:1]
    if text[:1] in ("C", "D"):
        return "B" if text in ("C1", "D1") else "C"
    raise EvccError(f"invalid status: {text}")


def boolean(text: str) -> bool:
    if text not in TRUE + FALSE:
        raise EvccError(f"no boolean: {text!r}")
    return text in TRUE


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise EvccError(f"no number: {text!r}") from None


class Evcc:
    """One charger of an evcc.yaml. ``place`` stands in for the address in it; ``mqtt`` has
    ``get(topic, timeout)`` and ``publish(topic, payload)``."""

    def __init__(self, config: str | dict, place: Callable[[str], str] = str, mqtt=None) -> None:
        (self.config,) = (yaml.safe_load(config) if isinstance(config, str) else config)["chargers"]
        assert self.config.pop("type") == "custom"
        assert set(self.config) <= {
            "name", "status", "enabled", "enable", "maxcurrent", "maxcurrentmillis", "power", "energy", "currents",
            "voltages",
        }, "EVCC refuses unknown keys"  # fmt: skip
        self._place, self._mqtt = place, mqtt
        self._http = httpx.Client(timeout=10)  # EVCC's own limit

    def __enter__(self) -> Evcc:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # --- what EVCC asks for

    def status(self) -> str:
        return status(self._get(self.config["status"]))

    def enabled(self) -> bool:
        return boolean(self._get(self.config["enabled"]))

    def power(self) -> float:
        return number(self._get(self.config["power"]))

    def energy(self) -> float:
        """kWh."""
        return number(self._get(self.config["energy"]))

    def currents(self) -> list[float]:
        return self._phases("currents")

    def voltages(self) -> list[float]:
        return self._phases("voltages")

    def enable(self, on: bool) -> None:
        self._set("enable", on)

    def max_current(self, current: int) -> None:
        self._set("maxcurrent", current)

    def max_current_millis(self, current: float) -> None:
        self._set("maxcurrentmillis", current)

    # --- how

    def _phases(self, key: str) -> list[float]:
        assert len(self.config[key]) == 3, "EVCC: need one per phase, total three"
        return [number(self._get(source)) for source in self.config[key]]

    def _get(self, source: dict) -> str:
        if source["source"] == "mqtt":
            text = self._mqtt.get(source["topic"], float(source["timeout"].removesuffix("s")))
        else:
            assert source["source"] == "http"
            text = self._request("GET", source, source["uri"], None)
        return jq(source["jq"], text)

    def _set(self, key: str, value: object) -> None:
        target = self.config[key]
        if target["source"] == "mqtt":
            self._mqtt.publish(target["topic"], rendered(target.get("payload", ""), key, value))
            return
        uri, body = rendered(target["uri"], key, value), rendered(target.get("body", ""), key, value)
        self._request(target.get("method", "GET").upper(), target, uri, body)

    def _request(self, method: str, plugin: dict, uri: str, body: str | None) -> str:
        headers = {name: text for pairs in plugin.get("headers", []) for name, text in pairs.items()}
        auth = plugin.get("auth")
        try:
            answer = self._http.request(
                method, self._place(uri), content=None if method == "GET" else body, headers=headers,
                auth=(auth["user"], auth["password"]) if auth else None,
            )  # fmt: skip
        except httpx.HTTPError as error:
            raise EvccError(str(error)) from None
        if answer.status_code not in (200, 204):
            raise EvccError(f"unexpected status: {answer.status_code} ({answer.reason_phrase}): {answer.text}")
        return answer.text


def answers(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except EvccError:
        return False
    return True

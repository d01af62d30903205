"""The OpenAPI description is complete and true: schemathesis tries what it allows, and what it does not, with all its
checks on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from evse_host.bridge import rest
from evse_host.bridge.rest_app import make_app
from evse_host.simulator import Car, Charger, PtyServer

from .rest_support import API, serving, state
from .support import wait_until

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
EXAMPLES = os.environ.get("EVSE_SCHEMA_EXAMPLES", "5")  # of each operation
#: What takes a charger away for a while, or changes what is allowed elsewhere; and a number of 64 bits, which the tool
#: itself rounds.
EXCLUDED = "restart|/config/|/time"
USER = ("owner", "secret")


def test_what_is_described_is_what_is_done(share, tmp_path):
    with PtyServer(Charger(car=Car(plugged=True))) as server:
        server.call(lambda charger: charger.set("MAXCHCUR", 63))  # every described current is allowed
        charger = share(server)
        with serving(charger, USER) as client:
            command = [
                SCHEMATHESIS, "--no-color", "run", str(client.base_url.join(f"{API}/openapi.json")), "--checks", "all",
                "--exclude-path-regex", EXCLUDED, "--max-examples", EXAMPLES, "--seed", "1", "--warnings", "off",
                "--auth", ":".join(USER),
            ]  # fmt: skip
            environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / "hypothesis")}
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "15 selected / 23 total" in done.stdout
            assert int(re.search(r"(\d+) generated", done.stdout)[1]) > 200
            wait_until(lambda: charger.snapshot.online)
            client.auth = USER
            assert state(client)["state"]
        assert not server.call(lambda charger: charger.journal.violations)


def test_every_key_is_described(charger):
    paths = make_app(charger).openapi()["paths"]
    shown = paths[f"{API}/state"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert list(shown["properties"]) == shown["required"] == list(rest.state_json(charger.snapshot))
    written = paths[f"{API}/state"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(written["properties"]) == set(rest.settings())
    assert {f"{API}/state/{setting.path}" for setting in rest.settings().values()} < set(paths)


def test_credentials_are_described_only_where_they_are_needed(charger):
    assert "security" not in make_app(charger).openapi()
    document = make_app(charger, USER).openapi()
    assert document["security"] == [{"basic": []}]
    assert document["components"]["securitySchemes"] == {"basic": {"type": "http", "scheme": "basic"}}

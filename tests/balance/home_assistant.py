"""What Home Assistant makes of the heartbeat that people copy."""

from __future__ import annotations

from types import SimpleNamespace

import jinja2
import yaml

from tests.examples import configs

HEARTBEAT = yaml.safe_load((configs.EXAMPLES / "home_assistant/meter_heartbeat.yaml").read_text())
(SENSOR,) = HEARTBEAT["template"][0]["sensor"]
_environment = jinja2.Environment()
_environment.filters["as_timestamp"] = lambda moment: moment
_template = _environment.from_string(SENSOR["state"])


def beat(*reported: float) -> str:
    """The sensor's state when the phases were heard at these moments, in s since 1970."""
    return _template.render(expand=lambda *names: [SimpleNamespace(last_reported=moment) for moment in reported])

"""YAML as people keep it: values on one line, texts always in quotes."""

from __future__ import annotations

import yaml


def scalar(value: int | str) -> str:
    """On one line, a text in quotes: `no`, `1e3` and `null` are good network names."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    readable = value.isprintable()
    return yaml.safe_dump(value, default_style='"', allow_unicode=readable, width=float("inf")).splitlines()[0]

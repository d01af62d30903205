"""The load manager's catalog, read from its file: importing the component would need a running ESPHome."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / "components/esp32evse_load_manager/catalog.py"

_spec = importlib.util.spec_from_file_location("esp32evse_load_manager_catalog", PATH)
catalog = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = catalog
_spec.loader.exec_module(catalog)

"""The component's catalog, readable without ESPHome: ``from evse_host.catalog import COMMANDS, COMMAND, STATES``.

An installed package carries the component, put there by the build; in a checkout the component's own file is loaded.
Both have the same module name, so that they look alike.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

_NAME = "evse_host._catalog"
_HERE = Path(__file__).resolve()
_PLACES = tuple(home / "components/esp32evse/catalog.py" for home in (_HERE.parent, _HERE.parents[2]))


def _load() -> ModuleType:
    path = next(filter(Path.is_file, _PLACES), None)
    if path is None:
        raise ImportError(f"the catalog is neither at {' nor at '.join(map(str, _PLACES))}")
    spec = importlib.util.spec_from_file_location(_NAME, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module  # dataclasses look their module up while it is being executed
    spec.loader.exec_module(module)
    return module


_module = _load()
__all__ = [name for name in vars(_module) if not name.startswith("_")]
globals().update({name: getattr(_module, name) for name in __all__})

if TYPE_CHECKING:
    from esp32evse.catalog import *  # noqa: F403

"""The component's catalog, readable without ESPHome: ``from evse_host.catalog import COMMANDS, COMMAND, STATES``.

An installed package carries a copy beside this file (``_catalog.py``, put there by the build). In a checkout that copy
does not exist and the component's own file is loaded, under the same module name, so that both look alike.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

_NAME = "evse_host._catalog"
_CHECKOUT = Path(__file__).resolve().parents[2] / "components" / "esp32evse" / "catalog.py"


def _load() -> ModuleType:
    try:
        return importlib.import_module(_NAME)
    except ModuleNotFoundError:
        if not _CHECKOUT.is_file():
            raise ImportError(f"the catalog is neither installed with evse_host nor at {_CHECKOUT}") from None
    spec = importlib.util.spec_from_file_location(_NAME, _CHECKOUT)
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

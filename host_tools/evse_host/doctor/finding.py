"""What the doctor says at each step."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any


class Status(enum.Enum):
    OK = "ok"
    NOTE = "note"  # worth knowing, nothing to repair
    WARNING = "warning"  # works, but should be repaired
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """``seen`` is the observation, ``means`` what follows from it, ``do`` the remedy; ``data`` the numbers."""

    step: str
    status: Status
    seen: str
    means: str = ""
    do: str = ""
    data: dict[str, Any] = field(default_factory=dict)

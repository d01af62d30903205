"""Passwords and tokens that lie in files, so that no command line and no configuration shows them."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError

MAX_SECRET_BYTES = 1000


def read_secret(file: Path) -> str:
    """The first line of a file. Raises UsageError."""
    try:
        lines = file.read_bytes()[:MAX_SECRET_BYTES].decode().splitlines()
    except OSError as error:
        raise UsageError(f"{file}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: it is not UTF-8 text") from None
    if not lines or not lines[0]:
        raise UsageError(f"{file}: its first line is empty")
    return lines[0]

"""Passwords and tokens that lie in files, so that no command line and no configuration shows them."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import UsageError

MAX_SECRET = 1000
MAX_FILE_BYTES = 100_000


def read_secret(file: Path) -> str:
    """The first line of a file. Raises UsageError."""
    try:
        data = file.read_bytes()
        secret = first_line(data[:MAX_FILE_BYTES].decode())
    except OSError as error:
        raise UsageError(f"{file}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: it is not UTF-8 text") from None
    if not secret:
        raise UsageError(f"{file}: its first line is empty")
    if len(secret) > MAX_SECRET:
        raise UsageError(f"{file}: its first line is longer than {MAX_SECRET} characters: is it the right file?")
    return secret


def first_line(text: str) -> str:
    """Without what editors and shells put around a secret: a byte order mark, and the end of the line."""
    return re.split("[\r\n]", text.removeprefix("\ufeff"), maxsplit=1)[0]

"""Passwords and tokens that lie in files, so that no command line and no configuration shows them.

Some people type the secret where its file's name belongs: a name is repeated only if there is such a file.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import UsageError

MAX_SECRET = 1000
MAX_FILE_BYTES = 100_000
NO_FILE = "there is no such file; the name is not repeated here, for it may be the secret itself"


def read_secret(file: Path) -> str:
    """The first line of a file. Raises UsageError."""
    try:
        data = file.read_bytes()
        secret = first_line(data[:MAX_FILE_BYTES].decode())
    except OSError as error:
        raise UsageError(f"{file}: {(error.strerror or str(error)).lower()}" if _exists(file) else NO_FILE) from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: it is not UTF-8 text") from None
    except ValueError:  # a NUL in it
        raise UsageError(NO_FILE) from None
    if not secret:
        raise UsageError(f"{file}: its first line is empty")
    if len(secret) > MAX_SECRET:
        raise UsageError(f"{file}: its first line is longer than {MAX_SECRET} characters: is it the right file?")
    return secret


def require_file(what: str, file: str) -> None:
    """``what`` it is, such as a certificate; "" for ``file`` is none. Raises UsageError if there is no such file."""
    if file and not _exists(Path(file)):
        raise UsageError(f"{what}: {NO_FILE}")


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:  # nobody may look into its folder, or no system has such a name
        return False


def first_line(text: str) -> str:
    """Without what editors and shells put around a secret: a byte order mark, and the end of the line."""
    return re.split("[\r\n]", text.removeprefix("\ufeff"), maxsplit=1)[0]

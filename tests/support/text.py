"""What the component shows of a string that is not UTF-8: ESPHome's API could not carry it."""

from __future__ import annotations

MAX_BYTES = 128


def shown_text(data: bytes) -> bytes:
    """U+FFFD for what is none, as Python and the Unicode Standard replace it; whole characters, up to MAX_BYTES."""
    shown = data.decode("utf-8", "replace").encode()
    return shown[:MAX_BYTES].decode("utf-8", "ignore").encode()

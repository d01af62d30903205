"""What the component shows of a string that is not UTF-8: ESPHome's API could not carry it."""

from __future__ import annotations

import re

UTF8 = re.compile(
    rb"(?:[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})*"
)  # up to forms that are longer than need be


def shown_text(data: bytes) -> bytes:
    """From the left, bytes of more than 7 bits become `?` until the rest is UTF-8."""
    shown = bytearray(data)
    for at, byte in enumerate(data):
        if UTF8.fullmatch(shown):
            break
        if byte > 0x7F:
            shown[at] = ord("?")
    return bytes(shown)

"""Hides secrets in what is said about what a person typed: messages, logs, errors in configurations. Pure.

An address is often typed wrong exactly where it holds a password, so nothing here relies on its being right.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "***"

_SCHEME = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]*)?[:;]?[/\\]{1,3}")
_NUMBERED = re.compile(r"\[?[0-9A-Fa-f:.]+\]?(?::[0-9]*)?/?")  # an IPv6 address, a time
_BEGIN = re.compile(r"[:=#](?![0-9]*(?:[:/?#]|$))")  # of what is neither a port nor a path
_IN_TEXT = re.compile(r"((?:[A-Za-z][A-Za-z0-9+.-]*:)?/*)[^\s'\"]*(?::|%3[Aa])[^\s'\"]*(?:@|%40)[^\s'\"]*")
_MAX_ENCODINGS = 5


def hide(typed: object) -> str:
    """``typed`` without what may be a user, a password or a token in it: all that stands with an @, and what follows a
    colon or an equals sign and is no port."""
    text = _decoded(str(typed))
    scheme = match[0] if (match := _SCHEME.match(text)) else ""
    rest = text[len(scheme) :]
    if "@" in rest:
        return scheme + HIDDEN
    begin = None if _NUMBERED.fullmatch(rest) else _BEGIN.search(rest)
    return scheme + rest[: begin.end()] + HIDDEN if begin else text


def shown(typed: object) -> str:
    """In quotes, for an error: `'mqtt://***'`."""
    return repr(hide(typed)) if isinstance(typed, str) else hide(typed)


def hide_in(message: str) -> str:
    """The last net, for messages that others have made: words in them that look like user:password@host."""
    return _IN_TEXT.sub(lambda match: match[1] + HIDDEN, message)


def _decoded(text: str) -> str:
    """Percent signs are no hiding place."""
    for _ in range(_MAX_ENCODINGS):
        text, before = unquote(text, errors="replace"), text
        if text == before:
            break
    return text

"""Who may charge: the central system's local list, and the cache of its answers. Pure; tags know no case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .configuration import MAX_LIST, MAX_SEND_LIST

ACCEPTED, EXPIRED, INVALID = "Accepted", "Expired", "Invalid"
MAX_CACHE = 1000


@dataclass(frozen=True)
class TagInfo:
    """``status`` in the words of OCPP 1.6; ``expiry`` is a moment, ``parent`` the group."""

    status: str
    expiry: float | None = None
    parent: str | None = None

    def now(self, moment: float) -> TagInfo:
        if self.status == ACCEPTED and self.expiry is not None and moment >= self.expiry:
            return TagInfo(EXPIRED, self.expiry, self.parent)
        return self


def same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one.casefold() == other.casefold()


class Authorization:
    """Saved as what ``as_dict`` gives."""

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        saved = saved or {}
        self.version: int = saved.get("version", 0)
        self._list = {tag: TagInfo(**info) for tag, info in saved.get("list", {}).items()}
        self._cache = {tag: TagInfo(**info) for tag, info in saved.get("cache", {}).items()}

    def as_dict(self) -> dict[str, Any]:
        tables = {"list": self._list, "cache": self._cache}
        return {
            "version": self.version,
            **{name: {tag: asdict(info) for tag, info in table.items()} for name, table in tables.items()},
        }

    def known(self, tag: str, moment: float, use_list: bool, use_cache: bool) -> TagInfo | None:
        """What is known here; the list counts before the cache."""
        tag = tag.casefold()
        info = (self._list.get(tag) if use_list else None) or (self._cache.get(tag) if use_cache else None)
        return info and info.now(moment)

    # --- the cache

    def learn(self, tag: str, info: TagInfo) -> None:
        tag = tag.casefold()
        self._cache.pop(tag, None)
        self._cache[tag] = info
        while len(self._cache) > MAX_CACHE:
            self._cache.pop(next(iter(self._cache)))

    def clear_cache(self) -> None:
        self._cache.clear()

    # --- the list

    def update(self, version: int, full: bool, entries: Iterable[tuple[str, TagInfo | None]]) -> str:
        """The answer to SendLocalList; an entry without info is removed by a differential update. All or nothing."""
        entries = list(entries)
        if version <= 0 or len(entries) > MAX_SEND_LIST or (full and any(info is None for _, info in entries)):
            return "Failed"
        if not full and version <= self.version:
            return "VersionMismatch"
        tags = [tag.casefold() for tag, _ in entries]
        if len(set(tags)) < len(tags):
            return "Failed"
        new = {} if full else dict(self._list)
        for tag, info in entries:
            new.pop(tag.casefold(), None)
            if info is not None:
                new[tag.casefold()] = info
        if len(new) > MAX_LIST:
            return "Failed"
        self._list, self.version = new, version
        return ACCEPTED

"""Who may charge: by what is known here, by what the central system says, or by whom a place is reserved for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from . import outbox as out
from .authorization import ACCEPTED, TagInfo, same
from .profiles import Profile
from .situation import AUTH, Order, Situation

DEFAULT_TAG = "FREEVEND"
AUTH_RETRY_S, AUTH_TRIES = 10.0, 3


@dataclass(frozen=True)
class Guest:
    """Somebody who was authorized, and whose transaction has not begun yet."""

    tag: str
    until: float
    remote_start: int | None = None  # the id of 2.0.1
    profile: Profile | None = None  # for its transaction


class Guests:
    """``guest`` is who may charge now."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self.guest: Guest | None = None
        self._question: dict[str, Any] | None = None  # that the central system has not answered yet
        self._asked_home = False  # the home tag was presented in this session
        self._auth_tries, self._auth_at = 0, 0.0

    @property
    def home_tag(self) -> str:
        return self._situation.settings.tag or DEFAULT_TAG

    @property
    def knows_session(self) -> bool:
        """Something has happened in it that nothing of the next one follows from."""
        return self._asked_home or bool(self._auth_tries)

    def forget_session(self) -> None:
        """The car is gone."""
        self._asked_home, self._auth_tries, self._auth_at = False, 0, 0.0
        if self._question and same(self._question["tag"], self._situation.settings.tag):
            self._situation.outbox.withdraw(out.AUTHORIZE, self._question["tag"])
            self._question = None

    def expire(self, now: float) -> None:
        if self.guest and now >= self.guest.until:
            self.guest = None

    def seek(self, now: float) -> None:
        """A car waits, and the charger wants somebody's word."""
        settings = self._situation.settings
        if self.guest is None and settings.free_vend and self.may_use_reserved(self.home_tag):
            self.guest = Guest(self.home_tag, self._patience(now))
        if self.guest is None and settings.tag and not self._asked_home:
            self._asked_home = True
            if self.may_use_reserved(settings.tag):
                self.authorize(settings.tag, now)
        if self.guest and self._auth_tries < AUTH_TRIES and now >= self._auth_at:
            self._auth_tries, self._auth_at = self._auth_tries + 1, now + AUTH_RETRY_S
            self.guest = replace(self.guest, until=max(self.guest.until, now + AUTH_RETRY_S))
            self._situation.orders.append(Order(AUTH))

    def start(self, tag: str, now: float, number: int | None, profile: Profile | None) -> None:
        """The central system wants ``tag`` to charge; whether it has to be asked once more, it has configured."""
        if self._situation.configuration.flag("AuthorizeRemoteTxRequests"):
            self.authorize(tag, now, number, profile)
        else:
            self._welcome(Guest(tag, self._patience(now), number, profile))

    def authorize(self, tag: str, now: float, remote_start: int | None = None, profile: Profile | None = None) -> None:
        """Lets ``tag`` charge if it may: by what is known here, or by what the central system says."""
        question: dict[str, Any] = {"tag": tag, "remote_start": remote_start, "profile": profile}
        if self._is_known_as_accepted(tag, now):
            self._welcome(Guest(**question, until=self._patience(now)))
        else:
            self._question = question
            self._situation.outbox.ask(out.AUTHORIZE, tag, **question)  # now, or when it is back

    def decide_offline(self, now: float) -> None:
        """The line has died while the central system was asked."""
        question = self._question
        if question and not self._situation.connected and self._is_known_as_accepted(question["tag"], now):
            self._question = None
            self._situation.outbox.withdraw(out.AUTHORIZE, question["tag"])
            self._welcome(Guest(**question, until=self._patience(now)))

    def authorized(self, question: dict[str, Any], info: TagInfo, now: float) -> None:
        """The central system's answer."""
        situation, tag, self._question = self._situation, question["tag"], None
        self.learn(tag, info)
        accepted = info.now(now).status == ACCEPTED and self.may_use_reserved(tag, info.parent)
        gone = same(tag, situation.settings.tag) and not situation.is_in_session  # the car that the home tag was for
        if accepted and not gone and situation.transaction is None:
            self._welcome(Guest(**question, until=self._patience(now)))

    def learn(self, tag: str, info: TagInfo) -> None:
        if self._situation.configuration.flag("AuthorizationCacheEnabled"):
            self._situation.authorization.learn(tag, info)
            self._situation.save_authorization()

    def may_use_reserved(self, tag: str, parent: str | None = None) -> bool:
        reservation = self._situation.reservation
        if reservation is None or same(tag, reservation["tag"]):
            return True
        if parent is None and (known := self._situation.authorization.known(tag, 0.0, True, True)):
            parent = known.parent
        return same(parent, reservation.get("parent"))

    def _is_known_as_accepted(self, tag: str, now: float) -> bool:
        situation, configuration = self._situation, self._situation.configuration
        online = situation.connected and situation.outbox.is_accepted
        known = situation.authorization.known(
            tag, now, configuration.flag("LocalAuthListEnabled"), configuration.flag("AuthorizationCacheEnabled")
        )
        if known is None:
            return not online and configuration.flag("AllowOfflineTxForUnknownId")
        local = configuration.flag("LocalPreAuthorize" if online else "LocalAuthorizeOffline")
        return local and known.status == ACCEPTED

    def _patience(self, now: float) -> float:
        return now + self._situation.configuration.number("ConnectionTimeOut")

    def _welcome(self, guest: Guest) -> None:
        self.guest = guest
        self._auth_tries, self._auth_at = 0, 0.0

"""The charging profiles that the central system has installed, kept in the journal, and their limit of now."""

from __future__ import annotations

from typing import Any

from . import profiles as calc
from .journal import Journal, Transaction
from .profiles import Profile, Supply


class InstalledProfiles:
    """Times are seconds since 1970. ``due`` is when the limit may change next; None: not by itself."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._profiles = [Profile.of(saved) for saved in journal.fact("profiles", [])]
        self.due: float | None = 0.0

    def look_again(self) -> None:
        """What the limit depends on is another now."""
        self.due = 0.0

    def install(self, profile: Profile) -> str | None:
        """Why not, or None: then it holds from now on."""
        if problem := calc.problem(profile):
            return problem
        installed = calc.install(self._profiles, profile)
        if len(installed) > calc.MAX_PROFILES:
            return f"{calc.MAX_PROFILES} profiles are installed already"
        self._keep(installed)
        return None

    def bring(self, profile: Profile) -> None:
        """One that came with the start of its transaction, and was looked at then."""
        self._keep(calc.install(self._profiles, profile))

    def clear(self, **criteria: Any) -> bool:
        """Whether there was one."""
        left = calc.clear(self._profiles, **criteria)
        found = len(left) < len(self._profiles)
        self._keep(left)
        return found

    def composite(
        self, duration: int, unit: str, now: float, transaction: Transaction | None, supply: Supply
    ) -> list[calc.Period]:
        profiles = self._effective(transaction)
        return calc.composite(profiles, now, duration, unit, _began(transaction), supply)

    def limit(self, now: float, transaction: Transaction | None, supply: Supply) -> float | None:
        """In A, until ``due``."""
        profiles, began = self._effective(transaction), _began(transaction)
        self.due = calc.next_change(profiles, now, began)
        limit = calc.limit_at(profiles, now, began, supply)
        return limit[0] if limit else None

    def _keep(self, profiles: list[Profile]) -> None:
        self._profiles = profiles
        self._journal.keep("profiles", [profile.as_dict() for profile in profiles])
        self.look_again()

    def _effective(self, transaction: Transaction | None) -> list[Profile]:
        """A TxProfile that names another transaction than the one that runs is none of it."""
        names = (None, transaction.remote, transaction.uuid) if transaction else (None,)
        return [profile for profile in self._profiles if profile.transaction in names]


def _began(transaction: Transaction | None) -> float | None:
    return transaction.began if transaction else None

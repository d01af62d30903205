"""What can go wrong, for a person in one line and for a script as an exit code.

0 done, 1 anything else, 2 wrong usage or value, 3 no port, 4 no answer, 5 refused by the charger or too dangerous,
6 the charger shows something else after a write, 130 Ctrl-C.
"""


class EvseError(Exception):
    """``str(error)`` is one line that says what is wrong and what to do."""

    exit_code = 1


class UsageError(EvseError):
    """An unknown name, or a value out of range: nothing was sent."""

    exit_code = 2


class PortError(EvseError):
    """The port is missing, busy, forbidden or gone."""

    exit_code = 3


class NoAnswerError(EvseError):
    """The charger is silent."""

    exit_code = 4


class RefusedError(EvseError):
    """The charger said ERROR, or this is too dangerous to be sent."""

    exit_code = 5


class MismatchError(EvseError):
    """After a write the charger shows something else."""

    exit_code = 6

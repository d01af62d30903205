"""What can go wrong, for a person in one line and for a script as an exit code; 0 is done, 130 Ctrl-C."""


class EvseError(Exception):
    """Anything else. ``str(error)`` is one line that says what is wrong and what to do."""

    exit_code = 1

    def __init_subclass__(cls, exit_code: int) -> None:
        cls.exit_code = exit_code


class UsageError(EvseError, exit_code=2):
    """An unknown name, or a value out of range: nothing was sent."""


class PortError(EvseError, exit_code=3):
    """The port is missing, busy, forbidden or gone."""


class NoAnswerError(EvseError, exit_code=4):
    """The charger is silent."""


class RefusedError(EvseError, exit_code=5):
    """The charger said ERROR, or this is too dangerous to be sent."""


class MismatchError(EvseError, exit_code=6):
    """After a write the charger shows something else."""

"""The charging point behind the AT interface: the state machine of IEC 61851, its limits, errors and authorization."""

from typing import Any

from ..catalog import CHARGING_STATES, FAULTS, SESSION_STATES, STATES
from .car import CHARGING, CONNECTED, NO_CAR, VENTILATED, Car
from .meter import Meter

STEP_S = 0.1  # the control loop
AUTHORIZED_S = 60.0
ERROR_S = 60.0
UNDER_POWER_S = 60.0
CONTACTOR_S = 6.0  # a car that was told to stop may load the contactor this long
RCM_TEST_S = 0.5
CABLE_A = 63

FAULT_BIT = {key: 1 << bit for bit, (key, _) in enumerate(FAULTS)}
SELF_CLEARING = sum(FAULT_BIT[key] for key in ("pilot", "diode_short", "rcm_triggered", "rcm_self_test"))
FOLLOW_CAUSE = FAULT_BIT["temperature_high"] | FAULT_BIT["temperature_sensor"]

_CONSUMPTION, _CHARGING_TIME, _UNDER_POWER = 1, 2, 4


class ChargingPoint:
    """Lives from one start of the charger to the next; ``flash`` outlives it. ``state`` is one of ``STATES``."""

    def __init__(self, flash: dict[str, Any], car: Car, start: float, rcm: bool) -> None:
        self.flash, self.car, self.rcm = flash, car, rcm
        self.meter = Meter(flash)
        self.enabled = self.available = True
        self.current = flash["DEFCHCUR"] or flash["MAXCHCUR"] * 10  # A/10
        self.consumption_limit = flash["DEFCONSUMLIM"]
        self.time_limit = flash["DEFCHTIMELIM"]
        self.under_power_limit = flash["DEFUNDERPOWERLIM"]
        self.errors = 0
        self.contactor = False
        self.authorized = False
        self.busy_until = start  # settings of the control loop wait until then
        self._healthy_state = "A"  # what ``state`` is without an error
        self._entered = "A"
        self._causes = 0
        self._reached = 0
        self._granted_until: float | None = None
        self._errors_until: float | None = None
        self._under_power_since: float | None = None
        self._open_at: float | None = None
        self._now = start

    # --- what people and the bus do

    def authorize(self) -> None:
        self._granted_until = self._now + AUTHORIZED_S
        self._under_power_since = None

    def set_fault(self, key: str) -> None:
        """A cause appears, e.g. `rcm_triggered` (the keys of ``FAULTS``), and stays until ``clear_fault``."""
        self._causes |= FAULT_BIT[key]

    def clear_fault(self, key: str) -> None:
        self._causes &= ~FAULT_BIT[key]

    # --- what they see

    @property
    def state(self) -> str:
        return "E" if self.errors else self._healthy_state

    @property
    def state_number(self) -> int:
        return STATES.index(self.state)

    @property
    def limit_reached(self) -> bool:
        return self._reached != 0

    @property
    def pending_authorization(self) -> bool:
        """Says nothing while there is an error: then it may be that of a session which has been cut off."""
        return self._healthy_state in SESSION_STATES and not self.authorized

    # --- the control loop

    def advance(self, now: float) -> None:
        """Runs the control loop up to ``now`` (seconds)."""
        resting = self._is_resting()
        while self._now + STEP_S <= now + 1e-9:
            self._now += STEP_S
            if not resting:
                self._step(self._now)

    def _is_resting(self) -> bool:
        """No step would change anything: most of a charger's life."""
        healthy = self.errors == self._causes == 0 and self._errors_until is None
        return self.state == "A" and self.available and not self.car.plugged and healthy

    def _step(self, now: float) -> None:
        had_errors = self.errors
        self._update_errors(now)
        if not (self.errors or had_errors):
            self._healthy_state = self._next_state(now)
        if self.state != self._entered:
            self._entered = self.state
            self._enter(now)
        charging = self.state in CHARGING_STATES
        self.car.step(now, STEP_S, self._offer(), self.contactor)
        self.meter.step(STEP_S, charging, self.current / 10, self.car.currents())

    def _offer(self) -> float:
        return min(self.current / 10, CABLE_A) if self.state.endswith("2") else 0.0

    def _update_errors(self, now: float) -> None:
        self.errors |= self._causes
        self.errors &= ~(FOLLOW_CAUSE & ~self._causes)
        if self._causes & SELF_CLEARING:
            self._errors_until = now + ERROR_S
        if self._errors_until is not None and now >= self._errors_until:
            self.errors &= ~SELF_CLEARING
            self._errors_until = None
            self._healthy_state = "A"

    def _next_state(self, now: float) -> str:
        if self.state == "F":
            return "A" if self.available else "F"
        self._check_limits(now)
        if self.state == "A":
            return self._when_idle(now)
        if self.state == "B1":
            self._check_authorization(now)
        if self.state.startswith("B") and not self.available:
            return "F"
        return self._when_plugged(now)

    def _when_idle(self, now: float) -> str:
        if not self.available:
            return "F"
        level = self.car.pilot_voltage()
        if level == CONNECTED:
            self._check_authorization(now)
            return "B1"
        return "A" if level == NO_CAR else self._pilot_fault(now)

    def _when_plugged(self, now: float) -> str:
        if self._open_at is not None and now >= self._open_at:
            self.contactor, self._open_at = False, None
        letters = {NO_CAR: "A", CONNECTED: "B", CHARGING: "C", VENTILATED: "D"}
        letter = letters[self.car.pilot_voltage()]
        return letter if letter == "A" else letter + ("2" if self._may_charge() else "1")

    def _pilot_fault(self, now: float) -> str:
        self.errors |= FAULT_BIT["pilot"]
        self._errors_until = now + ERROR_S
        return "A"

    def _may_charge(self) -> bool:
        return self.enabled and self.available and self.authorized and not self._reached

    def _check_authorization(self, now: float) -> None:
        if self.authorized:
            return
        granted = self._granted_until is not None and now <= self._granted_until
        self.authorized = granted or not self.flash["REQAUTH"]
        self._granted_until = None  # used up: every plug-in needs a new one

    def _check_limits(self, now: float) -> None:
        self._mark(_CONSUMPTION, 0 < self.consumption_limit < self.meter.session_energy)
        self._mark(_CHARGING_TIME, 0 < self.time_limit < int(self.meter.charging_time))
        if self.state in CHARGING_STATES:
            self._check_under_power(now)

    def _check_under_power(self, now: float) -> None:
        if self.under_power_limit == 0 or self.meter.power >= self.under_power_limit:
            self._under_power_since = None
        elif self._under_power_since is None:
            self._under_power_since = now
        since = self._under_power_since
        self._mark(_UNDER_POWER, since is not None and now - since > UNDER_POWER_S)

    def _mark(self, limit: int, reached: bool) -> None:
        self._reached = self._reached | limit if reached else self._reached & ~limit

    def _enter(self, now: float) -> None:
        if self.state in ("A", "E", "F"):
            self._end_session()
        elif self.state.startswith("B"):
            self._enter_b(now)
        elif self.state in CHARGING_STATES:
            self.contactor, self._open_at = True, None
        elif self.contactor and self._open_at is None:
            self._open_at = now + CONTACTOR_S

    def _end_session(self) -> None:
        self.contactor = self.authorized = False
        self._open_at = self._under_power_since = None
        self._reached = 0
        self.meter.stop_session()
        self.meter.idle()

    def _enter_b(self, now: float) -> None:
        self.contactor, self._open_at = False, None
        if self.rcm and not self.meter.in_session:
            self.busy_until = now + RCM_TEST_S
        self.meter.start_session()

"""What happens on each day: cars, people, other parties, faults and restarts, by the dice of the ``Life``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evse_host.catalog import COMMAND, ENTITY
from tools.soak.long_life.life import Life
from tools.soak.oracle import wish as wishes
from tools.soak.oracle.truth import bound

HOUR = 3600
MINUTE = 60
QUIET_HOURS = range(160, 210)  # minutes of the day around the nightly restart
LOSS = 0.002
ANSWER_S = 3.0  # a wish is fulfilled and shown after this, nothing standing in its way


@dataclass(frozen=True)
class Setting:
    """What people choose for an entity: the charger's value, as an integer or a text."""

    platform: str
    key: str
    values: tuple

    @property
    def entity(self):
        return ENTITY[self.platform, self.key]


#: What people and other parties change at any time; what would keep cars from charging is left to `evening`.
SETTINGS = (
    Setting("number", "charging_current", tuple(range(60, 321, 5))),
    Setting("number", "default_charging_current", tuple(range(60, 321, 10))),
    Setting("number", "maximum_charging_current", (32, 40, 63)),
    Setting("number", "default_consumption_limit", (0, 50_000, 80_000)),
    Setting("number", "default_charging_time_limit", (0, 8 * HOUR, 12 * HOUR)),
    Setting("number", "under_power_limit", (0, 100, 500)),
    Setting("number", "default_under_power_limit", (0, 100, 500)),
    Setting("number", "emeter_voltage", (220, 230, 240)),
    Setting("switch", "three_phase_meter", (0, 1)),
    Setting("switch", "socket_outlet", (0, 1)),
    Setting("select", "emeter_mode", (0, 1, 2)),
    Setting("select", "timezone", ("Europe/Berlin", "Etc/UTC", "Asia/Tokyo")),
    Setting("text", "host_name", ("evse", "garage", "evse-2")),
    Setting("text", "instance_name", ("Carport", 'Zoë, "left"', "back\\slash")),
)
LIMITS = (
    Setting("number", "consumption_limit", (0, 3000, 5000)),
    Setting("number", "charging_time_limit", (0, HOUR // 2, HOUR)),
)
SWITCHES = {key: Setting("switch", key, (0, 1)) for key in ("enable", "available", "request_authorization")}


def plan(life: Life, day: int) -> None:
    """Puts the events of one day into the life."""
    midnight = day * 24 * HOUR
    minutes = [minute for minute in range(5, 1430) if minute not in QUIET_HOURS]
    life.dice.shuffle(minutes)

    def often(times: int, action: Callable[[Life], None]) -> None:
        for _ in range(times):
            life.at(midnight + minutes.pop() * MINUTE + life.dice.uniform(0, 20), lambda: action(life))

    often(24, change_setting)
    often(1, ask_too_much)
    often(8, other_party_changes)
    often(1, other_party_pauses)
    often(4, noise)
    often(day % 2, lossy_line)
    often(1, cable_out)
    often(2, late_answer)
    often(2, missing_answer)
    often(1, error_after_apply)
    often(1, echo)
    often(1, lose_subscriptions)
    often(1, wifi_loss)
    often(1, wifi_scan)
    often(1, clock_jump)
    often(6, temperature)
    life.at(midnight + 3 * HOUR + life.dice.uniform(0, HOUR / 4), lambda: NIGHTS[day % len(NIGHTS)](life))
    if day == 0:
        life.at(HOUR, lambda: overnight(life))
    life.at(midnight + 7 * HOUR, lambda: unplug(life))
    life.at(midnight + 8 * HOUR + life.dice.uniform(0, HOUR), lambda: plug(life, 3, 16))
    life.at(midnight + 10 * HOUR, lambda: unplug(life))
    life.at(midnight + 12 * HOUR, lambda: clean_up(life, day))
    life.at(midnight + 17.5 * HOUR + life.dice.uniform(0, HOUR / 2), lambda: EVENINGS[day % len(EVENINGS)](life))


# --- people at the node -----------------------------------------------------------------------------------------------


def wish(life: Life, setting: Setting, value: int | str, typed: int | str | None = None) -> None:
    """Somebody sets an entity to what is ``value`` on the wire, or ``typed``, which becomes it; looked after later."""
    entity, command = setting.entity, COMMAND[setting.entity.command]
    held = life.charger.value(command.name)[entity.field_index]
    asked = wishes.setting(life.now, entity, _as_typed(entity, value if typed is None else typed), value)
    sends = 0 if command.stored and held == value else 1
    calm = life.calm
    life.counts["wishes"] += 1
    life.wish(asked)
    life.at(life.now + 1, life.sample)
    life.at(life.now + ANSWER_S, lambda: look_after(life, asked, sends, calm))


def _as_typed(entity, value: int | str) -> float | bool | str:
    if entity.platform == "switch":
        return value != 0
    if entity.platform == "number":
        return value / entity.multiplier
    return entity.options[value] if isinstance(value, int) else value


def look_after(life: Life, wish: wishes.Wish, sends: int, was_calm: bool) -> None:
    """The charger holds what was wished, the entity shows it, and it was sent ``sends`` times."""
    if not (was_calm and life.calm):
        life.counts["wishes in a disturbance"] += 1
        return
    life.check_journal()
    life.sample()
    life.oracle.fates.judge_fulfilled(wish, sends)
    life.counts["wishes proven"] += 1


def change_setting(life: Life) -> None:
    setting = life.dice.choice(SETTINGS)
    wish(life, setting, life.dice.choice(setting.values))


def ask_too_much(life: Life) -> None:
    """The charger's maximum is nearer to the wish than what it holds may be."""
    most = life.charger.value("MAXCHCUR")[0]
    if most < 63:
        wish(life, SETTINGS[0], most * 10, typed=most * 10 + 5)


def press(life: Life, key: str) -> None:
    life.wish(wishes.press(life.now, key))


def wifi_scan(life: Life) -> None:
    life.disturb("Wi-Fi scans", seconds=3)  # deaf for two seconds
    press(life, "wifi_scan")


# --- other parties ----------------------------------------------------------------------------------------------------


def other_party_changes(life: Life) -> None:
    setting = life.dice.choice(SETTINGS)
    value = life.dice.choice([v for v in setting.values if v != life.charger.value(setting.entity.command)[0]])
    elsewhere(life, setting, value)


def elsewhere(life: Life, setting: Setting, value: int | str) -> None:
    """Another party changes a setting; how long until the node shows it?"""
    life.sample()
    life.charger.set(setting.entity.command, value)
    life.sample()
    life.counts["changes by others"] += 1
    if life.calm:
        life.watch_arrival(setting.entity, bound(COMMAND[setting.entity.command], False))


def other_party_pauses(life: Life) -> None:
    elsewhere(life, SWITCHES["enable"], 0)
    life.at(life.now + 30, lambda: elsewhere(life, SWITCHES["enable"], 1))


# --- faults -----------------------------------------------------------------------------------------------------------


def noise(life: Life) -> None:
    life.disturb("bursts of noise")
    life.faults.noise(life.dice.randrange(1, 60))


def lossy_line(life: Life) -> None:
    """Every 500th byte is lost."""
    seconds = 20
    life.disturb("lossy lines", seconds)
    life.lossy_until = life.now + seconds + 1
    life.faults.drop(LOSS)
    life.at(life.now + seconds, lambda: life.faults.drop(0))


def cable_out(life: Life) -> None:
    seconds = life.dice.choice((10, 60, 600))
    life.disturb("cuts of the line", seconds)
    life.faults.cable_out()
    life.at(life.now + seconds - 0.1, lambda: life.check_offline(seconds))
    life.at(life.now + seconds, life.faults.cable_in)


def late_answer(life: Life) -> None:
    seconds = life.dice.uniform(0.5, 4)
    life.disturb("late answers", seconds + 6)  # the next command comes within a heartbeat
    life.faults.late_answer(seconds)


def missing_answer(life: Life) -> None:
    life.disturb("missing answers", 6)
    life.faults.missing_answer()


def error_after_apply(life: Life) -> None:
    life.disturb("errors after an applied value", 6)
    life.faults.error_after_apply()


def echo(life: Life) -> None:
    life.disturb("echo switched on")
    life.faults.echo_on()


def lose_subscriptions(life: Life) -> None:
    life.disturb("lost subscriptions")
    life.faults.lose_subscriptions()


def wifi_loss(life: Life) -> None:
    """The charger loses its Wi-Fi for some minutes."""
    life.counts["losses of the charger's Wi-Fi"] += 1
    life.sample()
    life.charger.override("WIFISTACONN", 0, 0)
    life.charger.override("WIFISTAIP", "0.0.0.0")
    life.sample()
    life.at(life.now + life.dice.uniform(10, 30) * MINUTE, lambda: wifi_back(life))


def wifi_back(life: Life) -> None:
    life.sample()
    life.charger.override("WIFISTACONN")
    life.charger.override("WIFISTAIP")
    life.sample()


def clock_jump(life: Life) -> None:
    seconds = life.dice.choice((-3600, -30, -5, 4, 60, 7200))
    clock_wrong(life)
    life.charger.set("TIME", life.charger.value("TIME")[0] + seconds)
    life.sample()


def clock_wrong(life: Life) -> None:
    life.sample()
    life.counts["clock wrong"] += 1
    life.clock.wrong_at = life.now


def temperature(life: Life) -> None:
    life.sample()
    high = life.dice.randrange(-1000, 6000)
    life.charger.device.temperatures = (high, high - 150)
    for seconds in (11, 12):
        life.at(life.now + seconds, life.sample)  # the charger looks every 10 s


# --- nights -----------------------------------------------------------------------------------------------------------


def crash(life: Life, seen: bool) -> None:
    life.disturb("restarts with RDY" if seen else "restarts without RDY", seconds=2 if seen else 12)
    life.before_reboot()
    life.faults.reboot(rdy_seen=seen)
    life.after_reboot()


def restart(life: Life) -> None:
    """By the node's button: the charger goes on for five seconds."""
    press(life, "restart")
    life.disturb("restarts by the button", seconds=8)
    life.run_to_restart()


def power_cut(life: Life) -> None:
    """For half a minute; the clock is lost."""
    life.disturb("power cuts", seconds=33)
    life.before_reboot()
    life.charger.power_off(life.charger.now)
    life.at(life.now + 30, lambda: power_back(life))


def power_back(life: Life) -> None:
    clock_wrong(life)
    life.charger.power_on(life.charger.now)
    life.after_reboot()


NIGHTS = (lambda life: crash(life, True), restart, lambda life: crash(life, False), power_cut)

# --- cars -------------------------------------------------------------------------------------------------------------


def plug(life: Life, phases: int, ampere: float, ventilation: bool = False) -> None:
    car = life.charger.car
    if not car.plugged:
        car.phases, car.max_current, car.ventilation = phases, ampere, ventilation
        car.plug()


def unplug(life: Life) -> None:
    life.end_session()


def later(life: Life, hours: float, action: Callable[[], None]) -> None:
    life.at(life.now + hours * HOUR, action)


def clean_up(life: Life, day: int) -> None:
    """At noon all is as on the first day, so that cars charge; the meter is reset now and then."""
    for at, setting in enumerate(LIMITS):
        life.at(life.now + 60 * at, lambda setting=setting: wish(life, setting, 0))
    life.at(life.now + 180, lambda: wish(life, SWITCHES["request_authorization"], 0))
    life.at(life.now + 240, lambda: wish(life, SWITCHES["enable"], 1))
    life.at(life.now + 300, lambda: wish(life, SWITCHES["available"], 0))
    life.at(life.now + 480, lambda: wish(life, SWITCHES["available"], 1))
    if day % 10 == 1:
        life.at(life.now + 600, lambda: reset_total(life))


def reset_total(life: Life) -> None:
    press(life, "reset_total_energy")
    life.disturb("resets of the energy")
    life.total.reset()


def plain(life: Life) -> None:
    plug(life, 3, 16)
    later(life, life.dice.uniform(1, 5), lambda: unplug(life))


def two_phases(life: Life) -> None:
    plug(life, 2, 16)
    later(life, 3, life.charger.car.stop)  # full, and stays
    later(life, 4, lambda: unplug(life))


def paused(life: Life) -> None:
    plug(life, 1, 32)
    later(life, 1, lambda: wish(life, SWITCHES["enable"], 0))
    later(life, 1.4, lambda: wish(life, SWITCHES["enable"], 1))
    later(life, 3, lambda: unplug(life))


def energy_limit(life: Life) -> None:
    wish(life, LIMITS[0], 5000)
    plug(life, 3, 16)
    later(life, 3, lambda: unplug(life))


def time_limit(life: Life) -> None:
    wish(life, LIMITS[1], HOUR)
    plug(life, 3, 11)
    later(life, 2, lambda: unplug(life))


def fault(life: Life) -> None:
    plug(life, 3, 16)
    later(life, 1, lambda: life.charger.point.set_fault("rcm_triggered"))
    later(life, 1.01, lambda: life.charger.point.clear_fault("rcm_triggered"))
    later(life, 2.5, lambda: unplug(life))


def authorized(life: Life) -> None:
    wish(life, SWITCHES["request_authorization"], 1)
    later(life, 0.01, lambda: plug(life, 3, 16))
    later(life, 0.1, lambda: press(life, "authorize"))
    later(life, 2, lambda: unplug(life))


def overnight(life: Life) -> None:
    """The nightly restart finds the car charging."""
    plug(life, 3, 16, ventilation=True)


EVENINGS = (overnight, paused, energy_limit, fault, two_phases, overnight, authorized, time_limit, plain)

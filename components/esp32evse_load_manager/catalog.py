"""The one table of what the load manager offers: options, entities, actions, conditions, triggers.

Schemas, C++ bindings and the documentation are made from these rows: to add an entity, add a row, and in entities.cpp
the function that reads it. Plain frozen dataclasses, no imports from ESPHome.
"""

from __future__ import annotations

from dataclasses import dataclass

#: What an entity belongs to: it is named by this key, which may be left out where there is only one.
MANAGER, CIRCUIT, CHARGER, FOLLOWER = "", "circuit", "charger", "follower"

MODES = ("off", "fast", "solar", "min_solar", "manual")

#: Parts that cost nothing where they are not configured; each has its key in the configuration.
SURPLUS, CAPACITY, DIMMING, UNBALANCE, FOLLOWERS = "surplus", "capacity", "dimming", "unbalance", "followers"
FEATURES = (SURPLUS, CAPACITY, DIMMING, UNBALANCE, FOLLOWERS)


@dataclass(frozen=True)
class Entity:
    """``of`` says what it belongs to, ``needs`` the key of the configuration without which it has no meaning.

    ``cadence`` and ``steps`` as in the hub's catalog: the time in s between two publications of a sensor, and whether it
    goes out at once when it changes by more than 5 %. Without one it is published whenever it changes: another node, or
    a person, waits for it.
    """

    platform: str
    key: str
    name: str
    doc: str
    of: str = MANAGER
    needs: str = ""
    unit: str = ""
    device_class: str = ""
    state_class: str = ""
    icon: str = ""
    category: str = ""
    accuracy: int = 1
    minimum: float = 0
    maximum: float = 0
    step: float = 1
    cadence: int = 0
    steps: bool = False
    phase: int = 0  # from 0, of those that there are three of

    @property
    def function(self) -> str:
        """The C++ function that publishes it; the three phases have one."""
        return f"publish_{self.platform}_{self.key}".removesuffix(f"_l{self.phase + 1}")


ENTITIES: tuple[Entity, ...] = (
    Entity("select", "mode", "Mode", "off; fast: as much as the limits allow; solar: from the sun only; min_solar: the minimum always, more from the sun; manual: the charging current that a person has set", CHARGER, icon="mdi:ev-station"),
    Entity("number", "current_limit", "Current limit", "Of a circuit, per phase; never above the one in the configuration; remembered", CIRCUIT, unit="A", device_class="current", category="config", minimum=6, maximum=63, step=1),
    Entity("number", "capacity_limit", "Capacity limit", "Mean power of a quarter of an hour; remembered", needs=CAPACITY, unit="kW", device_class="power", category="config", minimum=1, maximum=50, step=0.1),
    Entity("button", "safe_defaults", "Safe defaults", "Writes what the charger does after a restart without a living node, into its flash: the minimum as its default current, the lease as its default time limit", CHARGER, icon="mdi:shield-check", category="config"),
    Entity("sensor", "target_current", "Target current", "What the charger is told to offer; 0 while it is paused", CHARGER, unit="A", device_class="current", state_class="measurement", cadence=10, steps=True),
    Entity("sensor", "available_current", "Available current", "What the limits leave for this charger now", CHARGER, unit="A", device_class="current", state_class="measurement", cadence=10, steps=True),
    Entity("sensor", "usable_current", "Usable current", "What the charger could use, 0 without a car or while a person has paused it; for a leader", CHARGER, unit="A", device_class="current", state_class="measurement", category="diagnostic"),
    Entity("sensor", "drawn_current_l1", "Drawn current L1", "What the car takes, without delay; for a leader", CHARGER, unit="A", device_class="current", state_class="measurement", category="diagnostic"),
    Entity("sensor", "drawn_current_l2", "Drawn current L2", "What the car takes, without delay; for a leader", CHARGER, unit="A", device_class="current", state_class="measurement", category="diagnostic", phase=1),
    Entity("sensor", "drawn_current_l3", "Drawn current L3", "What the car takes, without delay; for a leader", CHARGER, unit="A", device_class="current", state_class="measurement", category="diagnostic", phase=2),
    Entity("sensor", "share", "Share", "What this node leaves to a follower, 0 to let it pause; to be sent to it", FOLLOWER, needs=FOLLOWERS, unit="A", device_class="current", state_class="measurement"),
    Entity("sensor", "house_current_l1", "House current L1", "Of the circuit without its chargers", CIRCUIT, unit="A", device_class="current", state_class="measurement", cadence=30, steps=True),
    Entity("sensor", "house_current_l2", "House current L2", "Of the circuit without its chargers", CIRCUIT, unit="A", device_class="current", state_class="measurement", phase=1, cadence=30, steps=True),
    Entity("sensor", "house_current_l3", "House current L3", "Of the circuit without its chargers", CIRCUIT, unit="A", device_class="current", state_class="measurement", phase=2, cadence=30, steps=True),
    Entity("sensor", "breaker_budget", "Breaker budget", "How much of the overload is left in which a charger stays at its minimum instead of pausing", CIRCUIT, unit="%", state_class="measurement", category="diagnostic", accuracy=0, cadence=60, steps=True),
    Entity("sensor", "surplus", "Surplus", "Power that would flow into the grid without the chargers that follow the sun", needs=SURPLUS, unit="W", device_class="power", state_class="measurement", accuracy=0, cadence=10, steps=True),
    Entity("sensor", "quarter_mean", "Quarter mean", "Mean power of the running quarter of an hour if nothing more were used", needs=CAPACITY, unit="W", device_class="power", state_class="measurement", accuracy=0, cadence=30),
    Entity("text_sensor", "reason", "Reason", "Why the current is what it is", CHARGER, icon="mdi:comment-question-outline"),
    Entity("binary_sensor", "limiting", "Limiting", "A limit, a silent meter or a pause keeps a charger below what it could do"),
    Entity("binary_sensor", "meter_valid", "Meter valid", "The circuit's meter speaks and makes sense", CIRCUIT, device_class="connectivity", category="diagnostic"),
)  # fmt: skip

PLATFORMS = tuple(dict.fromkeys(entity.platform for entity in ENTITIES))


def entities(platform: str) -> tuple[Entity, ...]:
    return tuple(entity for entity in ENTITIES if entity.platform == platform)


@dataclass(frozen=True)
class Argument:
    key: str
    type: str
    doc: str


@dataclass(frozen=True)
class Automation:
    """``of`` as in Entity; the C++ side of a condition is the manager's function of the same name."""

    name: str
    doc: str
    of: str = MANAGER
    arguments: tuple[Argument, ...] = ()


ACTIONS: tuple[Automation, ...] = (
    Automation("set_mode", "Choose a charger's mode", CHARGER, (Argument("mode", "string", "one of: " + ", ".join(MODES)),)),
    Automation("set_current_limit", "Lower or restore a circuit's limit", CIRCUIT, (Argument("current", "float", "6 A to the configured limit"),)),
    Automation("write_safe_defaults", "As the button `safe_defaults`", CHARGER),
    Automation("set_capacity_limit", "Change the limit of a quarter's mean", MANAGER, (Argument("power", "float", "kW"),)),
)  # fmt: skip

CONDITIONS: tuple[Automation, ...] = (
    Automation("is_limiting", "As the binary sensor"),
    Automation("is_meter_valid", "The circuit's meter speaks and makes sense", CIRCUIT),
    Automation("is_paused", "The manager keeps the charger from charging", CHARGER),
)

TRIGGERS: tuple[Automation, ...] = (
    Automation("on_reason", "A charger's reason has changed", arguments=(Argument("charger", "int", "its place in the list, from 0"), Argument("reason", "string", "as the text sensor shows it"))),
    Automation("on_meter_silent", "A meter has stopped making sense"),
    Automation("on_meter_valid", "A meter makes sense, for the first time or again"),
)  # fmt: skip


@dataclass(frozen=True)
class Option:
    """A key of the configuration; ``path`` is where it stands."""

    path: str
    key: str
    type: str
    doc: str
    default: str = ""


OPTIONS: tuple[Option, ...] = (
    Option("", "id", "ID", "needed in actions and lambdas only"),
    Option("", "limit", "current", "the main fuse, per phase; with `meter` the short form of `circuits`"),
    Option("", "meter", "map", "the main fuse's meter, see below"),
    Option("", "circuits", "list", "fuses with loads behind them, the first one is the root"),
    Option("", "chargers", "list", "left out: the only charger on the first circuit"),
    Option("", "surplus", "map", "makes the modes solar and min_solar"),
    Option("", "dimming", "map", "a contact of the grid operator (section 14a)"),
    Option("", "unbalance", "current", "what one phase may carry more than another by cars that use fewer than three (VDE-AR-N 4100: 20 A)"),
    Option("", "capacity", "map", "a limit for the mean power of each clock quarter of an hour"),
    Option("", "fallback", "current or `pause`", "what a circuit's chargers share while its meter is silent", "pause"),
    Option("", "lease", "time or `never`", "the charger stops by itself so long after the node has died; 1 to 60 min", "120s"),
    Option("", "min_off", "time", "a pause lasts at least so long, 30 s to 1 h", "2min"),
    Option("circuits", "id", "ID", "for `circuit` and `parent`"),
    Option("circuits", "name", "string", "what the reason calls it", "Main fuse, or the id"),
    Option("circuits", "limit", "current", "per phase, 6 to 630 A"),
    Option("circuits", "margin", "current", "kept free per phase, 0 to 5 A", "0.5A"),
    Option("circuits", "parent", "ID", "the circuit that feeds this one"),
    Option("circuits", "meter", "map", "without one, only the chargers count"),
    Option("meter", "power_l1, power_l2, power_l3", "sensor", "W or kW by the sensor's unit, negative into the grid"),
    Option("meter", "export_l1, export_l2, export_l3", "sensor", "W or kW into the grid, for meters that tell both directions apart"),
    Option("meter", "current_l1, current_l2, current_l3", "sensor", "A or mA; without a sign the direction is not known"),
    Option("meter", "power, export", "sensor", "W or kW of a circuit with one phase"),
    Option("meter", "heartbeat", "sensor", "any sensor that changes with every telegram, for meters that speak only on change; below 16 million, or the change is not seen"),
    Option("meter", "timeout", "time", "without a sample for so long it is silent, 3 s to 5 min", "15s"),
    Option("meter", "delay", "time", "how old a sample is when it comes, up to 10 s", "1s"),
    Option("circuits", "leader", "map", "another node says what the chargers may take, instead of a meter; also beside `limit`"),
    Option("leader", "share", "sensor", "A, from the leader by `packet_transport`"),
    Option("leader", "worst_case", "current or `pause`", "what the chargers take while the leader is silent, as it stands in the leader's `followers`"),
    Option("leader", "timeout", "time", "without a share for so long the leader is silent, 3 s to 30 s", "15s"),
    Option("followers", "id", "ID", "chargers of other nodes, which this one leads; up to four chargers in all"),
    Option("followers", "circuit", "ID", "the circuit that feeds it", "the first"),
    Option("followers", "worst_case", "current or `pause`", "what it takes when it hears nothing, and what is kept for it while it is silent"),
    Option("followers", "usable", "sensor", "A, its `usable_current`"),
    Option("followers", "drawn_l1, drawn_l2, drawn_l3", "sensor", "A, its `drawn_current_l1` ..."),
    Option("followers", "phases, priority, min_current, mode", "", "as of `chargers`; phases as the follower has them itself"),
    Option("followers", "timeout", "time", "3 s to 30 s", "15s"),
    Option("chargers", "esp32evse_id", "ID", "the charger"),
    Option("chargers", "circuit", "ID", "the circuit that feeds it", "the first"),
    Option("chargers", "phases", "list", "phases of the circuit, in the order of the charger's L1, L2, L3", "[L1, L2, L3]"),
    Option("chargers", "priority", "number", "1 is served first", "1"),
    Option("chargers", "min_current", "current", "6 A, or what the car needs to start", "6A"),
    Option("chargers", "mode", "word", "until a person chooses one: " + ", ".join(MODES), "fast"),
    Option("surplus", "start_energy", "energy", "left over above the minimum before a start, for each phase that the car uses", "30Wh"),
    Option("surplus", "stop_energy", "energy", "borrowed below the minimum at least before a stop; it goes on while the mean of about 20 min is above 95 % of the minimum", "150Wh"),
    Option("surplus", "grid_allowance", "power", "from the grid that counts as sun", "0W"),
    Option("dimming", "binary_sensor", "ID", "on: the grid operator dims"),
    Option("dimming", "limit", "power", "for all chargers together, at least 4.2 kW", "4.2kW"),
    Option("capacity", "limit", "power", "mean of a quarter of an hour, at least 1 kW", "2.5kW"),
    Option("capacity", "time_id", "ID", "an ESPHome time source"),
    Option("capacity", "month_peak", "sensor", "kW; a limit that was exceeded this month already protects no more"),
)  # fmt: skip

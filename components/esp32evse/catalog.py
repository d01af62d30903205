"""The one table of everything the ESP32-EVSE charger offers over its AT interface.

``COMMANDS`` says what goes over the wire, ``ENTITIES`` what a user sees. The ESPHome schemas, the C++ tables, the host
tool, the simulator, the documentation and the full example are all made from these rows: to add an entity, add a row.

Plain frozen dataclasses, no imports from ESPHome, so that any tool can read it. Source of the numbers: the charger's
firmware v2.1.1 and its development head of June 2026, observed on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# --- the wire ---------------------------------------------------------------------------------------------------------

BAUD_RATE = 115200
MAX_STRING_BYTES = 31  # one string field
MAX_NAME_BYTES = 30  # of a name that every firmware keeps; v2.1.1 takes 31 and loses them
MAX_ARGUMENT_BYTES = 127  # everything behind the `=` of a write
MAX_LINE_BYTES = 128  # one answer line
MAX_SUBSCRIBE_PERIOD_MS = 42_949_671  # larger ones wrap to 0 in the charger
#: The charger gives up an ambiguous name at its `=` and takes what follows for another command.
TWO_COMMANDS = r"[^=?]*[=?][Aa]"
WRITE_HOLDOFF_MS = 1000  # no write may reach the charger within this time after RDY

#: Integer types of the wire, with their ranges. ``str`` is a quoted string of at most 31 bytes.
INTEGER_RANGES = {
    "u8": (0, 2**8 - 1),
    "u16": (0, 2**16 - 1),
    "u32": (0, 2**32 - 1),
    "u64": (0, 2**64 - 1),
    "i8": (-(2**7), 2**7 - 1),
    "i32": (-(2**31), 2**31 - 1),
}

#: `AT+STATE?` answers an index into this tuple (IEC 61851 states; 1 = not offering energy, 2 = offering).
STATES = ("A", "B1", "B2", "C1", "C2", "D1", "D2", "E", "F")
CHARGING_STATES = ("C2", "D2")
SESSION_STATES = ("B1", "B2", "C1", "C2", "D1", "D2")

#: Bits of `AT+ERROR?`, lowest first: (key, what a person reads).
FAULTS = (
    ("pilot", "Control pilot"),
    ("diode_short", "Vehicle diode short"),
    ("lock", "Socket lock"),
    ("unlock", "Socket unlock"),
    ("rcm_triggered", "Residual current"),
    ("rcm_self_test", "Residual current self-test"),
    ("temperature_high", "Temperature too high"),
    ("temperature_sensor", "Temperature sensor"),
)

EMETER_MODES = ("dummy", "current", "current_voltage")
EMETER_TYPES = ("none", "current", "current_voltage")

# How the component keeps a command's values fresh when the user says nothing else: none is shown that is older than 5 s.
SLOW_INTERVAL_MS = 4200  # less than 5 s, also when a push is late and the charger rounds up; at_client.h has it, too
PUSH = "push"  # subscribed all the time
CHARGING = "charging"  # subscribed while energy flows, slowly otherwise
SLOW = "slow"  # subscribed with SLOW_INTERVAL_MS, read when the state changes
POLL = "poll"  # read every SLOW_INTERVAL_MS
ONCE = "once"  # read after every start of the charger
NEVER = "never"  # only when a person asks


@dataclass(frozen=True)
class Field:
    """One value of a command, as it stands on the wire.

    ``minimum`` and ``maximum`` bound what may be written, in wire units; the type bounds it otherwise. The ``minimum``
    of a string are bytes: with 1 the charger answers ERROR to an empty one (to an empty address while it is enabled).
    ``access`` is `RW`, `R` (never written) or `W` (answers an empty value).
    ``since_head`` marks a trailing field that released firmware neither answers nor accepts.
    ``address`` marks an IPv4 address: empty and 0.0.0.0 both mean none, and only 0.0.0.0 clears one on every firmware.
    ``released_bytes`` of a string are kept by released firmware: a longer one gets its OK, is stored, and is then not used.
    """

    name: str
    type: str
    unit: str = ""
    minimum: int | None = None
    maximum: int | None = None
    access: str = "RW"
    values: tuple[str, ...] = ()
    since_head: bool = False
    address: bool = False
    released_bytes: int | None = None

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest integer that may be written, in wire units."""
        low, high = INTEGER_RANGES[self.type]
        return (low if self.minimum is None else self.minimum, high if self.maximum is None else self.maximum)


@dataclass(frozen=True)
class Command:
    """One AT command.

    ``access`` holds R (read ``AT+X?``), W (write ``AT+X=``), X (run ``AT+X``).
    ``stored`` writes go to the charger's flash. ``head`` commands answer ERROR on released firmware.
    ``lines`` commands answer any number of value lines. ``answer`` is the name on the value line where it differs.
    ``verify`` is how many leading fields a read-back must match; 0: a read-back cannot show what was written.
    ``limited_by`` is the command whose value, in amperes, is the largest that may be written.
    ``tolerance`` widens that comparison for values that run by themselves.
    ``danger`` says why a tool must refuse the command unless a person insists.
    ``role`` names the commands whose values the component itself follows.
    ``aliases`` are the names of `esp32evse.<name>.subscribe`.
    """

    name: str
    access: str
    doc: str
    fields: tuple[Field, ...] = ()
    refresh: str = SLOW
    stored: bool = False
    head: bool = False
    lines: bool = False
    subscribable: bool = True
    answer: str = ""
    verify: int = 1
    limited_by: str = ""
    tolerance: int = 0
    danger: str = ""
    role: str = "NONE"
    aliases: tuple[str, ...] = ()

    def field(self, name: str) -> Field:
        return self.fields[self.field_index(name)]

    def field_index(self, name: str) -> int:
        return [field.name for field in self.fields].index(name)

    @property
    def answer_name(self) -> str:
        return self.answer or self.name


def _flag(name: str = "value", **kwargs: Any) -> tuple[Field, ...]:
    return (Field(name, "u8", minimum=0, maximum=1, **kwargs),)


def _number(type_: str, unit: str = "", low: int | None = None, high: int | None = None) -> tuple[Field, ...]:
    return (Field("value", type_, unit, low, high),)


def _string(name: str = "value") -> tuple[Field, ...]:
    return (Field(name, "str"),)


def _name(**kwargs: Any) -> Field:
    return Field(**{"name": "value", "minimum": 1, **kwargs}, type="str", released_bytes=MAX_NAME_BYTES)


def _addresses(*names: str, **kwargs: Any) -> tuple[Field, ...]:
    return tuple(Field(name, "str", address=True, **kwargs) for name in names)


def _phases(unit: str) -> tuple[Field, ...]:
    return tuple(Field(f"l{phase}", "u32", unit) for phase in (1, 2, 3))


_HANGS = "subscribing to it hangs the charger until a power cycle"
_SERIAL = "reading it can crash the charger and writing it always fails in these firmware versions"

# Order matters a little: it is the order in which values are read after a start.
COMMANDS: tuple[Command, ...] = (
    Command("UPTIME", "R", "Time since the charger started", _number("u32", "s"), POLL, aliases=("uptime",)),
    Command(
        "STATE", "R", "IEC 61851 state of the charging point",
        (Field("state", "u8", maximum=len(STATES) - 1, values=STATES),),
        PUSH, role="STATE", aliases=("state",),
    ),
    Command("ERROR", "R", "Fault bits, see FAULTS", _number("u32"), PUSH, role="ERROR", aliases=("error",)),
    Command("ENABLE", "RW", "Charging allowed; 1 after every start", _flag(), PUSH, role="ENABLE", aliases=("enable",)),
    Command("AVAILABLE", "RW", "Charging point in service; 1 after every start", _flag(), aliases=("available",)),
    Command("PENDAUTH", "R", "A plugged vehicle waits for authorization", _flag(), role="PENDAUTH", aliases=("pending_authorization",)),
    Command("REQAUTH", "RW", "Every session needs an authorization", _flag(), stored=True, aliases=("request_authorization",)),
    Command("AUTH", "X", "Grant authorization for 60 s", subscribable=False, refresh=NEVER),
    Command("LIMREACH", "R", "A charging limit ended the session's charging", _flag(), role="LIMREACH", aliases=("charging_limit_reached",)),
    Command("CHCUR", "RW", "Charging current; DEFCHCUR after every start, at most MAXCHCUR", _number("u16", "A/10", 60, 630), limited_by="MAXCHCUR", aliases=("charging_current",)),
    Command("DEFCHCUR", "RW", "Charging current after a start", _number("u16", "A/10", 60, 630), stored=True, limited_by="MAXCHCUR", aliases=("default_charging_current",)),
    Command("MAXCHCUR", "RW", "Largest current of the installation", _number("u8", "A", 6, 63), stored=True, role="MAXIMUM_CURRENT", aliases=("maximum_charging_current",)),
    Command("CONSUMLIM", "RW", "Energy limit of the session, 0 = none", _number("u32", "Wh"), aliases=("consumption_limit",)),
    Command("DEFCONSUMLIM", "RW", "Energy limit after a start, 0 = none", _number("u32", "Wh"), stored=True, aliases=("default_consumption_limit",)),
    Command("CHTIMELIM", "RW", "Time limit of the session, 0 = none", _number("u32", "s"), aliases=("charging_time_limit",)),
    Command("DEFCHTIMELIM", "RW", "Time limit after a start, 0 = none", _number("u32", "s"), stored=True, aliases=("default_charging_time_limit",)),
    # u32 on the wire, but the charger keeps 16 bits and silently drops the rest.
    Command("UNDERPOWERLIM", "RW", "Charging ends after 60 s below this power, 0 = none", _number("u32", "W", 0, 65535), aliases=("under_power_limit",)),
    Command("DEFUNDERPOWERLIM", "RW", "Under-power limit after a start, 0 = none", _number("u32", "W", 0, 65535), stored=True, aliases=("default_under_power_limit",)),
    Command("SOCKETOUTLET", "RW", "The charger has a socket outlet instead of a fixed cable; ERROR on boards without proximity pilot", _flag(), stored=True, aliases=("socket_outlet",)),
    Command("EMETERPOWER", "R", "Charging power", _number("u16", "W"), CHARGING, aliases=("emeter_power",)),
    Command("EMETERVOLTAGE", "R", "Phase voltages; 0 unless charging", _phases("mV"), CHARGING, aliases=("voltage",)),
    Command("EMETERCURRENT", "R", "Phase currents; 0 unless charging", _phases("mA"), CHARGING, role="CURRENT", aliases=("current",)),
    Command("EMETERSESTIME", "R", "Duration of the session", _number("u32", "s"), CHARGING, role="SESSION_TIME", aliases=("emeter_session_time",)),
    Command("EMETERCHTIME", "R", "Charging time of the session", _number("u32", "s"), CHARGING, aliases=("emeter_charging_time",)),
    Command("EMETERCONSUM", "R", "Energy of the session", _number("u32", "Wh"), CHARGING, role="SESSION_ENERGY", aliases=("energy_consumption",)),
    # Only 0 may be written, and the running session's energy stays: a read-back cannot prove it.
    Command("EMETERTOTCONSUM", "RW", "Lifetime energy; only 0 may be written", _number("u64", "Wh", 0, 0), CHARGING, stored=True, verify=0, role="TOTAL_ENERGY", aliases=("total_energy_consumption",)),
    Command("EMETERMODE", "RW", "Energy meter mode; ERROR beyond the board's meter", (Field("mode", "u8", maximum=2, values=EMETER_MODES),), stored=True, aliases=("emeter_mode",)),
    Command("EMETERACVOLTAGE", "RW", "Voltage assumed where the meter measures current only", _number("u16", "V", 100, 300), stored=True, aliases=("emeter_voltage",)),
    Command("EMETERTHREEPHASE", "RW", "Energy meter counts three phases", (Field("value", "u16", minimum=0, maximum=1),), stored=True, aliases=("three_phase_meter",)),
    Command("TEMP", "R", "Temperatures; meaningless with no sensor",
            (Field("count", "u8"), Field("high", "i32", "°C/100"), Field("low", "i32", "°C/100")), aliases=("temperature",)),
    Command("TIME", "RW", "Clock of the charger", _number("u64", "s"), tolerance=3, role="TIME", aliases=("device_time",)),
    Command("TZ", "RW", "Time zone, one of FIRMWARE_TIMEZONES", (Field("value", "str", minimum=1),), stored=True, head=True, aliases=("timezone",)),
    Command("TZRULE", "R", "Time zone, POSIX rule", _string(), head=True, aliases=("timezone_rule",)),
    Command("WIFISTACONN", "R", "Wi-Fi station connection", (Field("connected", "u8"), Field("rssi", "i8", "dBm")), aliases=("wifi_rssi", "wifi_connected")),
    Command("WIFISTACFG", "RW", "Wi-Fi station settings; trailing fields left out of a write keep their values",
            (Field("enabled", "u8", minimum=0, maximum=1), _name(name="ssid", minimum=0), Field("password", "str", access="W")),
            stored=True, verify=2, aliases=("wifi_sta_ssid",)),
    Command("WIFISTASTATIC", "RW", "Wi-Fi station static address",
            (Field("enabled", "u8", minimum=0, maximum=1), *_addresses("ip", "gateway", "netmask", minimum=1), *_addresses("dns", since_head=True)),
            stored=True, verify=5, aliases=("wifi_sta_static",)),
    Command("WIFISTAIP", "R", "Wi-Fi station address", _string("ip"), aliases=("wifi_sta_ip",)),
    Command("WIFISTAMAC", "R", "Wi-Fi station MAC", _string("mac"), ONCE, aliases=("wifi_sta_mac",)),
    Command("WIFIAPCFG", "RW", "Wi-Fi access point; it stops after a minute without a client",
            (Field("enabled", "u8", minimum=0, maximum=1), Field("ssid", "str", access="R")), aliases=("wifi_ap",)),
    Command("WIFIAPCONN", "R", "A client is connected to the access point", _flag("connected"), aliases=("wifi_ap_connected",)),
    Command("WIFIAPIP", "R", "Wi-Fi access point address", _string("ip"), aliases=("wifi_ap_ip",)),
    Command("WIFIAPMAC", "R", "Wi-Fi access point MAC", _string("mac"), ONCE, aliases=("wifi_ap_mac",)),
    Command("WIFIAPSCAN", "X", "Scan for networks, about 2 s; the charger is deaf meanwhile",
            (Field("ssid", "str"), Field("auth", "u8"), Field("rssi", "i8", "dBm")), NEVER, lines=True, subscribable=False, role="WIFI_SCAN"),
    Command("HEAP", "R", "Heap of the charger", (Field("used", "u32", "B"), Field("total", "u32", "B")), aliases=("heap",)),
    Command("HOSTNAME", "RW", "Host name, not empty", (_name(),), stored=True, aliases=("host_name",)),
    Command("INSTNAME", "RW", "Instance name, not empty", (_name(),), stored=True, aliases=("instance_name",)),
    Command("DEVNAME", "R", "Name of the board", _string(), ONCE, aliases=("device_name",)),
    Command("VER", "R", "Firmware version", _string(), ONCE, aliases=("version",)),
    Command("IDFVER", "R", "ESP-IDF version", _string(), ONCE, aliases=("idf_version",)),
    Command("BUILDTIME", "R", "Build date and time of the firmware", (Field("date", "str"), Field("time", "str")), ONCE, aliases=("build_time",)),
    Command("CHIP", "R", "Chip model", (Field("model", "str"), Field("cores", "u8"), Field("revision", "u16")), ONCE, aliases=("chip",)),
    Command("SOCKETLOCK", "R", "The board has a socket lock", _flag(), ONCE, aliases=("socket_lock",)),
    Command("SOCKETLOCKMINBREAKTIME", "R", "Shortest break between two lock movements", _number("u16", "ms"), ONCE, aliases=("socket_lock_min_break_time",)),
    Command("PROXIMITY", "R", "The board has a proximity pilot", _flag(), ONCE, aliases=("proximity",)),
    Command("TEMPSENSOR", "R", "The board has a temperature sensor", _flag(), ONCE, aliases=("temperature_sensor",)),
    Command("EMETER", "R", "Energy meter of the board",
            (Field("type", "u8", maximum=2, values=EMETER_TYPES), Field("three_phase", "u8")), ONCE, aliases=("emeter",)),
    Command("SERIALS", "R", "Serial ports: 1 UART, 2 RS-485", (Field("type", "u8"), Field("name", "str")), ONCE, lines=True, subscribable=False, danger=_HANGS),
    Command("AUXINPUTS", "R", "Names of the auxiliary inputs", _string("name"), ONCE, lines=True, subscribable=False, danger=_HANGS),
    Command("AUXOUTPUTS", "R", "Names of the auxiliary outputs", _string("name"), ONCE, lines=True, subscribable=False, answer="AUXOUPUTS", danger=_HANGS),
    Command("AUXANALOGINPUTS", "R", "Names of the analog inputs", _string("name"), ONCE, lines=True, subscribable=False, danger=_HANGS),
    Command("SERIAL0", "RW", "Settings of the first serial port", (
        Field("mode", "u8"), Field("baud_rate", "i32"), Field("data_bits", "u8"), Field("stop_bits", "u8"), Field("parity", "u8"),
    ), NEVER, stored=True, subscribable=False, danger=_SERIAL),
    Command("SERIAL1", "RW", "Settings of the second serial port", (
        Field("mode", "u8"), Field("baud_rate", "i32"), Field("data_bits", "u8"), Field("stop_bits", "u8"), Field("parity", "u8"),
    ), NEVER, stored=True, subscribable=False, danger=_SERIAL),
    Command("RST", "X", "Restart the charger: five more seconds of service, then two of silence", subscribable=False, refresh=NEVER),
    Command("CMD", "X", "List every form that the firmware knows", lines=True, subscribable=False, refresh=NEVER),
    Command("SUB", "W", "Subscribe to a value", (Field("name", "str"), Field("period", "u32", "ms", 0, MAX_SUBSCRIBE_PERIOD_MS)), NEVER, subscribable=False, verify=0),
    Command("UNSUB", "W", "Stop a subscription, all with an empty name", _string("name"), NEVER, subscribable=False, verify=0),
)

COMMAND = {command.name: command for command in COMMANDS}

#: `esp32evse.<name>.subscribe` -> command name
SUBSCRIBE_NAMES = {alias: command.name for command in COMMANDS for alias in command.aliases}

#: What changes together with the state: with it they are as fast as it.
FOLLOWS_STATE = ("PENDAUTH", "LIMREACH")

#: What a charger start sets back, and what `keep_settings` puts again.
LIVE_SETTINGS = ("ENABLE", "AVAILABLE", "CHCUR", "CONSUMLIM", "CHTIMELIM", "UNDERPOWERLIM")

# --- what a user sees -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entity:
    """One entity of the ESPHome component.

    ``command`` and ``field`` say where its value comes from; a derived entity has no command but ``needs`` some.
    ``convert`` selects how the value is made (see publish.h):
        value     the field; divided by 10**``scale`` for sensors, times ``multiplier`` = wire for numbers
        gated     like value, unknown while the command's first field is 0
        bit       bit number ``bit`` of the field
        pending   the field, except in state E
        name      ``options``[field]
        join      all fields, or all lines, in one readable text
        lifetime  energy counter that never falls
        time      epoch seconds as ISO 8601
        counter   number ``bit`` of what the AT client counts
        action    a button: what it runs
        derived   computed by the hub from what ``needs`` lists
    ``cadence`` is the time in s between two publications of a value that comes faster, equal ones too; 0: a sensor
        publishes every value as it comes, the rest every change.
    ``steps`` goes out at once when it changes by more than 5 %, but not all the time; to and from 0 every sensor does.
    ``minimum``, ``maximum`` and ``step`` are in the entity's unit.
    ``package`` is the ready-made one that it belongs to; the full one has all. There an entity that is ``disabled`` is
    disabled in Home Assistant until somebody enables it, because hardly anybody needs it, and seconds are ``shown_in`` a
    unit that Home Assistant shows well.
    """

    platform: str
    key: str
    name: str
    command: str = ""
    field: str = ""
    convert: str = "value"
    scale: int = 0
    bit: int = 0
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    unit: str = ""
    device_class: str = ""
    state_class: str = ""
    category: str = ""
    icon: str = ""
    accuracy: int = 0
    cadence: int = 0
    steps: bool = False
    disabled: bool = False
    minimum: float = 0
    maximum: float = 0
    step: float = 1
    multiplier: float = 1
    notes: str = ""
    package: str = ""
    shown_in: str = ""

    @property
    def commands(self) -> tuple[str, ...]:
        """Every command this entity needs on the wire."""
        return ((self.command,) if self.command else ()) + self.needs

    @property
    def field_index(self) -> int:
        return COMMAND[self.command].field_index(self.field) if self.field else 0


# Cadences in s. A logbook and a recorder keep every change, for years.
POWER_S = 5
CURRENT_S = 10
METER_S = 30  # voltages and energies
MINUTE_S = 60  # temperatures, times, counters, the clock
DIAGNOSTIC_S = 300  # heap and signal

DIAGNOSTIC = "diagnostic"
CONFIG = "config"


def _sensor(key: str, name: str, command: str, unit: str = "", device_class: str = "", state_class: str = "measurement", **kwargs: Any) -> Entity:
    return Entity("sensor", key, name, command, unit=unit, device_class=device_class, state_class=state_class, **kwargs)


def _binary(key: str, name: str, command: str = "", device_class: str = "", **kwargs: Any) -> Entity:
    return Entity("binary_sensor", key, name, command, device_class=device_class, **kwargs)


def _text(key: str, name: str, command: str = "", **kwargs: Any) -> Entity:
    return Entity("text_sensor", key, name, command, **kwargs)


def _fact(key: str, name: str, command: str, **kwargs: Any) -> Entity:
    return _text(key, name, command, category=DIAGNOSTIC, **kwargs)


def _counter(number: int, key: str, name: str, icon: str, notes: str) -> Entity:
    return Entity("sensor", key, name, convert="counter", bit=number, category=DIAGNOSTIC, icon=icon, cadence=MINUTE_S, notes=notes, package="diagnostics", disabled=True)


def _limit(key: str, name: str, command: str, **kwargs: Any) -> Entity:
    return Entity("number", key, name, command, category=CONFIG, **kwargs)


_AMPERE: dict[str, Any] = {"unit": "A", "device_class": "current", "minimum": 6, "maximum": 63, "icon": "mdi:current-ac"}
_TENTHS: dict[str, Any] = {**_AMPERE, "step": 0.1, "multiplier": 10}
_KWH: dict[str, Any] = {"unit": "kWh", "device_class": "energy", "maximum": 200, "step": 0.1, "multiplier": 1000, "icon": "mdi:battery-charging-high", "notes": "0 = no limit"}
_HOURS: dict[str, Any] = {"unit": "h", "device_class": "duration", "maximum": 48, "step": 0.5, "multiplier": 3600, "icon": "mdi:timer-sand", "notes": "0 = no limit"}
_KW: dict[str, Any] = {"unit": "kW", "device_class": "power", "maximum": 65.5, "step": 0.1, "multiplier": 1000, "icon": "mdi:speedometer-slow", "notes": "0 = no limit; acts after 60 s below it"}
SESSION_DURATION = "EMETERSESTIME"
_SESSION = ("STATE", "EMETERCONSUM", SESSION_DURATION, "EMETERTOTCONSUM")

#: Every zone name that the firmware's head knows, by region: 354 of IANA's 600. Case counts. It lacks UTC, GMT, CET, EST, US/...,
#: Asia/Calcutta, Europe/Kiev, Europe/Amsterdam, Bratislava, Copenhagen, Oslo and Stockholm.
_ZONES = {
    "Africa": (
        "Abidjan Algiers Bissau Cairo Casablanca Ceuta El_Aaiun Johannesburg Juba Khartoum Lagos Maputo Monrovia "
        "Nairobi Ndjamena Sao_Tome Tripoli Tunis Windhoek"
    ),
    "America": (
        "Adak Anchorage Araguaina Argentina/Buenos_Aires Argentina/Catamarca Argentina/Cordoba Argentina/Jujuy "
        "Argentina/La_Rioja Argentina/Mendoza Argentina/Rio_Gallegos Argentina/Salta Argentina/San_Juan "
        "Argentina/San_Luis Argentina/Tucuman Argentina/Ushuaia Asuncion Bahia Bahia_Banderas Barbados Belem "
        "Belize Boa_Vista Bogota Boise Cambridge_Bay Campo_Grande Cancun Caracas Cayenne Cayman Chicago Chihuahua "
        "Costa_Rica Creston Cuiaba Curacao Danmarkshavn Dawson Dawson_Creek Denver Detroit Dominica Edmonton "
        "Eirunepe El_Salvador Fortaleza Fort_Nelson Glace_Bay Godthab Goose_Bay Grand_Turk Grenada Guadeloupe "
        "Guatemala Guayaquil Guyana Halifax Havana Hermosillo Indiana/Indianapolis Indiana/Knox Indiana/Marengo "
        "Indiana/Petersburg Indiana/Tell_City Indiana/Vevay Indiana/Vincennes Indiana/Winamac Inuvik Iqaluit "
        "Jamaica Juneau Kentucky/Louisville Kentucky/Monticello La_Paz Lima Los_Angeles Maceio Managua Manaus "
        "Marigot Martinique Matamoros Mazatlan Menominee Merida Metlakatla Mexico_City Miquelon Moncton Monterrey "
        "Montevideo New_York Nome Noronha North_Dakota/Beulah North_Dakota/Center North_Dakota/New_Salem Nuuk "
        "Ojinaga Panama Paramaribo Phoenix Port-au-Prince Porto_Velho Puerto_Rico Punta_Arenas Rankin_Inlet "
        "Recife Regina Resolute Rio_Branco Santarem Santiago Santo_Domingo Sao_Paulo Scoresbysund Sitka St_Johns "
        "Swift_Current Tegucigalpa Thule Tijuana Toronto Vancouver Whitehorse Winnipeg Yakutat"
    ),
    "Antarctica": "Casey Davis Macquarie Mawson Palmer Rothera Troll",
    "Asia": (
        "Almaty Amman Anadyr Aqtau Aqtobe Ashgabat Atyrau Baghdad Bahrain Baku Bangkok Barnaul Beirut Bishkek "
        "Brunei Chita Choibalsan Colombo Damascus Dhaka Dili Dubai Dushanbe Famagusta Gaza Hebron Ho_Chi_Minh "
        "Hong_Kong Hovd Irkutsk Jakarta Jayapura Jerusalem Kabul Kamchatka Karachi Kathmandu Khandyga Kolkata "
        "Krasnoyarsk Kuala_Lumpur Kuching Kuwait Macau Magadan Makassar Manila Nicosia Novokuznetsk Novosibirsk "
        "Omsk Oral Pontianak Pyongyang Qatar Qyzylorda Riyadh Sakhalin Samarkand Seoul Shanghai Singapore "
        "Srednekolymsk Taipei Tashkent Tbilisi Tehran Thimphu Tokyo Tomsk Ulaanbaatar Urumqi Ust-Nera Vientiane "
        "Vladivostok Yakutsk Yangon Yekaterinburg Yerevan"
    ),
    "Atlantic": "Azores Bermuda Canary Cape_Verde Faroe Madeira South_Georgia Stanley",
    "Australia": "Adelaide Brisbane Broken_Hill Darwin Eucla Hobart Lindeman Lord_Howe Melbourne Perth Sydney",
    "Europe": (
        "Andorra Astrakhan Athens Belgrade Berlin Brussels Bucharest Budapest Chisinau Dublin Gibraltar Helsinki "
        "Istanbul Kaliningrad Kyiv Kirov Lisbon London Madrid Malta Minsk Moscow Paris Prague Riga Rome Samara "
        "Saratov Simferopol Sofia Tallinn Tirane Ulyanovsk Vienna Vilnius Volgograd Warsaw Zurich"
    ),
    "Indian": "Chagos Maldives Mauritius",
    "Pacific": (
        "Apia Auckland Bougainville Chatham Chuuk Easter Efate Enderbury Fakaofo Fiji Funafuti Galapagos Gambier "
        "Guadalcanal Guam Honolulu Kiritimati Kosrae Kwajalein Majuro Marquesas Midway Nauru Niue Norfolk Noumea "
        "Pago_Pago Palau Pitcairn Port_Moresby Rarotonga Tahiti Tarawa Tongatapu"
    ),
    "Etc": (
        "GMT GMT-1 GMT-2 GMT-3 GMT-4 GMT-5 GMT-6 GMT-7 GMT-8 GMT-9 GMT-10 GMT-11 GMT-12 GMT-13 GMT-14 GMT+1 GMT+2 "
        "GMT+3 GMT+4 GMT+5 GMT+6 GMT+7 GMT+8 GMT+9 GMT+10 GMT+11 GMT+12 UTC"
    ),
}
FIRMWARE_TIMEZONES = tuple(f"{region}/{city}" for region, cities in _ZONES.items() for city in cities.split())

#: The select's choice; the firmware knows all of ``FIRMWARE_TIMEZONES``.
TIMEZONES = (
    "Etc/UTC", "Africa/Cairo", "Africa/Johannesburg", "America/Argentina/Buenos_Aires", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/New_York", "America/Sao_Paulo", "America/Toronto", "Asia/Dubai", "Asia/Kolkata",
    "Asia/Shanghai", "Asia/Singapore", "Asia/Tokyo", "Australia/Sydney", "Europe/Athens", "Europe/Berlin", "Europe/Brussels",
    "Europe/Bucharest", "Europe/Budapest", "Europe/Dublin", "Europe/Helsinki", "Europe/Kyiv", "Europe/Lisbon",
    "Europe/London", "Europe/Madrid", "Europe/Paris", "Europe/Prague", "Europe/Rome", "Europe/Sofia", "Europe/Tallinn",
    "Europe/Vienna", "Europe/Warsaw", "Europe/Zurich", "Pacific/Auckland",
)  # fmt: skip

ENTITIES: tuple[Entity, ...] = (
    # sensors: the meter
    _sensor("emeter_power", "Power", "EMETERPOWER", "W", "power", cadence=POWER_S, steps=True, package="core"),
    _sensor("emeter_session_time", "Session time", "EMETERSESTIME", "s", "duration", "total_increasing", cadence=MINUTE_S, package="meter", shown_in="min"),
    _sensor("emeter_charging_time", "Charging time", "EMETERCHTIME", "s", "duration", "total_increasing", cadence=MINUTE_S, package="meter", shown_in="min"),
    _sensor("energy_consumption", "Session energy", "EMETERCONSUM", "Wh", "energy", "total_increasing", notes="falls to 0 with each session", cadence=METER_S, package="core"),
    _sensor("total_energy_consumption", "Total energy", "EMETERTOTCONSUM", "Wh", "energy", "total_increasing", convert="lifetime", needs=("EMETERCONSUM",),
            notes="never falls except after a reset, see lifetime-energy.md; shown once it is saved, at most a minute late; above 16 777 216 Wh a float keeps every second Wh, "
                  "above 33 554 432 Wh every fourth: the text sensor of the same name is exact", cadence=METER_S, package="core"),
    _sensor("voltage_l1", "Voltage L1", "EMETERVOLTAGE", "V", "voltage", field="l1", scale=3, accuracy=1, cadence=METER_S, package="meter"),
    _sensor("voltage_l2", "Voltage L2", "EMETERVOLTAGE", "V", "voltage", field="l2", scale=3, accuracy=1, cadence=METER_S, package="meter"),
    _sensor("voltage_l3", "Voltage L3", "EMETERVOLTAGE", "V", "voltage", field="l3", scale=3, accuracy=1, notes="firmware up to the head of June 2026 reports L2's voltage here", cadence=METER_S, package="meter"),
    _sensor("current_l1", "Current L1", "EMETERCURRENT", "A", "current", field="l1", scale=3, accuracy=1, cadence=CURRENT_S, steps=True, package="meter"),
    _sensor("current_l2", "Current L2", "EMETERCURRENT", "A", "current", field="l2", scale=3, accuracy=1, cadence=CURRENT_S, steps=True, package="meter"),
    _sensor("current_l3", "Current L3", "EMETERCURRENT", "A", "current", field="l3", scale=3, accuracy=1, cadence=CURRENT_S, steps=True, package="meter"),
    _sensor("active_phases", "Phases in use", "", convert="derived", needs=("EMETERCURRENT",), icon="mdi:sine-wave", notes="phases that carry more than 0.5 A", cadence=MINUTE_S, steps=True, package="meter"),
    _sensor("last_session_energy", "Last session energy", "", "Wh", "energy", "", convert="derived", needs=_SESSION, notes="caught before the charger sets its own value to 0", cadence=DIAGNOSTIC_S, package="core"),
    _sensor("last_session_duration", "Last session time", "", "s", "duration", "", convert="derived", needs=_SESSION, cadence=DIAGNOSTIC_S, package="meter", shown_in="min"),
    # sensors: the charger itself
    _sensor("uptime", "Uptime", "UPTIME", "s", "duration", "", category=DIAGNOSTIC, cadence=MINUTE_S, package="diagnostics", shown_in="h"),
    _sensor("temperature", "Temperature", "TEMP", "°C", "temperature", field="high", convert="gated", scale=2, accuracy=2, category=DIAGNOSTIC, notes="the highest sensor", cadence=MINUTE_S, package="diagnostics"),
    _sensor("temperature_high", "Highest temperature", "TEMP", "°C", "temperature", field="high", convert="gated", scale=2, accuracy=2, category=DIAGNOSTIC, cadence=MINUTE_S, disabled=True),
    _sensor("temperature_low", "Lowest temperature", "TEMP", "°C", "temperature", field="low", convert="gated", scale=2, accuracy=2, category=DIAGNOSTIC, cadence=MINUTE_S, disabled=True),
    _sensor("temperature_sensor_count", "Temperature sensors", "TEMP", field="count", state_class="", category=DIAGNOSTIC, icon="mdi:thermometer-lines", cadence=MINUTE_S, disabled=True),
    _sensor("wifi_rssi", "Wi-Fi signal", "WIFISTACONN", "dBm", "signal_strength", field="rssi", convert="gated", category=DIAGNOSTIC, notes="unknown while not connected", cadence=DIAGNOSTIC_S, package="diagnostics"),
    _sensor("heap_used", "Heap used", "HEAP", "B", "data_size", "", field="used", category=DIAGNOSTIC, cadence=DIAGNOSTIC_S, disabled=True),
    _sensor("heap_total", "Heap total", "HEAP", "B", "data_size", "", field="total", category=DIAGNOSTIC, cadence=DIAGNOSTIC_S, disabled=True),
    _sensor("socket_lock_min_break_time", "Lock break time", "SOCKETLOCKMINBREAKTIME", "ms", "duration", "", category=DIAGNOSTIC, disabled=True),
    # sensors: the link
    _counter(0, "commands_answered", "Commands answered", "mdi:check", "commands that ended with OK"),
    _counter(1, "commands_failed", "Commands failed", "mdi:close", "commands that ended with ERROR"),
    _counter(2, "commands_timed_out", "Commands timed out", "mdi:timer-off", "commands without an answer"),
    _counter(3, "resyncs", "Resynchronisations", "mdi:sync-alert", "times the answers had to be sorted out again"),
    _counter(4, "charger_reboots", "Restarts", "mdi:restart-alert", "since the companion started"),
    _counter(5, "lines_discarded", "Lines discarded", "mdi:delete-empty", "lines that were damaged, too long or unexpected"),
    # binary sensors
    _binary("connected", "Connected", device_class="connectivity", convert="derived", category=DIAGNOSTIC, notes="the charger answers", package="core"),
    _binary("timeout_fault", "Silent", device_class="problem", convert="derived", category=DIAGNOSTIC, notes="the charger does not answer", disabled=True),
    _binary("vehicle_connected", "Vehicle connected", device_class="plug", convert="derived", needs=("STATE",), notes="states B1 to D2; unknown in E and F, where the charger does not tell", package="core"),
    _binary("charging", "Charging", device_class="battery_charging", convert="derived", needs=("STATE",), notes="states C2 and D2", package="core"),
    _binary("fault", "Fault", device_class="problem", convert="derived", needs=("STATE", "ERROR"), notes="state E or any fault bit", package="core"),
    _binary("pending_authorization", "Waiting for authorization", "PENDAUTH", convert="pending", icon="mdi:account-key", notes="off in state E, where the charger's bit means nothing", package="core"),
    _binary("charging_limit_reached", "Charging limit reached", "LIMREACH", icon="mdi:speedometer", package="settings"),
    *(
        _binary(f"{key}_fault", f"{text} fault", "ERROR", "problem", convert="bit", bit=bit, category=DIAGNOSTIC, package="diagnostics")
        for bit, (key, text) in enumerate(FAULTS)
    ),
    _binary("wifi_connected", "Wi-Fi connected", "WIFISTACONN", "connectivity", field="connected", category=DIAGNOSTIC, package="diagnostics"),
    _binary("wifi_static_ip", "Static address", "WIFISTASTATIC", field="enabled", category=DIAGNOSTIC, icon="mdi:ip-network", disabled=True),
    _binary("wifi_ap_active", "Access point active", "WIFIAPCFG", "running", field="enabled", category=DIAGNOSTIC, disabled=True),
    _binary("wifi_ap_connected", "Access point in use", "WIFIAPCONN", "connectivity", category=DIAGNOSTIC, disabled=True),
    _binary("socket_lock", "Has socket lock", "SOCKETLOCK", category=DIAGNOSTIC, icon="mdi:lock", disabled=True),
    _binary("proximity_pilot", "Has proximity pilot", "PROXIMITY", category=DIAGNOSTIC, icon="mdi:connection", disabled=True),
    _binary("temperature_sensor", "Has temperature sensor", "TEMPSENSOR", category=DIAGNOSTIC, icon="mdi:thermometer", disabled=True),
    _binary("three_phase_capable", "Three-phase capable", "EMETER", field="three_phase", category=DIAGNOSTIC, icon="mdi:sine-wave", disabled=True),
    # text sensors
    _text("state", "State", "STATE", convert="name", options=STATES, icon="mdi:ev-station", notes="IEC 61851 state: " + ", ".join(STATES), package="core"),
    _text("status", "Charge status", convert="derived", needs=("STATE", "ERROR", "ENABLE", "PENDAUTH", "LIMREACH"), icon="mdi:ev-station", notes="what is going on, in words", package="core"),
    _fact("total_energy_consumption", "Total energy exact", "EMETERTOTCONSUM", convert="lifetime", needs=("EMETERCONSUM",), icon="mdi:counter", notes="Wh, every digit; like the sensor, but while charging it stands still, for a logbook notes every change of a text", disabled=True),
    _fact("device_name", "Board", "DEVNAME", icon="mdi:developer-board", package="diagnostics"),
    _fact("device_time", "Clock", "TIME", convert="time", device_class="timestamp", cadence=MINUTE_S,
          notes="UTC, ISO 8601", disabled=True),
    _fact("timezone", "Time zone name", "TZ", icon="mdi:map-clock", disabled=True),
    _fact("timezone_rule", "Time zone rule", "TZRULE", icon="mdi:map-clock", disabled=True),
    _fact("wifi_sta_ssid", "Wi-Fi network", "WIFISTACFG", field="ssid", icon="mdi:wifi"),
    _fact("wifi_sta_ip", "IP address", "WIFISTAIP", icon="mdi:ip-network", package="diagnostics"),
    _fact("wifi_sta_mac", "MAC address", "WIFISTAMAC", icon="mdi:network", disabled=True),
    _fact("wifi_static_ip", "Static IP", "WIFISTASTATIC", field="ip", icon="mdi:ip-network", disabled=True),
    _fact("wifi_static_gateway", "Static gateway", "WIFISTASTATIC", field="gateway", icon="mdi:ip-network", disabled=True),
    _fact("wifi_static_netmask", "Static netmask", "WIFISTASTATIC", field="netmask", icon="mdi:ip-network", disabled=True),
    _fact("wifi_static_dns", "Static DNS", "WIFISTASTATIC", field="dns", icon="mdi:ip-network", notes="development head only", disabled=True),
    _fact("wifi_ap_ssid", "Access point name", "WIFIAPCFG", field="ssid", icon="mdi:access-point", disabled=True),
    _fact("wifi_ap_ip", "Access point address", "WIFIAPIP", icon="mdi:access-point-network", disabled=True),
    _fact("wifi_ap_mac", "Access point MAC", "WIFIAPMAC", icon="mdi:network", disabled=True),
    _fact("chip", "Chip", "CHIP", convert="join", icon="mdi:chip", notes="model, cores, revision", disabled=True),
    _fact("build_time", "Build time", "BUILDTIME", convert="join", icon="mdi:hammer-wrench", disabled=True),
    _fact("version", "Firmware version", "VER", icon="mdi:tag", package="diagnostics"),
    _fact("idf_version", "ESP-IDF version", "IDFVER", icon="mdi:tag-outline", disabled=True),
    _fact("emeter_type", "Meter type", "EMETER", field="type", convert="name", options=EMETER_TYPES, icon="mdi:meter-electric", notes="what the board's meter measures: " + ", ".join(EMETER_TYPES), disabled=True),
    _fact("serial_ports", "Serial ports", "SERIALS", convert="join", icon="mdi:serial-port", notes="type (1 UART, 2 RS-485) and name of each", disabled=True),
    _fact("aux_inputs", "Aux inputs", "AUXINPUTS", convert="join", icon="mdi:import", disabled=True),
    _fact("aux_outputs", "Aux outputs", "AUXOUTPUTS", convert="join", icon="mdi:export", disabled=True),
    _fact("aux_analog_inputs", "Aux analog inputs", "AUXANALOGINPUTS", convert="join", icon="mdi:import", disabled=True),
    # switches
    Entity("switch", "enable", "Charging enabled", "ENABLE", icon="mdi:ev-plug-type2", package="core"),
    Entity("switch", "available", "Available", "AVAILABLE", category=CONFIG, icon="mdi:ev-station", package="settings"),
    Entity("switch", "request_authorization", "Require authorization", "REQAUTH", category=CONFIG, icon="mdi:account-key", package="settings"),
    Entity("switch", "three_phase_meter", "Three-phase meter", "EMETERTHREEPHASE", category=CONFIG, icon="mdi:sine-wave"),
    Entity("switch", "socket_outlet", "Socket outlet", "SOCKETOUTLET", category=CONFIG, icon="mdi:power-socket", disabled=True),
    Entity("switch", "wifi_station", "Wi-Fi station", "WIFISTACFG", "enabled", category=CONFIG, icon="mdi:wifi", notes="keeps network and password"),
    Entity("switch", "wifi_access_point", "Access point", "WIFIAPCFG", "enabled", category=CONFIG, icon="mdi:access-point", notes="goes off by itself after a minute without a client", disabled=True),
    # buttons
    Entity("button", "authorize", "Authorize", "AUTH", convert="action", icon="mdi:account-check", notes="valid for 60 s", package="core"),
    Entity("button", "restart", "Restart", "RST", convert="action", device_class="restart", category=CONFIG, package="settings"),
    Entity("button", "start_ap", "Start access point", "WIFIAPCFG", convert="action", category=CONFIG, icon="mdi:access-point", disabled=True),
    Entity("button", "reset_total_energy", "Reset total energy", "EMETERTOTCONSUM", convert="action", category=CONFIG, icon="mdi:counter"),
    Entity("button", "wifi_scan", "Scan for Wi-Fi", "WIFIAPSCAN", convert="action", category=DIAGNOSTIC, icon="mdi:wifi-find", notes="results go to on_wifi_scan_result", disabled=True),
    Entity("button", "refresh", "Refresh", convert="action", category=DIAGNOSTIC, icon="mdi:refresh", notes="reads everything again", package="diagnostics", disabled=True),
    # numbers
    Entity("number", "charging_current", "Charging current", "CHCUR", **_TENTHS, package="core"),
    _limit("default_charging_current", "Default current", "DEFCHCUR", **_TENTHS, package="settings"),
    _limit("maximum_charging_current", "Maximum current", "MAXCHCUR", **_AMPERE, package="settings"),
    _limit("consumption_limit", "Energy limit", "CONSUMLIM", **_KWH, package="settings"),
    _limit("default_consumption_limit", "Default energy limit", "DEFCONSUMLIM", **_KWH, package="settings"),
    _limit("charging_time_limit", "Time limit", "CHTIMELIM", **_HOURS, package="settings"),
    _limit("default_charging_time_limit", "Default time limit", "DEFCHTIMELIM", **_HOURS, package="settings"),
    _limit("under_power_limit", "Under-power limit", "UNDERPOWERLIM", **_KW, package="settings"),
    _limit("default_under_power_limit", "Default power limit", "DEFUNDERPOWERLIM", **_KW, package="settings"),
    _limit("emeter_voltage", "Meter voltage", "EMETERACVOLTAGE", unit="V", device_class="voltage", minimum=100, maximum=300, icon="mdi:flash-triangle"),
    # selects
    Entity("select", "emeter_mode", "Meter mode", "EMETERMODE", convert="value", options=EMETER_MODES, category=CONFIG, icon="mdi:meter-electric"),
    Entity("select", "timezone", "Time zone", "TZ", convert="name", options=TIMEZONES, category=CONFIG, icon="mdi:map-clock", notes="development head only; `options:` replaces the list"),
    # texts
    Entity("text", "host_name", "Host name", "HOSTNAME", category=CONFIG, icon="mdi:web", notes=f"at most {MAX_NAME_BYTES} bytes are written, as v2.1.1 loses longer names"),
    Entity("text", "instance_name", "Instance name", "INSTNAME", category=CONFIG, icon="mdi:label", notes=f"at most {MAX_NAME_BYTES} bytes are written, as v2.1.1 loses longer names"),
    # events
    Entity("event", "session", "Session", convert="derived", needs=_SESSION, options=("started", "finished"), icon="mdi:ev-station",
           notes="an ESPHome event carries no numbers: energy and duration are in last_session_energy, last_session_duration and on_session_end, all set before the event", package="core"),
    Entity("event", "fault", "Fault event", convert="derived", needs=("ERROR",), options=tuple(key for key, _ in FAULTS), icon="mdi:alert", notes="one for each fault bit that appears", package="diagnostics"),
)

PLATFORMS = tuple(dict.fromkeys(entity.platform for entity in ENTITIES))
ENTITY = {(entity.platform, entity.key): entity for entity in ENTITIES}


def entities(platform: str) -> tuple[Entity, ...]:
    """The rows of one platform, in catalog order."""
    return tuple(entity for entity in ENTITIES if entity.platform == platform)


# --- the hub: options, actions, conditions, triggers ------------------------------------------------------------------


@dataclass(frozen=True)
class Argument:
    """A key of an option, action or trigger; ``default`` None means required, "" optional without a default."""

    key: str
    type: str
    doc: str
    default: str | None = None
    templatable: bool = False


@dataclass(frozen=True)
class Automation:
    """An action, condition or trigger of the hub; ``needs`` are the commands it puts on the wire."""

    name: str
    doc: str
    arguments: tuple[Argument, ...] = ()
    needs: tuple[str, ...] = ()


UPDATE_INTERVAL_S = (10, 600)
PUSH_INTERVAL_MS = (100, 60_000)
SUBSCRIBE_MIN_MS = 100

OPTIONS: tuple[Argument, ...] = (
    Argument("id", "ID", "name of this charger in actions and lambdas; needed with several chargers", ""),
    Argument("uart_id", "ID", "the UART, 115200 8N1, with tx and rx pins of its own", ""),
    Argument("update_interval", "time", "how often everything that can change is read, whether it is subscribed or not, 10 s to 10 min", "60s"),
    Argument("push_interval", "time", "period of the automatic subscriptions (state, enable, errors; the meter while charging; anything else is pushed every 4 s), "
             "100 ms to 60 s, or `never`; the charger rounds up to its own loop of 260 ms (100 ms in v2.1.1)", "250ms"),
    Argument("subscriptions", "map", "period or `never` for single values, with the names of the subscribe actions; stronger than push_interval", ""),
    Argument("keep_settings", "boolean", "after a restart of the charger put back what it held before and forgets: " + ", ".join(COMMAND[name].aliases[0] for name in LIVE_SETTINGS) + "; remembered as long as the node has power", "false"),
    Argument("below_minimum", "`minimum` or `pause`", "what a charging current below 6 A means, which IEC 61851 does not have: 6 A, or a pause until a current of 6 A or more is set", "minimum"),
    Argument("time_id", "ID", "an ESPHome time source; keeps the charger's clock set", ""),
)

ACTIONS: tuple[Automation, ...] = (
    Automation("enable", "Allow charging", needs=("ENABLE",)),
    Automation("disable", "Pause charging", needs=("ENABLE",)),
    Automation("authorize", "Grant authorization for 60 s", needs=("AUTH",)),
    Automation("set_charging_current", "Set the charging current", (Argument("current", "float", "6 to 63 A", templatable=True),), ("CHCUR",)),
    Automation("set_session_limits", "Set limits of the session; what is left out or negative stays as it is, 0 is no limit", (
        Argument("energy", "float", "kWh", "", True),
        Argument("charging_time", "float", "h", "", True),
        Argument("under_power", "float", "kW; acts after 60 s below it", "", True),
    ), ("CONSUMLIM", "CHTIMELIM", "UNDERPOWERLIM")),
    Automation("set_wifi_station", "Set the charger's Wi-Fi network", (
        Argument("ssid", "string", f"1 to {MAX_NAME_BYTES} bytes", templatable=True),
        Argument("password", "string", f"at most {MAX_STRING_BYTES} bytes; left out, the charger keeps its password", "", True),
        Argument("enabled", "boolean", "", "true", True),
    ), ("WIFISTACFG",)),
    Automation("set_static_ip", "Set the charger's static address", (
        Argument("ip", "string", "IPv4 address", templatable=True),
        Argument("gateway", "string", "IPv4 address", templatable=True),
        Argument("netmask", "string", "IPv4 mask", templatable=True),
        Argument("dns", "string", "IPv4 address; development head only", "", True),
        Argument("enabled", "boolean", "", "true", True),
    ), ("WIFISTASTATIC",)),
    Automation("set_time", "Set the charger's clock", (Argument("time_id", "ID", "an ESPHome time source; the only one, if left out", ""),), ("TIME",)),
    Automation("wifi_scan", "Scan for networks; the charger is deaf for about 2 s", needs=("WIFIAPSCAN",)),
    Automation("reset_total_energy", "Set the lifetime energy to 0", needs=("EMETERTOTCONSUM",)),
    Automation("restart", "Restart the charger", needs=("RST",)),
    Automation("send_command", "Send one raw AT command; its lines go to on_command_line, its end to on_command_result", (
        Argument("command", "string", "one line that begins with AT, at most 127 bytes", templatable=True),
        Argument("force", "boolean", "send even what can hang or crash the charger", "false"),
    )),
    Automation("refresh", "Read everything again"),
    Automation("force_update", "The same as refresh"),
    Automation("unsubscribe_all", "Stop all subscriptions, the automatic ones too; values are then read every update_interval"),
)

SUBSCRIBE_PERIOD = Argument("period", "time", "at least 100 ms, or `never`; a lambda returns milliseconds, 0 for never", templatable=True)

_SETTABLE = ("switch", "number", "select", "text", "button")


def wish_name(command: str) -> str:
    """What a person calls a wish for this command: the entity's key, else the action's name, else the command."""
    keys = [entity.key for entity in ENTITIES if entity.platform in _SETTABLE and entity.command == command]
    actions = [action.name for action in ACTIONS if command in action.needs]
    return (keys + actions + [command])[0]


CONDITIONS: tuple[Automation, ...] = (
    Automation("is_connected", "The charger answers"),
    Automation("is_charging", "State C2 or D2", needs=("STATE",)),
    Automation("is_vehicle_connected", "States B1 to D2", needs=("STATE",)),
    Automation("is_authorization_pending", "A plugged vehicle waits for authorization", needs=("PENDAUTH",)),
    Automation("is_authorized", "A vehicle is plugged and does not wait for authorization", needs=("STATE", "PENDAUTH")),
)

TRIGGERS: tuple[Automation, ...] = (
    Automation("on_ready", "The charger has started (its RDY line)"),
    Automation("on_connect", "The charger answers, for the first time or again"),
    Automation("on_disconnect", "The charger has stopped answering"),
    Automation("on_state", "The IEC 61851 state has changed", (Argument("state", "string", "A, B1 ... F"),), ("STATE",)),
    Automation("on_session_start", "A vehicle was plugged in", needs=_SESSION),
    Automation("on_session_end", "The session is over", (Argument("energy", "float", "Wh"), Argument("duration", "uint32_t", "s")), _SESSION),
    Automation("on_fault", "A fault bit has appeared", (Argument("fault", "string", "one of: " + ", ".join(key for key, _ in FAULTS)),), ("ERROR",)),
    Automation("on_write_failed", "What was asked for has not come true: the charger refused it, did not answer, or holds another value", (
        Argument("entity", "string", "the key of the entity that can be written, such as charging_current; set_static_ip and set_time where there is none"),
        Argument("reason", "string", "in words"),
    )),
    Automation("on_wifi_scan_result", "One network of a scan", (
        Argument("ssid", "string", "may be empty"), Argument("rssi", "int", "dBm"), Argument("auth", "int", "0 = open, 1 = protected"),
    )),
    Automation("on_command_line", "One line of the answer to send_command", (Argument("line", "string", "without line end"),)),
    Automation("on_command_result", "send_command has ended", (Argument("success", "bool", "true for OK; false for ERROR, refusal or silence"),)),
)

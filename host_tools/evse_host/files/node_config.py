"""An ESPHome configuration for one charger: rendered from a template, with its secrets, checked by ESPHome."""

from __future__ import annotations

import base64
import importlib.util
import re
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jinja2
import yaml

from ..catalog import BAUD_RATE, ENTITIES, Entity
from ..errors import EvseError, UsageError
from ..installation import git_source
from .capabilities import Capabilities
from .yaml_text import scalar

TEMPLATE = Path(__file__).parent / "templates" / "node.yaml.j2"
CHECKOUT = Path(__file__).resolve().parents[3] / "components"
PACKAGED = Path(__file__).resolve().parents[1] / "components"  # put there by the build
PLATFORMS = ("esp32", "esp8266", "rp2040")
CHECK_TIMEOUT_S = 300  # the first time ESPHome may fetch the component from git

#: Boards that are no ESP32, as ESPHome and PlatformIO call them; for others say the platform.
BOARD_PLATFORMS = {
    **dict.fromkeys(("d1", "d1_mini", "d1_mini_lite", "d1_mini_pro", "nodemcu", "nodemcuv2", "esp01", "esp01_1m",
                     "esp07", "esp12e", "esp8285"), "esp8266"),
    **dict.fromkeys(("rpipico", "rpipicow", "rpipico2w"), "rp2040"),
}  # fmt: skip

#: Pins on which the node prints its own log.
LOG_PINS = {"esp32": {"GPIO1", "GPIO3"}, "esp8266": {"GPIO1", "GPIO3", "GPIO15", "GPIO13"}, "rp2040": set()}


@dataclass(frozen=True)
class Node:
    """The companion: ``tx_pin`` goes to the charger's RX. ``components`` is a directory, `github://OWNER/REPO[@REF]`
    or the URL of a git repository, with `@REF` if wanted. Raises UsageError."""

    board: str
    tx_pin: str
    rx_pin: str
    components: str
    name: str = "evse"
    friendly_name: str = "EVSE"
    platform: str = ""

    def __post_init__(self) -> None:
        _check("board", self.board, r"[\w.-]{1,64}", "letters, digits, `_`, `-` and `.` are allowed")
        _check("name", self.name, r"[a-z0-9]([a-z0-9-]{0,29}[a-z0-9])?", "1 to 31 of a-z, 0-9 and `-` are allowed")
        for key in ("tx_pin", "rx_pin"):
            pin = getattr(self, key).upper()
            _check(key, pin, r"(GPIO)?\d{1,2}|[A-Z]{1,2}\d{0,2}", "a pin such as GPIO17 is allowed")
            object.__setattr__(self, key, f"GPIO{pin}" if pin.isdecimal() else pin)
        if self.tx_pin == self.rx_pin:
            raise UsageError(f"rx_pin: {self.rx_pin} is the tx_pin already; two pins are needed")
        object.__setattr__(self, "platform", self.platform or BOARD_PLATFORMS.get(self.board, "esp32"))

    @property
    def shares_log_pins(self) -> bool:
        """Whether the log must stay off the serial pins, which are the charger's."""
        return bool({self.tx_pin, self.rx_pin} & LOG_PINS[self.platform])

    @property
    def source(self) -> dict[str, str]:
        """What stands under `source:` of ESPHome's `external_components:`."""
        if "://" not in self.components:
            return {"type": "local", "path": self.components}
        url, _, ref = self.components.rpartition("@")
        if "/" not in url.partition("://")[2]:  # no REF: that was the user of ssh://git@host/repository
            url, ref = self.components, ""
        if url.startswith("github://"):
            url = f"https://github.com/{url.removeprefix('github://')}"
        return {"type": "git", "url": url} | ({"ref": ref} if ref else {})


def _check(key: str, value: str, pattern: str, allowed: str) -> None:
    if not re.fullmatch(pattern, value, re.ASCII):
        raise UsageError(f"{key}: {value!r}: {allowed}")


def find_components(wanted: str | None) -> str:
    """Where the component is: as wanted; or the checkout that this program runs from, the git repository that it was
    installed from, or the copy that came with it. Raises UsageError."""
    if wanted:
        return wanted if "://" in wanted else _directory(Path(wanted), Path(wanted) / "components")
    return _checked(CHECKOUT) or git_source() or _directory(PACKAGED)


def _directory(*places: Path) -> str:
    for place in places:
        if _checked(place):
            return _checked(place)
    raise UsageError(
        f"components: {places[0]}: there is no esp32evse in it; --components takes a directory or a git URL"
    )


def _checked(place: Path) -> str:
    return str(place.resolve()) if (place / "esp32evse" / "__init__.py").is_file() else ""


# --- the configuration ------------------------------------------------------------------------------------------------


def supported(capabilities: Capabilities) -> dict[str, list[Entity]]:
    """The entities that this charger supports, by platform, in the catalog's order."""
    platforms: dict[str, list[Entity]] = {}
    for entity in ENTITIES:
        if not capabilities.lacks(entity):
            platforms.setdefault(entity.platform, []).append(entity)
    return platforms


def left_out(capabilities: Capabilities) -> dict[str, list[str]]:
    """Why -> entities that are not in the configuration."""
    reasons: dict[str, list[str]] = {}
    for entity in ENTITIES:
        reason = capabilities.lacks(entity)
        if reason:
            reasons.setdefault(reason, []).append(f"{entity.platform} {entity.key}")
    return reasons


def render(template: Path, node: Node, capabilities: Capabilities) -> str:
    """The configuration's text. A template gets ``node``, ``capabilities``, ``platforms`` (platform -> entities) and
    ``baud_rate``; the filter ``yaml`` quotes a text. Raises UsageError that names the line."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["yaml"] = scalar
    try:
        source = template.read_text(encoding="utf-8")
        return environment.from_string(source).render(
            node=node, capabilities=capabilities, platforms=supported(capabilities), baud_rate=BAUD_RATE
        )
    except jinja2.TemplateSyntaxError as error:
        raise UsageError(f"{template}: line {error.lineno}: {error.message}") from None
    except jinja2.TemplateError as error:
        raise UsageError(f"{template}: {error}") from None
    except OSError as error:
        raise UsageError(f"{template}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{template}: is not UTF-8 text") from None


# --- its secrets ------------------------------------------------------------------------------------------------------

PLACEHOLDER = "REPLACE-ME"
MAKERS = {
    "api_encryption_key": lambda: base64.b64encode(secrets.token_bytes(32)).decode("ascii"),
    "ota_password": lambda: secrets.token_hex(16),
    "fallback_hotspot_password": lambda: secrets.token_urlsafe(12),
}


def add_secrets(file: Path, config: str) -> list[str]:
    """Adds what ``config`` takes from secrets.yaml and ``file`` lacks; what is there stays, byte by byte.

    Keys and passwords are fresh random ones, anything else is a placeholder. Returns the names that were added. Raises
    UsageError.
    """
    without_remarks = re.sub(r"(^|\s)#.*", "", config, flags=re.MULTILINE)
    wanted = dict.fromkeys(re.findall(r"!secret\s+['\"]?([\w-]+)", without_remarks))
    added = [name for name in wanted if name not in _secret_names(file)]
    lines = [f"{name}: {scalar(MAKERS[name]() if name in MAKERS else PLACEHOLDER)}\n" for name in added]
    if lines:
        _append(file, "".join(lines))
    _keep_out_of_git(file)
    return added


def _keep_out_of_git(file: Path) -> None:
    """Secrets are ignored by git wherever they lie, as ESPHome's own dashboard has it."""
    ignore = file.parent / ".gitignore"
    try:
        known = ignore.read_text(encoding="utf-8").split() if ignore.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{ignore}: cannot be read: {error}") from None
    if not {file.name, f"/{file.name}"} & set(known):
        _append(ignore, f"/{file.name}\n", mode=0o644)


def _secret_names(file: Path) -> set[str]:
    """The names in a secrets file, and in the one that its `<<: !include` names."""
    if not file.exists():
        return set()
    try:
        root = yaml.compose(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: cannot be read: {' '.join(str(error).split())}") from None
    if root is None:
        return set()
    if not isinstance(root, yaml.MappingNode):
        raise UsageError(f"{file}: is no list of names and values; it stays as it is")
    names = set()
    for key, value in root.value:
        if key.value == "<<" and value.tag == "!include":
            names |= _secret_names(file.parent / value.value)
        else:
            names.add(key.value)
    return names


def _append(file: Path, text: str, mode: int = 0o600) -> None:
    """A new file of secrets is nobody else's to read."""
    try:
        file.touch(mode=mode)
        before = file.read_bytes()
        with file.open("ab") as output:
            output.write((text if before.endswith(b"\n") or not before else "\n" + text).encode("utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from None


# --- the check --------------------------------------------------------------------------------------------------------


def find_esphome() -> list[str]:
    """The command that runs ESPHome; empty if it is not installed."""
    if importlib.util.find_spec("esphome"):
        return [sys.executable, "-m", "esphome"]
    program = shutil.which("esphome")
    return [program] if program else []


def check(file: Path, esphome: list[str]) -> str:
    """Empty if ESPHome takes the configuration, else what it complains about. Raises EvseError."""
    command = [*esphome, "config", file.name]
    try:
        result = subprocess.run(
            command, cwd=file.resolve().parent, capture_output=True, stdin=subprocess.DEVNULL, text=True,
            errors="replace", timeout=CHECK_TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EvseError(f"{file} is written, but ESPHome could not check it: {error}") from None
    return "" if result.returncode == 0 else re.sub(r"\x1b\[[0-9;]*m", "", result.stdout + result.stderr)

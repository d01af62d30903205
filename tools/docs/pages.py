"""Writes the pages and the full example that are made from the catalog, and the page of what was measured.

    make docs                 write what is not current
    make docs ARGS=--check    write nothing; name what is not current and exit with 1

One template in tools/docs/templates for each file.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import jinja2

from evse_host import catalog
from evse_host.bridge import registers
from tools.balance import offers
from tools.measure import manager_footprint, results

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = Path(__file__).with_name("templates")

#: template -> what it makes, relative to the project
PAGES = {
    "entities.md.j2": "docs/entities.md",
    "automations.md.j2": "docs/automations.md",
    "reliability.md.j2": "docs/reliability.md",
    "modbus.md.j2": "docs/bridges/modbus.md",
    "load-management.md.j2": "docs/load-management.md",
}

BALANCE = ROOT / "docs/load-management/balance.json"
LAW_NAMES = {
    "nothing": "no manager",
    "integrator": "integrator",
    "subtraction": "subtraction",
    "thermal": "thermal points",
    "law": "**this law**",
}


@dataclass(frozen=True)
class Package:
    """A ready-made package of entities; ``doc`` is its first line."""

    name: str
    doc: str

    @property
    def target(self) -> str:
        return f"example_configs/packages/{'full' if self.name == 'full' else 'evse-' + self.name}.yaml"

    @property
    def entities(self) -> list[catalog.Entity]:
        return [entity for entity in catalog.ENTITIES if self.name in ("full", entity.package)]

    @property
    def platforms(self) -> list[str]:
        return list(dict.fromkeys(entity.platform for entity in self.entities))

    @property
    def meter_device(self) -> bool:
        """Whether some of its entities belong to the meter, others do not."""
        return len({of_the_meter(entity) for entity in self.entities}) == 2


PACKAGES = (
    Package("core", "what most people want to see and do."),
    Package("settings", "limits and settings of the charger."),
    Package("meter", "phases and times of the energy meter."),
    Package("diagnostics", "faults, the charger itself and the link to it."),
    Package("full", "every entity there is."),
)

#: The factor from seconds to the unit that Home Assistant shows well.
SECONDS_IN = {"min": "0.016666667 # s to min", "h": "0.00027777778 # s to h"}

REFRESH = {
    catalog.PUSH: "pushed",
    catalog.CHARGING: "pushed while charging, else slowly",
    catalog.SLOW: "pushed slowly",
    catalog.POLL: "polled",
    catalog.ONCE: "after a start",
    catalog.NEVER: "on request",
}


def of_the_meter(entity: catalog.Entity) -> bool:
    """Whether it is the energy meter's: power, energies, phases, times of a session."""
    return entity.platform == "sensor" and (
        entity.command or (entity.needs[-1:] and entity.needs[-1]) or ""
    ).startswith("EMETER")


def number(value: float) -> str:
    """A number as a person writes it: 6, 0.1, 65.5."""
    return f"{value:g}"


def cell(text: str) -> str:
    """Text that may stand between the bars of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def source(entity: catalog.Entity) -> str:
    """Where the value comes from: command and field, or what it is derived from."""
    needs = ", ".join(f"`{name}`" for name in entity.needs)
    if not entity.command:
        return f"derived from {needs}" if needs else "derived"
    part = f" bit {entity.bit}" if entity.convert == "bit" else f" {entity.field}" if entity.field else ""
    return f"`{entity.command}`{part}" + (f", {needs}" if needs else "")


def refresh(entity: catalog.Entity) -> str:
    """How the value keeps itself fresh when the user says nothing else."""
    if entity.platform == "button":
        return ""
    ways = dict.fromkeys(REFRESH[catalog.COMMAND[name].refresh] for name in entity.commands)
    return "; ".join(ways) or "by itself"


def published(entity: catalog.Entity) -> str:
    """How often a value is published that comes faster."""
    if entity.convert == "lifetime" and entity.platform == "text_sensor":
        return "a change, not while charging"
    if not entity.cadence:
        return "every change" if entity.platform != "sensor" else "every value"
    return f"every {entity.cadence} s" + (", steps" if entity.steps else "")


def accepts(entity: catalog.Entity) -> str:
    """What a person may set."""
    if entity.platform == "number":
        unit = f" {entity.unit}" if entity.unit else ""
        bounds = f"{number(entity.minimum)} to {number(entity.maximum)}{unit}"
        return f"{bounds}, step {number(entity.step)}, multiplier {number(entity.multiplier)}"
    if entity.platform == "text":
        return f"text of 1 to {catalog.MAX_STRING_BYTES} bytes"
    if entity.platform == "switch":
        return "on, off"
    if entity.platform == "button":
        return "press"
    if entity.platform == "select":
        return ", ".join(f"`{option}`" for option in entity.options)
    return ""


def kept(entity: catalog.Entity) -> str:
    """What a restart of the charger does to a setting."""
    if entity.platform == "button" or not accepts(entity):
        return ""
    if entity.command in catalog.LIVE_SETTINGS:
        return "forgotten by the charger, see `keep_settings`"
    return "kept in the charger's flash" if catalog.COMMAND[entity.command].stored else "not kept"


def presentation(entity: catalog.Entity) -> str:
    """Device class, state class and category, as Home Assistant gets them."""
    return ", ".join(filter(None, (entity.device_class, entity.state_class, entity.category)))


def remarks(entity: catalog.Entity) -> str:
    """The command's own remark where the entity has none, and what firmware it needs."""
    command = catalog.COMMAND.get(entity.command)
    head = "development head only"
    notes = [entity.notes or (command.doc if command else "")]
    if command and command.head and head not in entity.notes:
        notes.append(head)
    return "; ".join(filter(None, notes))


def writable(register: registers.Register) -> str:
    """The numbers that a Modbus master may write."""
    if "W" not in register.access:
        return ""
    fields = catalog.COMMAND[register.command].fields
    if not fields:
        return "1"
    low, high = fields[0].range
    return f"{low} to {high}" + (", at most register 304 * 10" if register.command == "CHCUR" else "")


def environment() -> jinja2.Environment:
    """StrictUndefined: a template that asks for something that is not there fails."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters |= {"cell": cell, "number": number}
    for helper in (of_the_meter, source, refresh, published, accepts, kept, presentation, remarks, writable):
        env.globals[helper.__name__] = helper
    env.globals["catalog"] = catalog
    env.globals["REFRESH"] = REFRESH
    env.globals["seconds_in"] = SECONDS_IN
    env.globals["results"] = results.load()
    env.globals["registers"] = registers
    env.globals["load_manager"] = offers.catalog
    env.globals["law_names"] = LAW_NAMES
    env.globals["footprint"] = manager_footprint.BUDGETS
    env.globals["balance"] = json.loads(BALANCE.read_text(encoding="utf-8"))
    return env


def render() -> dict[Path, str]:
    """Every generated file with its text."""
    env = environment()
    pages = {ROOT / target: env.get_template(template).render(template=template) for template, target in PAGES.items()}
    template = env.get_template("package.yaml.j2")
    return pages | {ROOT / package.target: template.render(package=package) for package in PACKAGES}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the pages that are made from the catalog.")
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 when a page is not current")
    check = parser.parse_args(arguments).check
    stale = {
        path: text for path, text in render().items() if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    for path, text in stale.items():
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} is not current: run make docs", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())

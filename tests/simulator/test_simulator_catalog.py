"""The catalog as the host tool sees it, and what the simulator knows beyond it."""

import subprocess
import sys
from pathlib import Path

import evse_host
from evse_host import catalog
from evse_host.simulator import Board, Charger
from evse_host.simulator.interpreter import LISTS

PACKAGE = Path(evse_host.__file__).parent
COMPONENT = PACKAGE.parents[1] / "components" / "esp32evse" / "catalog.py"

PROBE = """
import sys
from evse_host.catalog import COMMAND, COMMANDS, STATES
assert "esphome" not in sys.modules
assert type(COMMANDS[0]).__module__ == "evse_host._catalog" and COMMAND["STATE"] in COMMANDS
print(sys.modules["evse_host._catalog"].__file__, len(STATES))
"""


def run(root: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", PROBE], env={"PYTHONPATH": str(root)}, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_checkout_reads_the_component_and_no_esphome():
    assert run(PACKAGE.parent) == f"{COMPONENT} 9"


def test_an_installed_package_reads_its_own_copy(tmp_path):
    installed = tmp_path / "evse_host"
    installed.mkdir()
    for name in ("__init__.py", "catalog.py"):
        (installed / name).write_text((PACKAGE / name).read_text())
    own = installed / "components/esp32evse/catalog.py"
    own.parent.mkdir(parents=True)
    own.write_text(COMPONENT.read_text())
    assert run(tmp_path) == f"{own} 9"


def test_every_public_name_is_there():
    assert {"COMMANDS", "COMMAND", "STATES", "ENTITIES", "Field", "Command"} <= set(catalog.__all__)
    assert all(hasattr(catalog, name) for name in catalog.__all__)


def test_the_charger_knows_every_command_and_invents_none():
    charger = Charger()
    for command in catalog.COMMANDS:
        if "R" in command.access:
            rows = charger.value(command.name)
            rows = rows if command.lines else [rows]
            assert all(len(row) == len(command.fields) for row in rows), command.name
    assert set(charger._parser._names) == {f"+{command.name}" for command in catalog.COMMANDS} | {"E0", "E1"}


def test_lists_are_what_the_catalog_calls_dangerous_to_subscribe():
    assert {command.name for command in catalog.COMMANDS if "hangs" in command.danger} == set(LISTS)


def test_values_fit_their_types():
    charger = Charger(board=Board())
    for command in catalog.COMMANDS:
        if "R" not in command.access or command.lines or command.name.startswith("SERIAL"):
            continue
        for field, value in zip(command.fields, charger.value(command.name), strict=True):
            if field.type == "str":
                assert isinstance(value, str) and len(value.encode()) <= catalog.MAX_STRING_BYTES
            else:
                low, high = catalog.INTEGER_RANGES[field.type]
                assert low <= value <= high, command.name

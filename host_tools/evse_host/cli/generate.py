"""`evse-host generate --board BOARD --tx PIN --rx PIN`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..catalog import EMETER_TYPES
from ..errors import EvseError, UsageError
from .session import Session

if TYPE_CHECKING:
    from ..files.capabilities import Capabilities
    from ..files.node_config import Node

_FILE = click.Path(path_type=Path, dir_okay=False)


def _show_template(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        from ..files.node_config import TEMPLATE

        click.echo(TEMPLATE.read_text(encoding="utf-8"), nl=False)
        ctx.exit()


@click.command("generate")
@click.option("--board", required=True, help="The companion's board, as ESPHome calls it: esp32dev, d1_mini ...")
@click.option("--tx", required=True, help="The pin that goes to the charger's RX: GPIO17.")
@click.option("--rx", required=True, help="The pin that goes to the charger's TX: GPIO16.")
@click.option("--platform", type=click.Choice(["esp32", "esp8266", "rp2040"]), help="Where the board does not tell.")
@click.option("--name", default="evse", show_default=True, help="Name of the node.")
@click.option("--friendly-name", default="EVSE", show_default=True, help="Its name in Home Assistant.")
@click.option("--components", metavar="SOURCE", help="Where the component is: github://OWNER/REPO[@REF], a git URL or "
              "a directory; otherwise where evse-host itself came from.")  # fmt: skip
@click.option("--output", "-o", type=_FILE, help="The file to write; NAME.yaml if not given.")
@click.option("--force", is_flag=True, help="Overwrite the file. Secrets are never overwritten.")
@click.option("--template", type=_FILE, help="Your own template instead of the built-in one.")
@click.option("--show-template", is_flag=True, is_eager=True, expose_value=False, callback=_show_template,
              help="Print the built-in template, to be copied and changed.")  # fmt: skip
@click.option("--offline", is_flag=False, flag_value="", metavar="[FILE]", help="Ask no charger: take the answers from "
              "FILE, the options below, or the terminal.")  # fmt: skip
@click.option("--save-answers", type=_FILE, metavar="FILE", help="Keep the answers for --offline.")
@click.option("--three-phase/--single-phase", default=None, help="What the charger's meter can count.")
@click.option("--temperature-sensor/--no-temperature-sensor", default=None)
@click.option("--socket-lock/--no-socket-lock", default=None)
@click.option("--proximity/--no-proximity", default=None, help="Proximity pilot, for a socket outlet.")
@click.option("--meter", type=click.Choice(EMETER_TYPES), help="What the charger's meter measures.")
@click.option("--firmware", type=click.Choice(["released", "head"]), help="Of the charger; released if not given.")
@click.option("--no-check", is_flag=True, help="Do not have ESPHome check the result.")
@click.pass_obj
def command(session: Session, /, offline: str | None, save_answers: Path | None, **options: Any) -> None:
    """Make an ESPHome configuration with just the entities that this charger supports.

    Asks the charger, or with --offline you. Keys and passwords are freshly made in secrets.yaml beside the file, and
    what is already there is kept.
    """
    from ..files import node_config
    from ..files.capabilities import format_answers

    node, file = _node(options), options["output"] or Path(f"{options['name']}.yaml")
    if file.exists() and not options["force"]:
        raise UsageError(f"{file}: there is a file of that name; --force overwrites it")
    capabilities = _capabilities(session, offline, options)
    text = node_config.render(options["template"] or node_config.TEMPLATE, node, capabilities)
    if save_answers:
        _write(save_answers, format_answers(capabilities))
    added = node_config.add_secrets(file.parent / "secrets.yaml", text)
    _write(file, text)
    esphome = [] if options["no_check"] else node_config.find_esphome()
    complaint = node_config.check(file, esphome) if esphome else ""
    _report(session, file, capabilities, added, bool(esphome and not complaint))
    if complaint:
        click.echo(complaint.rstrip(), err=True)
        raise EvseError(f"{file}: ESPHome refuses it, see above")


def _node(options: dict[str, Any]) -> Node:
    from ..files.node_config import Node, find_components

    keys = ("board", "name", "friendly_name")
    node = {key: options[key] for key in keys} | {"tx_pin": options["tx"], "rx_pin": options["rx"]}
    return Node(**node, platform=options["platform"] or "", components=find_components(options["components"]))


def _capabilities(session: Session, offline: str | None, options: dict[str, Any]) -> Capabilities:
    from ..files.capabilities import ask, choose

    keys = ("three_phase", "temperature_sensor", "socket_lock", "proximity", "meter", "firmware")
    given = {key: options[key] for key in keys if options[key] is not None}
    if offline is not None:
        answers = _answers(offline)
        if "firmware" in given:
            answers.pop("commands", None)
        return choose(_ask_person(answers | given))
    if given:
        raise UsageError(f"{', '.join(given)}: the charger itself is asked; an answer of yours needs --offline")
    with session.open() as evse:
        return ask(evse)


def _answers(offline: str) -> dict[str, Any]:
    from ..files.capabilities import parse_answers

    if not offline:
        return {}
    try:
        return parse_answers(Path(offline).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{offline}: cannot be read: {error}") from None


def _ask_person(answers: dict[str, Any]) -> dict[str, Any]:
    """What is still missing, if there is a person at a terminal."""
    from ..files.capabilities import REQUIRED

    if not sys.stdin.isatty():
        return answers
    for key in REQUIRED:
        if key in answers:
            continue
        if key == "meter":
            answers[key] = click.prompt("What does the meter measure", type=click.Choice(EMETER_TYPES), err=True)
        else:
            answers[key] = click.confirm(f"Does the charger have: {key.replace('_', ' ')}", err=True)
    return answers


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from None


def _report(session: Session, file: Path, capabilities: Capabilities, added: list[str], checked: bool) -> None:
    from ..files.node_config import MAKERS, left_out, supported

    reasons = left_out(capabilities)
    count = sum(map(len, supported(capabilities).values()))
    data = {"file": str(file), "entities": count, "left_out": reasons, "secrets_added": added, "checked": checked}
    lines = [f"{file}: {count} entities" + (", checked by ESPHome" if checked else ", not checked by ESPHome")]
    lines += [f"left out, {reason}: {', '.join(names)}" for reason, names in reasons.items()]
    made = [name for name in added if name in MAKERS]
    if made:
        lines.append(f"secrets.yaml: fresh {', '.join(made)}")
    open_ = [name for name in added if name not in MAKERS]
    if open_:
        lines.append(f"secrets.yaml: now replace {', '.join(open_)}")
    session.show(data, "\n".join(lines))

"""`evse-host bridge ocpp`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .bridging import needs, run_connected, secret, silence_options, snapshot_now, state_dir_option
from .session import Session

if TYPE_CHECKING:
    from ..bridge.ocpp.target import Target

KEY_VARIABLE = "EVSE_OCPP_PASSWORD"


@click.command(
    "ocpp",
    epilog="""
    \b
    Examples:
      # Home Assistant's OCPP integration, or EVCC, in the house
      evse-host --port /dev/ttyUSB0 bridge ocpp --url ws://192.168.1.10:9000 --id GARAGE
      # a provider, with TLS and a password; first look whether it lets us in
      evse-host bridge ocpp --url wss://central.example/ocpp --id GARAGE --password-file key --check
      evse-host bridge ocpp --url wss://central.example/ocpp --id GARAGE --password-file key --tag MYCARD
      # what would be sent now; nothing is
      evse-host bridge ocpp --id GARAGE --print
    """,
)
@click.option("--url", metavar="URL", help="Of the central system, ws:// or wss://HOST[:PORT][/PATH], without the id.")
@click.option("--id", "identity", metavar="ID", required=True, help="Name of the charge point at the central system.")
@click.option("--password-file", metavar="FILE", help=f"Its first line is the password (AuthorizationKey); or set "
              f"{KEY_VARIABLE}.")  # fmt: skip
@click.option("--ca-file", metavar="FILE", help="Certificate of the authority that signed the central system's.")
@click.option("--cert-file", metavar="FILE", help="Our certificate, for security profile 3; with --key-file.")
@click.option("--key-file", metavar="FILE", help="The certificate's key, without passphrase.")
@click.option("--tag", default="", metavar="TAG", help="The card that stands for 'plugged in at home', at most 20 "
              "characters. Where the charger wants an authorization the central system is asked for it.")  # fmt: skip
@click.option("--free-vend", is_flag=True, help="Whoever is plugged in charges, without asking; the transaction is "
              "told under --tag, or FREEVEND.")  # fmt: skip
@click.option("--phases", type=click.IntRange(1, 3), help="Phases that share a limit in W; as the charger's meter says "
              "if not given.")  # fmt: skip
@click.option("--version", type=click.Choice(["1.6", "2.0.1"]), default="1.6", show_default=True, help="Of OCPP.")
@click.option("--print", "only_print", is_flag=True, help="Print what would be sent now, and end.")
@click.option("--check", is_flag=True, help="Connect, boot, show what the central system answers, and end.")
@silence_options
@state_dir_option
@click.pass_obj
def ocpp(session: Session, /, only_print: bool, check: bool, **options: Any) -> int | None:
    """Be a charge point of a central system: billing, employers' cards, EVCC, Home Assistant's OCPP integration.

    Transactions are kept on disk until the central system has them, over cuts of line, charger and power. A limit of
    the central system is an upper bound: what people set at the charger stays below it.
    """
    try:
        from ..bridge.energy_file import default_state_dir
        from ..bridge.ocpp import preview
        from ..bridge.ocpp.bridge import OcppBridge, check_tag, journal_file
        from ..bridge.ocpp.situation import Settings
        from ..bridge.ocpp.target import Target
    except ImportError:
        raise needs("ocpp", "OCPP") from None
    settings = Settings(check_tag(options["tag"]), options["free_vend"], options["phases"])
    if only_print:
        said = preview.messages(snapshot_now(session), settings, options["version"])
        session.show(said, "\n".join(f"{action} {json.dumps(payload)}" for action, payload in said))
        return None
    if not options["url"]:
        raise UsageError("--url is missing: where is the central system? For example --url wss://central.example/ocpp")
    target = Target.parse(
        options["url"], options["identity"], secret(options["password_file"], KEY_VARIABLE),
        options["ca_file"] or "", options["cert_file"] or "", options["key_file"] or "",
    )  # fmt: skip
    file = journal_file(session.state_dir or default_state_dir(), target)
    if check:
        return _check(session, target, file, options["version"])
    return run_connected(
        session, lambda charger: OcppBridge(charger, target, file, settings, options["version"]), "the central system"
    )


def _check(session: Session, target: Target, file: Path, version: str) -> int:
    from ..bridge.ocpp import preview
    from ..bridge.ocpp.journal import Journal

    snapshot = snapshot_now(session)
    journal = Journal.open(file)
    try:
        sent, answer = preview.boot(snapshot, target, journal, version)
    finally:
        journal.close()
    text = f"connected to {target}\nBootNotification {json.dumps(sent)}\nanswer           {json.dumps(answer)}"
    session.show({"url": str(target), "sent": sent, "answer": answer}, text)
    return 0 if answer.get("status") == "Accepted" else 1

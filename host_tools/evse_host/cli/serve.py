"""`evse-host serve`"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..secrecy import HIDDEN
from .bridging import fallback, needs, run_bridge, secret, silence_options, snapshot_now, state_dir_option
from .serving import parse_address
from .session import Session

if TYPE_CHECKING:
    from ..bridge.charger import SharedCharger

PASSWORD = "EVSE_HTTP_PASSWORD"


@click.command("serve")
@click.option("--listen", metavar="[HOST:]PORT", default="127.0.0.1:8080", show_default=True,
              help="0.0.0.0:8080 for the whole network; port 0: any.")  # fmt: skip
@click.option("--user", default="", help="Ask for this name and a password (HTTP basic).")
@click.option("--password-file", help=f"Its first line is the password; or set {PASSWORD}.")
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME",
              help="Without --user: a name to serve, too, such as a proxy's on this computer; repeatable.")  # fmt: skip
@click.option("--energies", type=click.Choice(["Wh", "Ws"]), default="Wh", show_default=True,
              help="Unit of energies: Wh as the charger's own API has, or Ws as its documentation says.")  # fmt: skip
@click.option("--print", "only_print", is_flag=True, help="Print the state as the API shows it, and end.")
@silence_options
@state_dir_option
@click.pass_obj
def command(
    session: Session,
    listen: str,
    user: str,
    password_file: str | None,
    hosts: tuple[str, ...],
    energies: str,
    only_print: bool,
) -> int | None:
    """Serve the charger's REST API and a web page, until Ctrl-C.

    Addresses are those of the charger's own API, /api/v1/state and its writes; /api/v1/openapi.json describes them.
    """
    if only_print:
        _print(session, energies)
        return None
    host, port = parse_address(listen, "--listen")
    credentials = _credentials(user, password_file)
    try:
        from ..bridge.rest_app import make_app
        from ..bridge.rest_hearing import watch_clients
        from ..bridge.rest_server import RestServer, is_loopback
    except ImportError:
        raise needs("serve", "the REST server") from None
    if credentials is None and not is_loopback(host):
        raise UsageError(
            f"--listen {listen}: others than this computer are served only with credentials: "
            f"add --user NAME and --password-file FILE (or {PASSWORD})"
        )
    then = fallback(session)

    def make(charger: SharedCharger) -> Any:
        app = make_app(charger, credentials, energies, hosts)
        watchdogs = watch_clients(app, {"": charger}, then) if then else []
        return [RestServer(app, host, port), *watchdogs]

    return run_bridge(session, make)


def _credentials(user: str, password_file: str | None) -> tuple[str, str] | None:
    password = secret(password_file, PASSWORD)
    if not user and not password:
        return None
    if not user:
        raise UsageError("a password without --user NAME")
    if ":" in user:
        name = user.partition(":")[0]
        raise UsageError(f"--user {name}:{HIDDEN}: a name in HTTP has no colon; the password has a place of its own")
    if not password:
        raise UsageError(f"--user {user}: its password is missing: add --password-file FILE, or set {PASSWORD}")
    return user, password


def _print(session: Session, energies: str) -> None:
    from ..bridge import rest

    state = rest.state_json(snapshot_now(session), energies)
    session.show(state, json.dumps(state, indent=2))

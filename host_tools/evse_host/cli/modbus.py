"""`evse-host modbus`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .bridging import fallback, needs, run_bridge, silence_options, snapshot_now, state_dir_option
from .serving import parse_address
from .session import Session

if TYPE_CHECKING:
    from ..bridge.charger import SharedCharger


@click.command("modbus")
@click.option("--tcp", metavar="[HOST:]PORT", help="Serve Modbus TCP there, such as 127.0.0.1:502; 0: any port.")
@click.option("--rtu", metavar="DEVICE", help="Serve Modbus RTU on this serial port, such as /dev/ttyUSB1.")
@click.option("--baud", type=click.IntRange(300, 4_000_000), default=9600, show_default=True, help="Of --rtu, 8N1.")
@click.option("--unit", type=click.IntRange(1, 247), default=1, show_default=True, help="Unit of the charger.")
@click.option("--print", "only_print", is_flag=True, help="Print the registers as they are now, and end.")
@silence_options
@state_dir_option
@click.pass_obj
def command(session: Session, tcp: str | None, rtu: str | None, baud: int, unit: int, only_print: bool) -> int | None:
    """Serve the charger's Modbus registers, RTU or TCP, until Ctrl-C.

    Modbus has no password: whoever reaches the address may write.
    """
    if only_print:
        _print(session)
        return None
    if (tcp is None) == (rtu is None):
        raise UsageError("--tcp or --rtu: choose one")
    address = parse_address(tcp) if tcp is not None else None
    try:
        from ..bridge.modbus import ModbusRtu, ModbusTcp
    except ImportError:
        raise needs("modbus", "the Modbus bridge") from None

    from ..bridge.watchdog import watch_modbus

    then = fallback(session)

    def make(charger: SharedCharger) -> Any:
        units = {unit: charger}
        watchdogs = watch_modbus(units, then) if then else {}
        heard = {unit: watchdog.heard for unit, watchdog in watchdogs.items()}
        bridge = ModbusTcp(units, *address, heard) if address else ModbusRtu(units, rtu or "", baud, heard)
        return [bridge, *watchdogs.values()]

    return run_bridge(session, make)


def _print(session: Session) -> None:
    from ..bridge import registers

    values = registers.values(snapshot_now(session))
    lines = (f"{register.address}  {value:<8} {register.doc}" for register, value in values.items())
    session.show({register.address: value for register, value in values.items()}, "\n".join(lines))

"""What the tests of the companion's packages need beside a node: a serial cable, and the charger's own truth."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty

from evse_host.bridge.registers import REGISTERS
from evse_host.bridge.snapshot import Snapshot
from evse_host.simulator import PtyServer


class Cable:
    """Two pseudo terminals, ``left`` and ``right``, joined: what goes in at one comes out at the other."""

    def __init__(self) -> None:
        self._masters, self._slaves = [], []
        for _ in range(2):
            master, slave = os.openpty()
            tty.setraw(slave)
            self._masters.append(master)
            self._slaves.append(slave)  # held open: a client may come and go
        self.left, self.right = (os.ttyname(slave) for slave in self._slaves)
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Cable:
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._wake_write, b"x")
        self._thread.join()
        for fd in (*self._masters, *self._slaves, self._wake_read, self._wake_write):
            os.close(fd)

    def _run(self) -> None:
        other = dict(zip(self._masters, reversed(self._masters), strict=True))
        while self._wake_read not in (ready := select.select([*self._masters, self._wake_read], [], [])[0]):
            for master in ready:
                with contextlib.suppress(OSError):
                    os.write(other[master], os.read(master, 4096))


def truth(server: PtyServer) -> Snapshot:
    """What the charger itself would answer now, of all that has a register."""
    names = {register.command for register in REGISTERS if "R" in register.access}
    return Snapshot(True, server.call(lambda charger: {name: charger.value(name) for name in names}))

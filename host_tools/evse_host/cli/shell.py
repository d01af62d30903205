"""`evse-host shell`"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from ..errors import EvseError, NoAnswerError, PortError
from ..shell.shell import JsonOutput, Leave, Shell, TextOutput
from ..wire.codec import to_text
from .session import Session

PROMPT = "evse> "
LISTEN_S = 0.1  # how often to look for pushes while a line is typed
WAIT_S = 0.03  # for the next line of a script
MAX_WAITING_LINES = 100
CHUNK = 4096
MAX_LINE = 4096  # bytes; every command is shorter by far, so what is cut off there is refused


def history_path() -> Path:
    """Where the lines of earlier shells are kept."""
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_STATE_HOME")
    return Path(base or Path.home() / ".local" / "state") / "evse-host" / "history"


@click.command("shell")
@click.option("--history", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="File for the history of typed lines, in the user's state folder if not given.")  # fmt: skip
@click.pass_obj
def command(session: Session, history: Path | None) -> int:
    """Type AT commands. Tab completes, `help` explains, values pushed by the charger are shown apart.

    Dangerous commands are refused with the reason unless they begin with `!`. Without a terminal, lines are read from
    standard input: a refused line does not stop the others, a silent charger does, and the exit code is that of the
    first failure.
    """
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    output = JsonOutput() if session.as_json else TextOutput(terminal, terminal and "NO_COLOR" not in os.environ)
    with session.open() as evse:
        shell = Shell(evse, output)
        if terminal:
            Terminal(shell, output, history or history_path()).run()
            return 0
        return run_lines(shell, output, _waiting_lines())


# --- without a terminal -----------------------------------------------------------------------------------------------


def run_lines(shell: Shell, output: TextOutput | JsonOutput, lines: Iterator[str | None]) -> int:
    """Executes the lines; None stands for a moment in which there is none. Returns the exit code."""
    failure = 0
    for line in lines:
        try:
            if line is None:
                shell.listen(WAIT_S)
            else:
                output.typed(line)
                code = shell.execute(line)
                failure = failure or code
        except Leave:
            break
        except (NoAnswerError, PortError):
            raise
        except EvseError as error:
            output.error(str(error))
            failure = failure or error.exit_code
    return failure


def _waiting_lines() -> Iterator[str | None]:
    """Lines of standard input as they come, None whenever there is none yet."""
    waiting: queue.Queue[str] = queue.Queue(MAX_WAITING_LINES)
    threading.Thread(target=_read_input, args=(waiting,), daemon=True).start()
    while True:
        try:
            line = waiting.get_nowait()
        except queue.Empty:
            yield None
            continue
        if not line:
            return
        yield line


def _read_input(waiting: queue.Queue[str]) -> None:
    """Bypasses ``sys.stdin``, whose lock would be held by this thread when the program ends."""
    rest = b""
    while data := os.read(sys.stdin.fileno(), CHUNK):
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[:MAX_LINE]
        for line in lines:
            waiting.put(to_text(line) + "\n")
    if rest:
        waiting.put(to_text(rest))
    waiting.put("")


# --- in a terminal ----------------------------------------------------------------------------------------------------


class Terminal:
    """A line editor around a shell; pushes are printed above the line that is being typed."""

    def __init__(self, shell: Shell, output: TextOutput | JsonOutput, history: Path) -> None:
        from .editor import make_session

        self._shell, self._output = shell, output
        self._session = make_session(shell, history, output.error)

    def run(self) -> None:
        from prompt_toolkit.patch_stdout import patch_stdout

        self._execute("AT+VER?")
        self._output.note("help lists the commands, Tab completes, Ctrl-D leaves")
        while True:
            try:
                with patch_stdout(raw=True):
                    line = self._read()
                self._execute(line)
            except KeyboardInterrupt:
                continue
            except (EOFError, Leave):
                return

    def _read(self) -> str:
        import asyncio

        return asyncio.run(self._prompt())

    async def _prompt(self) -> str:
        import asyncio

        listening = asyncio.create_task(self._listen())
        try:
            typed: str = await self._session.prompt_async(PROMPT)
            return typed
        finally:
            listening.cancel()

    async def _listen(self) -> None:
        import asyncio

        while True:
            await asyncio.sleep(LISTEN_S)
            try:
                self._shell.listen(0)
            except EvseError as error:
                self._session.app.exit(exception=error)
                return

    def _execute(self, line: str) -> None:
        try:
            self._shell.execute(line)
        except PortError:
            raise
        except KeyboardInterrupt:
            self._output.error("interrupted: it may have been executed or not")
        except NoAnswerError as error:
            self._output.error(f"{error} (evse-host doctor finds out)")
        except EvseError as error:
            self._output.error(str(error))

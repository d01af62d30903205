"""The shell's line editor: completion, history and the help below the line, on prompt_toolkit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from ..shell.help import discreet, hint, suggestions
from ..shell.shell import Shell


class CatalogCompleter(Completer):
    """Commands, names and values from the catalog."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        typed = document.text_before_cursor
        for found in suggestions(typed, self._shell.subscribed):
            yield Completion(found.line, -len(typed.lstrip()), display=found.shown, display_meta=found.meta)


class DiscreetHistory(FileHistory):
    """A history file that only its owner may read, and without lines that may hold a password."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        super().__init__(str(path))

    def store_string(self, string: str) -> None:
        if discreet(string) == string:  # a line without its password would write *** when it is called back
            super().store_string(string)


def make_session(shell: Shell, path: Path, complain: Callable[[str], None]) -> PromptSession[str]:
    """``complain`` is told when the history cannot be kept; the shell works without."""
    history: History
    try:
        history = DiscreetHistory(path)
    except OSError as error:
        complain(f"history {path}: {error.strerror}; nothing will be remembered")
        history = InMemoryHistory()
    return PromptSession(
        history=history,
        completer=CatalogCompleter(shell),
        complete_while_typing=True,
        bottom_toolbar=lambda: hint(get_app().current_buffer.text),
        reserve_space_for_menu=6,
    )

"""The exit statuses, and the errors that end a command."""

from __future__ import annotations

FAILED = 1
MISUSED = 2
INTERRUPTED = 130
"""The status that shells report for a program ended by Ctrl-C."""


class CommandError(Exception):
    """The command cannot continue. The message is one sentence that says what to change."""

    status = FAILED


class MisusedError(CommandError):
    """The combination of options or their values makes no sense."""

    status = MISUSED

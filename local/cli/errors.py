"""What ends a command."""

from __future__ import annotations

FAILED = 1
MISUSED = 2
INTERRUPTED = 130
"""As a shell has it for a program that Ctrl-C ended."""


class CommandError(Exception):
    """The command cannot go on; the message says what to change."""

    status = FAILED


class UsageError(CommandError):
    """The command was called in a way that cannot be meant."""

    status = MISUSED

"""Run a click command as a program: its errors in one line, its exit status as a number."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import click

from segment_loops.command_errors import FAILED, INTERRUPTED, CommandError
from segment_loops.console import tell


def run_program(command: click.Command, arguments: Sequence[str] | None, name: str) -> int:
    """Run the command and return its exit status.

    0 means success, 1 that problems were found or something failed, 2 that the command was misused, and 130 that it was
    interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # not every terminal can show every character
    try:
        status = command.main(arguments, prog_name=name, standalone_mode=False)
    except CommandError as error:
        tell(f"Error: {error}", "red")
        return error.status
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:  # click's word for Ctrl-C
        tell("Interrupted.")
        return INTERRUPTED
    except SystemExit as ended:  # click ends the program when the reader of a pipe has left
        return ended.code if isinstance(ended.code, int) else FAILED
    return status if isinstance(status, int) else 0

"""`segment-loops`: one entry, and a command for each thing that a person does."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from local.cli import api_key, check, dead_letters, importing, preview
from local.cli.errors import FAILED, INTERRUPTED, CommandError
from local.cli.terminal import Style, tell


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 all is well, 1 something is not, 2 the command was misused (`SystemExit` from argparse)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # not every terminal has every character
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except CommandError as error:
        tell(f"segment-loops: {error}", Style.RED)
        return error.status
    except KeyboardInterrupt:
        tell("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="segment-loops",
        description="Works with this destination: its mappings, its key, its dead letters.",
        epilog="Exit status: 0 all is well, 1 problems were found or something failed, 2 the command was misused. "
        "`segment-loops COMMAND --help` tells more.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (check, preview, importing, api_key, dead_letters):
        command.add_parser(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""`segment-loops`: the command line's entry point."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import click

from segment_loops.commands.api_key_commands import setup_secret, test_api_key
from segment_loops.commands.check import check
from segment_loops.commands.dead_letters import dead_letters
from segment_loops.commands.doctor import doctor
from segment_loops.commands.importing import import_export
from segment_loops.commands.ledger import ledger
from segment_loops.commands.preview import preview
from segment_loops.commands.program import run_program
from segment_loops.commands.sign import sign
from segment_loops.commands.studio import studio
from segment_loops.commands.trace import trace


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 success, 1 problems were found or something failed, 2 the command was misused, 130 interrupted.",
)
@click.version_option(version("loops-destination"), prog_name="segment-loops")
def segment_loops() -> None:
    """Work with your Loops destination: its mappings, its API key, and what it delivered."""


for command in (
    check,
    preview,
    import_export,
    test_api_key,
    setup_secret,
    doctor,
    sign,
    studio,
    trace,
    dead_letters,
    ledger,
):
    segment_loops.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    return run_program(segment_loops, arguments, "segment-loops")

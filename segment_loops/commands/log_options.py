"""The question before a search of a stack's log, and the options that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from segment_loops.command_errors import CommandError
from segment_loops.commands.options import Duration, options
from segment_loops.console import age, confirmed, notify

if TYPE_CHECKING:
    from segment_loops.log_search import LogSearch, Period

ASK_ABOVE_BYTES = 10_000_000_000
"""A search that scans more asks first: 10 GB cost about five cents."""

log_options = options(
    click.option(
        "--since",
        type=Duration(),
        default=86400.0,
        metavar="TIME",
        help="Search the log from this long ago: 30m, 2h, 3d.  [default: 1d]",
    ),
    click.option("--yes", is_flag=True, help="Search without asking, however large the log is."),
)


def agree_to_search(search: LogSearch, period: Period, stack: str, *, yes: bool) -> None:
    """Print how much the search scans and what it costs; ask if it is much, and raise `CommandError` after a no."""
    from segment_loops.log_search import price

    scanned = search.estimate(period)
    notify(f"Searching {age(period.end - period.start)} of the log of {stack}: {price(scanned)}.", "dim")
    if scanned > ASK_ABOVE_BYTES and not confirmed("Search that much?", yes=yes):
        raise CommandError("Nothing was searched. Pass a shorter --since, or --yes to search without being asked.")

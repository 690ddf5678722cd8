"""`check`: find every problem of a mappings file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from loops_destination.errors import Problem, SubscriptionsError
from loops_destination.subscriptions import Entry, load_entries
from segment_loops.command_errors import FAILED
from segment_loops.commands.options import json_option
from segment_loops.console import add_row, notify, number, print_json, printable, say, show, table, wrapped
from segment_loops.mapping_warnings import MappingWarning, find_warnings
from segment_loops.mappings_file import MAPPINGS, name_of, read_bytes, shown_path


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=MAPPINGS)
@json_option
def check(file: Path, *, as_json: bool) -> int:
    """Check a mappings file.

    Prints the file's subscriptions and warnings about probable mistakes, or every problem with its place. FILE is layers/mappings/mappings.json by default.

    Exit status: 0 the file is valid, 1 it is not.
    """
    try:
        entries = load_entries(read_bytes(file))
    except SubscriptionsError as error:
        if as_json:
            print_json({"ok": False, "problems": problems_as_json(error.problems)})
        else:
            tell_problems(error.problems, f"{shown_path(file)} has")
        return FAILED
    warnings = find_warnings(entries)
    if as_json:
        print_json(
            {
                "ok": True,
                "subscriptions": [_entry_as_json(entry) for entry in entries],
                "warnings": warnings_as_json(warnings),
            }
        )
    else:
        _show(file, entries)
        tell_warnings(warnings)
    return 0


def tell_problems(problems: Sequence[Problem], subject: str) -> None:
    """Print every problem with its place to standard error, after a line such as "FILE has 2 problems"."""
    notify(f"{subject} {number(len(problems), 'problem')}", "red")
    for problem in problems:
        notify()
        _tell_problem(problem)


def tell_warnings(warnings: Iterable[MappingWarning]) -> None:
    """Print every warning with its place to standard error."""
    for warning in warnings:
        notify()
        _tell_problem(warning, "Warning: ")


def problems_as_json(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """Return `[{"path", "message"}]`."""
    return [{"path": problem.path, "message": problem.message} for problem in problems]


def warnings_as_json(warnings: Iterable[MappingWarning]) -> list[dict[str, str]]:
    """Return `[{"kind", "path", "message"}]`."""
    return [{"kind": warning.kind, "path": warning.path, "message": warning.message} for warning in warnings]


def _tell_problem(problem: Problem, prefix: str = "") -> None:
    notify(f"{prefix}{printable(problem.path) or 'the document'}", "bold")
    notify(wrapped(printable(problem.message), 2))


def _show(file: Path, entries: Sequence[Entry]) -> None:
    say(f"{shown_path(file)} is valid: {number(len(entries), 'subscription')}", "green")
    if not entries:
        return
    rows = table(["Name", "Id", "Action", "Trigger"], whole=["Action"])
    for entry in entries:
        subscription = entry.subscription
        disabled = "" if subscription.enabled else "  (disabled)"
        cells = [name_of(entry), subscription.id, subscription.action.slug, f"{entry.subscription.trigger}{disabled}"]
        add_row(rows, cells, "" if subscription.enabled else "dim")
    show(rows)


def _entry_as_json(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.subscription.id,
        "name": name_of(entry),
        "enabled": entry.subscription.enabled,
        "action": entry.subscription.action.slug,
        "trigger": str(entry.subscription.trigger),
    }

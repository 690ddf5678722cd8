"""`check`: whether a mappings file is right."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from local.cli.arguments import add_json
from local.cli.errors import FAILED
from local.cli.mappings import MAPPINGS, Entry, load_entries, read_bytes, shown, warning_of_missing_id, warnings_on
from local.cli.terminal import Style, number, print_json, printable, say, table, tell, wrapped
from loops_destination.errors import Problem, SubscriptionsError


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "check",
        help="is this mappings file right?",
        description="Tells every problem of a mappings file with its place, or what is in it. Exit status: 0 right, 1 not.",
    )
    parser.add_argument(
        "file", metavar="FILE", nargs="?", type=Path, default=MAPPINGS, help="default: layers/mappings/mappings.json"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Checks the file."""
    try:
        entries = load_entries(read_bytes(options.file))
    except SubscriptionsError as error:
        if options.json:
            print_json({"ok": False, "problems": _as_json(error.problems)})
        else:
            tell_problems(error.problems, f"{shown(options.file)} must be mended")
        return FAILED
    warnings = [warning for entry in entries for warning in (*warning_of_missing_id(entry), *warnings_on(entry))]
    if options.json:
        print_json({"ok": True, "subscriptions": list(map(_entry_as_json, entries)), "warnings": _as_json(warnings)})
    else:
        _show(options.file, entries)
        tell_warnings(warnings)
    return 0


def tell_problems(problems: Sequence[Problem], headline: str) -> None:
    """Every problem on standard error, its place above it."""
    tell(f"{headline}: {number(len(problems), 'problem')}", Style.RED)
    for problem in problems:
        tell("")
        tell_problem(problem)


def tell_warnings(warnings: Iterable[Problem]) -> None:
    """What is no problem, and may still be none of what was meant."""
    for warning in warnings:
        tell("")
        tell_problem(warning, "warning: ")


def tell_problem(problem: Problem, prefix: str = "") -> None:
    """The place, and below it the message; a trigger's has lines with a caret."""
    tell(f"{prefix}{printable(problem.path) or 'the document'}", Style.BOLD)
    tell(wrapped(printable(problem.message), 2))


def _show(file: Path, entries: Sequence[Entry]) -> None:
    say(f"{shown(file)} is right: {number(len(entries), 'subscription')}", Style.GREEN)
    if entries:
        lines = table([list(_row(entry, with_id=_ids_differ(entries))) for entry in entries])
        for entry, line in zip(entries, lines, strict=True):
            enabled = entry.subscription.enabled
            say(f"  {line}{'' if enabled else '  (disabled)'}", None if enabled else Style.DIM)


def _row(entry: Entry, *, with_id: bool) -> Iterator[str]:
    yield entry.name
    if with_id:
        yield entry.subscription.id
    yield entry.action.slug
    yield str(entry.trigger)


def _ids_differ(entries: Iterable[Entry]) -> bool:
    """Whether logs and messages know any of them by another word than its name."""
    return any(entry.name != entry.subscription.id for entry in entries)


def _entry_as_json(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.subscription.id,
        "name": entry.name,
        "enabled": entry.subscription.enabled,
        "action": entry.action.slug,
        "trigger": str(entry.trigger),
    }


def _as_json(problems: Iterable[Problem]) -> list[dict[str, str]]:
    return [{"path": problem.path, "message": problem.message} for problem in problems]

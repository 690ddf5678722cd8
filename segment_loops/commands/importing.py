"""`import`: turn an export from Segment into a mappings file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import click

from loops_destination.errors import Problem, SubscriptionsError
from loops_destination.subscriptions import Entry
from segment_loops import segment_import
from segment_loops.command_errors import FAILED, CommandError
from segment_loops.commands.check import problems_as_json, tell_problems, tell_warnings, warnings_as_json
from segment_loops.commands.options import json_option
from segment_loops.console import confirmed, notify, number, print_json, printable, wrapped
from segment_loops.mappings_file import name_of, read_bytes, shown_path
from segment_loops.mixed_operators import Rewrite, rewritten


@click.command("import")
@click.argument("export_file", type=click.Path(path_type=Path))
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The file to write.  [default: standard output]",
)
@click.option("--force", is_flag=True, help="Overwrite the output file.")
@click.option("--yes", is_flag=True, help="Rewrite triggers that mix `and` and `or` without asking.")
@json_option
def import_export(export_file: Path, *, output: Path | None, force: bool, yes: bool, as_json: bool) -> int:
    """Turn an export from Segment into a mappings file.

    EXPORT_FILE is the answer of Segment's Public API to GET /destinations/{id}/subscriptions, or the list in it. Prints
    what will work differently here, and warnings about probable mistakes. An export with problems is not imported: fix
    them, and import it again. A trigger that mixes `and` and `or` without parentheses is not valid here; after asking,
    it is rewritten as Segment reads it.
    """
    content = read_bytes(export_file)
    rewritten_content, rewrites = rewritten(content)
    if rewrites and _may_rewrite(rewrites, yes=yes):
        content = rewritten_content
    else:
        rewrites = []
    try:
        imported = segment_import.import_export(content, rewrites)
    except SubscriptionsError as error:
        if as_json:
            print_json({"ok": False, "problems": problems_as_json(error.problems)})
        else:
            tell_problems(error.problems, f"{export_file} cannot be imported. It has")
            notify("\nSegment may accept all of this and silently ignore it. Here nothing is guessed.")
        return FAILED
    if output is not None:
        _write(output, imported.text, force=force)
    if as_json:
        problems = [*chain.from_iterable(imported.differences.values()), *imported.general_differences]
        print_json(
            {
                "ok": True,
                "mappings": imported.document,
                "differences": problems_as_json(problems),
                "warnings": warnings_as_json(imported.warnings),
            }
        )
        return 0
    if output is None:
        sys.stdout.buffer.write(imported.text)
    _print_differences(output, imported.differences, imported.general_differences)
    tell_warnings(imported.warnings)
    return 0


def _may_rewrite(rewrites: Sequence[Rewrite], *, yes: bool) -> bool:
    """Show each trigger as Segment reads it, and ask whether to write it so; without a terminal, only `yes` agrees."""
    for each in rewrites:
        notify(printable(each.place), "bold")
        notify(f"  written:  {printable(each.before)}")
        notify(f"  Segment:  {printable(each.after)}\n")
    question = "Segment lets the last `and` or `or` win. Write these triggers as Segment reads them?"
    agreed = confirmed(question, yes=yes)
    if not agreed:
        notify("Nothing was rewritten. Add parentheses, or pass --yes to rewrite without being asked.\n")
    return agreed


def _write(path: Path, text: bytes, *, force: bool) -> None:
    try:
        with path.open("wb" if force else "xb") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"{path} already exists. Pass --force to overwrite it.") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None


def _print_differences(
    output: Path | None, notes: Mapping[Entry, Sequence[Problem]], general_notes: Sequence[Problem]
) -> None:
    place = f" into {shown_path(output)}" if output is not None else ""
    notify(f"{number(len(notes), 'subscription')} imported{place}.", "green")
    notify("\nBefore you go live, note these differences from Segment (docs/decisions.md lists all):")
    for entry, problems in notes.items():
        if problems:
            notify(f"\n{printable(name_of(entry))}", "bold")
        for problem in problems:
            part = problem.path.removeprefix(entry.place).removeprefix("/")
            text = printable(f"{part}: {problem.message}" if part else problem.message)
            notify(f"  - {wrapped(text, 4).lstrip()}")
    for problem in general_notes:
        notify(f"\n{wrapped(problem.message, 0)}")

"""`import`: turn an export from Segment into a mappings file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click

from loops_destination.actions import ACTIONS
from loops_destination.errors import Problem, SubscriptionsError
from loops_destination.subscriptions import Entry, load_entries, load_subscriptions
from loops_destination.subscriptions.document import MAX_SUBSCRIPTIONS
from segment_loops.command_errors import FAILED, CommandError
from segment_loops.commands.check import problems_as_json, tell_problems, tell_warnings, warnings_as_json
from segment_loops.commands.mixed_operators import Rewrite, rewritten
from segment_loops.commands.options import json_option
from segment_loops.commands.segment_differences import differences
from segment_loops.console import confirmed, notify, number, print_json, printable, wrapped
from segment_loops.mapping_warnings import Kind, find_warnings
from segment_loops.mappings_file import (
    mapping_definition,
    name_of,
    new_id,
    read_bytes,
    shown_path,
    trigger_text,
)

DELETION = ACTIONS["deleteContact"]


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

    EXPORT_FILE holds what Segment's Public API answers to GET /destinations/{id}/subscriptions: the whole answer, or the
    list in it. Prints what will work differently here, and warnings about probable mistakes. An export with problems is not
    imported: fix them, and import it again. A trigger that mixes `and` and `or` without parentheses is refused here; after
    asking, it is rewritten into what Segment makes of it.
    """
    content = read_bytes(export_file)
    rewritten_content, rewrites = rewritten(content)
    if rewrites and _may_rewrite(rewrites, yes=yes):
        content = rewritten_content
    else:
        rewrites = []
    try:
        entries = load_entries(content)
    except SubscriptionsError as error:
        if as_json:
            print_json({"ok": False, "problems": problems_as_json(error.problems)})
        else:
            tell_problems(error.problems, f"{export_file} cannot be imported. It has")
            notify("\nSegment may accept all of this and silently ignore it. Here nothing is guessed.")
        return FAILED
    notes = {entry: list(differences(entry)) for entry in entries}
    warnings = [each for each in find_warnings(entries) if each.kind is not Kind.MISSING_ID]  # the result has ids
    document = {"subscriptions": [_definition(entry) for entry in entries]}
    general_notes = [
        *(Problem(each.place, f"{each.before} was rewritten as Segment reads it: {each.after}") for each in rewrites),
        *_add_deletion(document["subscriptions"]),
    ]
    text = _encoded(document)
    load_subscriptions(text)  # raises if the result would not pass `check`
    if output is not None:
        _write(output, text, force=force)
    if as_json:
        problems = [*chain.from_iterable(notes.values()), *general_notes]
        print_json(
            {
                "ok": True,
                "mappings": document,
                "differences": problems_as_json(problems),
                "warnings": warnings_as_json(warnings),
            }
        )
        return 0
    if output is None:
        sys.stdout.buffer.write(text)
    _tell(output, notes, general_notes)
    tell_warnings(warnings)
    return 0


def _may_rewrite(rewrites: Sequence[Rewrite], *, yes: bool) -> bool:
    """Show each trigger and what Segment makes of it, and ask whether to write that; without a terminal, only `yes` does."""
    for each in rewrites:
        notify(printable(each.place), "bold")
        notify(f"  written:  {printable(each.before)}")
        notify(f"  Segment:  {printable(each.after)}\n")
    question = "Segment lets the last `and` or `or` win. Write these triggers as Segment reads them?"
    agreed = confirmed(question, yes=yes)
    if not agreed:
        notify("Nothing was rewritten. Add parentheses, or pass --yes to rewrite without being asked.\n")
    return agreed


def _definition(entry: Entry) -> dict[str, Any]:
    """Return the definition with its defaults written out, so that the file says everything that happens.

    Without an id it gets what has identified it so far, so that it stays the same subscription.
    """
    name = entry.written.get("name")
    return {
        "id": entry.subscription.id,
        **({"name": name} if name else {}),
        "enabled": entry.subscription.enabled,
        "action": entry.subscription.action.slug,
        "trigger": trigger_text(entry),
        "mapping": mapping_definition(entry),
    }


def _add_deletion(definitions: list[dict[str, Any]]) -> Iterator[Problem]:
    """Add a subscription that deletes contacts: Segment's destination needs none for that, this one does."""
    place = f"/subscriptions/{len(definitions)}"
    if any(definition["action"] == DELETION.slug for definition in definitions):
        return
    if len(definitions) == MAX_SUBSCRIPTIONS:
        yield Problem("", f"No contact will be deleted: there is no room for a subscription with {DELETION.slug}.")
        return
    definition = {
        "name": DELETION.title,
        "enabled": True,
        "action": DELETION.slug,
        "trigger": DELETION.trigger,
        "mapping": DELETION.mapping,
    }
    definitions.append({"id": new_id(definition, {each["id"] for each in definitions}), **definition})
    yield Problem(
        place,
        f"A subscription with {DELETION.slug} was added. Segment deletes contacts without a subscription; here it needs "
        "one.",
    )


def _encoded(document: Any) -> bytes:
    """Return readable JSON in UTF-8, or in ASCII if it contains a lone surrogate, which UTF-8 cannot encode."""
    try:
        return f"{json.dumps(document, indent=2, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:
        return f"{json.dumps(document, indent=2)}\n".encode()


def _write(path: Path, text: bytes, *, force: bool) -> None:
    try:
        with path.open("wb" if force else "xb") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"{path} already exists. Pass --force to overwrite it.") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None


def _tell(output: Path | None, notes: Mapping[Entry, Sequence[Problem]], general_notes: Sequence[Problem]) -> None:
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

"""`import`: Segment's export becomes our mappings file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from local.cli.arguments import add_json
from local.cli.check import tell_problems
from local.cli.differences import differences
from local.cli.errors import FAILED, CommandError
from local.cli.mappings import Entry, load_entries, new_id, read_bytes, shown, warnings_on
from local.cli.terminal import Style, number, print_json, printable, tell, wrapped
from loops_destination.actions import ACTIONS
from loops_destination.errors import Problem, SubscriptionsError
from loops_destination.subscriptions import load_subscriptions
from loops_destination.subscriptions.document import MAX_SUBSCRIPTIONS

DELETION = ACTIONS["deleteContact"]


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "import",
        help="Segment's export becomes a mappings file",
        description="Makes a mappings file of what Segment's Public API answers to GET /destinations/{id}/subscriptions "
        "(the whole answer or the list in it), and tells what will be different here. An export with a problem is not "
        "imported: mend it and import it again.",
    )
    parser.add_argument("file", metavar="EXPORT_FILE", type=Path)
    parser.add_argument("--output", metavar="FILE", type=Path, help="where to (default: standard output)")
    parser.add_argument("--force", action="store_true", help="overwrite the output file")
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Imports the export."""
    try:
        entries = load_entries(read_bytes(options.file))
    except SubscriptionsError as error:
        if options.json:
            print_json({"ok": False, "problems": _as_json(error.problems)})
        else:
            tell_problems(error.problems, f"{options.file} cannot be imported")
            tell("\nSegment may take all of this, and then silently does not do it; here nothing is guessed.")
        return FAILED
    found = {entry: [*differences(entry), *warnings_on(entry)] for entry in entries}
    document = {"subscriptions": [_definition(entry) for entry in entries]}
    of_all = list(_add_deletion(document["subscriptions"]))
    text = _encoded(document)
    load_subscriptions(text)  # what is written here passes `check`
    if options.output is not None:
        _write(options.output, text, force=options.force)
    if options.json:
        problems = [*chain.from_iterable(found.values()), *of_all]
        print_json({"ok": True, "mappings": document, "differences": _as_json(problems)})
    else:
        if options.output is None:
            sys.stdout.buffer.write(text)
        _tell(options, found, of_all)
    return 0


def _definition(entry: Entry) -> dict[str, Any]:
    """Everything is written out, defaults too: the file says what happens.

    Without an id it gets what identified it so far, so that it stays the same subscription.
    """
    name = entry.given.get("name")
    return {
        "id": entry.subscription.id,
        **({"name": name} if name else {}),
        "enabled": entry.subscription.enabled,
        "action": entry.action.slug,
        "trigger": entry.trigger_text,
        "mapping": entry.definition,
    }


def _add_deletion(definitions: list[dict[str, Any]]) -> Iterator[Problem]:
    """Segment's destination deletes contacts without any subscription; here it takes one."""
    place = f"/subscriptions/{len(definitions)}"
    if any(definition["action"] == DELETION.slug for definition in definitions):
        return
    if len(definitions) == MAX_SUBSCRIPTIONS:
        yield Problem("", f"no contact will be deleted: there is no room for a subscription of {DELETION.slug}")
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
        place, f"{DELETION.slug} was added: Segment deletes contacts without a subscription, here it takes one"
    )


def _encoded(document: Any) -> bytes:
    """As people read it; in ASCII where it has a lone surrogate, which UTF-8 cannot hold."""
    try:
        return f"{json.dumps(document, indent=2, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:
        return f"{json.dumps(document, indent=2)}\n".encode()


def _write(path: Path, text: bytes, *, force: bool) -> None:
    try:
        with path.open("wb" if force else "xb") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"{path} is there already; --force overwrites it") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None


def _tell(options: argparse.Namespace, found: Mapping[Entry, Sequence[Problem]], of_all: Sequence[Problem]) -> None:
    place = f" into {shown(options.output)}" if options.output is not None else ""
    tell(f"{number(len(found), 'subscription')} imported{place}.", Style.GREEN)
    tell("\nWhat to know before it goes live (docs/decisions.md has the rest):")
    for entry, problems in found.items():
        if problems:
            tell(f"\n{printable(entry.name)}", Style.BOLD)
        for problem in problems:
            part = problem.path.removeprefix(entry.place).removeprefix("/")
            text = printable(f"{part}: {problem.message}" if part else problem.message)
            tell(f"  - {wrapped(text, 4).lstrip()}")
    for problem in of_all:
        tell(f"\n{wrapped(problem.message, 0)}")


def _as_json(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [{"path": problem.path, "message": problem.message} for problem in problems]

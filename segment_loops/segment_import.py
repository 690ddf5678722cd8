"""An export from Segment as a mappings file, with what will work differently here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from loops_destination.actions import ACTIONS
from loops_destination.errors import Problem
from loops_destination.subscriptions import Entry, load_entries, load_subscriptions
from loops_destination.subscriptions.document import MAX_SUBSCRIPTIONS
from segment_loops.mapping_warnings import MappingWarning, WarningKind, find_warnings
from segment_loops.mappings_file import mapping_definition, new_id, trigger_text
from segment_loops.mixed_operators import Rewrite
from segment_loops.segment_differences import differences

DELETION = ACTIONS["deleteContact"]


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import.

    `document` is the mappings file and `text` its bytes. `differences` holds those of each subscription of the export,
    `general_differences` those of the export as a whole.
    """

    document: dict[str, list[dict[str, Any]]]
    text: bytes
    differences: dict[Entry, list[Problem]]
    general_differences: list[Problem]
    warnings: list[MappingWarning]


def import_export(content: bytes, rewrites: Sequence[Rewrite] = ()) -> Imported:
    """Import an export whose triggers were rewritten by `rewrites`; raise `SubscriptionsError` if it has problems."""
    entries = load_entries(content)
    document = {"subscriptions": [_definition(entry) for entry in entries]}
    general_differences = [
        *(Problem(each.place, f"{each.before} was rewritten as Segment reads it: {each.after}") for each in rewrites),
        *_add_deletion(document["subscriptions"]),
    ]
    text = _encoded(document)
    load_subscriptions(text)  # raises if the result would not pass `check`
    return Imported(
        document,
        text,
        {entry: list(differences(entry)) for entry in entries},
        general_differences,
        [each for each in find_warnings(entries) if each.kind is not WarningKind.MISSING_ID],  # the result has ids
    )


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

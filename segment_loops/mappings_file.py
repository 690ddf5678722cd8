"""The mappings file as people see it: names, triggers and mappings as they are written, and new ids."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import chain, count
from pathlib import Path
from typing import Any

from loops_destination.subscriptions import Entry
from loops_destination.subscriptions.definition import identity
from segment_loops import PROJECT
from segment_loops.command_errors import CommandError

MAPPINGS = PROJECT / "layers" / "mappings" / "mappings.json"

_MADE_ID_CHARACTERS = 60


def name_of(entry: Entry) -> str:
    """Return the subscription's name for people, its id if it has none."""
    return entry.subscription.name or entry.subscription.id


def trigger_text(entry: Entry) -> str:
    """Return the trigger as it is written, or the action's default."""
    return str(entry.written.get("trigger", entry.subscription.action.trigger))


def mapping_definition(entry: Entry) -> Any:
    """Return the mapping as it is written, or the action's default."""
    return entry.written.get(_mapping_key(entry), entry.subscription.action.mapping)


def mapping_place(entry: Entry) -> str:
    """Return the mapping's path in the document."""
    return f"{entry.place}/{_mapping_key(entry)}"


def _mapping_key(entry: Entry) -> str:
    return "settings" if "settings" in entry.written else "mapping"


def read_bytes(path: Path) -> bytes:
    """Return the file's content; raise `CommandError` if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None


def shown_path(path: Path) -> str:
    """Return the path relative to the current folder if it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def new_id(definition: dict[str, Any], taken: Collection[str]) -> str:
    """Return an id for a new subscription: its name or action in lower case with hyphens, numbered if it is taken."""
    words = re.sub(r"[\W_]+", "-", identity(definition).lower()).strip("-")[:_MADE_ID_CHARACTERS] or "subscription"
    numbered = (f"{words}-{number}" for number in count(2))
    return next(candidate for candidate in chain([words], numbered) if candidate not in taken)

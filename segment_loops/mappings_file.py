"""The mappings file as people see it: each subscription with its name, its trigger and its mapping."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

from loops_destination.errors import Problem
from loops_destination.mapping import Mapping
from loops_destination.subscriptions import Subscription, load_subscriptions
from loops_destination.subscriptions.definition import identity, quoted, well_typed
from loops_destination.trigger import Trigger
from segment_loops import PROJECT
from segment_loops.command_errors import CommandError

MAPPINGS = PROJECT / "layers" / "mappings" / "mappings.json"

_MADE_ID_CHARACTERS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A subscription and its definition.

    `place` is its path in the document; `written` holds the known keys to which the document gives a value.
    """

    place: str
    written: dict[str, Any]
    subscription: Subscription

    @property
    def name(self) -> str:
        """The name for people: the subscription's id if it has none."""
        return self.subscription.name or self.subscription.id

    @property
    def trigger(self) -> Trigger:
        return self.subscription._trigger  # noqa: SLF001

    @property
    def mapping(self) -> Mapping:
        return self.subscription._mapping  # noqa: SLF001

    @property
    def trigger_text(self) -> str:
        """The trigger as it is written, or the action's default."""
        return str(self.written.get("trigger", self.subscription.action.trigger))

    @property
    def mapping_key(self) -> str:
        """The key under which the document has the mapping: Segment's `settings`, or `mapping`."""
        return "settings" if "settings" in self.written else "mapping"

    @property
    def mapping_place(self) -> str:
        return f"{self.place}/{self.mapping_key}"

    @property
    def mapping_definition(self) -> Any:
        """The mapping as it is written, or the action's default."""
        return self.written.get(self.mapping_key, self.subscription.action.mapping)


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


def load_entries(text: bytes) -> list[Entry]:
    """Return the subscriptions of a document; raise `SubscriptionsError` with every problem, as `load_subscriptions`."""
    subscriptions = load_subscriptions(text)
    definitions, place = definitions_in(json.loads(text.decode("utf-8-sig")))
    return [
        Entry(f"{place}/{index}", well_typed(definition), subscription)
        for index, (definition, subscription) in enumerate(zip(definitions, subscriptions, strict=True))
    ]


def definitions_in(document: Any) -> tuple[list[dict[str, Any]], str]:
    """Return the list of definitions in a valid document, and its path there."""
    place = ""
    for key in ("data", "subscriptions"):
        if isinstance(document, dict) and key in document:
            document, place = document[key], f"{place}/{key}"
    return document, place


def warn_of_missing_id(entry: Entry) -> Iterator[Problem]:
    """Yield a warning if a new name would turn the entry into another subscription."""
    if entry.written.get("id"):
        return
    identified_by, change = ("name", "Renaming") if entry.written.get("name") else ("action", "Naming")
    yield Problem(
        entry.place,
        f"has no id, so its {identified_by} identifies it. {change} it sends events that are still being retried a "
        f'second time. Add "id": {quoted(entry.subscription.id)}.',
    )


def warn_of_mistakes(entry: Entry) -> Iterator[Problem]:
    """Yield a warning for each part of the mapping that is valid but probably not intended."""
    definition = entry.mapping_definition
    if any(key.startswith("@") for key in definition):
        return  # the result of a directive is known only for an event
    action = entry.subscription.action
    fields = {field.name: field for field in action.fields}
    for name in definition:
        if name not in fields:
            yield Problem(
                f"{entry.mapping_place}/{name}", f"is ignored. The fields of {action.slug} are {', '.join(fields)}."
            )
    for name, field in fields.items():
        if field.required and definition.get(name) in (None, ""):
            yield Problem(entry.mapping_place, f"rejects every event, because {name} is required and has no value.")


def new_id(definition: dict[str, Any], taken: Collection[str]) -> str:
    """Return an id for a new subscription: its name or action in lower case with hyphens, numbered if it is taken."""
    words = re.sub(r"[\W_]+", "-", identity(definition).lower()).strip("-")[:_MADE_ID_CHARACTERS] or "subscription"
    numbered = (f"{words}-{number}" for number in count(2))
    return next(candidate for candidate in chain([words], numbered) if candidate not in taken)

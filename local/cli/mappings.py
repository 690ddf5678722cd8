"""The mappings file as the commands show it: each subscription with its name, its trigger and its mapping."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

from local import PROJECT
from local.cli.errors import CommandError
from loops_destination.actions import Action
from loops_destination.errors import Problem
from loops_destination.mapping import Mapping
from loops_destination.subscriptions import Subscription, load_subscriptions
from loops_destination.subscriptions.definition import identity, quoted, well_typed
from loops_destination.trigger import Trigger

MAPPINGS = PROJECT / "layers" / "mappings" / "mappings.json"

_MADE_ID_CHARACTERS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A subscription and what it was made of; `place` is its path in the document.

    `given` holds the known keys that the document gives a value; `trigger` and `mapping` are the action's defaults
    where it gives none.
    """

    place: str
    given: dict[str, Any]
    subscription: Subscription
    trigger: Trigger
    mapping: Mapping

    @property
    def name(self) -> str:
        """What people call it; what it is known by in results and logs is `subscription.id`."""
        return str(self.given.get("name") or self.subscription.id)

    @property
    def action(self) -> Action:
        return self.subscription.action

    @property
    def trigger_text(self) -> str:
        """The trigger as it is written, or the default."""
        return str(self.given.get("trigger", self.action.trigger))

    @property
    def mapping_key(self) -> str:
        """The word that the document has for the mapping."""
        return "settings" if "settings" in self.given else "mapping"

    @property
    def definition(self) -> Any:
        """The mapping as it is written, or the default."""
        return self.given.get(self.mapping_key, self.action.mapping)


def read_bytes(path: Path) -> bytes:
    """What is in the file; `CommandError` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None


def shown(path: Path) -> str:
    """The path as a person here would write it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def load_entries(text: bytes) -> list[Entry]:
    """The subscriptions of a document; `SubscriptionsError` as `load_subscriptions`."""
    subscriptions = load_subscriptions(text)
    definitions, place = _definitions(json.loads(text.decode("utf-8-sig")))
    return [
        _entry(f"{place}/{index}", definition, subscription)
        for index, (definition, subscription) in enumerate(zip(definitions, subscriptions, strict=True))
    ]


def warning_of_missing_id(entry: Entry) -> Iterator[Problem]:
    """Warn of a subscription that would be another one under another name."""
    if entry.given.get("id"):
        return
    known_by, change = ("name", "Renaming") if entry.given.get("name") else ("action", "Naming")
    yield Problem(
        entry.place,
        f"has no id, so its {known_by} identifies it. {change} it sends events again that are still being retried. "
        f'Add "id": {quoted(entry.subscription.id)}.',
    )


def new_id(definition: dict[str, Any], taken: Collection[str]) -> str:
    """Return an id for a new subscription: its name or action in small letters and hyphens, unlike those taken."""
    words = re.sub(r"[\W_]+", "-", identity(definition).lower()).strip("-")[:_MADE_ID_CHARACTERS] or "subscription"
    numbered = (f"{words}-{number}" for number in count(2))
    return next(candidate for candidate in chain([words], numbered) if candidate not in taken)


def warnings_on(entry: Entry) -> Iterator[Problem]:
    """What is allowed, and hardly meant."""
    place, definition = f"{entry.place}/{entry.mapping_key}", entry.definition
    if any(key.startswith("@") for key in definition):
        return  # what a directive gives is known only with an event
    fields = {field.name: field for field in entry.action.fields}
    for name in definition:
        if name not in fields:
            yield Problem(f"{place}/{name}", f"is left out: {entry.action.slug} has {', '.join(fields)}")
    for name, field in fields.items():
        if field.required and definition.get(name) in (None, ""):
            yield Problem(place, f"rejects every event: it gives {name} no value")


def _definitions(document: Any) -> tuple[list[dict[str, Any]], str]:
    """The list in a document that holds one, and its place."""
    place = ""
    for key in ("data", "subscriptions"):
        if isinstance(document, dict) and key in document:
            document, place = document[key], f"{place}/{key}"
    return document, place


def _entry(place: str, definition: dict[str, Any], subscription: Subscription) -> Entry:
    given = well_typed(definition)
    written = given.get("settings", given.get("mapping", subscription.action.mapping))
    trigger = Trigger(given.get("trigger", subscription.action.trigger))
    return Entry(place, given, subscription, trigger, Mapping(written))

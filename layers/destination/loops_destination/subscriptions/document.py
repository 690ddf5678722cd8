"""The document of subscriptions: the mappings file that a team writes, or an answer of Segment's Public API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from loops_destination.errors import InvalidJson, Problem, SubscriptionsError
from loops_destination.subscriptions.definition import identity, quoted, well_typed
from loops_destination.subscriptions.strict_json import read_json
from loops_destination.subscriptions.subscription import Subscription

MAX_SUBSCRIPTIONS = 50
"""Segment's limit for one destination."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A subscription of a document.

    `place` is its path in the document, such as `/subscriptions/0`. `written` holds the keys that the document gives a
    value, in the document's words: `actionSlug` and `settings`, or `action` and `mapping`.
    """

    place: str
    written: dict[str, Any]
    subscription: Subscription


def load_subscriptions(text: str | bytes) -> list[Subscription]:
    """Return the subscriptions of a JSON document in its order. Raises `SubscriptionsError`, as `load_entries` does."""
    return [entry.subscription for entry in load_entries(text)]


def load_entries(text: str | bytes) -> list[Entry]:
    """Return the entries of a JSON document in its order.

    The document is an answer of Segment's API (`{"data": {"subscriptions": […]}}`), the list in it, or a mappings file
    (`{"subscriptions": […]}`). Raises `SubscriptionsError` with every problem of every subscription, its path in the
    document, and the subscription's id and name.
    """
    definitions, place = _definitions(_parsed(text))
    problems = [*_problems_of_number(definitions, place), *_problems_of_identities(definitions, place)]
    entries = []
    for index, definition in enumerate(definitions):
        try:
            subscription = Subscription.from_json(definition)
            entries.append(Entry(f"{place}/{index}", well_typed(definition), subscription))
        except SubscriptionsError as error:
            label = _label(definition)
            problems += [
                Problem(f"{place}/{index}{problem.path}", f"{label}{problem.message}") for problem in error.problems
            ]
    if problems:
        raise SubscriptionsError(problems)
    return entries


def _parsed(text: str | bytes) -> Any:
    try:
        if isinstance(text, bytes):
            text = text.decode()
        return read_json(text.removeprefix("\ufeff"))  # some editors begin a file with a byte order mark
    except UnicodeDecodeError as error:
        raise SubscriptionsError([Problem("", f"the document is not UTF-8, at byte {error.start}")]) from None
    except InvalidJson as error:
        raise SubscriptionsError([Problem("", f"the document is invalid: {error}")]) from None


def _definitions(document: Any) -> tuple[list[Any], str]:
    """Return the list of definitions and its path in the document."""
    place = ""
    for key in ("data", "subscriptions"):
        if isinstance(document, dict) and key in document:
            _refuse_page(document.get("pagination"), place)
            document, place = document[key], f"{place}/{key}"
    if not isinstance(document, list):
        raise SubscriptionsError([Problem(place, 'must be a list of subscriptions, or {"subscriptions": […]}')])
    return document, place


def _refuse_page(pagination: Any, place: str) -> None:
    """Refuse one page of several: Segment's API pages long lists, and the other pages would be missing silently."""
    if isinstance(pagination, dict) and (pagination.get("next") or pagination.get("previous")):
        message = "there are more pages; ask Segment's API for all subscriptions with pagination.count"
        raise SubscriptionsError([Problem(f"{place}/pagination", message)])


def _problems_of_number(definitions: list[Any], place: str) -> Iterator[Problem]:
    if len(definitions) > MAX_SUBSCRIPTIONS:
        yield Problem(place, f"has {len(definitions)} subscriptions; at most {MAX_SUBSCRIPTIONS} are allowed")


def _problems_of_identities(definitions: list[Any], place: str) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, known_as in enumerate(map(identity, definitions)):
        if known_as and first.setdefault(known_as, index) != index:
            other = f"{place}/{first[known_as]}"
            yield Problem(
                f"{place}/{index}", f"is identified as {quoted(known_as)}, like {other}; give each an id of its own"
            )


def _label(definition: Any) -> str:
    values = [definition.get(key) for key in ("id", "name")] if isinstance(definition, dict) else []
    names = [quoted(value) for value in values if isinstance(value, str) and value]
    return f"subscription {', '.join(names)}: " if names else ""

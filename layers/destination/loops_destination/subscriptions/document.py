"""The file of subscriptions, as a team writes it or Segment's Public API answers it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from loops_destination.errors import Problem, SubscriptionsError
from loops_destination.subscriptions.definition import identity, quoted
from loops_destination.subscriptions.subscription import Subscription

MAX_SUBSCRIPTIONS = 50  # as many as a destination of Segment can have


def load_subscriptions(text: str | bytes) -> list[Subscription]:
    """The subscriptions of a JSON document, in its order.

    It is the answer of Segment's API (`{"data": {"subscriptions": […]}}`), the list in it, or our own file
    (`{"subscriptions": […]}`). `SubscriptionsError` tells every problem of every subscription, each with its path in the
    document and what the subscription is called.
    """
    definitions, place = _definitions(_parsed(text))
    problems = [*_problems_of_number(definitions, place), *_problems_of_identities(definitions, place)]
    subscriptions = []
    for index, definition in enumerate(definitions):
        try:
            subscriptions.append(Subscription.from_json(definition))
        except SubscriptionsError as error:
            label = _label(definition)
            problems += [
                Problem(f"{place}/{index}{problem.path}", f"{label}{problem.message}") for problem in error.problems
            ]
    if problems:
        raise SubscriptionsError(problems)
    return subscriptions


def _parsed(text: str | bytes) -> Any:
    try:
        if isinstance(text, bytes):
            text = text.decode()
        # Some editors begin a file with a byte order mark, which is no JSON.
        return json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        problem = f"the document is not UTF-8, at byte {error.start}"
    except json.JSONDecodeError as error:
        problem = f"the document is not JSON: {error.msg}, at line {error.lineno}, column {error.colno}"
    except ValueError:  # Python converts no integer of more than 4,300 digits
        problem = "the document has a number that is too long"
    except RecursionError:
        problem = "the document is nested too deeply"
    raise SubscriptionsError([Problem("", problem)])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of its members; a key given twice is refused, for either value could be meant."""
    value = dict(pairs)
    if len(value) != len(pairs):
        times = Counter(key for key, _ in pairs)
        repeated = [
            Problem("", f"an object has the key {quoted(key)} more than once") for key in value if times[key] > 1
        ]
        raise SubscriptionsError(repeated)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise SubscriptionsError([Problem("", f"the document is not JSON: {name} is no JSON value")])


def _definitions(document: Any) -> tuple[list[Any], str]:
    """The list in a document, and its place there."""
    place = ""
    for key in ("data", "subscriptions"):
        if isinstance(document, dict) and key in document:
            _refuse_page(document.get("pagination"), place)
            document, place = document[key], f"{place}/{key}"
    if not isinstance(document, list):
        raise SubscriptionsError([Problem(place, 'must be a list of subscriptions, or {"subscriptions": […]}')])
    return document, place


def _refuse_page(pagination: Any, place: str) -> None:
    """Segment's API answers long lists in pages; one of several would leave out subscriptions without a word."""
    if isinstance(pagination, dict) and (pagination.get("next") or pagination.get("previous")):
        raise SubscriptionsError(
            [Problem(f"{place}/pagination", "tells of more pages: ask for all with pagination.count")]
        )


def _problems_of_number(definitions: list[Any], place: str) -> Iterator[Problem]:
    if len(definitions) > MAX_SUBSCRIPTIONS:
        yield Problem(place, f"has {len(definitions)} subscriptions; there can be {MAX_SUBSCRIPTIONS}")


def _problems_of_identities(definitions: list[Any], place: str) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, known_as in enumerate(map(identity, definitions)):
        if known_as and first.setdefault(known_as, index) != index:
            other = f"{place}/{first[known_as]}"
            yield Problem(f"{place}/{index}", f"is called {quoted(known_as)}, as {other} is: give each its own id")


def _label(definition: Any) -> str:
    values = [definition.get(key) for key in ("id", "name")] if isinstance(definition, dict) else []
    names = [quoted(value) for value in values if isinstance(value, str) and value]
    return f"subscription {', '.join(names)}: " if names else ""

"""The JSON object that defines a subscription: its keys, and every problem in them but the trigger's and mapping's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from loops_destination.actions import ACTIONS
from loops_destination.errors import Problem

MAX_ID_CHARACTERS = 256  # the id goes into every message and log line of a delivery


class _Type(NamedTuple):
    type: type
    words: str


_TEXT, _OBJECT = _Type(str, "text"), _Type(dict, "an object")
KEYS = {
    "id": _TEXT,
    "name": _TEXT,
    "enabled": _Type(bool, "true or false"),
    "actionSlug": _TEXT,
    "action": _TEXT,
    "trigger": _TEXT,
    "settings": _OBJECT,
    "mapping": _OBJECT,
}
"""What is read of a definition."""

SYNONYMS = {"actionSlug": "action", "settings": "mapping"}
"""Segment's words, and the ones that our own file may say instead."""

EXPORTED = frozenset({"actionId", "destinationId", "modelId"})
"""Keys that only Segment writes: they tell its export, in which whatever else there is, is Segment's own affair."""

_NOT_IN_A_MESSAGE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # SQS refuses most of them


def well_typed(definition: dict[str, Any]) -> dict[str, Any]:
    """What is given of the known keys, each in its type."""
    return {key: value for key, value in definition.items() if key in KEYS and isinstance(value, KEYS[key].type)}


def identity(definition: Any) -> str:
    """What a subscription is known by: its id, else its name, else its action; empty where there is none of them."""
    if not isinstance(definition, dict):
        return ""
    values = (definition.get(key) for key in ("id", "name", "actionSlug", "action"))
    return next((value for value in values if isinstance(value, str) and value), "")


def quoted(text: str) -> str:
    """A text as a message shows it, fit for any log."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def problems_of(definition: dict[str, Any]) -> Iterator[Problem]:
    """The problems of the keys; null counts as missing. A problem's path begins with the key."""
    exported = not EXPORTED.isdisjoint(definition)
    for key, value in definition.items():
        if key not in KEYS:
            if not exported:
                yield Problem(f"/{key}", f"is no key of a subscription; there are {', '.join(KEYS)}")
        elif value is not None and not isinstance(value, KEYS[key].type):
            yield Problem(f"/{key}", f"must be {KEYS[key].words}")
    for segments_word, our_word in SYNONYMS.items():
        if definition.get(segments_word) is not None and definition.get(our_word) is not None:
            yield Problem(f"/{our_word}", f"says the same as {segments_word}: leave one of them out")
    yield from _problems_of_action(definition)
    yield from _problems_of_identity(definition)


def _problems_of_action(definition: dict[str, Any]) -> Iterator[Problem]:
    key = "action" if definition.get("actionSlug") is None else "actionSlug"
    slug = definition.get(key)
    if slug is None:
        yield Problem(f"/{key}", f"is missing; there are {', '.join(ACTIONS)}")
    elif isinstance(slug, str) and slug not in ACTIONS:
        yield Problem(f"/{key}", f"{quoted(slug)} is no action of Loops; there are {', '.join(ACTIONS)}")


def _problems_of_identity(definition: dict[str, Any]) -> Iterator[Problem]:
    known_as = identity(definition)
    key = "id" if known_as == definition.get("id") else "name"
    if len(known_as) > MAX_ID_CHARACTERS:
        yield Problem(f"/{key}", f"must have at most {MAX_ID_CHARACTERS} characters")
    if _NOT_IN_A_MESSAGE.search(known_as):
        yield Problem(f"/{key}", "must have no control characters")

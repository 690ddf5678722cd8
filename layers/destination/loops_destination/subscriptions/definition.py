"""The keys of a subscription's definition and their problems; a trigger or mapping checks itself when it is compiled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from loops_destination.actions import ACTIONS
from loops_destination.errors import Problem

MAX_ID_CHARACTERS = 256
"""Every message and log line of a delivery carries the id."""


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
"""The keys that a definition may have."""

SYNONYMS = {"actionSlug": "action", "settings": "mapping"}
"""Segment's keys, and the words for them that a mappings file may use."""

EXPORTED = frozenset({"actionId", "destinationId", "modelId"})
"""Keys that only Segment's API writes. A definition with one of them is an export, where unknown keys are ignored."""

_NOT_IN_A_MESSAGE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # SQS refuses most of them


def well_typed(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the members with a known key and a value of its type."""
    return {key: value for key, value in definition.items() if key in KEYS and isinstance(value, KEYS[key].type)}


def identity(definition: Any) -> str:
    """Return the id that a definition gives its subscription: its `id`, else its `name`, else its action, else `""`."""
    if not isinstance(definition, dict):
        return ""
    values = (definition.get(key) for key in ("id", "name", "actionSlug", "action"))
    return next((value for value in values if isinstance(value, str) and value), "")


def quoted(text: str) -> str:
    """Return the text in quotes for a message, with unprintable characters escaped."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def problems_of(definition: dict[str, Any]) -> Iterator[Problem]:
    """Yield the problems of a definition's keys, each with the key as its path; null counts as missing."""
    exported = not EXPORTED.isdisjoint(definition)
    for key, value in definition.items():
        if key not in KEYS:
            if not exported:
                yield Problem(f"/{key}", f"unknown key; use one of: {', '.join(KEYS)}")
        elif value is not None and not isinstance(value, KEYS[key].type):
            yield Problem(f"/{key}", f"must be {KEYS[key].words}")
    for segments_key, our_key in SYNONYMS.items():
        if definition.get(segments_key) is not None and definition.get(our_key) is not None:
            yield Problem(f"/{our_key}", f"means the same as {segments_key}; remove one of the two")
    yield from _problems_of_action(definition)
    yield from _problems_of_identity(definition)


def _problems_of_action(definition: dict[str, Any]) -> Iterator[Problem]:
    key = "action" if definition.get("actionSlug") is None else "actionSlug"
    slug = definition.get(key)
    if slug is None:
        yield Problem(f"/{key}", f"is missing; use one of: {', '.join(ACTIONS)}")
    elif isinstance(slug, str) and slug not in ACTIONS:
        yield Problem(f"/{key}", f"unknown action {quoted(slug)}; use one of: {', '.join(ACTIONS)}")


def _problems_of_identity(definition: dict[str, Any]) -> Iterator[Problem]:
    known_as = identity(definition)
    key = "id" if known_as == definition.get("id") else "name"
    if len(known_as) > MAX_ID_CHARACTERS:
        yield Problem(f"/{key}", f"must have at most {MAX_ID_CHARACTERS} characters")
    if _NOT_IN_A_MESSAGE.search(known_as):
        yield Problem(f"/{key}", "must not contain control characters")

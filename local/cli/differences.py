"""What a subscription of Segment's does otherwise here; the whole of it is told in docs/."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from local.cli.mappings import Entry
from loops_destination.errors import Problem
from loops_destination.trigger.tokenizer import Token, tokenize

GUARDED = ("email", "userId", "eventName")
"""Fields of an event that contact properties do not overwrite."""

SPREAD = ("customAttributes", "contactProperties")
"""Fields whose members are sent at the top level of a request."""

_INDEX = re.compile(r"\.[0-9]|(?<!\\)\[[0-9]")


def differences(entry: Entry) -> Iterator[Problem]:
    """Each with its place in the export."""
    if not entry.subscription.enabled:
        yield Problem(entry.place, "is disabled, and stays so")
    if "trigger" not in entry.given:
        yield Problem(f"{entry.place}/trigger", f"was missing: it takes the default, {entry.action.trigger}")
    if not {"settings", "mapping"} & entry.given.keys():
        yield Problem(f"{entry.place}/settings", "was missing: it takes the default mapping")
    for message in _trigger_differences(entry.trigger_text):
        yield Problem(f"{entry.place}/trigger", message)
    yield from _consent(entry)
    yield from _guarded(entry)
    yield from _in_mapping(entry.definition, f"{entry.place}/{entry.mapping_key}")


def _trigger_differences(expression: str) -> Iterator[str]:
    tokens = tokenize(expression)
    for differs, message in _OF_TRIGGERS:
        if differs(tokens, expression):
            yield message


def _is_nested(tokens: list[Token], _expression: str) -> bool:
    depth = 0
    for token in tokens:
        depth += {"open": 1, "close": -1}.get(token.kind, 0)
        if depth > 1:
            return True
    return False


def _pairs(tokens: list[Token]) -> Iterator[tuple[Token, Token]]:
    return pairwise(tokens)


def _asks_for_null(tokens: list[Token], _expression: str) -> bool:
    return any(before.kind == "operator" and token.text == "null" for before, token in _pairs(tokens))


def _negates_boolean(tokens: list[Token], _expression: str) -> bool:
    return any(before.text == "!=" and token.text in {"true", "false"} for before, token in _pairs(tokens))


def _has_single_quotes(tokens: list[Token], _expression: str) -> bool:
    return any(token.kind == "text" and token.text.startswith("'") for token in tokens)


def _has_escaped_dot(tokens: list[Token], _expression: str) -> bool:
    return any(token.kind == "field" and r"\." in token.text for token in tokens)


def _has_bare_index(tokens: list[Token], _expression: str) -> bool:
    return any(token.kind == "field" and _INDEX.search(token.text) for token in tokens)


def _lacks_blanks(tokens: list[Token], expression: str) -> bool:
    ends = [(token.position, token.position + len(token.text)) for token in tokens if token.kind == "operator"]
    return any(not (expression[start - 1].isspace() and expression[end : end + 1].isspace()) for start, end in ends)


def _asks_type_in_function(tokens: list[Token], _expression: str) -> bool:
    triples = zip(tokens, tokens[2:], strict=False)
    return any(function.kind == "function" and field.text == "type" for function, field in triples)


_OF_TRIGGERS: list[tuple[Callable[[list[Token], str], bool], str]] = [
    (_is_nested, "groups nest here, and may hold functions; Segment ends a group at its first `)`"),
    (_asks_for_null, "null asks whether the field is there; Segment compares with the text `null`"),
    (_negates_boolean, "`!=` holds for all but that boolean; Segment compares with the text"),
    (_has_single_quotes, "'text' is meant without its quotes; Segment compares with the quotes"),
    (_has_escaped_dot, r"`\.` is a dot in a name; Segment takes it as the end of the name"),
    (_has_bare_index, "a number after a dot or in brackets finds an element of a list; Segment does not read it so"),
    (_lacks_blanks, "blanks around an operator may be left out; Segment may misread it"),
    (_asks_type_in_function, "contains and match know `type`; Segment's do not"),
]


def _consent(entry: Entry) -> Iterator[Problem]:
    """No trait or property subscribes a person again, unless the mapping fills the field for it."""
    definition = entry.definition
    has_field = any(field.name == "subscribed" for field in entry.action.fields)
    for name in () if has_field and "subscribed" in definition else SPREAD:
        properties = definition.get(name)
        if isinstance(properties, dict) and any(key == "subscribed" or key.startswith("@") for key in properties):
            instead = "; map the field subscribed for that" if has_field else ""
            yield Problem(
                f"{entry.place}/{entry.mapping_key}/{name}",
                f"never send `subscribed: true` here{instead}; at Segment they do, where an event brings it",
            )


def _guarded(entry: Entry) -> Iterator[Problem]:
    """Segment spreads the contact properties last, so there they win."""
    definition = entry.definition
    properties = definition.get("contactProperties") if isinstance(definition, dict) else None
    if not isinstance(properties, dict):
        return
    place = f"{entry.place}/{entry.mapping_key}/contactProperties"
    if any(key.startswith("@") for key in properties):
        yield Problem(
            place, f"never overwrite {', '.join(GUARDED)} here; at Segment they do, where an event brings such names"
        )
    for name in GUARDED:
        if name in properties and name in definition:
            yield Problem(f"{place}/{name}", f"does not overwrite the event's own {name} here; at Segment it does")


def _in_mapping(definition: Any, place: str) -> Iterator[Problem]:
    """What directives do otherwise, wherever they stand."""
    if isinstance(definition, list):
        for index, item in enumerate(definition):
            yield from _in_mapping(item, f"{place}/{index}")
    if not isinstance(definition, dict):
        return
    if "@liquid" in definition:
        yield Problem(
            f"{place}/@liquid", "is rendered by an engine of this project; see docs/mapping.md, and preview it"
        )
    if isinstance(replace := definition.get("@replace"), dict):
        for name in ("replacement", "replacement2"):
            if "$" in str(replace.get(name)):
                yield Problem(f"{place}/@replace/{name}", "has a plain $; at Segment it can stand for what was found")
    for key, item in definition.items():
        yield from _in_mapping(item, f"{place}/{key}")

"""The ways in which a subscription exported from Segment works differently here; docs/decisions.md explains each difference."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from loops_destination.errors import Problem
from loops_destination.subscriptions import Entry
from loops_destination.trigger.tokenizer import Token, tokenize
from segment_loops.mappings_file import mapping_definition, mapping_place, trigger_text

GUARDED = ("email", "userId", "eventName")
"""Fields of a Loops event that contact properties do not overwrite."""

SPREAD = ("customAttributes", "contactProperties")
"""Fields whose members are sent at the top level of the request."""

_INDEX = re.compile(r"\.[0-9]|(?<!\\)\[[0-9]")


def differences(entry: Entry) -> Iterator[Problem]:
    """Yield each difference with its path in the export."""
    if not entry.subscription.enabled:
        yield Problem(entry.place, "is disabled, and stays disabled")
    if "trigger" not in entry.written:
        yield Problem(
            f"{entry.place}/trigger", f"was missing, so it gets the default: {entry.subscription.action.trigger}"
        )
    if not {"settings", "mapping"} & entry.written.keys():
        yield Problem(f"{entry.place}/settings", "was missing, so it gets the default mapping")
    for message in _trigger_differences(trigger_text(entry)):
        yield Problem(f"{entry.place}/trigger", message)
    yield from _consent(entry)
    yield from _guarded(entry)
    yield from _in_mapping(mapping_definition(entry), mapping_place(entry))


def _trigger_differences(expression: str) -> Iterator[str]:
    tokens = tokenize(expression)
    for differs, message in _TRIGGER_DIFFERENCES:
        if differs(tokens, expression):
            yield message


def _is_nested(tokens: list[Token], _expression: str) -> bool:
    depth = 0
    for token in tokens:
        depth += {"open": 1, "close": -1}.get(token.kind, 0)
        if depth > 1:
            return True
    return False


def _asks_for_null(tokens: list[Token], _expression: str) -> bool:
    triples = zip(tokens, tokens[2:], strict=False)
    return any(field.text in {"type", "event"} and value.text == "null" for field, value in triples)


def _negates_boolean(tokens: list[Token], _expression: str) -> bool:
    return any(before.text == "!=" and token.text in {"true", "false"} for before, token in pairwise(tokens))


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


_TRIGGER_DIFFERENCES: list[tuple[Callable[[list[Token], str], bool], str]] = [
    (_is_nested, "groups may be nested and may contain functions here; Segment ends a group at its first `)`"),
    (_asks_for_null, "null tests whether the field exists; Segment compares with the text `null`"),
    (_negates_boolean, "`!=` matches everything but this boolean; Segment compares with the text"),
    (_has_single_quotes, "'text' is compared without its quotes; Segment compares with them"),
    (_has_escaped_dot, r"`\.` is a dot in a name; Segment takes it as the end of the name"),
    (
        _has_bare_index,
        "a number after a dot or in brackets selects an element of a list; Segment does not support that",
    ),
    (_lacks_blanks, "spaces around an operator are optional here; Segment may misread it without them"),
    (_asks_type_in_function, "contains and match can test `type`; Segment ignores that condition"),
]


def _consent(entry: Entry) -> Iterator[Problem]:
    """Yield the fields that may subscribe a contact again at Segment, but not here.

    Here only the field `subscribed` can, if the action has one.
    """
    definition = mapping_definition(entry)
    has_field = any(field.name == "subscribed" for field in entry.subscription.action.fields)
    for name in () if has_field and "subscribed" in definition else SPREAD:
        properties = definition.get(name)
        if isinstance(properties, dict) and any(key == "subscribed" or key.startswith("@") for key in properties):
            instead = "; map the field `subscribed` instead" if has_field else ""
            yield Problem(
                f"{mapping_place(entry)}/{name}",
                f"never send `subscribed: true` here{instead}. At Segment they do if an event contains it",
            )


def _guarded(entry: Entry) -> Iterator[Problem]:
    """Yield the contact properties that overwrite a field of the event at Segment, but not here."""
    definition = mapping_definition(entry)
    properties = definition.get("contactProperties") if isinstance(definition, dict) else None
    if not isinstance(properties, dict):
        return
    place = f"{mapping_place(entry)}/contactProperties"
    if any(key.startswith("@") for key in properties):
        yield Problem(
            place, f"never overwrite {', '.join(GUARDED)} here. At Segment they do if an event contains such names"
        )
    for name in GUARDED:
        if name in properties and name in definition:
            yield Problem(f"{place}/{name}", f"does not overwrite the event's own {name} here. At Segment it does")


def _in_mapping(definition: Any, place: str) -> Iterator[Problem]:
    """Yield the directives in a mapping that work differently."""
    if isinstance(definition, list):
        for index, item in enumerate(definition):
            yield from _in_mapping(item, f"{place}/{index}")
    if not isinstance(definition, dict):
        return
    if "@liquid" in definition:
        yield Problem(
            f"{place}/@liquid", "is rendered by this project's own engine. See docs/mapping.md, and preview it"
        )
    if isinstance(replace := definition.get("@replace"), dict):
        for name in ("replacement", "replacement2"):
            if "$" in str(replace.get(name)):
                yield Problem(
                    f"{place}/@replace/{name}", "contains a literal $ here. At Segment it can refer to the match"
                )
    for key, item in definition.items():
        yield from _in_mapping(item, f"{place}/{key}")

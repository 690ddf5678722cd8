"""Triggers that mix `and` and `or` without parentheses: invalid here, while Segment lets the last operator win."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from loops_destination.errors import InvalidJson, TriggerError
from loops_destination.subscriptions.strict_json import read_json
from loops_destination.trigger.tokenizer import Token, tokenize


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A trigger of an export, and the one that means the same here; `place` is its path in the document."""

    place: str
    before: str
    after: str


def rewritten(content: bytes) -> tuple[bytes, list[Rewrite]]:
    """Return the export with its mixed triggers rewritten, and each rewrite; what cannot be read stays unchanged."""
    try:
        document = read_json(content.decode().removeprefix("\ufeff"))
    except (UnicodeDecodeError, InvalidJson):
        return content, []
    rewrites = []
    for place, definition in _definitions(document):
        before = definition.get("trigger")
        after = as_segment_reads(before) if isinstance(before, str) else None
        if isinstance(before, str) and after is not None:
            definition["trigger"] = after
            rewrites.append(Rewrite(f"{place}/trigger", before, after))
    return (json.dumps(document).encode() if rewrites else content), rewrites


def as_segment_reads(expression: str) -> str | None:
    """Return a trigger in which the last `and` or `or` of each group replaces the others of that group.

    None if no group mixes them. None too if Segment misreads the trigger: its parser ends a group at the first `)`, so
    it cannot read a group or a function inside a group.
    """
    try:
        tokens = tokenize(expression)
    except TriggerError:
        return None
    groups = _joiners(tokens)
    if groups is None or all(len({token.text for token in group}) < 2 for group in groups):  # noqa: PLR2004  both
        return None
    last = {token.position: (token, group[-1].text) for group in groups for token in group}
    pieces: list[str] = []
    done = 0
    for position, (token, text) in sorted(last.items()):
        pieces += expression[done:position], text
        done = position + len(token.text)
    return "".join(pieces) + expression[done:]


def _joiners(tokens: list[Token]) -> list[list[Token]] | None:
    """Return the operators of the top level and of each group; None if a group contains another or a function."""
    groups: list[list[Token]] = [[]]
    in_group = in_call = False
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.kind == "open":
            if in_group or in_call:
                return None
            in_call = before is not None and before.kind == "function"
            in_group = not in_call
            groups += [[]] if in_group else []
        elif token.kind == "close":
            in_group = in_call = False
        elif token.kind == "joiner":
            groups[-1 if in_group else 0].append(token)
    return groups


def _definitions(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    place = ""
    for key in ("data", "subscriptions"):
        if isinstance(document, dict) and key in document:
            document, place = document[key], f"{place}/{key}"
    for index, definition in enumerate(document if isinstance(document, list) else []):
        if isinstance(definition, dict):
            yield f"{place}/{index}", definition

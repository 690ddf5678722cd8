"""Suggestions while somebody types a mapping: the paths of the sample event, and the directives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from loops_destination.paths import keys_of, split
from segment_loops.event_paths import Keys, values_in, written

MAX_PATHS = 500
_MAX_EXAMPLE_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class PathSuggestion:
    """A path of the event, as it is written in a `@path` and in a tag of a `@template`; `example` is its value."""

    path: str
    tag: str
    example: str
    is_single_value: bool

    def as_json(self) -> dict[str, Any]:
        return {"path": self.path, "tag": self.tag, "example": self.example, "isSingleValue": self.is_single_value}


@dataclass(frozen=True, slots=True)
class DirectiveSuggestion:
    """A directive, its purpose, and a definition to begin with."""

    purpose: str
    definition: dict[str, Any]


_A_PATH = {"@path": "$.userId"}

DIRECTIVE_SUGGESTIONS = {
    "@path": DirectiveSuggestion("The value at a path in the event", _A_PATH),
    "@template": DirectiveSuggestion(
        "Text with values of the event", {"@template": "{{traits.firstName}} {{traits.lastName}}"}
    ),
    "@literal": DirectiveSuggestion("Always the same value", {"@literal": "Segment"}),
    "@if": DirectiveSuggestion(
        "One value if another exists, else a third",
        {
            "@if": {
                "exists": {"@path": "$.traits.email"},
                "then": {"@path": "$.traits.email"},
                "else": {"@path": "$.email"},
            }
        },
    ),
    "@case": DirectiveSuggestion(
        "Text in lower or upper case", {"@case": {"operator": "lower", "value": {"@path": "$.traits.email"}}}
    ),
    "@replace": DirectiveSuggestion(
        "Text with a part replaced", {"@replace": {"pattern": "-", "replacement": "", "value": _A_PATH}}
    ),
    "@arrayPath": DirectiveSuggestion(
        "A list, with each element mapped", {"@arrayPath": ["$.properties.products", {"name": {"@path": "$.name"}}]}
    ),
    "@merge": DirectiveSuggestion(
        "Several objects as one",
        {"@merge": {"objects": [{"@path": "$.traits"}, {"source": "Segment"}], "direction": "right"}},
    ),
    "@transform": DirectiveSuggestion(
        "A mapping of the result of another mapping",
        {"@transform": {"apply": {"traits": {"@path": "$.traits"}}, "mapping": {"plan": {"@path": "$.traits.plan"}}}},
    ),
    "@flatten": DirectiveSuggestion(
        "Nested objects as one level", {"@flatten": {"value": {"@path": "$.traits"}, "separator": "_"}}
    ),
    "@json": DirectiveSuggestion(
        "A value as JSON text, or the reverse", {"@json": {"mode": "encode", "value": {"@path": "$.traits"}}}
    ),
    "@excludeWhenNull": DirectiveSuggestion(
        "Nothing instead of null", {"@excludeWhenNull": {"@path": "$.traits.plan"}}
    ),
    "@liquid": DirectiveSuggestion("Text by a Liquid template", {"@liquid": "{{ traits.firstName | upcase }}"}),
}
"""Each directive of the registry, the most used first."""


def path_suggestions(event: dict[str, Any]) -> list[PathSuggestion]:
    """Return the paths of an event, at most `MAX_PATHS`; those that no `@path` can name are left out."""
    return list(islice(_paths(event), MAX_PATHS))


def directives_as_json() -> list[dict[str, Any]]:
    """Return the directives with the text to insert."""
    return [
        {"name": name, "purpose": each.purpose, "definition": json.dumps(each.definition)}
        for name, each in DIRECTIVE_SUGGESTIONS.items()
    ]


def _paths(event: dict[str, Any]) -> Iterator[PathSuggestion]:
    for keys, value in values_in(event):
        path, tag = written(keys), written(keys, is_in_template=True)
        if keys_of(path) == keys:
            yield PathSuggestion(
                path, tag if _is_tag(tag, keys) else "", _example(value), not isinstance(value, dict | list)
            )


def _is_tag(tag: str, keys: Keys) -> bool:
    return split(tag) == keys and "}" not in tag


def _example(value: Any) -> str:
    """Return the value as people read it, cut to a line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = " ".join(text.split())
    return line if len(line) <= _MAX_EXAMPLE_CHARACTERS else f"{line[: _MAX_EXAMPLE_CHARACTERS - 1]}…"

"""A mapping as rows, one for each field of its action and each other key, and the mapping that the rows make."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from loops_destination.actions import Action
from loops_destination.actions import Field as ActionField
from loops_destination.actions.coercion import to_boolean, to_datetime, to_email, to_object, to_string
from loops_destination.errors import InvalidJson
from loops_destination.javascript import UNDEFINED
from loops_destination.mapping.checker import is_directive
from loops_destination.subscriptions import read_json
from segment_loops.studio.form.sources import (
    FormModel,
    InvalidPart,
    NoSource,
    Source,
    definition_of,
    is_text,
    source_of,
)
from segment_loops.studio.json_layout import laid_out

TYPES: dict[Callable[[str, Any], Any], str] = {
    to_string: "text",
    to_email: "email",
    to_boolean: "boolean",
    to_datetime: "date",
    to_object: "object",
}
"""The name of each type of an action's fields."""


class NamedRow(FormModel):
    """A member of an object, such as one custom attribute; `original` is its definition in JSON."""

    name: str
    original: str | None = None
    source: Source


class Members(FormModel):
    """An object whose members have a row each."""

    kind: Literal["object"] = "object"
    rows: tuple[NamedRow, ...]


class Row(FormModel):
    """A field of the action, or another key of the mapping.

    `position` is the key's place in the mapping, None for a field that the mapping leaves out. `original` is the
    definition in JSON with which the form began.
    """

    name: str
    position: int | None = None
    original: str | None = None
    source: Annotated[Source | Members, Field(discriminator="kind")]


class Form(FormModel):
    """The rows of a mapping; `whole` is the JSON of a mapping that has no rows, such as one that is a directive."""

    rows: tuple[Row, ...] = ()
    whole: str | None = None


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Something to correct in a row; `place` is its index, and the index of the named row in it."""

    place: tuple[int, ...]
    message: str


class InvalidRows(Exception):
    """The rows make no mapping until their `problems` are corrected; `others` are the definitions of the other rows."""

    def __init__(self, problems: Sequence[RowProblem], others: dict[str, Any] | None = None) -> None:
        self.problems = tuple(problems)
        self.others = others or {}
        super().__init__("; ".join(each.message for each in problems))


def form_of(mapping: Any, action: Action) -> Form:
    """Return the form of a mapping.

    The fields of the action come first: the required ones, the single values, the objects; then the other keys.
    """
    if not isinstance(mapping, dict) or is_directive(mapping) or not all(map(is_text, mapping)):
        return Form(whole=laid_out(mapping))
    fields = {field.name: field for field in sorted(action.fields, key=_order)}
    positions = {name: position for position, name in enumerate(mapping)}
    others = [name for name in mapping if name not in fields]
    return Form(
        rows=tuple(
            _row(name, mapping.get(name, UNDEFINED), positions.get(name), fields.get(name))
            for name in [*fields, *others]
        )
    )


def mapping_of(form: Form) -> Any:
    """Return the mapping of a form: the same one while nothing is edited; raise `InvalidRows` if there is none."""
    if form.whole is not None:
        return _whole(form.whole)
    problems: list[RowProblem] = []
    definitions = {}
    for index, row in sorted(enumerate(form.rows), key=_position):
        definition = _definition(row, (index,), problems)
        if definition is not UNDEFINED:
            definitions[row.name] = definition
    if problems:
        raise InvalidRows(problems, definitions)
    return definitions


def type_of(field: ActionField) -> str:
    """Return the name of the field's type."""
    return TYPES[field.coerce]


def _order(field: ActionField) -> tuple[bool, bool]:
    return (not field.required, type_of(field) == "object")


def _position(numbered: tuple[int, Row]) -> tuple[bool, int]:
    index, row = numbered
    return (row.position is None, index if row.position is None else row.position)


def _row(name: str, definition: Any, position: int | None, field: ActionField | None) -> Row:
    original = None if definition is UNDEFINED else json.dumps(definition)
    if field is not None and type_of(field) == "object" and _has_rows(definition):
        members = tuple(
            NamedRow(name=key, original=json.dumps(item), source=source_of(item)) for key, item in definition.items()
        )
        return Row(name=name, position=position, original=original, source=Members(rows=members))
    return Row(name=name, position=position, original=original, source=source_of(definition))


def _has_rows(definition: Any) -> bool:
    """Return True for an object whose members can each be named in a row."""
    return isinstance(definition, dict) and not is_directive(definition) and all(map(_is_name, definition))


def _is_name(key: str) -> bool:
    return bool(key) and is_text(key)


def _definition(row: Row | NamedRow, place: tuple[int, ...], problems: list[RowProblem]) -> Any:
    """Return the definition of a row, or add the reason why there is none to `problems`."""
    source = row.source
    if isinstance(source, Members):
        return _members(source, place, problems)
    try:
        return definition_of(source, UNDEFINED if row.original is None else read_json(row.original))
    except InvalidPart as error:
        problems.append(RowProblem(place, str(error)))
    except InvalidJson:
        problems.append(RowProblem(place, "This row cannot be read any more. Reload the page."))
    return UNDEFINED


def _members(source: Members, place: tuple[int, ...], problems: list[RowProblem]) -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    for index, row in enumerate(source.rows):
        inside = (*place, index)
        problem = _problem_of_name(row.name, definitions)
        if problem:
            problems.append(RowProblem(inside, problem))
        if not isinstance(row.source, NoSource):
            definitions[row.name] = _definition(row, inside, problems)
    return definitions


def _problem_of_name(name: str, taken: dict[str, Any]) -> str | None:
    if not name:
        return "Enter a name."
    if name.startswith("@"):
        return "A name cannot start with @, which marks a directive."
    return f"{name} is there twice. Rename or remove one of the two." if name in taken else None


def _whole(text: str) -> Any:
    try:
        return read_json(text)
    except InvalidJson as error:
        raise InvalidRows([RowProblem((), f"{error}.")]) from None

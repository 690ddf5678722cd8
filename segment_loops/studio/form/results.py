"""The result of each row: its value for the sample event, and its problems and warnings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from loops_destination.actions import Action
from loops_destination.errors import MappingError, PayloadError, Problem
from loops_destination.javascript import UNDEFINED
from loops_destination.mapping import Mapping
from loops_destination.mapping.checker import ROOT_DIRECTIVE
from segment_loops.studio.form.rows import Form, Members, NamedRow, Row, RowProblem
from segment_loops.studio.form.sources import JsonSource


@dataclass(slots=True)
class RowResult:
    """The result of a row; `value` is `UNDEFINED` without an event, and for a row that results in nothing.

    `rejection` says why the event cannot be sent with this value. `members` are the results of the named rows.
    """

    value: Any = UNDEFINED
    rejection: str | None = None
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    members: list[RowResult] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the result; the value is absent if there is none."""
        return {
            **({} if self.value is UNDEFINED else {"value": self.value}),
            "rejection": self.rejection,
            "problems": self.problems,
            "warnings": self.warnings,
            "members": [each.as_json() for each in self.members],
        }


@dataclass(slots=True)
class FormResult:
    """The results of all rows; `problems` and `warnings` are those of the mapping as a whole."""

    rows: list[RowResult]
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the results of the rows, and those of the whole."""
        return {
            "rows": [each.as_json() for each in self.rows],
            "problems": self.problems,
            "warnings": self.warnings,
        }


def results_of(form: Form) -> FormResult:
    """Return results without values, for a form whose mapping is invalid or that has no event."""
    rows = [
        RowResult(members=[RowResult() for _ in row.source.rows] if isinstance(row.source, Members) else [])
        for row in form.rows
    ]
    return FormResult(rows)


def add_values(result: FormResult, form: Form, mapping: dict[str, Any], action: Action, event: dict[str, Any]) -> None:
    """Add each row's value for the event, and the reason why the event cannot be sent with it."""
    failures: dict[str, str] = {}
    mapped = _mapped(mapping, event, failures)
    rejections = _rejections(mapped, action) | failures
    for row, each in zip(form.rows, result.rows, strict=True):
        each.value = mapped.get(row.name, UNDEFINED)
        each.rejection = rejections.get(row.name)
        if isinstance(row.source, Members) and isinstance(each.value, dict):
            for named, member in zip(row.source.rows, each.members, strict=True):
                member.value = each.value.get(named.name, UNDEFINED)


def add_problems(result: FormResult, form: Form, problems: Iterable[Problem], warnings: Iterable[Problem]) -> None:
    """Add each problem and warning to the row at its place; the place is relative to the mapping."""
    for problem in problems:
        place, message = _placed(problem, form)
        _at(result, place).problems.append(message)
    for warning in warnings:
        place, message = _placed(warning, form)
        _at(result, place).warnings.append(message)


def add_row_problems(result: FormResult, problems: Iterable[RowProblem]) -> None:
    """Add the problems of rows that make no mapping."""
    for problem in problems:
        _at(result, problem.place).problems.append(problem.message)


def _at(result: FormResult, place: Sequence[int]) -> FormResult | RowResult:
    found: FormResult | RowResult = result
    for index in place:
        found = found.rows[index] if isinstance(found, FormResult) else found.members[index]
    return found


def _mapped(mapping: dict[str, Any], event: dict[str, Any], failures: dict[str, str]) -> dict[str, Any]:
    """Return the mapped fields; a field that cannot be mapped is in `failures` with the reason.

    Fields are mapped one by one, so that one that fails hides no other. A root directive reads all of them together.
    """
    if ROOT_DIRECTIVE in mapping:
        try:
            mapped = Mapping(mapping).resolve(event)
        except MappingError as error:
            failures[ROOT_DIRECTIVE] = str(error)
            return {}
        return mapped if isinstance(mapped, dict) else {}
    found: dict[str, Any] = {}
    for name, definition in mapping.items():
        try:
            found |= Mapping({name: definition}).resolve(event)
        except MappingError as error:
            failures[name] = "; ".join(problem.message for problem in error.problems)
    return found


def _rejections(mapped: dict[str, Any], action: Action) -> dict[str, str]:
    try:
        action.payload(mapped)
    except PayloadError as error:
        return {problem.path: problem.message for problem in error.problems}
    return {}


def _placed(problem: Problem, form: Form) -> tuple[list[int], str]:
    """Return the indices of the row that the problem is about, none for the mapping as a whole, and its message."""
    place: list[int] = []
    rest = problem.path
    rows: Sequence[Row | NamedRow] = form.rows
    is_json = form.whole is not None
    while (found := _row_at(rest, rows)) is not None:
        place.append(found)
        row = rows[found]
        rest = rest[1 + len(row.name) :]
        rows = row.source.rows if isinstance(row.source, Members) else ()
        is_json = isinstance(row.source, JsonSource)
    # The parts of other sources are seen in the row; in JSON, and for all rows together, the place must be named.
    shown = rest.removeprefix("/") if is_json or not place else ""
    return place, f"{shown}: {problem.message}" if shown else problem.message


def _row_at(path: str, rows: Sequence[Row | NamedRow]) -> int | None:
    """Return the index of the row with the longest name that the path begins with; names may contain a `/`."""
    matching = list(_rows_at(path, rows))
    return max(matching, key=lambda index: len(rows[index].name), default=None)


def _rows_at(path: str, rows: Sequence[Row | NamedRow]) -> Iterator[int]:
    for index, row in enumerate(rows):
        if path == f"/{row.name}" or path.startswith(f"/{row.name}/"):
            yield index

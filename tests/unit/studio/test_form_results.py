"""The values, problems and warnings of the form's rows, and the suggestions."""

from __future__ import annotations

from typing import Any

import pytest

from loops_destination.actions import ACTIONS
from loops_destination.errors import Problem
from loops_destination.javascript import UNDEFINED
from loops_destination.mapping import Mapping
from loops_destination.mapping.directives import DIRECTIVES
from segment_loops.studio.form import form_of
from segment_loops.studio.form.results import FormResult, RowResult, add_problems, add_values, results_of
from segment_loops.studio.form.suggestions import DIRECTIVE_SUGGESTIONS, MAX_PATHS, path_suggestions

CONTACT = ACTIONS["createOrUpdateContact"]
EVENT = {"type": "identify", "userId": "u-1", "traits": {"email": "ada", "plan": "pro"}}


def by_name(mapping: dict[str, Any], result: FormResult) -> dict[str, RowResult]:
    return {
        row.name: each for row, each in zip(form_of(mapping, CONTACT).rows, result.rows, strict=True)
    }  # fmt: skip


def valued(mapping: dict[str, Any], event: dict[str, Any] = EVENT) -> dict[str, RowResult]:
    form = form_of(mapping, CONTACT)
    result = results_of(form)
    add_values(result, form, mapping, CONTACT, event)
    return by_name(mapping, result)


def test_each_row_has_its_value_for_the_event() -> None:
    """A row shows the mapped value, nothing where the event has none, and each named row its own."""
    rows = valued(
        {
            "userId": {"@path": "$.userId"},
            "firstName": {"@path": "$.traits.firstName"},
            "customAttributes": {"plan": {"@path": "$.traits.plan"}, "seats": {"@path": "$.traits.seats"}},
        }
    )
    assert rows["userId"].value == "u-1"
    assert rows["firstName"].value is UNDEFINED
    assert [each.value for each in rows["customAttributes"].members] == ["pro", UNDEFINED]


def test_a_value_that_cannot_be_sent_says_why_at_its_row() -> None:
    """A rejection of the event is shown at the row that causes it."""
    rows = valued({"email": {"@path": "$.traits.email"}})
    assert rows["email"].rejection == "must be an email address"
    assert rows["userId"].rejection == "is required, but the mapping resolves it to no value"
    assert rows["firstName"].rejection is None


def test_a_row_that_fails_hides_no_other() -> None:
    """A row with a problem has no value; the other rows have theirs."""
    rows = valued({"userId": {"@path": "$.userId"}, "firstName": {"@nope": 1}})
    assert rows["userId"].value == "u-1"
    assert rows["firstName"].rejection is not None
    assert "unknown directive @nope" in rows["firstName"].rejection


def test_rows_around_a_root_directive_have_the_values_that_it_results_in() -> None:
    """A directive around the whole mapping counts for every row."""
    mapping = {
        "__segment_internal_directive": {"@transform": {"apply": {"id": {"@path": "$.userId"}}}},
        "userId": {"@path": "$.id"},
    }
    assert valued(mapping)["userId"].value == "u-1"


@pytest.mark.parametrize(
    ("path", "row", "message"),
    [
        ("/email", "email", "wrong"),
        ("/email/@path", "email", "wrong"),
        ("/userGroup/@flatten/value", "userGroup", "@flatten/value: wrong"),
        ("/a/b/0", "a/b", "0: wrong"),
        ("/a", "a", "wrong"),
    ],
)
def test_a_problem_is_shown_at_its_row(path: str, row: str, message: str) -> None:
    """A problem is shown at the row of its place, also if a name contains a slash; in JSON it keeps its place."""
    mapping = {
        "email": {"@path": "$.a"},
        "userGroup": {"@flatten": {"value": 1, "separator": "."}},
        "a": [],
        "a/b": [1],
    }
    form = form_of(mapping, CONTACT)
    result = results_of(form)
    add_problems(result, form, [Problem(path, "wrong")], [])
    found = {name: each.problems for name, each in by_name(mapping, result).items() if each.problems}
    assert found == {row: [message]}


def test_a_warning_about_a_named_row_is_shown_there() -> None:
    """A warning about one custom attribute is shown at its row, not at the whole object."""
    mapping = {"customAttributes": {"a": "$.a", "b": 1}}
    form = form_of(mapping, CONTACT)
    result = results_of(form)
    add_problems(result, form, [], [Problem("/customAttributes/a", "looks like a path"), Problem("", "all of it")])
    attributes = by_name(mapping, result)["customAttributes"]
    assert [each.warnings for each in attributes.members] == [["looks like a path"], []]
    assert (attributes.warnings, result.warnings) == ([], ["all of it"])


def test_each_directive_is_suggested_with_a_valid_definition() -> None:
    """The suggestions cover the registry, and each text to insert is a mapping without a problem."""
    assert DIRECTIVE_SUGGESTIONS.keys() == DIRECTIVES.keys()
    for name, suggestion in DIRECTIVE_SUGGESTIONS.items():
        assert [*suggestion.definition] == [name]
        Mapping(suggestion.definition)


def test_each_suggested_path_reads_its_example() -> None:
    """A suggested path finds the value that is shown beside it; keys that no path can name are not suggested."""
    event = {"a": 1, "b c": {"it's": 2, "d.e": 3, "f": [{"g": "text"}]}, "x" * 3: "y" * 100}
    found = {each.path: each for each in path_suggestions(event)}
    assert [*found] == ["$.a", "$.['b c']", "$.['b c'].f", "$.['b c'].f.0", "$.['b c'].f.0.g", "$.xxx"]
    for path, suggestion in found.items():
        value = Mapping({"@path": path}).resolve(event)
        assert value is not None
        if suggestion.is_single_value and len(suggestion.example) < 50:
            assert suggestion.example == str(value)
        if suggestion.tag:
            assert Mapping({"@template": f"{{{{{suggestion.tag}}}}}"}).resolve(event) != ""
    assert found["$.xxx"].example == "y" * 59 + "…"


def test_a_large_event_does_not_make_endless_suggestions() -> None:
    """The number of suggested paths is limited."""
    assert len(path_suggestions({"a": [*range(10 * MAX_PATHS)]})) == MAX_PATHS

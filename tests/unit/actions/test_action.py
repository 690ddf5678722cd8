from typing import Any

import pytest

from loops_destination.actions import ACTIONS, Action, Field
from loops_destination.actions.coercion import to_object, to_string
from loops_destination.errors import PayloadError

ACTION = Action(
    slug="try",
    title="Try",
    method="POST",
    path="/api/v1/try",
    trigger='type = "track"',
    fields=(
        Field("name", to_string, required=True, default={"@path": "$.name"}),
        Field("notes", to_string, default=""),
        Field("extra", to_object),
    ),
    body=lambda payload: payload,
)


def test_payload() -> None:
    """A payload contains the fields that the mapping provides, each converted to its type."""
    assert ACTION.payload({"name": 5, "extra": {"a": None}}) == {"name": "5", "extra": {"a": None}}


@pytest.mark.parametrize("empty", [None, ""])
def test_empty_field_is_left_out(empty: Any) -> None:
    """A field of any type that is mapped to null or `""` is not sent."""
    assert ACTION.payload({"name": "n", "notes": empty, "extra": empty}) == {"name": "n"}


def test_unknown_field_is_dropped() -> None:
    """A mapped value that is not a field of the action is not sent."""
    assert ACTION.payload({"name": "n", "title": "t"}) == {"name": "n"}


@pytest.mark.parametrize("mapped", [{}, {"name": None}, {"name": ""}, {"notes": "n"}])
def test_required_field_is_missing(mapped: dict[str, Any]) -> None:
    """A required field without a value is refused with its name."""
    with pytest.raises(PayloadError, match="is required") as caught:
        ACTION.payload(mapped)
    assert [problem.path for problem in caught.value.problems] == ["name"]


def test_every_problem_is_named() -> None:
    """A payload with several invalid fields is refused with the problem of each, in the order of the fields."""
    with pytest.raises(PayloadError) as caught:
        ACTION.payload({"notes": {}, "extra": "text"})
    assert [problem.path for problem in caught.value.problems] == ["name", "notes", "extra"]
    assert str(caught.value).split("; ") == [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("mapped", [None, [], "text", 5, True])
def test_mapping_must_resolve_to_an_object(mapped: Any) -> None:
    """A mapping that resolves to anything but an object of fields is refused."""
    with pytest.raises(PayloadError, match="object of fields"):
        ACTION.payload(mapped)


def test_mapped_value_is_not_changed() -> None:
    """Building a payload leaves the mapped value, and with it the event, unchanged."""
    mapped = {"name": ["n"], "notes": None, "extra": {"a": 1}}
    ACTION.payload(mapped)
    assert mapped == {"name": ["n"], "notes": None, "extra": {"a": 1}}


def test_default_mapping() -> None:
    """The default mapping contains every field with a default, also an empty one."""
    assert ACTION.mapping == {"name": {"@path": "$.name"}, "notes": ""}


def test_slugs() -> None:
    """The actions are the two of Segment's destination and the deletion, each under its slug."""
    assert [action.slug for action in ACTIONS.values()] == list(ACTIONS)
    assert set(ACTIONS) == {"createOrUpdateContact", "sendEvent", "deleteContact"}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_user_id_is_required(action: Action) -> None:
    """Every action requires a userId, as Segment's destination does."""
    assert {field.name for field in action.fields if field.required} >= {"userId"}

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
    """A payload holds the fields that the mapping filled, each in its type."""
    assert ACTION.payload({"name": 5, "extra": {"a": None}}) == {"name": "5", "extra": {"a": None}}


@pytest.mark.parametrize("empty", [None, ""])
def test_empty_field_is_left_out(empty: Any) -> None:
    """A field that came out null or as an empty text is not sent, whatever its type."""
    assert ACTION.payload({"name": "n", "notes": empty, "extra": empty}) == {"name": "n"}


def test_unknown_field_is_dropped() -> None:
    """What the mapping gives beside the action's fields is not sent."""
    assert ACTION.payload({"name": "n", "title": "t"}) == {"name": "n"}


@pytest.mark.parametrize("mapped", [{}, {"name": None}, {"name": ""}, {"notes": "n"}])
def test_required_field_is_missing(mapped: dict[str, Any]) -> None:
    """A required field without a value is refused by its name."""
    with pytest.raises(PayloadError, match="is required") as caught:
        ACTION.payload(mapped)
    assert caught.value.field == "name"


@pytest.mark.parametrize("mapped", [None, [], "text", 5, True])
def test_mapping_gave_no_object(mapped: Any) -> None:
    """A mapping that gives anything but an object of fields is refused."""
    with pytest.raises(PayloadError, match="object of fields"):
        ACTION.payload(mapped)


def test_mapped_value_is_not_changed() -> None:
    """Making a payload leaves what it is made of as it was, so the event can be mapped again."""
    mapped = {"name": ["n"], "notes": None, "extra": {"a": 1}}
    ACTION.payload(mapped)
    assert mapped == {"name": ["n"], "notes": None, "extra": {"a": 1}}


def test_default_mapping() -> None:
    """The default mapping fills the fields that have a default, an empty text among them."""
    assert ACTION.mapping == {"name": {"@path": "$.name"}, "notes": ""}


def test_slugs() -> None:
    """The actions are those of Segment's destination, and the deletion, each under its own slug."""
    assert [action.slug for action in ACTIONS.values()] == list(ACTIONS)
    assert set(ACTIONS) == {"createOrUpdateContact", "sendEvent", "deleteContact"}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_userid_is_required(action: Action) -> None:
    """No action is taken for an event that names no user: Segment's destination requires a userId, null is never sent."""
    assert {field.name for field in action.fields if field.required} >= {"userId"}

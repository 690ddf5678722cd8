from typing import Any

import pytest

from loops_destination.actions import ACTIONS

ACTION = ACTIONS["sendEvent"]


def body(**fields: Any) -> dict[str, Any]:
    return ACTION.body(ACTION.payload({"userId": "u-1", "eventName": "Signed Up", **fields}))


def test_fields() -> None:
    """The fields are those of Segment's action, in Segment's order."""
    assert [field.name for field in ACTION.fields] == [
        "email",
        "eventName",
        "userId",
        "contactProperties",
        "eventProperties",
    ]


def test_every_field_is_sent() -> None:
    """Event properties are sent as an object, and contact properties at the top level."""
    sent = body(email="ada@example.com", eventProperties={"plan": None}, contactProperties={"seats": 3, "n": None})
    assert sent == {
        "userId": "u-1",
        "eventName": "Signed Up",
        "email": "ada@example.com",
        "eventProperties": {"plan": None},
        "seats": 3,
        "n": None,
    }


@pytest.mark.parametrize("name", ["email", "userId", "eventName", "eventProperties"])
def test_contact_property_overwrites_no_field(name: str) -> None:
    """A contact property never overwrites a field: the event goes to the contact that the mapping names."""
    fields = {"email": "ada@example.com", "eventProperties": {"plan": "pro"}}
    assert body(contactProperties={name: "other@example.com"}, **fields) == body(**fields)


def test_contact_property_where_the_field_is_empty() -> None:
    """A contact property with the name of an empty field is sent, as Segment sends it."""
    assert body(contactProperties={"email": "ada@example.com"})["email"] == "ada@example.com"


@pytest.mark.parametrize("value", [True, "true", 1, None, "yes"])
def test_no_contact_property_subscribes_again(value: Any) -> None:
    """A contact property `subscribed` that Loops might take for true is removed."""
    assert body(contactProperties={"subscribed": value, "seats": 3}) == {**body(), "seats": 3}


def test_a_contact_property_opts_out() -> None:
    """`subscribed: false` among the contact properties reaches Loops."""
    assert body(contactProperties={"subscribed": False})["subscribed"] is False


def test_event_properties_are_not_consent() -> None:
    """An event property `subscribed` is sent unchanged: it does not concern the contact."""
    assert body(eventProperties={"subscribed": True})["eventProperties"] == {"subscribed": True}


def test_payload_is_not_changed() -> None:
    """Building a body leaves the payload unchanged."""
    payload = {"userId": "u-1", "eventName": "e", "contactProperties": {"userId": "other"}}
    ACTION.body(payload)
    assert payload == {"userId": "u-1", "eventName": "e", "contactProperties": {"userId": "other"}}

from typing import Any

import pytest

from loops_destination.actions import ACTIONS
from loops_destination.subscriptions import Subscription

ACTION = ACTIONS["createOrUpdateContact"]


def body(**fields: Any) -> dict[str, Any]:
    return ACTION.body(ACTION.payload({"userId": "u-1", **fields}))


def test_fields() -> None:
    """The fields are those of Segment's action, in Segment's order."""
    assert [field.name for field in ACTION.fields] == [
        "createdAt",
        "customAttributes",
        "email",
        "firstName",
        "lastName",
        "mailingLists",
        "source",
        "subscribed",
        "userGroup",
        "userId",
    ]


def test_every_field_is_sent() -> None:
    """Each field is sent at the top level, and so is each custom attribute."""
    fields = {
        "createdAt": 1746454658089,
        "email": "ada@example.com",
        "firstName": "Ada",
        "lastName": "Lovelace",
        "mailingLists": {"l1": True},
        "source": "web",
        "subscribed": False,
        "userGroup": "founders",
    }
    assert fields.keys() | {"customAttributes", "userId"} == {field.name for field in ACTION.fields}
    assert body(customAttributes={"plan": "pro"}, **fields) == {"userId": "u-1", "plan": "pro", **fields}


def test_fields_overwrite_attributes() -> None:
    """A field that the mapping provides wins over a custom attribute of the same name."""
    attributes = {"userId": "other", "firstName": "Trait", "source": "trait"}
    assert body(customAttributes=attributes, firstName="Field") == {
        "userId": "u-1",
        "firstName": "Field",
        "source": "trait",
        "mailingLists": {},
    }


def test_null_attribute_is_sent() -> None:
    """A null in the custom attributes reaches Loops, where it clears the property."""
    assert body(customAttributes={"plan": None, "deep": {"x": None}, "s": ""}) == {
        "userId": "u-1",
        "plan": None,
        "deep": {"x": None},
        "s": "",
        "mailingLists": {},
    }


def test_attribute_named_custom_attributes() -> None:
    """A custom attribute called customAttributes is an attribute like any other."""
    assert body(customAttributes={"customAttributes": 1})["customAttributes"] == 1


def test_subscribed_only_when_mapped() -> None:
    """`subscribed` is sent only if the team maps it, because `true` re-subscribes a person."""
    assert "subscribed" not in ACTION.mapping
    assert "subscribed" not in body()


@pytest.mark.parametrize(
    "value", [True, "true", 1, 1.0, [True], ["true"], None, "", "yes", "TRUE", 2, [], {}, [None, 1]]
)
def test_no_attribute_subscribes_again(value: Any) -> None:
    """An attribute `subscribed` that Loops might take for true is removed, and the other attributes are sent."""
    assert body(customAttributes={"subscribed": value, "plan": 1}) == {
        "userId": "u-1",
        "plan": 1,
        "mailingLists": {},
    }


@pytest.mark.parametrize("value", [False, "false", 0, [False]])
def test_an_attribute_opts_out(value: Any) -> None:
    """An attribute `subscribed` that Segment converts to false reaches Loops as false."""
    assert body(customAttributes={"subscribed": value})["subscribed"] is False


@pytest.mark.parametrize("field", [True, "true", False])
def test_the_field_wins_over_the_attribute_on_consent(field: Any) -> None:
    """The field `subscribed` is sent as mapped, whatever the attribute `subscribed` is."""
    for attribute in (True, False):
        sent = body(subscribed=field, customAttributes={"subscribed": attribute})
        assert sent["subscribed"] is (field is not False)


def test_the_default_mapping_never_subscribes_again() -> None:
    """A trait `subscribed: true` reaches Loops only with a mapping of the field, which the default mapping lacks."""
    event = {"type": "identify", "userId": "u-1", "traits": {"email": "ada@example.com", "subscribed": True}}
    default = Subscription.from_json({"action": "createOrUpdateContact"})
    assert "subscribed" not in default.request(event).body
    mapping = {**ACTION.mapping, "subscribed": {"@path": "$.traits.subscribed"}}
    mapped = Subscription.from_json({"action": "createOrUpdateContact", "mapping": mapping})
    assert mapped.request(event).body["subscribed"] is True


@pytest.mark.parametrize(
    ("field", "attribute", "sent"),
    [
        ({"l1": True, "l2": False}, None, {"l1": True, "l2": False}),
        ({"l1": "true", "l2": "false"}, None, {"l1": True, "l2": False}),
        ({"l1": 1, "l2": 0, "l3": None, "l4": "True", "l5": "", "l6": {}, "l7": [True]}, None, {}),
        ({"l1": True}, {"l2": True}, {"l1": True}),
        ({"l1": "maybe"}, {"l2": True}, {}),
        ({}, {"l2": "true", "l3": 1}, {"l2": True}),
        (None, {"l2": False}, {"l2": False}),
        (None, {}, {}),
        (None, None, {}),
        (None, "true", {}),
        (None, ["true"], {}),
        (None, True, {}),
        (None, 5, {}),
    ],
)
def test_mailing_lists(field: Any, attribute: Any, sent: dict[str, bool]) -> None:
    """The lists of the field, else of the attribute, are always sent, without entries that are neither true nor false."""
    assert body(mailingLists=field, customAttributes={"mailingLists": attribute, "plan": 1}) == {
        "userId": "u-1",
        "plan": 1,
        "mailingLists": sent,
    }


def test_payload_is_not_changed() -> None:
    """Building a body leaves the payload, and the event's objects in it, unchanged."""
    attributes = {"mailingLists": {"l1": "true"}, "plan": 1, "subscribed": True}
    payload = {"userId": "u-1", "customAttributes": dict(attributes)}
    ACTION.body(payload)
    assert payload == {"userId": "u-1", "customAttributes": attributes}

import json
from pathlib import Path
from typing import Any

import pytest

from loops_destination.actions import ACTIONS
from loops_destination.errors import MappingError, PayloadError, SubscriptionsError
from loops_destination.idempotency import idempotency_key_of
from loops_destination.loops_request import LoopsRequest
from loops_destination.subscriptions import Subscription

DEFAULT_FILE = Path(__file__).parents[3] / "layers/mappings/mappings.json"

IDENTIFY = {
    "type": "identify",
    "messageId": "m-1",
    "userId": "u-1",
    "traits": {"email": "ada@example.com", "firstName": "Ada", "lastName": "L", "userGroup": "math", "plan": "pro"},
}
TRACK = {
    "type": "track",
    "messageId": "m-2",
    "event": "Signed Up",
    "userId": "u-1",
    "context": {"traits": {"email": "ada@example.com"}},
    "properties": {"plan": "pro"},
}
DELETE = {"type": "delete", "messageId": "m-3", "userId": "u-1", "context": None}

BY_DEFAULT: dict[str, tuple[dict[str, Any], LoopsRequest]] = {
    "createOrUpdateContact": (
        IDENTIFY,
        LoopsRequest(
            "PUT",
            "/api/v1/contacts/update",
            {
                "userId": "u-1",
                "email": "ada@example.com",
                "firstName": "Ada",
                "lastName": "L",
                "userGroup": "math",
                "plan": "pro",
                "source": "Segment",
                "mailingLists": {},
            },
        ),
    ),
    "sendEvent": (
        TRACK,
        LoopsRequest(
            "POST",
            "/api/v1/events/send",
            {
                "userId": "u-1",
                "email": "ada@example.com",
                "eventName": "Signed Up",
                "eventProperties": {"plan": "pro"},
            },
            {"Idempotency-Key": idempotency_key_of(TRACK, "s-1")},
        ),
    ),
    "deleteContact": (DELETE, LoopsRequest("POST", "/api/v1/contacts/delete", {"userId": "u-1"})),
}


def test_every_action_has_a_case() -> None:
    """The defaults of every action have a case here."""
    assert BY_DEFAULT.keys() == ACTIONS.keys()


@pytest.mark.parametrize("slug", BY_DEFAULT)
def test_defaults(slug: str) -> None:
    """A subscription with nothing but an action matches that action's events and sends what Segment's destination sends."""
    subscription = Subscription.from_json({"id": "s-1", "action": slug})
    event, request = BY_DEFAULT[slug]
    assert [other for other, (event, _) in BY_DEFAULT.items() if subscription.matches(event)] == [slug]
    assert subscription.request(event) == request


@pytest.mark.parametrize(
    "definition", json.loads(DEFAULT_FILE.read_text("utf-8"))["subscriptions"], ids=lambda d: d["action"]
)
def test_default_file_repeats_the_defaults(definition: dict[str, Any]) -> None:
    """The default file writes out the default trigger and mapping of each action."""
    action = ACTIONS[definition["action"]]
    assert definition["trigger"] == action.trigger
    assert definition["mapping"] == action.mapping


@pytest.mark.parametrize(
    ("keys", "id_"),
    [
        ({"id": "s-1", "name": "Orders"}, "s-1"),
        ({"name": "Orders"}, "Orders"),
        ({"id": None, "name": "Orders"}, "Orders"),
        ({"id": "", "name": ""}, "sendEvent"),
        ({}, "sendEvent"),
    ],
)
def test_identity(keys: dict[str, Any], id_: str) -> None:
    """The id of a subscription is its `id`, else its name, else its action."""
    assert Subscription.from_json({"action": "sendEvent", **keys}).id == id_


@pytest.mark.parametrize(
    "definition",
    [
        {"actionSlug": "sendEvent", "trigger": 'event = "Signed Up"', "settings": {"userId": "u", "eventName": "e"}},
        {"action": "sendEvent", "trigger": 'event = "Signed Up"', "mapping": {"userId": "u", "eventName": "e"}},
        {
            "action": None,
            "actionSlug": "sendEvent",
            "trigger": 'event = "Signed Up"',
            "mapping": {"userId": "u", "eventName": "e"},
            "settings": None,
        },
    ],
)
def test_keys_of_segment_and_of_a_mappings_file(definition: dict[str, Any]) -> None:
    """A definition can use Segment's keys or those of a mappings file."""
    subscription = Subscription.from_json(definition)
    assert subscription.action is ACTIONS["sendEvent"]
    assert subscription.matches(TRACK)
    assert not subscription.matches({**TRACK, "event": "Other"})
    assert subscription.request(TRACK).body == {"userId": "u", "eventName": "e"}


@pytest.mark.parametrize("definition", [None, [], "sendEvent", 5])
def test_definition_must_be_an_object(definition: Any) -> None:
    """A definition that is not an object is refused."""
    with pytest.raises(SubscriptionsError, match="must be an object"):
        Subscription.from_json(definition)


def test_all_problems_are_reported_together() -> None:
    """The problems of trigger, mapping and keys are reported together, each with its place in the definition."""
    definition = {
        "action": "sendEvent",
        "trigger": "(",
        "mapping": {"a": {"@path": 1}, "b": {"@no": 1}},
        "enabld": True,
    }
    with pytest.raises(SubscriptionsError) as caught:
        Subscription.from_json(definition)
    assert [problem.path for problem in caught.value.problems] == [
        "/enabld",
        "/trigger",
        "/mapping/a/@path",
        "/mapping/b",
    ]


def test_disabled_matches_nothing() -> None:
    """A disabled subscription matches no event, whatever its trigger."""
    subscription = Subscription.from_json({"action": "sendEvent", "enabled": False})
    assert not subscription.matches(TRACK)


def test_request_ignores_the_trigger() -> None:
    """An event that the trigger does not match still gives a request, as a queued delivery needs after a change."""
    subscription = Subscription.from_json({"id": "s-1", "action": "sendEvent", "trigger": 'event = "Other"'})
    assert not subscription.matches(TRACK)
    assert subscription.request(TRACK) == BY_DEFAULT["sendEvent"][1]


@pytest.mark.parametrize(("slug", "headers"), [("sendEvent", {"Idempotency-Key": "k"}), ("deleteContact", {})])
def test_given_idempotency_key(slug: str, headers: dict[str, str]) -> None:
    """A given idempotency key is sent where Loops takes one."""
    assert Subscription.from_json({"action": slug}).request(TRACK, "k").headers == headers


def test_invalid_payload() -> None:
    """An invalid payload is refused with the name of the field, and without its value."""
    subscription = Subscription.from_json({"action": "createOrUpdateContact"})
    with pytest.raises(PayloadError) as caught:
        subscription.request({**IDENTIFY, "traits": {"email": "no address"}})
    assert [problem.path for problem in caught.value.problems] == ["email"]
    assert "no address" not in str(caught.value)


def test_mapping_that_cannot_be_resolved() -> None:
    """An event for which Segment cannot resolve the mapping is refused."""
    mapping = {"userId": {"@path": {"@path": "$.context"}}, "eventName": "e"}
    subscription = Subscription.from_json({"action": "sendEvent", "mapping": mapping})
    with pytest.raises(MappingError):
        subscription.request({**TRACK, "context": None})


def test_event_is_not_changed() -> None:
    """Building a request leaves the event unchanged, so that the same event can be queued."""
    event = {**IDENTIFY, "traits": {"email": "ada@example.com", "mailingLists": {"l1": "true"}, "tags": ["a"]}}
    before = json.dumps(event)
    Subscription.from_json({"action": "createOrUpdateContact"}).request(event)
    assert json.dumps(event) == before


def test_numbers_keep_their_precision() -> None:
    """A number that JavaScript would round is sent with all its digits."""
    event = {**TRACK, "userId": 12345678901234567891, "properties": {"order": 9007199254740993}}
    body = Subscription.from_json({"action": "sendEvent"}).request(event).body
    assert body["userId"] == "12345678901234567891"
    assert body["eventProperties"] == {"order": 9007199254740993}


def test_representation() -> None:
    """A subscription represents itself by its id and action."""
    assert repr(Subscription.from_json({"id": "s-1", "action": "sendEvent"})) == "Subscription('s-1', sendEvent)"

import json
from pathlib import Path
from typing import Any

import pytest

from loops_destination.actions import ACTIONS
from loops_destination.errors import MappingError, PayloadError, SubscriptionsError
from loops_destination.idempotency import idempotency_key
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
            {"Idempotency-Key": idempotency_key(TRACK, "s-1")},
        ),
    ),
    "deleteContact": (DELETE, LoopsRequest("POST", "/api/v1/contacts/delete", {"userId": "u-1"})),
}


def test_every_action_has_a_case() -> None:
    """Each action's defaults are tested."""
    assert BY_DEFAULT.keys() == ACTIONS.keys()


@pytest.mark.parametrize("slug", BY_DEFAULT)
def test_defaults(slug: str) -> None:
    """A subscription that says nothing but its action takes that action's events, and asks what Segment's would."""
    subscription = Subscription.from_json({"id": "s-1", "action": slug})
    event, request = BY_DEFAULT[slug]
    assert [other for other, (event, _) in BY_DEFAULT.items() if subscription.matches(event)] == [slug]
    assert subscription.request(event) == request


@pytest.mark.parametrize(
    "definition", json.loads(DEFAULT_FILE.read_text("utf-8"))["subscriptions"], ids=lambda d: d["action"]
)
def test_default_file_repeats_the_defaults(definition: dict[str, Any]) -> None:
    """What the default file writes out is what an action does by default."""
    action = ACTIONS[definition["action"]]
    assert definition["trigger"] == action.trigger
    assert definition["mapping"] == action.mapping


@pytest.mark.parametrize(
    ("keys", "known_as"),
    [
        ({"id": "s-1", "name": "Orders"}, "s-1"),
        ({"name": "Orders"}, "Orders"),
        ({"id": None, "name": "Orders"}, "Orders"),
        ({"id": "", "name": ""}, "sendEvent"),
        ({}, "sendEvent"),
    ],
)
def test_identity(keys: dict[str, Any], known_as: str) -> None:
    """A subscription is known by its id, else its name, else its action."""
    assert Subscription.from_json({"action": "sendEvent", **keys}).id == known_as


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
def test_words_of_segment_and_ours(definition: dict[str, Any]) -> None:
    """A definition can be in Segment's words or in ours."""
    subscription = Subscription.from_json(definition)
    assert subscription.action is ACTIONS["sendEvent"]
    assert subscription.matches(TRACK)
    assert not subscription.matches({**TRACK, "event": "Other"})
    assert subscription.request(TRACK).body == {"userId": "u", "eventName": "e"}


@pytest.mark.parametrize("definition", [None, [], "sendEvent", 5])
def test_no_object(definition: Any) -> None:
    """A subscription is defined by an object."""
    with pytest.raises(SubscriptionsError, match="must be an object"):
        Subscription.from_json(definition)


def test_faults_are_told_together() -> None:
    """The problems of trigger, mapping and keys are told at once, each at its place in the definition."""
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
    """A disabled subscription takes no event, whatever its trigger says."""
    subscription = Subscription.from_json({"action": "sendEvent", "enabled": False})
    assert not subscription.matches(TRACK)


def test_request_does_not_ask_the_trigger() -> None:
    """A request is made also of an event that the trigger would not take, as when a delivery is repeated."""
    subscription = Subscription.from_json({"id": "s-1", "action": "sendEvent", "trigger": 'event = "Other"'})
    assert not subscription.matches(TRACK)
    assert subscription.request(TRACK) == BY_DEFAULT["sendEvent"][1]


@pytest.mark.parametrize(("slug", "headers"), [("sendEvent", {"Idempotency-Key": "k"}), ("deleteContact", {})])
def test_key_of_the_delivery(slug: str, headers: dict[str, str]) -> None:
    """The key that a delivery was given at its arrival is the one that is sent, where Loops takes a key."""
    assert Subscription.from_json({"action": slug}).request(TRACK, "k").headers == headers


def test_invalid_payload() -> None:
    """An event whose payload is invalid is refused by the field, without its value."""
    subscription = Subscription.from_json({"action": "createOrUpdateContact"})
    with pytest.raises(PayloadError) as caught:
        subscription.request({**IDENTIFY, "traits": {"email": "no address"}})
    assert caught.value.field == "email"
    assert "no address" not in str(caught.value)


def test_mapping_that_cannot_be_resolved() -> None:
    """An event that the mapping cannot take is refused as Segment refuses it."""
    mapping = {"userId": {"@path": {"@path": "$.context"}}, "eventName": "e"}
    subscription = Subscription.from_json({"action": "sendEvent", "mapping": mapping})
    with pytest.raises(MappingError):
        subscription.request({**TRACK, "context": None})


def test_event_is_not_changed() -> None:
    """Asking for a request leaves the event as it came, so the same event can go to the queue."""
    event = {**IDENTIFY, "traits": {"email": "ada@example.com", "mailingLists": {"l1": "true"}, "tags": ["a"]}}
    before = json.dumps(event)
    Subscription.from_json({"action": "createOrUpdateContact"}).request(event)
    assert json.dumps(event) == before


def test_numbers_keep_their_precision() -> None:
    """A number that JavaScript would round is sent digit by digit."""
    event = {**TRACK, "userId": 12345678901234567891, "properties": {"order": 9007199254740993}}
    body = Subscription.from_json({"action": "sendEvent"}).request(event).body
    assert body["userId"] == "12345678901234567891"
    assert body["eventProperties"] == {"order": 9007199254740993}


def test_representation_shows_no_event_data() -> None:
    """A subscription shows itself by what it is known by and what it does."""
    assert repr(Subscription.from_json({"id": "s-1", "action": "sendEvent"})) == "Subscription('s-1', sendEvent)"

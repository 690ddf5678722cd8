"""Events, and the keys that keep them from being sent twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import pytest

from local.sandbox import Assumptions, Fault

if TYPE_CHECKING:
    from local.sandbox import Sandbox
    from tests.integration.sandbox.conftest import Client, Clock


EVENT = {"email": "ada@example.com", "eventName": "signup"}
DAY = 24 * 3600


def test_an_event_is_kept_with_who_triggered_it(client: Client, sandbox: Sandbox, clock: Clock) -> None:
    """A processed event shows its name, properties, contact, key and time."""
    body = EVENT | {"userId": "u1", "eventProperties": {"plan": "pro", "seats": 3}}
    answer = client.send(body, key="k1")
    assert (answer.status, answer.json) == (200, {"success": True})
    assert [event.as_json() for event in sandbox.events.all()] == [
        {
            "name": "signup",
            "properties": {"plan": "pro", "seats": 3},
            "contactId": "contact-1",
            "email": "ada@example.com",
            "userId": "u1",
            "idempotencyKey": "k1",
            "occurrence": 1,
            "time": clock.now,
        }
    ]


def test_an_event_creates_and_changes_its_contact(client: Client) -> None:
    """Top-level keys of an event are contact properties; an unknown email is created."""
    assert client.send(EVENT | {"firstName": "Ada", "plan": "pro"}).status == 200
    assert client.send(EVENT | {"userId": "u1", "plan": None}).status == 200
    [contact] = client.find(userId="u1")
    assert (contact["email"], contact["firstName"], contact["plan"]) == ("ada@example.com", "Ada", None)


def test_an_event_by_a_known_user_id_needs_no_email(client: Client, sandbox: Sandbox) -> None:
    """A user id that Loops knows is enough."""
    client.update(email="ada@example.com", userId="u1")
    assert client.send({"userId": "u1", "eventName": "login"}).status == 200
    assert sandbox.events.all()[0].email == "ada@example.com"


def test_an_event_by_an_unknown_user_id_is_refused(client: Client, sandbox: Sandbox) -> None:
    """A user id alone that Loops does not know sends nothing."""
    answer = client.send({"userId": "u1", "eventName": "login"})
    assert (answer.status, answer.json) == (400, {"success": False, "message": "Contact not found."})
    assert sandbox.events.all() == []


def test_an_event_for_two_contacts_is_refused(client: Client, sandbox: Sandbox) -> None:
    """The either-match rule of contacts holds for events."""
    client.update(email="ada@example.com", userId="u1")
    client.update(email="bob@example.com", userId="u2")
    assert client.send({"email": "ada@example.com", "userId": "u2", "eventName": "login"}).status == 400
    assert sandbox.events.all() == []


@pytest.mark.parametrize(
    "change",
    [
        {"eventName": None},
        {"eventName": ""},
        {"eventName": 7},
        {"eventName": "a:b"},
        {"eventProperties": []},
        {"eventProperties": "plan"},
        {"contactProperties": {"plan": "pro"}},
        {"email": None},
        {"id": "1"},
    ],
)
def test_a_malformed_event_is_refused(client: Client, sandbox: Sandbox, change: dict[str, Any]) -> None:
    """Such an event sends nothing and creates nobody."""
    assert client.send(EVENT | change).status == 400
    assert (sandbox.events.all(), sandbox.contacts.all()) == ([], [])


def test_a_repeated_key_answers_409_for_24_hours(client: Client, sandbox: Sandbox, clock: Clock) -> None:
    """Within the day a key is processed once, whatever comes with it; after the day it is new again."""
    assert client.send(EVENT, key="k1").status == 200
    clock.now += DAY - 1
    repeat = client.send(EVENT | {"eventName": "other", "plan": "pro"}, key="k1")
    assert (repeat.status, repeat.json["success"]) == (409, False)
    assert (len(sandbox.events.all()), sandbox.contacts.all()[0].properties) == (1, {})
    clock.now += 1
    assert client.send(EVENT, key="k1").status == 200
    assert sandbox.events.processed("k1") == 2


def test_events_without_a_key_are_all_processed(client: Client, sandbox: Sandbox) -> None:
    """Without a key nothing is taken for a repeat."""
    assert [client.send(EVENT).status for _ in range(3)] == [200] * 3
    assert [event.occurrence for event in sandbox.events.all()] == [1, 1, 1]
    assert sandbox.events.repeated() == {}


@pytest.mark.parametrize(("length", "status"), [(100, 200), (101, 400)])
def test_a_key_has_at_most_100_characters(client: Client, sandbox: Sandbox, length: int, status: int) -> None:
    """A longer key is refused and nothing is sent."""
    assert client.send(EVENT, key="k" * length).status == status
    assert len(sandbox.events.all()) == (status == 200)


def test_contact_endpoints_take_no_key(client: Client) -> None:
    """A key on a contact request means nothing, there or for an event."""
    for _ in range(2):
        path = "/api/v1/contacts/update"
        assert client.call("PUT", path, {"email": "ada@example.com"}, Idempotency_Key="k1").status == 200
    assert client.send(EVENT, key="k1").status == 200


@pytest.mark.parametrize(("used", "status"), [(False, 200), (True, 409)])
def test_a_refused_attempt_uses_its_key_as_assumed(
    client: Client, sandbox: Sandbox, status: int, *, used: bool
) -> None:
    """After a 400 the key is free by default, and used up under the other assumption."""
    sandbox.assumptions = Assumptions(idempotency_key_after_refusal=used)
    assert client.send({"userId": "u1", "eventName": "login"}, key="k1").status == 400
    client.update(email="ada@example.com", userId="u1")
    assert client.send({"userId": "u1", "eventName": "login"}, key="k1").status == status


@pytest.mark.parametrize("processed", [False, True])
@pytest.mark.parametrize(
    ("assumed", "statuses"), [("processed", (200, 409)), ("always", (409, 409)), ("never", (200, 200))]
)
def test_a_failed_attempt_uses_its_key_as_assumed(
    client: Client,
    sandbox: Sandbox,
    assumed: Literal["processed", "always", "never"],
    statuses: tuple[int, int],
    *,
    processed: bool,
) -> None:
    """After a 5xx the key is used up if the event took effect, always, or never; a second sending is counted."""
    sandbox.assumptions = Assumptions(idempotency_key_after_failure=assumed)
    sandbox.faults.add(Fault(kind="status", status=502, processed=processed))
    assert client.send(EVENT, key="k1").status == 502
    assert client.send(EVENT, key="k1").status == statuses[processed]
    assert sandbox.events.processed("k1") == processed + (statuses[processed] == 200)
    assert sandbox.events.repeated() == ({"k1": 2} if processed and assumed == "never" else {})


@pytest.mark.parametrize("status", [401, 429])
def test_an_attempt_that_never_got_in_leaves_its_key(client: Client, sandbox: Sandbox, status: int) -> None:
    """A refused API key or a limit uses up no idempotency key, whatever is assumed."""
    sandbox.assumptions = Assumptions(idempotency_key_after_refusal=True, idempotency_key_after_failure="always")
    sandbox.faults.add(Fault(kind="status", status=status))
    assert client.send(EVENT, key="k1").status == status
    assert client.send(EVENT, key="k1").status == 200


def test_a_strangers_attempt_leaves_the_key(client: Client, sandbox: Sandbox) -> None:
    """Who lacks the API key uses up no idempotency key, even under a fault."""
    sandbox.assumptions = Assumptions(idempotency_key_after_failure="always")
    sandbox.faults.add(Fault(kind="status", status=500))
    answer = client.call("POST", "/api/v1/events/send", EVENT, Idempotency_Key="k1", Authorization="Bearer other")
    assert answer.status == 500
    assert client.send(EVENT, key="k1").status == 200


def test_one_key_at_once_is_processed_once(client: Client, sandbox: Sandbox) -> None:
    """Of many simultaneous attempts with one key exactly one takes effect."""
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: client.send(EVENT, key="k1").status, range(40)))
    assert sorted(statuses) == [200] + [409] * 39
    assert sandbox.events.processed("k1") == 1


def test_one_email_at_once_is_one_contact(client: Client, sandbox: Sandbox) -> None:
    """Simultaneous updates of a new email create one contact with all they bring."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: client.update(email="ada@example.com", **{f"p{n}": n}), range(40)))
    assert [contact.properties for contact in sandbox.contacts.all()] == [{f"p{n}": n for n in range(40)}]

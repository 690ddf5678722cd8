"""Events, and the idempotency keys that keep them from being processed twice."""

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


def test_an_event_is_kept_with_its_contact(client: Client, sandbox: Sandbox, clock: Clock) -> None:
    """A processed event is shown with its name, properties, contact, idempotency key and time."""
    body = EVENT | {"userId": "u1", "eventProperties": {"plan": "pro", "seats": 3}}
    answer = client.send(body, idempotency_key="k1")
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
    """Top-level fields of an event are contact properties, and an unknown email creates a contact."""
    assert client.send(EVENT | {"firstName": "Ada", "plan": "pro"}).status == 200
    assert client.send(EVENT | {"userId": "u1", "plan": None}).status == 200
    [contact] = client.find(userId="u1")
    assert (contact["email"], contact["firstName"], contact["plan"]) == ("ada@example.com", "Ada", None)


def test_an_event_by_a_known_user_id_needs_no_email(client: Client, sandbox: Sandbox) -> None:
    """A known userId is enough for an event."""
    client.update(email="ada@example.com", userId="u1")
    assert client.send({"userId": "u1", "eventName": "login"}).status == 200
    assert sandbox.events.all()[0].email == "ada@example.com"


def test_an_event_by_an_unknown_user_id_is_refused(client: Client, sandbox: Sandbox) -> None:
    """An event with an unknown userId and no email is refused."""
    answer = client.send({"userId": "u1", "eventName": "login"})
    assert (answer.status, answer.json) == (400, {"success": False, "message": "Contact not found."})
    assert sandbox.events.all() == []


def test_an_event_for_two_contacts_is_refused(client: Client, sandbox: Sandbox) -> None:
    """An event with identifiers of two contacts is refused."""
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
    """A malformed event is refused, and creates no contact."""
    assert client.send(EVENT | change).status == 400
    assert (sandbox.events.all(), sandbox.contacts.all()) == ([], [])


def test_a_repeated_idempotency_key_is_answered_409_for_24_hours(
    client: Client, sandbox: Sandbox, clock: Clock
) -> None:
    """An idempotency key is processed once a day, whatever the event; after 24 hours it is new again."""
    assert client.send(EVENT, idempotency_key="k1").status == 200
    clock.now += DAY - 1
    repeat = client.send(EVENT | {"eventName": "other", "plan": "pro"}, idempotency_key="k1")
    assert (repeat.status, repeat.json["success"]) == (409, False)
    assert (len(sandbox.events.all()), sandbox.contacts.all()[0].properties) == (1, {})
    clock.now += 1
    assert client.send(EVENT, idempotency_key="k1").status == 200
    assert sandbox.events.processed("k1") == 2


def test_events_without_an_idempotency_key_are_all_processed(client: Client, sandbox: Sandbox) -> None:
    """Without an idempotency key no event counts as a repeat."""
    assert [client.send(EVENT).status for _ in range(3)] == [200] * 3
    assert [event.occurrence for event in sandbox.events.all()] == [1, 1, 1]
    assert sandbox.events.repeated() == {}


@pytest.mark.parametrize(("length", "status"), [(100, 200), (101, 400)])
def test_an_idempotency_key_has_at_most_100_characters(
    client: Client, sandbox: Sandbox, length: int, status: int
) -> None:
    """A longer idempotency key is refused, and nothing is sent."""
    assert client.send(EVENT, idempotency_key="k" * length).status == status
    assert len(sandbox.events.all()) == (status == 200)


def test_contact_endpoints_ignore_idempotency_keys(client: Client) -> None:
    """An idempotency key on a contact request has no effect, then or for a later event."""
    for _ in range(2):
        path = "/api/v1/contacts/update"
        assert client.call("PUT", path, {"email": "ada@example.com"}, Idempotency_Key="k1").status == 200
    assert client.send(EVENT, idempotency_key="k1").status == 200


@pytest.mark.parametrize(("used", "status"), [(False, 200), (True, 409)])
def test_a_refused_attempt_uses_its_idempotency_key_as_assumed(
    client: Client, sandbox: Sandbox, status: int, *, used: bool
) -> None:
    """After a 400 the idempotency key is unused by default, and used under the other assumption."""
    sandbox.assumptions = Assumptions(idempotency_key_after_refusal=used)
    assert client.send({"userId": "u1", "eventName": "login"}, idempotency_key="k1").status == 400
    client.update(email="ada@example.com", userId="u1")
    assert client.send({"userId": "u1", "eventName": "login"}, idempotency_key="k1").status == status


@pytest.mark.parametrize("processed", [False, True])
@pytest.mark.parametrize(
    ("assumed", "statuses"), [("processed", (200, 409)), ("always", (409, 409)), ("never", (200, 200))]
)
def test_a_failed_attempt_uses_its_idempotency_key_as_assumed(
    client: Client,
    sandbox: Sandbox,
    assumed: Literal["processed", "always", "never"],
    statuses: tuple[int, int],
    *,
    processed: bool,
) -> None:
    """After a 5xx the idempotency key is used if the event was processed, always, or never; repeats are counted."""
    sandbox.assumptions = Assumptions(idempotency_key_after_failure=assumed)
    sandbox.faults.add(Fault(kind="status", status=502, processed=processed))
    assert client.send(EVENT, idempotency_key="k1").status == 502
    assert client.send(EVENT, idempotency_key="k1").status == statuses[processed]
    assert sandbox.events.processed("k1") == processed + (statuses[processed] == 200)
    assert sandbox.events.repeated() == ({"k1": 2} if processed and assumed == "never" else {})


@pytest.mark.parametrize("status", [401, 429])
def test_an_attempt_that_was_not_admitted_uses_no_idempotency_key(
    client: Client, sandbox: Sandbox, status: int
) -> None:
    """A wrong API key or a rate limit uses up no idempotency key, under any assumption."""
    sandbox.assumptions = Assumptions(idempotency_key_after_refusal=True, idempotency_key_after_failure="always")
    sandbox.faults.add(Fault(kind="status", status=status))
    assert client.send(EVENT, idempotency_key="k1").status == status
    assert client.send(EVENT, idempotency_key="k1").status == 200


def test_a_request_without_the_api_key_uses_no_idempotency_key(client: Client, sandbox: Sandbox) -> None:
    """A request without the API key uses up no idempotency key, even under a fault."""
    sandbox.assumptions = Assumptions(idempotency_key_after_failure="always")
    sandbox.faults.add(Fault(kind="status", status=500))
    answer = client.call("POST", "/api/v1/events/send", EVENT, Idempotency_Key="k1", Authorization="Bearer other")
    assert answer.status == 500
    assert client.send(EVENT, idempotency_key="k1").status == 200


def test_a_concurrent_idempotency_key_is_processed_once(client: Client, sandbox: Sandbox) -> None:
    """Of concurrent attempts with one idempotency key exactly one is processed."""
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: client.send(EVENT, idempotency_key="k1").status, range(40)))
    assert sorted(statuses) == [200] + [409] * 39
    assert sandbox.events.processed("k1") == 1


def test_concurrent_updates_create_one_contact(client: Client, sandbox: Sandbox) -> None:
    """Concurrent updates of a new email create one contact with all their properties."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: client.update(email="ada@example.com", **{f"p{n}": n}), range(40)))
    assert [contact.properties for contact in sandbox.contacts.all()] == [{f"p{n}": n for n in range(40)}]


@pytest.mark.parametrize(("assumed", "status"), [("conflict", 409), ("success", 200)])
def test_a_repeated_event_is_answered_as_assumed(
    client: Client, sandbox: Sandbox, assumed: Literal["conflict", "success"], status: int
) -> None:
    """A used idempotency key is answered 409, or 200 to the same body; the event is processed once either way."""
    sandbox.assumptions = Assumptions(repeated_event=assumed)
    assert client.send(EVENT, idempotency_key="k1").status == 200
    assert client.send(EVENT, idempotency_key="k1").status == status
    assert client.send(EVENT | {"firstName": "Ada"}, idempotency_key="k1").status == 409
    assert len(sandbox.events.all()) == 1

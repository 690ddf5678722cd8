"""The sandbox's own endpoints, and access to them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.sandbox import Sandbox
    from tests.integration.sandbox.conftest import Client, Clock


EVENT = {"email": "ada@example.com", "eventName": "signup", "eventProperties": {"plan": "pro"}}


def test_the_journal_shows_requests_in_order(client: Client, clock: Clock) -> None:
    """Every request is shown with its time, content and response, and whether it took effect."""
    client.send(EVENT, idempotency_key="k1")
    clock.now += 2
    client.send(EVENT, idempotency_key="k1")
    client.call("PUT", "/api/v1/contacts/update", b"{broken")
    client.call("GET", "/api/v1/contacts/find?email=a@b.c", Authorization="")
    shown = client.call("GET", "/sandbox/requests").json
    assert shown[0] == {
        "number": 1,
        "time": clock.now - 2,
        "method": "POST",
        "path": "/api/v1/events/send",
        "query": "",
        "body": EVENT,
        "idempotencyKey": "k1",
        "status": 200,
        "response": {"success": True},
        "effect": True,
        "fault": None,
    }
    assert [each["number"] for each in shown] == [1, 2, 3, 4]
    assert [(each["status"], each["effect"]) for each in shown[1:]] == [(409, False), (400, False), (401, False)]
    assert [(each["query"], each["body"]) for each in shown[2:]] == [("", "{broken"), ("email=a@b.c", None)]


def test_the_api_key_is_never_shown(client: Client) -> None:
    """No request is shown with its authorization."""
    client.send(EVENT)
    assert b"a-key" not in client.call("GET", "/sandbox/requests").body


def test_contacts_are_shown_in_full(client: Client, clock: Clock) -> None:
    """Every contact is shown with its identifiers, properties, lists and times."""
    client.update(email="ada@example.com", userId="u1", plan="pro", mailingLists={"news": True})
    clock.now += 5
    client.update(userId="u1", subscribed=False)
    assert client.call("GET", "/sandbox/contacts").json == [
        {
            "id": "contact-1",
            "email": "ada@example.com",
            "userId": "u1",
            "subscribed": False,
            "properties": {"plan": "pro"},
            "lists": ["news"],
            "left": [],
            "suppressed": False,
            "created": clock.now - 5,
            "updated": clock.now,
        }
    ]


def test_events_are_shown_once_for_each_processing(client: Client, clock: Clock) -> None:
    """An idempotency key that was processed twice shows two events, of which the second is marked."""
    client.send(EVENT, idempotency_key="k1")
    clock.now += 25 * 3600
    client.send(EVENT, idempotency_key="k1")
    shown = client.call("GET", "/sandbox/events").json
    assert [(each["idempotencyKey"], each["occurrence"]) for each in shown] == [("k1", 1), ("k1", 2)]
    assert (shown[0]["name"], shown[0]["properties"], shown[0]["email"]) == (
        "signup",
        {"plan": "pro"},
        "ada@example.com",
    )


def test_faults_are_set_listed_and_cleared(client: Client) -> None:
    """A fault posted as JSON takes effect, is listed with its remaining calls, and ends when faults are deleted."""
    body = {"kind": "status", "status": 500, "times": 3, "path": "/send"}
    answer = client.call("POST", "/sandbox/faults", body)
    assert answer.status == 201
    assert client.send(EVENT).status == 500
    assert client.call("GET", "/sandbox/faults").json == [answer.json | {"times": 2}]
    assert client.call("DELETE", "/sandbox/faults").status == 200
    assert client.send(EVENT).status == 200


@pytest.mark.parametrize(
    "body", [{"kind": "explosion"}, {"kind": "reset", "times": 0}, {"kind": "reset", "time": 1}, []]
)
def test_a_malformed_fault_is_answered_400(client: Client, sandbox: Sandbox, body: Any) -> None:
    """An invalid fault is answered 400 with a message, and not added."""
    answer = client.call("POST", "/sandbox/faults", body)
    assert (answer.status, answer.json["success"]) == (400, False)
    assert answer.json["message"]
    assert sandbox.faults.all() == []


def test_reset_forgets_everything_but_the_settings(client: Client, sandbox: Sandbox) -> None:
    """A reset forgets contacts, properties, events, idempotency keys, requests and faults, but not the team."""
    client.send(EVENT | {"plan": "pro"}, idempotency_key="k1")
    sandbox.faults.add(Fault(kind="reset"))
    assert client.call("DELETE", "/sandbox").status == 200
    for path in ("contacts", "events", "requests", "faults"):
        assert client.call("GET", f"/sandbox/{path}").json == []
    assert client.send(EVENT, idempotency_key="k1").status == 200
    assert client.call("GET", "/api/v1/contacts/properties?list=custom").json == []
    assert len(client.call("GET", "/api/v1/lists").json) == 2


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST:4010", "127.0.0.1", "127.8.9.1:80", "[::1]:4010"])
def test_loopback_names_are_answered(client: Client, name: str) -> None:
    """The controls answer under the machine's loopback names and addresses, as Host and as Origin."""
    assert client.call("GET", "/sandbox/requests", Host=name).status == 200
    assert client.call("GET", "/sandbox/requests", Host=name, Origin=f"http://{name}").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example:4010"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "10.0.0.1"},
        {"Host": "[::1"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost@evil.example"},
        {"Origin": "null"},
        {"Host": "localhost:8788", "Origin": "http://localhost:3000"},
        {"Host": "127.0.0.1:8788", "Origin": "http://localhost:8788"},
        {"Host": "[::1]:8788", "Origin": "http://[::1]"},
        {"Host": "localhost:8788", "Origin": "http://[::1"},
        {"Host": "localhost", "Origin": "https://evil.example"},
        {"Host": "evil.example", "Origin": "http://localhost"},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/requests"), ("POST", "/faults"), ("DELETE", "/faults"), ("DELETE", "")]
)
def test_other_sites_are_denied(
    client: Client, sandbox: Sandbox, method: str, path: str, headers: dict[str, str]
) -> None:
    """A foreign Host or Origin, including another port of this machine, is answered 403 and changes nothing."""
    sandbox.faults.add(Fault(kind="reset", path="/nothing"))
    answer = client.call(method, f"/sandbox{path}", {"kind": "reset"}, **headers)
    assert (answer.status, answer.json["success"]) == (403, False)
    assert len(sandbox.faults.all()) == 1


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_of_another_page_sets_no_fault(client: Client, sandbox: Sandbox, content_type: str) -> None:
    """A body that is not declared as JSON, as forms cannot, is denied before it is read."""
    for path in ("/faults", "/contacts/leave"):
        answer = client.call("POST", f"/sandbox{path}", {"kind": "reset"}, Content_Type=content_type)
        assert (answer.status, answer.json["success"]) == (415, False)
    assert sandbox.faults.all() == []


def test_other_hosts_can_be_allowed(sandbox: Sandbox, serve: Callable[..., Client]) -> None:
    """The controls answer under a host name that was allowed, and under no other."""
    client = serve(sandbox, allowed_hosts=["sandbox.test"])
    headers = {"Host": "sandbox.test:4010", "Origin": "http://sandbox.test:4010"}
    assert client.call("GET", "/sandbox/requests", **headers).status == 200
    assert client.call("GET", "/sandbox/requests", Host="other.test").status == 403

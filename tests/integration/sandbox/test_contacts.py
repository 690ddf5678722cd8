"""Contacts: creation, matching, updates, search and deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from local.sandbox import Assumptions

if TYPE_CHECKING:
    from local.sandbox import Sandbox
    from tests.integration.sandbox.conftest import Client, Clock


def test_update_creates_an_unknown_contact_with_an_email(client: Client, sandbox: Sandbox, clock: Clock) -> None:
    """An unknown email creates a contact, whose id is in the response."""
    answer = client.update(email="ada@example.com", userId="u1", firstName="Ada")
    [contact] = sandbox.contacts.all()
    assert (answer.status, answer.json) == (200, {"success": True, "id": contact.id})
    assert (contact.email, contact.user_id, contact.properties) == ("ada@example.com", "u1", {"firstName": "Ada"})
    assert contact.created == contact.updated == clock.now


@pytest.mark.parametrize("identifier", [{"email": "ada@example.com"}, {"userId": "u1"}])
def test_update_matches_by_either_identifier(
    client: Client, sandbox: Sandbox, clock: Clock, identifier: dict[str, str]
) -> None:
    """A contact is found by its email or its userId, and only `updated` changes."""
    client.update(email="ada@example.com", userId="u1")
    clock.now += 60
    assert client.update(**identifier, plan="pro").status == 200
    [contact] = sandbox.contacts.all()
    assert contact.properties == {"plan": "pro"}
    assert contact.updated == contact.created + 60


@pytest.mark.parametrize(
    ("known", "given"),
    [
        ({"email": "ada@example.com"}, {"email": "ada@example.com", "userId": "u2"}),
        ({"email": "old@example.com", "userId": "u2"}, {"email": "ada@example.com", "userId": "u2"}),
        ({"email": "ada@example.com", "userId": "u1"}, {"email": "ada@example.com", "userId": "u2"}),
    ],
)
def test_update_writes_the_other_identifier(client: Client, known: dict[str, str], given: dict[str, str]) -> None:
    """The identifier that did not match is written to the contact, and replaces the old one."""
    client.update(**known)
    assert client.update(**given).status == 200
    assert [each["email"] for each in client.find(userId="u2")] == ["ada@example.com"]
    for name in known.keys() - {name for name in given if known.get(name) == given[name]}:
        assert client.find(**{name: known[name]}) == []


def test_identifiers_of_two_contacts_are_refused(client: Client, sandbox: Sandbox) -> None:
    """An email and a userId of two different contacts are refused, and change neither."""
    client.update(email="ada@example.com", userId="u1")
    client.update(email="bob@example.com", userId="u2")
    answer = client.update(email="ada@example.com", userId="u2", plan="pro")
    assert (answer.status, answer.json["success"]) == (400, False)
    assert answer.json["message"].startswith("Multiple contacts found")
    assert [contact.properties for contact in sandbox.contacts.all()] == [{}, {}]


def test_an_unknown_user_id_alone_creates_nothing(client: Client, sandbox: Sandbox) -> None:
    """A contact cannot be created without an email."""
    assert client.update(userId="u1").status == 400
    assert sandbox.contacts.all() == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"firstName": "Ada"},
        {"email": None, "userId": None},
        {"email": ""},
        {"email": "no address"},
        {"email": 7},
        {"userId": 7},
        {"email": "ada@example.com", "userId": ""},
        {"email": "ada@example.com", "subscribed": "yes"},
    ],
)
def test_malformed_identity_is_refused(client: Client, sandbox: Sandbox, body: dict[str, Any]) -> None:
    """A body without a valid identifier, or with a `subscribed` that is not a boolean, is refused."""
    assert client.update(**body).status == 400
    assert sandbox.contacts.all() == []


def test_null_clears_a_property_and_a_missing_one_is_kept(client: Client) -> None:
    """A null property is cleared; a missing one, and a missing userId, keep their values."""
    client.update(email="ada@example.com", userId="u1", firstName="Ada", lastName="Byron", plan="pro")
    client.update(email="ada@example.com", userId=None, firstName=None, plan=None)
    [contact] = client.find(email="ada@example.com")
    assert (contact["firstName"], contact["lastName"], contact["plan"]) == (None, "Byron", None)
    assert contact["userId"] == "u1"


def test_subscription_changes_only_when_it_is_given(client: Client) -> None:
    """A contact starts subscribed, stays unsubscribed through other updates, and is subscribed again by `true` only."""
    states = []
    for change in ({}, {"subscribed": False}, {"plan": "pro"}, {"subscribed": None}, {"subscribed": True}):
        client.update(email="ada@example.com", **change)
        states.append(client.find(email="ada@example.com")[0]["subscribed"])
    assert states == [True, False, False, False, True]


def test_find_shows_the_contact_as_loops_does(client: Client) -> None:
    """A contact is shown with every documented field and its custom properties."""
    client.update(email="ada@example.com", userId="u1", userGroup="Founders", source="Web", plan="pro", seats=3)
    [contact] = client.find(userId="u1")
    assert contact == {
        "id": "contact-1",
        "email": "ada@example.com",
        "firstName": None,
        "lastName": None,
        "source": "Web",
        "subscribed": True,
        "userGroup": "Founders",
        "userId": "u1",
        "mailingLists": {},
        "optInStatus": None,
        "plan": "pro",
        "seats": 3,
    }


def test_find_returns_an_empty_array_for_an_unknown_contact(client: Client) -> None:
    """An unknown identifier is answered with an empty array."""
    assert client.find(email="ada@example.com") == []


@pytest.mark.parametrize("query", ["", "?email=ada@example.com&userId=u1", "?email=nonsense"])
def test_find_requires_exactly_one_identifier(client: Client, query: str) -> None:
    """A search with both identifiers, with none, or with an invalid email is refused."""
    assert client.call("GET", f"/api/v1/contacts/find{query}").status == 400


def test_create_makes_a_contact(client: Client, sandbox: Sandbox) -> None:
    """A new email is created with all its properties."""
    answer = client.call("POST", "/api/v1/contacts/create", {"email": "ada@example.com", "firstName": "Ada"})
    assert (answer.status, answer.json) == (200, {"success": True, "id": sandbox.contacts.all()[0].id})
    assert client.find(email="ada@example.com")[0]["firstName"] == "Ada"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"email": "ada@example.com"}, 409),
        ({"email": "new@example.com", "userId": "u1"}, 409),
        ({"userId": "u9"}, 400),
    ],
)
def test_create_changes_no_existing_contact(
    client: Client, sandbox: Sandbox, body: dict[str, Any], status: int
) -> None:
    """A taken identifier is answered 409, a missing email 400, and no contact changes."""
    client.update(email="ada@example.com", userId="u1")
    assert client.call("POST", "/api/v1/contacts/create", body | {"plan": "pro"}).status == status
    assert [contact.properties for contact in sandbox.contacts.all()] == [{}]


@pytest.mark.parametrize("identifier", [{"email": "ada@example.com"}, {"userId": "u1"}])
def test_delete_forgets_the_contact(client: Client, sandbox: Sandbox, identifier: dict[str, str]) -> None:
    """A contact deleted by either identifier cannot be found, and a second deletion is answered 404."""
    client.update(email="ada@example.com", userId="u1")
    client.update(email="bob@example.com")
    assert client.call("POST", "/api/v1/contacts/delete", identifier).status == 200
    assert (client.find(email="ada@example.com"), client.find(userId="u1")) == ([], [])
    assert client.call("POST", "/api/v1/contacts/delete", identifier).status == 404
    assert [contact.email for contact in sandbox.contacts.all()] == ["bob@example.com"]


@pytest.mark.parametrize("body", [{}, {"email": "ada@example.com", "userId": "u1"}, {"userId": 7}])
def test_delete_requires_exactly_one_identifier(client: Client, sandbox: Sandbox, body: dict[str, Any]) -> None:
    """A deletion with both identifiers, with none, or with a number is refused."""
    client.update(email="ada@example.com", userId="u1")
    assert client.call("POST", "/api/v1/contacts/delete", body).status == 400
    assert len(sandbox.contacts.all()) == 1


@pytest.mark.parametrize(("assumed", "contacts"), [("distinguish", 2), ("lower", 1)])
def test_emails_in_another_case_follow_the_assumption(
    client: Client, sandbox: Sandbox, assumed: Literal["distinguish", "lower"], contacts: int
) -> None:
    """Emails that differ only in case belong to two contacts, or to one that is found by either."""
    sandbox.assumptions = Assumptions(email_case=assumed)
    client.update(email="ada@example.com", plan="free")
    client.update(email="Ada@Example.com", plan="pro")
    assert len(sandbox.contacts.all()) == contacts
    assert client.find(email="Ada@Example.com")[0]["plan"] == "pro"


def test_suppression_is_shown_as_loops_does(client: Client) -> None:
    """A contact is not suppressed until Loops suppresses it; an unknown contact is answered 404."""
    path = "/api/v1/contacts/suppression?email=ada@example.com"
    assert client.call("GET", path).status == 404
    client.update(email="ada@example.com", userId="u1")
    assert client.call("GET", path).json["isSuppressed"] is False
    assert client.call("POST", "/sandbox/contacts/suppress", {"email": "ada@example.com"}).status == 200
    assert client.call("GET", path).json == {
        "contact": {"id": "contact-1", "email": "ada@example.com", "userId": "u1"},
        "isSuppressed": True,
        "removalQuota": {"limit": 100, "remaining": 100},
    }

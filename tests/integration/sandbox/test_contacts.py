"""Contacts: created, matched, changed, found and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from local.sandbox import Sandbox
    from tests.integration.sandbox.conftest import Client, Clock


def test_update_creates_an_unknown_contact_with_an_email(client: Client, sandbox: Sandbox, clock: Clock) -> None:
    """An email that Loops does not know makes a contact, and its id is answered."""
    answer = client.update(email="ada@example.com", userId="u1", firstName="Ada")
    [contact] = sandbox.contacts.all()
    assert (answer.status, answer.json) == (200, {"success": True, "id": contact.id})
    assert (contact.email, contact.user_id, contact.properties) == ("ada@example.com", "u1", {"firstName": "Ada"})
    assert contact.created == contact.updated == clock.now


@pytest.mark.parametrize("identifier", [{"email": "ada@example.com"}, {"userId": "u1"}])
def test_update_matches_by_either_identifier(
    client: Client, sandbox: Sandbox, clock: Clock, identifier: dict[str, str]
) -> None:
    """A contact is found by its email as well as by its user id, and only its time of change moves."""
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
    """The identifier that did not match is written to the contact, and the old one finds it no more."""
    client.update(**known)
    assert client.update(**given).status == 200
    assert [each["email"] for each in client.find(userId="u2")] == ["ada@example.com"]
    for name in known.keys() - {name for name in given if known.get(name) == given[name]}:
        assert client.find(**{name: known[name]}) == []


def test_identifiers_of_two_contacts_are_refused(client: Client, sandbox: Sandbox) -> None:
    """An email and a user id of two different contacts change neither."""
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
    """Nothing is made of a body without a well-formed identifier, or with a subscription that is no boolean."""
    assert client.update(**body).status == 400
    assert sandbox.contacts.all() == []


def test_null_clears_and_a_missing_key_keeps(client: Client) -> None:
    """A property given as null is cleared; one that is not given keeps its value, and so does the user id."""
    client.update(email="ada@example.com", userId="u1", firstName="Ada", lastName="Byron", plan="pro")
    client.update(email="ada@example.com", userId=None, firstName=None, plan=None)
    [contact] = client.find(email="ada@example.com")
    assert (contact["firstName"], contact["lastName"], contact["plan"]) == (None, "Byron", None)
    assert contact["userId"] == "u1"


def test_subscription_changes_only_when_it_is_given(client: Client) -> None:
    """A contact starts subscribed, stays opted out through other updates, and is brought back by `true` alone."""
    states = []
    for change in ({}, {"subscribed": False}, {"plan": "pro"}, {"subscribed": None}, {"subscribed": True}):
        client.update(email="ada@example.com", **change)
        states.append(client.find(email="ada@example.com")[0]["subscribed"])
    assert states == [True, False, False, False, True]


def test_find_shows_the_contact_as_loops_does(client: Client) -> None:
    """What is found has every documented field, and the custom properties beside them."""
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


def test_find_gives_an_empty_array_for_a_stranger(client: Client) -> None:
    """Nobody is found by an identifier that Loops does not know."""
    assert client.find(email="ada@example.com") == []


@pytest.mark.parametrize("query", ["", "?email=ada@example.com&userId=u1", "?email=nonsense"])
def test_find_wants_exactly_one_identifier(client: Client, query: str) -> None:
    """A search by both identifiers, by none, or by what is no email is refused."""
    assert client.call("GET", f"/api/v1/contacts/find{query}").status == 400


def test_create_makes_a_contact(client: Client, sandbox: Sandbox) -> None:
    """A new email is created with all that comes with it."""
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
def test_create_changes_nobody(client: Client, sandbox: Sandbox, body: dict[str, Any], status: int) -> None:
    """An identifier that is taken answers 409, a missing email 400, and the audience stays as it was."""
    client.update(email="ada@example.com", userId="u1")
    assert client.call("POST", "/api/v1/contacts/create", body | {"plan": "pro"}).status == status
    assert [contact.properties for contact in sandbox.contacts.all()] == [{}]


@pytest.mark.parametrize("identifier", [{"email": "ada@example.com"}, {"userId": "u1"}])
def test_delete_forgets_the_contact(client: Client, sandbox: Sandbox, identifier: dict[str, str]) -> None:
    """A contact deleted by either identifier is found by neither, and a second deletion answers 404."""
    client.update(email="ada@example.com", userId="u1")
    client.update(email="bob@example.com")
    assert client.call("POST", "/api/v1/contacts/delete", identifier).status == 200
    assert (client.find(email="ada@example.com"), client.find(userId="u1")) == ([], [])
    assert client.call("POST", "/api/v1/contacts/delete", identifier).status == 404
    assert [contact.email for contact in sandbox.contacts.all()] == ["bob@example.com"]


@pytest.mark.parametrize("body", [{}, {"email": "ada@example.com", "userId": "u1"}, {"userId": 7}])
def test_delete_wants_exactly_one_identifier(client: Client, sandbox: Sandbox, body: dict[str, Any]) -> None:
    """A deletion by both identifiers, by none, or by a number is refused and deletes nobody."""
    client.update(email="ada@example.com", userId="u1")
    assert client.call("POST", "/api/v1/contacts/delete", body).status == 400
    assert len(sandbox.contacts.all()) == 1

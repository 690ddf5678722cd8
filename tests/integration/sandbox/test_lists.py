"""Mailing lists and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from local.sandbox import Assumptions

if TYPE_CHECKING:
    from local.sandbox import Sandbox
    from tests.integration.sandbox.conftest import Client


EMAIL = "ada@example.com"


def memberships(client: Client) -> Any:
    return client.find(email=EMAIL)[0]["mailingLists"]


def test_lists_are_shown_as_loops_does(client: Client) -> None:
    """Each list is shown with its id, name, description and visibility."""
    assert client.call("GET", "/api/v1/lists").json == [
        {"id": "news", "name": "News", "description": "", "isPublic": True},
        {"id": "tips", "name": "Tips", "description": "Weekly", "isPublic": False},
    ]


def test_a_contact_joins_and_leaves_lists(client: Client) -> None:
    """True adds to a list, false removes from it, and other lists do not change."""
    client.update(email=EMAIL, mailingLists={"news": True, "tips": True})
    assert memberships(client) == {"news": True, "tips": True}
    client.update(email=EMAIL, mailingLists={"news": False})
    assert memberships(client) == {"tips": True}
    assert client.update(email=EMAIL, mailingLists={}).status == 200
    assert memberships(client) == {"tips": True}
    client.update(email=EMAIL, mailingLists={"news": True})
    assert memberships(client) == {"news": True, "tips": True}


def test_an_event_adds_to_a_list_too(client: Client) -> None:
    """The mailing lists of an event are those of its contact."""
    assert client.send({"email": EMAIL, "eventName": "signup", "mailingLists": {"news": True}}).status == 200
    assert memberships(client) == {"news": True}


def test_an_unsubscribed_contact_is_not_added(client: Client) -> None:
    """An unsubscribed contact joins no list until a request subscribes it again."""
    client.update(email=EMAIL, subscribed=False)
    assert client.update(email=EMAIL, mailingLists={"news": True}).status == 200
    assert memberships(client) == {}
    client.update(email=EMAIL, subscribed=True, mailingLists={"news": True})
    assert memberships(client) == {"news": True}


def test_a_list_left_in_person_is_not_joined_again(client: Client) -> None:
    """The API cannot add a person to a list that they left, only to others."""
    client.update(email=EMAIL, mailingLists={"news": True})
    assert client.call("POST", "/sandbox/contacts/leave", {"email": EMAIL, "list": "news"}).status == 200
    assert client.update(email=EMAIL, mailingLists={"news": True, "tips": True}).status == 200
    assert memberships(client) == {"tips": True}


def test_a_person_can_opt_out_of_everything(client: Client, sandbox: Sandbox) -> None:
    """Leaving without a list unsubscribes; an unknown person cannot leave."""
    client.update(email=EMAIL)
    assert client.call("POST", "/sandbox/contacts/leave", {"email": EMAIL}).status == 200
    assert sandbox.contacts.all()[0].subscribed is False
    assert client.call("POST", "/sandbox/contacts/leave", {"email": "bob@example.com"}).status == 404


@pytest.mark.parametrize("lists", [["news"], "news", {"news": "yes"}, {"news": None}, 1])
def test_malformed_lists_are_refused(client: Client, sandbox: Sandbox, lists: Any) -> None:
    """`mailingLists` must be an object of booleans."""
    assert client.update(email=EMAIL, mailingLists=lists).status == 400
    assert sandbox.contacts.all() == []


@pytest.mark.parametrize(("assumed", "status"), [("ignore", 200), ("refuse", 400)])
def test_unknown_lists_follow_the_assumption(
    client: Client, sandbox: Sandbox, assumed: Literal["ignore", "refuse"], status: int
) -> None:
    """An unknown list is ignored or refused, and never joined."""
    sandbox.assumptions = Assumptions(unknown_lists=assumed)
    assert client.update(email=EMAIL, mailingLists={"other": True, "news": True}).status == status
    assert [contact.lists for contact in sandbox.contacts.all()] == [{"news"}] * (status == 200)

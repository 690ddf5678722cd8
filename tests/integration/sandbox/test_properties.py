"""Contact properties: names, values, dates and lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from local.sandbox import Assumptions

if TYPE_CHECKING:
    from local.sandbox import Sandbox
    from tests.integration.sandbox.conftest import Client


EMAIL = "ada@example.com"


@pytest.mark.parametrize("value", ["pro", "", 3, 2.5, True, False])
def test_plain_values_are_kept_as_they_are(client: Client, value: Any) -> None:
    """Texts, numbers and booleans are stored unchanged."""
    assert client.update(email=EMAIL, plan=value).status == 200
    kept = client.find(email=EMAIL)[0]["plan"]
    assert (type(kept), kept) == (type(value), value)


@pytest.mark.parametrize(("units", "status"), [(498, 200), (499, 400)])
@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600"])
def test_a_text_has_at_most_500_characters_with_its_quotes(
    client: Client, sandbox: Sandbox, letter: str, units: int, status: int
) -> None:
    """The longest text has 498 UTF-16 units; a longer one fails the whole request."""
    width = len(letter.encode("utf-16-le")) // 2
    text = letter * (units // width) + "." * (units % width)
    answer = client.update(email=EMAIL, firstName="Ada", bio=text)
    assert answer.status == status
    assert len(sandbox.contacts.all()) == (status == 200)
    assert status == 200 or answer.json["message"] == "Some body key or value is longer than allowable"


def test_a_name_has_the_same_limit(client: Client) -> None:
    """A name that is too long fails the request like a value."""
    assert client.update(email=EMAIL, **{"k" * 499: 1}).status == 400


def test_texts_in_event_properties_have_the_same_limit(client: Client) -> None:
    """A text in eventProperties that is too long fails the request."""
    event = {"email": EMAIL, "eventName": "signup", "eventProperties": {"bio": "x" * 499}}
    assert client.send(event).status == 400


@pytest.mark.parametrize("name", ["id", "listId", "softDeleteAt", "teamId", "updatedAt"])
def test_reserved_names_are_refused(client: Client, sandbox: Sandbox, name: str) -> None:
    """A reserved name fails an update, and cannot become a property."""
    assert client.update(email=EMAIL, **{name: "1"}).status == 400
    assert sandbox.contacts.all() == []
    assert client.call("POST", "/api/v1/contacts/properties", {"name": name, "type": "string"}).status == 400


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        (1_760_000_000_000, "2025-10-09T08:53:20.000Z"),
        ("1760000000000", "2025-10-09T08:53:20.000Z"),
        (1_760_000_000, "1970-01-21T08:53:20.000Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        ("2025-10-09", "2025-10-09T00:00:00.000Z"),
        ("2025-10-09T08:53", "2025-10-09T08:53:00.000Z"),
        ("2025-10-09 08:53:20", "2025-10-09T08:53:20.000Z"),
        ("2025-10-09T08:53:20.123Z", "2025-10-09T08:53:20.123Z"),
        ("2025-10-09T10:53:20+02:00", "2025-10-09T08:53:20.000Z"),
    ],
)
def test_dates_are_read_in_every_documented_form(client: Client, value: Any, instant: str) -> None:
    """A date can be in milliseconds or in the ISO forms; seconds give a date in 1970, as in Loops."""
    assert client.update(email=EMAIL, createdAt=value).status == 200
    assert client.find(email=EMAIL)[0]["createdAt"] == instant


@pytest.mark.parametrize(
    "value", ["yesterday", "", "2025-13-01", "2025-10-09T", "09/10/2025", "1e400", 1e300, 10**400, True]
)
def test_an_invalid_date_is_refused(client: Client, sandbox: Sandbox, value: Any) -> None:
    """A createdAt of no documented form fails the request."""
    assert client.update(email=EMAIL, createdAt=value).status == 400
    assert sandbox.contacts.all() == []


def test_a_custom_date_is_held_to_the_same_forms(client: Client) -> None:
    """A property created as a date accepts the same forms, and null clears it."""
    client.call("POST", "/api/v1/contacts/properties", {"name": "trialEnds", "type": "date"})
    assert client.update(email=EMAIL, trialEnds="soon").status == 400
    assert client.update(email=EMAIL, trialEnds="2025-10-09").status == 200
    assert client.find(email=EMAIL)[0]["trialEnds"] == "2025-10-09T00:00:00.000Z"
    assert client.update(email=EMAIL, trialEnds=None).status == 200
    assert client.find(email=EMAIL)[0]["trialEnds"] is None


def test_a_property_is_created_once(client: Client) -> None:
    """A new property is listed with its label; an existing name cannot be created again."""
    path = "/api/v1/contacts/properties"
    assert client.call("POST", path, {"name": "planName", "type": "string"}).json == {"success": True}
    assert client.call("GET", f"{path}?list=custom").json == [
        {"key": "planName", "label": "Plan name", "type": "string"}
    ]
    assert {"key": "createdAt", "label": "Created at", "type": "date"} in client.call("GET", path).json
    for name in ("planName", "email"):
        answer = client.call("POST", path, {"name": name, "type": "string"})
        assert (answer.status, answer.json["message"]) == (400, "Property already exists.")


@pytest.mark.parametrize("body", [{}, {"name": "", "type": "string"}, {"name": "plan"}, {"name": "plan", "type": []}])
def test_a_malformed_property_is_refused(client: Client, body: Any) -> None:
    """A property needs a name and one of Loops' types."""
    assert client.call("POST", "/api/v1/contacts/properties", body).status == 400


def test_unknown_properties_are_created_with_their_first_value(client: Client) -> None:
    """By default an unknown property is created with the type of its value; null creates none."""
    client.update(email=EMAIL, plan="pro", seats=3, paying=True, nothing=None)
    listed = client.call("GET", "/api/v1/contacts/properties?list=custom").json
    assert {each["key"]: each["type"] for each in listed} == {"plan": "string", "seats": "number", "paying": "boolean"}


def test_unknown_properties_can_be_dropped(client: Client, sandbox: Sandbox) -> None:
    """Under the other assumption only known properties are written."""
    sandbox.assumptions = Assumptions(unknown_properties="drop")
    client.call("POST", "/api/v1/contacts/properties", {"name": "seats", "type": "number"})
    assert client.update(email=EMAIL, plan="pro", seats=3, firstName="Ada").status == 200
    assert sandbox.contacts.all()[0].properties == {"seats": 3, "firstName": "Ada"}


def test_a_refused_request_creates_no_property(client: Client) -> None:
    """A request that fails creates no property."""
    assert client.update(userId="u1", plan="pro").status == 400
    assert client.call("GET", "/api/v1/contacts/properties?list=custom").json == []


@pytest.mark.parametrize("nested", [{"city": "London"}, ["a", "b"], {}, []])
@pytest.mark.parametrize(
    ("assumed", "status", "kept"), [("refuse", 400, []), ("drop", 200, [{}]), ("keep", 200, [{"cart"}])]
)
def test_nested_values_follow_the_assumption(
    client: Client, nested: Any, assumed: Literal["refuse", "drop", "keep"], status: int, kept: list[set[str]]
) -> None:
    """Objects and arrays are refused, dropped or kept, for contacts and for events."""
    sandbox = client.server.sandbox
    sandbox.assumptions = Assumptions(nested_values=assumed)
    assert client.update(email=EMAIL, cart=nested).status == status
    assert client.send({"email": EMAIL, "eventName": "signup", "eventProperties": {"cart": nested}}).status == status
    assert [contact.properties.keys() for contact in sandbox.contacts.all()] == [set(names) for names in kept]
    assert [event.properties.keys() for event in sandbox.events.all()] == [set(names) for names in kept]

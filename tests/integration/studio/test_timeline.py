"""The timeline of an event, the search among deliveries, and redrives with their results."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.local.conftest import Clock
from tests.integration.studio.conftest import ADAM, Client

TRACK = {"type": "track", "messageId": "m-2", "userId": "u-1", "event": "Signed Up", "properties": {"plan": "pro"}}
WRONG = {"type": "identify", "messageId": "m-3", "userId": "u-3", "traits": {"email": "nobody"}}


def rows(client: Client, query: str = "") -> list[Any]:
    found: list[Any] = client.api("GET", f"/deliveries{query}")["deliveries"]
    return found


def test_a_timeline_joins_everything_about_an_event(client: Client, clock: Clock) -> None:
    """The timeline has the event's deliveries, message on the RetryQueue, contact, and events that Loops processed."""
    client.segment(ADAM)
    client.segment(TRACK)
    shown = client.api("GET", "/timeline/message/m-2")
    assert (shown["eventName"], shown["userId"], len(shown["deliveries"])) == ("Signed Up", "u-1", 1)
    assert shown["contact"]["email"] == "adam@loops.so"
    assert [each["name"] for each in shown["loopsEvents"]] == ["Signed Up"]
    client.api("POST", "/faults", {"kind": "status", "status": 500})
    client.segment(TRACK | {"messageId": "m-4"})
    (waiting,) = client.api("GET", "/timeline/message/m-4")["waiting"]
    assert waiting["nextAt"] > clock.time()


def test_a_timeline_shows_a_redrive_and_its_result(client: Client, clock: Clock) -> None:
    """The timeline of a dead letter has the redrive and, after the attempt, its outcome."""
    client.segment(WRONG)
    clock.sleep(1)
    (letter,) = client.api("GET", "/timeline/message/m-3")["deadLetters"]
    client.api("POST", "/queues/redrive", {"ids": [letter["id"]]})
    (redrive,) = client.api("GET", "/timeline/message/m-3")["redrives"]
    assert (redrive["result"], redrive["outcome"]) == ("redriven", None)
    clock.sleep(1)
    client.stack.redeliver()
    (redrive,) = client.api("GET", "/timeline/message/m-3")["redrives"]
    assert (redrive["outcome"], redrive["reason"], redrive["detail"]) == (
        "rejected",
        "invalid-payload",
        "email: must be an email address",
    )


def test_an_event_without_a_message_id_has_a_timeline(client: Client) -> None:
    """The timeline of a delivery without a messageId has this delivery and its dead letter alone."""
    unnamed = {key: value for key, value in WRONG.items() if key != "messageId"}
    client.segment(unnamed)
    client.segment(unnamed | {"userId": "another"})
    shown = client.api("GET", "/timeline/delivery/1")
    assert [each["id"] for each in shown["deliveries"]] == [1]
    assert len(shown["deadLetters"]) == 1


@pytest.mark.parametrize("path", ["/timeline/message/unknown", "/timeline/delivery/99"])
def test_an_unknown_event_is_not_found(client: Client, path: str) -> None:
    """An event of which nothing is known is answered 404."""
    assert client.call("GET", f"/studio/api{path}").status == 404


def test_a_filtered_delivery_explains_every_subscription(client: Client) -> None:
    """A filtered delivery has each subscription's conditions with what the event has, and which its URL does not run."""
    client.segment(TRACK, path="/contacts")
    (shown,) = client.deliveries()
    assert [(each["subscription"], each["matches"], each["isRun"]) for each in shown["explanations"]] == [
        ("create-or-update-a-contact", False, True),
        ("send-an-event", True, False),
        ("delete-a-contact", False, False),
    ]
    assert shown["explanations"][0]["conditions"] == [
        {"condition": 'type = "identify"', "held": False, "decided": True, "value": "track"}
    ]


def test_an_explanation_is_that_of_the_arrival(client: Client) -> None:
    """A later change of the trigger does not change why an event was filtered."""
    client.segment({"type": "page", "messageId": "m-5"})
    read = client.api("GET", "/mappings")
    read["drafts"][0]["trigger"] = 'type = "page"'
    client.call("PUT", "/studio/api/mappings", {"drafts": read["drafts"], "revision": read["revision"]})
    (shown,) = client.deliveries()
    assert shown["explanations"][0]["conditions"][0]["condition"] == 'type = "identify"'


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?q=signed", ["Signed Up"]),
        ("?q=ADAM@loops", [None]),
        ("?q=invalid-payload", [None]),
        ("?q=create+or+update", [None, None]),
        ("?q=m-2", ["Signed Up"]),
        ("?outcome=rejected", [None]),
        ("?q=nothing", []),
        ("?newest=1", [None]),
    ],
)
def test_deliveries_are_found(client: Client, query: str, names: list[str | None]) -> None:
    """Deliveries are found by event, email, reason, subscription, messageId and outcome; newer ones are left out."""
    for event in (ADAM, TRACK, WRONG):
        client.segment(event)
    assert [each["eventName"] for each in rows(client, query)] == names


def test_counts_are_those_of_the_search(client: Client) -> None:
    """The outcomes are counted among the deliveries that were searched for, whatever outcome is chosen."""
    for event in (ADAM, TRACK, WRONG):
        client.segment(event)
    shown = client.api("GET", "/deliveries?q=u-1&outcome=rejected")
    assert (shown["counts"], shown["deliveries"]) == ({"delivered": 2}, [])


def test_a_version_changes_with_its_resource_alone(client: Client, clock: Clock) -> None:
    """Each version changes when its resource does, and stays the same otherwise."""

    def changed(action: Any) -> set[str]:
        before = client.api("GET", "/status")["versions"]
        action()
        after = client.api("GET", "/status")["versions"]
        return {name for name in after if before[name] != after[name]}

    assert changed(lambda: clock.sleep(60)) == set()
    assert changed(lambda: client.segment({"type": "page"})) == {"deliveries"}
    assert changed(lambda: client.segment(ADAM)) == {"deliveries", "contacts"}
    assert changed(lambda: client.segment(WRONG)) == {"deliveries", "queues"}
    assert changed(lambda: client.stack.mappings.write_text('{"subscriptions": []}')) == {"mappings"}


def test_an_event_that_was_never_sent_has_no_attempt(client: Client) -> None:
    """An event that was too old on arrival has no attempt, because no request was sent."""
    client.segment(TRACK | {"timestamp": "2020-01-01T00:00:00Z"})
    (shown,) = client.deliveries()
    assert (shown["reason"], shown["attempts"]) == ("too-old", 0)


def test_the_responses_after_a_fix_are_shown(client: Client, clock: Clock) -> None:
    """A delivery that is redriven under a corrected mapping shows the new request and Loops' response to it."""
    client.segment(WRONG)
    read = client.api("GET", "/mappings")
    read["drafts"][0]["mapping"] = '{"userId": {"@path": "$.userId"}, "email": "fixed@example.com"}'
    client.call("PUT", "/studio/api/mappings", {"drafts": read["drafts"], "revision": read["revision"]})
    (letter,) = client.api("GET", "/queues")["deadLetters"]
    client.api("POST", "/queues/redrive", {"ids": [letter["id"]]})
    clock.sleep(1)
    client.stack.redeliver()
    (shown,) = client.deliveries()
    assert (shown["outcome"], shown["attempts"]) == ("delivered", 1)
    assert shown["preview"]["request"]["body"]["email"] == "fixed@example.com"
    assert [call["status"] for call in shown["calls"]] == [200]


def test_dead_letters_are_redriven_and_dropped_by_reason(client: Client) -> None:
    """All dead letters of a reason are redriven or dropped, on all pages, and no others."""
    for number in range(30):
        client.segment(WRONG | {"messageId": f"m-{number}"})
    client.segment({"json": 5})
    shown = client.api("GET", "/queues?reason=invalid-payload&page=2")
    assert (shown["reasons"], len(shown["deadLetters"])) == ({"invalid-payload": 30, "not-an-event": 1}, 5)
    redrives = client.api("POST", "/queues/redrive", {"reason": "invalid-payload"})["redrives"]
    assert [each["result"] for each in redrives] == ["redriven"] * 30
    client.stack.redeliver()
    assert client.api("POST", "/queues/drop", {"reason": "invalid-payload"}) == {"dropped": 30}
    assert client.api("GET", "/queues")["reasons"] == {"not-an-event": 1}


def test_a_test_event_leaves_no_dead_letter(client: Client) -> None:
    """The dead letter of a rejected test event is dropped, and all others stay."""
    client.segment(WRONG)
    sent = client.api("POST", "/send", {"event": '{"type":"identify","userId":"u","traits":{"email":"nobody"}}'})
    assert (sent["status"], sent["dropped"]) == (400, 1)
    assert [each["messageId"] for each in client.api("GET", "/queues")["deadLetters"]] == ["m-3"]


def test_a_repeated_fault_replaces_the_first(client: Client) -> None:
    """A fault that differs from another only in the number of calls takes its place."""
    for times in (1, 3):
        client.api("POST", "/faults", {"kind": "status", "status": 500, "times": times})
    client.api("POST", "/faults", {"kind": "reset"})
    faults = client.api("GET", "/status")["faults"]
    assert [(each["kind"], each["times"]) for each in faults] == [("status", 3), ("reset", 1)]


def test_a_contact_shows_since_when_each_value_is_true(client: Client) -> None:
    """A contact's page has the time and the event of each property that the contact ledger knows."""
    message_id = "00000000-0000-4000-8000-000000000001"
    client.segment(ADAM | {"messageId": message_id})
    (contact,) = client.api("GET", "/contacts")["contacts"]
    shown = client.api("GET", f"/contacts/{contact['id']}")
    known = {each["name"]: each for each in shown["known"]["properties"]}
    assert shown["contact"] == contact
    assert known.keys() >= {"email", *contact["properties"]}
    assert {each["messageId"] for each in known.values()} == {message_id}
    assert all(each["confirmedAt"] for each in known.values())
    assert client.call("GET", "/studio/api/contacts/nobody").status == 404


def test_an_event_is_found_by_its_idempotency_key(client: Client) -> None:
    """The ledger names an event by its idempotency key if Segment did not generate its messageId; that finds its timeline."""
    client.segment(ADAM)
    (contact,) = client.api("GET", "/contacts")["contacts"]
    (known,) = {each["messageId"] for each in client.api("GET", f"/contacts/{contact['id']}")["known"]["properties"]}
    (delivery,) = client.api("GET", f"/timeline/message/{known}")["deliveries"]
    assert delivery["messageId"] == ADAM["messageId"]

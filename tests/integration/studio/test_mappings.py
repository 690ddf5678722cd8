"""The mappings file: read, checked, previewed and saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loops_destination.subscriptions import load_subscriptions
from tests.integration.studio.conftest import ADAM, Client


def preview(client: Client, drafts: list[Any], event: Any = ADAM) -> Any:
    text = event if isinstance(event, str) else json.dumps(event)
    return client.api("POST", "/preview", {"drafts": drafts, "event": text})


def save(client: Client, drafts: list[Any], revision: str | None = None) -> Any:
    known = client.api("GET", "/mappings")["revision"]
    return client.call("PUT", "/studio/api/mappings", {"drafts": drafts, "revision": revision or known})


def test_saving_unchanged_drafts_changes_nothing(client: Client, mappings: Path) -> None:
    """Saving unchanged drafts leaves the project's file byte for byte the same."""
    before = mappings.read_bytes()
    assert save(client, client.drafts()).status == 200
    assert mappings.read_bytes() == before


def test_the_samples_are_offered(client: Client) -> None:
    """Each event in each file in events/ is offered as a sample."""
    samples = {each["name"]: json.loads(each["event"]) for each in client.api("GET", "/mappings")["samples"]}
    assert samples["identify"]["traits"]["email"] == "adam@loops.so"
    assert samples["batch, event 2"]["event"] == "Trial Started"
    assert samples["sqs-retry"]["userId"] == "test-user-c"


def test_a_preview_shows_conditions_payload_and_request(client: Client) -> None:
    """A preview shows each subscription's conditions and, if it matches, the payload and the exact request."""
    shown = preview(client, client.drafts())
    assert (shown["problems"], shown["event"]) == ([], None)
    contact, event, deletion = shown["previews"]
    assert contact["mapped"]["email"] == "adam@loops.so"
    assert contact["request"]["method"] == "PUT"
    assert contact["request"]["body"] == {
        "email": "adam@loops.so", "mailingLists": {}, "source": "Segment", "userId": "u-1",
    }  # fmt: skip
    assert contact["request"]["headers"]["Authorization"] == "Bearer (API key)"
    assert (event["matches"], deletion["matches"]) == (False, False)
    assert event["conditions"] == [{"condition": 'type = "track"', "held": False, "decided": True, "value": "identify"}]


def test_an_invalid_payload_is_rejected_in_the_preview(client: Client) -> None:
    """A preview of an invalid payload shows the outcome and the reason, and no request."""
    shown = preview(client, client.drafts(), ADAM | {"traits": {"email": "nobody"}})["previews"][0]
    assert (shown["outcome"], shown["reason"]) == ("rejected", "invalid-payload")
    assert "request" not in shown


@pytest.mark.parametrize(
    ("mapping", "line", "message"),
    [
        ('{\n  "email": {\n    "@pth": 1\n  }\n}', 2, "email: unknown directive @pth"),
        ('{\n  "userId": "u",\n  "email": { "@if": {\n    "exists": 1,\n    "els": { "@no": 1 } } }\n}', 5, "@no"),
        ('{\n  "a": [\n    "x",\n    { "@path": 5 }\n  ]\n}', 4, "a/1/@path: must be"),
        ('{\n  "userId": "u",\n}', 3, "not JSON"),
        ("", 1, "it is empty"),
        ('{"a/b": { "@path": 1 }}', 1, "a/b"),
        ('{\n  "a": "}{\\"]",\n  "b": { "@path": 1 }\n}', 3, "b/@path"),
        ("[]", 1, "must be an object"),
        ('{"a": 1, "a": 2}', None, 'the key "a" more than once'),
        ('{"a": NaN}', None, "NaN is not a JSON value"),
        ("[" * 100_000, None, "nested too deeply"),
        (f'{{"a": {"9" * 5000}}}', None, "too long"),
    ],
)
def test_a_problem_in_a_mapping_has_its_line(client: Client, mapping: str, line: int | None, message: str) -> None:
    """Each problem of a mapping is reported with its line in the text."""
    drafts = client.drafts()
    drafts[0]["mapping"] = mapping
    shown = [each for each in preview(client, drafts)["problems"] if message in each["message"]]
    assert [(each["draft"], each["part"], each["line"]) for each in shown] == [(0, "mapping", line)]


def test_a_probable_mistake_is_a_warning(client: Client) -> None:
    """A valid draft with a probable mistake has a warning at its line, and can be saved; the event on the page counts."""
    drafts = client.drafts()
    assert preview(client, drafts)["warnings"] == []
    drafts[1]["mapping"] = '{\n  "userId": "u",\n  "eventName": { "@path": "$.evnt" }\n}'
    shown = preview(client, drafts)
    assert shown["problems"] == []
    (warning,) = shown["warnings"]
    assert (warning["draft"], warning["part"], warning["line"]) == (1, "mapping", 3)
    assert "Did you mean $.event?" in warning["message"]
    assert preview(client, drafts, ADAM | {"type": "track", "evnt": "x"})["warnings"] == []
    assert save(client, drafts).status == 200


def test_problems_of_one_subscription_do_not_affect_the_others(client: Client) -> None:
    """While some drafts have problems, which are all reported, the others are previewed."""
    drafts = client.drafts()
    drafts[0] |= {"trigger": "type =", "mapping": "{"}
    drafts[1]["action"] = "nothing"
    shown = preview(client, drafts)
    assert [(each["draft"], each["part"]) for each in shown["problems"]] == [
        (0, "mapping"), (0, "trigger"), (1, "action"),
    ]  # fmt: skip
    assert shown["previews"][:2] == [None, None]
    assert shown["previews"][2]["matches"] is False


def test_too_many_subscriptions_are_a_problem(client: Client) -> None:
    """A problem of all subscriptions together belongs to no single draft."""
    drafts = client.drafts()
    drafts += [drafts[1] | {"origin": None, "name": f"New {number}"} for number in range(50)]
    (problem,) = preview(client, drafts)["problems"]
    assert (problem["draft"], problem["message"]) == (None, "has 53 subscriptions; at most 50 are allowed")


def test_renaming_keeps_the_id(client: Client, mappings: Path) -> None:
    """A renamed subscription keeps its id, and so stays the same one for Loops."""
    before = [each.id for each in load_subscriptions(mappings.read_bytes())]
    drafts = client.drafts()
    assert [draft["id"] for draft in drafts] == before
    drafts[1]["name"] = drafts[0]["name"] = "Renamed"
    assert save(client, drafts).status == 200
    saved = load_subscriptions(mappings.read_bytes())
    assert [each.id for each in saved] == before
    assert [each.name for each in saved] == ["Renamed", "Renamed", "Delete a contact"]


def test_a_subscription_without_an_id_gets_what_identified_it(client: Client, mappings: Path) -> None:
    """A subscription without an id is saved with its old name or action as its id, so that no event is sent again."""
    mappings.write_text(json.dumps([{"name": "Welcome", "action": "sendEvent"}, {"action": "createOrUpdateContact"}]))
    drafts = client.drafts()
    drafts[0]["name"] = "Welcome back"
    drafts[1]["name"] = "Contacts"
    assert save(client, drafts).status == 200
    definitions = json.loads(mappings.read_bytes())
    assert [list(each)[:2] for each in definitions] == [["id", "name"], ["id", "action"]]
    assert [(each["id"], each["name"]) for each in definitions] == [
        ("Welcome", "Welcome back"), ("createOrUpdateContact", "Contacts"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "id_"),
    [("Send an event!", "send-an-event-2"), ("Österreich", "österreich"), ("🎉", "subscription"), ("", "sendevent")],
)
def test_a_new_subscription_gets_an_id(client: Client, mappings: Path, name: str, id_: str) -> None:
    """The id of a new subscription is derived from its name and unique, even among subscriptions deleted at the same time."""
    drafts = client.drafts()
    new = drafts[1] | {"origin": None, "id": None, "name": name}
    assert save(client, [drafts[0], new, new]).status == 200
    assert [each.id for each in load_subscriptions(mappings.read_bytes())][1] == id_
    assert len({each.id for each in load_subscriptions(mappings.read_bytes())}) == 3


@pytest.mark.parametrize("event", ["", "{", "5", '[{"type":"page"},{"type":"page"}]'])
def test_text_that_is_not_an_event_is_a_problem(client: Client, event: str) -> None:
    """Text that is not one event is reported as a problem, and nothing is previewed."""
    shown = preview(client, client.drafts(), event)
    assert shown["event"]
    assert shown["previews"] == [None, None, None]


def test_a_saved_mapping_is_used_from_the_next_event_on(client: Client, mappings: Path) -> None:
    """A saved file is readable, and warm functions use it for the next event."""
    assert client.segment(ADAM) == 200
    drafts = client.drafts()
    drafts[0]["mapping"] = '{"userId":{"@path":"$.userId"},"email":{"@path":"$.traits.email"},"firstName":"Nobody"}'
    assert save(client, drafts).status == 200
    assert '\n        "firstName": "Nobody"\n' in mappings.read_text()
    assert client.segment(ADAM | {"messageId": "m-2"}) == 200
    (contact,) = client.api("GET", "/contacts")["contacts"]
    assert contact["properties"]["firstName"] == "Nobody"


def test_drafts_with_problems_are_not_saved(client: Client, mappings: Path) -> None:
    """If any draft has a problem, the problems are reported and the file stays unchanged."""
    before = mappings.read_bytes()
    drafts = client.drafts()
    drafts[2]["trigger"] = "nonsense"
    answer = save(client, drafts)
    assert (answer.status, answer.json["problems"][0]["draft"]) == (422, 2)
    assert mappings.read_bytes() == before
    assert list(mappings.parent.iterdir()) == [mappings]


def test_a_file_changed_meanwhile_is_not_overwritten(client: Client, mappings: Path) -> None:
    """A file that has changed since the page read it is not overwritten, and the answer is 409."""
    read = client.api("GET", "/mappings")
    mappings.write_text('{"subscriptions": []}')
    assert save(client, read["drafts"], read["revision"]).status == 409
    assert mappings.read_text() == '{"subscriptions": []}'


def test_an_export_of_segment_keeps_its_shape(client: Client, mappings: Path) -> None:
    """Saving an export of Segment keeps the keys that the page does not show, and leaves defaults unwritten."""
    exported = {
        "id": "s-1",
        "actionId": "a",
        "actionSlug": "createOrUpdateContact",
        "name": "Contacts",
        "enabled": True,
    }
    other = exported | {"id": "s-2", "name": "Others", "trigger": 'type = "identify"', "settings": {"userId": "u"}}
    document = {"data": {"subscriptions": [exported, other]}}
    mappings.write_text(json.dumps(document))
    drafts = client.drafts()
    assert drafts[0]["trigger"] == 'type = "identify"'
    drafts[1]["mapping"] = '{"userId": "v"}'
    assert save(client, drafts).status == 200
    other["settings"] = {"userId": "v"}
    assert json.loads(mappings.read_bytes()) == document


def test_subscriptions_are_added_and_deleted(client: Client, mappings: Path) -> None:
    """The saved file contains exactly the drafts, in their order."""
    drafts = client.drafts()
    new = drafts[1] | {"origin": None, "name": "New"}
    assert save(client, [new, drafts[2]]).status == 200
    assert [each.id for each in load_subscriptions(mappings.read_bytes())] == ["new", "delete-a-contact"]


def test_an_invalid_file_is_shown_with_its_problem(client: Client, mappings: Path) -> None:
    """An invalid file is answered with its problem and without drafts."""
    mappings.write_text('{"subscriptions": [5]}')
    shown = client.api("GET", "/mappings")
    assert shown["drafts"] == []
    assert "/subscriptions/0" in shown["problem"]

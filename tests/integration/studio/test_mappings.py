"""The mappings file: read, checked, previewed and written."""

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


def test_saving_what_was_read_changes_nothing(client: Client, mappings: Path) -> None:
    """Saved as it was read, the project's own file stays byte for byte what it was."""
    before = mappings.read_bytes()
    assert save(client, client.drafts()).status == 200
    assert mappings.read_bytes() == before


def test_the_samples_are_there(client: Client) -> None:
    """Each event of each file in events/ can be taken."""
    samples = {each["name"]: json.loads(each["event"]) for each in client.api("GET", "/mappings")["samples"]}
    assert samples["identify"]["traits"]["email"] == "adam@loops.so"
    assert samples["batch, event 2"]["event"] == "Trial Started"
    assert samples["sqs-retry"]["userId"] == "test-user-c"


def test_a_preview_tells_condition_payload_and_request(client: Client) -> None:
    """Of each subscription it is told what its conditions came to, and of one that matches the exact request."""
    told = preview(client, client.drafts())
    assert (told["problems"], told["event"]) == ([], None)
    contact, event, deletion = told["previews"]
    assert contact["mapped"]["email"] == "adam@loops.so"
    assert contact["request"]["method"] == "PUT"
    assert contact["request"]["body"] == {
        "email": "adam@loops.so", "mailingLists": {}, "source": "Segment", "userId": "u-1",
    }  # fmt: skip
    assert contact["request"]["headers"]["Authorization"] == "Bearer (API key)"
    assert (event["matches"], deletion["matches"]) == (False, False)
    assert event["conditions"] == [{"condition": 'type = "track"', "held": False, "decided": True}]


def test_an_invalid_payload_is_told(client: Client) -> None:
    """A payload that Loops would never be asked with shows its reason."""
    told = preview(client, client.drafts(), ADAM | {"traits": {"email": "nobody"}})["previews"][0]
    assert (told["outcome"], told["reason"]) == ("rejected", "invalid-payload")
    assert "request" not in told


@pytest.mark.parametrize(
    ("mapping", "line", "message"),
    [
        ('{\n  "email": {\n    "@pth": 1\n  }\n}', 2, "email: there is no directive @pth"),
        ('{\n  "userId": "u",\n  "email": { "@if": {\n    "exists": 1,\n    "els": { "@no": 1 } } }\n}', 5, "@no"),
        ('{\n  "a": [\n    "x",\n    { "@path": 5 }\n  ]\n}', 4, "a/1/@path: must be"),
        ('{\n  "userId": "u",\n}', 3, "this is not JSON"),
        ("", 1, "nothing is here"),
        ('{"a/b": { "@path": 1 }}', 1, "a/b"),
        ('{\n  "a": "}{\\"]",\n  "b": { "@path": 1 }\n}', 3, "b/@path"),
        ("[]", 1, "must be an object"),
        ('{"a": 1, "a": 2}', None, 'the key "a" more than once'),
        ('{"a": NaN}', None, "NaN is no JSON value"),
        ("[" * 100_000, None, "nested too deeply"),
        (f'{{"a": {"9" * 5000}}}', None, "too long"),
    ],
)
def test_a_fault_in_a_mapping_has_its_line(client: Client, mapping: str, line: int | None, message: str) -> None:
    """Each problem of a mapping is told at its line of the text, as it stands there."""
    drafts = client.drafts()
    drafts[0]["mapping"] = mapping
    told = [each for each in preview(client, drafts)["problems"] if message in each["message"]]
    assert [(each["draft"], each["part"], each["line"]) for each in told] == [(0, "mapping", line)]


def test_faults_of_one_subscription_leave_the_others_alone(client: Client) -> None:
    """While one is faulty the others are previewed, and all problems are told at once."""
    drafts = client.drafts()
    drafts[0] |= {"trigger": "type =", "mapping": "{"}
    drafts[1]["action"] = "nothing"
    told = preview(client, drafts)
    assert [(each["draft"], each["part"]) for each in told["problems"]] == [
        (0, "mapping"), (0, "trigger"), (1, "action"),
    ]  # fmt: skip
    assert told["previews"][:2] == [None, None]
    assert told["previews"][2]["matches"] is False


def test_too_many_subscriptions_are_a_fault(client: Client) -> None:
    """What only shows when all subscriptions are seen together is told of all of them."""
    drafts = client.drafts()
    drafts += [drafts[1] | {"origin": None, "name": f"New {number}"} for number in range(50)]
    (problem,) = preview(client, drafts)["problems"]
    assert (problem["draft"], problem["message"]) == (None, "has 53 subscriptions; at most 50 are allowed")


def test_renaming_keeps_the_id(client: Client, mappings: Path) -> None:
    """A subscription that was renamed is saved under its id, so it stays the same one to Loops."""
    before = [each.id for each in load_subscriptions(mappings.read_bytes())]
    drafts = client.drafts()
    assert [draft["id"] for draft in drafts] == before
    drafts[1]["name"] = drafts[0]["name"] = "Renamed"
    assert save(client, drafts).status == 200
    saved = load_subscriptions(mappings.read_bytes())
    assert [each.id for each in saved] == before
    assert [each.name for each in saved] == ["Renamed", "Renamed", "Delete a contact"]


def test_a_subscription_without_an_id_gets_what_identified_it(client: Client, mappings: Path) -> None:
    """Renamed, a subscription of a file without ids is saved under its old name as its id: no event is sent again."""
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
    """The id of a new subscription follows from its name, and is no other's, also not one's that is deleted just now."""
    drafts = client.drafts()
    new = drafts[1] | {"origin": None, "id": None, "name": name}
    assert save(client, [drafts[0], new, new]).status == 200
    assert [each.id for each in load_subscriptions(mappings.read_bytes())][1] == id_
    assert len({each.id for each in load_subscriptions(mappings.read_bytes())}) == 3


@pytest.mark.parametrize("event", ["", "{", "5", '[{"type":"page"},{"type":"page"}]'])
def test_what_is_no_event_is_told(client: Client, event: str) -> None:
    """Faulty event text is told of, and maps to nothing."""
    told = preview(client, client.drafts(), event)
    assert told["event"]
    assert told["previews"] == [None, None, None]


def test_a_saved_mapping_is_used_from_the_next_event_on(client: Client, mappings: Path) -> None:
    """A valid file is written for people to read, and warm functions take it up."""
    assert client.segment(ADAM) == 200
    drafts = client.drafts()
    drafts[0]["mapping"] = '{"userId":{"@path":"$.userId"},"email":{"@path":"$.traits.email"},"firstName":"Nobody"}'
    assert save(client, drafts).status == 200
    assert '\n        "firstName": "Nobody"\n' in mappings.read_text()
    assert client.segment(ADAM | {"messageId": "m-2"}) == 200
    (contact,) = client.api("GET", "/audience")["contacts"]
    assert contact["properties"]["firstName"] == "Nobody"


def test_a_faulty_mapping_is_not_saved(client: Client, mappings: Path) -> None:
    """With any problem the file stays as it is, and the problems are told."""
    before = mappings.read_bytes()
    drafts = client.drafts()
    drafts[2]["trigger"] = "nonsense"
    answer = save(client, drafts)
    assert (answer.status, answer.json["problems"][0]["draft"]) == (422, 2)
    assert mappings.read_bytes() == before
    assert list(mappings.parent.iterdir()) == [mappings]


def test_what_an_editor_wrote_meanwhile_is_kept(client: Client, mappings: Path) -> None:
    """A file that has changed since it was read is not overwritten."""
    read = client.api("GET", "/mappings")
    mappings.write_text('{"subscriptions": []}')
    assert save(client, read["drafts"], read["revision"]).status == 409
    assert mappings.read_text() == '{"subscriptions": []}'


def test_a_file_of_segment_keeps_its_shape(client: Client, mappings: Path) -> None:
    """Of Segment's own answer all that the page does not show is kept, and the defaults stay unwritten."""
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


def test_subscriptions_are_added_and_taken_away(client: Client, mappings: Path) -> None:
    """The file holds the drafts in their order, whatever was there before."""
    drafts = client.drafts()
    new = drafts[1] | {"origin": None, "name": "New"}
    assert save(client, [new, drafts[2]]).status == 200
    assert [each.id for each in load_subscriptions(mappings.read_bytes())] == ["new", "delete-a-contact"]


def test_a_file_that_must_be_mended_is_told(client: Client, mappings: Path) -> None:
    """A file that another program broke is shown with its problem instead of its subscriptions."""
    mappings.write_text('{"subscriptions": [5]}')
    told = client.api("GET", "/mappings")
    assert told["drafts"] == []
    assert "/subscriptions/0" in told["fault"]

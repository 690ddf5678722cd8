"""Mappings edited without JSON: the form, suggestions, the difference to the file, and imports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.studio.conftest import ADAM, Client

MIXED = 'type = "track" and event = "A" or event = "B"'
EXPORTED = {
    "id": "s-9", "name": "Orders", "enabled": True, "actionSlug": "sendEvent", "destinationId": "d",
    "trigger": 'type = "track"',
    "settings": {"userId": {"@path": "$.userId"}, "eventName": {"@path": "$.event"}, "contactProperties": {"@path": "$.properties"}},
}  # fmt: skip


def form(client: Client, draft: Any, edited: Any = None, event: Any = ADAM) -> Any:
    return client.api("POST", "/form", {"draft": draft, "form": edited, "event": json.dumps(event)})


def rows(answer: Any) -> dict[str, Any]:
    return {row["name"]: index for index, row in enumerate(answer["form"]["rows"])}


def test_the_form_of_an_unedited_mapping_is_that_mapping(client: Client) -> None:
    """The form of each subscription of the project makes the same text again, when the page sends it back."""
    for draft in client.drafts():
        answer = form(client, draft)
        assert answer["mapping"] == draft["mapping"]
        assert form(client, draft, answer["form"])["mapping"] == draft["mapping"]


def test_a_row_shows_its_field_and_value(client: Client) -> None:
    """Each row has a label, a type, whether it is required, and its value for the event."""
    answer = form(client, client.drafts()[0])
    index = rows(answer)
    assert answer["fields"][index["userId"]] == {
        "label": "User ID", "type": "text", "required": True, "isField": True,
    }  # fmt: skip
    assert answer["result"]["rows"][index["email"]]["value"] == "adam@loops.so"
    assert "value" not in answer["result"]["rows"][index["firstName"]]


def test_an_edited_row_makes_the_new_mapping(client: Client) -> None:
    """An edited row becomes JSON, with its value and its warnings at once; the rest of the mapping stays."""
    draft = client.drafts()[0]
    answer = form(client, draft)
    index = rows(answer)["lastName"]
    answer["form"]["rows"][index]["source"] = {"kind": "path", "path": "$.traits.surname"}
    after = form(client, draft, answer["form"])
    before = json.loads(draft["mapping"])
    assert json.loads(after["mapping"]) == before | {"lastName": {"@path": "$.traits.surname"}}
    (warning,) = after["result"]["rows"][index]["warnings"]
    assert "none of the sample events has" in warning


def test_a_row_without_a_definition_makes_no_mapping(client: Client) -> None:
    """A row that makes no mapping says so, and the answer has no mapping that could be saved."""
    draft = client.drafts()[0]
    answer = form(client, draft)
    index = rows(answer)["lastName"]
    answer["form"]["rows"][index]["source"] = {"kind": "literal", "type": "number", "text": "many"}
    after = form(client, draft, answer["form"])
    assert after["mapping"] is None
    assert after["result"]["rows"][index]["problems"] == ["Enter a number, such as 5 or 0.5."]
    assert after["result"]["rows"][rows(answer)["email"]]["value"] == "adam@loops.so"


def test_json_with_an_error_has_no_form(client: Client) -> None:
    """For a mapping that is no JSON the form says where to correct it."""
    answer = form(client, client.drafts()[0] | {"mapping": '{\n  "a": }'})
    assert "Correct the JSON first: not JSON" in answer["problem"]
    assert "line 2" in answer["problem"]


def test_a_mapping_that_is_nested_too_deeply_has_no_form(client: Client) -> None:
    """A mapping of hundreds of levels is left to the JSON, and answered all the same."""
    nested = '{"a": ' * 600 + "1" + "}" * 600
    assert "nested too deeply" in form(client, client.drafts()[0] | {"mapping": nested})["problem"]


def test_a_problem_in_the_mapping_is_at_its_row(client: Client) -> None:
    """A problem that the mapping checker finds is shown at its row, while the trigger is still explained."""
    answer = form(client, client.drafts()[0] | {"mapping": '{"userId": "u", "email": {"@pth": "$.a"}}'})
    (problem,) = answer["result"]["rows"][rows(answer)["email"]]["problems"]
    assert "unknown directive @pth" in problem
    assert answer["trigger"] == [
        {"condition": 'type = "identify"', "held": True, "decided": True, "value": "identify"}
    ]  # fmt: skip


def test_a_trigger_is_explained_as_far_as_it_is_valid(client: Client) -> None:
    """Each condition has the value of the event, and an invalid trigger has no explanation."""
    draft = client.drafts()[0]
    shown = form(client, draft | {"trigger": 'traits.plan = "pro" or userId = "u-1"'})["trigger"]
    assert [each.get("value") for each in shown] == [None, "u-1"]
    assert [each["held"] for each in shown] == [False, True]
    assert form(client, draft | {"trigger": "type ="})["trigger"] is None


def test_paths_and_directives_are_suggested(client: Client) -> None:
    """The suggestions are the paths of the event with their values, and all directives."""
    shown = client.api("POST", "/suggestions", {"event": json.dumps(ADAM)})
    assert {
        "path": "$.traits.email",
        "tag": "traits.email",
        "example": "adam@loops.so",
        "isSingleValue": True,
    } in shown["paths"]
    assert "@case" in [each["name"] for each in shown["directives"]]
    assert client.api("POST", "/suggestions", {"event": "no event"})["paths"] == []


def test_the_difference_to_the_file_is_shown_before_saving(client: Client, mappings: Path) -> None:
    """The difference holds the changed lines alone, also for a file with another layout, and saves nothing."""
    document = json.loads(mappings.read_bytes())
    mappings.write_text(json.dumps(document))
    drafts = client.drafts()
    assert client.api("POST", "/difference", {"drafts": drafts})["lines"] == []
    drafts[0]["name"] = "People"
    lines = client.api("POST", "/difference", {"drafts": drafts})["lines"]
    changed = [line for line in lines if line[0] in "+-" and line[:3] not in {"+++", "---"}]
    assert [line[0] for line in changed] == ["-", "+"]
    assert '"People"' in changed[1]
    assert json.loads(mappings.read_bytes()) == document


def test_drafts_with_errors_have_no_difference(client: Client) -> None:
    """While a draft has an error, nothing could be saved, so no difference is shown."""
    drafts = client.drafts()
    drafts[0]["trigger"] = "type ="
    answer = client.call("POST", "/studio/api/difference", {"drafts": drafts})
    assert answer.status == 422
    assert answer.json["message"] == "Correct the errors to see the changes."


def test_subscriptions_are_saved_in_their_new_order(client: Client, mappings: Path) -> None:
    """Reordered subscriptions keep their ids and all else, and a duplicate gets an id of its own."""
    before = json.loads(mappings.read_bytes())["subscriptions"]
    drafts = client.drafts()
    copy = drafts[0] | {"origin": None, "id": None, "name": f"{drafts[0]['name']} copy", "enabled": False}
    order = [drafts[2], drafts[0], copy, drafts[1]]
    revision = client.api("GET", "/mappings")["revision"]
    client.api("PUT", "/mappings", {"drafts": order, "revision": revision})
    after = json.loads(mappings.read_bytes())["subscriptions"]
    assert [after[0], after[1], after[3]] == [before[2], before[0], before[1]]
    assert after[2]["id"] not in {each["id"] for each in before}
    assert after[2]["mapping"] == before[0]["mapping"]
    assert after[2]["enabled"] is False


def exported(client: Client, *definitions: Any, rewrite: bool = False) -> Any:
    text = json.dumps({"data": {"subscriptions": [*definitions]}})
    return client.call("POST", "/studio/api/import", {"export": text, "rewrite": rewrite})


def test_an_export_becomes_drafts_that_keep_their_ids(client: Client, mappings: Path) -> None:
    """An import shows drafts, differences and the samples under them; saved, the subscriptions keep Segment's ids."""
    answer = exported(client, EXPORTED)
    assert answer.status == 200
    shown = answer.json
    assert [each["name"] for each in shown["drafts"]] == ["Orders", "Delete a contact"]
    assert any("never overwrite email" in each["message"] for each in shown["differences"])
    assert any("A subscription with deleteContact was added" in each["message"] for each in shown["differences"])
    (track,) = [each for each in shown["samples"] if each["name"] == "track"]
    assert [each["name"] for each in track["matching"]] == ["Orders"]
    revision = client.api("GET", "/mappings")["revision"]
    client.api("PUT", "/mappings", {"drafts": shown["drafts"], "revision": revision})
    saved = json.loads(mappings.read_bytes())["subscriptions"]
    assert [each["id"] for each in saved] == ["s-9", "delete-a-contact"]


def test_a_mixed_trigger_is_rewritten_only_on_request(client: Client) -> None:
    """An export whose trigger mixes `and` and `or` shows what Segment makes of it, and is imported once that is accepted."""
    refused = exported(client, EXPORTED | {"trigger": MIXED})
    assert refused.status == 422
    (rewrite,) = refused.json["rewrites"]
    assert (rewrite["before"], rewrite["after"]) == (MIXED, MIXED.replace(" and ", " or "))
    accepted = exported(client, EXPORTED | {"trigger": MIXED}, rewrite=True)
    assert accepted.json["drafts"][0]["trigger"] == rewrite["after"]


@pytest.mark.parametrize("text", ["", "no JSON", '{"a": 1}', '[{"actionSlug": "nope"}]'])
def test_an_export_with_problems_is_refused_with_each(client: Client, text: str) -> None:
    """What is no export says what is wrong, and where."""
    answer = client.call("POST", "/studio/api/import", {"export": text})
    assert answer.status == 422
    assert answer.json["problems"]

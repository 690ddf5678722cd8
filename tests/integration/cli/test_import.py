"""`segment-loops import`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loops_destination.actions import ACTIONS
from loops_destination.subscriptions import load_subscriptions
from tests.integration.cli.conftest import Cli

EXPORTED = {"actionId": "a", "destinationId": "d", "modelId": None, "enabled": True, "actionSlug": "sendEvent"}
FIELDS = {"userId": {"@path": "$.userId"}, "eventName": {"@path": "$.event"}}


def export(path: Path, *subscriptions: dict[str, Any]) -> Path:
    given = [{"id": f"id-{number}", **EXPORTED, **each} for number, each in enumerate(subscriptions)]
    path.write_text(json.dumps({"data": {"subscriptions": given}}))
    return path


def told(cli: Cli, path: Path, **subscription: Any) -> dict[str, str]:
    """The differences by their places."""
    file = export(path, {"name": "s", "trigger": 'type = "track"', "settings": FIELDS, **subscription})
    return {each["path"]: each["message"] for each in cli("import", file, "--json").json["differences"]}


def test_what_is_imported_passes_check(cli: Cli, tmp_path: Path) -> None:
    """The file holds each subscription with its defaults written out, and `check` finds nothing wrong with it."""
    file = export(
        tmp_path / "export.json", {"name": "Österreich", "settings": FIELDS}, {"actionSlug": "createOrUpdateContact"}
    )
    run = cli("import", file)
    assert run.status == 0
    definitions = json.loads(run.out)["subscriptions"]
    assert definitions[0] == {
        "id": "id-0",
        "name": "Österreich",
        "enabled": True,
        "action": "sendEvent",
        "trigger": 'type = "track"',
        "mapping": FIELDS,
    }
    assert definitions[1]["mapping"] == ACTIONS["createOrUpdateContact"].mapping
    assert [each.id for each in load_subscriptions(run.out)] == ["id-0", "id-1", "delete-a-contact"]
    (tmp_path / "ours.json").write_text(run.out)
    check = cli("check", tmp_path / "ours.json")
    assert (check.status, check.err) == (0, "")


def test_every_subscription_gets_an_id(cli: Cli, tmp_path: Path) -> None:
    """What was known by its name, or by its action, has that for an id from then on, so it stays the same one."""
    file = tmp_path / "ours.json"
    file.write_text(json.dumps([{"name": "Welcome", "action": "sendEvent"}, {"action": "createOrUpdateContact"}]))
    definitions = json.loads(cli("import", file).out)["subscriptions"]
    assert [each["id"] for each in definitions] == ["Welcome", "createOrUpdateContact", "delete-a-contact"]


def test_a_made_id_is_nobody_elses(cli: Cli, tmp_path: Path) -> None:
    """The subscription that is added for deletions gets an id that the export does not have."""
    run = cli("import", export(tmp_path / "export.json", {"id": "delete-a-contact"}, {"id": "delete-a-contact-2"}))
    assert json.loads(run.out)["subscriptions"][2]["id"] == "delete-a-contact-3"


def test_the_bare_list_is_taken(cli: Cli, tmp_path: Path) -> None:
    """The list in the answer of Segment's API is as good as the answer."""
    (tmp_path / "list.json").write_text(json.dumps([{"id": "x", **EXPORTED}]))
    assert cli("import", tmp_path / "list.json").status == 0


def test_deletions_stay(cli: Cli, tmp_path: Path) -> None:
    """Segment deletes contacts by itself; so a subscription that does is added and told of, unless there is one."""
    first = cli("import", export(tmp_path / "export.json", {}))
    assert "deleteContact was added" in first.err
    (tmp_path / "ours.json").write_text(first.out)
    again = cli("import", tmp_path / "ours.json")
    assert "deleteContact was added" not in again.err
    assert json.loads(again.out) == json.loads(first.out)


def test_a_full_export_has_no_room_for_deletions(cli: Cli, tmp_path: Path) -> None:
    """Fifty subscriptions are imported as they are, with a word on what is missing."""
    run = cli("import", export(tmp_path / "export.json", *[{}] * 50))
    assert run.status == 0
    assert len(json.loads(run.out)["subscriptions"]) == 50
    assert "no contact will be deleted" in run.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ('type = "track" and (contains(event, "a") or userId = "x")', "Segment ends a group at its first"),
        ('type = "track" and ((event = "a" or event = "b") and userId = "x")', "Segment ends a group at its first"),
        ('type = "track" and userId != null', "null asks whether the field is there"),
        ('type = "track" and properties.trial != true', "holds for all but that boolean"),
        ("type = 'track'", "meant without its quotes"),
        (r'traits.plan\.name = "x"', "is a dot in a name"),
        ("properties.products[0].price > 5", "finds an element of a list"),
        ("properties.products.0.price > 5", "finds an element of a list"),
        ('userId!="x"', "blanks around an operator"),
        ('contains(type, "tr")', "know `type`"),
    ],
)
def test_triggers_that_segment_misreads_are_told(cli: Cli, tmp_path: Path, trigger: str, words: str) -> None:
    """A trigger that means something else at Segment is imported as it reads, with a word on the difference."""
    assert words in told(cli, tmp_path / "export.json", trigger=trigger)["/data/subscriptions/0/trigger"]


@pytest.mark.parametrize(
    "trigger",
    [
        'type = "track"',
        'type = "track" and (event = "A (b)" or event = "c") and contains(properties.plan, "pro")',
        r"properties.products\[0\].price >= 5",
    ],
)
def test_a_trigger_that_means_the_same_is_not_told_of(cli: Cli, tmp_path: Path, trigger: str) -> None:
    """Nothing is said of what Segment reads as it is written."""
    assert "/data/subscriptions/0/trigger" not in told(cli, tmp_path / "export.json", trigger=trigger)


def test_mappings_that_do_otherwise_are_told(cli: Cli, tmp_path: Path) -> None:
    """Overwritten identities, `$` in replacements, and Liquid are named with their places."""
    replace = {"pattern": "a", "value": {"@path": "$.x"}, "replacement": "$&"}
    settings = FIELDS | {
        "email": "y",
        "contactProperties": {"email": "x", "plan": [{"@replace": replace}]},
        "eventProperties": {"hello": {"@liquid": "{{ userId }}"}},
    }
    place = "/data/subscriptions/0/settings"
    found = told(cli, tmp_path / "export.json", settings=settings)
    assert "does not overwrite" in found[f"{place}/contactProperties/email"]
    assert "plain $" in found[f"{place}/contactProperties/plan/0/@replace/replacement"]
    assert "engine of this project" in found[f"{place}/eventProperties/hello/@liquid"]
    spread = told(cli, tmp_path / "export.json", settings=FIELDS | {"contactProperties": {"@path": "$.traits"}})
    assert "never overwrite email, userId, eventName" in spread[f"{place}/contactProperties"]


@pytest.mark.parametrize(
    ("action", "settings", "place"),
    [
        ("createOrUpdateContact", {"customAttributes": {"@path": "$.traits"}}, "customAttributes"),
        ("createOrUpdateContact", {"customAttributes": {"subscribed": True}}, "customAttributes"),
        ("sendEvent", {"contactProperties": {"subscribed": True}}, "contactProperties"),
    ],
)
def test_guarded_consent_is_told(cli: Cli, tmp_path: Path, action: str, settings: dict[str, Any], place: str) -> None:
    """Attributes that may bring `subscribed: true` are named, unless the mapping fills the field for it; events have none."""
    settings = FIELDS | settings
    found = told(cli, tmp_path / "export.json", actionSlug=action, settings=settings)
    assert "never send `subscribed: true` here" in found[f"/data/subscriptions/0/settings/{place}"]
    mapped = settings | {"subscribed": {"@path": "$.traits.subscribed"}}
    found = told(cli, tmp_path / "export.json", actionSlug=action, settings=mapped)
    assert (f"/data/subscriptions/0/settings/{place}" in found) is (action == "sendEvent")


def test_defaults_and_disabled_subscriptions_are_told(cli: Cli, tmp_path: Path) -> None:
    """What is disabled stays so, and what was missing takes the action's default; both are said."""
    run = cli("import", export(tmp_path / "export.json", {"name": "Old", "enabled": False}))
    assert json.loads(run.out)["subscriptions"][0]["enabled"] is False
    for words in ("Old\n", "- is disabled", "- trigger: was missing", "- settings: was missing"):
        assert words in run.err


def test_a_faulty_export_is_not_imported(cli: Cli, tmp_path: Path) -> None:
    """A trigger that Segment silently misreads beyond repair, and an action that is not ours, are problems: no file."""
    mixed = {"trigger": 'type = "track" and userId = "a" or userId = "b"'}
    output = tmp_path / "ours.json"
    run = cli("import", export(tmp_path / "export.json", mixed, {"actionSlug": "postSale"}), "--output", output)
    assert run.status == 1
    assert not output.exists()
    assert "are mixed" in run.err
    assert 'unknown action "postSale"' in run.err
    machine = cli("import", tmp_path / "export.json", "--json")
    assert (machine.status, len(machine.json["problems"])) == (1, 2)


def test_a_file_is_overwritten_by_force_only(cli: Cli, tmp_path: Path) -> None:
    """The output file is created, kept when it is there already, and replaced with --force."""
    file, output = export(tmp_path / "export.json", {}), tmp_path / "ours.json"
    assert cli("import", file, "--output", output).out == ""
    before = output.read_bytes()
    export(tmp_path / "export.json", {"name": "other"})
    refused = cli("import", file, "--output", output)
    assert (refused.status, output.read_bytes()) == (1, before)
    assert "--force" in refused.err
    assert cli("import", file, "--output", output, "--force").status == 0
    assert b"other" in output.read_bytes()


def test_an_output_that_cannot_be_written_is_told(cli: Cli, tmp_path: Path) -> None:
    """A folder that does not exist is one line on standard error."""
    run = cli("import", export(tmp_path / "export.json", {}), "--output", tmp_path / "none" / "ours.json")
    assert run.status == 1
    assert "cannot be written" in run.err


def test_a_lone_surrogate_survives(cli: Cli, tmp_path: Path) -> None:
    """Half a character, which UTF-8 cannot hold, stays escaped."""
    run = cli("import", export(tmp_path / "export.json", {"settings": FIELDS | {"email": "\ud83d"}}))
    assert json.loads(run.out)["subscriptions"][0]["mapping"]["email"] == "\ud83d"

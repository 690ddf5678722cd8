"""`segment-loops import`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loops_destination.actions import ACTIONS
from loops_destination.subscriptions import load_subscriptions
from tests.integration.command_line.conftest import CommandLine

EXPORTED = {"actionId": "a", "destinationId": "d", "modelId": None, "enabled": True, "actionSlug": "sendEvent"}
FIELDS = {"userId": {"@path": "$.userId"}, "eventName": {"@path": "$.event"}}


def export(path: Path, *subscriptions: dict[str, Any]) -> Path:
    given = [{"id": f"id-{number}", **EXPORTED, **each} for number, each in enumerate(subscriptions)]
    path.write_text(json.dumps({"data": {"subscriptions": given}}))
    return path


def differences(cli: CommandLine, path: Path, **subscription: Any) -> dict[str, str]:
    """Return the messages of `import` about a subscription, by their paths."""
    file = export(path, {"name": "s", "trigger": 'type = "track"', "settings": FIELDS, **subscription})
    return {each["path"]: each["message"] for each in cli("import", file, "--json").json["differences"]}


def test_an_imported_file_passes_check(cli: CommandLine, tmp_path: Path) -> None:
    """The file contains each subscription with its defaults written out, and `check` finds no problem in it."""
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


def test_every_subscription_gets_an_id(cli: CommandLine, tmp_path: Path) -> None:
    """A subscription that was identified by its name or action gets that as its id, and so stays the same one."""
    file = tmp_path / "ours.json"
    file.write_text(json.dumps([{"name": "Welcome", "action": "sendEvent"}, {"action": "createOrUpdateContact"}]))
    definitions = json.loads(cli("import", file).out)["subscriptions"]
    assert [each["id"] for each in definitions] == ["Welcome", "createOrUpdateContact", "delete-a-contact"]


def test_a_new_id_is_unique(cli: CommandLine, tmp_path: Path) -> None:
    """The added subscription for deletions gets an id that the export does not contain."""
    run = cli("import", export(tmp_path / "export.json", {"id": "delete-a-contact"}, {"id": "delete-a-contact-2"}))
    assert json.loads(run.out)["subscriptions"][2]["id"] == "delete-a-contact-3"


def test_a_bare_list_is_imported(cli: CommandLine, tmp_path: Path) -> None:
    """The list in the answer of Segment's API can be imported by itself."""
    (tmp_path / "list.json").write_text(json.dumps([{"id": "x", **EXPORTED}]))
    assert cli("import", tmp_path / "list.json").status == 0


def test_a_subscription_for_deletions_is_added(cli: CommandLine, tmp_path: Path) -> None:
    """A subscription that deletes contacts is added with a note, unless there is one."""
    first = cli("import", export(tmp_path / "export.json", {}))
    assert "with deleteContact was added" in first.err
    (tmp_path / "ours.json").write_text(first.out)
    again = cli("import", tmp_path / "ours.json")
    assert "with deleteContact was added" not in again.err
    assert json.loads(again.out) == json.loads(first.out)


def test_a_full_export_gets_no_subscription_for_deletions(cli: CommandLine, tmp_path: Path) -> None:
    """Fifty subscriptions are imported as they are, with a note that no contact will be deleted."""
    run = cli("import", export(tmp_path / "export.json", *[{}] * 50))
    assert run.status == 0
    assert len(json.loads(run.out)["subscriptions"]) == 50
    assert "No contact will be deleted" in run.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ('type = "track" and (contains(event, "a") or userId = "x")', "Segment ends a group at its first"),
        ('type = "track" and ((event = "a" or event = "b") and userId = "x")', "Segment ends a group at its first"),
        ('type = "track" and event != null', "null tests whether the field exists"),
        ('type = "track" and properties.trial != true', "matches everything but this boolean"),
        ("type = 'track'", "compared without its quotes"),
        (r'traits.plan\.name = "x"', "is a dot in a name"),
        ("properties.products[0].price > 5", "selects an element of a list"),
        ("properties.products.0.price > 5", "selects an element of a list"),
        ('userId!="x"', "spaces around an operator"),
        ('contains(type, "tr")', "can test `type`"),
    ],
)
def test_a_trigger_that_segment_reads_differently_has_a_note(
    cli: CommandLine, tmp_path: Path, trigger: str, words: str
) -> None:
    """A trigger that Segment reads differently is imported unchanged, with a note about the difference."""
    assert words in differences(cli, tmp_path / "export.json", trigger=trigger)["/data/subscriptions/0/trigger"]


@pytest.mark.parametrize(
    "trigger",
    [
        'type = "track"',
        'type = "track" and (event = "A (b)" or event = "c") and contains(properties.plan, "pro")',
        r"properties.products\[0\].price >= 5",
        'type = "track" and userId != null',
    ],
)
def test_a_trigger_that_segment_reads_alike_has_no_note(cli: CommandLine, tmp_path: Path, trigger: str) -> None:
    """A trigger that works alike at Segment has no note."""
    assert "/data/subscriptions/0/trigger" not in differences(cli, tmp_path / "export.json", trigger=trigger)


def test_a_mapping_that_works_differently_has_notes(cli: CommandLine, tmp_path: Path) -> None:
    """Contact properties that overwrite fields, `$` in replacements, and Liquid have notes with their paths."""
    replace = {"pattern": "a", "value": {"@path": "$.x"}, "replacement": "$&"}
    settings = FIELDS | {
        "email": "y",
        "contactProperties": {"email": "x", "plan": [{"@replace": replace}]},
        "eventProperties": {"hello": {"@liquid": "{{ userId }}"}},
    }
    place = "/data/subscriptions/0/settings"
    found = differences(cli, tmp_path / "export.json", settings=settings)
    assert "does not overwrite" in found[f"{place}/contactProperties/email"]
    assert "literal $" in found[f"{place}/contactProperties/plan/0/@replace/replacement"]
    assert "this project's own engine" in found[f"{place}/eventProperties/hello/@liquid"]
    spread = differences(cli, tmp_path / "export.json", settings=FIELDS | {"contactProperties": {"@path": "$.traits"}})
    assert "never overwrite email, userId, eventName" in spread[f"{place}/contactProperties"]


@pytest.mark.parametrize(
    ("action", "settings", "place"),
    [
        ("createOrUpdateContact", {"customAttributes": {"@path": "$.traits"}}, "customAttributes"),
        ("createOrUpdateContact", {"customAttributes": {"subscribed": True}}, "customAttributes"),
        ("sendEvent", {"contactProperties": {"subscribed": True}}, "contactProperties"),
    ],
)
def test_guarded_consent_has_a_note(
    cli: CommandLine, tmp_path: Path, action: str, settings: dict[str, Any], place: str
) -> None:
    """Attributes that may contain `subscribed: true` have a note, unless the action's field `subscribed` is mapped."""
    settings = FIELDS | settings
    found = differences(cli, tmp_path / "export.json", actionSlug=action, settings=settings)
    assert "never send `subscribed: true` here" in found[f"/data/subscriptions/0/settings/{place}"]
    mapped = settings | {"subscribed": {"@path": "$.traits.subscribed"}}
    found = differences(cli, tmp_path / "export.json", actionSlug=action, settings=mapped)
    assert (f"/data/subscriptions/0/settings/{place}" in found) is (action == "sendEvent")


def test_defaults_and_disabled_subscriptions_have_notes(cli: CommandLine, tmp_path: Path) -> None:
    """A disabled subscription stays disabled, and missing parts get the action's defaults; both have notes."""
    run = cli("import", export(tmp_path / "export.json", {"name": "Old", "enabled": False}))
    assert json.loads(run.out)["subscriptions"][0]["enabled"] is False
    for words in ("Old\n", "- is disabled", "- trigger: was missing", "- settings: was missing"):
        assert words in run.err


def test_an_export_with_problems_is_not_imported(cli: CommandLine, tmp_path: Path) -> None:
    """An ambiguous trigger and an action of another destination are problems, and no file is written."""
    mixed = {"trigger": 'type = "track" and userId = "a" or userId = "b"'}
    output = tmp_path / "ours.json"
    run = cli("import", export(tmp_path / "export.json", mixed, {"actionSlug": "postSale"}), "--output", output)
    assert run.status == 1
    assert not output.exists()
    assert "are mixed" in run.err
    assert 'unknown action "postSale"' in run.err
    machine = cli("import", tmp_path / "export.json", "--json")
    assert (machine.status, len(machine.json["problems"])) == (1, 2)


def test_a_file_is_overwritten_with_force_only(cli: CommandLine, tmp_path: Path) -> None:
    """An existing output file is kept, and overwritten only with --force."""
    file, output = export(tmp_path / "export.json", {}), tmp_path / "ours.json"
    assert cli("import", file, "--output", output).out == ""
    before = output.read_bytes()
    export(tmp_path / "export.json", {"name": "other"})
    refused = cli("import", file, "--output", output)
    assert (refused.status, output.read_bytes()) == (1, before)
    assert "--force" in refused.err
    assert cli("import", file, "--output", output, "--force").status == 0
    assert b"other" in output.read_bytes()


def test_an_output_that_cannot_be_written_is_an_error(cli: CommandLine, tmp_path: Path) -> None:
    """If the output's folder does not exist, the error says that the file cannot be written."""
    run = cli("import", export(tmp_path / "export.json", {}), "--output", tmp_path / "none" / "ours.json")
    assert run.status == 1
    assert "cannot be written" in run.err


def test_a_lone_surrogate_survives(cli: CommandLine, tmp_path: Path) -> None:
    """A lone surrogate, which UTF-8 cannot encode, is written escaped."""
    run = cli("import", export(tmp_path / "export.json", {"settings": FIELDS | {"email": "\ud83d"}}))
    assert json.loads(run.out)["subscriptions"][0]["mapping"]["email"] == "\ud83d"


def test_probable_mistakes_are_warnings(cli: CommandLine, tmp_path: Path) -> None:
    """An export with probable mistakes is imported, with a warning for each; a missing id is none, as it is added."""
    settings = FIELDS | {"email": "$.traits.email"}
    file = export(tmp_path / "export.json", {"id": None, "name": "s", "settings": settings})
    run = cli("import", file)
    assert run.status == 0
    assert "Warning: /data/subscriptions/0/settings/email" in run.err
    found = cli("import", file, "--json").json["warnings"]
    assert [(each["kind"], each["path"]) for each in found] == [
        ("literal-path", "/data/subscriptions/0/settings/email")
    ]


MIXED = 'type = "track" and userId != null or event = "Signed Up"'
AS_SEGMENT_READS = 'type = "track" or userId != null or event = "Signed Up"'


def test_a_mixed_trigger_is_rewritten_with_yes(cli: CommandLine, tmp_path: Path) -> None:
    """With --yes a trigger that mixes `and` and `or` is rewritten into what Segment makes of it, and both are shown."""
    file = export(tmp_path / "export.json", {"trigger": MIXED}, {"trigger": 'type = "track"'})
    run = cli("import", file, "--yes")
    assert run.status == 0
    triggers = [each["trigger"] for each in json.loads(run.out)["subscriptions"]]
    assert triggers[:2] == [AS_SEGMENT_READS, 'type = "track"']
    assert MIXED in run.err
    assert AS_SEGMENT_READS in run.err
    found = {each["path"]: each["message"] for each in cli("import", file, "--yes", "--json").json["differences"]}
    assert AS_SEGMENT_READS in found["/data/subscriptions/0/trigger"]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_mixed_trigger_is_refused_without_consent(cli: CommandLine, tmp_path: Path, options: list[str]) -> None:
    """Without --yes and without a terminal to ask at, a mixed trigger is refused as before, and nothing is written."""
    output = tmp_path / "out.json"
    run = cli("import", export(tmp_path / "export.json", {"trigger": MIXED}), "--output", output, *options)
    assert run.status == 1
    assert "are mixed" in (run.out if options else run.err)
    assert "--yes" in run.err
    assert not output.exists()

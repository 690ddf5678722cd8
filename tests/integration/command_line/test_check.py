"""`segment-loops check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command_line.conftest import Cli


def written(path: Path, *subscriptions: Any) -> Path:
    path.write_text(json.dumps({"subscriptions": subscriptions}))
    return path


def test_the_mappings_of_this_project_are_right(cli: Cli) -> None:
    """Without a file the project's own is checked: a line for each subscription, with its action and its trigger."""
    run = cli("check")
    assert run.status == 0
    assert run.err == ""
    heading, *lines = run.out.splitlines()
    assert heading.endswith("mappings.json is right: 3 subscriptions")
    assert [line.split() for line in lines][1] == [
        "Send", "an", "event", "send-an-event", "sendEvent", "type", "=", '"track"',
    ]  # fmt: skip


def test_every_fault_has_its_place(cli: Cli, tmp_path: Path) -> None:
    """All problems are told on standard error, a trigger's with a caret below its place."""
    wrong = {"name": "a", "action": "sendEvent", "trigger": "type = track", "mapping": {"userId": {"@pth": "$.x"}}}
    run = cli("check", written(tmp_path / "m.json", wrong, {"name": "b", "action": "nothing"}))
    assert run.status == 1
    assert run.out == ""
    for place in ("/subscriptions/0/trigger\n", "/subscriptions/0/mapping/userId\n", "/subscriptions/1/action\n"):
        assert place in run.err
    trigger, caret = (line for line in run.err.splitlines() if line.startswith("      "))
    assert trigger[caret.index("^") :] == "track"


def test_a_disabled_subscription_is_marked(cli: Cli, tmp_path: Path) -> None:
    """A subscription that takes no events says so, and is shown under its id where it has one."""
    disabled = {"id": "x-1", "name": "a", "action": "sendEvent", "enabled": False}
    run = cli("check", written(tmp_path / "m.json", disabled))
    assert run.out.splitlines()[1].split() == ["a", "x-1", "sendEvent", "type", "=", '"track"', "(disabled)"]


@pytest.mark.parametrize(
    ("given", "words", "known_by"),
    [
        ({"name": "a", "action": "sendEvent"}, "so its name identifies it. Renaming it sends", "a"),
        ({"action": "sendEvent"}, "so its action identifies it. Naming it sends", "sendEvent"),
        (
            {"id": None, "name": 'a "b"', "action": "sendEvent"},
            "so its name identifies it. Renaming it sends",
            'a \\"b\\"',
        ),
    ],
)
def test_a_missing_id_is_a_warning(cli: Cli, tmp_path: Path, given: dict[str, Any], words: str, known_by: str) -> None:
    """Without an id the file is right, with a warning that says what happens, and which id changes nothing."""
    run = cli("check", written(tmp_path / "m.json", given, {"id": "x", "action": "sendEvent"}))
    assert run.status == 0
    told = " ".join(run.err.split())
    assert told.startswith("warning: /subscriptions/0 has no id,")
    assert words in told
    assert told.endswith(f'Add "id": "{known_by}".')
    machine = cli("check", tmp_path / "m.json", "--json")
    assert (machine.status, [each["path"] for each in machine.json["warnings"]]) == (0, ["/subscriptions/0"])


def test_what_is_hardly_meant_is_a_warning(cli: Cli, tmp_path: Path) -> None:
    """A field that the action does not have, and a required one without a value, are told; the file is right."""
    mapping = {"userId": {"@path": "$.userId"}, "emial": {"@path": "$.traits.email"}}
    run = cli("check", written(tmp_path / "m.json", {"id": "a", "action": "sendEvent", "mapping": mapping}))
    assert run.status == 0
    assert "warning: /subscriptions/0/mapping/emial" in run.err
    assert "rejects every event: it gives eventName no value" in run.err


def test_machines_get_json(cli: Cli, tmp_path: Path) -> None:
    """With --json the result is one JSON document, of a right file and of a faulty one."""
    right = cli("check", "--json").json
    assert right["ok"] is True
    assert right["subscriptions"][0] == {
        "id": "create-or-update-a-contact",
        "name": "Create or update a contact",
        "enabled": True,
        "action": "createOrUpdateContact",
        "trigger": 'type = "identify"',
    }
    run = cli("check", written(tmp_path / "m.json", 1), "--json")
    assert (run.status, run.json["ok"], run.json["problems"][0]["path"]) == (1, False, "/subscriptions/0")


def test_a_missing_file_is_told_in_one_line(cli: Cli, tmp_path: Path) -> None:
    """A file that is not there is no traceback."""
    run = cli("check", tmp_path / "none.json")
    assert run.status == 1
    assert run.err.count("\n") == 1
    assert "No such file" in run.err


def test_nothing_in_a_file_steers_the_terminal(cli: Cli, tmp_path: Path) -> None:
    """Characters that a terminal would obey are shown instead."""
    run = cli("check", written(tmp_path / "m.json", {"id": "x", "name": "a\u009b2J", "action": "sendEvent"}))
    assert run.status == 0
    assert "\u009b" not in run.out

"""`segment-loops check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command_line.conftest import CommandLine


def written(path: Path, *subscriptions: Any) -> Path:
    path.write_text(json.dumps({"subscriptions": subscriptions}))
    return path


def test_the_mappings_of_this_project_are_valid(cli: CommandLine) -> None:
    """Without a file the project's own is checked; each subscription has a row with its id, action and trigger."""
    run = cli("check")
    assert run.status == 0
    assert run.err == ""
    summary, _headings, *lines = run.out.splitlines()
    assert summary.endswith("mappings.json is valid: 3 subscriptions")
    assert [line.split() for line in lines][1] == [
        "Send", "an", "event", "send-an-event", "sendEvent", "type", "=", '"track"',
    ]  # fmt: skip


def test_every_problem_has_its_place(cli: CommandLine, tmp_path: Path) -> None:
    """All problems are printed to standard error with their paths; a caret points into a trigger."""
    wrong = {"name": "a", "action": "sendEvent", "trigger": "type = track", "mapping": {"userId": {"@pth": "$.x"}}}
    run = cli("check", written(tmp_path / "m.json", wrong, {"name": "b", "action": "nothing"}))
    assert run.status == 1
    assert run.out == ""
    for place in ("/subscriptions/0/trigger\n", "/subscriptions/0/mapping/userId\n", "/subscriptions/1/action\n"):
        assert place in run.err
    trigger, caret = (line for line in run.err.splitlines() if line.startswith("      "))
    assert trigger[caret.index("^") :] == "track"


def test_a_disabled_subscription_is_marked(cli: CommandLine, tmp_path: Path) -> None:
    """A disabled subscription is marked as such."""
    disabled = {"id": "x-1", "name": "a", "action": "sendEvent", "enabled": False}
    run = cli("check", written(tmp_path / "m.json", disabled))
    assert run.out.splitlines()[2].split() == ["a", "x-1", "sendEvent", "type", "=", '"track"', "(disabled)"]


@pytest.mark.parametrize(
    ("given", "words", "identity"),
    [
        ({"name": "a", "action": "sendEvent"}, "so its name identifies it. If you rename it, events", "a"),
        ({"action": "sendEvent"}, "so its action identifies it. If you name it, events", "sendEvent"),
        (
            {"id": None, "name": 'a "b"', "action": "sendEvent"},
            "so its name identifies it. If you rename it, events",
            'a \\"b\\"',
        ),
    ],
)
def test_a_missing_id_is_a_warning(
    cli: CommandLine, tmp_path: Path, given: dict[str, Any], words: str, identity: str
) -> None:
    """A file with a missing id is valid; a warning says what a new name would do, and which id prevents it."""
    run = cli("check", written(tmp_path / "m.json", given, {"id": "x", "action": "deleteContact"}))
    assert run.status == 0
    warning = " ".join(run.err.split())
    assert warning.startswith("Warning: /subscriptions/0 has no id,")
    assert words in warning
    assert warning.endswith(f'Add "id": "{identity}".')
    machine = cli("check", tmp_path / "m.json", "--json")
    assert machine.status == 0
    assert [(each["kind"], each["path"]) for each in machine.json["warnings"]] == [("missing-id", "/subscriptions/0")]


def test_a_probable_mistake_is_a_warning(cli: CommandLine, tmp_path: Path) -> None:
    """A probable mistake, such as an unknown field or a path that no sample has, is a warning; the file is valid."""
    mapping = {"userId": {"@path": "$.user_id"}, "emial": {"@path": "$.context.traits.email"}}
    run = cli("check", written(tmp_path / "m.json", {"id": "a", "action": "sendEvent", "mapping": mapping}))
    assert run.status == 0
    assert "Warning: /subscriptions/0/mapping/emial" in run.err
    assert "rejects every event, because eventName is required and has no value" in run.err
    assert "Did you mean $.userId?" in run.err


def test_programs_get_json(cli: CommandLine, tmp_path: Path) -> None:
    """With --json the result is one JSON document, for a valid file and for an invalid one."""
    valid = cli("check", "--json").json
    assert valid["ok"] is True
    assert valid["subscriptions"][0] == {
        "id": "create-or-update-a-contact",
        "name": "Create or update a contact",
        "enabled": True,
        "action": "createOrUpdateContact",
        "trigger": 'type = "identify"',
    }
    run = cli("check", written(tmp_path / "m.json", 1), "--json")
    assert (run.status, run.json["ok"], run.json["problems"][0]["path"]) == (1, False, "/subscriptions/0")


def test_a_missing_file_is_an_error_in_one_line(cli: CommandLine, tmp_path: Path) -> None:
    """A missing file ends with status 1 and one line on standard error, without a traceback."""
    run = cli("check", tmp_path / "none.json")
    assert run.status == 1
    assert run.err.count("\n") == 1
    assert "No such file" in run.err


def test_a_file_cannot_control_the_terminal(cli: CommandLine, tmp_path: Path) -> None:
    """Control characters are escaped, and rich markup is printed as it is."""
    run = cli("check", written(tmp_path / "m.json", {"id": "x", "name": "[red]a\u009b2J[/red]", "action": "sendEvent"}))
    assert run.status == 0
    assert "\u009b" not in run.out
    assert r"[red]a\u009b2J[/red]" in run.out

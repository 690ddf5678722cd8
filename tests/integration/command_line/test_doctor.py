"""`segment-loops doctor` against a Loops team with one of each problem."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.sandbox import EventPattern, Fault, MailingList, Sandbox, SandboxServer
from tests.integration.command_line.conftest import CommandLine, Run

IDENTIFY = {
    "type": "identify",
    "messageId": "m-1",
    "userId": "u-1",
    "traits": {"email": "ada@example.com", "seats": "five", "trialEnds": "2026-03-01", "id": "7", "bio": "x" * 499},
}
TRACK = {
    "type": "track",
    "messageId": "m-2",
    "userId": "u-1",
    "event": "Signed Up",
    "context": {"traits": {"email": "ada@example.com"}},
}


@pytest.fixture
def team() -> Iterator[SandboxServer]:
    """A team with a property, a mailing list and a workflow."""
    lists, patterns = [MailingList("news", "News")], [EventPattern("p1", "Signed Up")]
    sandbox = Sandbox(limit=None, lists=lists, event_patterns=patterns)
    sandbox.properties.create("seats", "number")
    with SandboxServer(sandbox) as server:
        yield server


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    return tmp_path / "mappings.json"


Doctor = Callable[..., Run]


@pytest.fixture
def doctor(
    cli: CommandLine, team: SandboxServer, mappings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Doctor:
    """Run the command with a contact's mapping and these events."""
    monkeypatch.setenv("LOOPS_API_KEY", team.sandbox.api_key)

    def run(*arguments: str, mapping: dict[str, Any] | None = None, events: Any = (IDENTIFY, TRACK)) -> Run:
        contact = {"userId": {"@path": "$.userId"}, "email": {"@path": "$.traits.email"}, **(mapping or {})}
        subscriptions = [
            {"id": "contact", "action": "createOrUpdateContact", "mapping": contact},
            {"id": "event", "action": "sendEvent"},
        ]
        mappings.write_text(json.dumps({"subscriptions": subscriptions}))
        (tmp_path / "events.json").write_text(json.dumps(list(events)))
        return cli(
            *("doctor", "--loops-url", team.url, "--mappings", mappings, "--events", tmp_path / "events.json"),
            *arguments,
        )

    return run


def found(run: Run, status: str) -> list[str]:
    return [check["text"] for check in run.json["checks"] if check["status"] == status]


def test_a_team_that_has_everything_is_fine(doctor: Doctor, team: SandboxServer) -> None:
    """If the team has what the mappings use, every check passes, the status is 0, and Loops was only read from."""
    run = doctor("--json", mapping={"mailingLists": {"news": True}, "customAttributes": {"seats": 5}})
    assert (run.status, run.json["ok"]) == (0, True)
    assert {check["status"] for check in run.json["checks"]} == {"ok"}
    assert {entry.method for entry in team.sandbox.journal.all()} == {"GET"}


ATTRIBUTES: dict[str, Any] = {"@path": "$.traits"}


@pytest.mark.parametrize(
    ("mapping", "text"),
    [
        ({"customAttributes": {"trialEnds": ""}}, "The mapping sets the contact property trialEnds"),
        ({"customAttributes": ATTRIBUTES}, "The contact property seats is a number in Loops"),
        ({"customAttributes": ATTRIBUTES}, "The mappings set id, a name that Loops reserves."),
        ({"customAttributes": ATTRIBUTES}, "A sample event sets bio to a string of more than 500 characters"),
        ({"mailingLists": {"old": True}}, "The team has no mailing list with the id old."),
    ],
)
def test_each_problem_is_found(doctor: Doctor, mapping: dict[str, Any], text: str) -> None:
    """Whatever Loops would refuse or lose is a problem with advice, and the status is 1."""
    run = doctor("--json", mapping=mapping)
    assert run.status == 1
    [check] = [each for each in run.json["checks"] if each["text"].startswith(text)]
    assert check["status"] == "problem"
    assert check["advice"]


def test_a_property_that_only_events_bring_is_a_warning(doctor: Doctor) -> None:
    """A missing property that no mapping names is a warning with the type that the samples suggest."""
    traits = {"trialEnds": "2026-03-01T10:00:00Z", "paying": True}
    run = doctor("--json", mapping={"customAttributes": ATTRIBUTES}, events=[IDENTIFY | {"traits": traits}])
    assert run.status == 0
    warnings = [check for check in run.json["checks"] if check["status"] == "warning"]
    assert [(each["text"].split()[6].rstrip(","), each["advice"].split()[-1]) for each in warnings] == [
        ("paying", "boolean."),
        ("trialEnds", "date."),
    ]


def test_an_event_without_a_workflow_is_a_warning(doctor: Doctor) -> None:
    """An event name that no workflow listens for, in this case, is a warning; the others are fine."""
    run = doctor("--json", events=[TRACK, TRACK | {"event": "signed up"}])
    assert run.status == 0
    assert found(run, "warning") == ["No workflow listens for the event signed up: it sends no email."]
    assert "A workflow listens for the event Signed Up." in found(run, "ok")


def test_disabled_subscriptions_are_not_checked(
    doctor: Doctor, mappings: Path, cli: CommandLine, team: SandboxServer
) -> None:
    """A disabled subscription uses nothing of the team."""
    doctor()
    disabled = {"action": "createOrUpdateContact", "enabled": False, "mapping": {"mailingLists": {"old": True}}}
    mappings.write_text(json.dumps({"subscriptions": [disabled]}))
    assert cli("doctor", "--loops-url", team.url, "--mappings", mappings).status == 0


def test_missing_properties_are_created_on_request(doctor: Doctor, team: SandboxServer) -> None:
    """With --create-properties and --yes, properties whose type is known are created with it."""
    events = [IDENTIFY | {"traits": {"trialEnds": "2026-03-01", "plan": "pro"}}]
    run = doctor("--create-properties", "--yes", "--json", mapping={"customAttributes": ATTRIBUTES}, events=events)
    assert run.status == 0
    custom = {each["key"]: each["type"] for each in team.sandbox.properties.listed(custom_only=True)}
    assert custom == {"seats": "number", "trialEnds": "date", "plan": "string"}
    assert found(run, "warning") == []


def test_nothing_is_created_unless_a_person_agrees(doctor: Doctor, team: SandboxServer) -> None:
    """Without --yes and a terminal to ask at, --create-properties creates nothing and says so."""
    run = doctor("--create-properties", mapping={"customAttributes": ATTRIBUTES})
    assert "No contact property was created." in run.out
    assert [each["key"] for each in team.sandbox.properties.listed(custom_only=True)] == ["seats"]


def test_a_person_reads_a_line_for_each_check(doctor: Doctor) -> None:
    """Each check is a line with its symbol, and its advice is below it; no API key is printed."""
    run = doctor(mapping={"mailingLists": {"old": True}}, events=[TRACK | {"event": "Left"}])
    lines = run.out.splitlines()
    assert "✓ The team has every contact property that the mappings set." in lines
    assert "! No workflow listens for the event Left: it sends no email." in lines
    place = lines.index("✗ The team has no mailing list with the id old.")
    assert lines[place + 1] == "  Its mailing lists: news (News)."
    assert lines[-1] == "1 problem, 1 warning"
    assert "sandbox-key" not in run.out + run.err


def test_a_rate_limited_call_is_made_again(doctor: Doctor, team: SandboxServer) -> None:
    """A call that Loops answers with 429 is repeated, and the check passes."""
    team.sandbox.faults.add(Fault(kind="status", status=429, times=1))
    assert doctor().status == 0


def test_an_api_key_that_loops_refuses_is_a_problem(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops' refusal of the API key is reported with status 1, without the API key."""
    monkeypatch.setenv("LOOPS_API_KEY", "wrong-key-4711")
    run = doctor()
    assert run.status == 1
    assert "answered 401: Invalid API key" in run.out
    assert "4711" not in run.out + run.err


@pytest.mark.parametrize("arguments", [["doctor"], ["doctor", "--yes"]])
def test_a_misused_command_has_status_2(cli: CommandLine, arguments: list[str]) -> None:
    """Without an API key or a stack, or with --yes alone, the command was misused."""
    assert cli(*arguments).status == 2

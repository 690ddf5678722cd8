"""The IAM policies in docs/policies: enough for the commands, and nothing more."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from loops_destination.ledger.contract import Write
from loops_destination.ledger.event_clock import EventClock
from loops_destination.ledger.hashes import Hasher
from loops_destination.ledger.record import Contact, Property
from loops_destination.messages import Message
from loops_destination.outcomes import Outcome, Reason
from segment_loops import PROJECT
from segment_loops.deployed_stack import AwsAccount, find_stack
from segment_loops.stack_studio import stack_studio
from tests.deployed_stack import NAME, SEND_EVENT, MotoStack, front, result
from tests.integration.command_line.conftest import CommandLine

MESSAGE_ID = str(uuid.UUID(int=7))
EVENT = {"type": "track", "messageId": MESSAGE_ID, "userId": "u-1", "event": "Signed Up"}
API = "/studio/api"

ONLY_AFTER_CTRL_C = {"logs:StopQuery"}
"""test_log_search.py holds that an interrupted search calls it; moto's are complete at once."""


LAYER = "arn:aws:lambda:REGION:ACCOUNT:layer:MappingsLayer:*"


def policy(name: str) -> Any:
    return json.loads((PROJECT / "docs" / "policies" / f"{name}.json").read_text())


def allowed(statement: dict[str, Any]) -> set[str]:
    named = statement["Action"]
    return {named} if isinstance(named, str) else set(named)


def actions(name: str) -> set[str]:
    """Return the actions that a policy allows."""
    return set().union(*map(allowed, policy(name)["Statement"]))


class Commands:
    """Everything that reads a stack, and everything that changes one, called as a user with some actions."""

    def __init__(self, deployed: MotoStack, cli: CommandLine, mappings: Path) -> None:
        self._deployed = deployed
        self._cli = cli
        self._mappings = mappings

    def read(self) -> None:
        """Call each command and each part of the page that only reads."""
        for arguments in (
            ("trace", MESSAGE_ID),
            ("trace", "--user-id", "u-1"),
            ("ledger", "show", "--user-id", "u-1"),
            ("doctor",),
        ):
            self._run(*arguments)
        client = self._client()
        for path in ("stack", "counts?since=3600", "queue-counts", "alarms", "estimate?since=3600", "mappings"):
            assert client.get(f"{API}/{path}").status_code == 200
        assert client.post(f"{API}/deliveries", json={"since": 60.0}).status_code == 200
        assert client.post(f"{API}/contact", json={"userId": "u-1"}).status_code == 200

    def repair(self) -> None:
        """Call each command and each part of the page that receives or changes."""
        self._run("trace", MESSAGE_ID, "--dead-letters")
        for command, *extra in (("list",), ("show",), ("redrive", "--yes", "--limit", "1"), ("drop", "--yes")):
            self._run("dead-letters", command, *extra)
        self._run("ledger", "forget", "--user-id", "u-1", "--yes")
        client = self._client()
        assert client.post(f"{API}/dead-letters/read", json={}).status_code == 200

    def _run(self, *arguments: str) -> None:
        run = self._cli(*arguments, "--stack", NAME)
        assert run.status == 0 or arguments == ("doctor",), run.err  # it finds fault with this stack

    def _client(self) -> FlaskClient:
        return stack_studio(find_stack(AwsAccount(), NAME), self._mappings).test_client()

    def fill(self) -> None:
        """Give the commands something to read and to change: a delivery, a dead letter, a contact."""
        self._deployed.log_result(SEND_EVENT, result(Outcome.DELIVERED, status=200), EVENT, ago=10)
        for number in range(3):
            event = json.dumps(EVENT | {"messageId": f"m-{number}"})
            self._deployed.bury(
                Message(
                    f"key-{number}", time.time(), Reason.REFUSED, event=event, action="sendEvent", subscription="events"
                )
            )
        known = {"plan": Property(EventClock(1, 1, "m-1", "contacts"), "hash", 1)}
        key = Hasher(self._deployed.id).contact_key("u-1")
        self._deployed.store.write(Write(key, Contact(known).to_item(), None, 600))


@pytest.fixture
def commands(aws: str, cli: CommandLine, tmp_path: Path) -> Commands:  # noqa: ARG001  # the stack is there
    (tmp_path / "mappings.json").write_text("{}")
    deployed = MotoStack(function=True, parameters={"LoopsBaseUrl": "http://127.0.0.1:9"})
    found = Commands(deployed, cli, tmp_path / "mappings.json")
    found.fill()
    return found


@pytest.fixture
def called(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:  # noqa: ARG001  # made before
    """The actions of AWS that are called from now on."""
    with front() as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
        yield served.called


def test_reading_calls_what_its_policy_allows(commands: Commands, called: set[str]) -> None:
    """The commands and pages that only read call the actions of read.json, each of them, and no other."""
    commands.read()
    assert called == actions("read") - ONLY_AFTER_CTRL_C


def test_repairing_calls_what_both_policies_allow(commands: Commands, called: set[str]) -> None:
    """Reading dead letters and changing something calls the actions of repair.json too, each of them, and no other."""
    commands.repair()
    assert called - actions("read") == actions("repair")


def test_no_page_reads_dead_letters_before_it_is_asked(commands: Commands, called: set[str]) -> None:
    """Nothing that only reads receives messages, which would hide them from other readers."""
    commands.read()
    assert "sqs:ReceiveMessage" not in called


@pytest.mark.parametrize("name", ["read", "repair"])
def test_every_resource_is_narrow(name: str) -> None:
    """Each action that can be limited to resources of the stack is; only those that IAM cannot limit have a wildcard."""
    wide = {"logs:GetQueryResults", "logs:StopQuery", "cloudwatch:GetMetricData", "cloudwatch:DescribeAlarms"}
    for statement in policy(name)["Statement"]:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        if "*" in resources:
            assert allowed(statement) <= wide | {"lambda:ListEventSourceMappings"}
        else:
            assert all("STACK" in each or each in {LAYER, "SECRET_ARN"} for each in resources)


def test_the_policies_name_resources_of_the_template() -> None:
    """A resource that a policy names exists in the template, or is named after its layer."""
    template = (PROJECT / "template.yaml").read_text()
    named = re.findall(r"STACK-(\w+)", json.dumps([policy("read"), policy("repair")]))
    for each in {*named, LAYER.split(":")[6]} - {"ContactLedgerTable"}:
        assert f"\n  {each}:\n" in template, each

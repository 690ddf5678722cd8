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

from loops_destination.ledger.event_clock import EventClock
from loops_destination.ledger.hashes import Hasher
from loops_destination.ledger.record import ContactRecord, Property
from loops_destination.ledger.store_interface import Write
from loops_destination.messages import Message
from loops_destination.outcomes import Outcome, Reason
from segment_loops import PROJECT
from segment_loops.deployed_stack import AwsAccount, find_stack
from segment_loops.stack_studio import stack_studio
from tests.integration.command_line.conftest import CommandLine
from tests.moto_stack import NAME, SEND_EVENT, Front, MotoStack, front, result

MESSAGE_ID = str(uuid.UUID(int=7))
EVENT = {"type": "track", "messageId": MESSAGE_ID, "userId": "u-1", "event": "Signed Up"}
API = "/studio/api"

ONLY_AFTER_CTRL_C = {"logs:StopQuery"}
"""test_log_search.py holds that an interrupted search calls it; moto's are complete at once."""


LACKING = "Your AWS identity lacks"

LAYER = "arn:aws:lambda:REGION:ACCOUNT:layer:MappingsLayer:*"


def policy(name: str) -> Any:
    return json.loads((PROJECT / "docs" / "policies" / f"{name}.json").read_text())


def allowed(statement: dict[str, Any]) -> set[str]:
    named = statement["Action"]
    return {named} if isinstance(named, str) else set(named)


def actions(name: str) -> set[str]:
    """Return the actions that a policy allows."""
    return set().union(*map(allowed, policy(name)["Statement"]))


READING = (
    ("trace", MESSAGE_ID),
    ("trace", "--user-id", "u-1"),
    ("ledger", "show", "--user-id", "u-1"),
    ("doctor",),
)
REPAIRING = (
    ("trace", MESSAGE_ID, "--dead-letters"),
    ("dead-letters", "list"),
    ("dead-letters", "show"),
    ("dead-letters", "redrive", "--limit", "1"),
    ("dead-letters", "drop", "--yes"),
    ("ledger", "distrust", "--yes"),
    ("ledger", "forget", "--user-id", "u-1", "--yes"),
)
MISSING = {("ledger", "distrust"): "dynamodb:Scan", ("ledger", "forget"): "dynamodb:PutItem"}
"""The first permission that a command lacks without repair.json, where it is not that to receive dead letters."""

READING_PAGES = ("stack", "counts?since=3600", "queue-counts", "alarms", "estimate?since=3600", "mappings")


@pytest.fixture
def deployed(aws: str) -> MotoStack:  # noqa: ARG001  # its clients talk to it
    """A stack with something to read and to change: a delivery, dead letters, a contact."""
    deployed = MotoStack(function=True, parameters={"LoopsBaseUrl": "http://127.0.0.1:9"})
    deployed.log_result(SEND_EVENT, result(Outcome.DELIVERED, status=200), EVENT, ago=10)
    for number in range(3):
        event, given = (
            json.dumps(EVENT | {"messageId": f"m-{number}"}),
            {"action": "sendEvent", "subscription": "events"},
        )
        deployed.bury(Message(f"key-{number}", time.time(), Reason.REFUSED, event=event, **given))
    known = {"plan": Property(EventClock(1, 1, "m-1", "contacts"), "hash", 1)}
    key = Hasher(deployed.id).contact_key("u-1")
    deployed.store.write(Write(key, ContactRecord(known).to_item(), None, 600))
    return deployed


@pytest.fixture
def aws_front(deployed: MotoStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:  # noqa: ARG001  # made before
    with front() as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
        yield served


@pytest.fixture
def client(aws_front: Front, tmp_path: Path) -> FlaskClient:  # noqa: ARG001  # it is in between
    (tmp_path / "mappings.json").write_text("{}")
    return stack_studio(find_stack(AwsAccount(), NAME), tmp_path / "mappings.json").test_client()


def read(cli: CommandLine, client: FlaskClient) -> None:
    """Call each command and each part of the page that only reads."""
    for arguments in READING:
        run = cli(*arguments, "--stack", NAME)
        assert run.status == 0 or arguments == ("doctor",), run.err  # it finds fault with this stack
        assert LACKING not in run.out + run.err
    for path in READING_PAGES:
        assert client.get(f"{API}/{path}").status_code == 200
    assert client.post(f"{API}/deliveries", json={"since": 60.0}).status_code == 200
    assert client.post(f"{API}/contact", json={"userId": "u-1"}).status_code == 200


def test_reading_calls_what_its_policy_allows(cli: CommandLine, client: FlaskClient, aws_front: Front) -> None:
    """The commands and pages that only read call every action of read.json, and no other."""
    read(cli, client)
    assert aws_front.called == actions("read") - ONLY_AFTER_CTRL_C


def test_repairing_calls_what_both_policies_allow(cli: CommandLine, client: FlaskClient, aws_front: Front) -> None:
    """Reading dead letters and changing something also calls every action of repair.json, and no other."""
    for arguments in REPAIRING:
        assert cli(*arguments, "--stack", NAME).status == 0
    assert client.post(f"{API}/dead-letters/read", json={}).status_code == 200
    assert aws_front.called - actions("read") == actions("repair")


def test_reading_works_without_the_rights_to_repair(cli: CommandLine, client: FlaskClient, aws_front: Front) -> None:
    """With the rights of read.json, everything that only reads works, and everything else names the missing permission."""
    aws_front.denied.update(actions("repair"))
    read(cli, client)
    for arguments in REPAIRING:
        run = cli(*arguments, "--stack", NAME)
        missing = MISSING.get(arguments[:2], "sqs:ReceiveMessage")
        assert (run.status, f"{LACKING} the permission {missing}." in run.err) == (1, True), arguments
    answer = client.post(f"{API}/dead-letters/read", json={})
    assert (answer.status_code, f"{LACKING} the permission sqs:ReceiveMessage." in answer.json["message"]) == (
        502,
        True,
    )


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("logs:StartQuery", ("trace", MESSAGE_ID)),
        ("logs:GetQueryResults", ("trace", MESSAGE_ID)),
        ("secretsmanager:GetSecretValue", ("trace", "--user-id", "u-1")),
        ("dynamodb:GetItem", ("ledger", "show", "--user-id", "u-1")),
        ("sqs:SendMessage", ("dead-letters", "redrive")),
        ("sqs:DeleteMessage", ("dead-letters", "drop", "--yes")),
    ],
)
def test_a_missing_permission_is_named(
    cli: CommandLine, aws_front: Front, action: str, arguments: tuple[str, ...]
) -> None:
    """Without a right, the command that needs it says which one, and where the policies are."""
    aws_front.denied.add(action)
    run = cli(*arguments, "--stack", NAME)
    assert (run.status, run.out) == (1, "")
    assert f"{LACKING} the permission {action}. docs/policies/ has the policies that the commands need." in run.err


def test_a_trace_of_segments_messageid_needs_no_secret(cli: CommandLine, aws_front: Front) -> None:
    """The secret is not read if no hash is needed."""
    assert cli("trace", MESSAGE_ID, "--stack", NAME).status == 0
    assert "secretsmanager:GetSecretValue" not in aws_front.called


@pytest.mark.parametrize("name", ["read", "repair"])
def test_every_resource_is_narrow(name: str) -> None:
    """Each action is limited to resources of the stack; only those that IAM cannot limit have a wildcard."""
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

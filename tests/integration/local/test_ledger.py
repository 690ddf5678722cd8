"""The local stack with the contact ledger: DynamoDB's table, both functions and Loops together."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from local.aws import DYNAMODB
from local.sandbox import Sandbox
from local.stack import SHARED_SECRET, LocalStack
from loops_destination.signature import sign
from tests.integration.local.conftest import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger_stack(clock: Clock) -> Iterator[LocalStack]:
    sandbox = Sandbox(limit=None, clock=clock.time, sleep=clock.sleep)
    with LocalStack(clock=clock, sandbox=sandbox, polling=False) as stack:
        yield stack


@pytest.fixture
def stack_without(clock: Clock) -> Iterator[LocalStack]:
    sandbox = Sandbox(limit=None, clock=clock.time, sleep=clock.sleep)
    parameters = {"ContactLedger": "false"}
    with LocalStack(clock=clock, sandbox=sandbox, polling=False, parameters=parameters) as stack:
        yield stack


def post(stack: LocalStack, kind: str, second: float, **content: Any) -> tuple[int, list[str]]:
    """Post an event that happened some seconds before now; return the status and the outcomes."""
    moment = datetime.fromtimestamp(stack.clock.time() - second, UTC).isoformat()
    event = {"type": kind, "messageId": f"m-{kind}-{second}-{stack.clock.time()}", "userId": "u-1"}
    body = json.dumps(event | {"timestamp": moment, "receivedAt": moment} | content).encode()
    headers = {"X-Signature": sign(body, SHARED_SECRET)}
    answer = urllib3.request("POST", stack.outputs["SegmentUrl"], body=body, headers=headers, timeout=30)
    return answer.status, [each.get("reason") or each["outcome"] for each in answer.json()["results"]]


def identify(stack: LocalStack, second: float, name: str) -> tuple[int, list[str]]:
    return post(stack, "identify", second, traits={"email": "a@b.co", "firstName": name})


def calls(stack: LocalStack) -> list[str]:
    return [entry.path.rpartition("/v1")[2] for entry in stack.sandbox.journal.all()]


def test_contacts_never_go_backwards(ledger_stack: LocalStack) -> None:
    """A repeat is `unchanged`, an older update `superseded`, and neither is sent; the newest value stands."""
    assert identify(ledger_stack, 20, "Ada") == (200, ["delivered"])
    assert identify(ledger_stack, 10, "Ada") == (200, ["unchanged"])
    assert identify(ledger_stack, 30, "Old") == (200, ["superseded"])
    assert calls(ledger_stack) == ["/contacts/update"]


def test_a_deleted_contact_stays_deleted(ledger_stack: LocalStack, clock: Clock) -> None:
    """A deletion is carried out in its second step, and an older update does not bring the contact back."""
    identify(ledger_stack, 30, "Ada")
    assert post(ledger_stack, "delete", 20) == (202, ["deletion-begun"])
    clock.sleep(31)
    ledger_stack.redeliver()
    assert identify(ledger_stack, 60, "Old") == (200, ["superseded"])
    assert ledger_stack.sandbox.contacts.all() == []
    assert ledger_stack.waiting() == ledger_stack.dead_letters() == []


def test_an_outage_of_dynamodb_loses_nothing(ledger_stack: LocalStack, clock: Clock) -> None:
    """While DynamoDB fails, deliveries wait on the RetryQueue; once it is back, they arrive."""
    ledger_stack.aws.outage(DYNAMODB)
    assert identify(ledger_stack, 10, "Ada") == (202, ["ledger-unavailable"])
    ledger_stack.aws.recover()
    clock.sleep(60)
    ledger_stack.redeliver()
    assert calls(ledger_stack) == ["/contacts/update"]
    assert ledger_stack.waiting() == ledger_stack.dead_letters() == []


def test_without_the_ledger_everything_is_sent(stack_without: LocalStack) -> None:
    """With ContactLedger=false DynamoDB is not called, every event is sent as it arrives, and a deletion has one step."""
    stack_without.aws.outage(DYNAMODB)
    assert identify(stack_without, 20, "Ada") == (200, ["delivered"])
    assert identify(stack_without, 10, "Ada") == (200, ["delivered"])
    assert identify(stack_without, 30, "Old") == (200, ["delivered"])
    assert post(stack_without, "delete", 5) == (200, ["delivered"])
    assert calls(stack_without) == [*["/contacts/update"] * 3, "/contacts/delete"]

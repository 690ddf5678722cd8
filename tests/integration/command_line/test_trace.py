"""`segment-loops trace` against a stack on moto, whose Logs Insights returns every line whatever the filter."""

from __future__ import annotations

import json
import re
import time
import uuid
from datetime import UTC, datetime

import boto3
import pytest

from loops_destination.messages import Message
from loops_destination.outcomes import Outcome, Reason
from tests.integration.command_line.conftest import CommandLine
from tests.moto_stack import NAME, REDELIVERY, SEND_EVENT, MotoStack, result

MESSAGE_ID = str(uuid.UUID(int=7))
EVENT = {
    "type": "track",
    "messageId": MESSAGE_ID,
    "userId": "u-1",
    "event": "Signed Up",
    "context": {"traits": {"email": "adam@loops.so"}},
}


@pytest.fixture
def deployed(aws: str) -> MotoStack:  # noqa: ARG001  # its clients talk to it
    return MotoStack()


@pytest.fixture
def retried(deployed: MotoStack) -> MotoStack:
    """A stack with an event that was queued and then delivered."""
    deployed.log_result(SEND_EVENT, result(Outcome.QUEUED, Reason.RATE_LIMITED, 429), EVENT, ago=60)
    deployed.log_result(REDELIVERY, result(Outcome.DELIVERED, status=200), EVENT, 2, ago=30)
    return deployed


def test_a_timeline_is_printed(cli: CommandLine, retried: MotoStack) -> None:  # noqa: ARG001
    """Each step is a row with its time, result and attempt; the state of each delivery follows."""
    run = cli("trace", MESSAGE_ID, "--stack", NAME)
    assert run.status == 0, run.err
    lines = [" ".join(line.split()[2:] if line[:2] == "20" else line.split()) for line in run.out.splitlines()]
    assert lines[0].startswith(f"track {MESSAGE_ID}, user ")
    assert lines[1:] == [
        "Time (UTC) Step Result Subscription Attempt Loops ms",
        "arrived queued: rate-limited events 1 429 250.0",
        "tried delivered events 2 200 250.0",
        "events: delivered.",
        "",
    ]


def test_the_size_is_printed_before_the_search(cli: CommandLine, retried: MotoStack) -> None:
    """The size of the log and the price come first, on standard error."""
    retried.take_in(38_200_000)
    run = cli("trace", MESSAGE_ID, "--stack", NAME, "--since", "2h")
    since = datetime.fromtimestamp(time.time() - 7200, UTC)
    assert re.fullmatch(
        rf"Searching the log of {NAME} since {since:%Y-%m-%d} \d\d:\d\d \(UTC\): 38\.2 MB, under \$0\.01\.",
        run.err.splitlines()[0],
    )


def test_a_large_search_asks_first(cli: CommandLine, retried: MotoStack) -> None:
    """Above 10 GB nothing is searched without a yes."""
    retried.take_in(60_000_000_000)
    run = cli("trace", MESSAGE_ID, "--stack", NAME)
    assert (run.status, run.out) == (1, "")
    assert "60.0 GB, about $0.30" in run.err
    assert "Nothing was searched. Pass a shorter --since, or --yes" in run.err
    assert cli("trace", MESSAGE_ID, "--stack", NAME, "--yes").status == 0


def test_json_is_for_programs(cli: CommandLine, retried: MotoStack) -> None:  # noqa: ARG001
    """--json prints the deliveries with their steps, and holds neither the event's name nor an email or a userId."""
    run = cli("trace", "--user-id", "u-1", "--stack", NAME, "--json")
    assert run.status == 0, run.err
    [delivery] = run.json["deliveries"]
    assert (delivery["messageId"], delivery["state"], delivery["type"]) == (MESSAGE_ID, "delivered", "track")
    assert [(step["step"], step["outcome"], step["function"]) for step in delivery["steps"]] == [
        ("arrived", "queued", "send_event"),
        ("tried", "delivered", "redelivery"),
    ]
    assert run.json["complete"] is True
    assert not any(word in run.out for word in ("adam", "Signed Up", "u-1"))


def test_dead_letters_are_read_on_request(cli: CommandLine, deployed: MotoStack) -> None:
    """With --dead-letters the event's dead letter is a step, and stays on the queue for others."""
    deployed.log_result(SEND_EVENT, result(Outcome.REJECTED, Reason.REFUSED, 400), EVENT, ago=60)
    for event in (EVENT, EVENT | {"messageId": "another", "userId": "u-2"}):
        message = Message(str(uuid.uuid4()), 0.0, Reason.REFUSED, event=json.dumps(event), action="sendEvent")
        deployed.bury(message)
    run = cli("trace", MESSAGE_ID, "--stack", NAME, "--dead-letters", "--json")
    steps = [step for delivery in run.json["deliveries"] for step in delivery["steps"]]
    assert [(step["step"], step.get("onDeadLetterQueue")) for step in steps] == [
        ("arrived", None),
        ("dead letter", True),
    ]
    url = deployed.names["DeadLetterQueue"]
    assert len(boto3.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]) == 2


def test_no_result_says_what_to_check(cli: CommandLine, deployed: MotoStack) -> None:  # noqa: ARG001
    """If no line is found, the status is 1, and the message lists possible causes, such as the stack's log level."""
    run = cli("trace", MESSAGE_ID, "--stack", NAME)
    assert run.status == 1
    assert f"No delivery with the messageId {MESSAGE_ID} was found in the log of {NAME}. Check:" in run.err
    assert "it is kept for 30 days" in run.err
    assert "LogLevel" not in run.err


@pytest.mark.usefixtures("aws")
def test_a_log_level_that_hides_deliveries_is_named(cli: CommandLine) -> None:
    """A stack that logs warnings only has no lines of deliveries that went well, which is the first thing to check."""
    MotoStack(parameters={"LogLevel": "WARNING"})
    assert "WARNING leaves out deliveries that went well" in cli("trace", MESSAGE_ID, "--stack", NAME).err


def test_a_stack_without_a_shared_secret_has_no_users(cli: CommandLine, deployed: MotoStack) -> None:
    """Without a sharedSecret in the secret, the log has no users, and the error says what to do instead."""
    boto3.client("secretsmanager").put_secret_value(SecretId=deployed.secret_arn, SecretString='{"apiKey": "k"}')
    boto3.client("secretsmanager").put_secret_value(SecretId=deployed.secret_arn, SecretString='{"apiKey": "k2"}')
    run = cli("trace", "--user-id", "u-1", "--stack", NAME)
    assert run.status == 1
    assert "holds no sharedSecret, so the log leaves users out. Trace a messageId instead." in run.err


@pytest.mark.parametrize("arguments", [[], [MESSAGE_ID, "--user-id", "u-1"], [MESSAGE_ID, "--since", "soon"]])
def test_a_misused_command_has_status_2(cli: CommandLine, arguments: list[str]) -> None:
    """Neither or both of a messageId and a userId, or an invalid time, is misuse."""
    assert cli("trace", *arguments, "--stack", NAME).status == 2


def test_a_log_group_that_does_not_exist_is_named(cli: CommandLine, deployed: MotoStack) -> None:
    """If a log group was deleted by hand, the error names the log groups."""
    boto3.client("logs").delete_log_group(logGroupName=deployed.names["RedeliveryLogs"])
    run = cli("trace", MESSAGE_ID, "--stack", NAME)
    assert run.status == 1
    assert deployed.names["RedeliveryLogs"] in run.err

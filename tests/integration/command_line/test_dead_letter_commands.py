"""`segment-loops dead-letters`."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from local.stack import LocalStack
from loops_destination.clock import SystemClock
from loops_destination.delivery import IDEMPOTENCY_KEY_REMEMBERED_SECONDS
from loops_destination.messages import QueueName, RoutedMessage, body_message
from loops_destination.outcomes import Reason
from loops_destination.queues import Queues
from loops_destination.received_messages import read_message
from tests.integration.command_line.conftest import CommandLine, QueuePair, dead_letter

HOUR, DAY = 3600, 86400
TEAM = "team-loops"


@pytest.fixture
def now() -> float:
    return time.time()


@pytest.fixture
def at(queues: QueuePair) -> tuple[str, ...]:
    return ("--dead-letter-queue-url", queues.dead_letter_queue_url, "--retry-queue-url", queues.retry_queue_url)


def idempotency_keys(bodies: list[str]) -> list[str]:
    return sorted(json.loads(body)["idempotencyKey"] for body in bodies)


def test_list_counts_dead_letters(cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float) -> None:
    """`list` counts by reason, action and subscription, the largest group first, with the age of the oldest event."""
    for number in range(3):
        queues.bury(dead_letter(number, received_at=now - (number + 1) * HOUR))
    queues.bury(
        dead_letter(9, Reason.IDEMPOTENCY_KEY_EXPIRED, received_at=now - 2 * DAY, action="createOrUpdateContact")
    )
    queues.bury(body_message(b"nothing", now, Reason.NOT_AN_EVENT, "no JSON"))
    lines = cli("dead-letters", "list", *at).out.splitlines()
    assert lines[0].split() == ["Count", "Oldest", "Reason", "Action", "Subscription"]
    assert lines[1].split() == ["3", "3", "h", "0", "min", "refused", "sendEvent", "Send", "an", "event"]
    assert lines[2].split()[:6] == ["1", "2", "d", "0", "h", "idempotency-key-expired"]
    assert lines[3].split()[-3:] == ["not-an-event", "-", "-"]
    assert lines[5] == "5 dead letters"
    (first, *_) = cli("dead-letters", "list", *at, "--json").json["groups"]
    assert (first["deadLetters"], first["reason"], first["oldestSeconds"] // HOUR) == (3, "refused", 3)


def test_reading_hides_nothing(cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float) -> None:
    """After `list`, `show` and `export` every dead letter can be received at once by other programs."""
    for number in range(23):
        queues.bury(dead_letter(number, received_at=now))
    for command in (("list",), ("show",), ("export", "-")):
        assert cli("dead-letters", *command, *at).status == 0
        assert len(queues.dead_letters()) == 23


def test_dead_letters_that_another_program_holds_are_counted(
    cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float
) -> None:
    """Dead letters that another program has received are missing from the result, and a message says how many."""
    queues.bury(dead_letter(1, received_at=now))
    queues.sqs.receive_message(QueueUrl=queues.dead_letter_queue_url)
    run = cli("dead-letters", "list", *at)
    assert run.out == "There are no dead letters.\n"
    assert run.err == "About 1 dead letter more cannot be read now: another program has them.\n"


def test_an_empty_queue_is_a_success(cli: CommandLine, at: tuple[str, ...]) -> None:
    """Without dead letters `list` and `show` say so, and end with status 0."""
    for command in ("list", "show"):
        run = cli("dead-letters", command, *at)
        assert (run.status, run.out) == (0, "There are no dead letters.\n")


def test_show_prints_a_dead_letter_in_full(
    cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float
) -> None:
    """`show` prints the reason, Loops' status and message, the idempotency key and the whole event."""
    queues.bury(dead_letter(1, received_at=now - HOUR, detail="Multiple contacts", status=400))
    out = cli("dead-letters", "show", *at).out
    for words in ("refused (Loops answered 400)", "Multiple contacts", "key-1", "1 h 0 min ago", '"userId": "u-1"'):
        assert words in out


def test_a_body_that_is_not_an_event_is_shown(
    cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float
) -> None:
    """A body that is not an event, and a message of another program, are shown with control characters escaped."""
    queues.bury(body_message(b"not [bold]\x1b[31m json", now, Reason.NOT_AN_EVENT, "no JSON"))
    queues.bury("somebody else's")
    out = cli("dead-letters", "show", *at).out
    assert r"not [bold]\u001b[31m json" in out
    assert "somebody else's" in out
    assert "unreadable-message" in out


def test_dead_letters_are_selected(cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float) -> None:
    """A dead letter must match every option; of an option given twice, either value."""
    for number in range(3):
        queues.bury(dead_letter(number, received_at=now - number * HOUR))
    either = ("--reason", "refused", "--reason", "timeout", "--user-id", "u-0", "--user-id", "u-2")
    assert len(cli("dead-letters", "show", *at, *either, "--json").json) == 2
    every = (
        "--subscription",
        "Send an event",
        "--action",
        "sendEvent",
        "--idempotency-key",
        "key-2",
        "--older-than",
        "90m",
    )
    (chosen,) = cli("dead-letters", "show", *at, *either, *every, "--json").json
    assert chosen["message"]["idempotencyKey"] == "key-2"
    nothing = cli("dead-letters", "show", *at, "--reason", "timeout")
    assert nothing.out == "None of 3 dead letters matches.\n"


def test_redrive_puts_messages_back_unchanged(
    cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float
) -> None:
    """A redriven message is on the RetryQueue byte for byte, and no longer on the DeadLetterQueue."""
    messages = [dead_letter(number, received_at=now - HOUR) for number in range(12)]
    for message in messages:
        queues.bury(message)
    run = cli("dead-letters", "redrive", *at, "--rate", "1000")
    assert (run.status, run.err) == (0, "")
    assert "12 of 12 deliveries put back" in run.out
    assert sorted(queues.waiting()) == sorted(message.to_json() for message in messages)
    assert queues.dead_letters() == []


def test_only_selected_deliveries_are_redriven(
    cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float
) -> None:
    """Deliveries beyond --limit stay dead letters; the oldest are redriven first."""
    for number in range(4):
        queues.bury(dead_letter(number, received_at=now))
        time.sleep(0.002)
    run = cli("dead-letters", "redrive", *at, "--limit", "2", "--json")
    assert (run.json["selected"], run.json["redriven"]) == (2, 2)
    assert idempotency_keys(queues.waiting()) == ["key-0", "key-1"]
    assert idempotency_keys(queues.dead_letters()) == ["key-2", "key-3"]


def test_a_dry_run_changes_nothing(cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float) -> None:
    """With --dry-run `redrive` and `drop` only print what they would do."""
    queues.bury(dead_letter(1, received_at=now))
    assert "1 of 1 delivery would be put back" in cli("dead-letters", "redrive", *at, "--dry-run").out
    assert "1 dead letter would be deleted" in cli("dead-letters", "drop", *at, "--dry-run").out
    assert (queues.waiting(), len(queues.dead_letters())) == ([], 1)


def test_duplicates_are_redriven_once(cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float) -> None:
    """Of dead letters with one idempotency key, the one that Loops refused is put back, and all are deleted."""
    refused = dead_letter(1, received_at=now)
    for message in (
        dead_letter(1, Reason.TIMEOUT, received_at=now),
        refused,
        dead_letter(1, Reason.TIMEOUT, received_at=now),
    ):
        queues.bury(message)
    assert "3 dead letters, 2 duplicates among them" in cli("dead-letters", "list", *at).out
    assert [each["duplicate"] for each in cli("dead-letters", "show", *at, "--json").json] == [False, True, True]
    run = cli("dead-letters", "redrive", *at, "--reason", "timeout")
    assert "2 duplicates deleted" in run.out
    assert queues.waiting() == [refused.to_json()]
    assert queues.dead_letters() == []


def test_a_dead_letter_without_an_event_is_left(
    cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float
) -> None:
    """A dead letter that holds no event stays, is counted in the output, and makes the status 1."""
    queues.bury(body_message(b"nothing", now, Reason.NOT_AN_EVENT, "no JSON"))
    queues.bury(dead_letter(1, received_at=now))
    run = cli("dead-letters", "redrive", *at)
    assert run.status == 1
    assert "1 of 2 deliveries put back" in run.out
    assert "1 left: no event" in run.err
    assert len(queues.dead_letters()) == 1


@pytest.mark.parametrize(
    ("reason", "hours"),
    [(Reason.IDEMPOTENCY_KEY_EXPIRED, 1), (Reason.REFUSED, 48), (Reason.IDEMPOTENCY_KEY_ALREADY_USED, 1)],
)
def test_an_event_that_needs_a_new_idempotency_key_waits_for_a_person(
    cli: CommandLine, queues: QueuePair, at: tuple[str, ...], reason: Reason, hours: int
) -> None:
    """Without --repeat-expired, and without a person to ask, it is left; with it, it gets a new idempotency key and arrival."""
    now = time.time()
    queues.bury(dead_letter(1, reason, received_at=now - hours * HOUR))
    run = cli("dead-letters", "redrive", *at)
    assert run.status == 1
    assert "--repeat-expired" in run.err
    assert queues.waiting() == []
    assert cli("dead-letters", "redrive", *at, "--repeat-expired").status == 0
    (body,) = queues.waiting()
    message, event = read_message(body)
    assert message.idempotency_key != "key-1"
    assert message.received_at >= now - 1
    assert message.reason is Reason.IDEMPOTENCY_KEY_EXPIRED
    assert event["messageId"] == "m-1"
    assert queues.dead_letters() == []


@pytest.mark.parametrize("hours", [1, 48])
def test_an_event_that_was_too_old_is_redriven_with_accept_old_only(
    cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float, hours: int
) -> None:
    """A `too-old` dead letter needs --accept-old, not just --yes; it keeps its idempotency key and gets a new arrival."""
    queues.bury(dead_letter(1, Reason.TOO_OLD, received_at=now - hours * HOUR, attempts=0))
    run = cli("dead-letters", "redrive", *at, "--yes")
    assert run.status == 1
    assert "1 left: older than MaxEventAgeHours" in run.err
    assert cli("dead-letters", "redrive", *at, "--json").json["left"]["too-old"] == 1
    assert queues.waiting() == []
    assert "1 of 1 delivery would be put back" in cli("dead-letters", "redrive", *at, "--accept-old", "--dry-run").out
    assert cli("dead-letters", "redrive", *at, "--accept-old").status == 0
    (message, event) = read_message(*queues.waiting())
    assert (message.idempotency_key, message.old_is_accepted, event["messageId"]) == ("key-1", True, "m-1")
    assert message.received_at >= now - 1
    assert queues.dead_letters() == []


def test_a_tried_event_that_became_too_old_needs_both_options(
    cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float
) -> None:
    """An event that Loops may have processed is not sent again with --accept-old alone."""
    queues.bury(dead_letter(1, Reason.TOO_OLD, received_at=now - 48 * HOUR, attempts=2))
    assert "--repeat-expired" in cli("dead-letters", "redrive", *at, "--accept-old").err
    assert cli("dead-letters", "redrive", *at, "--accept-old", "--repeat-expired").status == 0
    (message, _) = read_message(*queues.waiting())
    assert (message.idempotency_key != "key-1", message.old_is_accepted) == (True, True)


def test_a_contact_is_redriven_at_any_age(cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float) -> None:
    """Contact updates have no idempotency key at Loops, so an old one is put back unchanged."""
    queues.bury(dead_letter(1, received_at=now - 5 * DAY, action="createOrUpdateContact"))
    assert cli("dead-letters", "redrive", *at).status == 0
    assert idempotency_keys(queues.waiting()) == ["key-1"]


def test_a_repeated_redrive_derives_the_same_idempotency_key(
    cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float
) -> None:
    """An event that is redriven twice gets the same new idempotency key, so that Loops processes it once."""
    old = dead_letter(1, Reason.IDEMPOTENCY_KEY_EXPIRED, received_at=now - IDEMPOTENCY_KEY_REMEMBERED_SECONDS)
    for _ in range(2):
        queues.bury(old)
        assert cli("dead-letters", "redrive", *at, "--yes").status == 0
    assert len(set(idempotency_keys(queues.waiting()))) == 1


def test_an_interrupted_redrive_loses_nothing(
    cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-C each delivery is on one of the queues and visible, and the status is 130."""
    for number in range(6):
        queues.bury(dead_letter(number, received_at=now))
    sleep = SystemClock.sleep
    monkeypatch.setattr(SystemClock, "sleep", lambda clock, _: (signal.raise_signal(signal.SIGINT), sleep(clock, 0)))
    run = cli("dead-letters", "redrive", *at, "--rate", "2")
    monkeypatch.undo()
    assert run.status == 130
    assert "1 of 6 deliveries put back" in run.out
    assert "Interrupted. 5 deliveries not processed" in run.err
    assert sorted(idempotency_keys(queues.waiting()) + idempotency_keys(queues.dead_letters())) == [
        f"key-{number}" for number in range(6)
    ]


def test_redelivery_reads_what_redrive_puts_back(
    cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float
) -> None:
    """A dead letter stored by the product is redriven into a message that the product reads."""
    message = dead_letter(1, received_at=now, detail="a message", status=404)
    clock = SystemClock()
    assert Queues({QueueName.DEAD_LETTER: queues.dead_letter_queue_url}, clock).store(
        [RoutedMessage(QueueName.DEAD_LETTER, message)], clock.time() + 60
    ) == [True]
    cli("dead-letters", "redrive", *at)
    (body,) = queues.waiting()
    assert read_message(body)[0].detail == "a message"


def test_drop_needs_a_yes(cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float) -> None:
    """`drop` deletes the selected dead letters, but nothing unless a person or --yes agrees."""
    for number in range(12):
        queues.bury(dead_letter(number, received_at=now))
    run = cli("dead-letters", "drop", *at)
    assert run.status == 1
    assert "Nothing was deleted" in run.err
    assert len(queues.dead_letters()) == 12
    assert "11 dead letters deleted" in cli("dead-letters", "drop", *at, "--limit", "11", "--yes").out
    assert len(queues.dead_letters()) == 1
    assert cli("dead-letters", "drop", *at, "--yes", "--json").json == {"dropped": 1, "selected": 1, "dryRun": False}


def test_export_writes_json_lines(
    cli: CommandLine, queues: QueuePair, at: tuple[str, ...], now: float, tmp_path: Path
) -> None:
    """`export` writes one JSON object a line to a file that only its owner may read, and deletes nothing."""
    queues.bury(dead_letter(1, received_at=now, status=400))
    queues.bury(dead_letter(2, Reason.TIMEOUT, received_at=now))
    file = tmp_path / "dead-letters.jsonl"
    run = cli("dead-letters", "export", *at, "--reason", "refused", file)
    assert (run.status, run.err) == (0, "1 dead letter exported, none deleted.\n")
    (line,) = map(json.loads, file.read_text().splitlines())
    assert (line["status"], line["message"]["idempotencyKey"], line["message"]["event"]["userId"]) == (
        400,
        "key-1",
        "u-1",
    )
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(queues.dead_letters()) == 2
    assert "--force" in cli("dead-letters", "export", *at, file).err
    assert cli("dead-letters", "export", *at, file, "--force").status == 0
    assert len(file.read_text().splitlines()) == 2


def test_a_stack_is_found_by_its_name(cli: CommandLine, queues: QueuePair, stack: str, now: float) -> None:
    """With --stack, the queues come from the stack's outputs."""
    queues.bury(dead_letter(1, received_at=now))
    assert cli("dead-letters", "redrive", "--stack", stack).status == 0
    assert idempotency_keys(queues.waiting()) == ["key-1"]


def test_a_redrive_needs_both_queues(cli: CommandLine, at: tuple[str, ...]) -> None:
    """`redrive` with --dead-letter-queue-url but without --retry-queue-url is misuse."""
    run = cli("dead-letters", "redrive", *at[:2])
    assert run.status == 2
    assert "--retry-queue-url" in run.err


def test_the_local_stack_is_reached(cli: CommandLine) -> None:
    """With --local the dead letters of the stack on this machine are redriven."""
    with LocalStack(polling=False) as local:
        event = dead_letter(1, received_at=time.time())
        local.sqs.send_message(QueueUrl=local.outputs["DeadLetterQueueUrl"], MessageBody=event.to_json())
        port = local.aws.url.rpartition(":")[2]
        assert cli("dead-letters", "redrive", "--local", "--aws-port", port).status == 0
        assert idempotency_keys(local.waiting()) == ["key-1"]
        assert local.dead_letters() == []


def test_without_a_local_stack_make_run_is_named(cli: CommandLine, free_port: int) -> None:
    """If no local stack is running, the error names `make run`."""
    run = cli("dead-letters", "list", "--local", "--aws-port", str(free_port))
    assert (run.status, run.err.count("\n")) == (1, 1)
    assert "make run" in run.err


def test_a_message_that_sqs_moved_has_a_reason_of_its_own(cli: CommandLine) -> None:
    """`list` shows `receives-exhausted` for a message that SQS moved, and --reason selects it."""
    waiting = dead_letter(1, Reason.RATE_LIMITED, received_at=time.time())
    with LocalStack(polling=False) as local:
        retry, arn = local.outputs["RetryQueueUrl"], local.aws.queue_values("DeadLetterQueue")["Arn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
        local.sqs.set_queue_attributes(QueueUrl=retry, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"})
        local.sqs.send_message(QueueUrl=retry, MessageBody=waiting.to_json())
        for _ in range(2):
            local.sqs.receive_message(QueueUrl=retry)
        at = ("--local", "--aws-port", local.aws.url.rpartition(":")[2])
        (group,) = cli("dead-letters", "list", *at, "--json").json["groups"]
        (shown,) = cli("dead-letters", "show", *at, "--reason", "receives-exhausted", "--json").json
    assert (group["deadLetters"], group["reason"], group["action"]) == (1, "receives-exhausted", "sendEvent")
    assert (shown["reason"], shown["message"]["idempotencyKey"]) == ("receives-exhausted", "key-1")


@pytest.mark.usefixtures("aws")
def test_an_unknown_stack_is_an_error(cli: CommandLine) -> None:
    """The error about an unknown stack is one line with its name."""
    run = cli("dead-letters", "list", "--stack", "no-such-stack")
    assert (run.status, run.err.count("\n")) == (1, 1)
    assert "no-such-stack" in run.err
    assert "does not exist" in run.err


def test_an_unknown_queue_is_an_error(cli: CommandLine, aws: str) -> None:
    """The error about an unknown queue is one line with its URL."""
    run = cli("dead-letters", "list", "--dead-letter-queue-url", f"{aws}/123456789012/none")
    assert (run.status, run.err.count("\n")) == (1, 1)
    assert "/none" in run.err


@pytest.mark.usefixtures("aws")
def test_missing_aws_settings_name_the_option(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A missing region, missing credentials and an unknown profile are errors that name the option to pass."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "--profile" in cli("dead-letters", "list", "--stack", TEAM, "--profile", "nobody").err
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "No AWS credentials" in cli("dead-letters", "list", "--stack", TEAM).err
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "--region" in cli("dead-letters", "list", "--stack", TEAM).err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--stack", "a", "--local"),
        ("--local", "--reason", "refusd"),
        ("--local", "--older-than", "soon"),
        ("--local", "--aws-port", "0"),
    ],
)
def test_misuse_has_status_2(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    """Contradictory options and invalid values are misuse."""
    assert cli("dead-letters", "list", *arguments).status == 2


def test_a_mistyped_reason_is_corrected(cli: CommandLine) -> None:
    """An unknown reason is answered with the reasons closest to it."""
    assert "Did you mean refused?" in cli("dead-letters", "list", "--local", "--reason", "refusd").err


@pytest.mark.usefixtures("aws")
def test_the_stack_in_samconfig_is_the_default(cli: CommandLine) -> None:
    """Without --stack, the stack is the one that a section of samconfig.toml names."""
    assert "segment-loops does not exist" in cli("dead-letters", "list").err
    assert "segment-loops-staging" in cli("dead-letters", "list", "--config-env", "staging").err
    assert "names no stack for nowhere" in cli("dead-letters", "list", "--config-env", "nowhere").err

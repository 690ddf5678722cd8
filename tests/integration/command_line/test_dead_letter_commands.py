"""`segment-loops dead-letters`, on the queues of a queues."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from local.stack import LocalStack
from loops_destination.clock import SystemClock
from loops_destination.messages import Parcel, QueueName, body_message
from loops_destination.outcomes import Reason
from loops_destination.queues import Queues as ProductQueues
from loops_destination.received import read_message
from loops_destination.redelivery import IDEMPOTENCY_KEY_REMEMBERED_SECONDS
from tests.integration.command_line.conftest import Cli, Queues, letter

HOUR, DAY = 3600, 86400
TEAM = "team-loops"


@pytest.fixture
def now() -> float:
    return time.time()


@pytest.fixture
def at(queues: Queues) -> tuple[str, ...]:
    return ("--dead-letter-queue-url", queues.dead_letter_queue_url, "--retry-queue-url", queues.retry_queue_url)


def keys(bodies: list[str]) -> list[str]:
    return sorted(json.loads(body)["key"] for body in bodies)


def test_letters_are_counted(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """`list` counts by reason, action and subscription, the most first, with the age of the oldest event."""
    for number in range(3):
        queues.bury(letter(number, received_at=now - (number + 1) * HOUR))
    queues.bury(letter(9, Reason.IDEMPOTENCY_KEY_EXPIRED, received_at=now - 2 * DAY, action="createOrUpdateContact"))
    queues.bury(body_message(b"nothing", now, Reason.NOT_AN_EVENT, "no JSON"))
    lines = cli("dead-letters", "list", *at).out.splitlines()
    assert lines[0].split() == ["letters", "oldest", "reason", "action", "subscription"]
    assert lines[1].split() == ["3", "3", "h", "0", "min", "refused", "sendEvent", "Send", "an", "event"]
    assert lines[2].split()[:6] == ["1", "2", "d", "0", "h", "idempotency-key-expired"]
    assert lines[3].split()[-3:] == ["not-an-event", "-", "-"]
    assert lines[5] == "5 letters"
    (first, *_) = cli("dead-letters", "list", *at, "--json").json["groups"]
    assert (first["letters"], first["reason"], first["oldestSeconds"] // HOUR) == (3, "refused", 3)


def test_looking_hides_nothing(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """After `list`, `show` and `export` every letter can be received at once, by whoever."""
    for number in range(23):
        queues.bury(letter(number, received_at=now))
    for command in (("list",), ("show",), ("export", "-")):
        assert cli("dead-letters", *command, *at).status == 0
        assert len(queues.dead_letters()) == 23


def test_letters_that_another_looks_at_are_told(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """Letters that are hidden by another program are missing, and that is said."""
    queues.bury(letter(1, received_at=now))
    queues.sqs.receive_message(QueueUrl=queues.dead_letter_queue_url)
    run = cli("dead-letters", "list", *at)
    assert run.out == "There are no dead letters to see.\n"
    assert run.err == "About 1 letter more: another program looks at them now.\n"


def test_an_empty_queue_is_told(cli: Cli, at: tuple[str, ...]) -> None:
    """No letters are good news."""
    for command in ("list", "show"):
        run = cli("dead-letters", command, *at)
        assert (run.status, run.out) == (0, "There are no dead letters to see.\n")


def test_a_letter_is_shown_in_full(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """`show` tells the reason, Loops' status and message, the key and the whole event."""
    queues.bury(letter(1, received_at=now - HOUR, detail="Multiple contacts", status=400))
    out = cli("dead-letters", "show", *at).out
    for words in ("refused (Loops answered 400)", "Multiple contacts", "key-1", "1 h 0 min ago", '"userId": "u-1"'):
        assert words in out


def test_what_is_no_event_is_shown_as_it_came(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """The body that came instead of an event is unpacked, without what a terminal would obey; so is what is not ours."""
    queues.bury(body_message(b"not \x1b[31m json", now, Reason.NOT_AN_EVENT, "no JSON"))
    queues.bury("somebody else's")
    out = cli("dead-letters", "show", *at).out
    assert r"not \u001b[31m json" in out
    assert "somebody else's" in out
    assert "unreadable-message" in out


def test_letters_are_chosen(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """Every option must fit; one given twice may fit either way."""
    for number in range(3):
        queues.bury(letter(number, received_at=now - number * HOUR))
    either = ("--reason", "refused", "--reason", "timeout", "--user-id", "u-0", "--user-id", "u-2")
    assert len(cli("dead-letters", "show", *at, *either, "--json").json) == 2
    every = ("--subscription", "Send an event", "--action", "sendEvent", "--key", "key-2", "--older-than", "90m")
    (chosen,) = cli("dead-letters", "show", *at, *either, *every, "--json").json
    assert chosen["letter"]["key"] == "key-2"
    nothing = cli("dead-letters", "show", *at, "--reason", "no-such-reason")
    assert nothing.out == "None of 3 dead letters fits.\n"


def test_a_redrive_puts_letters_back_as_they_are(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """A redriven delivery is on the RetryQueue byte for byte, key and all, and gone from the dead letters."""
    messages = [letter(number, received_at=now - HOUR) for number in range(12)]
    for message in messages:
        queues.bury(message)
    run = cli("dead-letters", "redrive", *at, "--rate", "1000")
    assert (run.status, run.err) == (0, "")
    assert "12 of 12 deliveries went back" in run.out
    assert sorted(queues.waiting()) == sorted(message.to_json() for message in messages)
    assert queues.dead_letters() == []


def test_only_the_chosen_are_redriven(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """What is not chosen, or beyond the limit, is a dead letter as before; the oldest go first."""
    for number in range(4):
        queues.bury(letter(number, received_at=now))
        time.sleep(0.002)
    run = cli("dead-letters", "redrive", *at, "--limit", "2", "--json")
    assert (run.json["chosen"], run.json["redriven"]) == (2, 2)
    assert keys(queues.waiting()) == ["key-0", "key-1"]
    assert keys(queues.dead_letters()) == ["key-2", "key-3"]


def test_a_dry_run_changes_nothing(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """With --dry-run it says what would be done, and every letter stays."""
    queues.bury(letter(1, received_at=now))
    assert "1 of 1 delivery would go back" in cli("dead-letters", "redrive", *at, "--dry-run").out
    assert "1 letter would be deleted" in cli("dead-letters", "drop", *at, "--dry-run").out
    assert (queues.waiting(), len(queues.dead_letters())) == ([], 1)


def test_duplicates_go_back_once(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """Letters of one delivery are told by their key: one goes back, the one that knows of a refusal, and all leave."""
    refused = letter(1, received_at=now)
    for message in (letter(1, Reason.TIMEOUT, received_at=now), refused, letter(1, Reason.TIMEOUT, received_at=now)):
        queues.bury(message)
    assert "3 letters, 2 duplicates among them" in cli("dead-letters", "list", *at).out
    assert [each["duplicate"] for each in cli("dead-letters", "show", *at, "--json").json] == [False, True, True]
    run = cli("dead-letters", "redrive", *at, "--reason", "timeout")
    assert "2 duplicates were removed" in run.out
    assert queues.waiting() == [refused.to_json()]
    assert queues.dead_letters() == []


def test_what_is_no_event_is_left(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """What cannot be delivered stays a dead letter, and is told of with its number."""
    queues.bury(body_message(b"nothing", now, Reason.NOT_AN_EVENT, "no JSON"))
    queues.bury(letter(1, received_at=now))
    run = cli("dead-letters", "redrive", *at)
    assert run.status == 1
    assert "1 of 2 deliveries went back" in run.out
    assert "1 left for holding no event" in run.err
    assert len(queues.dead_letters()) == 1


@pytest.mark.parametrize(
    ("reason", "hours"),
    [(Reason.IDEMPOTENCY_KEY_EXPIRED, 1), (Reason.REFUSED, 48), (Reason.IDEMPOTENCY_KEY_ALREADY_USED, 1)],
)
def test_an_event_whose_key_is_useless_waits_for_a_person(
    cli: Cli, queues: Queues, at: tuple[str, ...], reason: Reason, hours: int
) -> None:
    """Nobody being there to agree, it is left; agreed to, it goes back under a new key, as if it had come now."""
    now = time.time()
    queues.bury(letter(1, reason, received_at=now - hours * HOUR))
    run = cli("dead-letters", "redrive", *at)
    assert run.status == 1
    assert "--repeat-expired" in run.err
    assert queues.waiting() == []
    assert cli("dead-letters", "redrive", *at, "--repeat-expired").status == 0
    (body,) = queues.waiting()
    message, event = read_message(body)
    assert message.key != "key-1"
    assert message.received_at >= now - 1
    assert message.reason is Reason.IDEMPOTENCY_KEY_EXPIRED
    assert event["messageId"] == "m-1"
    assert queues.dead_letters() == []


@pytest.mark.parametrize("hours", [1, 48])
def test_an_old_event_goes_back_on_purpose_only(
    cli: Cli, queues: Queues, at: tuple[str, ...], now: float, hours: int
) -> None:
    """A `too-old` letter needs --accept-old, not just a yes; it goes back under its own key, as if it had come now."""
    queues.bury(letter(1, Reason.TOO_OLD, received_at=now - hours * HOUR, attempts=0))
    run = cli("dead-letters", "redrive", *at, "--yes")
    assert run.status == 1
    assert "1 left because they were older than MaxEventAgeHours" in run.err
    assert cli("dead-letters", "redrive", *at, "--json").json["left"]["too-old"] == 1
    assert queues.waiting() == []
    assert "1 of 1 delivery would go back" in cli("dead-letters", "redrive", *at, "--accept-old", "--dry-run").out
    assert cli("dead-letters", "redrive", *at, "--accept-old").status == 0
    (message, event) = read_message(*queues.waiting())
    assert (message.key, message.old_is_accepted, event["messageId"]) == ("key-1", True, "m-1")
    assert message.received_at >= now - 1
    assert queues.dead_letters() == []


def test_an_old_event_that_was_tried_needs_a_new_key_too(
    cli: Cli, queues: Queues, at: tuple[str, ...], now: float
) -> None:
    """An event that Loops may have taken before it counted as old is not sent again for being accepted alone."""
    queues.bury(letter(1, Reason.TOO_OLD, received_at=now - 48 * HOUR, attempts=2))
    assert "--repeat-expired" in cli("dead-letters", "redrive", *at, "--accept-old").err
    assert cli("dead-letters", "redrive", *at, "--accept-old", "--repeat-expired").status == 0
    (message, _) = read_message(*queues.waiting())
    assert (message.key != "key-1", message.old_is_accepted) == (True, True)


def test_a_contact_is_repeated_whatever_its_age(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """Contacts have no key at Loops, so an old one goes back as it is."""
    queues.bury(letter(1, received_at=now - 5 * DAY, action="createOrUpdateContact"))
    assert cli("dead-letters", "redrive", *at).status == 0
    assert keys(queues.waiting()) == ["key-1"]


def test_a_redrive_that_was_broken_off_repeats_nothing(
    cli: Cli, queues: Queues, at: tuple[str, ...], now: float
) -> None:
    """The new key of an event follows from its old one: put back twice, it is one event to Loops."""
    old = letter(1, Reason.IDEMPOTENCY_KEY_EXPIRED, received_at=now - IDEMPOTENCY_KEY_REMEMBERED_SECONDS)
    for _ in range(2):
        queues.bury(old)
        assert cli("dead-letters", "redrive", *at, "--yes").status == 0
    assert len(set(keys(queues.waiting()))) == 1


def test_an_interrupted_redrive_loses_nothing(
    cli: Cli, queues: Queues, at: tuple[str, ...], now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-C each delivery is on either queue, visible, and the next redrive takes up the rest."""
    for number in range(6):
        queues.bury(letter(number, received_at=now))
    sleep = SystemClock.sleep
    monkeypatch.setattr(SystemClock, "sleep", lambda clock, _: (signal.raise_signal(signal.SIGINT), sleep(clock, 0)))
    run = cli("dead-letters", "redrive", *at, "--rate", "2")
    monkeypatch.undo()
    assert run.status == 130
    assert "1 of 6 deliveries went back" in run.out
    assert "Interrupted: the other 5 are as they were" in run.err
    assert sorted(keys(queues.waiting()) + keys(queues.dead_letters())) == [f"key-{number}" for number in range(6)]


def test_a_redriven_letter_is_what_redelivery_reads(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """A letter that the product's own queues stored is redriven for the product's own reader."""
    message = letter(1, received_at=now, detail="said Loops", status=404)
    assert ProductQueues({QueueName.DEAD_LETTER: queues.dead_letter_queue_url}).store(
        [Parcel(QueueName.DEAD_LETTER, message)]
    ) == [True]
    cli("dead-letters", "redrive", *at)
    (body,) = queues.waiting()
    assert read_message(body)[0].detail == "said Loops"


def test_letters_are_dropped_when_somebody_agrees(cli: Cli, queues: Queues, at: tuple[str, ...], now: float) -> None:
    """`drop` deletes the chosen letters for good, but not without a yes."""
    for number in range(12):
        queues.bury(letter(number, received_at=now))
    run = cli("dead-letters", "drop", *at)
    assert run.status == 1
    assert "nothing was deleted" in run.err
    assert len(queues.dead_letters()) == 12
    assert "11 letters deleted" in cli("dead-letters", "drop", *at, "--limit", "11", "--yes").out
    assert len(queues.dead_letters()) == 1
    assert cli("dead-letters", "drop", *at, "--yes", "--json").json == {"dropped": 1, "chosen": 1, "dryRun": False}


def test_letters_are_exported(cli: Cli, queues: Queues, at: tuple[str, ...], now: float, tmp_path: Path) -> None:
    """`export` writes a line of JSON for each letter, for its owner's eyes, and deletes none."""
    queues.bury(letter(1, received_at=now, status=400))
    queues.bury(letter(2, Reason.TIMEOUT, received_at=now))
    file = tmp_path / "letters.jsonl"
    run = cli("dead-letters", "export", *at, "--reason", "refused", file)
    assert (run.status, run.err) == (0, "1 letter exported, none deleted.\n")
    (line,) = map(json.loads, file.read_text().splitlines())
    assert (line["status"], line["letter"]["key"], line["letter"]["event"]["userId"]) == (400, "key-1", "u-1")
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(queues.dead_letters()) == 2
    assert "--force" in cli("dead-letters", "export", *at, file).err
    assert cli("dead-letters", "export", *at, file, "--force").status == 0
    assert len(file.read_text().splitlines()) == 2


def test_a_stack_is_named(cli: Cli, queues: Queues, stack: str, now: float) -> None:
    """The name of a stack is enough: CloudFormation tells its queues."""
    queues.bury(letter(1, received_at=now))
    assert cli("dead-letters", "redrive", "--stack", stack).status == 0
    assert keys(queues.waiting()) == ["key-1"]


def test_a_redrive_needs_both_queues(cli: Cli, at: tuple[str, ...]) -> None:
    """Where the dead letters are named by a URL, the RetryQueue must be, too."""
    run = cli("dead-letters", "redrive", *at[:2])
    assert run.status == 2
    assert "--retry-queue-url" in run.err


def test_the_local_stack_is_reached(cli: Cli) -> None:
    """With --local the letters of a stack on this machine go back, and its own redelivery brings them to Loops."""
    with LocalStack(polling=False) as local:
        event = letter(1, received_at=time.time())
        local.sqs.send_message(QueueUrl=local.outputs["DeadLetterQueueUrl"], MessageBody=event.to_json())
        port = local.aws.url.rpartition(":")[2]
        assert cli("dead-letters", "redrive", "--local", "--aws-port", port).status == 0
        assert keys(local.waiting()) == ["key-1"]
        assert local.dead_letters() == []


def test_no_local_stack_is_told(cli: Cli, free_port: int) -> None:
    """Where no local stack runs, the person is told how to start one."""
    run = cli("dead-letters", "list", "--local", "--aws-port", str(free_port))
    assert (run.status, run.err.count("\n")) == (1, 1)
    assert "make run" in run.err


def test_a_letter_that_sqs_moved_is_listed_with_a_reason_of_its_own(cli: Cli) -> None:
    """`list` says `receives-exhausted` for a message that SQS moved, and `--reason` chooses it."""
    waiting = letter(1, Reason.RATE_LIMITED, received_at=time.time())
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
    assert (group["letters"], group["reason"], group["action"]) == (1, "receives-exhausted", "sendEvent")
    assert (shown["reason"], shown["letter"]["key"]) == ("receives-exhausted", "key-1")


@pytest.mark.usefixtures("aws")
def test_a_stack_that_is_not_there_is_told(cli: Cli) -> None:
    """A wrong name is one line that quotes it."""
    run = cli("dead-letters", "list", "--stack", "no-such-stack")
    assert (run.status, run.err.count("\n")) == (1, 1)
    assert "no-such-stack" in run.err
    assert "does not exist" in run.err


def test_a_queue_that_is_not_there_is_told(cli: Cli, aws: str) -> None:
    """A wrong URL is one line that quotes it."""
    run = cli("dead-letters", "list", "--dead-letter-queue-url", f"{aws}/123456789012/none")
    assert (run.status, run.err.count("\n")) == (1, 1)
    assert "/none" in run.err


@pytest.mark.usefixtures("aws")
def test_missing_settings_of_aws_are_told(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No region, no credentials and an unknown profile are each told with what to add."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "--profile" in cli("dead-letters", "list", "--stack", TEAM, "--profile", "nobody").err
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no AWS credentials" in cli("dead-letters", "list", "--stack", TEAM).err
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "--region" in cli("dead-letters", "list", "--stack", TEAM).err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--stack", "a", "--local"),
        ("--local", "--older-than", "soon"),
        ("--local", "--aws-port", "0"),
    ],
)
def test_misuse_is_told_with_status_2(cli: Cli, arguments: tuple[str, ...]) -> None:
    """Options that cannot be meant are misuse."""
    assert cli("dead-letters", "list", *arguments).status == 2

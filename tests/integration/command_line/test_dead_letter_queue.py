"""`segment_loops.dead_letter_queue`, as a page or a program uses it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.stack import LocalStack
from loops_destination.outcomes import Reason
from loops_destination.received import read_message
from segment_loops.dead_letter_queue import (
    HOLD_SECONDS,
    Choice,
    DeadLetters,
    DeadLettersError,
    Fate,
    Letter,
    by_delivery,
    choose,
)
from tests.fakes import NOW, ManualClock
from tests.integration.command_line.conftest import Queues, letter


@pytest.fixture
def letters(queues: Queues) -> DeadLetters:
    return DeadLetters(queues.sqs, queues.dead_letter_queue_url, queues.retry_queue_url, ManualClock())


def test_one_delivery_is_redriven_and_another_dropped(queues: Queues, letters: DeadLetters) -> None:
    """A delivery is chosen by its key; what is left is visible when the look is over, and hidden during it."""
    for number in range(3):
        queues.bury(letter(number, received_at=NOW))
    with letters.opened() as found:
        assert queues.dead_letters() == []
        (redriven,) = choose(found, Choice(keys={"key-0"}), NOW)
        (dropped,) = choose(found, Choice(keys={"key-1"}), NOW)
        assert letters.redrive(redriven) is Fate.REDRIVEN
        letters.drop(dropped)
    assert [json.loads(body)["key"] for body in queues.waiting()] == ["key-0"]
    assert [json.loads(body)["key"] for body in queues.dead_letters()] == ["key-2"]


def test_a_look_that_fails_hides_nothing(queues: Queues, letters: DeadLetters) -> None:
    """Whatever ends the look, the letters are visible again."""
    queues.bury(letter(1, received_at=NOW))
    with pytest.raises(KeyboardInterrupt), letters.opened():
        raise KeyboardInterrupt
    assert len(queues.dead_letters()) == 1


def test_a_letter_that_another_holds_is_not_sent(queues: Queues, letters: DeadLetters) -> None:
    """A letter that is not this look's any more, another having let go of it, is not sent once more."""
    queues.bury(letter(1, received_at=NOW))
    with letters.opened() as found:
        queues.sqs.delete_message(QueueUrl=queues.dead_letter_queue_url, ReceiptHandle=found[0].receipt)
        assert letters.hold(found, HOLD_SECONDS + 1) == []
        assert letters.redrive(found) is Fate.HELD_ELSEWHERE
    assert queues.waiting() == []


def test_a_letter_stays_until_the_other_queue_has_it(queues: Queues) -> None:
    """When the RetryQueue does not take it, the letter is where it was."""
    queues.bury(letter(1, received_at=NOW))
    nowhere = DeadLetters(queues.sqs, queues.dead_letter_queue_url, f"{queues.retry_queue_url}-none", ManualClock())
    with pytest.raises(queues.sqs.exceptions.ClientError), nowhere.opened() as found:
        nowhere.redrive(found)
    assert len(queues.dead_letters()) == 1


def test_a_deletion_that_fails_is_told(queues: Queues, letters: DeadLetters) -> None:
    """A letter that SQS keeps is no success: the next redrive recognises it by its key."""
    queues.bury(letter(1, received_at=NOW))
    with letters.opened() as found:
        letters._held[found[0].id] = "no-receipt"
        with pytest.raises(DeadLettersError):
            letters.redrive(found)
    assert [json.loads(body)["key"] for body in queues.waiting()] == ["key-1"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "5",
        "[]",
        "{",
        '{"event":{}}',
        '{"key":5,"reason":[],"receivedAt":"then","event":{"userId":7}}',
        '{"body":"YWJj"}',
    ],
)
def test_no_letter_is_too_strange(queues: Queues, letters: DeadLetters, body: str) -> None:
    """Whatever lies on the queue is a letter, told as what it is and left by a redrive."""
    queues.bury(body or " ")
    with letters.opened() as found:
        (strange,) = found
        assert strange.reason == Reason.UNREADABLE_MESSAGE
        assert strange.key == strange.id
        assert strange.problem
        assert strange.kept_body is None
        assert strange.received_at == strange.buried_at
        assert letters.redrive(found) is Fate.NO_EVENT


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (Choice(), {"key-1", "key-2", "key-3"}),
        (Choice(reasons={"refused"}), {"key-1", "key-2"}),
        (Choice(reasons={"refused", "timeout"}), {"key-1", "key-2", "key-3"}),
        (Choice(user_ids={"u-2"}), {"key-2"}),
        (Choice(subscriptions={"contacts"}), {"key-3"}),
        (Choice(actions={"createOrUpdateContact"}), {"key-3"}),
        (Choice(keys={"key-1"}), {"key-1"}),
        (Choice(older_than=5400), {"key-2", "key-3"}),
        (Choice(older_than=5400, reasons={"refused"}), {"key-2"}),
        (Choice(user_ids={"nobody"}), set()),
    ],
)
def test_letters_are_chosen_by_every_part(choice: Choice, chosen: set[str]) -> None:
    """A letter is meant when each part that is given fits it; its age is that of the event."""
    messages = [
        letter(1, received_at=NOW),
        letter(2, received_at=NOW - 7200),
        letter(3, Reason.TIMEOUT, received_at=NOW - 10800, action="createOrUpdateContact", subscription="contacts"),
    ]
    letters = [
        Letter.from_sqs({"MessageId": each.key, "ReceiptHandle": "", "Body": each.to_json()}) for each in messages
    ]
    assert {each.key for each in letters if choice.takes(each, NOW)} == chosen


def test_a_replay_does_not_hide_the_letter_of_an_attempt(queues: Queues, letters: DeadLetters) -> None:
    """Of an event that was tried and its replay, the tried one decides: Loops may have taken it under a key of then."""
    queues.bury(letter(1, Reason.RETRIES_EXHAUSTED, received_at=NOW - 5 * 86400))
    queues.bury(letter(1, Reason.TOO_OLD, received_at=NOW, attempts=0))
    with letters.opened() as found:
        (delivery,) = by_delivery(found)
        assert DeadLetters.fate(delivery, NOW, accept_old=True) is Fate.NEEDS_NEW_IDEMPOTENCY_KEY


def test_letters_are_told_apart_by_their_key(queues: Queues, letters: DeadLetters) -> None:
    """Letters with one key are one delivery, those without a key each their own."""
    for body in ('{"key":"a"}', '{"key":"b"}', '{"key":"a"}', "x", "y"):
        queues.bury(body)
    with letters.opened() as found:
        sizes: list[Any] = sorted(len(delivery) for delivery in by_delivery(found))
    assert sizes == [1, 1, 1, 2]


def test_an_old_letter_on_a_local_stack_is_redriven() -> None:
    """On the queues of this machine a letter of two days ago goes back like any other."""
    clock = ManualClock()
    with LocalStack(clock=clock, polling=False) as stack:
        dead, retry = stack.outputs["DeadLetterQueueUrl"], stack.outputs["RetryQueueUrl"]
        stack.sqs.send_message(QueueUrl=dead, MessageBody=letter(1, received_at=NOW).to_json())
        clock.sleep(48 * 3600)
        letters = DeadLetters(stack.sqs, dead, retry, clock)
        with letters.opened() as found:
            assert letters.redrive(letters.hold(found, 60), repeat=True) is Fate.REDRIVEN
        (body,) = stack.waiting()
    message, _ = read_message(body)
    assert message.key != "key-1"
    assert message.received_at == NOW + 48 * 3600

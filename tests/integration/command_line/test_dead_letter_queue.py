"""The DeadLetterQueue as the commands and the studio use it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.stack import LocalStack
from loops_destination.outcomes import Reason
from loops_destination.received_messages import read_message
from segment_loops.dead_letter_queue import (
    HOLD_SECONDS,
    DeadLetter,
    DeadLetterQueue,
    RedriveResult,
    Selection,
    SqsFailed,
    by_delivery,
    select,
)
from tests.fakes import NOW, ManualClock
from tests.integration.command_line.conftest import QueuePair, dead_letter


@pytest.fixture
def queue(queues: QueuePair) -> DeadLetterQueue:
    return DeadLetterQueue(queues.sqs, queues.dead_letter_queue_url, queues.retry_queue_url, ManualClock())


def test_one_delivery_is_redriven_and_another_dropped(queues: QueuePair, queue: DeadLetterQueue) -> None:
    """Dead letters are hidden while the queue is open; those left are visible afterwards."""
    for number in range(3):
        queues.bury(dead_letter(number, received_at=NOW))
    with queue.opened() as found:
        assert queues.dead_letters() == []
        (redriven,) = select(found, Selection(idempotency_keys={"key-0"}), NOW)
        (dropped,) = select(found, Selection(idempotency_keys={"key-1"}), NOW)
        assert queue.redrive(redriven) is RedriveResult.REDRIVEN
        queue.drop(dropped)
    assert [json.loads(body)["idempotencyKey"] for body in queues.waiting()] == ["key-0"]
    assert [json.loads(body)["idempotencyKey"] for body in queues.dead_letters()] == ["key-2"]


def test_an_error_while_reading_hides_nothing(queues: QueuePair, queue: DeadLetterQueue) -> None:
    """Dead letters are visible again however the context ends."""
    queues.bury(dead_letter(1, received_at=NOW))
    with pytest.raises(KeyboardInterrupt), queue.opened():
        raise KeyboardInterrupt
    assert len(queues.dead_letters()) == 1


def test_a_dead_letter_held_elsewhere_is_not_sent(queues: QueuePair, queue: DeadLetterQueue) -> None:
    """A dead letter that another program has deleted meanwhile is not put back."""
    queues.bury(dead_letter(1, received_at=NOW))
    with queue.opened() as found:
        queues.sqs.delete_message(QueueUrl=queues.dead_letter_queue_url, ReceiptHandle=found[0].receipt)
        assert queue.hold(found, HOLD_SECONDS + 1) == []
        assert queue.redrive(found) is RedriveResult.HELD_ELSEWHERE
    assert queues.waiting() == []


def test_a_dead_letter_stays_until_it_is_on_the_retry_queue(queues: QueuePair) -> None:
    """If the RetryQueue does not accept the message, the dead letter stays."""
    queues.bury(dead_letter(1, received_at=NOW))
    nowhere = DeadLetterQueue(queues.sqs, queues.dead_letter_queue_url, f"{queues.retry_queue_url}-none", ManualClock())
    with pytest.raises(queues.sqs.exceptions.ClientError), nowhere.opened() as found:
        nowhere.redrive(found)
    assert len(queues.dead_letters()) == 1


def test_a_failed_deletion_is_an_error(queues: QueuePair, queue: DeadLetterQueue) -> None:
    """A redrive raises if SQS does not delete the dead letter, although its message has been put back."""
    queues.bury(dead_letter(1, received_at=NOW))
    with queue.opened() as found:
        queue._held[found[0].id] = "no-receipt"
        with pytest.raises(SqsFailed):
            queue.redrive(found)
    assert [json.loads(body)["idempotencyKey"] for body in queues.waiting()] == ["key-1"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "5",
        "[]",
        "{",
        '{"event":{}}',
        '{"idempotencyKey":5,"reason":[],"receivedAt":"then","event":{"userId":7}}',
        '{"body":"YWJj"}',
    ],
)
def test_any_message_is_a_dead_letter(queues: QueuePair, queue: DeadLetterQueue, body: str) -> None:
    """Any message on the queue is a dead letter; one that cannot be read is left by a redrive."""
    queues.bury(body or " ")
    with queue.opened() as found:
        (strange,) = found
        assert strange.reason == Reason.UNREADABLE_MESSAGE
        assert strange.idempotency_key == strange.id
        assert strange.problem
        assert strange.kept_body is None
        assert strange.received_at == strange.buried_at
        assert queue.redrive(found) is RedriveResult.NO_EVENT


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        (Selection(), {"key-1", "key-2", "key-3"}),
        (Selection(reasons={"refused"}), {"key-1", "key-2"}),
        (Selection(reasons={"refused", "timeout"}), {"key-1", "key-2", "key-3"}),
        (Selection(user_ids={"u-2"}), {"key-2"}),
        (Selection(subscriptions={"contacts"}), {"key-3"}),
        (Selection(actions={"createOrUpdateContact"}), {"key-3"}),
        (Selection(idempotency_keys={"key-1"}), {"key-1"}),
        (Selection(older_than=5400), {"key-2", "key-3"}),
        (Selection(older_than=5400, reasons={"refused"}), {"key-2"}),
        (Selection(user_ids={"nobody"}), set()),
    ],
)
def test_a_selection_matches_every_criterion(selection: Selection, selected: set[str]) -> None:
    """A dead letter is selected if it matches every criterion; its age is that of its event."""
    messages = [
        dead_letter(1, received_at=NOW),
        dead_letter(2, received_at=NOW - 7200),
        dead_letter(
            3, Reason.TIMEOUT, received_at=NOW - 10800, action="createOrUpdateContact", subscription="contacts"
        ),
    ]
    letters = [
        DeadLetter.from_sqs({"MessageId": each.idempotency_key, "ReceiptHandle": "", "Body": each.to_json()})
        for each in messages
    ]
    assert {each.idempotency_key for each in letters if selection.includes(each, NOW)} == selected


def test_a_replay_does_not_hide_an_earlier_attempt(queues: QueuePair, queue: DeadLetterQueue) -> None:
    """Of duplicates, the one that was sent decides: Loops may have processed it and forgotten its idempotency key."""
    queues.bury(dead_letter(1, Reason.RETRIES_EXHAUSTED, received_at=NOW - 5 * 86400))
    queues.bury(dead_letter(1, Reason.TOO_OLD, received_at=NOW, attempts=0))
    with queue.opened() as found:
        (delivery,) = by_delivery(found)
        assert DeadLetterQueue.redrive_result(delivery, NOW, accept_old=True) is RedriveResult.NEEDS_NEW_IDEMPOTENCY_KEY


def test_duplicates_share_an_idempotency_key(queues: QueuePair, queue: DeadLetterQueue) -> None:
    """Dead letters with the same idempotency key are one delivery; each without one is its own."""
    for body in ('{"idempotencyKey":"a"}', '{"idempotencyKey":"b"}', '{"idempotencyKey":"a"}', "x", "y"):
        queues.bury(body)
    with queue.opened() as found:
        sizes: list[Any] = sorted(len(delivery) for delivery in by_delivery(found))
    assert sizes == [1, 1, 1, 2]


def test_an_old_dead_letter_of_the_local_stack_is_redriven() -> None:
    """A two-day-old dead letter of the local stack can be held and redriven, although moto limits its visibility."""
    clock = ManualClock()
    with LocalStack(clock=clock, polling=False) as stack:
        dead, retry = stack.outputs["DeadLetterQueueUrl"], stack.outputs["RetryQueueUrl"]
        stack.sqs.send_message(QueueUrl=dead, MessageBody=dead_letter(1, received_at=NOW).to_json())
        clock.sleep(48 * 3600)
        queue = DeadLetterQueue(stack.sqs, dead, retry, clock)
        with queue.opened() as found:
            assert queue.redrive(queue.hold(found, 60), repeat=True) is RedriveResult.REDRIVEN
        (body,) = stack.waiting()
    message, _ = read_message(body)
    assert message.idempotency_key != "key-1"
    assert message.received_at == NOW + 48 * 3600

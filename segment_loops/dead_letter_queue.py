"""The dead letters of a stack: read without losing any, put back on the RetryQueue, or deleted.

SQS shows a queue's messages only by receiving them, so dead letters that are being read are hidden from other readers for
a while; those that are neither put back nor deleted are made visible again. That this counts as another receive is
harmless, because the DeadLetterQueue has no redrive policy.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self, TypeVar

from loops_destination.actions import ACTIONS
from loops_destination.clock import Clock, SystemClock
from loops_destination.delivery import IDEMPOTENCY_KEY_REMEMBERED_SECONDS
from loops_destination.events import first_seen
from loops_destination.messages import Message, unpack
from loops_destination.outcomes import Reason
from loops_destination.queues import MESSAGES_A_CALL
from loops_destination.received_messages import UnreadableMessage, read_message
from segment_loops.json_values import json_object

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

Item = TypeVar("Item")

HOLD_SECONDS = 600
"""Seconds for which dead letters stay hidden from other readers after this program is killed."""

LONGEST_HOLD_SECONDS = 11 * 3600
"""SQS hides a message for at most 12 hours after its receipt."""

EMPTY_ANSWERS = 2
"""Consecutive answers of SQS without a new dead letter after which there is none.

The second request waits, which makes SQS ask all of its servers.
"""

_TOO_LONG = "InvalidParameterValue"
"""moto's error for a message sent over 12 hours ago, whenever it was received; SQS reports such messages one by one."""

_NEW_IDEMPOTENCY_KEYS = uuid.UUID("b1c0f0f4-4c1d-5f7f-9a53-0f0d3c1f7a62")


class SqsFailed(Exception):
    """SQS did not do what it was asked for; the dead letters concerned are still on the queue."""


class RedriveResult(StrEnum):
    """The result of redriving one delivery. Only `REDRIVEN` ones leave the DeadLetterQueue."""

    REDRIVEN = "redriven"
    NO_EVENT = "no-event"  # the dead letter holds nothing that could be delivered
    NEEDS_NEW_IDEMPOTENCY_KEY = "needs-new-idempotency-key"  # and nobody allowed to repeat the event
    TOO_OLD = "too-old"  # the event was too old on arrival, and nobody accepted its age
    HELD_ELSEWHERE = "held-elsewhere"  # another program has received the dead letter


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message on the DeadLetterQueue.

    `id` is the one that SQS gave it. `buried_at` is in seconds since 1970. `content` is its JSON object, empty if it is
    not one. `delivery` is what can be delivered; where there is nothing, it is None and `problem` says why. `status` is
    that of Loops' last response, if it is known.

    `moved_by_sqs`: the message reached the RetryQueue's `maxReceiveCount` and was moved as it was. The reason in it is
    that of an earlier attempt, and `buried_at` is when it was put on the RetryQueue.
    """

    id: str
    receipt: str = field(repr=False)
    body: str = field(repr=False)
    buried_at: float
    moved_by_sqs: bool = False
    status: int | None = None
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    delivery: Message | None = field(default=None, repr=False)
    problem: str = field(default="", repr=False)

    @classmethod
    def from_sqs(cls, message: MessageTypeDef) -> Self:
        """Return the dead letter in a received message, whatever the message holds."""
        status = _attribute(message, "status")
        attributes = message.get("Attributes", {})
        dead_letter = cls(
            message["MessageId"],
            message["ReceiptHandle"],
            message["Body"],
            buried_at=int(attributes.get("SentTimestamp", "0")) / 1000,
            moved_by_sqs="DeadLetterQueueSourceArn" in attributes,
            status=int(status) if status.isascii() and status.isdigit() else None,
            content=json_object(message["Body"]),
        )
        try:
            delivery, _ = read_message(dead_letter.body)
        except UnreadableMessage as error:
            return replace(dead_letter, problem=str(error))
        return replace(dead_letter, delivery=delivery)

    @property
    def idempotency_key(self) -> str:
        """The delivery's idempotency key, or `id` if it has none; duplicates share it."""
        return self._text("idempotencyKey") or self.id

    @property
    def reason(self) -> str:
        if self.moved_by_sqs:
            return Reason.RECEIVES_EXHAUSTED
        return self._text("reason") or Reason.UNREADABLE_MESSAGE

    @property
    def action(self) -> str | None:
        return self._text("action")

    @property
    def subscription(self) -> str | None:
        return self._text("subscription")

    @property
    def detail(self) -> str | None:
        """Loops' message, or the path of a field."""
        return self._text("detail")

    @property
    def event(self) -> dict[str, Any] | None:
        """The Segment event, or None if there is none."""
        event = self.content.get("event")
        return event if isinstance(event, dict) else None

    @property
    def user_id(self) -> str | None:
        """The event's userId as text."""
        user_id = (self.event or {}).get("userId")
        return None if user_id is None else str(user_id)

    @property
    def received_at(self) -> float:
        """When the event arrived, in seconds since 1970; `buried_at` if that is unknown."""
        if self.delivery is not None:
            return self.delivery.received_at
        try:
            return datetime.fromisoformat(str(self.content.get("receivedAt"))).timestamp()
        except ValueError:
            return self.buried_at

    @property
    def kept_body(self) -> bytes | None:
        """The body that arrived instead of an event, as far as it was kept; None for an event."""
        try:
            return unpack(self.content)
        except (KeyError, TypeError, ValueError, EOFError, OSError):
            return None

    @property
    def may_have_used_idempotency_key(self) -> bool:
        """True if Loops refused an earlier attempt, which may have used up the idempotency key."""
        return self.delivery is not None and self.delivery.may_have_used_idempotency_key

    @property
    def was_never_sent(self) -> bool:
        """True for an event that was rejected for its age before any attempt."""
        return self.reason == Reason.TOO_OLD and self.delivery is not None and self.delivery.attempts == 0

    def needs_new_idempotency_key(self, now: float) -> bool:
        """Return True if the idempotency key cannot be used again: Loops may have forgotten it, or knows it as used.

        Actions without idempotency keys never need one.
        """
        action = ACTIONS.get(self.action or "")
        if action is None or not action.keyed or self.was_never_sent:
            return False
        unusable = self.reason in {Reason.IDEMPOTENCY_KEY_EXPIRED, Reason.IDEMPOTENCY_KEY_ALREADY_USED}
        return unusable or now - first_seen(self.event or {}, self.received_at) >= IDEMPOTENCY_KEY_REMEMBERED_SECONDS

    def _text(self, name: str) -> str | None:
        value = self.content.get(name)
        return value if isinstance(value, str) and value else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The dead letters that match every criterion given; `older_than` is in seconds since the event arrived."""

    reasons: Collection[str] = ()
    actions: Collection[str] = ()
    subscriptions: Collection[str] = ()
    user_ids: Collection[str] = ()
    idempotency_keys: Collection[str] = ()
    older_than: float = 0.0

    def includes(self, dead_letter: DeadLetter, now: float) -> bool:
        """Return True if the dead letter matches."""
        criteria = (
            (self.reasons, dead_letter.reason),
            (self.actions, dead_letter.action),
            (self.subscriptions, dead_letter.subscription),
            (self.user_ids, dead_letter.user_id),
            (self.idempotency_keys, dead_letter.idempotency_key),
        )
        old_enough = not self.older_than or now - dead_letter.received_at >= self.older_than
        return old_enough and all(not values or value in values for values, value in criteria)


def by_delivery(dead_letters: Sequence[DeadLetter]) -> list[list[DeadLetter]]:
    """Return the dead letters of each delivery, the oldest first; more than one if there are duplicates."""
    deliveries: dict[str, list[DeadLetter]] = {}
    for dead_letter in sorted(dead_letters, key=lambda each: each.buried_at):
        deliveries.setdefault(dead_letter.idempotency_key, []).append(dead_letter)
    return list(deliveries.values())


def select(dead_letters: Sequence[DeadLetter], selection: Selection, now: float) -> list[list[DeadLetter]]:
    """Return the deliveries with at least one selected dead letter, the oldest first, each with all its duplicates."""
    deliveries = by_delivery(dead_letters)
    return [delivery for delivery in deliveries if any(selection.includes(each, now) for each in delivery)]


class DeadLetterQueue:
    """The DeadLetterQueue of a stack, and the RetryQueue to which dead letters are put back. Not thread-safe."""

    held_elsewhere = 0
    """Approximate number of dead letters that other programs held during the last reading, and that it therefore missed."""

    def __init__(
        self, sqs: SQSClient, dead_letter_queue_url: str, retry_queue_url: str = "", clock: Clock | None = None
    ) -> None:
        self._sqs = sqs
        self._url = dead_letter_queue_url
        self._retry_url = retry_queue_url
        self._clock = clock or SystemClock()
        self._held: dict[str, str] = {}
        self._held_until = 0.0

    @contextmanager
    def opened(self, on_found: Callable[[int], object] = lambda _: None) -> Iterator[list[DeadLetter]]:
        """Yield all dead letters, hidden from other readers until the context ends; those left are visible again then.

        `on_found` is called with the number found so far.
        """
        try:
            yield self._receive_all(on_found)
        finally:
            self._make_visible()

    def hold(self, dead_letters: Sequence[DeadLetter], seconds: float) -> list[DeadLetter]:
        """Keep the dead letters hidden for `seconds` from now; return those that are still held."""
        if self._clock.time() + seconds > self._held_until:
            timeout = round(min(max(seconds, HOLD_SECONDS), LONGEST_HOLD_SECONDS))
            for chunk in _chunks(dead_letters):
                changed = self._change_visibility([self._held.get(each.id, each.receipt) for each in chunk], timeout)
                for index in set(range(len(chunk))) - changed:
                    self._held.pop(chunk[index].id, None)
        return [each for each in dead_letters if each.id in self._held]

    @staticmethod
    def redrive_result(
        dead_letters: Sequence[DeadLetter], now: float, *, repeat: bool = False, accept_old: bool = False
    ) -> RedriveResult:
        """Return the result that `redrive` would have for a delivery that is still held."""
        dead_letter = _to_send(dead_letters)
        if dead_letter.delivery is None:
            return RedriveResult.NO_EVENT
        if dead_letter.reason == Reason.TOO_OLD and not accept_old:
            return RedriveResult.TOO_OLD
        if dead_letter.needs_new_idempotency_key(now) and not repeat:
            return RedriveResult.NEEDS_NEW_IDEMPOTENCY_KEY
        return RedriveResult.REDRIVEN

    def redrive(
        self, dead_letters: Sequence[DeadLetter], *, repeat: bool = False, accept_old: bool = False
    ) -> RedriveResult:
        """Put a delivery back on the RetryQueue, then delete its dead letters, which share an idempotency key.

        The message goes back as it is. If its idempotency key cannot be used again, it goes back only with `repeat`,
        under a new one and as if it had arrived now: an event that Loops did process is then processed again. The new
        idempotency key is derived from the old one, so that an interrupted redrive can be repeated. An event that was
        too old on arrival goes back only with `accept_old`, and its message says that its age is accepted.
        """
        result = self.redrive_result(dead_letters, self._clock.time(), repeat=repeat, accept_old=accept_old)
        if result is not RedriveResult.REDRIVEN:
            return result
        if any(each.id not in self._held for each in dead_letters):
            return RedriveResult.HELD_ELSEWHERE
        body = _body_to_send(_to_send(dead_letters), self._clock.time())
        self._sqs.send_message(QueueUrl=self._retry_url, MessageBody=body)
        self.drop(dead_letters)
        return RedriveResult.REDRIVEN

    def drop(self, dead_letters: Sequence[DeadLetter], on_dropped: Callable[[int], object] = lambda _: None) -> None:
        """Delete the dead letters; raise `SqsFailed` if SQS did not delete all of them.

        `on_dropped` is called with the number deleted so far.
        """
        dropped = 0
        for chunk in _chunks(dead_letters):
            answer = self._sqs.delete_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": self._held.get(each.id, each.receipt)}
                    for index, each in enumerate(chunk)
                ],
            )
            for done in answer.get("Successful", []):
                self._held.pop(chunk[int(done["Id"])].id, None)
            if failed := answer.get("Failed", []):
                code = failed[0].get("Code", "no code")
                raise SqsFailed(f"SQS did not delete {len(failed)} dead letters ({code})")
            dropped += len(chunk)
            on_dropped(dropped)

    def _receive_all(self, on_found: Callable[[int], object]) -> list[DeadLetter]:
        self._held = {}
        self._held_until = self._clock.time() + HOLD_SECONDS
        found: dict[str, DeadLetter] = {}
        empty_answers = 0
        while empty_answers < EMPTY_ANSWERS:
            received = [DeadLetter.from_sqs(message) for message in self._receive(wait=empty_answers > 0)]
            # For a message that was received twice, only the latest receipt is valid.
            self._held |= {each.id: each.receipt for each in received}
            new = {each.id: each for each in received if each.id not in found}
            found |= new
            on_found(len(found))
            empty_answers = 0 if new else empty_answers + 1
            self.held_elsewhere = 0 if new else max(self._count() - len(found), 0)
            if not new and not self.held_elsewhere:
                break
        return sorted(found.values(), key=lambda each: each.buried_at)

    def _receive(self, *, wait: bool) -> list[MessageTypeDef]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=MESSAGES_A_CALL,
            VisibilityTimeout=HOLD_SECONDS,
            WaitTimeSeconds=1 if wait else 0,
            MessageSystemAttributeNames=["SentTimestamp", "DeadLetterQueueSourceArn"],
            MessageAttributeNames=["status"],
        )
        return answer.get("Messages", [])

    def _count(self) -> int:
        """Return the number of messages on the queue, hidden ones included; it may be a minute out of date."""
        answer = self._sqs.get_queue_attributes(
            QueueUrl=self._url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        return sum(map(int, answer["Attributes"].values()))

    def _make_visible(self) -> None:
        for chunk in _chunks(list(self._held.values())):
            self._change_visibility(chunk, 0)
        self._held = {}

    def _change_visibility(self, receipts: Sequence[str], seconds: int) -> set[int]:
        """Return the indexes of the receipts whose messages were still hidden, and could be changed."""
        try:
            answer = self._sqs.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                    for index, receipt in enumerate(receipts)
                ],
            )
        except self._sqs.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != _TOO_LONG:
                raise
            return set()
        return {int(done["Id"]) for done in answer.get("Successful", [])}


def _to_send(dead_letters: Sequence[DeadLetter]) -> DeadLetter:
    """Return the duplicate that says most about the idempotency key.

    That is one that Loops refused, else the latest one that may have been sent.
    """
    return max(
        dead_letters,
        key=lambda each: (
            each.delivery is not None,
            each.may_have_used_idempotency_key,
            not each.was_never_sent,
            each.buried_at,
        ),
    )


def _body_to_send(dead_letter: DeadLetter, now: float) -> str:
    """Return the message as it is, or as if the event had arrived now and its age were accepted."""
    needs_new_idempotency_key = dead_letter.needs_new_idempotency_key(now)
    if dead_letter.delivery is None or not (needs_new_idempotency_key or dead_letter.reason == Reason.TOO_OLD):
        return dead_letter.body
    delivery = replace(dead_letter.delivery, received_at=now, old_is_accepted=True)
    if needs_new_idempotency_key:
        new = str(uuid.uuid5(_NEW_IDEMPOTENCY_KEYS, delivery.idempotency_key))
        # A reason that speaks of a refused attempt would be about the old idempotency key.
        delivery = replace(delivery.with_reason(Reason.IDEMPOTENCY_KEY_EXPIRED), idempotency_key=new, was_refused=False)
    return delivery.to_json()


def _attribute(message: MessageTypeDef, name: str) -> str:
    attributes = message.get("MessageAttributes", {})
    return attributes[name].get("StringValue", "") if name in attributes else ""


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), MESSAGES_A_CALL):
        yield items[start : start + MESSAGES_A_CALL]

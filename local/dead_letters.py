"""The dead letters of a stack: looked at without losing any, put back on the RetryQueue, or dropped.

SQS shows a queue only by receiving from it. So the letters that are looked at are hidden from others for a while; what
is neither put back nor dropped is made visible again. That they count as received once more is harmless: the
DeadLetterQueue has no redrive policy.
"""

from __future__ import annotations

import json
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
from loops_destination.received import UnreadableMessage, read_message

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

Item = TypeVar("Item")

HOLD_SECONDS = 600
"""How long a letter stays hidden from others when whoever looks at it ends without a word."""

LONGEST_HOLD_SECONDS = 11 * 3600
"""SQS hides a message for at most 12 hours from its receipt."""

EMPTY_ANSWERS = 2
"""Answers of SQS without a new letter, after which there is none: the second waits, and so asks all of its servers."""

_TOO_LONG = "InvalidParameterValue"
"""moto's for a letter that was sent over 12 hours ago, whenever it was received; SQS tells of such letters one by one."""

_NEW_KEYS = uuid.UUID("b1c0f0f4-4c1d-5f7f-9a53-0f0d3c1f7a62")


class DeadLettersError(Exception):
    """SQS did not do its part; the letters that it was about are still there."""


class Fate(StrEnum):
    """What became of a delivery that was to be put back."""

    REDRIVEN = "redriven"
    NO_EVENT = "no-event"  # there is nothing in it that could be delivered
    NEEDS_NEW_IDEMPOTENCY_KEY = "needs-new-idempotency-key"  # its key is of no more use, and nobody said to repeat it
    TOO_OLD = "too-old"  # it was too old when it arrived, and nobody accepted that
    HELD_ELSEWHERE = "held-elsewhere"  # another program has it now


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter; `id` is SQS's, `buried_at` in seconds since 1970.

    `moved_by_sqs`: the RetryQueue gave the message up after `maxReceiveCount` receives. It is as it waited there, so
    the reason in it is an older one, and `buried_at` is when it was put on the RetryQueue.
    `content` is the JSON in it, empty when it is none. `delivery` is what can be delivered, None with the `problem` when
    there is nothing. `status` is Loops' last answer, where the letter tells it.
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
        """The letter of a received message."""
        status = _attribute(message, "status")
        attributes = message.get("Attributes", {})
        letter = cls(
            message["MessageId"],
            message["ReceiptHandle"],
            message["Body"],
            buried_at=int(attributes.get("SentTimestamp", "0")) / 1000,
            moved_by_sqs="DeadLetterQueueSourceArn" in attributes,
            status=int(status) if status.isascii() and status.isdigit() else None,
            content=_object(message["Body"]),
        )
        try:
            delivery, _ = read_message(letter.body)
        except UnreadableMessage as error:
            return replace(letter, problem=str(error))
        return replace(letter, delivery=delivery)

    @property
    def key(self) -> str:
        """What tells the delivery: two letters with the same one are duplicates."""
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
        """Loops' message, or a field's path."""
        return self._text("detail")

    @property
    def event(self) -> dict[str, Any] | None:
        """The Segment event, None for what is none."""
        event = self.content.get("event")
        return event if isinstance(event, dict) else None

    @property
    def user_id(self) -> str | None:
        """The event's userId as text."""
        user_id = (self.event or {}).get("userId")
        return None if user_id is None else str(user_id)

    @property
    def received_at(self) -> float:
        """When the event came, in seconds since 1970; when it was buried, where the letter does not tell."""
        if self.delivery is not None:
            return self.delivery.received_at
        try:
            return datetime.fromisoformat(str(self.content.get("receivedAt"))).timestamp()
        except ValueError:
            return self.buried_at

    @property
    def kept_body(self) -> bytes | None:
        """What came instead of an event, as far as it was kept."""
        try:
            return unpack(self.content)
        except (KeyError, TypeError, ValueError, EOFError, OSError):
            return None

    @property
    def may_have_used_idempotency_key(self) -> bool:
        """Whether Loops refused the delivery before."""
        return self.delivery is not None and self.delivery.may_have_used_idempotency_key

    @property
    def was_never_sent(self) -> bool:
        """True for an event that was rejected for its age before any attempt."""
        return self.reason == Reason.TOO_OLD and self.delivery is not None and self.delivery.attempts == 0

    def needs_new_idempotency_key(self, now: float) -> bool:
        """Whether a repeat under its key would be refused: Loops may have forgotten the key, or a refusal used it up."""
        action = ACTIONS.get(self.action or "")
        if action is None or not action.keyed or self.was_never_sent:
            return False
        useless = self.reason in {Reason.IDEMPOTENCY_KEY_EXPIRED, Reason.IDEMPOTENCY_KEY_ALREADY_USED}
        return useless or now - first_seen(self.event or {}, self.received_at) >= IDEMPOTENCY_KEY_REMEMBERED_SECONDS

    def _text(self, name: str) -> str | None:
        value = self.content.get(name)
        return value if isinstance(value, str) and value else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which letters are meant: those that fit each of the parts that are given. `older_than` is in seconds."""

    reasons: Collection[str] = ()
    actions: Collection[str] = ()
    subscriptions: Collection[str] = ()
    user_ids: Collection[str] = ()
    keys: Collection[str] = ()
    older_than: float = 0.0

    def takes(self, letter: Letter, now: float) -> bool:
        """Whether the letter is meant; its age counts from when the event came."""
        wanted = (
            (self.reasons, letter.reason),
            (self.actions, letter.action),
            (self.subscriptions, letter.subscription),
            (self.user_ids, letter.user_id),
            (self.keys, letter.key),
        )
        old_enough = not self.older_than or now - letter.received_at >= self.older_than
        return old_enough and all(not values or value in values for values, value in wanted)


def by_delivery(letters: Sequence[Letter]) -> list[list[Letter]]:
    """The letters of each delivery, the oldest first; more than one where some are duplicates."""
    deliveries: dict[str, list[Letter]] = {}
    for letter in sorted(letters, key=lambda each: each.buried_at):
        deliveries.setdefault(letter.key, []).append(letter)
    return list(deliveries.values())


def choose(letters: Sequence[Letter], choice: Choice, now: float) -> list[list[Letter]]:
    """The deliveries with a letter that is meant, the oldest first, each with all its duplicates."""
    return [group for group in by_delivery(letters) if any(choice.takes(letter, now) for letter in group)]


class DeadLetters:
    """The DeadLetterQueue of a stack, and the RetryQueue that its letters go back to. For one thread."""

    elsewhere = 0
    """About how many letters another program was looking at during the last look, so that they are missing from it."""

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
    def opened(self, on_found: Callable[[int], object] = lambda _: None) -> Iterator[list[Letter]]:
        """All letters. They are hidden from others until the context ends, and those that are left are visible then.

        `on_found` is told how many there are so far.
        """
        try:
            yield self._receive_all(on_found)
        finally:
            self._make_visible()

    def hold(self, letters: Sequence[Letter], seconds: float) -> list[Letter]:
        """Makes sure that the letters stay hidden for so long from now; those that did not stay so are left out."""
        if self._clock.time() + seconds > self._held_until:
            timeout = round(min(max(seconds, HOLD_SECONDS), LONGEST_HOLD_SECONDS))
            for chunk in _chunks(letters):
                changed = self._change_visibility([self._held.get(each.id, each.receipt) for each in chunk], timeout)
                for index in set(range(len(chunk))) - changed:
                    self._held.pop(chunk[index].id, None)
        return [letter for letter in letters if letter.id in self._held]

    @staticmethod
    def fate(letters: Sequence[Letter], now: float, *, repeat: bool = False, accept_old: bool = False) -> Fate:
        """What `redrive` would do with a delivery that is still hidden from others."""
        letter = _to_send(letters)
        if letter.delivery is None:
            return Fate.NO_EVENT
        if letter.reason == Reason.TOO_OLD and not accept_old:
            return Fate.TOO_OLD
        return Fate.NEEDS_NEW_IDEMPOTENCY_KEY if letter.needs_new_idempotency_key(now) and not repeat else Fate.REDRIVEN

    def redrive(self, letters: Sequence[Letter], *, repeat: bool = False, accept_old: bool = False) -> Fate:
        """Puts a delivery back on the RetryQueue as it is, and then lets go of its letters, all of the same key.

        One whose key is of no more use goes back under a new key, as if it had come now, and only with `repeat`: what
        Loops did take the first time, it takes once more. The new key follows from the old one, so that a redrive that
        was broken off and begun again repeats nothing. One that was too old on arrival goes back only with
        `accept_old`, and its message says that its age is accepted.
        """
        fate = self.fate(letters, self._clock.time(), repeat=repeat, accept_old=accept_old)
        if fate is not Fate.REDRIVEN:
            return fate
        if any(letter.id not in self._held for letter in letters):
            return Fate.HELD_ELSEWHERE
        body = _body_to_send(_to_send(letters), self._clock.time())
        self._sqs.send_message(QueueUrl=self._retry_url, MessageBody=body)
        self.drop(letters)
        return Fate.REDRIVEN

    def drop(self, letters: Sequence[Letter]) -> None:
        """Deletes the letters; `DeadLettersError` when SQS kept any of them."""
        for chunk in _chunks(letters):
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
                raise DeadLettersError(
                    f"SQS kept {len(failed)} letters: {failed[0].get('Code', 'for no reason given')}"
                )

    def _receive_all(self, on_found: Callable[[int], object]) -> list[Letter]:
        self._held = {}
        self._held_until = self._clock.time() + HOLD_SECONDS
        letters: dict[str, Letter] = {}
        empty_answers = 0
        while empty_answers < EMPTY_ANSWERS:
            received = [Letter.from_sqs(message) for message in self._receive(wait=empty_answers > 0)]
            # The latest receipt of a letter that came twice is the one that SQS knows it by.
            self._held |= {letter.id: letter.receipt for letter in received}
            new = {letter.id: letter for letter in received if letter.id not in letters}
            letters |= new
            on_found(len(letters))
            empty_answers = 0 if new else empty_answers + 1
            self.elsewhere = 0 if new else max(self._count() - len(letters), 0)
            if not new and not self.elsewhere:
                break
        return sorted(letters.values(), key=lambda each: each.buried_at)

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
        """How many letters SQS knows of, hidden ones too; it may be a minute late."""
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
        """The indexes of those that were hidden until now, and so could be changed."""
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


def _to_send(letters: Sequence[Letter]) -> Letter:
    """Of duplicates the one that says most about the key: one that was refused, else the latest that may have been sent."""
    return max(
        letters,
        key=lambda each: (
            each.delivery is not None,
            each.may_have_used_idempotency_key,
            not each.was_never_sent,
            each.buried_at,
        ),
    )


def _body_to_send(letter: Letter, now: float) -> str:
    """Return the letter's message: as it is, or as if the event had come now and its age were accepted."""
    if letter.delivery is None or not (letter.needs_new_idempotency_key(now) or letter.reason == Reason.TOO_OLD):
        return letter.body
    delivery = replace(letter.delivery, received_at=now, old_is_accepted=True)
    if letter.needs_new_idempotency_key(now):
        new_key = str(uuid.uuid5(_NEW_KEYS, delivery.idempotency_key))
        # A reason that tells of a refusal would speak of the old key.
        delivery = delivery.with_reason(Reason.IDEMPOTENCY_KEY_EXPIRED)
        delivery = replace(delivery, idempotency_key=new_key, was_refused=False)
    return delivery.to_json()


def _attribute(message: MessageTypeDef, name: str) -> str:
    attributes = message.get("MessageAttributes", {})
    return attributes[name].get("StringValue", "") if name in attributes else ""


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), MESSAGES_A_CALL):
        yield items[start : start + MESSAGES_A_CALL]

"""What waits on the two queues, and what a person does with dead letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from local.dead_letters import DeadLetters, Letter, by_delivery
from local.studio.samples import pretty
from loops_destination.errors import NotAnEvent
from loops_destination.events import message_id, parse_object
from loops_destination.outcomes import Reason

if TYPE_CHECKING:
    from local.aws import Held
    from local.stack import LocalStack

RETRY_QUEUE = "RetryQueue"
DEAD_LETTER_QUEUE = "DeadLetterQueue"


class Queues:
    """The queues of a stack; `burying` is held while letters leave the DeadLetterQueue."""

    def __init__(self, stack: LocalStack, burying: AbstractContextManager[Any]) -> None:
        self._stack = stack
        self._burying = burying

    def as_json(self) -> dict[str, Any]:
        """What is on them now; looking changes nothing."""
        now = self._stack.clock.time()
        waiting = sorted(self._stack.aws.held(RETRY_QUEUE), key=lambda each: each.next_at)
        letters = [_letter(each) for each in self._stack.aws.held(DEAD_LETTER_QUEUE)]
        return {
            "waiting": [_waiting_as_json(each) for each in waiting],
            "letters": [_letter_as_json(each, now) for each in sorted(letters, key=lambda each: -each.buried_at)],
        }

    def redrive(self, ids: Collection[str], *, repeat: bool, accept_old: bool) -> dict[str, int]:
        """Puts the deliveries of these letters back; how many came to each fate of `DeadLetters.redrive`."""
        fates: Counter[str] = Counter()
        letters = self._letters()
        with self._burying, letters.opened() as found:
            for delivery in by_delivery(found):
                if any(letter.id in ids for letter in delivery):
                    fates[letters.redrive(delivery, repeat=repeat, accept_old=accept_old)] += 1
        return dict(fates)

    def drop(self, ids: Collection[str]) -> int:
        """Deletes these letters for good; how many there were."""
        letters = self._letters()
        with self._burying, letters.opened() as found:
            chosen = [letter for letter in found if letter.id in ids]
            letters.drop(chosen)
        return len(chosen)

    def _letters(self) -> DeadLetters:
        outputs = self._stack.outputs
        return DeadLetters(
            self._stack.sqs, outputs["DeadLetterQueueUrl"], outputs["RetryQueueUrl"], clock=self._stack.clock
        )


def _letter(held: Held) -> Letter:
    letter = Letter.from_sqs(
        {
            "MessageId": held.id,
            "ReceiptHandle": "",
            "Body": held.body,
            "Attributes": {"SentTimestamp": str(round(held.sent_at * 1000))},
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in held.attributes.items()
            },
        }
    )
    return replace(letter, moved_by_sqs=held.source_arn is not None)


def _waiting_as_json(held: Held) -> dict[str, Any]:
    try:
        content = parse_object(held.body)
    except NotAnEvent:
        content = {}
    event = content.get("event")
    shown = {name: content.get(name) for name in ("action", "subscription", "reason", "attempts", "receivedAt")}
    return shown | {
        "key": content.get("idempotencyKey"),
        "id": held.id,
        "messageId": message_id(event) if isinstance(event, dict) else None,
        "nextAt": held.next_at,
    }


def _letter_as_json(letter: Letter, now: float) -> dict[str, Any]:
    return {
        "id": letter.id,
        "reason": letter.reason,
        "detail": letter.detail or letter.problem or None,
        "status": letter.status,
        "action": letter.action,
        "subscription": letter.subscription,
        "messageId": message_id(letter.event) if letter.event else None,
        "buriedAt": letter.buried_at,
        "canBeRedriven": letter.delivery is not None,
        "needsNewIdempotencyKey": letter.delivery is not None and letter.needs_new_idempotency_key(now),
        "tooOld": letter.reason == Reason.TOO_OLD,
        "content": _content(letter),
    }


def _content(letter: Letter) -> str:
    """The event, or what came in the place of one."""
    kept = letter.kept_body
    if kept is not None and letter.event is None:
        return kept.decode(errors="replace")
    event = letter.delivery.event if letter.delivery else letter.body
    return pretty(event)

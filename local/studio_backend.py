"""The local stack as the studio shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import urllib3
from pydantic import ValidationError

from local.delivery_log import KEPT, DeliveryLog
from local.sandbox import Fault
from local.stack import DEAD_LETTER_QUEUE, RETRY_QUEUE
from loops_destination.signature import sign
from segment_loops.contact_ledger import contact_as_json
from segment_loops.dead_letter_queue import DeadLetter, DeadLetterQueue
from segment_loops.json_app import ApiError
from segment_loops.studio import Studio
from segment_loops.studio.backend import Capabilities, DeliveryRecord, WaitingMessage, WebhookAnswer

if TYPE_CHECKING:
    from pathlib import Path

    from local.aws import QueuedMessage
    from local.stack import LocalStack

ANSWER_SECONDS = 40.0
"""Timeout for the webhook's answer, long enough for a simulated delay."""


def attach_studio(stack: LocalStack) -> Studio:
    """Serve a studio at the root of the stack's gateway, and let it record what happens; call it before the start."""
    log = DeliveryLog(stack)
    studio = Studio(LocalBackend(stack, log))
    stack.on_exchange.append(log.on_exchange)
    stack.on_invocation.append(log.on_invocation)
    stack.mounts |= {"/": studio, "/studio/": studio}
    return studio


class LocalBackend:
    """Implements `segment_loops.studio.Backend` for the local stack."""

    def __init__(self, stack: LocalStack, log: DeliveryLog) -> None:
        self._stack = stack
        self._log = log

    @property
    def mappings(self) -> Path:
        return self._stack.mappings

    @property
    def loops_url(self) -> str:
        return self._stack.loops_url

    @property
    def is_sandboxed(self) -> bool:
        return self._stack.is_sandboxed

    def time(self) -> float:
        return self._stack.clock.time()

    def reload_mappings(self) -> None:
        self._stack.freeze()

    def post(self, body: bytes, path: str = "") -> WebhookAnswer:
        headers = {"Content-Type": "application/json", "X-Signature": sign(body, self._stack.shared_secret)}
        url = self._stack.gateway.root + path if path else self._stack.outputs["SegmentUrl"]
        response = urllib3.request("POST", url, body=body, headers=headers, retries=False, timeout=ANSWER_SECONDS)
        return WebhookAnswer(response.status, response.json())

    @property
    def capabilities(self) -> Capabilities:
        sandboxed = self.is_sandboxed
        return Capabilities(contacts=sandboxed, events=True, faults=sandboxed, send=True)

    def versions(self) -> Mapping[str, str]:
        queued = [*self._stack.aws.queued(RETRY_QUEUE), *self._stack.aws.queued(DEAD_LETTER_QUEUE)]
        return {
            "deliveries": str(self._log.version),
            "queues": _digest((each.id, each.next_at) for each in queued),
            "contacts": _digest(self._contact_states()),
        }

    @property
    def kept_deliveries(self) -> int:
        return KEPT

    def deliveries(self) -> list[DeliveryRecord]:
        return self._log.all()

    def contacts(self) -> Sequence[dict[str, Any]]:
        sandbox = self._stack.sandbox
        with sandbox.lock:
            return [contact.as_json() for contact in reversed(sandbox.contacts.all())]

    def known_contact(self, user_id: str) -> dict[str, Any] | None:
        ledger = self._stack.contact_ledger()
        contact = ledger.contact(user_id) if ledger else None
        return None if contact is None else contact_as_json(contact)

    def loops_events(self) -> Sequence[dict[str, Any]]:
        return [event.as_json() for event in reversed(self._stack.sandbox.events.all())]

    def waiting(self) -> list[WaitingMessage]:
        messages = self._stack.aws.queued(RETRY_QUEUE)
        return [WaitingMessage(each.id, each.body, each.next_at) for each in messages]

    @property
    def dead_letter_count(self) -> int:
        return len(self._stack.aws.queued(DEAD_LETTER_QUEUE))

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters without receiving them, so that they stay visible to others."""
        return [_dead_letter(each) for each in self._stack.aws.queued(DEAD_LETTER_QUEUE)]

    @contextmanager
    def dead_letter_queue(self) -> Iterator[DeadLetterQueue]:
        urls = self._stack.outputs["DeadLetterQueueUrl"], self._stack.outputs["RetryQueueUrl"]
        with self._log.burying:
            yield DeadLetterQueue(self._stack.sqs, *urls, clock=self._stack.clock)

    def faults(self) -> list[dict[str, Any]]:
        return [fault.model_dump(mode="json") for fault in self._stack.sandbox.faults.all()]

    @property
    def sqs_is_down(self) -> bool:
        return bool(self._stack.aws.faults["sqs"].all())

    def add_fault(self, definition: bytes) -> dict[str, Any]:
        """Simulate the fault; one that differs only in `times` is replaced, so that a repeated choice does not add up."""
        try:
            fault = Fault.model_validate_json(definition)
        except ValidationError as error:
            raise ApiError.invalid(error) from None
        self._stack.sandbox.faults.replace(fault)
        return fault.model_dump(mode="json")

    def stop_sqs(self) -> None:
        if not self.sqs_is_down:
            self._stack.aws.outage("sqs")

    def clear_faults(self) -> None:
        self._stack.sandbox.faults.clear()
        self._stack.aws.recover()

    def _contact_states(self) -> Iterator[tuple[object, ...]]:
        """Yield what differs after every change of the sandbox's contacts and events."""
        sandbox = self._stack.sandbox
        with sandbox.lock:
            yield len(sandbox.journal.all()), len(sandbox.events.all())
            for each in sandbox.contacts.all():
                yield each.id, each.updated, each.subscribed, each.suppressed, *sorted(each.lists)


def _digest(parts: Iterable[object]) -> str:
    return f"{hash(tuple(parts)):x}"


def _dead_letter(message: QueuedMessage) -> DeadLetter:
    attributes = {"SentTimestamp": str(round(message.sent_at * 1000))}
    if message.source_arn is not None:
        attributes["DeadLetterQueueSourceArn"] = message.source_arn
    return DeadLetter.from_sqs(
        {
            "MessageId": message.id,
            "ReceiptHandle": "",
            "Body": message.body,
            "Attributes": attributes,  # type: ignore[typeddict-item]  # the stubs list the names
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
            },
        }
    )

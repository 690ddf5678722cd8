"""The closed sets of outcomes, reasons and denials, and the HTTP status that they lead to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The outcome of one delivery, that is of one event under one subscription."""

    DELIVERED = "delivered"
    FILTERED = "filtered"
    UNCHANGED = "unchanged"  # Loops already has these values, by the contact ledger
    SUPERSEDED = "superseded"  # Loops was sent something newer, by the contact ledger
    QUEUED = "queued"
    REJECTED = "rejected"


class Reason(StrEnum):
    """The reason why a delivery was queued or rejected, or could not be stored."""

    # Queued: the event is valid, and is tried again.
    RATE_LIMITED = "rate-limited"  # 429
    LOOPS_ERROR = "loops-error"  # 5xx, 408
    TIMEOUT = "timeout"
    CONNECTION_FAILED = "connection-failed"
    UNREADABLE_RESPONSE = "unreadable-response"
    API_KEY_REFUSED = "api-key-refused"  # 401 or 403, also after the secret was read again
    API_KEY_UNAVAILABLE = "api-key-unavailable"  # the secret cannot be read, or holds no API key
    UNEXPECTED_ERROR = "unexpected-error"  # an error in this code, which must not affect other events
    UNKNOWN_CONTACT = "unknown-contact"  # 400 or 404 for a contact named by its userId only
    NO_TIME_LEFT = "no-time-left"
    PAUSED = "paused"  # the breaker is open
    CONTACT_BUSY = "contact-busy"  # the contact ledger lets no call for this contact begin now
    DELETION_BEGUN = "deletion-begun"  # the first of two steps: once calls under way have ended, Loops is called
    LEDGER_UNAVAILABLE = "ledger-unavailable"  # DynamoDB does not answer, so nobody knows what Loops was sent

    # Rejected: a person decides.
    NOT_AN_EVENT = "not-an-event"
    TOO_LARGE = "too-large"
    TOO_OLD = "too-old"  # a sendEvent delivery that Segment received long before it arrived, as in a replay
    INVALID_PAYLOAD = "invalid-payload"
    MAPPING_FAILED = "mapping-failed"
    REFUSED = "refused"  # any other 4xx
    IDEMPOTENCY_KEY_EXPIRED = "idempotency-key-expired"  # Loops has forgotten it, so a repeat could mail twice
    IDEMPOTENCY_KEY_ALREADY_USED = "idempotency-key-already-used"  # 409 after Loops refused an earlier attempt
    RETRIES_EXHAUSTED = "retries-exhausted"
    RECEIVES_EXHAUSTED = "receives-exhausted"  # SQS moved the message by itself, after maxReceiveCount receives
    UNREADABLE_MESSAGE = "unreadable-message"  # on the RetryQueue: of another program, or of another version
    UNKNOWN_SUBSCRIPTION = "unknown-subscription"  # no longer in the mappings file
    SUBSCRIPTION_DISABLED = "subscription-disabled"

    # Neither: Segment keeps the event and sends it again.
    NOT_STORED = "not-stored"


class Denial(StrEnum):
    """The reason why a whole HTTP request was denied, without looking at its events."""

    BAD_SIGNATURE = "bad-signature"
    UNSIGNED_BATCH_ITEMS = "unsigned-batch-items"
    TOO_LARGE = "too-large"
    SECRET_NOT_SET_UP = "secret-not-set-up"  # noqa: S105  # the name of a reason
    SECRET_UNAVAILABLE = "secret-unavailable"  # noqa: S105  # the name of a reason

    @property
    def status(self) -> int:
        """The HTTP status of the answer: 503 makes Segment keep the events and send them again for four hours."""
        return {Denial.BAD_SIGNATURE: 401, Denial.TOO_LARGE: 413}.get(self, 503)


REFUSED_REASONS = frozenset({Reason.UNKNOWN_CONTACT, Reason.REFUSED, Reason.IDEMPOTENCY_KEY_ALREADY_USED})
"""The reasons of calls that Loops refused, which may have used up the idempotency key."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one delivery.

    `outcome` is None for a delivery that could not be stored anywhere. `detail` is a field's path or Loops' own message;
    it may quote the event, so it goes into answers and dead letters, never into a log. `status` is that of Loops'
    response, `remaining` the number of calls that Loops has left for the team in this second, `seconds` the duration of
    the call: 0 without one, or if it raised. `rule` is the contact ledger's rule that decided; `retry_after` is the
    fewest seconds until the next attempt, None if the delivery's age alone decides.
    """

    outcome: Outcome | None
    reason: Reason | None = None
    detail: str | None = field(default=None, repr=False)
    status: int | None = None
    remaining: int | None = None
    seconds: float = 0.0
    message_id: str | None = None
    subscription: str | None = None
    action: str | None = None
    rule: str | None = None
    retry_after: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the result as the webhook's answer shows it."""
        shown = {
            "messageId": self.message_id,
            "subscription": self.subscription,
            "action": self.action,
            "outcome": self.outcome,
        }
        if self.reason is not None:
            shown["reason"] = self.reason
        if self.detail is not None:
            shown["detail"] = self.detail
        return shown


def answer_status(results: Collection[Result]) -> int:
    """Return the HTTP status that answers a request, one event or a batch, with these results."""
    outcomes = [result.outcome for result in results]
    if None in outcomes:
        return 503
    if outcomes and all(outcome is Outcome.REJECTED for outcome in outcomes):
        return 400
    if Outcome.REJECTED in outcomes:
        return 207
    return 202 if Outcome.QUEUED in outcomes else 200

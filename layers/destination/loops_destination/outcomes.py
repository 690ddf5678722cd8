"""The closed sets that say what became of a delivery: its outcome, and the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What became of one delivery, one event under one subscription."""

    DELIVERED = "delivered"
    FILTERED = "filtered"
    QUEUED = "queued"
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why a delivery was queued, rejected, or could not be stored."""

    # Queued: the event is fine, and is tried again.
    RATE_LIMITED = "rate-limited"  # 429
    LOOPS_ERROR = "loops-error"  # 5xx, 408
    TIMEOUT = "timeout"
    CONNECTION_FAILED = "connection-failed"
    UNREADABLE_RESPONSE = "unreadable-response"
    API_KEY_REFUSED = "api-key-refused"  # 401, 403 after the key was read anew
    API_KEY_UNAVAILABLE = "api-key-unavailable"  # the secret could not be read, or holds no key
    UNEXPECTED_ERROR = "unexpected-error"  # a problem of this code; it must not take other events with it
    UNKNOWN_CONTACT = "unknown-contact"  # 400, 404 for a contact named by its userId only
    NO_TIME_LEFT = "no-time-left"
    PAUSED = "paused"  # Loops just refused the pace or failed repeatedly

    # Rejected: a person decides.
    NOT_AN_EVENT = "not-an-event"
    TOO_LARGE = "too-large"
    TOO_OLD = "too-old"  # an event of sendEvent that Segment got long before it came here, as in a replay
    INVALID_PAYLOAD = "invalid-payload"
    MAPPING_FAILED = "mapping-failed"
    REFUSED = "refused"  # any other 4xx
    IDEMPOTENCY_KEY_EXPIRED = (
        "idempotency-key-expired"  # Loops has forgotten the Idempotency-Key, so a repeat could mail twice
    )
    IDEMPOTENCY_KEY_ALREADY_USED = "idempotency-key-already-used"  # 409 where the last known answer was a refusal
    RETRIES_EXHAUSTED = "retries-exhausted"
    RECEIVES_EXHAUSTED = "receives-exhausted"  # SQS moved the message itself, after maxReceiveCount receives
    UNREADABLE_MESSAGE = "unreadable-message"  # on the RetryQueue: not ours, or of another version
    UNKNOWN_SUBSCRIPTION = "unknown-subscription"  # no longer in the mappings file
    SUBSCRIPTION_DISABLED = "subscription-disabled"

    # Neither: Segment keeps it and tries again.
    NOT_STORED = "not-stored"


class Denial(StrEnum):
    """Why a whole request was answered without looking at its events; the status is the webhook's answer."""

    BAD_SIGNATURE = "bad-signature"
    UNSIGNED_BATCH_ITEMS = "unsigned-batch-items"
    TOO_LARGE = "too-large"
    SECRET_NOT_SET_UP = "secret-not-set-up"  # noqa: S105  # the name of a reason
    SECRET_UNAVAILABLE = "secret-unavailable"  # noqa: S105  # likewise

    @property
    def status(self) -> int:
        """503 where Segment should keep the events and try again for four hours."""
        return {Denial.BAD_SIGNATURE: 401, Denial.TOO_LARGE: 413}.get(self, 503)


REFUSED_REASONS = frozenset({Reason.UNKNOWN_CONTACT, Reason.REFUSED, Reason.IDEMPOTENCY_KEY_ALREADY_USED})
"""Reasons that tell of an answer with which Loops refused the request, and perhaps used up its key."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one delivery.

    `outcome` is None for what could be stored nowhere. `detail` is a field's path or Loops' own message: it may
    quote the event, so it goes into answers and dead letters and never into a log. `status` is Loops' answer, and
    `remaining` how many calls it has left for the team in this second.
    """

    outcome: Outcome | None
    reason: Reason | None = None
    detail: str | None = field(default=None, repr=False)
    status: int | None = None
    remaining: int | None = None
    message_id: str | None = None
    subscription: str | None = None
    action: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The result as the answer of a webhook shows it."""
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

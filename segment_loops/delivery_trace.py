"""The timeline of an event's deliveries, from their lines in the log and from their dead letters.

A delivery is one event under one subscription. The functions log each attempt and each dead letter. They do not log
redrives: one is inferred from an attempt of redelivery that follows a dead letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from loops_destination.observability import log_hash, message_id_fields
from loops_destination.outcomes import Outcome, Reason
from segment_loops.dead_letter_queue import DeadLetter
from segment_loops.timestamps import timestamp

REDELIVERY = "redelivery"
"""The name under which redelivery logs; the other functions are the webhook's."""


class StepKind(StrEnum):
    """The kinds of steps in a delivery's timeline."""

    ARRIVED = "arrived"  # and was tried, unless the reason says otherwise
    TRIED = "tried"  # again, by redelivery
    BURIED = "dead letter"
    REDRIVEN = "redriven"


class State(StrEnum):
    """The last known state of a delivery that has no final outcome."""

    WAITING = "waiting on the RetryQueue"
    DEAD_LETTER = "dead letter"
    GONE = "dead letter, redriven or dropped since"
    NOT_STORED = "not stored: Segment tries again for four hours"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a delivery; `time` is in seconds since 1970, and for a redrive that of the attempt after it.

    `function` is empty for a step that no function logged. `rule` is the contact ledger's, `status` that of Loops'
    response. `seen_on_queue`: the dead letter was on the DeadLetterQueue when it was read.
    """

    kind: StepKind
    time: float
    function: str
    outcome: str | None = None
    reason: str | None = None
    rule: str | None = None
    status: int | None = None
    attempt: int | None = None
    latency_ms: float | None = None
    idempotency_key: str | None = None
    seen_on_queue: bool = False

    @property
    def result(self) -> str:
        """The step's result in words."""
        if self.kind is StepKind.REDRIVEN:
            return "put back on the RetryQueue before the next attempt"
        if self.kind is StepKind.BURIED:
            return f"dead letter: {self.reason}"
        reason = f": {self.reason}" if self.reason and self.reason != Reason.NOT_STORED else ""
        rule = f" ({self.rule})" if self.rule and self.outcome != Outcome.DELIVERED else ""
        return f"{self.outcome or 'not stored'}{reason}{rule}"

    def as_json(self) -> dict[str, Any]:
        shown = {
            "step": self.kind,
            "before" if self.kind is StepKind.REDRIVEN else "time": timestamp(self.time),
            "function": self.function or None,
            "outcome": self.outcome,
            "reason": self.reason,
            "rule": self.rule,
            "status": self.status,
            "attempt": self.attempt,
            "latencyMs": self.latency_ms,
            "idempotencyKey": self.idempotency_key,
            "onDeadLetterQueue": self.seen_on_queue or None,
        }
        return {name: value for name, value in shown.items() if value is not None}


@dataclass(frozen=True, slots=True)
class TracedDelivery:
    """The steps of one event under one subscription, the oldest first.

    An event that no subscription matches has one delivery without a subscription. `user` is a hash. `queue_was_read`: the
    dead letters on the queue are among the steps.
    """

    message_id: str | None
    message_id_hash: str | None
    type: str | None
    user: str | None
    subscription: str | None
    action: str | None
    steps: Sequence[Step] = ()
    queue_was_read: bool = False

    @property
    def event(self) -> str:
        """The event's messageId, or its hash."""
        return self.message_id or self.message_id_hash or "without a messageId"

    @property
    def state(self) -> str:
        """The outcome of the last step, or the state that it led to."""
        last = self.steps[-1]
        if last.kind is StepKind.BURIED or last.outcome == Outcome.REJECTED:
            return State.GONE if self.queue_was_read and not last.seen_on_queue else State.DEAD_LETTER
        if last.outcome == Outcome.QUEUED:
            return State.WAITING
        return last.outcome or State.NOT_STORED

    def as_json(self) -> dict[str, Any]:
        shown = {
            "messageId": self.message_id,
            "messageIdHash": self.message_id_hash,
            "type": self.type,
            "user": self.user,
            "subscription": self.subscription,
            "action": self.action,
        }
        return {name: value for name, value in shown.items() if value is not None} | {
            "state": self.state,
            "steps": [step.as_json() for step in self.steps],
        }


def of_message(message_id: str, keys: Sequence[str]) -> str:
    """Return the condition that selects the lines of an event, in Logs Insights' language.

    `keys` are those of the hashes in the log.
    """
    found = {
        f"{name} = {_quoted(value or '')}"
        for key in keys or ("",)
        for name, value in message_id_fields(message_id, key).items()
    }
    return " or ".join(sorted(found))


def of_user(user_id: str, keys: Sequence[str]) -> str:
    """Return the condition that selects the lines of a user; `keys` are those of the hashes in the log."""
    hashes = (log_hash(user_id, key) for key in keys)
    return " or ".join(f"user = {_quoted(digest)}" for digest in hashes if digest)


def is_hashed(message_id: str) -> bool:
    """Return True if the log has only a hash of this messageId, because Segment generates none of that form."""
    return "messageId" not in message_id_fields(message_id, "")


def trace(lines: Iterable[Mapping[str, Any]], dead_letters: Sequence[DeadLetter] | None = None) -> list[TracedDelivery]:
    """Return the deliveries in these lines and dead letters, by the time of their first step.

    `dead_letters` is None if the queue was not read.
    """
    found: dict[tuple[str, str | None], TracedDelivery] = {}
    for line in lines:
        delivery = _delivery_of(line)
        key = (delivery.event, delivery.subscription)
        known = found.setdefault(key, delivery)
        found[key] = replace(known, steps=[*known.steps, _step_of(line)])
    for dead_letter in dead_letters or ():
        delivery = _delivery_of_dead_letter(dead_letter, found.values())
        found[delivery.event, delivery.subscription] = replace(delivery, steps=_with_seen(delivery.steps, dead_letter))
    finished = (
        replace(each, steps=_with_redrives(each.steps), queue_was_read=dead_letters is not None)
        for each in found.values()
    )
    return sorted(finished, key=lambda each: each.steps[0].time)


def _delivery_of(line: Mapping[str, Any]) -> TracedDelivery:
    return TracedDelivery(
        _text(line.get("messageId")),
        _text(line.get("messageIdHash")),
        _text(line.get("type")),
        _text(line.get("user")),
        _text(line.get("subscription")),
        _text(line.get("action")),
    )


def _step_of(line: Mapping[str, Any]) -> Step:
    function = _text(line.get("service")) or ""
    tried = StepKind.TRIED if function == REDELIVERY else StepKind.ARRIVED
    return Step(
        StepKind.BURIED if line.get("message") == "dead letter" else tried,
        _seconds(line.get("timestamp")),
        function,
        outcome=_text(line.get("outcome")),
        reason=_text(line.get("reason")),
        rule=_text(line.get("rule")),
        status=line.get("status"),
        attempt=line.get("attempt"),
        latency_ms=line.get("latency_ms"),
        idempotency_key=_text(line.get("idempotency_key")),
    )


def _delivery_of_dead_letter(dead_letter: DeadLetter, known: Iterable[TracedDelivery]) -> TracedDelivery:
    """Return the delivery of a dead letter: the one in the log, if it is there."""
    event = dead_letter.event or {}
    message_id = _text(event.get("messageId"))
    same = [each for each in known if each.subscription == dead_letter.subscription]
    for each in same:
        keys = {step.idempotency_key for step in each.steps}
        if dead_letter.idempotency_key in keys or (message_id is not None and each.message_id == message_id):
            return each
    return TracedDelivery(
        message_id, None, _text(event.get("type")), None, dead_letter.subscription, dead_letter.action
    )


def _with_seen(steps: Sequence[Step], dead_letter: DeadLetter) -> list[Step]:
    """Return the steps with the dead letter on the queue: its line in the log, or a step of its own."""
    key = dead_letter.idempotency_key
    for index in reversed(range(len(steps))):
        if steps[index].kind is StepKind.BURIED and steps[index].idempotency_key == key:
            return [*steps[:index], replace(steps[index], seen_on_queue=True), *steps[index + 1 :]]
    seen = Step(
        StepKind.BURIED,
        dead_letter.buried_at,
        "",
        reason=dead_letter.reason,
        status=dead_letter.status,
        attempt=dead_letter.content.get("attempts"),
        idempotency_key=key,
        seen_on_queue=True,
    )
    return sorted([*steps, seen], key=lambda step: step.time)


def _with_redrives(steps: Sequence[Step]) -> list[Step]:
    """Return the steps with a redrive before each attempt of redelivery that follows a dead letter."""
    shown: list[Step] = []
    is_dead = False
    for step in steps:
        if is_dead and step.kind is not StepKind.ARRIVED and step.function == REDELIVERY:
            shown.append(Step(StepKind.REDRIVEN, step.time, ""))
        is_dead = step.kind is StepKind.BURIED or step.outcome == Outcome.REJECTED
        shown.append(step)
    return shown


def _quoted(value: str) -> str:
    """Return a string of the query language; ids and hashes have no character that must be escaped."""
    if not value.replace("-", "").replace("_", "").isalnum():
        raise ValueError(value)
    return f'"{value}"'


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _seconds(value: Any) -> float:
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return 0.0

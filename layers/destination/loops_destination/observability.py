"""What is told of each delivery: a line of log and a count, with nothing in them that is a person's.

A line carries messageId, type, action, subscription, outcome, reason, status, attempt and latency. The user is a keyed
hash: the same user can be followed through the log, but not named from it.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Any, TextIO

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from loops_destination.messages import Message
from loops_destination.outcomes import Outcome, Reason, Refusal, Result
from loops_destination.settings import METRICS_NAMESPACE, Level

MAX_VALUES = 99  # of one metric in one line; Powertools writes a line of its own at CloudWatch's 100

_PLAIN_ID = re.compile(r"[\w.:-]{1,100}\Z", re.ASCII)
_TYPES = frozenset({"identify", "track", "page", "screen", "group", "alias", "delete"})


class Metric(Enum):
    """Every metric: its name and its unit. The dashboard and the alarms name no other."""

    DELIVERED = "Delivered", MetricUnit.Count
    FILTERED = "Filtered", MetricUnit.Count
    QUEUED = "Queued", MetricUnit.Count
    REJECTED = "Rejected", MetricUnit.Count
    NOT_STORED = "NotStored", MetricUnit.Count
    DEAD_LETTERS = "DeadLetters", MetricUnit.Count
    RATE_LIMITED = "RateLimited", MetricUnit.Count
    KEY_REFUSED = "KeyRefused", MetricUnit.Count
    BAD_SIGNATURE = "BadSignature", MetricUnit.Count
    UNSIGNED_BATCH_ITEMS = "UnsignedBatchItems", MetricUnit.Count
    TOO_LARGE = "TooLarge", MetricUnit.Count
    SECRET_NOT_SET_UP = "SecretNotSetUp", MetricUnit.Count
    SECRET_UNAVAILABLE = "SecretUnavailable", MetricUnit.Count
    LATENCY = "LoopsLatency", MetricUnit.Milliseconds

    def __init__(self, title: str, unit: MetricUnit) -> None:
        self.title = title
        self.unit = unit


_OF_OUTCOME = {
    Outcome.DELIVERED: Metric.DELIVERED,
    Outcome.FILTERED: Metric.FILTERED,
    Outcome.QUEUED: Metric.QUEUED,
    Outcome.REJECTED: Metric.REJECTED,
    None: Metric.NOT_STORED,
}
_OF_REASON = {Reason.RATE_LIMITED: Metric.RATE_LIMITED, Reason.KEY_REFUSED: Metric.KEY_REFUSED}
_OF_REFUSAL = {
    Refusal.BAD_SIGNATURE: Metric.BAD_SIGNATURE,
    Refusal.UNSIGNED_BATCH_ITEMS: Metric.UNSIGNED_BATCH_ITEMS,
    Refusal.TOO_LARGE: Metric.TOO_LARGE,
    Refusal.SECRET_NOT_SET_UP: Metric.SECRET_NOT_SET_UP,
    Refusal.SECRET_UNAVAILABLE: Metric.SECRET_UNAVAILABLE,
}


class Journal:
    """The log and the metrics of one function; `namespace` is CloudWatch's for the metrics.

    `hash_key` gives the key of the users' hashes, empty for not to tell users apart. `level` is the least that is told.
    """

    def __init__(
        self, service: str, hash_key: Callable[[], str], namespace: str = METRICS_NAMESPACE, level: Level = "INFO"
    ) -> None:
        self._logger = Logger(service=service, level=level, logger_handler=_Stdout())
        self._metrics = EphemeralMetrics(namespace=namespace, service=service)
        self._hash_key = hash_key
        self._counts: Counter[Metric] = Counter()
        self._latencies: list[float] = []

    def result(self, result: Result, event: dict[str, Any] | None, attempt: int, seconds: float = 0.0) -> None:
        """What became of one delivery; `seconds` is how long Loops took, 0 when it was not asked."""
        self._counts[_OF_OUTCOME[result.outcome]] += 1
        if result.reason in _OF_REASON:
            self._counts[_OF_REASON[result.reason]] += 1
        if result.status is not None and len(self._latencies) < MAX_VALUES:
            self._latencies.append(seconds * 1000)
        level = self._logger.info if result.outcome in _USUAL else self._logger.warning
        level(
            "delivery",
            extra={
                **_told({"outcome": result.outcome, "reason": result.reason, "status": result.status}),
                **_told({"action": result.action, "subscription": result.subscription}),
                **self._whose(event),
                "attempt": attempt,
                "latency_ms": round(seconds * 1000, 1),
            },
        )

    def buried(self, letter: Message) -> None:
        """A dead letter was stored."""
        self._counts[Metric.DEAD_LETTERS] += 1
        self._logger.warning(
            "dead letter",
            extra=_told(
                {
                    "reason": letter.reason,
                    "status": letter.status,
                    "action": letter.action,
                    "subscription": letter.subscription,
                    "key": letter.key,
                    "attempt": letter.attempts,
                }
            ),
        )

    def refused(self, refusal: Refusal, cause: str) -> None:
        """A whole request was refused; the cause quotes nothing of it."""
        self._counts[_OF_REFUSAL[refusal]] += 1
        self._logger.warning("request refused", extra={"reason": refusal, "status": refusal.status, "cause": cause})

    def flush(self) -> None:
        """Writes the metrics of this invocation."""
        for metric, count in self._counts.items():
            self._metrics.add_metric(metric.title, metric.unit, count)
        for latency in self._latencies:
            self._metrics.add_metric(Metric.LATENCY.title, Metric.LATENCY.unit, latency)
        if self._counts or self._latencies:
            self._metrics.flush_metrics()
        self._counts.clear()
        self._latencies.clear()

    def _whose(self, event: dict[str, Any] | None) -> dict[str, str]:
        if event is None:
            return {}
        kind = event.get("type")
        return {
            "type": kind if isinstance(kind, str) and kind in _TYPES else "other",
            **self._id("messageId", event.get("messageId")),
            **_told({"user": self._hash(event.get("userId"))}),
        }

    def _id(self, name: str, value: Any) -> dict[str, str]:
        """A messageId of Segment is plain; one that somebody made up could hold an address, so it is hashed."""
        if isinstance(value, str) and _PLAIN_ID.match(value):
            return {name: value}
        return _told({f"{name}Hash": self._hash(value)})

    def _hash(self, value: Any) -> str | None:
        key = self._hash_key()
        if value is None or value == "" or not key:
            return None
        digest = hashlib.blake2b(str(value).encode("utf-8", "surrogatepass"), key=_short(key), digest_size=8)
        return digest.hexdigest()


class _Stdout(logging.StreamHandler[TextIO]):
    """Standard output as it is when a line is written; Powertools would keep the one of its own import."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stdout


_USUAL = {Outcome.DELIVERED, Outcome.FILTERED}


def _told(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _short(key: str) -> bytes:
    """A key of BLAKE2 is at most 64 bytes; this one is not the shared secret itself, in case a digest is shown."""
    return hashlib.sha256(b"user hashes in logs\0" + key.encode("utf-8", "surrogatepass")).digest()

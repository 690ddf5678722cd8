"""What is told of each delivery: a line of log and a count, with nothing in them that is a person's.

A line carries messageId, type, action, subscription, outcome, reason, status, attempt and latency. The user is a keyed
hash: the same user can be followed through the log, but not named from it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, TextIO

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from pydantic_core import to_json

from loops_destination.messages import Message
from loops_destination.outcomes import Denial, Outcome, Reason, Result
from loops_destination.settings import METRICS_NAMESPACE, Level

MAX_VALUES = 99  # of one metric in one line; CloudWatch takes 100

_UUID = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_MD5 = "[0-9a-f]{32}"
_SEGMENT_ID = re.compile(
    rf"""
    {_UUID}                                                                  # most SDKs
    | (?:ajs|node)(?:-next)? - (?:[0-9]{{13}}-|{_MD5}-)? (?:{_UUID}|{_MD5})  # analytics.js, analytics-node
    | node-[0-9A-Za-z]{{32}}                                                 # analytics-node, at first
    | (?:api-|personas_) [0-9A-Za-z]{{27}}                                   # Segment's API and Engage: a KSUID
    | personas_[0-9a-z]{{21}}                                                # Engage's journeys
    | [0-9][0-9A-Za-z]{{26}}                                                 # a KSUID; until 2051 they begin with a digit
    | segment-test-message-[0-9a-z]{{1,8}}                                   # the event tester
    """,
    re.VERBOSE,
)
"""The forms of messageId that Segment generates. Any other is the sender's own, and may hold a name or an address."""

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
    API_KEY_REFUSED = "ApiKeyRefused", MetricUnit.Count
    BAD_SIGNATURE = "BadSignature", MetricUnit.Count
    UNSIGNED_BATCH_ITEMS = "UnsignedBatchItems", MetricUnit.Count
    TOO_LARGE = "TooLarge", MetricUnit.Count
    SECRET_NOT_SET_UP = "SecretNotSetUp", MetricUnit.Count
    SECRET_UNAVAILABLE = "SecretUnavailable", MetricUnit.Count
    LATENCY = "LoopsLatency", MetricUnit.Milliseconds
    OLDEST_DELIVERY = "OldestDeliverySeconds", MetricUnit.Seconds

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
_OF_REASON = {Reason.RATE_LIMITED: Metric.RATE_LIMITED, Reason.API_KEY_REFUSED: Metric.API_KEY_REFUSED}
_OF_DENIAL = {
    Denial.BAD_SIGNATURE: Metric.BAD_SIGNATURE,
    Denial.UNSIGNED_BATCH_ITEMS: Metric.UNSIGNED_BATCH_ITEMS,
    Denial.TOO_LARGE: Metric.TOO_LARGE,
    Denial.SECRET_NOT_SET_UP: Metric.SECRET_NOT_SET_UP,
    Denial.SECRET_UNAVAILABLE: Metric.SECRET_UNAVAILABLE,
}


class Telemetry:
    """The log and the metrics of one function; `namespace` is CloudWatch's for the metrics.

    `hash_key` gives the key of the users' hashes, empty for not to tell users apart. `level` is the least that is told.
    """

    def __init__(
        self, service: str, hash_key: Callable[[], str], namespace: str = METRICS_NAMESPACE, level: Level = "INFO"
    ) -> None:
        self._logger = Logger(service=service, level=level, logger_handler=_Stdout(), logger_formatter=_Line())
        self._metrics = EphemeralMetrics(namespace=namespace, service=service)
        self._hash_key = hash_key
        self._counts: Counter[Metric] = Counter()
        self._latencies: list[float] = []
        self._longest_wait: float | None = None

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
            extra=_keys(
                {
                    "outcome": result.outcome,
                    "reason": result.reason,
                    "status": result.status,
                    "action": result.action,
                    "subscription": result.subscription,
                    **self._whose(event),
                    "attempt": attempt,
                    "latency_ms": round(seconds * 1000, 1),
                }
            ),
        )

    def buried(self, letter: Message) -> None:
        """A dead letter was stored."""
        self._counts[Metric.DEAD_LETTERS] += 1
        self._logger.warning(
            "dead letter",
            extra=_keys(
                {
                    "reason": letter.reason,
                    "status": letter.status,
                    "action": letter.action,
                    "subscription": letter.subscription,
                    "key": letter.idempotency_key,
                    "attempt": letter.attempts,
                }
            ),
        )

    def denied(self, denial: Denial, cause: str) -> None:
        """Note that a whole request was denied; `cause` quotes nothing from it."""
        self._counts[_OF_DENIAL[denial]] += 1
        fields = {"reason": denial, "status": denial.status, "cause": cause}
        self._logger.warning("request denied", extra=_keys(fields))

    def waited(self, seconds: float) -> None:
        """Note how long a delivery has been on the RetryQueue; the longest wait of the invocation is a metric."""
        self._longest_wait = max(seconds, self._longest_wait or 0.0)

    def flush(self) -> None:
        """Writes the metrics of this invocation."""
        values = {metric: [float(count)] for metric, count in self._counts.items()}
        if self._latencies:
            values[Metric.LATENCY] = self._latencies
        if self._longest_wait is not None:
            values[Metric.OLDEST_DELIVERY] = [self._longest_wait]
        if values:
            # Handed over whole: `add_metric` checks names and units one by one, and all of them are known here.
            metrics = {metric.title: {"Unit": metric.unit.value, "Value": told} for metric, told in values.items()}
            sys.stdout.write(_json({**self._metrics.serialize_metric_set(metrics)}) + "\n")
            sys.stdout.flush()
        self._counts = Counter()
        self._latencies = []
        self._longest_wait = None

    def _whose(self, event: dict[str, Any] | None) -> dict[str, str | None]:
        if event is None:
            return {}
        kind = event.get("type")
        return {
            "type": kind if isinstance(kind, str) and kind in _TYPES else "other",
            **self._id("messageId", event.get("messageId")),
            "user": self._hash(event.get("userId")),
        }

    def _id(self, name: str, value: Any) -> dict[str, str | None]:
        """Show an id that Segment generated; hash any other, which may name a person."""
        if isinstance(value, str) and _SEGMENT_ID.fullmatch(value):
            return {name: value}
        return {f"{name}Hash": self._hash(value)}

    def _hash(self, value: Any) -> str | None:
        key = self._hash_key()
        if value is None or value == "" or not key:
            return None
        digest = hashlib.blake2b(str(value).encode("utf-8", "surrogatepass"), key=_short(key), digest_size=8)
        return digest.hexdigest()


class _Line(LambdaPowertoolsFormatter):
    """Powertools' line with its keys, made in a third of the time: `location` is left out, for it is always this file."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC)
        line = {
            "level": record.levelname,
            "message": record.msg,
            "timestamp": when.isoformat(timespec="milliseconds"),
            "service": self.log_format["service"],
            "xray_trace_id": self._get_latest_trace_id(),
            **getattr(record, _KEYS, {}),
        }
        return _json({name: value for name, value in line.items() if value is not None})


class _Stdout(logging.StreamHandler[TextIO]):
    """Standard output as it is when a line is written; Powertools would keep the one of its own import."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stdout


_KEYS = "told"
_USUAL = {Outcome.DELIVERED, Outcome.FILTERED}


def _json(line: dict[str, Any]) -> str:
    try:
        return to_json(line).decode()
    except ValueError:  # half a surrogate pair, which only ASCII can tell
        return json.dumps(line)


def _keys(told: dict[str, Any]) -> dict[str, Any]:
    """What a line tells beside its message, as one of a record's attributes."""
    return {_KEYS: told}


@lru_cache(maxsize=4)
def _short(key: str) -> bytes:
    """A key of BLAKE2 is at most 64 bytes; this one is not the shared secret itself, in case a digest is shown."""
    return hashlib.sha256(b"user hashes in logs\0" + key.encode("utf-8", "surrogatepass")).digest()

"""The log and the metrics: one line of JSON and one count for each delivery, without personal data.

A user appears as a keyed hash, so that one user can be followed through the log but not identified from it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Self

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from pydantic_core import to_json

from loops_destination.errors import NotAnEvent
from loops_destination.events import is_segment_id, parse_object
from loops_destination.messages import Message
from loops_destination.outcomes import Denial, Outcome, Reason, Result
from loops_destination.settings import METRICS_NAMESPACE, Level

MAX_LATENCIES = 99  # in one line of metrics; CloudWatch accepts 100 values of a metric

_TYPES = frozenset({"identify", "track", "page", "screen", "group", "alias", "delete"})


class Metric(StrEnum):
    """Every metric, by its name in CloudWatch. The dashboard and the alarms use no others."""

    unit: str

    DELIVERED = "Delivered"
    FILTERED = "Filtered"
    UNCHANGED = "Unchanged"
    SUPERSEDED = "Superseded"
    QUEUED = "Queued"
    REJECTED = "Rejected"
    NOT_STORED = "NotStored"
    DEAD_LETTERS = "DeadLetters"
    RATE_LIMITED = "RateLimited"
    API_KEY_REFUSED = "ApiKeyRefused"
    CONTACT_BUSY = "ContactBusy"
    LEDGER_UNAVAILABLE = "LedgerUnavailable"
    BAD_SIGNATURE = "BadSignature"
    UNSIGNED_BATCH_ITEMS = "UnsignedBatchItems"
    TOO_LARGE = "TooLarge"
    SECRET_NOT_SET_UP = "SecretNotSetUp"  # noqa: S105  # the name of a metric
    SECRET_UNAVAILABLE = "SecretUnavailable"  # noqa: S105  # the name of a metric
    LATENCY = "LoopsLatency", MetricUnit.Milliseconds.value
    OLDEST_DELIVERY = "OldestDeliverySeconds", MetricUnit.Seconds.value

    def __new__(cls, name: str, unit: str = MetricUnit.Count.value) -> Self:
        metric = str.__new__(cls, name)
        metric._value_ = name
        metric.unit = unit
        return metric


_METRIC_OF_OUTCOME = {
    Outcome.DELIVERED: Metric.DELIVERED,
    Outcome.FILTERED: Metric.FILTERED,
    Outcome.UNCHANGED: Metric.UNCHANGED,
    Outcome.SUPERSEDED: Metric.SUPERSEDED,
    Outcome.QUEUED: Metric.QUEUED,
    Outcome.REJECTED: Metric.REJECTED,
    None: Metric.NOT_STORED,
}
_METRIC_OF_REASON = {
    Reason.RATE_LIMITED: Metric.RATE_LIMITED,
    Reason.API_KEY_REFUSED: Metric.API_KEY_REFUSED,
    Reason.CONTACT_BUSY: Metric.CONTACT_BUSY,
    Reason.LEDGER_UNAVAILABLE: Metric.LEDGER_UNAVAILABLE,
}
_METRIC_OF_DENIAL = {
    Denial.BAD_SIGNATURE: Metric.BAD_SIGNATURE,
    Denial.UNSIGNED_BATCH_ITEMS: Metric.UNSIGNED_BATCH_ITEMS,
    Denial.TOO_LARGE: Metric.TOO_LARGE,
    Denial.SECRET_NOT_SET_UP: Metric.SECRET_NOT_SET_UP,
    Denial.SECRET_UNAVAILABLE: Metric.SECRET_UNAVAILABLE,
}
_USUAL = {Outcome.DELIVERED, Outcome.FILTERED, Outcome.UNCHANGED, Outcome.SUPERSEDED}


class Telemetry:
    """The log and the metrics of one function.

    `hash_key` returns the key for hashing users and messageIds; while it is empty, neither appears in the log.
    `namespace` is the CloudWatch namespace of the metrics. Lines below `level` are not written. `on_result` is called
    with every result that is logged.
    """

    def __init__(
        self,
        service: str,
        hash_key: Callable[[], str],
        namespace: str = METRICS_NAMESPACE,
        level: Level = "INFO",
        on_result: Callable[[Result], None] | None = None,
    ) -> None:
        Logger(service=service, level=level, logger_handler=_Stdout(), logger_formatter=_JsonLines())
        self._logger = logging.getLogger(service)  # set up by the line above
        self._metrics = EphemeralMetrics(namespace=namespace, service=service)
        self._hash_key = hash_key
        self._on_result = on_result
        self._counts: Counter[Metric] = Counter()
        self._latencies: list[float] = []
        self._longest_wait: float | None = None

    def result(self, result: Result, event: dict[str, Any] | None, attempt: int, seconds: float = 0.0) -> None:
        """Log and count the result of one delivery; `seconds` is how long the call to Loops took, 0 without one."""
        self._counts[_METRIC_OF_OUTCOME[result.outcome]] += 1
        if result.reason in _METRIC_OF_REASON:
            self._counts[_METRIC_OF_REASON[result.reason]] += 1
        if result.status is not None and len(self._latencies) < MAX_LATENCIES:
            self._latencies.append(seconds * 1000)
        fields = {
            "outcome": result.outcome,
            "reason": result.reason,
            "rule": result.rule,
            "status": result.status,
            "action": result.action,
            "subscription": result.subscription,
            **self._event_fields(event),
            "attempt": attempt,
            "latency_ms": round(seconds * 1000, 1),
        }
        self._log(logging.INFO if result.outcome in _USUAL else logging.WARNING, "delivery", fields)
        if self._on_result is not None:
            self._on_result(result)

    def buried(self, letter: Message) -> None:
        """Log and count a dead letter that was stored."""
        self._counts[Metric.DEAD_LETTERS] += 1
        fields = {
            "reason": letter.reason,
            "status": letter.status,
            "action": letter.action,
            "subscription": letter.subscription,
            **self._event_fields(_event(letter)),
            "idempotency_key": letter.idempotency_key,
            "attempt": letter.attempts,
        }
        self._log(logging.WARNING, "dead letter", fields)

    def denied(self, denial: Denial, cause: str) -> None:
        """Log and count a request that was denied; `cause` must quote nothing of the request."""
        self._counts[_METRIC_OF_DENIAL[denial]] += 1
        fields = {"reason": denial, "status": denial.status, "cause": cause}
        self._log(logging.WARNING, "request denied", fields)

    def waited(self, seconds: float) -> None:
        """Note how long a delivery has been on the RetryQueue; the longest wait of an invocation is a metric."""
        self._longest_wait = max(seconds, self._longest_wait or 0.0)

    def flush(self) -> None:
        """Write the metrics of this invocation as one line of CloudWatch's embedded metric format, and start anew."""
        values = {metric: [float(count)] for metric, count in self._counts.items()}
        if self._latencies:
            values[Metric.LATENCY] = self._latencies
        if self._longest_wait is not None:
            values[Metric.OLDEST_DELIVERY] = [self._longest_wait]
        if values:
            # All at once: `add_metric` validates each name and unit, which are constants here.
            metrics = {str(metric): {"Unit": metric.unit, "Value": found} for metric, found in values.items()}
            _write(_json({**self._metrics.serialize_metric_set(metrics)}))
        self._counts = Counter()
        self._latencies = []
        self._longest_wait = None

    def _log(self, level: int, message: str, fields: dict[str, Any]) -> None:
        """Write a line in four fifths of the time of `Logger.log`, which also looks up the caller."""
        logger = self._logger
        if logger.isEnabledFor(level):
            extra = {_JsonLines.FIELDS: fields}
            logger.handle(logger.makeRecord(logger.name, level, __file__, 0, message, (), None, extra=extra))

    def _event_fields(self, event: dict[str, Any] | None) -> dict[str, str | None]:
        if event is None:
            return {}
        kind, key = event.get("type"), self._hash_key()
        return {
            "type": kind if isinstance(kind, str) and kind in _TYPES else "other",
            **message_id_fields(event.get("messageId"), key),
            "user": log_hash(event.get("userId"), key),
        }


def message_id_fields(value: Any, key: str) -> dict[str, str | None]:
    """Return the field for a messageId: one that Segment generated as it is, any other as a hash, for it may name a person."""
    if is_segment_id(value):
        return {"messageId": value}
    return {"messageIdHash": log_hash(value, key)}


def log_hash(value: Any, key: str) -> str | None:
    """Return the keyed hash of a userId or messageId as the log holds it; None without a value or a key.

    `key` is the shared secret.
    """
    if value is None or value == "" or not key:
        return None
    digest = hashlib.blake2b(str(value).encode("utf-8", "surrogatepass"), key=_derived(key), digest_size=8)
    return digest.hexdigest()


class _JsonLines(LambdaPowertoolsFormatter):
    """A formatter that writes the keys of Powertools' own formatter in half the time.

    It leaves out `location`, since this module writes every line, and every key without a value.
    """

    FIELDS = "fields"
    """The attribute of a log record that holds the keys of this record alone."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC)
        line = {
            "level": record.levelname,
            "message": record.msg,
            "timestamp": when.isoformat(timespec="milliseconds"),
            "service": self.get_current_keys()["service"],
            "xray_trace_id": _trace_id(),
            **getattr(record, self.FIELDS, {}),
        }
        return _json({name: value for name, value in line.items() if value is not None})


class _Stdout(logging.Handler):
    """A handler that writes to the current `sys.stdout`; Powertools' own keeps the one it was created with."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _write(self.format(record))
        except Exception:  # noqa: BLE001  # as in every handler: a line that cannot be written must not end a delivery
            self.handleError(record)


def _event(letter: Message) -> dict[str, Any] | None:
    try:
        return parse_object(letter.event)
    except NotAnEvent:
        return None


def _trace_id() -> str | None:
    """Return the X-Ray trace of this invocation, from `Root=1-…;Parent=…;Sampled=…`."""
    root, _, _ = os.environ.get("_X_AMZN_TRACE_ID", "").partition(";")
    return root.removeprefix("Root=") or None


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _json(line: dict[str, Any]) -> str:
    try:
        return to_json(line).decode()
    except ValueError:  # half a surrogate pair, which only ASCII can express
        return json.dumps(line)


@lru_cache(maxsize=4)
def _derived(key: str) -> bytes:
    """Return the key of the hashes. It differs from the shared secret, which no hash in a log may give away."""
    return hashlib.sha256(b"user hashes in logs\0" + key.encode("utf-8", "surrogatepass")).digest()

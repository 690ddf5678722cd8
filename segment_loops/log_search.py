"""A stack's log, searched with CloudWatch Logs Insights.

AWS bills a search by the bytes that it scans. The functions' log groups report how many bytes they took in, so the size
of a search is known before it begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from loops_destination.clock import Clock, SystemClock
from segment_loops.command_errors import CommandError
from segment_loops.deployed_stack import DeployedStack, aws_errors
from segment_loops.json_values import json_object

LOG_GROUPS = ("ContactUpsertLogs", "SendEventLogs", "SegmentWebhookLogs", "RedeliveryLogs")
"""The logical ids of the functions' log groups in template.yaml."""

DOLLARS_PER_GB = 0.005
"""The list price in us-east-1; elsewhere up to half as much again. See https://aws.amazon.com/cloudwatch/pricing/."""

ASK_ABOVE_BYTES = 10_000_000_000
"""A search that scans more asks first: 10 GB cost about five cents."""

MAX_LINES = 10_000
"""The most that Logs Insights returns for one search."""

_GB = 1_000_000_000
_HOUR = 3600
_PAUSE_SECONDS = 0.5
_FINISHED = {"Complete", "Failed", "Cancelled", "Timeout"}


@dataclass(frozen=True, slots=True)
class Period:
    """The time from `start` to `end`, in seconds since 1970."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class FoundLines:
    """The lines that a search found, the oldest first, and the bytes that it scanned.

    `is_complete` is False if Logs Insights left out lines because there were too many.
    """

    lines: Sequence[Mapping[str, Any]] = field(repr=False)
    scanned: int
    is_complete: bool


def price(scanned: float) -> str:
    """Return the price of a search: `38.2 MB, under $0.01`."""
    dollars = scanned / _GB * DOLLARS_PER_GB
    return f"{size(scanned)}, {'under $0.01' if dollars < 0.01 else f'about ${dollars:,.2f}'}"  # noqa: PLR2004  # a cent


def size(scanned: float) -> str:
    """Return a number of bytes in the largest unit that fits: `38.2 MB`."""
    for unit, bytes_each in (("GB", _GB), ("MB", 1_000_000), ("KB", 1000)):
        if scanned >= bytes_each:
            return f"{scanned / bytes_each:,.1f} {unit}"
    return f"{scanned:.0f} bytes"


class LogSearch:
    """The log of a stack's functions; `groups` are the names of its log groups."""

    def __init__(self, logs: Any, cloudwatch: Any, groups: Sequence[str], clock: Clock | None = None) -> None:
        self._logs = logs
        self._cloudwatch = cloudwatch
        self._groups = list(groups)
        self._clock = clock or SystemClock()

    @classmethod
    def of(cls, stack: DeployedStack) -> LogSearch:
        """Return the log of a stack; raise `CommandError` if the stack has no log groups."""
        found = stack.resources("AWS::Logs::LogGroup")
        groups = [found[name] for name in LOG_GROUPS if name in found]
        if not groups:
            raise CommandError(
                f"The stack {stack.name} has none of the log groups {', '.join(LOG_GROUPS)}. "
                "Check its name, or deploy it again: make deploy."
            )
        with aws_errors("CloudWatch"):
            return cls(stack.account.logs(), stack.account.cloudwatch(), groups)

    def estimate(self, period: Period) -> float:
        """Estimate the bytes that a search of the period scans: those that the log groups took in."""
        queries = [
            {
                "Id": f"group{index}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/Logs",
                        "MetricName": "IncomingBytes",
                        "Dimensions": [{"Name": "LogGroupName", "Value": group}],
                    },
                    "Period": _HOUR,
                    "Stat": "Sum",
                },
            }
            for index, group in enumerate(self._groups)
        ]
        return sum(sum(values) for values in metric_values(self._cloudwatch, queries, period).values())

    def search(self, condition: str, period: Period, limit: int = MAX_LINES, *, newest: bool = False) -> FoundLines:
        """Return the lines about deliveries and dead letters that meet the condition, in Logs Insights' language.

        With `newest`, lines beyond the limit are left out at the beginning, else at the end.
        """
        order = "desc" if newest else "asc"
        query = (
            "fields @timestamp, @message\n"
            f'| filter message in ["delivery", "dead letter"]{f" and ({condition})" if condition else ""}\n'
            f"| sort @timestamp {order}\n"
            f"| limit {limit}"
        )
        with aws_errors(f"The log groups {', '.join(self._groups)}"):
            answer = self._answer(query, period)
        rows = [{each["field"]: each["value"] for each in row} for row in answer.get("results", [])]
        lines = [line for line in (json_object(row.get("@message", "")) for row in rows) if _is_about_delivery(line)]
        return FoundLines(
            lines[::-1] if newest else lines,
            round(answer.get("statistics", {}).get("bytesScanned", 0)),
            is_complete=len(rows) < limit,
        )

    def _answer(self, query: str, period: Period) -> dict[str, Any]:
        query_id = self._logs.start_query(
            logGroupNames=self._groups, startTime=int(period.start), endTime=int(period.end), queryString=query
        )["queryId"]
        try:
            answer = self._finished(query_id)
        except KeyboardInterrupt:
            self._logs.stop_query(queryId=query_id)  # so that nothing more is scanned
            raise
        if answer["status"] != "Complete":
            raise CommandError(
                f"The search of the log ended as {answer['status'].lower()}. Search a shorter time: --since 1h."
            )
        return answer

    def _finished(self, query_id: str) -> dict[str, Any]:
        """Return the answer to a search once it has ended."""
        while True:
            answer: dict[str, Any] = self._logs.get_query_results(queryId=query_id)
            if answer["status"] in _FINISHED:
                return answer
            self._clock.sleep(_PAUSE_SECONDS)


def metric_values(cloudwatch: Any, queries: Sequence[Mapping[str, Any]], period: Period) -> dict[str, list[float]]:
    """Return the values of metrics by the `Id` of their query."""
    values: dict[str, list[float]] = {}
    with aws_errors("CloudWatch's metrics"):
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=list(queries),
            StartTime=datetime.fromtimestamp(period.start, UTC),
            EndTime=datetime.fromtimestamp(period.end, UTC),
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                values.setdefault(result["Id"], []).extend(result["Values"])
    return values


def _is_about_delivery(line: Mapping[str, Any]) -> bool:
    return line.get("message") in {"delivery", "dead letter"}

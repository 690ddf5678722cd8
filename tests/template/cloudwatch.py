"""The evaluation of alarms as CloudWatch documents it: pure functions of the samples of metrics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any

from tests.template.template_stack import references

Samples = Mapping[str, Sequence[tuple[float, float]]]
"""Samples (time in seconds, value) in order, by metric and resource, such as `Errors RedeliveryFunction`."""

MINUTE, HOUR, DAY = 60, 3600, 86400
SUM_OF_ALL = "SUM(METRICS())"
ENOUGH_FOR_P99 = 10 / (1 - 0.99)


def fires(
    datapoints: Sequence[float | None],
    *,
    evaluated: int,
    to_alarm: int,
    threshold: float,
    missing_breaches: bool = False,
) -> bool:
    """Return whether an alarm fires for which `to_alarm` out of `evaluated` datapoints must breach.

    The datapoints are those of the evaluation range, the latest last, None where one is missing. The range is longer than
    `evaluated`, and missing datapoints count only if too few others exist in it.
    """
    existing = [value for value in datapoints if value is not None][-evaluated:]
    breaching = sum(value >= threshold for value in existing)
    if missing_breaches:
        breaching += evaluated - len(existing)
    return breaching >= to_alarm


class Alarm:
    """An alarm of the template; its evaluation range is `looks_back` periods longer than what it evaluates."""

    def __init__(self, properties: Mapping[str, Any], *, looks_back: int = 0) -> None:
        assert properties["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert properties["TreatMissingData"] == "notBreaching"
        self._properties = properties
        self._evaluated: int = properties["EvaluationPeriods"]
        self._range = self._evaluated + looks_back
        (self._period,) = {query["Period"] for query in _periods(properties)}

    def fires(self, samples: Samples) -> bool:
        """Return whether the alarm fires at any time. It is evaluated every minute, or every hour if its period is a day."""
        ends = max((values[-1][0] for values in samples.values() if values), default=0.0) + self._period
        step = HOUR if self._period >= DAY else MINUTE
        return any(self._fires_at(samples, time) for time in range(step, ceil(ends) + step, step))

    def _fires_at(self, samples: Samples, time: float) -> bool:
        datapoints = [self._datapoint(samples, time - back * self._period) for back in reversed(range(self._range))]
        to_alarm = self._properties.get("DatapointsToAlarm", self._evaluated)
        threshold = self._properties["Threshold"]
        return fires(datapoints, evaluated=self._evaluated, to_alarm=to_alarm, threshold=threshold)

    def _datapoint(self, samples: Samples, until: float) -> float | None:
        """Return the datapoint of the period that ends at `until`."""
        if "MetricName" in self._properties:
            statistic = self._properties.get("Statistic") or self._properties["ExtendedStatistic"]
            values = _within(samples, _name(self._properties), until - self._period, until)
            skips = self._properties.get("EvaluateLowSampleCountPercentile") == "ignore"
            return None if skips and len(values) < ENOUGH_FOR_P99 else _statistic(values, statistic)
        (query,) = [each for each in self._properties["Metrics"] if each.get("ReturnData", True)]
        if query["Expression"] != SUM_OF_ALL:
            selected = re.match(r"SELECT SUM\((\w+)\)", query["Expression"]["Fn::Sub"])
            assert selected
            names = [name for name in samples if name.startswith(f"{selected[1]} ")]
            values = [each for name in names for each in _within(samples, name, until - self._period, until)]
            return _statistic(values, "Sum")
        stats = [each["MetricStat"] for each in self._properties["Metrics"] if "MetricStat" in each]
        parts = [
            _statistic(_within(samples, _name(each["Metric"]), until - self._period, until), each["Stat"])
            for each in stats
        ]
        existing = [part for part in parts if part is not None]
        return sum(existing) if existing else None


def _periods(properties: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "Period" in properties:
        yield properties
    for query in properties.get("Metrics", []):
        if query["Expression" if "Expression" in query else "MetricStat"] != SUM_OF_ALL:
            yield query.get("MetricStat", query)


def _name(metric: Mapping[str, Any]) -> str:
    value = metric["Dimensions"][0]["Value"]
    return f"{metric['MetricName']} {next(references(value), value)}"


def _within(samples: Samples, name: str, start: float, end: float) -> list[float]:
    of_metric = samples.get(name, [])
    first, last = bisect_left(of_metric, (start,)), bisect_left(of_metric, (end,))
    return [value for _, value in of_metric[first:last]]


def _statistic(values: Sequence[float], statistic: str) -> float | None:
    if not values:
        return None
    match statistic:
        case "Sum":
            return sum(values)
        case "Maximum":
            return max(values)
        case "Minimum":
            return min(values)
        case "p99":
            return sorted(values)[ceil(len(values) * 0.99) - 1]
    raise NotImplementedError(statistic)

"""The state of a deployed stack: counts from its metrics, its queues, its alarms, and the mappings it runs with."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from loops_destination.observability import Metric
from loops_destination.settings import METRICS_NAMESPACE
from segment_loops.command_errors import CommandError
from segment_loops.deployed_stack import DeployedStack, aws_errors
from segment_loops.doctor.deployed_functions import ALIAS, deployed_mappings
from segment_loops.log_search import Period, metric_values

SERVICES = ("contact_upsert", "send_event", "segment_webhook", "redelivery")
"""The names under which the functions write metrics, as in functions/*/app.py."""

_HOUR = 3600
_FUNCTION = "SegmentWebhookFunction"  # every function runs with the same mappings
_COUNTS = {
    "ready": "ApproximateNumberOfMessages",
    "hidden": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of the stack: its logical id, its state in CloudWatch's words, and since when, in seconds since 1970."""

    name: str
    state: str
    since: float
    description: str

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "state": self.state, "since": self.since, "description": self.description}


def counts(stack: DeployedStack, period: Period) -> dict[str, int]:
    """Return the stack's counts by the name of their metric, summed over the functions and the period's whole hours."""
    metrics = [metric for metric in Metric if metric.unit == MetricUnit.Count.value]
    queries = [
        {
            "Id": f"{metric.name.lower()}_{index}",
            "MetricStat": {
                "Metric": {
                    "Namespace": f"{METRICS_NAMESPACE}/{stack.name}",
                    "MetricName": metric.value,
                    "Dimensions": [{"Name": "service", "Value": service}],
                },
                "Period": _HOUR,
                "Stat": "Sum",
            },
        }
        for metric in metrics
        for index, service in enumerate(SERVICES)
    ]
    found = metric_values(stack.account.cloudwatch(), queries, period)
    return {
        metric.value: round(sum(sum(found.get(f"{metric.name.lower()}_{index}", ())) for index in range(len(SERVICES))))
        for metric in metrics
    }


def queue_counts(stack: DeployedStack) -> dict[str, dict[str, int]]:
    """Return the approximate numbers of messages on the two queues, without receiving any."""
    queues = stack.queues()
    urls = {"retryQueue": queues.retry_queue_url, "deadLetterQueue": queues.dead_letter_queue_url}
    found = {}
    for name, url in urls.items():
        with aws_errors(url):
            names: Any = list(_COUNTS.values())
            attributes = queues.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        found[name] = {word: int(attributes.get(attribute, "0")) for word, attribute in _COUNTS.items()}  # type: ignore[call-overload]
    return found


def alarms(stack: DeployedStack) -> list[Alarm]:
    """Return the stack's alarms; those in the state ALARM come first."""
    own = re.compile(rf"{re.escape(stack.name)}-(\w+Alarm)-\w+")  # as CloudFormation names them
    with aws_errors("CloudWatch's alarms"):
        pages = stack.account.cloudwatch().get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{stack.name}-")
        found = [
            Alarm(
                name[1],
                each["StateValue"],
                each["StateUpdatedTimestamp"].timestamp(),
                each.get("AlarmDescription", ""),
            )
            for page in pages
            for each in page["MetricAlarms"]
            if (name := own.fullmatch(each["AlarmName"]))
        ]
    return sorted(found, key=lambda each: (each.state != "ALARM", each.state == "OK", each.name))


def mappings(stack: DeployedStack) -> bytes:
    """Return the mappings file with which the stack's functions run; raise `CommandError` if it cannot be read."""
    function = stack.functions().get(_FUNCTION)
    if function is None:
        raise CommandError(f"The stack {stack.name} has no {_FUNCTION}. Check its name, or deploy it: make deploy.")
    client = stack.account.aws_lambda()
    with aws_errors(f"The function {function}"):
        live = client.get_function_configuration(FunctionName=function, Qualifier=ALIAS)
    layers: Sequence[str] = [layer["Arn"] for layer in live.get("Layers", [])]
    return deployed_mappings(function, layers, client)


def difference(deployed: bytes, file: Path) -> list[str]:
    """Return the lines of a diff from the deployed mappings to the file; none if they mean the same."""
    try:
        local = file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
    before, after = (_lines(text) for text in (deployed, local))
    return [line.rstrip("\n") for line in difflib.unified_diff(before, after, "deployed", file.name)]


def _lines(text: bytes) -> list[str]:
    """Return the lines of a mappings file, in one layout if it is JSON."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False).splitlines()
    except ValueError:
        return text.decode(errors="replace").splitlines()

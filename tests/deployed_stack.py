"""A deployed stack on moto: its log with lines that the product wrote, its queues, its secret and its ledger."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3

from loops_destination.messages import Message
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Outcome, Reason, Result
from segment_loops.log_search import LOG_GROUPS

NAME = "team-loops"
SHARED_SECRET = "shared-secret"
CONTACT_UPSERT, SEND_EVENT, SEGMENT_WEBHOOK, REDELIVERY = (
    "contact_upsert",
    "send_event",
    "segment_webhook",
    "redelivery",
)

_GROUPS = dict(zip((CONTACT_UPSERT, SEND_EVENT, SEGMENT_WEBHOOK, REDELIVERY), LOG_GROUPS, strict=True))
_TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
    },
}


class MotoStack:
    """A stack, whose clients are those of the environment."""

    def __init__(self, *, ledger: bool = True, parameters: Mapping[str, str] | None = None) -> None:
        secret = boto3.client("secretsmanager").create_secret(
            Name="Secret", SecretString=json.dumps({"apiKey": "an-api-key", "sharedSecret": SHARED_SECRET})
        )
        self.secret_arn = secret["ARN"]
        given = {"LogRetentionDays": "30", "LogLevel": "INFO", **(parameters or {})}
        resources: dict[str, Any] = {name: {"Type": "AWS::Logs::LogGroup"} for name in LOG_GROUPS}
        queues = ("RetryQueue", "DeadLetterQueue")
        for queue in queues:
            resources[queue] = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"{NAME}-{queue}"}}
        if ledger:
            resources["ContactLedgerTable"] = _TABLE
        outputs = {f"{queue}Url": {"Value": {"Ref": queue}} for queue in queues}
        template = {
            "Parameters": {name: {"Type": "String"} for name in given},
            "Resources": resources,
            "Outputs": {**outputs, "SecretArn": {"Value": self.secret_arn}},
        }
        cloudformation = boto3.client("cloudformation")
        self.id = cloudformation.create_stack(
            StackName=NAME,
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        )["StackId"]
        summaries = cloudformation.list_stack_resources(StackName=NAME)["StackResourceSummaries"]
        self.names = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in summaries}

    @property
    def table(self) -> str:
        return self.names["ContactLedgerTable"]

    def log(self, service: str, write: Callable[[Telemetry], None], ago: float = 0.0) -> None:
        """Put the lines that a function's telemetry writes into its log group, as if written `ago` seconds ago."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            write(Telemetry(service, lambda: SHARED_SECRET))
        at = time.time() - ago
        stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        lines = [json.dumps(json.loads(line) | {"timestamp": stamp}) for line in output.getvalue().splitlines()]
        logs, group = boto3.client("logs"), self.names[_GROUPS[service]]
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_stream(logGroupName=group, logStreamName="stream")
        events = [{"timestamp": round(at * 1000), "message": line} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName="stream", logEvents=events)

    def log_result(self, service: str, result: Result, event: Any, attempt: int = 1, ago: float = 0.0) -> None:
        """Log a delivery."""
        self.log(service, lambda telemetry: telemetry.result(result, event, attempt, 0.25), ago)

    def bury(self, message: Message) -> None:
        """Put a dead letter on the DeadLetterQueue."""
        boto3.client("sqs").send_message(
            QueueUrl=self.names["DeadLetterQueue"],
            MessageBody=message.to_json(),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": text} for name, text in message.attributes.items()
            },
        )

    def take_in(self, size: float) -> None:
        """Let a log group report that it took in this many bytes."""
        boto3.client("cloudwatch").put_metric_data(
            Namespace="AWS/Logs",
            MetricData=[
                {
                    "MetricName": "IncomingBytes",
                    "Dimensions": [{"Name": "LogGroupName", "Value": self.names["RedeliveryLogs"]}],
                    "Timestamp": datetime.now(UTC).timestamp() - 60,
                    "Value": size,
                }
            ],
        )


def result(outcome: Outcome | None, reason: Reason | None = None, status: int | None = None) -> Result:
    """Return a result under the subscription `events`."""
    return Result(outcome, reason, status=status, subscription="events", action="sendEvent")

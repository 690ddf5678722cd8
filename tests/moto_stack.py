"""A deployed stack on moto: its log with lines that the product wrote, its queues, secret, ledger, functions and alarms."""

from __future__ import annotations

import contextlib
import io
import json
import re
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import boto3
from werkzeug.wrappers import Request, Response

from local.aws import moto_app
from local.http_server import HttpServer
from loops_destination.clock import SystemClock
from loops_destination.ledger.store import DynamoStore
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
MAPPINGS = {"subscriptions": [{"id": "events", "action": "sendEvent"}]}
"""The deployed mappings."""

_LAMBDA_OPERATIONS = {
    "/layers": "GetLayerVersion",
    "/event-source-mappings": "ListEventSourceMappings",
    "/configuration": "GetFunctionConfiguration",
}
"""The operations of Lambda by a part of their path."""

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

    def __init__(
        self, *, ledger: bool = True, function: bool = False, parameters: Mapping[str, str] | None = None
    ) -> None:
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
        if function:
            resources["SegmentWebhookFunction"] = _function()
        outputs = {f"{queue}Url": {"Value": {"Ref": queue}} for queue in queues}
        template = {
            "Parameters": {name: {"Type": "String"} for name in given},
            "Resources": resources,
            "Outputs": {**outputs, "SecretArn": {"Value": self.secret_arn}},
        }
        self.id = boto3.client("cloudformation").create_stack(
            StackName=NAME,
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        )["StackId"]
        summaries = boto3.client("cloudformation").list_stack_resources(StackName=NAME)["StackResourceSummaries"]
        self.names = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in summaries}
        if function:
            self._attach_mappings()

    def _attach_mappings(self) -> None:
        """Put the mappings into a layer of the function, and make the alias `live`."""
        client, name = boto3.client("lambda"), self.names["SegmentWebhookFunction"]
        layer = client.publish_layer_version(LayerName="MappingsLayer", Content={"ZipFile": _zipped("mappings.json")})
        client.update_function_configuration(FunctionName=name, Layers=[layer["LayerVersionArn"]])
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")

    def add_alarm(self, name: str, state: str) -> None:
        """Add an alarm, named as CloudFormation names it."""
        cloudwatch = boto3.client("cloudwatch")
        full = f"{NAME}-{name}-1A2B3C4D5E6F"
        cloudwatch.put_metric_alarm(
            AlarmName=full,
            AlarmDescription=f"About {name}.",
            MetricName="Errors",
            Namespace="AWS/Lambda",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
        )
        cloudwatch.set_alarm_state(AlarmName=full, StateValue=state, StateReason="test")

    def count(self, metric: str, value: float, service: str = SEND_EVENT) -> None:
        """Let a function report a count."""
        self._put_metric(f"LoopsDestination/{NAME}", metric, {"service": service}, value)

    @property
    def table(self) -> str:
        return self.names["ContactLedgerTable"]

    @property
    def store(self) -> DynamoStore:
        """The items of the ledger."""
        return DynamoStore(self.table, SystemClock(), boto3.client("dynamodb"))

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
        self._put_metric("AWS/Logs", "IncomingBytes", {"LogGroupName": self.names["RedeliveryLogs"]}, size)

    def _put_metric(self, namespace: str, name: str, dimensions: Mapping[str, str], value: float) -> None:
        boto3.client("cloudwatch").put_metric_data(
            Namespace=namespace,
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": key, "Value": each} for key, each in dimensions.items()],
                    "Timestamp": time.time() - 60,
                    "Value": value,
                }
            ],
        )


@dataclass(frozen=True)
class Front:
    """moto behind a URL. Its layers can be downloaded and its searches have a size, both of which moto lacks.

    Actions have their names in IAM policies: `called` collects those of the requests, and those that are in `denied` are
    answered as AWS answers a user who lacks the right.
    """

    url: str
    called: set[str]
    denied: set[str]


@contextlib.contextmanager
def front() -> Iterator[Front]:
    """Serve a front; its URL is for AWS_ENDPOINT_URL."""
    moto = moto_app()
    called: set[str] = set()
    denied: set[str] = set()

    def app(environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        if request.path == "/layer.zip":
            return Response(_zipped("mappings.json"))(environ, start_response)
        action = _action(request)
        called.add(action)
        if action in denied:
            return _denial(action)(environ, start_response)
        if action == "lambda:GetLayerVersion":
            content: dict[str, Any] = {"Content": {"Location": f"{request.host_url}layer.zip"}}
            return Response(json.dumps(content), content_type="application/json")(environ, start_response)
        answer = Response.from_app(moto, environ, buffered=True)
        if action == "logs:GetQueryResults":
            content = json.loads(answer.get_data()) | {"statistics": {"bytesScanned": 38_000_000.0}}
            answer.set_data(json.dumps(content))
        return answer(environ, start_response)

    with HttpServer(app, 0, "front") as server:
        yield Front(server.root, called, denied)


def _denial(action: str) -> Response:
    """Return AWS' answer to a user without the right, for the services that speak JSON."""
    message = f"User: arn:aws:iam::1:user/ada is not authorized to perform: {action} on resource: it"
    content = json.dumps({"__type": "AccessDeniedException", "message": message})
    return Response(content, 400, content_type="application/x-amz-json-1.0")


def _action(request: Request) -> str:
    """Return the action of a request to AWS, as IAM names it: `sqs:DeleteMessage`."""
    signed = re.search(r"Credential=[^/]+/\d+/[\w-]+/([\w-]+)/", request.headers["Authorization"])
    assert signed is not None
    service = {"monitoring": "cloudwatch"}.get(signed[1], signed[1])
    target = request.headers.get("X-Amz-Target", "")
    if service == "lambda":
        operation = next((name for part, name in _LAMBDA_OPERATIONS.items() if part in request.path), request.path)
    elif target:
        operation = target.rpartition(".")[2]
    elif "/operation/" in request.path:
        operation = request.path.rpartition("/")[2]
    else:
        form = parse_qs(request.get_data(cache=True).decode())
        request.environ["wsgi.input"] = io.BytesIO(request.get_data())
        operation = form["Action"][0]
    return f"{service}:{operation.removesuffix('Batch')}"


def _function() -> dict[str, Any]:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=json.dumps(trust))
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Role": role["Role"]["Arn"],
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "Code": {"ZipFile": "handler = None"},
        },
    }


def _zipped(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, json.dumps(MAPPINGS))
    return content.getvalue()


def result(outcome: Outcome | None, reason: Reason | None = None, status: int | None = None) -> Result:
    """Return a result under the subscription `events`."""
    return Result(outcome, reason, status=status, subscription="events", action="sendEvent")

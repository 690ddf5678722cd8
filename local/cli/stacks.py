"""The deployed stack by its name, and the one that `make run` has on this machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from local.cli.errors import CommandError, UsageError
from local.template import ACCOUNT, REGION
from loops_destination.errors import SecretNotSetUp
from loops_destination.secret_store import Secret

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

RATE = "LoopsRequestsPerSecond"
DEFAULT_RATE = 10.0

_QUICKLY = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3, "mode": "standard"})


@dataclass(frozen=True, slots=True)
class Stack:
    """What CloudFormation tells of a stack: its outputs and its parameters."""

    name: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]

    def output(self, name: str) -> str:
        """The output; `CommandError` when the stack is of another template."""
        if name not in self.outputs:
            raise CommandError(f"the stack {self.name} has no output {name}: is it this destination's?")
        return self.outputs[name]


@dataclass(frozen=True, slots=True)
class Queues:
    """Where the dead letters are, and where they go back to; `rate` is in calls of Loops per second."""

    sqs: SQSClient = field(repr=False)
    dead_letter_queue_url: str
    retry_queue_url: str
    rate: float = DEFAULT_RATE


def find_stack(options: argparse.Namespace, session: boto3.Session | None = None) -> Stack:
    """The stack that was named; `CommandError` when there is none."""
    with aws_errors(f"the stack {options.stack}"):
        cloudformation = (session or _session(options)).client("cloudformation", config=_QUICKLY)
        (stack,) = cloudformation.describe_stacks(StackName=options.stack)["Stacks"]
    return Stack(
        options.stack,
        {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])},
        {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])},
    )


def stack_key(options: argparse.Namespace, stack: Stack) -> str:
    """The API key in the stack's secret; `CommandError` when it cannot be read, or is not there yet."""
    arn = stack.output("SecretArn")
    with aws_errors(f"the secret {arn}"):
        client = _session(options).client("secretsmanager", config=_QUICKLY)
        text = client.get_secret_value(SecretId=arn).get("SecretString", "")
    try:
        return Secret.from_json(text).api_key
    except SecretNotSetUp as error:
        raise CommandError(f"{error} ({arn})") from None


def find_queues(options: argparse.Namespace) -> Queues:
    """The queues that the options name; errors as `find_stack`."""
    if options.local:
        return _local_queues(options.aws_port)
    with aws_errors("SQS"):
        session = _session(options)
        sqs = session.client("sqs", config=_QUICKLY)
    if options.dead_letter_queue_url:
        return Queues(sqs, options.dead_letter_queue_url, options.retry_queue_url or "")
    stack = find_stack(options, session)
    rate = float(stack.parameters.get(RATE, DEFAULT_RATE))
    return Queues(sqs, stack.output("DeadLetterQueueUrl"), stack.output("RetryQueueUrl"), rate)


def _local_queues(port: int) -> Queues:
    url = f"http://127.0.0.1:{port}"
    sqs = boto3.client(
        "sqs",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106  # it opens nothing
        config=_QUICKLY.merge(Config(proxies={})),
    )
    return Queues(sqs, f"{url}/{ACCOUNT}/DeadLetterQueue", f"{url}/{ACCOUNT}/RetryQueue")


def _session(options: argparse.Namespace) -> boto3.Session:
    return boto3.Session(region_name=options.region, profile_name=options.profile)


@contextmanager
def aws_errors(subject: str) -> Iterator[None]:
    """What AWS refuses, or cannot be asked, as a `CommandError` that says what to change."""
    try:
        yield
    except ProfileNotFound as error:
        raise UsageError(f"{error}: see ~/.aws/config, or name another --profile") from None
    except NoRegionError:
        raise UsageError("no AWS region is set: add --region, or set AWS_REGION") from None
    except NoCredentialsError:
        raise CommandError("no AWS credentials were found: log in (`aws sso login`), or name a --profile") from None
    except EndpointConnectionError as error:
        where = error.kwargs.get("endpoint_url", "AWS")
        raise CommandError(f"nothing answers at {where}{_hint(where)}") from None
    except ClientError as error:
        raise CommandError(f"{subject}: {_told(error)}") from None
    except BotoCoreError as error:
        raise CommandError(f"{subject}: {error}") from None


def _hint(where: str) -> str:
    return ": is `make run` running, on the --aws-port that you named?" if "127.0.0.1" in where else ""


def _told(error: ClientError) -> str:
    told = error.response.get("Error", {})
    return f"{told.get('Message') or 'AWS refused'} ({told.get('Code', 'no code')})"

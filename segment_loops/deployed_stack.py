"""A deployed stack, found by its name, and the two queues of any stack."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

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

from loops_destination.errors import SecretNotSetUp
from loops_destination.secret_store import Secret
from segment_loops.command_errors import CommandError, MisusedError
from segment_loops.local_addresses import ACCOUNT, REGION
from segment_loops.loops_access import REAL_LOOPS
from segment_loops.samconfig import NoStackName, stack_name

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_sqs.client import SQSClient

DEFAULT_RATE = 10.0
"""Calls a second that Loops allows a team."""

_ACCESS_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_PERMISSION = re.compile(r"not authorized to perform: ([\w-]+:\w+)")

_CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3, "mode": "standard"})


@dataclass(frozen=True)
class AwsAccount:
    """The AWS account and region that the commands use: those of the AWS CLI unless they are given.

    Each service has one client, which keeps its connections: creating a client takes longer than a call. Once AWS
    answers that credentials have expired, the next call reads them again, so a studio survives a new login.
    """

    region: str | None = None
    profile: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def cloudformation(self) -> CloudFormationClient:
        return self._client("cloudformation")  # type: ignore[no-any-return]

    def aws_lambda(self) -> Any:
        return self._client("lambda")

    def cloudwatch(self) -> Any:
        return self._client("cloudwatch")

    def dynamodb(self) -> DynamoDBClient:
        return self._client("dynamodb")  # type: ignore[no-any-return]

    def logs(self) -> Any:
        return self._client("logs")

    def secrets_manager(self) -> SecretsManagerClient:
        return self._client("secretsmanager")  # type: ignore[no-any-return]

    def sqs(self) -> SQSClient:
        return self._client("sqs")  # type: ignore[no-any-return]

    def _client(self, service: str) -> Any:
        with self._lock:  # a session must not create clients in several threads at once
            if service not in self._clients:
                client = self._session.client(service, config=_CONFIG)  # type: ignore[call-overload]
                client.meta.events.register("after-call", self._forget_expired)
                self._clients[service] = client
            return self._clients[service]

    def _forget_expired(self, parsed: dict[str, Any], **_: Any) -> None:
        """Drop the session and its clients if AWS answered that the credentials have expired."""
        if parsed.get("Error", {}).get("Code") in _EXPIRED:
            with self._lock:
                self._clients.clear()
                self.__dict__.pop("_session", None)  # `del` is refused, since the class is frozen

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(region_name=self.region, profile_name=self.profile)


@dataclass(frozen=True, slots=True)
class StackQueues:
    """The two queues of a stack; `rate` is in calls of Loops a second. An unknown URL is empty."""

    sqs: SQSClient = field(repr=False)
    dead_letter_queue_url: str
    retry_queue_url: str
    rate: float = DEFAULT_RATE


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """A stack with the outputs and parameters that CloudFormation reports; `id` is its ARN."""

    account: AwsAccount
    name: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    id: str = ""

    @property
    def loops_url(self) -> str:
        """The base URL of the Loops that the stack delivers to."""
        return self.parameters.get("LoopsBaseUrl", REAL_LOOPS)

    def output(self, name: str) -> str:
        """Return the output; raise `CommandError` if the stack has no such output."""
        if name not in self.outputs:
            raise CommandError(f"The stack {self.name} has no output {name}. Is it a stack of this destination?")
        return self.outputs[name]

    def queues(self) -> StackQueues:
        """Return the stack's queues and its rate; raise `CommandError` if the stack does not have them."""
        rate = float(self.parameters.get("LoopsRequestsPerSecond", DEFAULT_RATE))
        dead_letter_queue_url, retry_queue_url = self.output("DeadLetterQueueUrl"), self.output("RetryQueueUrl")
        return StackQueues(self.account.sqs(), dead_letter_queue_url, retry_queue_url, rate)

    def api_key(self) -> str:
        """Return the API key in the stack's secret; raise `CommandError` if it cannot be read or is not set up."""
        try:
            return self.secret().api_key
        except SecretNotSetUp as error:
            raise CommandError(f"{self.output('SecretArn')}: {error}") from None

    def secret(self) -> Secret:
        """Return the stack's secret; raise `CommandError` if it cannot be read, `SecretNotSetUp` if it is not valid."""
        arn = self.output("SecretArn")
        with aws_errors(f"The secret {arn}"):
            text = self.account.secrets_manager().get_secret_value(SecretId=arn).get("SecretString", "")
        return Secret.from_json(text)

    def hash_keys(self) -> list[str]:
        """Return the shared secrets, which are the keys of the hashes in the log: the current one and the previous one.

        Raises `CommandError` if the secret cannot be read or holds no shared secret.
        """
        arn = self.output("SecretArn")
        client = self.account.secrets_manager()
        texts = []
        with aws_errors(f"The secret {arn}"):
            for stage in ("AWSCURRENT", "AWSPREVIOUS"):
                try:
                    answer = client.get_secret_value(SecretId=arn, VersionStage=stage)
                except client.exceptions.ResourceNotFoundException:
                    if stage == "AWSCURRENT":
                        raise
                else:
                    texts.append(answer.get("SecretString", ""))
        keys = [key for key in dict.fromkeys(map(_shared_secret, texts)) if key]
        if not keys:
            raise CommandError(f"{arn} holds no sharedSecret, so the log leaves users out. Trace a messageId instead.")
        return keys

    def functions(self) -> dict[str, str]:
        """Return the names of the stack's functions by their logical ids."""
        return self.resources("AWS::Lambda::Function")

    def resources(self, kind: str) -> dict[str, str]:
        """Return the names of the stack's resources of this CloudFormation type by their logical ids."""
        with aws_errors(f"The stack {self.name}"):
            pages = self.account.cloudformation().get_paginator("list_stack_resources").paginate(StackName=self.name)
            return {
                each["LogicalResourceId"]: each["PhysicalResourceId"]
                for page in pages
                for each in page["StackResourceSummaries"]
                if each["ResourceType"] == kind and "PhysicalResourceId" in each
            }

    def put_api_key(self, api_key: str) -> bool:
        """Put the API key into the stack's secret, whose other values stay; return False if it is there already.

        Putting the same API key again would push out the secret's previous version, with which signatures made before a
        rotation are verified.
        """
        arn = self.output("SecretArn")
        with aws_errors(f"The secret {arn}"):
            client = self.account.secrets_manager()
            values = _secret_values(client.get_secret_value(SecretId=arn).get("SecretString", ""))
            if values.get("apiKey") == api_key:
                return False
            client.put_secret_value(SecretId=arn, SecretString=json.dumps({**values, "apiKey": api_key}))
        return True


def named_stack(stack: str | None, config_env: str | None) -> str:
    """Return the stack's name, by default the one in a section of samconfig.toml; raise `CommandError` if it has none."""
    if stack:
        return stack
    try:
        return stack_name(config_env or "default")
    except NoStackName as error:
        raise CommandError(f"{error}. Name a stack with --stack.") from None


def find_stack(account: AwsAccount, name: str) -> DeployedStack:
    """Return the stack of this name; raise `CommandError` if it cannot be found."""
    with aws_errors(f"The stack {name}"):
        (stack,) = account.cloudformation().describe_stacks(StackName=name)["Stacks"]
    return DeployedStack(
        account,
        name,
        {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])},
        {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])},
        stack.get("StackId", ""),
    )


def queues_at(account: AwsAccount, dead_letter_queue_url: str, retry_queue_url: str) -> StackQueues:
    """Return the queues at these URLs."""
    with aws_errors("SQS"):
        return StackQueues(account.sqs(), dead_letter_queue_url, retry_queue_url)


def local_queues(port: int) -> StackQueues:
    """Return the queues of the stack that `make run` started with its AWS on this port."""
    url = f"http://127.0.0.1:{port}"
    sqs = boto3.client(
        "sqs",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106  # gives access to nothing
        config=_CONFIG.merge(Config(proxies={})),
    )
    return StackQueues(sqs, f"{url}/{ACCOUNT}/DeadLetterQueue", f"{url}/{ACCOUNT}/RetryQueue")


@contextmanager
def aws_errors(subject: str) -> Iterator[None]:
    """Turn errors of AWS into a `CommandError` that names the subject and says what to change."""
    try:
        yield
    except ProfileNotFound as error:
        raise MisusedError(f"{error}. See ~/.aws/config, or pass another --profile.") from None
    except NoRegionError:
        raise MisusedError("No AWS region is set. Pass --region, or set AWS_DEFAULT_REGION.") from None
    except NoCredentialsError:
        raise CommandError("No AWS credentials were found. Log in (`aws sso login`), or pass --profile.") from None
    except EndpointConnectionError as error:
        raise CommandError(_unreachable(str(error.kwargs.get("endpoint_url", "AWS")))) from None
    except ClientError as error:
        raise CommandError(_without_permission(error) or f"{subject}: {_reported(error)}") from None
    except BotoCoreError as error:
        raise CommandError(f"{subject}: {error}") from None


def _unreachable(place: str) -> str:
    advice = " Is `make run` running, with its AWS on this --aws-port?" if "127.0.0.1" in place else ""
    return f"Nothing answers at {place}.{advice}"


def _reported(error: ClientError) -> str:
    reported: Mapping[str, Any] = error.response.get("Error", {})
    return f"{reported.get('Message') or 'AWS refused'} ({reported.get('Code', 'no code')})"


def _without_permission(error: ClientError) -> str | None:
    """Return advice about the missing permission if the error is about one, else None."""
    reported: Mapping[str, Any] = error.response.get("Error", {})
    if reported.get("Code") not in _ACCESS_DENIED:
        return None
    found = _PERMISSION.search(reported.get("Message") or "")
    lacking = f"the permission {found[1]}" if found else f"permission for the operation {error.operation_name}"
    return f"Your AWS identity lacks {lacking}. docs/policies/ has the policies that the commands need."


def _shared_secret(text: str) -> str:
    try:
        return Secret.from_json(text).shared_secret
    except SecretNotSetUp:
        return ""


def _secret_values(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise CommandError('The secret is not a JSON object like {"apiKey": "…", "sharedSecret": "…"}.')
    return values

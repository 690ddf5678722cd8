"""SQS, Secrets Manager and DynamoDB on this machine: moto, with simulated faults in front of it.

moto keeps its state in the process, so a process can have one such AWS at a time. No credentials are needed or used:
while it runs, every AWS variable of the environment is replaced; afterwards they are restored.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import moto.sqs.models
from botocore.config import Config
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.wrappers import Request, Response

from local.http_server import LOOPBACK, HttpServer
from local.running import Running
from local.sam_template import Queue, Table
from local.sandbox.faults import Fault, Faults
from local.sandbox.transmission import faulty_answer
from segment_loops.local_addresses import ACCOUNT, REGION
from segment_loops.loopback import is_from_this_machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_sqs.client import SQSClient

    from loops_destination.clock import Clock

SQS = "sqs"
SECRETS_MANAGER = "secretsmanager"
DYNAMODB = "dynamodb"

_SERVICES = {"AmazonSQS": SQS, "secretsmanager": SECRETS_MANAGER, "DynamoDB_20120810": DYNAMODB}
"""The services by the part of `X-Amz-Target` before its dot."""

_TOKEN = secrets.token_hex()
"""The session token of this process's clients."""

_NO_FAULT = Fault(kind="delay", seconds=0)
"""No fault: the answer is passed on unchanged and at once."""

_SOURCE = "DeadLetterQueueSourceArn"
"""The attribute that names the queue from which SQS moved a message to a dead-letter queue."""

_moto_sqs: Any = moto.sqs.models
"""moto, untyped, because some of what is used here is not part of its public interface."""


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message on a queue.

    `sent_at`, and `next_at`, when it can be received, are in seconds since 1970. `source_arn` is the queue from which SQS
    moved it, None for a message that was sent to this queue.
    """

    id: str
    body: str = field(repr=False)
    sent_at: float
    next_at: float
    attributes: Mapping[str, str]
    source_arn: str | None


class LocalAws(Running):
    """SQS, Secrets Manager and DynamoDB on a port. A context manager.

    `faults` holds the faults to simulate, by service. A fault's `path` is an operation such as `/SendMessageBatch`, or
    None for all operations. Delays, visibility timeouts and retention are measured by `clock`.
    """

    def __init__(self, clock: Clock, port: int = 0) -> None:
        self.faults = {SQS: Faults(), SECRETS_MANAGER: Faults(), DYNAMODB: Faults()}
        self._clock = clock
        self._lock = threading.Lock()
        self._sources: dict[str, str] = {}
        self._server = HttpServer(_Front(self.faults, clock, self._lock, self._sources), port, "aws")
        self._stop = contextlib.ExitStack()

    @property
    def url(self) -> str:
        """The endpoint of all services."""
        return self._server.root

    def start(self) -> None:
        """Start empty services, and point this process's environment at them; raise `PortInUse` if the port is taken."""
        with contextlib.ExitStack() as started:
            started.enter_context(_keeping_time(self._clock))
            started.enter_context(_noting_sources(self._sources))
            started.enter_context(self._server)
            started.enter_context(_environment(self.url))
            BackendDict.reset()
            self._stop = started.pop_all()

    def stop(self) -> None:
        """Free the port, and restore the process's environment."""
        self._stop.close()

    def outage(self, *services: str) -> None:
        """Make these services, or all, answer 503 to everything until `recover()`."""
        for service in services or self.faults:
            self.faults[service].add(Fault(kind="status", status=503, times=None))

    def recover(self) -> None:
        """Stop simulating faults."""
        for faults in self.faults.values():
            faults.clear()

    def sqs_client(self) -> SQSClient:
        """Return a client that does not retry, so that a simulated fault is seen as it is."""
        return boto3.client("sqs", config=Config(retries={"total_max_attempts": 1}))

    def dynamodb_client(self) -> DynamoDBClient:
        """Return a client of DynamoDB that does not retry."""
        return boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))

    def queue_values(self, name: str) -> dict[str, str]:
        """Return the values of a template's references to a queue, which need not exist yet."""
        return queue_values(self.url, name)

    def create_queues(self, queues: Iterable[Queue]) -> None:
        """Create the queues."""
        create_queues(self.sqs_client(), queues)

    def create_tables(self, tables: Iterable[Table]) -> None:
        """Create the tables."""
        create_tables(self.dynamodb_client(), tables)

    def create_secret(self, name: str, values: Mapping[str, str]) -> str:
        """Create a secret and return its ARN."""
        return _secrets_client().create_secret(Name=name, SecretString=json.dumps(dict(values)))["ARN"]

    def put_secret(self, arn: str, values: Mapping[str, str]) -> None:
        """Make these values the secret's current version; the current one becomes the previous one."""
        _secrets_client().put_secret_value(SecretId=arn, SecretString=json.dumps(dict(values)))

    def messages(self, queue: str) -> list[str]:
        """Return the bodies of all messages on the queue, as `queued` finds them."""
        return [message.body for message in self.queued(queue)]

    def queued(self, queue: str) -> list[QueuedMessage]:
        """Return all messages on the queue, hidden and delayed ones included, without receiving them."""
        with self._lock:
            messages = _moto_sqs.sqs_backends[ACCOUNT][REGION].queues[queue]._messages  # noqa: SLF001  # no API shows them
            return [_queued_message(message, self._sources.get(message.id)) for message in messages]


class _Front:
    """The WSGI application in front of moto.

    It serves this machine only, simulates the faults, and passes one request at a time on to moto. The secret may hold a
    real API key, so only this process, which knows the session token, may read it.
    """

    def __init__(
        self, faults: Mapping[str, Faults], clock: Clock, lock: threading.Lock, sources: Mapping[str, str]
    ) -> None:
        self._app = moto_app()
        self._faults = faults
        self._clock = clock
        self._lock = lock
        self._sources = sources

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if not is_from_this_machine(request):
            return _denied(403, "AccessDenied", "The local AWS serves this machine only.")
        prefix, _, operation = request.headers.get("X-Amz-Target", "").partition(".")
        service = _SERVICES.get(prefix)
        if service is None:
            return _denied(
                400,
                "UnknownOperation",
                "The local AWS knows SQS, Secrets Manager and DynamoDB only, in their JSON protocol.",
            )
        if service == SECRETS_MANAGER and not _knows_token(request):
            return _denied(
                403, "AccessDeniedException", "Only the process that runs the local AWS may read the secret."
            )
        return self._under_fault(self._faults[service].take(f"/{operation}") or _NO_FAULT, request, operation)

    def _under_fault(self, fault: Fault, request: Request, operation: str) -> Response:
        if not fault.processed:
            self._clock.sleep(fault.wait)
        answer = self._answer_of_moto(request, operation) if fault.processed or fault.sends_answer else None
        if fault.processed:
            self._clock.sleep(fault.wait)
        return faulty_answer(fault, answer, self._clock.sleep)

    def _answer_of_moto(self, request: Request, operation: str) -> Response:
        body = request.get_data()
        if operation == "ReceiveMessage":
            # The lock keeps two receivers from getting the same message, so nothing may wait while it is held.
            body = json.dumps(json.loads(body) | {"WaitTimeSeconds": 0}).encode()
        environ = request.environ | {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        with self._lock:
            answer = Response.from_app(self._app, environ, buffered=True)
        return self._with_sources(answer) if operation == "ReceiveMessage" and self._sources else answer

    def _with_sources(self, answer: Response) -> Response:
        content = json.loads(answer.get_data())
        for message in content.get("Messages", []):
            if message["MessageId"] in self._sources:
                message.setdefault("Attributes", {})[_SOURCE] = self._sources[message["MessageId"]]
        answer.set_data(json.dumps(content))
        return answer


def queue_values(endpoint: str, name: str) -> dict[str, str]:
    """Return the values of a template's references to a queue at this endpoint of SQS."""
    return {"Ref": f"{endpoint}/{ACCOUNT}/{name}", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", "QueueName": name}


def create_queues(client: SQSClient, queues: Iterable[Queue]) -> None:
    """Create the queues; those without a redrive policy first, because others may name them in theirs."""
    for queue in sorted(queues, key=lambda each: "RedrivePolicy" in each.attributes):
        client.create_queue(QueueName=queue.name, Attributes=dict(queue.attributes))  # type: ignore[arg-type]  # the stubs list the names


def create_tables(client: DynamoDBClient, tables: Iterable[Table]) -> None:
    """Create the tables."""
    for table in tables:
        client.create_table(
            TableName=table.name,
            AttributeDefinitions=[{"AttributeName": table.key, "AttributeType": "S"}],
            KeySchema=[{"AttributeName": table.key, "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )


def moto_app() -> WSGIApplication:
    """Return moto's own server as a WSGI application."""
    app: WSGIApplication = DomainDispatcherApplication(create_backend_app)
    return app


def _queued_message(message: Any, source_arn: str | None) -> QueuedMessage:
    """Convert a message of moto, whose times are in milliseconds."""
    attributes = {name: value.get("StringValue", "") for name, value in message.message_attributes.items()}
    next_at = max(message.visible_at, message.delayed_until, message.sent_timestamp)
    return QueuedMessage(
        message.id, message.body, message.sent_timestamp / 1000, next_at / 1000, attributes, source_arn
    )


def _knows_token(request: Request) -> bool:
    given = request.headers.get("X-Amz-Security-Token", "")
    return secrets.compare_digest(given.encode(), _TOKEN.encode())


def _denied(status: int, code: str, message: str) -> Response:
    return Response(json.dumps({"__type": code, "message": message}), status, mimetype="application/x-amz-json-1.0")


def _secrets_client() -> SecretsManagerClient:
    return boto3.client("secretsmanager")


class _Session(boto3.Session):
    """A session that several threads may use, unlike boto3's: here the environments share a process."""

    _lock = threading.Lock()

    def client(self, *arguments: Any, **options: Any) -> Any:
        with self._lock:
            return super().client(*arguments, **options)


@functools.cache
def _session() -> _Session:
    """Return the session of all stacks in the process; each new one would read botocore's long service descriptions again."""
    return _Session()


@contextlib.contextmanager
def _keeping_time(clock: Clock) -> Iterator[None]:
    """Make moto use the clock, and let messages be hidden and retained as on SQS.

    moto counts the twelve hours for which a message can be hidden from when it was sent, SQS from its receipt.
    """
    backend = _moto_sqs.SQSBackend
    seconds, milliseconds, hide = _moto_sqs.unix_time, _moto_sqs.unix_time_millis, backend.change_message_visibility
    _moto_sqs.unix_time, _moto_sqs.unix_time_millis = clock.time, lambda: clock.time() * 1000
    backend.change_message_visibility = _hide
    retains = backend.is_message_valid_based_on_retention_period
    backend.is_message_valid_based_on_retention_period = _retains
    try:
        yield
    finally:
        _moto_sqs.unix_time, _moto_sqs.unix_time_millis = seconds, milliseconds
        backend.change_message_visibility = hide
        backend.is_message_valid_based_on_retention_period = retains


@contextlib.contextmanager
def _noting_sources(sources: dict[str, str]) -> Iterator[None]:
    """Record the ARN of the queue from which each message was moved, by the message's id; moto does not."""
    add = _moto_sqs.Queue.add_message

    def add_noting(queue: Any, message: Any) -> None:
        if message.approximate_receive_count:  # a message that was received before has been moved
            queues = _moto_sqs.sqs_backends[ACCOUNT][REGION].queues.values()
            sources[message.id] = next(each.queue_arn for each in queues if each.dead_letter_queue is queue)
        add(queue, message)

    _moto_sqs.Queue.add_message = add_noting
    try:
        yield
    finally:
        _moto_sqs.Queue.add_message = add
        sources.clear()


def _retains(backend: Any, queue_name: str, message: Any) -> bool:
    """Replace moto's method, which counts the whole queue for each message: a backlog would take hours."""
    retention = backend.get_queue(queue_name).message_retention_period
    return bool(_moto_sqs.unix_time_millis() < message.sent_timestamp + retention * 1000)


def _hide(backend: Any, queue_name: str, receipt_handle: str, visibility_timeout: int) -> None:
    queue = backend.get_queue(queue_name)
    message = next((message for message in queue._messages if message.had_receipt_handle(receipt_handle)), None)  # noqa: SLF001  # no API finds it
    if message is None:
        raise _moto_sqs.ReceiptHandleIsInvalid
    message.change_visibility(visibility_timeout)
    if message.visible:
        queue.pending_messages.discard(message)


@contextlib.contextmanager
def _environment(url: str) -> Iterator[None]:
    """Make every client use this endpoint, with credentials that are valid nowhere else."""
    before = dict(os.environ)
    session = boto3.DEFAULT_SESSION
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": _TOKEN,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": LOOPBACK,
        "no_proxy": LOOPBACK,
    }
    boto3.DEFAULT_SESSION = _session()
    try:
        yield
    finally:
        boto3.DEFAULT_SESSION = session
        os.environ.clear()
        os.environ |= before

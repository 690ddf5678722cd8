"""SQS and Secrets Manager on this machine, by moto, with faults on demand before them.

moto keeps its state in the process, so there is one such AWS at a time. Nobody's credentials are used or needed: while
it runs, every AWS variable of the environment is replaced, and put back afterwards.
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
from local.loopback import from_this_machine
from local.running import Running
from local.sandbox.faults import Fault, Faults
from local.sandbox.transmission import struck
from local.template import ACCOUNT, REGION, Queue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_sqs.client import SQSClient

    from loops_destination.clock import Clock

SQS = "sqs"
SECRETS_MANAGER = "secretsmanager"

_SERVICES = {"AmazonSQS": SQS, "secretsmanager": SECRETS_MANAGER}
"""By what `X-Amz-Target` says before its dot."""

_TOKEN = secrets.token_hex()
"""The session token of this process' clients."""

_NO_FAULT = Fault(kind="delay", seconds=0)
"""The true answer, at once."""

_SOURCE = "DeadLetterQueueSourceArn"
"""The attribute of a message that SQS moved to a dead-letter queue: the queue it came from."""

_moto_sqs: Any = moto.sqs.models
"""Some of what is used of it is not for others, but there is no other way to it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message on a queue; `sent_at` and `next_at`, when it can be received, are in seconds since 1970.

    `source_arn` is the queue that SQS moved it from, None for a message that was sent here.
    """

    id: str
    body: str = field(repr=False)
    sent_at: float
    next_at: float
    attributes: Mapping[str, str]
    source_arn: str | None


class LocalAws(Running):
    """SQS and Secrets Manager on a port; a context manager.

    `faults` holds what is to go wrong, by service: a fault's `path` is an operation, as `/SendMessageBatch`, or None
    for all of the service's. Delays, visibility timeouts and retention go by `clock`.
    """

    def __init__(self, clock: Clock, port: int = 0) -> None:
        self.faults = {SQS: Faults(), SECRETS_MANAGER: Faults()}
        self._clock = clock
        self._lock = threading.Lock()
        self._sources: dict[str, str] = {}
        self._server = HttpServer(_Front(self.faults, clock, self._lock, self._sources), port, "aws")
        self._stop = contextlib.ExitStack()

    @property
    def url(self) -> str:
        """The endpoint of both services."""
        return self._server.root

    def start(self) -> None:
        """Empty, and in the environment of this process; PortInUse when another program has the port."""
        with contextlib.ExitStack() as started:
            started.enter_context(_keeping_time(self._clock))
            started.enter_context(_noting_sources(self._sources))
            started.enter_context(self._server)
            started.enter_context(_environment(self.url))
            BackendDict.reset()
            self._stop = started.pop_all()

    def stop(self) -> None:
        """Frees the port, and gives the process its environment back."""
        self._stop.close()

    def outage(self, *services: str) -> None:
        """From now on these, or both, answer 503 to everything, until `recover()`."""
        for service in services or self.faults:
            self.faults[service].add(Fault(kind="status", status=503, times=None))

    def recover(self) -> None:
        """From now on all goes well."""
        for faults in self.faults.values():
            faults.clear()

    def sqs_client(self) -> SQSClient:
        """A client that meets the faults as any other does, and tries nothing twice."""
        return boto3.client("sqs", config=Config(retries={"total_max_attempts": 1}))

    def queue_values(self, name: str) -> dict[str, str]:
        """What a template's references to a queue give, whether it has been created or not."""
        return {
            "Ref": f"{self.url}/{ACCOUNT}/{name}",
            "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
            "QueueName": name,
        }

    def create_queues(self, queues: Iterable[Queue]) -> None:
        """Creates the queues, those that others name as their dead-letter queue first."""
        client = self.sqs_client()
        for queue in sorted(queues, key=lambda each: "RedrivePolicy" in each.attributes):
            client.create_queue(QueueName=queue.name, Attributes=dict(queue.attributes))  # type: ignore[arg-type]  # the stubs list the names

    def create_secret(self, name: str, values: Mapping[str, str]) -> str:
        """The ARN of a new secret."""
        return _secrets_client().create_secret(Name=name, SecretString=json.dumps(dict(values)))["ARN"]

    def put_secret(self, arn: str, values: Mapping[str, str]) -> None:
        """Makes these the secret's live version, and what it was the previous one."""
        _secrets_client().put_secret_value(SecretId=arn, SecretString=json.dumps(dict(values)))

    def messages(self, queue: str) -> list[str]:
        """The bodies of all the queue's messages, the hidden and delayed ones too; looking changes nothing."""
        return [message.body for message in self.held(queue)]

    def held(self, queue: str) -> list[Held]:
        """All the queue's messages, the hidden and delayed ones too; looking changes nothing."""
        with self._lock:
            messages = _moto_sqs.sqs_backends[ACCOUNT][REGION].queues[queue]._messages  # noqa: SLF001  # no API shows them
            return [_held(message, self._sources.get(message.id)) for message in messages]


class _Front:
    """WSGI before moto: only this machine gets in, one request at a time, and through the faults.

    The secret may be a real one, so it is for this process: for those that know the session token.
    """

    def __init__(
        self, faults: Mapping[str, Faults], clock: Clock, lock: threading.Lock, sources: Mapping[str, str]
    ) -> None:
        self._app: WSGIApplication = DomainDispatcherApplication(create_backend_app)
        self._faults = faults
        self._clock = clock
        self._lock = lock
        self._sources = sources

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if not from_this_machine(request):
            return _refused(403, "AccessDenied", "The local AWS serves this machine only.")
        prefix, _, operation = request.headers.get("X-Amz-Target", "").partition(".")
        service = _SERVICES.get(prefix)
        if service is None:
            return _refused(
                400, "UnknownOperation", "The local AWS has SQS and Secrets Manager, in their JSON protocol."
            )
        if service == SECRETS_MANAGER and not _knows_token(request):
            return _refused(403, "AccessDeniedException", "The secret is for the process that runs the local AWS.")
        return self._under(self._faults[service].take(f"/{operation}") or _NO_FAULT, request, operation)

    def _under(self, fault: Fault, request: Request, operation: str) -> Response:
        if not fault.processed:
            self._clock.sleep(fault.wait)
        truth = self._truth(request, operation) if fault.processed or fault.tells_truth else None
        if fault.processed:
            self._clock.sleep(fault.wait)
        return struck(fault, truth, self._clock.sleep)

    def _truth(self, request: Request, operation: str) -> Response:
        body = request.get_data()
        if operation == "ReceiveMessage":
            # Nothing may wait under the lock, without which two receivers could be given the same message.
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


def _held(message: Any, source_arn: str | None) -> Held:
    """A message of moto's in our words; its times are in milliseconds."""
    attributes = {name: value.get("StringValue", "") for name, value in message.message_attributes.items()}
    next_at = max(message.visible_at, message.delayed_until, message.sent_timestamp)
    return Held(message.id, message.body, message.sent_timestamp / 1000, next_at / 1000, attributes, source_arn)


def _knows_token(request: Request) -> bool:
    given = request.headers.get("X-Amz-Security-Token", "")
    return secrets.compare_digest(given.encode(), _TOKEN.encode())


def _refused(status: int, code: str, message: str) -> Response:
    return Response(json.dumps({"__type": code, "message": message}), status, mimetype="application/x-amz-json-1.0")


def _secrets_client() -> SecretsManagerClient:
    return boto3.client("secretsmanager")


class _Session(boto3.Session):
    """boto3 makes clients for one thread at a time; on Lambda the environments have a process each, here they share one."""

    _lock = threading.Lock()

    def client(self, *arguments: Any, **options: Any) -> Any:
        with self._lock:
            return super().client(*arguments, **options)


@functools.cache
def _session() -> _Session:
    """One for all stacks of a process, since it reads AWS' long descriptions of its services again for each."""
    return _Session()


@contextlib.contextmanager
def _keeping_time(clock: Clock) -> Iterator[None]:
    """Moto asks these two of its own functions what time it is.

    It also counts the twelve hours that a message can be hidden from when it was sent; SQS counts from its receipt.
    """
    backend = _moto_sqs.SQSBackend
    seconds, milliseconds, hide = _moto_sqs.unix_time, _moto_sqs.unix_time_millis, backend.change_message_visibility
    _moto_sqs.unix_time, _moto_sqs.unix_time_millis = clock.time, lambda: clock.time() * 1000
    backend.change_message_visibility = _hide
    keeps = backend.is_message_valid_based_on_retention_period
    backend.is_message_valid_based_on_retention_period = _keeps
    try:
        yield
    finally:
        _moto_sqs.unix_time, _moto_sqs.unix_time_millis = seconds, milliseconds
        backend.change_message_visibility = hide
        backend.is_message_valid_based_on_retention_period = keeps


@contextlib.contextmanager
def _noting_sources(sources: dict[str, str]) -> Iterator[None]:
    """Note the ARN of the queue that each moved message came from, by the message's id; moto forgets it."""
    add = _moto_sqs.Queue.add_message

    def add_noting(queue: Any, message: Any) -> None:
        if message.approximate_receive_count:  # a message that was received before is moved, not sent
            queues = _moto_sqs.sqs_backends[ACCOUNT][REGION].queues.values()
            sources[message.id] = next(each.queue_arn for each in queues if each.dead_letter_queue is queue)
        add(queue, message)

    _moto_sqs.Queue.add_message = add_noting
    try:
        yield
    finally:
        _moto_sqs.Queue.add_message = add
        sources.clear()


def _keeps(backend: Any, queue_name: str, message: Any) -> bool:
    """Moto counts the whole queue for this, and asks it of each message: a backlog would take hours."""
    retention = backend.get_queue(queue_name).message_retention_period
    return bool(_moto_sqs.unix_time_millis() < message.sent_timestamp + retention * 1000)


def _hide(backend: Any, queue_name: str, receipt_handle: str, visibility_timeout: int) -> None:
    queue = backend.get_queue(queue_name)
    message = next((message for message in queue._messages if message.had_receipt_handle(receipt_handle)), None)  # noqa: SLF001  # likewise
    if message is None:
        raise _moto_sqs.ReceiptHandleIsInvalid
    message.change_visibility(visibility_timeout)
    if message.visible:
        queue.pending_messages.discard(message)


@contextlib.contextmanager
def _environment(url: str) -> Iterator[None]:
    """Every client that is made in here talks to this endpoint, with credentials that open nothing else."""
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

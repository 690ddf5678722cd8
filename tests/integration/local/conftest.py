"""The local stack with a clock that only the tests move, and a client that calls it over HTTP."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from local.http_server import HttpServer
from local.runtime import LambdaFunction
from local.sam_template import Function
from local.sandbox import Sandbox
from local.stack import SHARED_SECRET, LocalStack
from loops_destination.signature import sign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from _typeshed.wsgi import WSGIApplication


class Clock:
    """Time that passes only when a thread sleeps."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0
        self._lock = threading.Lock()

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


@dataclass(frozen=True)
class Answer:
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def outcomes(self) -> list[Any]:
        return [result["outcome"] for result in self.json["results"]]


class Segment:
    """Posts events as Segment's webhook does."""

    def __init__(self, stack: LocalStack, pool: urllib3.PoolManager) -> None:
        self.stack = stack
        self.pool = pool

    def post(self, path: str, event: Any, secret: str = SHARED_SECRET) -> Answer:
        body = json.dumps(event).encode()
        headers = {"Content-Type": "application/json", "X-Signature": sign(body, secret)}
        response = self.pool.request("POST", self.stack.gateway.root + path, body=body, headers=headers)
        return Answer(response.status, response.headers, response.data)

    def identify(self, **fields: Any) -> Answer:
        return self.post("/contacts", {"type": "identify", "messageId": "m-identify"} | fields)

    def track(self, event: str, **fields: Any) -> Answer:
        return self.post("/events", {"type": "track", "messageId": "m-track", "event": event} | fields)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=10) as pool:
        yield pool


@pytest.fixture
def stack(clock: Clock) -> Iterator[LocalStack]:
    sandbox = Sandbox(clock=clock.time, sleep=clock.sleep, limit=None)
    with LocalStack(clock=clock, sandbox=sandbox, polling=False) as stack:
        yield stack


@pytest.fixture
def segment(stack: LocalStack, pool: urllib3.PoolManager) -> Segment:
    return Segment(stack, pool)


@pytest.fixture
def serve() -> Iterator[Callable[[WSGIApplication], str]]:
    """Serves an application until the end of the test, and returns its URL."""
    with contextlib.ExitStack() as running:
        yield lambda app: running.enter_context(HttpServer(app)).root


HANDLER = """
class Handler:
    shared = None

    def __init__(self, environ=None, clock=None, on_result=None):
        self.environ, self.clock, self.on_result, self.calls = environ, clock, on_result, 0

    def in_environment(self, environ, clock, on_result):
        return Handler(environ, clock, on_result)

    def __call__(self, event, context):
        self.calls += 1
        {body}

handler = Handler()
"""


@pytest.fixture
def make_function(tmp_path: Path, clock: Clock) -> Callable[..., LambdaFunction]:
    """Makes a function whose handler has the given body.

    The body can use `self.environ`, `self.clock`, `self.on_result`, `self.calls`, `event`, `context`, and the test's own `self.shared`.
    """

    def make(body: str, timeout: int = 10, shared: object = None, **options: Any) -> LambdaFunction:
        (tmp_path / "app.py").write_text(HANDLER.format(body=body))
        definition = Function("Sample", tmp_path, "app.handler", timeout, 1024, {"FROM": "template"}, [], [])
        function = LambdaFunction(definition, clock, **{"environ": {}} | options)
        type(function._handler).shared = shared  # type: ignore[attr-defined]  # the class above
        return function

    return make

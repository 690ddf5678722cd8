"""A sandbox on a port, with a clock that only the tests move."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from local.sandbox import MailingList, Sandbox, SandboxServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

API_KEY = "a-key"


@dataclass
class Clock:
    """Time that passes only by sleeping, and starts at a full second."""

    now: float = 1_760_000_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass(frozen=True)
class Answer:
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Calls the sandbox over keep-alive connections, without retries."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.pool = urllib3.HTTPConnectionPool("127.0.0.1", server.port, maxsize=16, retries=False, timeout=10)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send bytes unchanged, anything else as JSON; header names have `_` for `-`, and an empty header is left out."""
        content = body if isinstance(body, bytes | None) else json.dumps(body)
        usual = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
        named = usual | {name.replace("_", "-"): text for name, text in headers.items()}
        given = {name: text for name, text in named.items() if text}
        response = self.pool.request(method, path, body=content, headers=given)
        return Answer(response.status, response.headers, response.data)

    def update(self, **fields: Any) -> Answer:
        return self.call("PUT", "/api/v1/contacts/update", fields)

    def send(self, body: Any, idempotency_key: str = "") -> Answer:
        return self.call("POST", "/api/v1/events/send", body, Idempotency_Key=idempotency_key)

    def find(self, **query: str) -> Any:
        response = self.pool.request(
            "GET", "/api/v1/contacts/find", fields=query, headers={"Authorization": f"Bearer {API_KEY}"}
        )
        return response.json()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    lists = [MailingList("news", "News"), MailingList("tips", "Tips", "Weekly", is_public=False)]
    return Sandbox(API_KEY, clock=clock, sleep=clock.sleep, limit=None, lists=lists)


@pytest.fixture
def serve() -> Iterator[Callable[..., Client]]:
    with contextlib.ExitStack() as running:

        def started(sandbox: Sandbox, **options: Any) -> Client:
            client = Client(running.enter_context(SandboxServer(sandbox, **options)))
            running.callback(client.pool.close)
            return client

        yield started


@pytest.fixture
def client(sandbox: Sandbox, serve: Callable[..., Client]) -> Client:
    return serve(sandbox)

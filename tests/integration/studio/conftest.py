"""A stack with a studio, called over HTTP as the page calls it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from local.sandbox import Sandbox, SandboxServer
from local.stack import SHARED_SECRET, LocalStack
from local.studio_backend import attach_studio
from loops_destination.signature import sign
from segment_loops.mappings_file import MAPPINGS
from tests.integration.local.conftest import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

ADAM = {"type": "identify", "messageId": "m-1", "userId": "u-1", "traits": {"email": "adam@loops.so"}}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Calls the studio's API, and posts events as Segment does."""

    def __init__(self, stack: LocalStack, pool: urllib3.PoolManager) -> None:
        self.stack = stack
        self._pool = pool

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request, with a JSON body if one is given."""
        default = {} if body is None else {"Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self._pool.request(method, self.stack.gateway.root + path, body=content, headers=default | given)
        return Answer(response.status, response.headers, response.data)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON of a successful answer."""
        answer = self.call(method, f"/studio/api{path}", body)
        assert answer.status in (200, 201), answer.body
        return answer.json

    def segment(self, *events: dict[str, Any], path: str = "/segment") -> int:
        """Post events as Segment does; return the status."""
        body = json.dumps(events[0] if len(events) == 1 else events).encode()
        headers = {"Content-Type": "application/json", "X-Signature": sign(body, SHARED_SECRET)}
        return self._pool.request("POST", self.stack.gateway.root + path, body=body, headers=headers).status

    def deliveries(self) -> list[Any]:
        """Return every whole delivery, the newest first."""
        return [self.api("GET", f"/deliveries/{row['id']}") for row in self.api("GET", "/deliveries")["deliveries"]]

    def drafts(self) -> list[Any]:
        """Return the subscriptions as the page shows them at first."""
        drafts: list[Any] = self.api("GET", "/mappings")["drafts"]
        return drafts


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=10) as pool:
        yield pool


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    return Path(shutil.copy(MAPPINGS, tmp_path / "mappings.json"))


@pytest.fixture
def stack(clock: Clock, mappings: Path) -> Iterator[LocalStack]:
    sandbox = Sandbox(clock=clock.time, sleep=clock.sleep, limit=None)
    stack = LocalStack(clock=clock, sandbox=sandbox, mappings=mappings, polling=False)
    attach_studio(stack)
    with stack:
        yield stack


@pytest.fixture
def client(stack: LocalStack, pool: urllib3.PoolManager) -> Client:
    return Client(stack, pool)


@pytest.fixture
def real(clock: Clock, mappings: Path, pool: urllib3.PoolManager) -> Iterator[tuple[Client, Sandbox]]:
    """A stack that delivers to a Loops of its own, like the real one, and that Loops."""
    elsewhere = Sandbox("real-key", clock=clock.time, sleep=clock.sleep, limit=None)
    secret = {"apiKey": "real-key", "sharedSecret": SHARED_SECRET}
    with SandboxServer(elsewhere) as loops:
        stack = LocalStack(clock=clock, loops_url=loops.url, secret=secret, mappings=mappings, polling=False)
        attach_studio(stack)
        with stack:
            yield Client(stack, pool), elsewhere

"""The client for Loops: sends a request as an HTTP call, and reads what the response means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from pydantic_core import to_json
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError
from urllib3.exceptions import TimeoutError as NoResponseInTime

from loops_destination.clock import Clock
from loops_destination.javascript import json_text
from loops_destination.loops.connections import Connections
from loops_destination.loops.exchange import RawResponse, UnreadableResponse
from loops_destination.loops.responses import Response, no_response, read_response
from loops_destination.loops_request import LoopsRequest
from loops_destination.outcomes import Reason

REPEAT_SECONDS = 0.5  # with less time left, a call whose connection broke is not repeated
USER_AGENT = "segment-loops-destination"
API_PREFIX = "/api"  # the base URL ends with it, and each request's path begins with it

_HEADERS = {"Content-Type": "application/json", "User-Agent": USER_AGENT}

_finite_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class HttpCall(NamedTuple):
    """An HTTP call as it is given to a transport; `headers` contains the API key, so the repr leaves it out."""

    method: str
    url: str
    body: bytes
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"HttpCall({self.method} {self.url})"


class Transport(Protocol):
    """A function that makes one HTTP call within `seconds`, and raises urllib3's errors."""

    def __call__(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> RawResponse: ...


class LoopsClient:
    """A client for the Loops API at `base_url`; `connections` is the number of calls that may be made at once."""

    def __init__(self, base_url: str, clock: Clock, transport: Transport | None = None, connections: int = 4) -> None:
        self._root = base_url.removesuffix(API_PREFIX)
        self._clock = clock
        self._transport = transport or Connections(connections, secure=base_url.startswith("https:"))

    def send(self, request: LoopsRequest, api_key: str, seconds: float) -> Response:
        """Send a request and return the response within `seconds`; a failed call is a response too, without a status."""
        deadline = self._clock.time() + seconds
        try:
            return self._try(request, api_key, seconds)
        except ProtocolError:
            # The connection broke before the response, most often because Loops had closed an idle one. A repeat does
            # no harm: contacts can be written twice, and Loops recognises an event by its idempotency key.
            left = deadline - self._clock.time()
            if left < REPEAT_SECONDS:
                return no_response(Reason.CONNECTION_FAILED)
        try:
            return self._try(request, api_key, left)
        except ProtocolError:
            return no_response(Reason.CONNECTION_FAILED)

    def call(self, request: LoopsRequest, api_key: str) -> HttpCall:
        """Return the HTTP call for a request."""
        headers = {"Authorization": f"Bearer {api_key}", **_HEADERS, **request.headers}
        return HttpCall(request.method, self._root + request.path, encode_body(request.body), headers)

    def _try(self, request: LoopsRequest, api_key: str, seconds: float) -> Response:
        try:
            raw = self._transport(*self.call(request, api_key), seconds)
        except ProtocolError:
            raise
        except NewConnectionError:  # a subclass of urllib3's TimeoutError
            return no_response(Reason.CONNECTION_FAILED)
        except NoResponseInTime:
            return no_response(Reason.TIMEOUT)
        except UnreadableResponse:
            return no_response(Reason.UNREADABLE_RESPONSE)
        except HTTPError:
            return no_response(Reason.CONNECTION_FAILED)
        return read_response(request, raw.status, raw.body, raw.headers.get("x-ratelimit-remaining"))


def encode_body(body: dict[str, Any]) -> bytes:
    """Return a body as JSON. A number too large for a double becomes null, as in `JSON.stringify`."""
    try:
        return to_json(body, inf_nan_mode="null")
    except ValueError:  # half a surrogate pair, which UTF-8 cannot encode, or nested deeper than pydantic accepts
        return _encode_in_ascii(body)


def _encode_in_ascii(body: dict[str, Any]) -> bytes:
    try:
        return _finite_json(body).encode()
    except ValueError:
        return _finite_json(json.loads(json_text(body))).encode()

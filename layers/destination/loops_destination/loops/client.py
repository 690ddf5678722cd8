"""The client of Loops: what an action asks for as an HTTP call, and what the response to it means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from pydantic_core import to_json
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError
from urllib3.exceptions import TimeoutError as NoResponseInTime

from loops_destination.clock import Clock
from loops_destination.javascript import json_text
from loops_destination.loops.connections import Connections, RawResponse, UnreadableResponse
from loops_destination.loops.responses import Response, no_response, read_response
from loops_destination.loops_request import LoopsRequest
from loops_destination.outcomes import Reason

REPEAT_SECONDS = 0.5  # with less time left, a broken call is left to the queue
USER_AGENT = "segment-loops-destination"
API_PREFIX = "/api"  # the requests' paths begin with it, and so does the base URL end

_HEADERS = {"Content-Type": "application/json", "User-Agent": USER_AGENT}


_finite_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class HttpCall(NamedTuple):
    """What a transport is told; `headers` holds the API key."""

    method: str
    url: str
    body: bytes
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"HttpCall({self.method} {self.url})"


class Transport(Protocol):
    """Makes one HTTP call within so many seconds, the whole of it; raises urllib3's errors."""

    def __call__(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> RawResponse: ...


class LoopsClient:
    """Calls Loops and says what the response means.

    `connections` is how many calls may be under way at once.
    """

    def __init__(self, base_url: str, clock: Clock, transport: Transport | None = None, connections: int = 4) -> None:
        self._root = base_url.removesuffix(API_PREFIX)
        self._clock = clock
        self._transport = transport or Connections(connections, secure=base_url.startswith("https:"))

    def send(self, request: LoopsRequest, api_key: str, seconds: float) -> Response:
        """Loops' response, or what stands for it after so many seconds; it never raises."""
        deadline = self._clock.time() + seconds
        try:
            return self._try(request, api_key, seconds)
        except ProtocolError:
            # The connection broke before the response, most often an idle one that Loops had closed. Contacts can be
            # written again, events are known by their key; so one repeat at once is safe.
            left = deadline - self._clock.time()
            if left < REPEAT_SECONDS:
                return no_response(Reason.CONNECTION_FAILED)
        try:
            return self._try(request, api_key, left)
        except ProtocolError:
            return no_response(Reason.CONNECTION_FAILED)

    def call(self, request: LoopsRequest, api_key: str) -> HttpCall:
        """The request as it goes over the network."""
        headers = {"Authorization": f"Bearer {api_key}", **_HEADERS, **request.headers}
        return HttpCall(request.method, self._root + request.path, encode_body(request.body), headers)

    def _try(self, request: LoopsRequest, api_key: str, seconds: float) -> Response:
        try:
            raw = self._transport(*self.call(request, api_key), seconds)
        except ProtocolError:
            raise
        except NewConnectionError:  # which urllib3 counts among the timeouts
            return no_response(Reason.CONNECTION_FAILED)
        except NoResponseInTime:
            return no_response(Reason.TIMEOUT)
        except UnreadableResponse:
            return no_response(Reason.UNREADABLE_RESPONSE)
        except HTTPError:
            return no_response(Reason.CONNECTION_FAILED)
        return read_response(request, raw.status, raw.body, raw.headers.get("x-ratelimit-remaining"))


def encode_body(body: dict[str, Any]) -> bytes:
    """The JSON of a request; a number too large for a double is null in it, as `JSON.stringify` writes it."""
    try:
        return to_json(body, inf_nan_mode="null")
    except ValueError:  # half a surrogate pair, which UTF-8 cannot hold, or nested deeper than pydantic goes
        return _encode_in_ascii(body)


def _encode_in_ascii(body: dict[str, Any]) -> bytes:
    try:
        return _finite_json(body).encode()
    except ValueError:
        return _finite_json(json.loads(json_text(body))).encode()

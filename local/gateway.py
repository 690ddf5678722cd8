"""API Gateway's HTTP API on this machine: requests become events in payload format 2.0, and results become responses.

Source: AWS' documentation, "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway".
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from local.runtime import PayloadTooLarge, ignore
from local.sam_template import Route
from segment_loops.local_addresses import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from local.runtime import LambdaFunction
    from loops_destination.clock import Clock

MAX_BODY_BYTES = 10 * 1024 * 1024
"""API Gateway's quota for a request body."""

API_ID = "local"

_TEXT = ("text/", "application/json", "application/javascript", "application/xml")
"""Media types whose bodies are passed on as text; all others are encoded in base64."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer.

    `event` is the function's input, and `function` its name, None if no route matched. `time` is in seconds since 1970;
    `seconds` is the duration.
    """

    event: Mapping[str, Any] = field(repr=False)
    function: str | None
    status: int
    body: bytes = field(repr=False)
    time: float
    seconds: float

    @property
    def method(self) -> str:
        return str(self.event["requestContext"]["http"]["method"])

    @property
    def path(self) -> str:
        return str(self.event["rawPath"])


class Gateway:
    """The WSGI application.

    `listener` is called after every request that was not for a mounted application. `mounts` holds applications that a
    real API Gateway does not have, by their path: `/` is the root alone, `/x/` everything below it.
    """

    def __init__(
        self,
        routes: Mapping[Route, LambdaFunction],
        clock: Clock,
        listener: Callable[[Exchange], None] = ignore,
        mounts: Mapping[str, WSGIApplication] | None = None,
    ) -> None:
        self._routes = routes
        self._clock = clock
        self._listener = listener
        self._mounts = mounts or {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        return (self._mounted(request.path) or self._answer(request))(environ, start_response)

    def _mounted(self, path: str) -> WSGIApplication | None:
        return next(
            (app for place, app in self._mounts.items() if path == place or (place != "/" and path.startswith(place))),
            None,
        )

    def _answer(self, request: Request) -> Response:
        now = self._clock.time()
        route = self._route(request)
        function = self._routes[route] if route else None
        event = _event(request, now, route)
        response = self._response(function, request, event)
        name = function.function.name if function else None
        body = response.get_data()
        self._listener(Exchange(event, name, response.status_code, body, now, self._clock.time() - now))
        return response

    def _route(self, request: Request) -> Route | None:
        """Return the route that an HTTP API chooses: the one with exactly this path, else the longest greedy one."""
        exact = Route(request.method, request.path)
        if exact in self._routes:
            return exact
        greedy = (
            each for each in self._routes if each.method == request.method and each.rest(request.path) is not None
        )
        return max(greedy, key=lambda route: len(route.path), default=None)

    def _response(self, function: LambdaFunction | None, request: Request, event: dict[str, Any]) -> Response:
        if function is None:
            return _message(404, "Not Found")
        if len(request.get_data()) > MAX_BODY_BYTES:
            return _message(413, "Request Entity Too Large")
        try:
            invocation = function.invoke(event)
        except PayloadTooLarge:
            return _message(413, "Request Entity Too Large")
        if invocation.failed:
            return _message(500, "Internal Server Error")
        return _integrated(invocation.payload)


def _message(status: int, message: str) -> Response:
    return Response(json.dumps({"message": message}, separators=(",", ":")), status, mimetype="application/json")


def _integrated(payload: Any) -> Response:
    """Return the response that a function's result describes; a result without a status is the body itself."""
    if not isinstance(payload, dict) or "statusCode" not in payload:
        return Response(json.dumps(payload), mimetype="application/json")
    body = str(payload.get("body") or "")
    try:
        content = base64.b64decode(body, validate=True) if payload.get("isBase64Encoded") else body.encode()
        response = Response(content, int(payload["statusCode"]), content_type="text/plain; charset=utf-8")
    except (binascii.Error, ValueError):
        return _message(500, "Internal Server Error")
    response.headers.update({name: str(value) for name, value in (payload.get("headers") or {}).items()})
    for cookie in payload.get("cookies") or []:
        response.headers.add("Set-Cookie", cookie)
    return response


def _event(request: Request, now: float, route: Route | None) -> dict[str, Any]:
    route_key = f"{route.method} {route.path}" if route else "$default"
    rest = route.rest(request.path) if route else None
    event = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": request.query_string.decode("latin-1"),
        "cookies": request.headers.get("Cookie", "").split("; "),
        "headers": _headers(request),
        "queryStringParameters": {name: ",".join(values) for name, values in request.args.lists()},
        "requestContext": _request_context(request, route_key, now),
        "pathParameters": {"proxy": rest} if rest else {},
        **_body(request),
    }
    return {name: value for name, value in event.items() if value not in ([""], {})}


def _headers(request: Request) -> dict[str, str]:
    given = {name.lower(): value for name, value in request.headers.items() if name.lower() != "cookie"}
    forwarded = {"x-forwarded-for": request.remote_addr or "", "x-forwarded-proto": request.scheme}
    return given | forwarded


def _request_context(request: Request, route_key: str, now: float) -> dict[str, Any]:
    return {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": request.host,
        "domainPrefix": request.host.partition(".")[0],
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": request.environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
            "sourceIp": request.remote_addr or "",
            "userAgent": request.headers.get("User-Agent", ""),
        },
        "requestId": uuid.uuid4().hex,
        "routeKey": route_key,
        "stage": "$default",
        "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now * 1000),
    }


def _body(request: Request) -> dict[str, Any]:
    data = request.get_data()
    if not data:
        return {"isBase64Encoded": False}
    if request.mimetype.startswith(_TEXT):
        try:
            return {"body": data.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(data).decode(), "isBase64Encoded": True}

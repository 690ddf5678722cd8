"""The gateway over HTTP: requests become events, and results become answers."""

from __future__ import annotations

import base64
import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest

from local.gateway import MAX_BODY_BYTES, Exchange, Gateway
from local.sam_template import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    import urllib3

    from local.runtime import LambdaFunction
    from tests.integration.local.conftest import Clock

ECHO = "import json; return {'statusCode': 200, 'body': json.dumps(event)}"


ROUTES = [
    Route("POST", "/echo"),
    Route("POST", "/echo/{proxy+}"),
    Route("PUT", "/{proxy+}"),
    Route("PUT", "/a/{proxy+}"),
]


class Site:
    """A gateway with one function, by default at `POST /echo`."""

    def __init__(self, url: str, pool: urllib3.PoolManager, exchanges: list[Exchange]) -> None:
        self.url = url
        self.pool = pool
        self.exchanges = exchanges

    def post(self, body: bytes = b"{}", path: str = "/echo", **headers: str) -> urllib3.BaseHTTPResponse:
        named = {"Content-Type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        return self.pool.request("POST", self.url + path, body=body, headers=named)

    def event(self, body: bytes = b"{}", path: str = "/echo", **headers: str) -> Any:
        return self.post(body, path, **headers).json()


@pytest.fixture
def site(
    clock: Clock, pool: urllib3.PoolManager, make_function: Callable[..., LambdaFunction], serve: Callable[..., str]
) -> Callable[..., Site]:
    def make(body: str, *routes: Route) -> Site:
        exchanges: list[Exchange] = []
        function = make_function(body)
        gateway = Gateway(dict.fromkeys(routes or ROUTES[:1], function), clock, exchanges.append)
        return Site(serve(gateway), pool, exchanges)

    return make


@pytest.fixture
def echo(site: Callable[[str], Site]) -> Site:
    return site(ECHO)


def test_a_request_becomes_an_event_of_format_2(echo: Site, clock: Clock) -> None:
    """The event has the members of payload format 2.0, with times by the clock."""
    event = echo.event(b'{"type":"page"}', "/echo?a=1&a=2&b=", User_Agent="Segment.io/2.0")
    host = echo.url.removeprefix("http://")
    assert event["version"] == "2.0"
    assert event["routeKey"] == "POST /echo"
    assert event["rawPath"] == "/echo"
    assert event["rawQueryString"] == "a=1&a=2&b="
    assert event["queryStringParameters"] == {"a": "1,2", "b": ""}
    assert (event["body"], event["isBase64Encoded"]) == ('{"type":"page"}', False)
    context = event["requestContext"]
    assert context["http"] == {
        "method": "POST",
        "path": "/echo",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "Segment.io/2.0",
    }
    assert (context["stage"], context["routeKey"], context["domainName"]) == ("$default", "POST /echo", host)
    assert context["timeEpoch"] == clock.time() * 1000
    assert context["time"] == "21/Sep/2026:14:13:20 +0000"


def test_header_names_are_lower_case_and_repeated_headers_joined(echo: Site) -> None:
    """A repeated header is joined with commas; cookies are a separate list."""
    connection = http.client.HTTPConnection(echo.url.removeprefix("http://"))
    connection.putrequest("POST", "/echo")
    for name, value in [("X-Signature", "ab"), ("X-Two", "1"), ("x-two", "2"), ("Cookie", "a=1; b=2")]:
        connection.putheader(name, value)
    connection.endheaders()
    event = json.loads(connection.getresponse().read())
    connection.close()
    assert (event["headers"]["x-signature"], event["headers"]["x-two"]) == ("ab", "1,2")
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]


def test_missing_parts_of_a_request_are_missing_in_the_event(echo: Site) -> None:
    """Without a body, query or cookies the event has no such members."""
    assert {"body", "queryStringParameters", "cookies"}.isdisjoint(echo.event(b""))


@pytest.mark.parametrize(
    ("content_type", "body", "encoded"),
    [
        ("application/json", '{"name":"Zoë"}'.encode(), False),
        ("application/json; charset=utf-8", b"{}", False),
        ("text/plain", b"hello", False),
        ("application/json", b"\xff\xfe", True),
        ("application/octet-stream", b"hello", True),
        ("application/x-www-form-urlencoded", b"a=1", True),
    ],
)
def test_a_binary_body_is_in_base64(echo: Site, content_type: str, body: bytes, *, encoded: bool) -> None:
    """A body without a textual type, or not in UTF-8, is encoded in base64; no byte is changed."""
    event = echo.event(body, Content_Type=content_type)
    assert event["isBase64Encoded"] is encoded
    assert (base64.b64decode(event["body"]) if encoded else event["body"].encode()) == body


def test_the_answer_is_the_functions(site: Callable[[str], Site]) -> None:
    """Status, headers, cookies and body are those of the function's result."""
    answer = site(
        "return {'statusCode': 207, 'headers': {'content-type': 'application/json', 'x-number': 5}, "
        "'cookies': ['a=1', 'b=2'], 'body': '{\"ë\":1}'}"
    ).post()
    assert (answer.status, answer.data) == (207, '{"ë":1}'.encode())
    assert (answer.headers["Content-Type"], answer.headers["X-Number"]) == ("application/json", "5")
    assert answer.headers.getlist("Set-Cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("body", "status", "content"),
    [
        ("return {'statusCode': 200, 'body': 'aGVsbG8=', 'isBase64Encoded': True}", 200, b"hello"),
        ("return {'statusCode': 200, 'body': '?', 'isBase64Encoded': True}", 500, None),
        ("return {'statusCode': 'fine'}", 500, None),
        ("return {'statusCode': 204}", 204, b""),
        ("return {'no': 'status'}", 200, b'{"no": "status"}'),
        ("return 'text'", 200, b'"text"'),
        ("raise ValueError", 500, None),
    ],
)
def test_results_of_every_shape_are_answered(
    site: Callable[[str], Site], body: str, status: int, content: bytes | None
) -> None:
    """A result without a status is the body; a malformed result and an error are an internal server error."""
    answer = site(body).post()
    assert answer.status == status
    assert answer.data == (b'{"message":"Internal Server Error"}' if content is None else content)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/echo/"), ("GET", "/echo"), ("POST", "/"), ("OPTIONS", "/echo")]
)
def test_a_request_without_a_route_is_not_found(echo: Site, method: str, path: str) -> None:
    """Another method or path, even by a slash, is answered 404 and invokes no function."""
    response = echo.pool.request(method, echo.url + path)
    assert (response.status, response.data) == (404, b'{"message":"Not Found"}')
    assert [exchange.function for exchange in echo.exchanges] == [None]


@pytest.mark.parametrize(
    ("method", "path", "route", "rest"),
    [
        ("POST", "/echo", "POST /echo", None),
        ("POST", "/echo/one", "POST /echo/{proxy+}", "one"),
        ("POST", "/echo/one/two/", "POST /echo/{proxy+}", "one/two/"),
        ("POST", "/echo/", "POST /echo/{proxy+}", None),
        ("PUT", "/a/b", "PUT /a/{proxy+}", "b"),
        ("PUT", "/b", "PUT /{proxy+}", "b"),
    ],
)
def test_an_exact_route_has_priority_over_greedy_ones(
    site: Callable[..., Site], method: str, path: str, route: str, rest: str | None
) -> None:
    """A request takes the route with its exact path, else the longest greedy one, whose rest may be empty."""
    gateway = site(ECHO, *ROUTES)
    event = gateway.pool.request(method, gateway.url + path).json()
    assert (event["routeKey"], event["requestContext"]["routeKey"], event["rawPath"]) == (route, route, path)
    assert event.get("pathParameters") == (None if rest is None else {"proxy": rest})


@pytest.mark.parametrize(("method", "path"), [("POST", "/echoes"), ("POST", "/other/echo/one"), ("GET", "/echo/one")])
def test_a_greedy_route_matches_only_paths_below_it(site: Callable[..., Site], method: str, path: str) -> None:
    """A path with the same beginning that is not below the route, and another method, are answered 404."""
    gateway = site(ECHO, *ROUTES)
    assert gateway.pool.request(method, gateway.url + path).status == 404


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 7 * 1024 * 1024])
def test_a_request_that_is_too_large_is_answered_413(echo: Site, size: int) -> None:
    """A request above the quota of API Gateway or Lambda is answered 413, and its connection stays usable."""
    assert echo.post(b"x" * size).status == 413
    assert echo.post().status == 200


def test_a_chunked_body_is_read_whole(echo: Site) -> None:
    """A body without a length is passed on whole, and its connection stays usable."""
    chunks = echo.pool.request("POST", echo.url + "/echo", body=iter([b"one, ", b"two"]), chunked=True)
    assert base64.b64decode(chunks.json()["body"]) == b"one, two"
    assert echo.post().status == 200


def test_a_connection_serves_many_requests(echo: Site) -> None:
    """Every kind of answer leaves the connection open for the next request."""
    connections = echo.pool.connection_from_url(echo.url)
    for path in ("/echo", "/nowhere", "/echo"):
        echo.post(path=path)
    assert connections.num_connections == 1


def test_the_listener_is_called_with_every_exchange(echo: Site, clock: Clock) -> None:
    """The listener gets the event, the function's name, the answer and the times."""
    echo.post(b'{"type":"page"}')
    (exchange,) = echo.exchanges
    assert (exchange.method, exchange.path, exchange.function, exchange.status) == ("POST", "/echo", "Sample", 200)
    assert exchange.event["body"] == '{"type":"page"}'
    assert json.loads(exchange.body) == exchange.event
    assert (exchange.time, exchange.seconds) == (clock.time(), 0)

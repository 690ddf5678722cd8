"""Kept connections and HTTP exchanges, against small servers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain, repeat

import pytest
from urllib3.exceptions import ConnectTimeoutError, InvalidHeader, NewConnectionError, ProtocolError, ReadTimeoutError

from loops_destination.loops.connections import Connections
from loops_destination.loops.exchange import MAX_RESPONSE_BYTES, UnreadableResponse

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


SentResponse = bytes | tuple[bytes, ...] | Callable[[], Iterable[bytes]]
"""A response: bytes, a tuple of pieces that are sent with pauses, or a function that returns pieces, even endless ones."""


class Server:
    """A server that sends each connection its responses, one for each request, and then closes it."""

    def __init__(self, *responses: SentResponse) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._responses = responses
        self._closing = threading.Event()
        self.connections = 0
        self.received = b""
        self.responded = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}/api/v1/events/send"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def _serve_connection(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            for response in self._responses:
                self.received = connection.recv(65536)
                self._respond(connection, response)
                self.responded.set()

    def _respond(self, connection: socket.socket, response: SentResponse) -> None:
        pieces = (response,) if isinstance(response, bytes) else response if isinstance(response, tuple) else response()
        for number, piece in enumerate(pieces):
            if isinstance(response, tuple) and number:
                self._closing.wait(0.01)
            connection.sendall(piece)

    def close(self) -> None:
        self._closing.set()
        self._listening.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """A function that starts a server, which is closed after the test."""
    servers: list[Server] = []

    def start(*responses: SentResponse) -> Server:
        servers.append(Server(*responses))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def call(connections: Connections, url: str, seconds: float = 2.0, headers: dict[str, str] | None = None) -> bytes:
    return connections("POST", url, b"{}", headers or {}, seconds).body


def test_a_request_is_sent_in_one_piece(serve: Callable[..., Server]) -> None:
    """Headers and body are sent together, so that they are one packet."""
    server = serve(OK)
    call(Connections(1), server.url, headers={"X-Kind": "one"})
    head, _, body = server.received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert (first, body) == ("POST /api/v1/events/send HTTP/1.1", b"{}")
    port = server.url.split(":")[2].partition("/")[0]
    assert sorted(lines) == [
        "Accept-Encoding: identity",
        "Content-Length: 2",
        f"Host: 127.0.0.1:{port}",
        "X-Kind: one",
    ]


def test_consecutive_calls_share_a_connection(serve: Callable[..., Server]) -> None:
    """Calls one after another use one connection for as long as the server keeps it open."""
    server = serve(OK, OK, OK)
    connections = Connections(1)
    assert [call(connections, server.url) for _ in range(3)] == [b"{}"] * 3
    assert server.connections == 1


def test_each_server_has_its_own_connections(serve: Callable[..., Server]) -> None:
    """A call is never sent to a server other than that of its URL."""
    here, there = serve(OK, OK), serve(OK.replace(b"{}", b"[]"))
    connections = Connections(1)
    assert [call(connections, server.url) for server in (here, there, here)] == [b"{}", b"[]", b"{}"]
    assert (here.connections, there.connections) == (1, 1)


def test_a_connection_that_the_server_closed_is_not_reused(serve: Callable[..., Server]) -> None:
    """A call after a long pause succeeds although the server has closed the kept connection."""
    server = serve(OK)
    connections = Connections(1)
    call(connections, server.url)
    closed_by_now = threading.Event()
    closed_by_now.wait(0.05)
    assert call(connections, server.url) == b"{}"
    assert server.connections == 2


def test_a_connection_whose_response_broke_off_is_not_reused(serve: Callable[..., Server]) -> None:
    """The remains of an incomplete response are never read as the next response."""
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}")
    connections = Connections(1)
    for _ in range(2):
        with pytest.raises(ProtocolError):
            call(connections, server.url)
    assert server.connections == 2


STALE = OK.replace(b"{}", b"[]")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


@pytest.mark.parametrize("surplus", [b"\n", b"\r\n", STALE], ids=["a byte", "a line", "a response"])
@pytest.mark.parametrize("response", [OK, CHUNKED], ids=["length", "chunked"])
def test_a_connection_with_surplus_bytes_is_not_reused(
    serve: Callable[..., Server], response: bytes, surplus: bytes
) -> None:
    """Bytes after a complete response end its connection, so they are never read as the next response."""
    server = serve(response + surplus, STALE)
    connections = Connections(1)
    assert [call(connections, server.url) for _ in range(2)] == [b"{}"] * 2
    assert server.connections == 2


def test_a_connection_with_late_surplus_bytes_is_not_reused(serve: Callable[..., Server]) -> None:
    """Bytes that arrive after the response was read end the connection too."""
    server = serve((OK, STALE), STALE)
    connections = Connections(1)
    assert call(connections, server.url) == b"{}"
    assert server.responded.wait(5)
    assert call(connections, server.url) == b"{}"
    assert server.connections == 2


RESPONSES = {
    "plain": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-RateLimit-Remaining: 7\r\n\r\n{}",
    "no body": b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nx-ratelimit-remaining:7\r\n\r\n",
    "no reason": b"HTTP/1.1 429 \r\ncontent-length:2\r\nx-ratelimit-remaining: 7\r\n\r\n{}",
    "no blank": b"HTTP/1.1 429\r\nContent-Length: 2\r\nx-ratelimit-remaining: 7\r\n\r\n{}",
    "odd value": b"HTTP/1.1 200 OK\r\nX-Odd: a\x85b\x0bc: d\r\nContent-Length: 2\r\nx-ratelimit-remaining: 7\r\n\r\n{}",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nx-ratelimit-remaining: 7\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "both lengths": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 12\r\n"
    b"x-ratelimit-remaining: 7\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\nx-ratelimit-remaining: 7\r\n\r\n{}",
    "100 first": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-ratelimit-remaining: 7\r\n\r\n{}",
    "nothing": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nx-ratelimit-remaining: 7\r\n\r\n",
    "closing": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\nx-ratelimit-remaining: 7\r\n\r\n{}",
    "closing early": b"HTTP/1.0 200 OK\r\nx-ratelimit-remaining: 7\r\n\r\n{}",
    "folded": b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n Content-Length: 9\r\nContent-Length: 2\r\nx-ratelimit-remaining: 7\r\n\r\n{}",
}


@pytest.mark.parametrize("cut", [0, 1, 20], ids=["whole", "after a byte", "in the head"])
@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_is_the_same_whole_and_in_pieces(serve: Callable[..., Server], name: str, cut: int) -> None:
    """A response is read the same, however it was split into packets."""
    server = serve((RESPONSES[name][:cut], RESPONSES[name][cut:]))
    response = Connections(1)("POST", server.url, b"{}", {}, 2)
    assert response.headers.get("x-ratelimit-remaining") == "7"
    assert response.body == (b"" if name in {"nothing", "no body"} else b"{}")
    assert str(response.status) in RESPONSES[name].decode("latin-1")


def test_a_connection_that_the_server_will_close_is_not_reused(serve: Callable[..., Server]) -> None:
    """After `Connection: close` the next call opens a new connection."""
    server = serve(RESPONSES["closing"], RESPONSES["closing"])
    connections = Connections(1)
    assert [call(connections, server.url) for _ in range(2)] == [b"{}"] * 2
    assert server.connections == 2


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


@pytest.mark.parametrize(
    "informational",
    [HINTS, CONTINUE + PROCESSING, HINTS + HINTS + CONTINUE, b"HTTP/1.1 199 Odd\r\nContent-Length: 9\r\n\r\n"],
    ids=["103", "100 and 102", "103, 103 and 100", "199"],
)
@pytest.mark.parametrize("cut", [False, True], ids=["together", "apart"])
def test_informational_responses_are_skipped(serve: Callable[..., Server], informational: bytes, *, cut: bool) -> None:
    """The response to a call is the first that is not informational, and its connection is kept."""
    server = serve((informational, OK) if cut else informational + OK, STALE)
    connections = Connections(1)
    first, second = (connections("POST", server.url, b"{}", {}, 2) for _ in range(2))
    assert (first.status, first.body) == (200, b"{}")
    assert (second.status, second.body) == (200, b"[]")
    assert server.connections == 1


def test_a_switch_of_protocols_is_unreadable(serve: Callable[..., Server]) -> None:
    """After a 101, which no call asks for, nothing on the connection is read as HTTP."""
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    server = serve(switch + OK)
    connections = Connections(1)
    for _ in range(2):
        with pytest.raises(UnreadableResponse):
            call(connections, server.url)
    assert server.connections == 2


def _sized(total: int) -> bytes:
    """Return a response of `total` bytes, headers included."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %07d\r\n\r\n"
    length = total - len(head % 0)
    return head % length + b"x" * length


def test_a_response_of_one_megabyte_is_read(serve: Callable[..., Server]) -> None:
    """A response of exactly 1 MB is read, and its connection is reused."""
    server = serve(_sized(MAX_RESPONSE_BYTES), OK)
    connections = Connections(1)
    assert len(call(connections, server.url)) > 0.99 * MAX_RESPONSE_BYTES
    assert call(connections, server.url) == b"{}"
    assert (server.connections, MAX_RESPONSE_BYTES) == (1, 1 << 20)


OVERSIZED: dict[str, Callable[[], Iterable[bytes]]] = {
    "a byte too many": lambda: [_sized(MAX_RESPONSE_BYTES + 1)],
    "a body of 1 MB and a byte": lambda: [b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_RESPONSE_BYTES + 1)],
    "an endless body": lambda: chain([b"HTTP/1.1 200 OK\r\n\r\n"], repeat(b"x" * 4096)),
    "an endless length": lambda: chain([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % 10**8], repeat(b"x" * 4096)),
    "endless chunks": lambda: chain([CHUNKED[:-5]], repeat(b"2\r\n{}\r\n" * 500)),
    "a negative chunk": lambda: chain([CHUNKED[:-12] + b"-1\r\n"], repeat(b"x" * 4096)),
    "endless trailers": lambda: chain([CHUNKED[:-2]], repeat(b"X-More: yes\r\n" * 300)),
    "endless headers": lambda: chain([b"HTTP/1.1 200 OK\r\n"], repeat(b"X-More: yes\r\n")),
    "an endless header": lambda: chain([b"HTTP/1.1 200 OK\r\nX-More: "], repeat(b"x" * 4096)),
    "an endless status line": lambda: chain([b"HTTP/1.1 200 "], repeat(b"x" * 4096)),
    "endless hints": lambda: repeat(HINTS * 50),
    "endless permission to continue": lambda: repeat(CONTINUE * 150),
}


@pytest.mark.parametrize("name", OVERSIZED)
def test_a_response_of_more_than_one_megabyte_is_unreadable(serve: Callable[..., Server], name: str) -> None:
    """Reading stops at 1 MB, whatever follows, and the connection is closed."""
    server = serve(OVERSIZED[name], OK)
    connections = Connections(1)
    for _ in range(2):
        with pytest.raises(UnreadableResponse):
            call(connections, server.url, 30)
    assert server.connections == 2


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 20 + b"\r\n{}\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/2 200 OK\r\n\r\n{}",
        b"HTTP/1.1 20 OK\r\n\r\n{}",
    ],
    ids=["too long", "negative", "beyond counting", "another protocol", "another version", "no status"],
)
def test_bytes_that_are_not_http_are_unreadable(serve: Callable[..., Server], response: bytes) -> None:
    """Bytes that are not HTTP raise `UnreadableResponse`, and their connection is closed."""
    server = serve(response, OK)
    connections = Connections(1)
    for _ in range(2):
        with pytest.raises(UnreadableResponse):
            call(connections, server.url)
    assert server.connections == 2


@pytest.mark.parametrize(
    "response",
    [OK, CHUNKED, HINTS + OK, CONTINUE * 1000],
    ids=["length", "chunked", "103", "only 100s"],
)
def test_slow_bytes_do_not_extend_the_deadline(serve: Callable[..., Server], response: bytes) -> None:
    """A response that comes byte by byte, in any of its parts, is given up when the time is over."""
    server = serve(tuple(bytes([byte]) for byte in response))
    with pytest.raises(ReadTimeoutError):
        call(Connections(1), server.url, 0.2)


def test_a_call_without_time_opens_no_connection(serve: Callable[..., Server]) -> None:
    """A call without any time left does not connect."""
    server = serve(OK)
    with pytest.raises(ConnectTimeoutError):
        call(Connections(1), server.url, 0)
    assert server.connections == 0


def test_threads_share_the_connections(serve: Callable[..., Server]) -> None:
    """Many threads at once each get their response, and share the kept connections."""
    server = serve(*[OK] * 400)
    connections = Connections(4)
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: call(connections, server.url), range(400))) == {b"{}"}
    assert server.connections < 400


class Resolver:
    """A resolver that answers with `address`, or not at all, once `found` is set."""

    def __init__(self, address: tuple[str, int] | None) -> None:
        self._address = address
        self.found = threading.Event()

    def __call__(self, *_arguments: object, **_options: object) -> list[object]:
        self.found.wait(5)
        if self._address is None:
            raise socket.gaierror("no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", self._address)]


def test_resolving_a_name_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that does not answer takes no longer than the call may, and a connection opened later is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        resolver = Resolver(listening.getsockname())
        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        connections = Connections(1)
        with pytest.raises(ConnectTimeoutError):
            call(connections, "http://loops.invalid/api", 0.05)
        with pytest.raises(ConnectTimeoutError):  # this one waits behind the first, and is given up before it begins
            call(connections, "http://loops.invalid/api", 0.05)
        resolver.found.set()
        connection, _ = listening.accept()
        with connection:
            assert connection.recv(1) == b""


def test_a_name_that_fails_to_resolve_late_affects_no_other_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a look-up that failed when its call had given up, the next call is made."""
    resolver = Resolver(None)
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", resolver)
        connections = Connections(1)
        with pytest.raises(ConnectTimeoutError):
            call(connections, "http://loops.invalid/api", 0.05)
        resolver.found.set()
        with pytest.raises(NewConnectionError):
            call(connections, "http://loops.invalid/api")


def test_a_handshake_is_given_up_after_a_second() -> None:
    """A server that accepts a connection and stays silent takes one second, and not all the time of a call."""
    with socket.create_server(("127.0.0.1", 0)) as listening, pytest.raises(ConnectTimeoutError):
        call(Connections(1), f"https://127.0.0.1:{listening.getsockname()[1]}/api", 3)


def test_a_call_without_time_sends_nothing(serve: Callable[..., Server]) -> None:
    """A call without any time left sends nothing on a kept connection, so it has no effect."""
    server = serve(OK, OK)
    connections = Connections(1)
    call(connections, server.url)
    server.received = b""
    with pytest.raises(ReadTimeoutError):
        call(connections, server.url, 0)
    assert server.received == b""


def test_a_name_that_does_not_exist_fails_the_call() -> None:
    """A name that cannot be resolved raises `NewConnectionError`."""
    with pytest.raises(NewConnectionError):
        call(Connections(1), "http://loops.invalid/api")


@pytest.mark.parametrize("value", ["a\r\nY: b", "a\0", "é"])
def test_a_header_is_one_line_of_ascii(value: str) -> None:
    """A header with a line break, another control character or a letter beyond ASCII is rejected before anything is sent."""
    with pytest.raises(InvalidHeader):
        call(Connections(1), "http://127.0.0.1:9/api", headers={"X": value})

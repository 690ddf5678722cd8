"""Kept connections to Loops, with one deadline for each call.

urllib3 opens the connections, with its TLS, and `http.client` reads the responses. urllib3's pool between the two is left
out: its timeouts bound each wait for the next bytes instead of the call, and it takes twice the time of everything else.
"""

from __future__ import annotations

import io
import socket
import ssl
import weakref
from collections import defaultdict, deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, lru_cache
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, IncompleteRead
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Protocol

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)
from urllib3.util import create_urllib3_context, parse_url

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECT_SECONDS = 1.0

_Server = tuple[str, str, int | None]

MAX_RESPONSE_BYTES = 1024 * 1024
"""The most that is read for one call, headers included. Loops' responses are a few hundred bytes long."""

_BROKEN = (OSError, IncompleteRead)
"""Raised when a connection ends before the response does."""

_UNREADABLE = (HTTPException, ValueError, OverflowError, MemoryError)
"""Raised for bytes that are not HTTP; `http.client` believes every length, absurd ones included."""


class UnreadableResponse(HTTPError):
    """The response is not HTTP, or larger than `MAX_RESPONSE_BYTES`."""


class Headers(Protocol):
    """What finds a header by its name in small letters."""

    def get(self, name: str, /) -> str | None: ...


class RawResponse(NamedTuple):
    """A whole HTTP answer."""

    status: int
    headers: Headers
    body: bytes


class Connections:
    """Makes HTTP calls, each within its time; it repeats nothing and follows no redirect.

    `at_once` is how many may be under way at once, in threads of their own, and how many connections are kept for
    each server. `secure` is whether to read the certificates for TLS now, instead of at the first call.
    """

    def __init__(self, at_once: int, *, secure: bool = False) -> None:
        self._idle: defaultdict[_Server, deque[HTTPConnection]] = defaultdict(deque)
        self._at_once = at_once
        # Only opening needs a thread: nothing else bounds the look-up of a name.
        self._openers = ThreadPoolExecutor(at_once, "connect")
        weakref.finalize(self, _close, self._idle)
        if secure:
            # By the thread that will need it; the caller goes on with its other parts meanwhile.
            self._openers.submit(lambda: self._trusted)

    def __call__(self, method: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> RawResponse:
        """Return the response, within `seconds` from now.

        Raises urllib3's errors: `ProtocolError` when the connection broke, so that the call may be repeated,
        `UnreadableResponse`, `NewConnectionError`, and its `TimeoutError` when the time is over.
        """
        deadline = monotonic() + seconds
        target = _target(url)
        message = _head(method, target, headers, len(body)) + body
        idle = self._idle[target.server]
        connection = _kept(idle) or self._opened(target, seconds)
        kept = False
        try:
            answer, kept = _exchange(connection.sock, method, message, deadline)
        except TimeoutError:
            raise ReadTimeoutError(None, url, "no answer in time") from None  # type: ignore[arg-type]  # of no pool
        except _BROKEN as error:
            raise ProtocolError("the connection broke", error) from error
        except _UNREADABLE as error:
            raise UnreadableResponse(f"the response cannot be read: {type(error).__name__}") from error
        finally:
            if kept and len(idle) < self._at_once:
                idle.append(connection)
            else:
                connection.close()
        return answer

    def _opened(self, target: _Target, seconds: float) -> HTTPConnection:
        if seconds <= 0:
            raise ConnectTimeoutError(f"no time to connect to {target.host}")
        opening = self._openers.submit(self._open, target, min(CONNECT_SECONDS, seconds))
        try:
            return opening.result(seconds)
        except TimeoutError:
            if not opening.cancel():
                opening.add_done_callback(_close_late)
            raise ConnectTimeoutError(f"no connection to {target.host} in time") from None

    def _open(self, target: _Target, seconds: float) -> HTTPConnection:
        connection = (
            HTTPSConnection(target.host, target.port, timeout=seconds, ssl_context=self._trusted)
            if target.scheme == "https"
            else HTTPConnection(target.host, target.port, timeout=seconds)
        )
        try:
            connection.connect()
        except (HTTPError, OSError) as error:
            connection.close()
            raise _why_not_opened(connection, error) from error
        return connection

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        """The certificates that the machine trusts; reading them takes as long as a few hundred calls."""
        context = create_urllib3_context()
        context.load_default_certs()
        return context


def _kept(idle: deque[HTTPConnection]) -> HTTPConnection | None:
    """Return a connection that is still open and silent; Lambda may have been frozen for minutes since its last call."""
    while True:
        try:
            connection = idle.pop()
        except IndexError:
            return None
        if connection.is_connected and not _holds_decrypted(connection):
            return connection
        connection.close()


def _holds_decrypted(connection: HTTPConnection) -> bool:
    """Return whether TLS has decrypted bytes that nobody read; `is_connected` sees only those in the socket."""
    return isinstance(connection.sock, ssl.SSLSocket) and connection.sock.pending() > 0


class _Target(NamedTuple):
    """Where a URL leads: to whom a connection is opened, and what is asked there."""

    scheme: str
    host: str
    port: int | None
    authority: str
    path: str

    @property
    def server(self) -> _Server:
        return self[:3]


@lru_cache(maxsize=16)
def _target(url: str) -> _Target:
    parts = parse_url(url)
    return _Target(parts.scheme or "", parts.host or "", parts.port, parts.netloc or "", parts.request_uri)


def _head(method: str, target: _Target, headers: Mapping[str, str], length: int) -> bytes:
    """The lines before the body, in one piece with it: two writes would be two packets."""
    lines = [
        f"{method} {target.path} HTTP/1.1",
        f"Host: {target.authority}",
        "Accept-Encoding: identity",
        f"Content-Length: {length}",
        *[f"{name}: {value}" for name, value in headers.items()],
    ]
    text = "".join(lines)
    if not (text.isascii() and text.isprintable()):
        raise InvalidHeader("a header has characters that HTTP cannot carry")
    return "\r\n".join([*lines, "\r\n"]).encode()


def _why_not_opened(connection: HTTPConnection, error: Exception) -> HTTPError:
    if isinstance(error, HTTPError):
        return error
    if isinstance(error, TimeoutError):
        return ConnectTimeoutError(connection, "the handshake took too long")
    return NewConnectionError(connection, str(error))  # of TLS, a certificate that is not trusted among them


def _close_late(opening: Future[HTTPConnection]) -> None:
    """What was opened when nobody waited for it any more."""
    if opening.exception() is None:
        opening.result().close()


def _close(idle: Mapping[_Server, deque[HTTPConnection]]) -> None:
    for connection in chain.from_iterable(idle.values()):
        connection.close()


def _exchange(sock: socket.socket, method: str, message: bytes, deadline: float) -> tuple[RawResponse, bool]:
    """Send a request; return its response, and whether the connection can carry another."""
    wire = _Wire(sock, deadline)
    wire.send(message)
    received = _Received(wire)
    response = _final_response(received, method)
    answer = RawResponse(response.status, response.headers, response.read())
    return answer, not response.will_close and not _left_over(wire, received)


def _final_response(received: _Received, method: str) -> HTTPResponse:
    """Return the first response that is not informational (1xx), its headers read."""
    while True:
        response = HTTPResponse(received, method=method)  # type: ignore[arg-type]  # `makefile` is all it asks of a socket
        response.begin()
        if response.status == HTTPStatus.SWITCHING_PROTOCOLS:
            raise UnreadableResponse("the server switches to another protocol, which nobody asked for")
        if response.status >= HTTPStatus.OK:
            return response


def _left_over(wire: _Wire, received: _Received) -> bytes:
    """Return what arrived with the response and is not part of it: it must not be read as the response to the next call."""
    wire.is_over = True
    return received.peek()


class _Wire(io.RawIOBase):
    """A socket with a deadline and a limit on what it may receive; closing it leaves the socket open.

    Reading and sending raise `TimeoutError` after the deadline. Once `is_over` is set, reading finds nothing more.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._socket = sock
        self._deadline = deadline
        self._bytes_left = MAX_RESPONSE_BYTES
        self.is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        if self.is_over:
            return 0
        self._wait()
        count = self._socket.recv_into(buffer)
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise UnreadableResponse(f"the response is larger than {MAX_RESPONSE_BYTES} bytes")
        return count

    def send(self, message: bytes) -> None:
        """Send all of it; `sendall` of a TLS socket would give the whole time to each of its records."""
        rest = memoryview(message)
        while rest:
            self._wait()
            rest = rest[self._socket.send(rest) :]

    def _wait(self) -> None:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


class _Received(io.BufferedReader):
    """The bytes that one call receives, shared by the responses that it reads one after the other."""

    def makefile(self, _mode: str) -> _Received:
        """Return the file that `HTTPResponse` reads."""
        return self

    def close(self) -> None:
        """Stay open: `HTTPResponse` closes its file after each response, whatever follows in it."""

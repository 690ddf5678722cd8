"""Kept-alive connections, on which a whole exchange has one deadline, however slowly the other side answers.

urllib3's own pool costs more than the exchange itself, and a socket's timeout bounds each wait for the next byte, not
the call. So urllib3 opens the connections here, and a request and its answer pass under one clock in the caller's thread.
"""

from __future__ import annotations

import io
import socket
import ssl
import weakref
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, lru_cache
from http.client import HTTPException, HTTPResponse
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECT_SECONDS = 1.0

_Origin = tuple[str, str, int | None]


class Headers(Protocol):
    """What finds a header by its name in small letters."""

    def get(self, name: str, /) -> str | None: ...


class RawAnswer(NamedTuple):
    """A whole HTTP answer."""

    status: int
    headers: Headers
    body: bytes


class _Target(NamedTuple):
    """Where a URL leads: to whom a connection is opened, and what is asked there."""

    scheme: str
    host: str
    port: int | None
    authority: str
    path: str

    @property
    def origin(self) -> _Origin:
        return self[:3]


class Connections:
    """Makes HTTP calls, each within its time; it repeats nothing and follows no redirect. Threads may share it.

    `at_once` is how many may be under way at once, and how many connections are kept for each origin. As a `Transport`
    it raises urllib3's errors: `ProtocolError` where a connection broke, so that the call may be repeated.
    """

    def __init__(self, at_once: int) -> None:
        self._idle: defaultdict[_Origin, list[HTTPConnection]] = defaultdict(list)
        self._at_once = at_once
        # Only opening needs one: no timeout bounds the look-up of a name, and a handshake has many waits.
        self._threads = ThreadPoolExecutor(at_once, "connect")
        weakref.finalize(self, _close, self._idle)

    def __call__(self, method: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> RawAnswer:
        deadline = monotonic() + seconds
        target = _target(url)
        message = _head(method, target, headers, len(body)) + body
        connection = self._kept(target) or self._opened(target, seconds)
        kept = False
        try:
            answer, kept = _exchange(connection, method, message, deadline)
        except TimeoutError:
            raise ReadTimeoutError(None, url, "no answer in time") from None  # type: ignore[arg-type]  # of no pool
        except (HTTPException, OSError) as error:
            raise ProtocolError("the connection broke", error) from error
        finally:
            if kept and len(self._idle[target.origin]) < self._at_once:
                self._idle[target.origin].append(connection)
            else:
                connection.close()
        return answer

    def _kept(self, target: _Target) -> HTTPConnection | None:
        """A connection that the other side has not closed meanwhile; Lambda freezes for minutes between two calls."""
        idle = self._idle[target.origin]
        while idle:
            connection = idle.pop()
            if connection.is_connected:
                return connection
            connection.close()
        return None

    def _opened(self, target: _Target, seconds: float) -> HTTPConnection:
        opening = self._threads.submit(_open, target, min(CONNECT_SECONDS, seconds))
        try:
            return opening.result(seconds)
        except TimeoutError:
            if not opening.cancel():
                opening.add_done_callback(_close_late)
            raise ConnectTimeoutError(f"no connection to {target.authority} in time") from None


def _close_late(opening: Future[HTTPConnection]) -> None:
    if opening.exception() is None:
        opening.result().close()


def _close(idle: Mapping[_Origin, list[HTTPConnection]]) -> None:
    for connection in chain.from_iterable(idle.values()):
        connection.close()


@cache
def trusted() -> ssl.SSLContext:
    """The certificates that the machine trusts; reading them takes as long as a few hundred calls, so it is done once."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _open(target: _Target, seconds: float) -> HTTPConnection:
    connection = (
        HTTPSConnection(target.host, target.port, timeout=seconds, ssl_context=trusted())
        if target.scheme == "https"
        else HTTPConnection(target.host, target.port, timeout=seconds)
    )
    try:
        connection.connect()
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "the handshake took too long") from error
    except HTTPError:
        raise
    except OSError as error:  # of TLS, a certificate that is not trusted among them
        raise NewConnectionError(connection, str(error)) from error
    return connection


def _exchange(connection: HTTPConnection, method: str, message: bytes, deadline: float) -> tuple[RawAnswer, bool]:
    """The answer to a message, and whether the connection can carry another."""
    wire = _Wire(connection.sock, deadline)
    wire.send(message)
    with HTTPResponse(wire, method=method) as response:  # type: ignore[arg-type]  # it asks for no more than makefile
        response.begin()
        answer = RawAnswer(response.status, response.headers, response.read())
        return answer, not response.will_close


class _Wire(io.RawIOBase):
    """A socket until a deadline; `TimeoutError` when it has passed. Closing it leaves the socket open."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._socket = sock
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What `HTTPResponse` reads its socket through."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._wait()
        return self._socket.recv_into(buffer)

    def send(self, message: bytes) -> None:
        """All of it; `sendall` of a TLS socket would give each of its records the whole time anew."""
        rest = memoryview(message)
        while rest:
            self._wait()
            rest = rest[self._socket.send(rest) :]

    def _wait(self) -> None:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


@lru_cache(maxsize=16)
def _target(url: str) -> _Target:
    parts = urlsplit(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return _Target(parts.scheme, parts.hostname or "", parts.port, parts.netloc.rpartition("@")[2], path)


def _head(method: str, target: _Target, headers: Mapping[str, str], length: int) -> bytes:
    """The lines before the body, in one piece with it: two writes would be two packets."""
    lines = [
        f"{method} {target.path} HTTP/1.1",
        f"Host: {target.authority}",
        "Accept-Encoding: identity",
        f"Content-Length: {length}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise InvalidHeader("a header has characters that HTTP cannot carry")
    return "\r\n".join([*lines, "\r\n"]).encode()

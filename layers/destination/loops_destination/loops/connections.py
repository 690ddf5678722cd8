"""Kept connections, on which a call has one deadline, however slowly the other side answers.

urllib3 opens them, with its TLS, and `http.client` reads the answers. urllib3's pool between the two is left out: its
timeouts bound each wait for the next bytes and not the call, and it takes twice the time of all the rest.
"""

from __future__ import annotations

import io
import re
import socket
import ssl
import weakref
from collections import defaultdict, deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, lru_cache
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
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

_NOT_HTTP = (HTTPException, OSError, ValueError, OverflowError, MemoryError)
"""What reading an answer can end in; `http.client` takes lengths as they come, absurd ones too."""


class Headers(Protocol):
    """What finds a header by its name in small letters."""

    def get(self, name: str, /) -> str | None: ...


class RawAnswer(NamedTuple):
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

    def __call__(self, method: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> RawAnswer:
        """The answer, in so many seconds; `ProtocolError` where the connection broke, so that the call may be repeated.

        Raises urllib3's other errors as well: `NewConnectionError`, and a `TimeoutError` when the time is over.
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
        except _NOT_HTTP as error:
            raise ProtocolError("the connection broke", error) from error
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
    """A connection that the other side has not closed meanwhile; Lambda freezes for minutes between two calls."""
    while True:
        try:
            connection = idle.pop()
        except IndexError:
            return None
        if connection.is_connected and not _holds_more(connection):
            return connection
        connection.close()


def _holds_more(connection: HTTPConnection) -> bool:
    """Whether TLS has decrypted bytes that nobody asked for; a look at the socket does not show them."""
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


def _exchange(sock: socket.socket, method: str, message: bytes, deadline: float) -> tuple[RawAnswer, bool]:
    """The answer to a message, and whether the connection can carry another."""
    wire = _Wire(sock, deadline)
    wire.send(message)
    received = io.BufferedReader(wire)
    answer = _in_one_piece(received.peek())
    if answer is not None:
        return answer, True
    with HTTPResponse(_Received(received), method=method) as response:  # type: ignore[arg-type]  # no socket, but enough
        response.begin()
        answer = RawAnswer(response.status, response.headers, response.read())
        # After an early hint (1xx) another answer follows, which must not be taken for that to the next call.
        return answer, not response.will_close and response.status >= HTTPStatus.OK


_WHOLE = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) [^\r\n]*\r\n((?:[A-Za-z0-9-]+:[^\r\n]*\r\n)+)\r\n")
_BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


def _in_one_piece(received: bytes) -> RawAnswer | None:
    """The answer that these bytes are, if it is a whole one of a given length, and nothing about it is unusual.

    `http.client`, which reads all others, takes longer for a head than everything else here together.
    """
    whole = _WHOLE.match(received)
    if whole is None:
        return None
    status, body = int(whole[1]), received[whole.end() :]
    lines = whole[2].decode("latin-1").removesuffix("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    framing = headers.get("content-length"), headers.get("connection", "keep-alive"), headers.get("transfer-encoding")
    usual = framing == (str(len(body)), "keep-alive", None) and len(headers) == len(lines) and status not in _BODILESS
    return RawAnswer(status, headers, body) if usual else None


class _Received(NamedTuple):
    """What `HTTPResponse` asks of a socket."""

    reader: io.BufferedReader

    def makefile(self, _mode: str) -> io.BufferedReader:
        return self.reader


class _Wire(io.RawIOBase):
    """A socket until a deadline; `TimeoutError` when it has passed. Closing it leaves the socket open."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._socket = sock
        self._deadline = deadline

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

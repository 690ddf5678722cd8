"""Connections to Loops that are kept between calls, with one deadline for the whole of each call.

urllib3 opens the connections and checks the certificates; `exchange` sends and reads. urllib3's connection pool is not
used: its timeouts apply to each read instead of the whole call, and it takes twice as long as everything else.
"""

from __future__ import annotations

import ssl
import weakref
from collections import defaultdict, deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, lru_cache
from itertools import chain
from time import monotonic
from typing import NamedTuple

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, InvalidHeader, NewConnectionError, ReadTimeoutError
from urllib3.util import create_urllib3_context, parse_url

from loops_destination.loops.exchange import RawResponse, exchange

CONNECT_SECONDS = 1.0

_Server = tuple[str, str, int | None]
"""Scheme, host and port."""


class Connections:
    """Makes HTTP calls, each within its time. It repeats no call and follows no redirect.

    `at_once` is the number of calls that may be made at once, and of idle connections kept for each server. `secure`:
    load the certificates for TLS now, instead of at the first call.
    """

    def __init__(self, at_once: int, *, secure: bool = False) -> None:
        self._idle: defaultdict[_Server, deque[HTTPConnection]] = defaultdict(deque)
        self._at_once = at_once
        # Connections are opened in threads, because nothing else limits how long a name takes to be resolved.
        self._openers = ThreadPoolExecutor(at_once, "connect")
        weakref.finalize(self, _close_all, self._idle)
        if secure:
            # In a thread too, so that the caller creates its other parts meanwhile.
            self._openers.submit(lambda: self._tls)

    def __call__(self, method: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> RawResponse:
        """Make a call and return the response, within `seconds`.

        Raises urllib3's errors: `ProtocolError` if the connection broke, so that the call may be repeated;
        `NewConnectionError`; its `TimeoutError`, if the time is over; `InvalidHeader`; and `UnreadableResponse`.
        """
        deadline = monotonic() + seconds
        target = _target(url)
        message = _head(method, target, headers, len(body)) + body
        idle = self._idle[target.server]
        connection = _pop_open(idle) or self._open_within(seconds, target)
        reusable = False
        try:
            response, reusable = exchange(connection.sock, method, message, deadline)
        except TimeoutError:
            raise ReadTimeoutError(None, url, "no response in time") from None  # type: ignore[arg-type]  # of no pool
        finally:
            if reusable and len(idle) < self._at_once:
                idle.append(connection)
            else:
                connection.close()
        return response

    def _open_within(self, seconds: float, target: _Target) -> HTTPConnection:
        if seconds <= 0:
            raise ConnectTimeoutError(f"no time is left to connect to {target.host}")
        opening = self._openers.submit(self._open, target, min(CONNECT_SECONDS, seconds))
        try:
            return opening.result(seconds)
        except TimeoutError:
            if not opening.cancel():
                opening.add_done_callback(_close_late)
            raise ConnectTimeoutError(f"could not connect to {target.host} in time") from None

    def _open(self, target: _Target, seconds: float) -> HTTPConnection:
        connection = (
            HTTPSConnection(target.host, target.port, timeout=seconds, ssl_context=self._tls)
            if target.scheme == "https"
            else HTTPConnection(target.host, target.port, timeout=seconds)
        )
        try:
            connection.connect()
        except (HTTPError, OSError) as error:
            connection.close()
            raise _as_http_error(connection, error) from error
        return connection

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """The machine's trusted certificates. Loading them takes as long as a few hundred calls."""
        context = create_urllib3_context()
        context.load_default_certs()
        return context


class _Target(NamedTuple):
    """The parts of a URL."""

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
    """Return the lines before the body, to be sent together with it: `http.client` would send two packets."""
    lines = [
        f"{method} {target.path} HTTP/1.1",
        f"Host: {target.authority}",
        "Accept-Encoding: identity",
        f"Content-Length: {length}",
        *[f"{name}: {value}" for name, value in headers.items()],
    ]
    text = "".join(lines)
    if not (text.isascii() and text.isprintable()):
        raise InvalidHeader("a header contains characters that HTTP cannot carry")
    return "\r\n".join([*lines, "\r\n"]).encode()


def _pop_open(idle: deque[HTTPConnection]) -> HTTPConnection | None:
    """Return an idle connection that is still usable: Lambda may have been frozen for minutes since the last call."""
    while True:
        try:
            connection = idle.pop()
        except IndexError:
            return None
        if connection.is_connected and not _has_decrypted_bytes(connection):
            return connection
        connection.close()


def _has_decrypted_bytes(connection: HTTPConnection) -> bool:
    """Return whether TLS holds bytes that nobody has read; `is_connected` sees only those in the socket."""
    return isinstance(connection.sock, ssl.SSLSocket) and connection.sock.pending() > 0


def _as_http_error(connection: HTTPConnection, error: Exception) -> HTTPError:
    if isinstance(error, HTTPError):
        return error
    if isinstance(error, TimeoutError):
        return ConnectTimeoutError(connection, "the handshake took too long")
    return NewConnectionError(connection, str(error))  # from TLS, such as a certificate that is not trusted


def _close_late(opening: Future[HTTPConnection]) -> None:
    """Close a connection that was opened after its call had given up."""
    if opening.exception() is None:
        opening.result().close()


def _close_all(idle: Mapping[_Server, deque[HTTPConnection]]) -> None:
    for connection in chain.from_iterable(idle.values()):
        connection.close()

"""One HTTP exchange on an open connection: a request sent and its response read, within a deadline and a size limit.

`http.client` parses the responses. It knows neither a deadline for a whole response nor a limit on its size, so it reads
through `_Wire`, which has both.
"""

from __future__ import annotations

import io
import socket
from http.client import OK, SWITCHING_PROTOCOLS, HTTPException, HTTPResponse, IncompleteRead
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Protocol

from urllib3.exceptions import HTTPError, ProtocolError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_RESPONSE_BYTES = 1024 * 1024
"""The most that is read for one call, headers included. A response from Loops has a few hundred bytes."""

_BROKEN = (OSError, IncompleteRead)
"""Raised when the connection ends before the response does."""

_NOT_HTTP = (HTTPException, ValueError, OverflowError, MemoryError)
"""Raised for bytes that are not HTTP, and for an absurd length of a response, which `http.client` does not check."""


class UnreadableResponse(HTTPError):
    """The response is not HTTP, or has more than `MAX_RESPONSE_BYTES`."""


class Headers(Protocol):
    """The headers of a response, found by their names in lower case."""

    def get(self, name: str, /) -> str | None: ...


class RawResponse(NamedTuple):
    """A whole HTTP response."""

    status: int
    headers: Headers
    body: bytes


def exchange(sock: socket.socket, method: str, message: bytes, deadline: float) -> tuple[RawResponse, bool]:
    """Send a whole request, and return its response and whether the connection can be used again.

    `deadline` is a time of `time.monotonic`. Raises `TimeoutError` after it, `UnreadableResponse`, and `ProtocolError` if
    the connection broke.
    """
    wire = _Wire(sock, deadline)
    received = _Received(wire)
    try:
        wire.send(message)
        response = _final_response(received, method)
        raw = RawResponse(response.status, response.headers, response.read())
        return raw, not response.will_close and not _surplus(wire, received)
    except TimeoutError:
        raise
    except _BROKEN as error:
        raise ProtocolError("the connection broke", error) from error
    except _NOT_HTTP as error:
        raise UnreadableResponse(f"the response cannot be read: {type(error).__name__}") from error


def _final_response(received: _Received, method: str) -> HTTPResponse:
    """Return the first response that is not informational (1xx), with its headers read."""
    while True:
        response = HTTPResponse(received, method=method)  # type: ignore[arg-type]  # it calls nothing but `makefile`
        response.begin()
        if response.status == SWITCHING_PROTOCOLS:
            raise UnreadableResponse("the server switched protocols, which the request did not ask for")
        if response.status >= OK:
            return response


def _surplus(wire: _Wire, received: _Received) -> bytes:
    """Return bytes that came after the response; they must not be read as the response to the next call."""
    wire.is_over = True
    return received.peek()


class _Wire(io.RawIOBase):
    """The bytes of a socket until a deadline, at most `MAX_RESPONSE_BYTES` of them. Closing it leaves the socket open.

    Reading and sending raise `TimeoutError` after the deadline. Once `is_over` is set, reading returns nothing.
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
        self._set_timeout()
        count = self._socket.recv_into(buffer)
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise UnreadableResponse(f"the response has more than {MAX_RESPONSE_BYTES} bytes")
        return count

    def send(self, message: bytes) -> None:
        """Send the whole message. `sendall` would not do: over TLS it allows the whole timeout for each record."""
        rest = memoryview(message)
        while rest:
            self._set_timeout()
            rest = rest[self._socket.send(rest) :]

    def _set_timeout(self) -> None:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


class _Received(io.BufferedReader):
    """The bytes received for one call, in one buffer for all the responses that are read from it."""

    def makefile(self, _mode: str) -> _Received:
        """Return the file from which `HTTPResponse` reads."""
        return self

    def close(self) -> None:
        """Stay open: `HTTPResponse` closes its file after each response, and more may follow."""

"""A whole answer within its time: urllib3's read timeout bounds each wait for the next bytes, here it bounds them all.

A Loops that answers a byte a second would outlast the webhook's four seconds.
"""

from __future__ import annotations

import io
import socket
from http.client import HTTPResponse
from time import monotonic
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def keeps_deadlines(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    """The manager, with answers that are read in the read timeout as a whole; `ReadTimeoutError` after it."""
    manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return manager


class _Reading(io.RawIOBase):
    """Reads a socket until a deadline, which lies as far ahead as the socket's timeout when reading begins."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._bytes = sock.makefile("rb", buffering=0)  # keeps the socket open for as long as it is read
        timeout = sock.gettimeout()
        self._deadline = monotonic() + timeout if timeout is not None else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if self._deadline is not None:
            left = self._deadline - monotonic()
            if left <= 0:
                raise TimeoutError("the answer took too long")
            self._socket.settimeout(left)
        return self._bytes.readinto(buffer)

    def close(self) -> None:
        self._bytes.close()
        super().close()


class _Socket:
    """What http.client reads an answer from."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self._socket))


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(_Socket(sock), *arguments, **options)  # type: ignore[arg-type]  # it asks for makefile alone


class _HttpConnection(HTTPConnection):
    response_class = _Response


class _HttpsConnection(HTTPSConnection):
    response_class = _Response


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection

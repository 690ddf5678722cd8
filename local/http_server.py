"""A WSGI application on a port: keep-alive connections, whole requests, answers without delay, faults on the wire."""

from __future__ import annotations

import contextlib
import errno
import io
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import ClientDisconnected
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app
from werkzeug.wsgi import get_input_stream

from local.running import Running

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

LOOPBACK = "127.0.0.1"

_POLL = 0.01
"""Seconds until the server notices that it is to stop."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""`struct linger`: on, for no seconds. Closing then drops what is unsent and sends RST instead of FIN."""


class PortInUse(OSError):
    """Another program listens on the port: choose another one, or end that program."""

    def __init__(self, host: str, port: int) -> None:
        self.port = port
        super().__init__(errno.EADDRINUSE, f"Port {port} of {host} is in use by another program.")


class CutOff(Exception):
    """Raised while a body is sent: the connection ends here, short of what was announced."""


class ConnectionReset(CutOff):
    """Raised before a body is sent: the peer gets a reset in place of the whole answer."""


class HttpServer(Running):
    """Serves `app` from a background thread; a context manager, or `start()` and `stop()`.

    Port 0 takes a free one at the first start and keeps it, so that a stop and a start are an outage.
    """

    def __init__(self, app: WSGIApplication, port: int = 0, name: str = "http", *, host: str = LOOPBACK) -> None:
        self.host = host
        self.port = port
        self._app = app
        self._name = name
        self._stop = contextlib.ExitStack()

    @property
    def root(self) -> str:
        """`http://host:port`; its port is known once the server has been started."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def start(self) -> None:
        """Listens; PortInUse when another program does so already."""
        server = _Server(self.host, self.port, self._app)
        self.port = server.port
        thread = threading.Thread(target=server.serve_forever, args=(_POLL,), name=self._name, daemon=True)
        thread.start()
        # Undone in reverse: the loop is told to end, and closes the server's sockets in its thread.
        self._stop.callback(thread.join)
        self._stop.callback(server.shutdown)

    def stop(self) -> None:
        """Ends every connection and frees the port."""
        self._stop.close()


class _Handler(WSGIRequestHandler):
    """Werkzeug's, but for what it does to every answer: close the connection, after a wait of 10 ms."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        try:
            chunks, status, headers = run_wsgi_app(self.server.app, self._whole_request())
            self._send_head(status, headers.to_wsgi_list())
            for chunk in chunks:
                self.wfile.write(chunk)
        except ConnectionReset:
            self._reset()
        except (CutOff, ClientDisconnected, OSError):
            self.close_connection = True

    def log(self, *_: Any, **__: Any) -> None:
        """Says nothing: who wants to know of requests listens to the application."""

    def _whole_request(self) -> WSGIEnvironment:
        """With its body read to the end, or the next request on this connection would begin in its middle."""
        environ = self.make_environ()
        body = get_input_stream(environ).read()
        return environ | {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}

    def _send_head(self, status: str, headers: list[tuple[str, str]]) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        # The server would send FIN before it closes; and the socket closes only when its two files have.
        for each in (self.rfile, self.wfile, self.connection):
            each.close()
        raise ConnectionAbortedError


class _Server(ThreadedWSGIServer):
    """Takes its connections down with it."""

    def __init__(self, host: str, port: int, app: WSGIApplication) -> None:
        self._connections: set[Any] = set()
        # Werkzeug ends the whole program when the port is in use, unless it is given a socket.
        with _listener(host, port) as listener:
            super().__init__(host, port, app, _Handler, fd=listener.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(host, port) from None
        raise

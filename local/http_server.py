"""A WSGI application on a port, with keep-alive connections, and with faults on the wire if the application wants them."""

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
"""Seconds between checks whether the server should stop."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""`struct linger`: on, 0 seconds. Closing the socket then drops unsent data, and sends RST instead of FIN."""


class PortInUse(OSError):
    """Another program listens on the port."""

    def __init__(self, host: str, port: int) -> None:
        self.port = port
        super().__init__(errno.EADDRINUSE, f"Port {port} of {host} is used by another program.")


class CutOff(Exception):
    """Raised by an application while its body is sent: the connection is closed before the announced length."""


class ConnectionReset(CutOff):
    """Raised by an application before its body is sent: the connection is reset, and no answer is sent."""


class HttpServer(Running):
    """Serves `app` in a background thread.

    Port 0 means any free port, which is chosen at the first start and kept, so that a restart is an outage.
    """

    def __init__(self, app: WSGIApplication, port: int = 0, name: str = "http", *, host: str = LOOPBACK) -> None:
        self.host = host
        self.port = port
        self._app = app
        self._name = name
        self._stop = contextlib.ExitStack()

    @property
    def root(self) -> str:
        """`http://host:port`; the port is known once the server has started."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def start(self) -> None:
        """Listen on the port; raise `PortInUse` if another program does."""
        server = _ClosingServer(self.host, self.port, self._app)
        self.port = server.port
        thread = threading.Thread(target=server.serve_forever, args=(_POLL,), name=self._name, daemon=True)
        thread.start()
        # In reverse order: shut down the loop, which closes the server's sockets, then wait for its thread.
        self._stop.callback(thread.join)
        self._stop.callback(server.shutdown)

    def stop(self) -> None:
        """Close every connection and free the port."""
        self._stop.close()


class _KeepAliveHandler(WSGIRequestHandler):
    """Werkzeug's handler, except that it keeps the connection after an answer, and does not delay answers by 10 ms."""

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
        """Log nothing: the application reports its requests itself."""

    def _whole_request(self) -> WSGIEnvironment:
        """Read the body to its end, or the next request on this connection would begin in the middle of it."""
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
        # Otherwise the server would send FIN first. The socket is closed only once its two files are.
        for each in (self.rfile, self.wfile, self.connection):
            each.close()
        raise ConnectionAbortedError


class _ClosingServer(ThreadedWSGIServer):
    """A server that closes its open connections when it closes."""

    def __init__(self, host: str, port: int, app: WSGIApplication) -> None:
        self._connections: set[Any] = set()
        # Given a port in use instead of a socket, Werkzeug would exit the whole program.
        with _listener(host, port) as listener:
            super().__init__(host, port, app, _KeepAliveHandler, fd=listener.fileno())

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

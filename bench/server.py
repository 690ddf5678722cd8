"""A loopback server that plays Loops and Secrets Manager: `python -m bench.server` prints its port.

It responds at once and does the least that HTTP requires, so that the client is measured. `GET /last` returns the last
other request.
"""

from __future__ import annotations

import json
import socket
import threading

from bench.cases import API_KEY, SHARED_SECRET

LOOPS_ANSWER = json.dumps({"success": True, "id": "cm0000000000000000000000"}).encode()
SECRET_ANSWER = json.dumps(
    {
        "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:bench",
        "Name": "bench",
        "SecretString": json.dumps({"apiKey": API_KEY, "sharedSecret": SHARED_SECRET}),
        "VersionStages": ["AWSCURRENT"],
    }
).encode()
_CHUNK = 1 << 16


class Server:
    """A server with a thread for each connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._last = b"{}"

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def serve(self) -> None:
        """Serve until the process ends."""
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        received = b""
        while chunk := connection.recv(_CHUNK):
            received += chunk
            while (request := _whole(received)) is not None:
                received = received[len(request) :]
                connection.sendall(_response(self._answer(request)))

    def _answer(self, request: bytes) -> bytes:
        if request.startswith(b"GET /last "):
            head, _, body = self._last.partition(b"\r\n\r\n")
            return json.dumps({"head": head.decode(), "body": body.decode()}).encode()
        if request.startswith(b"POST / "):  # Secrets Manager has one path, Loops others
            return SECRET_ANSWER
        self._last = request
        return LOOPS_ANSWER


def _whole(received: bytes) -> bytes | None:
    """Return the first request in these bytes; None while it is incomplete."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = received[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    whole = end + 4 + length
    return received[:whole] if len(received) >= whole else None


def _response(body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-ratelimit-limit: 10\r\nx-ratelimit-remaining: 9\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )


def main() -> None:
    """Print the port, then serve."""
    server = Server()
    print(server.port, flush=True)
    server.serve()


if __name__ == "__main__":
    main()

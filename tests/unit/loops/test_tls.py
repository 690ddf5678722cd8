"""Calls over TLS, as in production."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from loops_destination.clock import SystemClock
from loops_destination.loops.client import LoopsClient
from loops_destination.loops.connections import Connections
from loops_destination.loops.responses import Meaning
from loops_destination.loops_request import LoopsRequest
from loops_destination.outcomes import Reason

CONTACT = LoopsRequest("PUT", "/api/v1/contacts/update", {"email": "a@b.co"})
RESPONSE = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\nx-ratelimit-remaining: 9\r\n\r\n{"success":true}'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that no machine trusts, with its private key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Loops")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "loops.pem"
    path.write_bytes(signed.public_bytes(pem) + secret)
    return path


@pytest.fixture
def serve(certificate: Path) -> Iterator[Callable[[float], str]]:
    """A function that starts a TLS server for one connection and returns its URL; it takes the pause between two bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    over = threading.Event()
    threads = []

    def start(pause: float) -> str:
        listening = socket.create_server(("127.0.0.1", 0))

        def respond() -> None:
            with listening, suppress(OSError):
                connection, _ = listening.accept()
                with context.wrap_socket(connection, server_side=True) as secure:
                    while _whole_request(secure):
                        for piece in [RESPONSE] if not pause else [bytes([byte]) for byte in RESPONSE]:
                            secure.sendall(piece)
                            over.wait(pause)

        threads.append(threading.Thread(target=respond, daemon=True))
        threads[-1].start()
        return f"https://127.0.0.1:{listening.getsockname()[1]}/api"

    yield start
    over.set()


def _whole_request(connection: ssl.SSLSocket) -> bool:
    """Receive another request, in any number of pieces; return whether one came."""
    received = b""
    while not received.endswith(b"}"):
        piece = connection.recv(65536)
        if not piece:
            return False
        received += piece
    return True


def test_calls_share_a_tls_connection(
    serve: Callable[[float], str], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a certificate that the machine trusts, two calls succeed on one connection."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    client = LoopsClient(serve(0), SystemClock())
    assert [client.send(CONTACT, "k", 2).meaning for _ in range(2)] == [Meaning.DONE] * 2


def test_nothing_is_sent_without_a_trusted_certificate(serve: Callable[[float], str]) -> None:
    """With a certificate that the machine does not trust, no call is made."""
    response = LoopsClient(serve(0), SystemClock()).send(CONTACT, "k", 2)
    assert (response.meaning, response.reason) == (Meaning.TRY_AGAIN, Reason.CONNECTION_FAILED)


def test_a_slow_tls_response_is_given_up_in_time(
    serve: Callable[[float], str], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over TLS too, a response that comes byte by byte is given up when the time is over."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    response = LoopsClient(serve(0.05), SystemClock()).send(CONTACT, "k", 0.5)
    assert (response.meaning, response.reason) == (Meaning.TRY_AGAIN, Reason.TIMEOUT)


def test_surplus_bytes_within_tls_end_the_connection(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that came after a response, in the same TLS record, are not read as the next response."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    length = 8192 - len(head % 8000)  # the response fills the read buffer, so that the surplus stays in the TLS layer
    with socket.create_server(("127.0.0.1", 0)) as listening:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

        def respond() -> None:
            for rest in (head % 5 + b"STALE", b""):
                connection, _ = listening.accept()
                with context.wrap_socket(connection, server_side=True) as secure:
                    _whole_request(secure)
                    secure.sendall(head % length + b"{%s}" % (b" " * (length - 2)) + rest)
                    _whole_request(secure)

        thread = threading.Thread(target=respond, daemon=True)
        thread.start()
        connections = Connections(1)
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/api"
        assert [len(connections("PUT", url, b"{}", {}, 2).body) for _ in range(2)] == [length] * 2

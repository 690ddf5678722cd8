"""The HTTP client for Loops, against the sandbox over real HTTP."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from urllib3.exceptions import NewConnectionError, ProtocolError, ReadTimeoutError

from local.sandbox import Fault, Sandbox, SandboxServer
from loops_destination.clock import SystemClock
from loops_destination.loops.client import LoopsClient, encode_body
from loops_destination.loops.exchange import RawResponse, UnreadableResponse
from loops_destination.loops.responses import Meaning
from loops_destination.loops_request import LoopsRequest
from loops_destination.outcomes import Reason
from tests.fakes import ManualClock

CONTACT = LoopsRequest("PUT", "/api/v1/contacts/update", {"email": "adam@loops.so", "firstName": "Adam"})
EVENT = LoopsRequest(
    "POST", "/api/v1/events/send", {"email": "adam@loops.so", "eventName": "E"}, {"Idempotency-Key": "key-1"}
)


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[LoopsClient]:
    with SandboxServer(sandbox) as server:
        yield LoopsClient(server.url, SystemClock())


def test_a_request_reaches_loops_unchanged(client: LoopsClient, sandbox: Sandbox) -> None:
    """Method, path, body, API key and idempotency key reach Loops."""
    assert client.send(CONTACT, "sandbox-key", 2).meaning is Meaning.DONE
    assert client.send(EVENT, "sandbox-key", 2).meaning is Meaning.DONE
    contact, event = sandbox.journal.all()
    assert (contact.method, contact.path, contact.status) == ("PUT", "/api/v1/contacts/update", 200)
    assert (event.path, event.idempotency_key) == ("/api/v1/events/send", "key-1")
    (person,) = sandbox.contacts.all()
    assert person.email == "adam@loops.so"


def test_a_repeated_event_was_already_done(client: LoopsClient) -> None:
    """The second use of an idempotency key means that the event was sent before."""
    client.send(EVENT, "sandbox-key", 2)
    assert client.send(EVENT, "sandbox-key", 2).meaning is Meaning.ALREADY_DONE


def test_a_wrong_api_key_is_refused(client: LoopsClient) -> None:
    """The API key is sent as a bearer token, and a wrong one is refused."""
    assert client.send(CONTACT, "other-key", 2).meaning is Meaning.API_KEY_REFUSED


def test_the_remaining_calls_are_read(client: LoopsClient) -> None:
    """Each response says how many calls are left in this second."""
    assert client.send(CONTACT, "sandbox-key", 2).remaining == 9


def test_a_call_whose_connection_breaks_is_repeated(client: LoopsClient, sandbox: Sandbox) -> None:
    """A call whose connection breaks before the response is repeated once, on a new connection."""
    sandbox.faults.add(Fault(kind="reset", times=1))
    assert client.send(CONTACT, "sandbox-key", 2).meaning is Meaning.DONE
    assert [exchange.status for exchange in sandbox.journal.all()] == [None, 200]


def test_a_call_is_repeated_only_once(client: LoopsClient, sandbox: Sandbox) -> None:
    """After a second broken connection the delivery is tried again later."""
    sandbox.faults.add(Fault(kind="reset", times=2))
    response = client.send(CONTACT, "sandbox-key", 2)
    assert (response.meaning, response.reason) == (Meaning.TRY_AGAIN, Reason.CONNECTION_FAILED)
    assert len(sandbox.journal.all()) == 2


def test_an_event_whose_response_was_lost_is_sent_once(client: LoopsClient, sandbox: Sandbox) -> None:
    """When the connection breaks after Loops has taken an event, Loops recognises the repeat by its idempotency key."""
    sandbox.faults.add(Fault(kind="reset", times=1, processed=True))
    assert client.send(EVENT, "sandbox-key", 2).meaning is Meaning.ALREADY_DONE
    assert len(sandbox.events.all()) == 1


@pytest.mark.parametrize("kind", ["garbage", "truncated"])
def test_an_unreadable_response_is_tried_again(client: LoopsClient, sandbox: Sandbox, kind: str) -> None:
    """A response that is cut short, or is not JSON, is tried again."""
    sandbox.faults.add(Fault(kind=kind, times=2))
    assert client.send(CONTACT, "sandbox-key", 2).meaning is Meaning.TRY_AGAIN


@pytest.mark.parametrize("kind", ["delay", "trickle"])
def test_a_slow_response_is_given_up_in_time(sandbox: Sandbox, kind: str) -> None:
    """A response that comes late, or byte by byte, is given up when the time is over."""
    over = threading.Event()
    sandbox = Sandbox(sleep=lambda seconds: over.wait(min(seconds, 5)) and None)
    sandbox.faults.add(Fault(kind=kind, times=1, seconds=60))
    with SandboxServer(sandbox) as server:
        response = LoopsClient(server.url, SystemClock()).send(CONTACT, "sandbox-key", 0.2)
        over.set()
    assert (response.meaning, response.reason) == (Meaning.TRY_AGAIN, Reason.TIMEOUT)


def test_a_refused_connection_is_tried_again(sandbox: Sandbox) -> None:
    """A connection that is refused by the machine is tried again."""
    with SandboxServer(sandbox) as server:
        url = server.url
    response = LoopsClient(url, SystemClock()).send(CONTACT, "sandbox-key", 1)
    assert (response.meaning, response.reason) == (Meaning.TRY_AGAIN, Reason.CONNECTION_FAILED)


def test_a_redirect_is_not_followed(client: LoopsClient, sandbox: Sandbox) -> None:
    """The API key is sent to no other URL."""
    sandbox.faults.add(Fault(kind="status", status=302, times=1))
    assert client.send(CONTACT, "sandbox-key", 2).meaning is Meaning.TRY_AGAIN
    assert len(sandbox.journal.all()) == 1


class Scripted:
    """A transport that raises the given errors, then succeeds; each call takes `seconds` of the clock."""

    def __init__(self, clock: ManualClock, *errors: Exception, seconds: float = 0.0) -> None:
        self.clock = clock
        self.errors = list(errors)
        self.seconds = seconds
        self.seconds_given: list[float] = []

    def __call__(self, *call: Any) -> RawResponse:
        self.seconds_given.append(call[-1])
        self.clock.sleep(self.seconds)
        if self.errors:
            raise self.errors.pop(0)
        return RawResponse(200, {}, b"{}")


def test_a_broken_call_is_repeated_only_with_time_left() -> None:
    """With less than half a second left, a call whose connection broke is not repeated."""
    clock = ManualClock()
    transport = Scripted(clock, ProtocolError("broke"), seconds=1.8)
    response = LoopsClient("http://127.0.0.1/api", clock, transport).send(CONTACT, "k", 2)
    assert response.reason is Reason.CONNECTION_FAILED
    assert transport.seconds_given == [2]


def test_a_repeat_has_the_time_that_is_left() -> None:
    """The repeat may take as long as the first call left over."""
    clock = ManualClock()
    transport = Scripted(clock, ProtocolError("broke"), seconds=0.5)
    assert LoopsClient("http://127.0.0.1/api", clock, transport).send(CONTACT, "k", 2).meaning is Meaning.DONE
    assert transport.seconds_given == pytest.approx([2, 1.5])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ReadTimeoutError(None, "", ""), Reason.TIMEOUT),
        (NewConnectionError(None, ""), Reason.CONNECTION_FAILED),
        (UnreadableResponse("not HTTP"), Reason.UNREADABLE_RESPONSE),
    ],
)
def test_other_failures_are_not_repeated(error: Exception, reason: Reason) -> None:
    """A call that timed out, could not connect, or got an unreadable response is not repeated at once."""
    clock = ManualClock()
    transport = Scripted(clock, error)
    assert LoopsClient("http://127.0.0.1/api", clock, transport).send(CONTACT, "k", 2).reason is reason
    assert len(transport.seconds_given) == 1


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"a": "é", "n": 12345678901234567890}, '{"a":"é","n":12345678901234567890}'),
        ({"a": float("inf"), "b": [1.5, float("nan")]}, '{"a":null,"b":[1.5,null]}'),
        ({"a": "\ud800é"}, '{"a":"\\ud800\\u00e9"}'),
        ({"a": float("-inf"), "b": [True, 10**30, "\udc00"]}, f'{{"a":null,"b":[true,{10**30},"\\udc00"]}}'),
    ],
)
def test_every_body_can_be_encoded(body: dict[str, Any], text: str) -> None:
    """Half a surrogate pair stays escaped, and a number too large for a double becomes null."""
    assert encode_body(body) == text.encode()


def test_a_deeply_nested_body_can_be_encoded() -> None:
    """A value nested deeper than an event can be, such as a parsed JSON text, is encoded."""
    deep: list[Any] = []
    for _ in range(600):
        deep = [deep]
    assert encode_body({"a": deep}) == b'{"a":%s}' % (b"[" * 601 + b"]" * 601)


def test_slow_headers_are_given_up_in_time() -> None:
    """A response whose headers come byte by byte is given up when the time is over."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def trickle() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 1000:
                    connection.send(bytes([byte]))
                    if over.wait(0.02):
                        return

        thread = threading.Thread(target=trickle)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
        response = LoopsClient(url, SystemClock()).send(CONTACT, "k", 0.3)
        over.set()
        thread.join()
    assert (response.meaning, response.reason) == (Meaning.TRY_AGAIN, Reason.TIMEOUT)


def test_a_response_without_a_length_is_read_to_its_end() -> None:
    """A response without a length ends with the connection, and is read whole."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def respond_and_close() -> None:
            connection, _ = listening.accept()
            with connection:
                received = b""
                while not received.endswith(b"}"):
                    received += connection.recv(65536)
                connection.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"success":')
                connection.sendall(b"true}")

        thread = threading.Thread(target=respond_and_close)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
        assert LoopsClient(url, SystemClock()).send(CONTACT, "k", 2).meaning is Meaning.DONE
        thread.join()

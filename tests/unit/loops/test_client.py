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
from loops_destination.loops.connections import RawResponse, UnreadableResponse
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


def test_a_request_arrives_as_it_is(client: LoopsClient, sandbox: Sandbox) -> None:
    """Method, path, body, key and the added headers reach Loops."""
    assert client.send(CONTACT, "sandbox-key", 2).meaning is Meaning.DONE
    assert client.send(EVENT, "sandbox-key", 2).meaning is Meaning.DONE
    contact, event = sandbox.journal.all()
    assert (contact.method, contact.path, contact.status) == ("PUT", "/api/v1/contacts/update", 200)
    assert (event.path, event.idempotency_key) == ("/api/v1/events/send", "key-1")
    (person,) = sandbox.contacts.all()
    assert person.email == "adam@loops.so"


def test_a_repeated_event_is_told(client: LoopsClient) -> None:
    """The second use of a key is answered as already done."""
    client.send(EVENT, "sandbox-key", 2)
    assert client.send(EVENT, "sandbox-key", 2).meaning is Meaning.ALREADY_DONE


def test_a_wrong_key_is_told(client: LoopsClient) -> None:
    """The API key goes as a bearer token, and a refusal of it is told apart."""
    assert client.send(CONTACT, "other-key", 2).meaning is Meaning.API_KEY_REFUSED


def test_the_rest_of_the_limit_is_read(client: LoopsClient) -> None:
    """Loops says on every answer how many calls are left."""
    assert client.send(CONTACT, "sandbox-key", 2).remaining == 9


def test_one_connection_is_kept(client: LoopsClient, sandbox: Sandbox) -> None:
    """A connection that broke while it was idle, or before the answer, is made anew and the call repeated once."""
    sandbox.faults.add(Fault(kind="reset", times=1))
    assert client.send(CONTACT, "sandbox-key", 2).meaning is Meaning.DONE
    assert [exchange.status for exchange in sandbox.journal.all()] == [None, 200]


def test_a_connection_that_breaks_twice_is_trouble(client: LoopsClient, sandbox: Sandbox) -> None:
    """A call is repeated in place once; then the queue has it."""
    sandbox.faults.add(Fault(kind="reset", times=2))
    answer = client.send(CONTACT, "sandbox-key", 2)
    assert (answer.meaning, answer.reason) == (Meaning.TRY_AGAIN, Reason.CONNECTION_FAILED)
    assert len(sandbox.journal.all()) == 2


def test_an_event_lost_on_its_way_back_is_sent_once(client: LoopsClient, sandbox: Sandbox) -> None:
    """When the connection breaks after Loops has taken an event, the repeat is known by its key."""
    sandbox.faults.add(Fault(kind="reset", times=1, processed=True))
    assert client.send(EVENT, "sandbox-key", 2).meaning is Meaning.ALREADY_DONE
    assert len(sandbox.events.all()) == 1


@pytest.mark.parametrize("kind", ["garbage", "truncated"])
def test_an_answer_that_cannot_be_read_is_trouble(client: LoopsClient, sandbox: Sandbox, kind: str) -> None:
    """An answer that is cut short or no JSON keeps the delivery."""
    sandbox.faults.add(Fault(kind=kind, times=2))
    assert client.send(CONTACT, "sandbox-key", 2).meaning is Meaning.TRY_AGAIN


@pytest.mark.parametrize("kind", ["delay", "trickle"])
def test_an_answer_comes_within_the_time_or_not_at_all(sandbox: Sandbox, kind: str) -> None:
    """A Loops that answers late, or a byte at a time, is given up when the time is over."""
    over = threading.Event()
    sandbox = Sandbox(sleep=lambda seconds: over.wait(min(seconds, 5)) and None)
    sandbox.faults.add(Fault(kind=kind, times=1, seconds=60))
    with SandboxServer(sandbox) as server:
        answer = LoopsClient(server.url, SystemClock()).send(CONTACT, "sandbox-key", 0.2)
        over.set()
    assert (answer.meaning, answer.reason) == (Meaning.TRY_AGAIN, Reason.TIMEOUT)


def test_a_loops_that_is_not_there_is_trouble(sandbox: Sandbox) -> None:
    """A refused connection keeps the delivery."""
    with SandboxServer(sandbox) as server:
        url = server.url
    answer = LoopsClient(url, SystemClock()).send(CONTACT, "sandbox-key", 1)
    assert (answer.meaning, answer.reason) == (Meaning.TRY_AGAIN, Reason.CONNECTION_FAILED)


def test_a_redirect_is_not_followed(client: LoopsClient, sandbox: Sandbox) -> None:
    """The API key goes nowhere but to Loops."""
    sandbox.faults.add(Fault(kind="status", status=302, times=1))
    assert client.send(CONTACT, "sandbox-key", 2).meaning is Meaning.TRY_AGAIN
    assert len(sandbox.journal.all()) == 1


class Scripted:
    """A transport that raises what it is told, then answers; each call takes `seconds` of the clock."""

    def __init__(self, clock: ManualClock, *errors: Exception, seconds: float = 0.0) -> None:
        self.clock = clock
        self.errors = list(errors)
        self.seconds = seconds
        self.waits: list[float] = []

    def __call__(self, *call: Any) -> RawResponse:
        self.waits.append(call[-1])
        self.clock.sleep(self.seconds)
        if self.errors:
            raise self.errors.pop(0)
        return RawResponse(200, {}, b"{}")


def test_a_broken_call_is_repeated_only_in_time() -> None:
    """With too little time left for a repeat, a broken connection is left to the queue."""
    clock = ManualClock()
    transport = Scripted(clock, ProtocolError("broke"), seconds=1.8)
    answer = LoopsClient("http://127.0.0.1/api", clock, transport).send(CONTACT, "k", 2)
    assert answer.reason is Reason.CONNECTION_FAILED
    assert transport.waits == [2]


def test_a_repeat_has_the_time_that_is_left() -> None:
    """The second call waits no longer than the first left over."""
    clock = ManualClock()
    transport = Scripted(clock, ProtocolError("broke"), seconds=0.5)
    assert LoopsClient("http://127.0.0.1/api", clock, transport).send(CONTACT, "k", 2).meaning is Meaning.DONE
    assert transport.waits == pytest.approx([2, 1.5])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ReadTimeoutError(None, "", ""), Reason.TIMEOUT),
        (NewConnectionError(None, ""), Reason.CONNECTION_FAILED),
        (UnreadableResponse("not HTTP"), Reason.UNREADABLE_RESPONSE),
    ],
)
def test_a_call_that_was_not_broken_is_not_repeated(error: Exception, reason: Reason) -> None:
    """A call that timed out, never connected, or got an unreadable response is left to the queue at once."""
    clock = ManualClock()
    transport = Scripted(clock, error)
    assert LoopsClient("http://127.0.0.1/api", clock, transport).send(CONTACT, "k", 2).reason is reason
    assert len(transport.waits) == 1


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"a": "é", "n": 12345678901234567890}, '{"a":"é","n":12345678901234567890}'),
        ({"a": float("inf"), "b": [1.5, float("nan")]}, '{"a":null,"b":[1.5,null]}'),
        ({"a": "\ud800é"}, '{"a":"\\ud800\\u00e9"}'),
        ({"a": float("-inf"), "b": [True, 10**30, "\udc00"]}, f'{{"a":null,"b":[true,{10**30},"\\udc00"]}}'),
    ],
)
def test_every_body_can_be_written(body: dict[str, Any], text: str) -> None:
    """Half a surrogate pair stays escaped, and a number too large for a double becomes null."""
    assert encode_body(body) == text.encode()


def test_a_deep_body_can_be_sent() -> None:
    """A value nested deeper than an event can be, which a text of JSON brings along, is sent like any other."""
    deep: list[Any] = []
    for _ in range(600):
        deep = [deep]
    assert encode_body({"a": deep}) == b'{"a":%s}' % (b"[" * 601 + b"]" * 601)


def test_headers_have_no_more_time_than_the_rest() -> None:
    """A Loops that sends its headers a byte at a time is given up when the time is over, and not only its body."""
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
        answer = LoopsClient(url, SystemClock()).send(CONTACT, "k", 0.3)
        over.set()
        thread.join()
    assert (answer.meaning, answer.reason) == (Meaning.TRY_AGAIN, Reason.TIMEOUT)


def test_an_answer_that_closes_the_connection_is_read_whole() -> None:
    """An answer without a length, which ends with the connection, is read to its end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer_and_close() -> None:
            connection, _ = listening.accept()
            with connection:
                asked = b""
                while not asked.endswith(b"}"):
                    asked += connection.recv(65536)
                connection.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"success":')
                connection.sendall(b"true}")

        thread = threading.Thread(target=answer_and_close)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
        assert LoopsClient(url, SystemClock()).send(CONTACT, "k", 2).meaning is Meaning.DONE
        thread.join()

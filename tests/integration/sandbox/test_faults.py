"""Simulated faults of each kind, and their effects."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any, get_args

import pytest
import urllib3
from pydantic import ValidationError

from local.sandbox import Fault, FaultKind, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.sandbox.conftest import Client, Clock


EVENT = {"email": "ada@example.com", "eventName": "signup"}


def outcome(client: Client) -> int | str:
    """Return the status, or the name of the client's error."""
    try:
        return client.send(EVENT, idempotency_key="k1").status
    except urllib3.exceptions.ProtocolError as error:
        return type(error.args[-1]).__name__


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 502, 503, 504])
def test_a_status_is_answered_without_effect(client: Client, sandbox: Sandbox, status: int) -> None:
    """A `status` fault answers with that status and a JSON body, and the event is not processed."""
    sandbox.faults.add(Fault(kind="status", status=status))
    answer = client.send(EVENT)
    assert (answer.status, answer.json["success"]) == (status, False)
    assert sandbox.events.all() == []


@pytest.mark.parametrize(("body", "sent"), [(None, b""), ({"message": "later"}, b'{"message": "later"}'), ("", b'""')])
def test_a_status_has_the_given_body(client: Client, sandbox: Sandbox, body: Any, sent: bytes) -> None:
    """The body is the given JSON, or missing for null."""
    sandbox.faults.add(Fault(kind="status", status=500, body=body))
    assert client.send(EVENT).body == sent


def test_a_failure_after_processing_took_effect(client: Client, sandbox: Sandbox) -> None:
    """A 5xx can hide a processed event, whose repeat is answered 409."""
    sandbox.faults.add(Fault(kind="status", status=500, processed=True))
    assert [outcome(client), outcome(client)] == [500, 409]
    assert sandbox.events.processed("k1") == 1


@pytest.mark.parametrize(("processed", "second"), [(False, 200), (True, 409)])
def test_a_reset_hides_whether_it_took_effect(
    client: Client, sandbox: Sandbox, second: int, *, processed: bool
) -> None:
    """A reset connection gives no response, before or after the event was processed."""
    sandbox.faults.add(Fault(kind="reset", processed=processed))
    assert [outcome(client), outcome(client)] == ["ConnectionResetError", second]
    assert sandbox.events.processed("k1") == 1
    assert [each.status for each in sandbox.journal.all()] == [None, second]
    assert [each.effect for each in sandbox.journal.all()] == [processed, not processed]


def test_a_reset_is_sent_as_rst(client: Client, sandbox: Sandbox) -> None:
    """The client receives RST, not only the end of the stream."""
    sandbox.faults.add(Fault(kind="reset"))
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=10) as connection:
        connection.sendall(b"GET /api/v1/lists HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


@pytest.mark.parametrize("processed", [False, True])
def test_garbage_is_a_200_without_json(client: Client, sandbox: Sandbox, *, processed: bool) -> None:
    """A page of HTML is answered with 200, whether or not the event was processed."""
    sandbox.faults.add(Fault(kind="garbage", processed=processed))
    answer = client.send(EVENT)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    with pytest.raises(ValueError, match="Expecting value"):
        _ = answer.json
    assert len(sandbox.events.all()) == processed


def test_a_truncated_answer_breaks_off(client: Client, sandbox: Sandbox) -> None:
    """The event is processed, and half of the announced body arrives."""
    sandbox.faults.add(Fault(kind="truncated"))
    assert [outcome(client), outcome(client)] == ["IncompleteRead", 409]
    assert sandbox.events.processed("k1") == 1


def test_a_trickle_is_the_true_answer_in_single_bytes(client: Client, sandbox: Sandbox, clock: Clock) -> None:
    """The whole answer arrives, spread evenly over the time."""
    sandbox.faults.add(Fault(kind="trickle", seconds=60))
    start = clock.now
    answer = client.send(EVENT)
    assert (answer.status, answer.json) == (200, {"success": True})
    assert len(clock.slept) == len(answer.body)
    assert clock.now - start == pytest.approx(60)


@pytest.mark.parametrize(("processed", "after"), [(False, 30), (True, 0)])
def test_a_delay_comes_before_or_after_processing(
    client: Client, sandbox: Sandbox, clock: Clock, after: int, *, processed: bool
) -> None:
    """The true answer is sent late; the event is processed after the wait, or before it."""
    start = clock.now
    sandbox.faults.add(Fault(kind="delay", seconds=30, processed=processed))
    assert client.send(EVENT).status == 200
    assert clock.slept == [30]
    assert sandbox.events.all()[0].time == start + after


@pytest.mark.parametrize("kind", ["status", "reset", "garbage", "truncated"])
def test_every_fault_can_be_slow(client: Client, sandbox: Sandbox, clock: Clock, kind: FaultKind) -> None:
    """The seconds of a fault pass before it takes effect."""
    sandbox.faults.add(Fault(kind=kind, seconds=29))
    outcome(client)
    assert clock.slept == [29]


def test_a_fault_delays_no_other_call(serve: Callable[..., Client]) -> None:
    """While one call waits under a fault, others are answered."""
    answered = []

    def meanwhile(_: float) -> None:
        answered.append(client.call("GET", "/api/v1/lists").status)

    sandbox = Sandbox("a-key", clock=lambda: 0.0, sleep=meanwhile)
    client = serve(sandbox)
    for processed in (False, True):
        sandbox.faults.add(Fault(kind="delay", seconds=5, processed=processed))
        assert client.send(EVENT).status == 200
    assert answered == [200, 200]


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_every_kind_changes_what_is_sent(client: Client, sandbox: Sandbox, kind: FaultKind) -> None:
    """Every kind of fault changes the status, the body, its chunks or the time."""
    plain = client.call("GET", "/api/v1/lists")
    fault = Fault(kind=kind, seconds=1)
    sandbox.faults.add(fault)
    waited: list[float] = []
    sandbox.sleep = waited.append
    try:
        answer = client.call("GET", "/api/v1/lists")
        noticed = bool(waited) or (answer.status, answer.body) != (plain.status, plain.body)
    except urllib3.exceptions.ProtocolError:
        noticed = True
    assert noticed
    assert [each.fault for each in sandbox.journal.all()] == [None, kind]


def test_faults_affect_as_many_calls_as_given(client: Client, sandbox: Sandbox) -> None:
    """A fault affects the given number of calls, and no more."""
    sandbox.faults.add(Fault(kind="status", status=500, times=2), Fault(kind="status", status=429))
    assert [client.send(EVENT).status for _ in range(4)] == [500, 500, 429, 200]
    assert sandbox.faults.all() == []


def test_a_fault_without_a_count_lasts(client: Client, sandbox: Sandbox) -> None:
    """A fault without `times` lasts until the faults are cleared."""
    sandbox.faults.add(Fault(kind="status", status=503, times=None))
    assert [client.send(EVENT).status for _ in range(3)] == [503] * 3
    sandbox.faults.clear()
    assert client.send(EVENT).status == 200


def test_a_fault_affects_its_path_only(client: Client, sandbox: Sandbox) -> None:
    """Calls of other paths are neither affected nor counted."""
    sandbox.faults.add(Fault(kind="status", status=500, path="/events/send"))
    assert client.update(email="ada@example.com").status == 200
    assert [client.send(EVENT).status for _ in range(2)] == [500, 200]


def test_faults_do_not_affect_the_controls(client: Client, sandbox: Sandbox) -> None:
    """The controls work under every fault."""
    sandbox.faults.add(Fault(kind="reset", times=None))
    assert client.call("GET", "/sandbox/requests").status == 200


def test_a_processed_fault_keeps_to_the_rules(client: Client, sandbox: Sandbox) -> None:
    """A request that Loops would refuse is not processed behind a fault either."""
    sandbox.faults.add(Fault(kind="status", status=500, processed=True))
    assert client.send({"userId": "u1", "eventName": "login"}).status == 500
    assert [each.effect for each in sandbox.journal.all()] == [False]


def test_calls_under_a_fault_count_for_the_rate_limit(serve: Callable[..., Client], clock: Clock) -> None:
    """A call under a fault counts for the rate limit, and its answer has the headers."""
    sandbox = Sandbox("a-key", clock=clock, sleep=clock.sleep, limit=2)
    client = serve(sandbox)
    sandbox.faults.add(Fault(kind="status", status=500))
    assert client.send(EVENT).headers["x-ratelimit-remaining"] == "1"
    assert [client.send(EVENT).status for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /api/v1/lists HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PUT /api/v1/contacts/update HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{",
        b"PUT /api/v1/contacts/update HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
        b"PUT /api/v1",
    ],
    ids=["during the wait", "within the body", "within a chunk", "within the first line"],
)
def test_a_client_that_gives_up_does_not_affect_others(
    serve: Callable[..., Client], clock: Clock, capfd: pytest.CaptureFixture[str], sent: bytes
) -> None:
    """After a client has closed its connection early, the next call is answered, and nothing is printed."""
    hung_up = threading.Event()
    client = serve(Sandbox("a-key", clock=clock, sleep=lambda _: hung_up.wait(10)))
    client.server.sandbox.faults.add(Fault(kind="trickle", path="/lists"))
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=10) as connection:
        connection.sendall(sent)
    hung_up.set()
    assert client.send(EVENT).status == 200
    client.server.stop()
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(10)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "explosion"},
        {"kind": "status", "status": 42},
        {"kind": "status", "status": "500"},
        {"kind": "reset", "times": 0},
        {"kind": "delay", "seconds": -1},
        {"kind": "delay", "seconds": float("inf")},
        {"kind": "delay", "second": 1},
        {},
    ],
)
def test_a_malformed_fault_is_invalid(wrong: dict[str, Any]) -> None:
    """A fault with an invalid field cannot be created."""
    with pytest.raises(ValidationError):
        Fault.model_validate(wrong)

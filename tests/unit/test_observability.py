"""The log and the metrics."""

import json
import logging
import sys
import time
from datetime import datetime
from uuid import uuid4

import pytest

from loops_destination.messages import Message
from loops_destination.observability import Metric, Telemetry
from loops_destination.outcomes import Denial, Outcome, Reason, Result
from tests.fakes import IDENTIFY, NOW, lines

RESULT = Result(
    Outcome.QUEUED, Reason.RATE_LIMITED, "adam@loops.so", 429, message_id="m-1", subscription="s", action="sendEvent"
)


@pytest.fixture
def service() -> str:
    """A name for this test alone, since loggers live as long as the process."""
    return f"service-{uuid4()}"


@pytest.fixture
def telemetry(service: str) -> Telemetry:
    return Telemetry(service, lambda: "hash-key", "Sample/stack")


def test_a_line_describes_a_delivery(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    """A line has the fields that are needed to follow a delivery, and no personal data."""
    telemetry.result(RESULT, IDENTIFY, 2, 0.25)
    output = capsys.readouterr().out
    (line,) = lines(output)
    wanted = {
        "outcome": "queued",
        "reason": "rate-limited",
        "status": 429,
        "action": "sendEvent",
        "subscription": "s",
        "type": "identify",
        "attempt": 2,
        "latency_ms": 250.0,
    }
    assert wanted.items() <= line.items()
    assert "adam" not in output
    assert "u-1" not in output


def test_a_line_has_the_keys_of_powertools(
    telemetry: Telemetry, service: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Level, message, time, service and trace have the names that Powertools gives them; empty fields are left out."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-67891233-abcdef012345678912345678;Sampled=0")
    telemetry.denied(Denial.BAD_SIGNATURE, "bad-signature")
    telemetry.result(Result(Outcome.DELIVERED), None, 1)
    warning, info = lines(capsys.readouterr().out)
    assert (warning["level"], warning["message"], info["level"]) == ("WARNING", "request denied", "INFO")
    assert {warning["service"], info["service"]} == {service}
    assert {warning["xray_trace_id"], info["xray_trace_id"]} == {"1-67891233-abcdef012345678912345678"}
    assert abs(datetime.fromisoformat(info["timestamp"]).timestamp() - time.time()) < 60
    assert not {"reason", "status", "subscription", "user"} & info.keys()


def test_the_level_leaves_out_lower_lines(service: str, capsys: pytest.CaptureFixture[str]) -> None:
    """At the level WARNING, a delivered event is counted but has no line; a rejected one has both."""
    telemetry = Telemetry(service, lambda: "hash-key", level="WARNING")
    telemetry.result(Result(Outcome.DELIVERED), IDENTIFY, 1)
    telemetry.result(Result(Outcome.REJECTED), IDENTIFY, 1)
    telemetry.flush()
    line, metrics = lines(capsys.readouterr().out)
    assert (line["outcome"], metrics["Delivered"], metrics["Rejected"]) == ("rejected", [1.0], [1.0])


def test_a_line_is_written_once_on_lambda(service: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Lambda's handler of the root logger does not repeat the lines."""
    of_lambda = logging.StreamHandler(sys.stdout)
    logging.root.addHandler(of_lambda)
    try:
        Telemetry(service, lambda: "hash-key").denied(Denial.BAD_SIGNATURE, "bad-signature")
    finally:
        logging.root.removeHandler(of_lambda)
    assert capsys.readouterr().out.count("\n") == 1


def test_any_name_can_be_logged(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that UTF-8 cannot encode is logged as escaped JSON."""
    telemetry.result(Result(Outcome.DELIVERED, subscription="half a \ud83d"), None, 1)
    (line,) = lines(capsys.readouterr().out)
    assert line["subscription"] == "half a \ud83d"


def test_a_user_is_logged_as_a_keyed_hash(
    telemetry: Telemetry, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user has the same hash under the same key, another hash under another key, and none without a key."""
    for each in (telemetry, telemetry, Telemetry(service, lambda: "other"), Telemetry(service, lambda: "")):
        each.result(RESULT, IDENTIFY, 1)
    first, again, other, without = lines(capsys.readouterr().out)
    assert first["user"] == again["user"] != other["user"]
    assert "user" not in without


UUID = "743be593-7789-4b74-8078-cbcc8894c586"
MD5 = "f142195b60efd67506bd5c4f7a4ffa99"
KSUID = "1joj5LZSzuVCI9KshnaX059JYKo"

SEGMENT_IDS = {
    "most SDKs": UUID,
    "Swift, PHP": UUID.upper(),
    "analytics.js": f"ajs-next-1668208232027-{UUID}",
    "analytics.js, with a hash": f"ajs-next-1668208232027-{MD5}",
    "analytics.js 2, at first": f"ajs-next-{MD5}",
    "analytics.js 2, forks": f"ajs-next-{UUID}",
    "analytics.js 1": f"ajs-{MD5}",
    "analytics-node": f"node-next-1668208232027-{UUID}",
    "analytics-node, before node-next": f"node-{MD5}-{UUID}",
    "analytics-node, at first": "node-jFua5Hxj5peINPk0rAOGkCKgls60CiHF",
    "HTTP API": f"api-{KSUID}",
    "Engage": f"personas_{KSUID}",
    "Engage's journeys": "personas_up0crko4htawmo2c9ziyq",
    "KSUID": KSUID,
    "event tester": "segment-test-message-t1kx8e",
}


@pytest.mark.parametrize("message_id", SEGMENT_IDS.values(), ids=SEGMENT_IDS.keys())
def test_a_message_id_that_segment_generated_is_logged(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str], message_id: str
) -> None:
    """A messageId in one of the forms that Segment generates is logged, so that the event can be found by it."""
    telemetry.result(RESULT, IDENTIFY | {"messageId": message_id}, 1)
    (line,) = lines(capsys.readouterr().out)
    assert line["messageId"] == message_id
    assert "messageIdHash" not in line


OTHER_IDS = [
    "adam@loops.so",
    "john.doe",
    "john_doe-1",
    "JohnDoe",
    "15551234567",
    "+15551234567",
    "555-123-4567",
    "1668208232027",
    "ajs-next-john.doe",
    "ajs-next-1668208232027-john.doe",
    "ajs-next-15551234567",
    f"ajs-next-15551234567-{UUID}",
    f"ajs-next-1668208232027-{UUID}-adam",
    f"adam-{UUID}",
    f"{UUID}-adam@loops.so",
    f"{UUID}\n",
    f"{UUID[:-1]}\u0661",
    MD5[:-1],
    f"ajs-{MD5}0",
    "node-johndoe",
    "node-next-john.doe",
    "api-john.doe",
    f"api-{KSUID}x",
    "personas_john",
    "JohnJacobMaximilianSchmidts",
    "segment-test-message-john.doe",
    "segment-test-message-15551234567",
    "delete-adam",
    "m-1",
    "x" * 101,
    "a b",
    5,
    15551234567,
    {"a": 1},
]


@pytest.mark.parametrize("message_id", OTHER_IDS, ids=str)
def test_any_other_message_id_is_hashed(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str], message_id: object
) -> None:
    """A messageId in any other form may be a name, an address or a phone number, so only its hash is logged."""
    telemetry.result(RESULT, IDENTIFY | {"messageId": message_id}, 1)
    output = capsys.readouterr().out
    (line,) = lines(output)
    assert "messageId" not in line
    assert len(line["messageIdHash"]) == 16
    assert message_id not in line.values()
    assert "adam" not in output
    assert "john" not in output.lower()


def test_the_hash_of_a_message_id_is_keyed(
    telemetry: Telemetry, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same messageId has the same hash under the same key, and another hash under another key."""
    other = Telemetry(service, lambda: "other")
    for each, message_id in (
        (telemetry, "john.doe"),
        (telemetry, "john.doe"),
        (telemetry, "jane.doe"),
        (other, "john.doe"),
    ):
        each.result(RESULT, IDENTIFY | {"messageId": message_id}, 1)
    first, again, another_id, another_key = (line["messageIdHash"] for line in lines(capsys.readouterr().out))
    assert first == again
    assert len({first, another_id, another_key}) == 3


def test_an_unknown_type_is_not_logged(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    """A type that Segment does not define is logged as `other`, because it may contain anything."""
    telemetry.result(RESULT, IDENTIFY | {"type": "adam@loops.so"}, 1)
    output = capsys.readouterr().out
    (line,) = lines(output)
    assert line["type"] == "other"
    assert "adam" not in output


def test_metrics_are_one_line_for_each_invocation(
    telemetry: Telemetry, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The counts of an invocation are one line of EMF with one dimension, and the next invocation starts at zero."""
    telemetry.result(RESULT, IDENTIFY, 1, 0.5)
    telemetry.result(RESULT, IDENTIFY, 1, 0.5)
    telemetry.result(Result(Outcome.DELIVERED, status=200), None, 1, 0.1)
    telemetry.denied(Denial.BAD_SIGNATURE, "bad-signature")
    telemetry.buried(Message("k", NOW, Reason.REFUSED))
    capsys.readouterr()
    telemetry.flush()
    (line,) = lines(capsys.readouterr().out)
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Sample/stack"
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    assert line["service"] == service
    counted = {"Queued": [2.0], "RateLimited": [2.0], "Delivered": [1.0], "BadSignature": [1.0], "DeadLetters": [1.0]}
    assert counted.items() <= line.items()
    assert line["LoopsLatency"] == [500.0, 500.0, 100.0]
    telemetry.flush()
    assert capsys.readouterr().out == ""


def test_a_batch_of_any_size_is_one_line_of_metrics(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand results are one count and at most 99 latencies, in one line."""
    for _ in range(1000):
        telemetry.result(RESULT, None, 1, 0.1)
    capsys.readouterr()
    telemetry.flush()
    (line,) = lines(capsys.readouterr().out)
    assert line["Queued"] == [1000.0]
    assert len(line["LoopsLatency"]) == 99


def test_every_outcome_and_denial_has_a_metric(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    """Every outcome and every denial is counted in a metric of its own."""
    for outcome in [*Outcome, None]:
        telemetry.result(Result(outcome), None, 1)
    for denial in Denial:
        telemetry.denied(denial, "")
    capsys.readouterr()
    telemetry.flush()
    (line,) = lines(capsys.readouterr().out)
    names = {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert len(names) == len(Outcome) + 1 + len(Denial)
    assert names <= {metric.value for metric in Metric}


def test_a_dead_letter_is_logged_with_its_idempotency_key(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line of a dead letter has its idempotency key, and not its detail, which may quote the event."""
    telemetry.buried(Message("key-of-m-1", NOW, Reason.REFUSED, detail="adam@loops.so", status=400))
    output = capsys.readouterr().out
    (line,) = lines(output)
    assert (line["message"], line["reason"], line["idempotency_key"]) == ("dead letter", "refused", "key-of-m-1")
    assert "adam" not in output


def test_a_dead_letter_is_found_by_its_event(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    """The line of a dead letter names its event and its user as the lines of the delivery do; a body has neither."""
    telemetry.result(RESULT, IDENTIFY, 1)
    telemetry.buried(Message("k", NOW, Reason.REFUSED, event=json.dumps(IDENTIFY)))
    telemetry.buried(Message("k", NOW, Reason.UNREADABLE_MESSAGE, body=b"{"))
    delivery, letter, body = lines(capsys.readouterr().out)
    named = {"type", "messageIdHash", "user"}
    assert {name: delivery[name] for name in named} == {name: letter[name] for name in named}
    assert not named & body.keys()


def test_the_longest_wait_of_an_invocation_is_a_metric(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of all waits on the RetryQueue that an invocation notes, the longest is written."""
    for seconds in (5.0, 90.0, 7.0):
        telemetry.waited(seconds)
    telemetry.flush()
    (line,) = lines(capsys.readouterr().out)
    assert line["OldestDeliverySeconds"] == [90.0]

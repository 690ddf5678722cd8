"""The API of the studio of a stack, against a stack on moto, whose Logs Insights returns every line."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from flask.testing import FlaskClient

from loops_destination.ledger.event_clock import EventClock
from loops_destination.ledger.hashes import Hasher
from loops_destination.ledger.record import ContactRecord, Property
from loops_destination.ledger.store_interface import Write
from loops_destination.messages import Message
from loops_destination.outcomes import Outcome, Reason
from segment_loops.deployed_stack import AwsAccount, find_stack
from segment_loops.stack_studio import stack_studio
from tests.moto_stack import MAPPINGS, NAME, REDELIVERY, SEND_EVENT, MotoStack, front, result

MESSAGE_ID = str(uuid.UUID(int=7))
EVENT = {"type": "track", "messageId": MESSAGE_ID, "userId": "u-1", "event": "Signed Up"}
API = "/studio/api"


@pytest.fixture
def deployed(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[MotoStack]:  # noqa: ARG001  # its clients talk to it
    deployed = MotoStack(function=True)
    with front() as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
        yield deployed


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    path = tmp_path / "mappings.json"
    path.write_text(json.dumps(MAPPINGS, indent=4))
    return path


@pytest.fixture
def client(deployed: MotoStack, mappings: Path) -> FlaskClient:  # noqa: ARG001  # it must exist
    return stack_studio(find_stack(AwsAccount(), NAME), mappings).test_client()


def bury(deployed: MotoStack, number: int, reason: Reason = Reason.REFUSED, received_at: float | None = None) -> None:
    event = json.dumps(EVENT | {"messageId": f"m-{number}"})
    at = time.time() if received_at is None else received_at
    deployed.bury(Message(f"key-{number}", at, reason, event=event, action="sendEvent", subscription="events"))


def read(client: FlaskClient) -> list[Any]:
    letters: list[Any] = client.post(f"{API}/dead-letters/read", json={}).json["deadLetters"]
    return letters


def waiting(deployed: MotoStack) -> list[str]:
    answer = boto3.client("sqs").receive_message(QueueUrl=deployed.names["RetryQueue"], MaxNumberOfMessages=10)
    return [json.loads(each["Body"])["idempotencyKey"] for each in answer.get("Messages", [])]


def test_the_overview_shows_counts_queues_and_alarms(client: FlaskClient, deployed: MotoStack) -> None:
    """Counts are summed over the functions, queues are counted without receiving, and firing alarms come first."""
    deployed.count("Delivered", 3, SEND_EVENT)
    deployed.count("Delivered", 4, REDELIVERY)
    bury(deployed, 1)
    for name, state in (("ThrottlesAlarm", "OK"), ("DeadLettersAlarm", "ALARM")):
        deployed.add_alarm(name, state)
    boto3.client("cloudwatch").set_alarm_state(
        AlarmName=f"{NAME}-ThrottlesAlarm-1A2B3C4D5E6F", StateValue="OK", StateReason="test"
    )
    assert client.get(f"{API}/counts?since=86400").json["counts"]["Delivered"] == 7
    assert client.get(f"{API}/queue-counts").json == {
        "retryQueue": {"ready": 0, "hidden": 0, "delayed": 0},
        "deadLetterQueue": {"ready": 1, "hidden": 0, "delayed": 0},
    }
    alarms = client.get(f"{API}/alarms").json["alarms"]
    assert [(each["name"], each["state"], each["description"]) for each in alarms] == [
        ("DeadLettersAlarm", "ALARM", "About DeadLettersAlarm."),
        ("ThrottlesAlarm", "OK", "About ThrottlesAlarm."),
    ]


def test_alarms_of_other_stacks_are_left_out(client: FlaskClient, deployed: MotoStack) -> None:
    """A stack whose name begins with this one's has alarms of its own."""
    deployed.add_alarm("eu-DeadLettersAlarm", "ALARM")
    assert client.get(f"{API}/alarms").json == {"alarms": []}


def test_a_search_costs_what_was_shown(client: FlaskClient, deployed: MotoStack) -> None:
    """The size and the price are there before a search, and a large search is refused until it is confirmed."""
    deployed.take_in(38_200_000)
    assert client.get(f"{API}/estimate?since=86400").json == {
        "bytes": 38_200_000,
        "price": "38.2 MB, under $0.01",
        "isLarge": False,
    }
    deployed.take_in(60_000_000_000)
    refused = client.post(f"{API}/deliveries", json={"since": 86400.0})
    assert (refused.status_code, refused.json["message"][:26]) == (409, "This search scans 60.0 GB,")
    assert client.post(f"{API}/deliveries", json={"since": 86400.0, "confirmed": True}).status_code == 200


@pytest.mark.parametrize("asked", [{}, {"messageId": MESSAGE_ID}, {"userId": "u-1"}, {"messageId": "m-1"}])
def test_deliveries_come_from_the_log(client: FlaskClient, deployed: MotoStack, asked: dict[str, str]) -> None:
    """A search answers deliveries with their steps, of all events, of one event or of one user."""
    deployed.log_result(SEND_EVENT, result(Outcome.QUEUED, Reason.RATE_LIMITED, 429), EVENT, ago=60)
    deployed.log_result(REDELIVERY, result(Outcome.DELIVERED, status=200), EVENT, 2, ago=30)
    answer = client.post(f"{API}/deliveries", json={"since": 3600.0, **asked})
    [delivery] = answer.json["deliveries"]
    assert (delivery["messageId"], delivery["state"], len(delivery["steps"])) == (MESSAGE_ID, "delivered", 2)
    assert answer.json["isComplete"] is True


def test_dead_letters_stay_on_the_queue_when_they_are_read(client: FlaskClient, deployed: MotoStack) -> None:
    """Reading shows each dead letter with its content, and leaves all of them to other readers."""
    bury(deployed, 1)
    bury(deployed, 2)
    assert [(each["reason"], each["canBeRedriven"]) for each in read(client)] == [("refused", True)] * 2
    assert len(read(client)) == 2


@pytest.mark.parametrize("named", [{}, {"stack": ""}, {"stack": "another"}])
@pytest.mark.parametrize(
    ("path", "body"),
    [("dead-letters/redrive", {"ids": []}), ("dead-letters/drop", {"ids": []}), ("contact/forget", {"userId": "u-1"})],
)
def test_no_change_without_the_question(
    client: FlaskClient, deployed: MotoStack, path: str, body: dict[str, Any], named: dict[str, str]
) -> None:
    """A change that does not name this stack, as the page's question does, is refused and changes nothing."""
    bury(deployed, 1)
    ids = {"ids": [each["id"] for each in read(client)]} if "ids" in body else {}
    answer = client.post(f"{API}/{path}", json={**body, **ids, **named})
    assert answer.status_code in {400, 409}
    assert (len(read(client)), waiting(deployed)) == (1, [])


def test_a_dead_letter_is_redriven(client: FlaskClient, deployed: MotoStack) -> None:
    """A redriven dead letter is on the RetryQueue and no longer on the DeadLetterQueue; the others stay."""
    bury(deployed, 1)
    bury(deployed, 2)
    letter = read(client)[0]
    answer = client.post(f"{API}/dead-letters/redrive", json={"stack": NAME, "ids": [letter["id"]]})
    assert answer.json == {"results": {"redriven": 1}}
    assert len(waiting(deployed)) == len(read(client)) == 1


def test_a_repeat_must_be_agreed_to(client: FlaskClient, deployed: MotoStack) -> None:
    """An event that needs a new idempotency key stays, unless the person agrees to repeat it."""
    bury(deployed, 1, Reason.IDEMPOTENCY_KEY_EXPIRED, received_at=time.time() - 2 * 86400)
    ids = [each["id"] for each in read(client)]
    left = client.post(f"{API}/dead-letters/redrive", json={"stack": NAME, "ids": ids})
    assert left.json == {"results": {"needs-new-idempotency-key": 1}}
    repeated = client.post(f"{API}/dead-letters/redrive", json={"stack": NAME, "ids": ids, "repeat": True})
    assert repeated.json == {"results": {"redriven": 1}}


def test_a_dead_letter_is_dropped(client: FlaskClient, deployed: MotoStack) -> None:
    """A dropped dead letter is gone; the others stay."""
    bury(deployed, 1)
    bury(deployed, 2)
    ids = [read(client)[0]["id"]]
    assert client.post(f"{API}/dead-letters/drop", json={"stack": NAME, "ids": ids}).json == {"dropped": 1}
    assert len(read(client)) == 1


def test_a_contact_is_shown_and_forgotten(client: FlaskClient, deployed: MotoStack) -> None:
    """The ledger's names and times of a contact are shown; forgetting keeps consent unless it is asked for."""
    clock = EventClock(round(time.time() * 1e6), 0, "m-1", "contacts")
    known = {name: Property(clock, "hash", 1) for name in ("plan", "subscribed")}
    key = Hasher(deployed.id).contact_key("u-1")
    deployed.store.write(Write(key, ContactRecord(known).to_item(), 0, 60))
    shown = client.post(f"{API}/contact", json={"userId": "u-1"}).json["contact"]
    assert [each["name"] for each in shown["properties"]] == ["plan", "subscribed"]
    assert client.post(f"{API}/contact", json={"userId": "nobody"}).json == {"contact": None}
    for consent, names in ((False, ["plan"]), (True, ["subscribed"])):
        body = {"stack": NAME, "userId": "u-1", "consent": consent}
        assert client.post(f"{API}/contact/forget", json=body).json == {"forgotten": names}


def test_the_deployed_mappings_are_compared_to_the_file(client: FlaskClient, mappings: Path) -> None:
    """A file that differs in layout only has no difference; every other change is a line of the diff."""
    answer = client.get(f"{API}/mappings").json
    assert (json.loads(answer["deployed"]), answer["difference"]) == (MAPPINGS, [])
    mappings.write_text(json.dumps({"subscriptions": [{"id": "people", "action": "sendEvent"}]}))
    changed = client.get(f"{API}/mappings").json["difference"]
    assert [line.split() for line in changed if line[0] in "+-" and line[:3] not in {"+++", "---"}] == [
        ["-", '"id":', '"events",'],
        ["+", '"id":', '"people",'],
    ]


def test_an_error_of_aws_says_what_is_wrong(client: FlaskClient, deployed: MotoStack) -> None:
    """A failure of AWS is answered with a sentence that the page shows."""
    boto3.client("lambda").delete_alias(FunctionName=deployed.names["SegmentWebhookFunction"], Name="live")
    answer = client.get(f"{API}/mappings")
    assert (answer.status_code, answer.json["success"]) == (502, False)
    assert answer.json["message"].startswith(f"The function {deployed.names['SegmentWebhookFunction']}: ")


@pytest.mark.parametrize("since", ["", "0", "-1", "soon", "999999999"])
def test_a_period_must_be_one(client: FlaskClient, since: str) -> None:
    """A period that is invalid, or longer than logs can be kept, is refused."""
    assert client.get(f"{API}/estimate?since={since}").status_code == 400


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "http://localhost:1"}]
)
def test_only_this_machine_may_use_it(client: FlaskClient, headers: dict[str, str]) -> None:
    """A request that names another host, or comes from another origin, is refused."""
    assert client.get(f"{API}/stack", headers=headers).status_code == 403

"""Deliveries that the contact ledger decides about, through the webhook and redelivery."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest

from loops_destination.breaker import Breaker
from loops_destination.delivery import IDEMPOTENCY_KEY_REMEMBERED_SECONDS, Deliverer, Delivery, prepare
from loops_destination.errors import LedgerUnavailable
from loops_destination.handlers.redelivery import Redelivery
from loops_destination.handlers.webhook import ANSWER_WITHIN_SECONDS, PATIENCE_SECONDS, Webhook
from loops_destination.http_api import Reply, WebhookRequest
from loops_destination.ledger import Ledger, Write
from loops_destination.ledger.store_interface import CALL_SECONDS
from loops_destination.loops import Response
from loops_destination.loops_request import LoopsRequest
from loops_destination.messages import QueueName
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Outcome, Reason, Result
from loops_destination.pace import Pacer
from loops_destination.received_messages import ReceivedMessage
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.verification import Verifier
from tests.fakes import (
    API_KEY_REFUSED,
    CONTACT,
    DELETION,
    DONE,
    DOWN,
    EVENT,
    IDENTIFY,
    NOW,
    REFUSED,
    TOO_FAST,
    TRACK,
    USED,
    ManualClock,
    OneByOne,
    ScriptedLoops,
    Storage,
    lines,
)
from tests.unit.ledger.fake_store import FakeStore

HOUR = 3600
SECRET = json.dumps({"apiKey": "key-1", "sharedSecret": "shared-1"})
MAX_RECEIVES = 1000  # the template's maxReceiveCount


class HangingStore(FakeStore):
    """A table that stops answering after some reads and writes: each later one takes as long as the client waits."""

    def __init__(self, clock: ManualClock, answers: int) -> None:
        super().__init__(clock)
        self.clock = clock
        self.answers = answers
        self.asked = 0

    def read(self, key: str, *, consistent: bool = False) -> dict[str, Any] | None:
        self._hang()
        return super().read(key, consistent=consistent)

    def write(self, *writes: Write) -> bool:
        self._hang()
        return super().write(*writes)

    def _hang(self) -> None:
        self.asked += 1
        if self.asked > self.answers:
            self.clock.sleep(CALL_SECONDS)
            raise LedgerUnavailable("hangs")


class DownStore(FakeStore):
    """A table that is down until a time."""

    def __init__(self, clock: ManualClock, until: float) -> None:
        super().__init__(clock)
        self.clock = clock
        self.until = until

    def read(self, key: str, *, consistent: bool = False) -> dict[str, Any] | None:
        self.down = self.clock.now < self.until
        return super().read(key, consistent=consistent)


class SlowStore(FakeStore):
    """A table that answers just before the client gives up."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.clock = clock

    def read(self, key: str, *, consistent: bool = False) -> dict[str, Any] | None:
        self.clock.sleep(CALL_SECONDS)
        return super().read(key, consistent=consistent)

    def write(self, *writes: Write) -> bool:
        self.clock.sleep(CALL_SECONDS)
        return super().write(*writes)


class Stand:
    """A webhook and redelivery with one ledger, and their fake parts."""

    def __init__(
        self,
        *responses: Response,
        clock: ManualClock | None = None,
        store: FakeStore | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.clock = clock or ManualClock()
        self.store = store or FakeStore(self.clock)
        self.loops = ScriptedLoops(*(responses or (DONE,)), clock=self.clock, seconds=seconds)
        self.queues = Storage()
        self.secret = {"AWSCURRENT": SECRET}
        secrets = SecretStore(self.secret.get, self.clock)
        ledger = Ledger(self.store, "stack", self.clock, resend_unchanged_after=168 * HOUR, retry_for=72 * HOUR)
        self.deliverer = Deliverer(self.loops, secrets, self.clock, ledger)
        self.breaker = Breaker(self.clock)
        self.telemetry = Telemetry("test", lambda: "hash-key")
        subscriptions = [CONTACT, EVENT, DELETION]
        self.webhook = Webhook(
            action=None,
            subscriptions=subscriptions,
            verifier=Verifier(secrets, trust_unsigned_batch_items=True),
            deliverer=self.deliverer,
            breaker=self.breaker,
            store=self.queues,
            telemetry=self.telemetry,
            clock=self.clock,
            max_event_age_seconds=72 * HOUR,
        )
        self.redelivery = Redelivery(
            subscriptions=subscriptions,
            deliverer=self.deliverer,
            store=self.queues,
            telemetry=self.telemetry,
            clock=self.clock,
            pacer=Pacer(10, self.clock),
            calls_at_once=5,
            retry_for_seconds=72 * HOUR,
            max_event_age_seconds=72 * HOUR,
            workers=lambda _: nullcontext(OneByOne()),
        )

    def post(self, body: Any) -> Reply:
        raw = json.dumps(body).encode()
        return self.webhook.receive(WebhookRequest(raw, sign(raw, "shared-1"), sent_at=self.clock.now))

    def deliver(self, delivery: Delivery) -> Result:
        request = prepare(delivery)
        assert isinstance(request, LoopsRequest)
        return self.deliverer.deliver(delivery, request, deadline=self.clock.now + 20)

    def redeliver_all(self) -> dict[str, int]:
        """Receive each message of the RetryQueue when it is visible, until none is left; return how often."""
        routed = [each for each in self.queues.messages if each.queue is QueueName.RETRY]
        sent_at = self.clock.now
        due = {str(number): sent_at + max(each.delay_seconds, 5) for number, each in enumerate(routed)}
        receives = dict.fromkeys(due, 0)
        while due:
            name = min(due, key=lambda each: due[each])
            self.clock.now = max(self.clock.now, due[name])
            receives[name] += 1
            body = routed[int(name)].message.to_json()
            received = ReceivedMessage(
                message_id=name, receipt=name, body=body, sent_at=sent_at, receives=receives[name]
            )
            if self.redelivery.deliver([received], 60):
                due[name] = self.clock.now + self.queues.postponed[name]
            else:
                del due[name]
        return receives


def at(event: dict[str, Any], second: float, **changes: Any) -> dict[str, Any]:
    """Return the event as it happened at a second after `NOW`, with a messageId of its own."""
    moment = datetime.fromtimestamp(NOW + second, UTC).isoformat()
    return event | {"messageId": f"m-{second}", "timestamp": moment, "receivedAt": moment} | changes


def outcomes(reply: Reply) -> list[tuple[str | None, str | None]]:
    return [(result["outcome"], result.get("reason")) for result in reply.results]


@pytest.mark.parametrize("response", [DONE, DOWN, REFUSED])
def test_a_result_has_the_duration_of_the_call(response: Response) -> None:
    """The seconds of a result are those of its call to Loops, whatever the response."""
    stand = Stand(response, seconds=0.5)
    delivery = Delivery(subscription=CONTACT, event=at(IDENTIFY, 0), idempotency_key="key", received_at=NOW)
    assert stand.deliver(delivery).seconds == 0.5


def test_a_result_without_a_call_has_no_duration() -> None:
    """The seconds of an update that changes nothing are 0, since it cost no call."""
    stand = Stand(seconds=0.5)
    stand.post(at(IDENTIFY, -20))
    delivery = Delivery(subscription=CONTACT, event=at(IDENTIFY, -10), idempotency_key="key", received_at=NOW)
    result = stand.deliver(delivery)
    assert (result.outcome, result.seconds) == (Outcome.UNCHANGED, 0.0)


def test_an_update_that_changes_nothing_is_answered_200_without_a_call() -> None:
    """An identify with the values that Loops has already is `unchanged`, and costs no call."""
    stand = Stand()
    stand.post(at(IDENTIFY, -20))
    reply = stand.post(at(IDENTIFY, -10))
    assert (reply.status, outcomes(reply)) == (200, [("unchanged", None)])
    assert len(stand.loops.calls) == 1


def test_an_older_update_is_answered_200_without_a_call() -> None:
    """An identify that is older than what Loops has is `superseded`, and never reaches Loops."""
    stand = Stand()
    stand.post(at(IDENTIFY, -10))
    reply = stand.post(at(IDENTIFY, -20, traits={"email": "old@loops.so"}))
    assert (reply.status, outcomes(reply)) == (200, [("superseded", None)])
    assert len(stand.loops.calls) == 1


def test_an_event_that_was_delivered_is_not_sent_again() -> None:
    """A track call that comes again is delivered without a second call."""
    stand = Stand()
    first = stand.post(at(TRACK, -10))
    again = stand.post(at(TRACK, -10))
    assert outcomes(first) == outcomes(again) == [("delivered", None)]
    assert len(stand.loops.calls) == 1


def test_without_the_table_a_delivery_is_queued_without_a_call() -> None:
    """While DynamoDB is down, Loops is not called, and the event is on the RetryQueue as `ledger-unavailable`."""
    stand = Stand()
    stand.store.down = True
    reply = stand.post(at(IDENTIFY, -10))
    assert (reply.status, outcomes(reply)) == (202, [("queued", "ledger-unavailable")])
    assert [each["reason"] for each in stand.queues.on("retry")] == ["ledger-unavailable"]
    assert stand.loops.calls == []


@pytest.mark.parametrize("answers", range(8))
@pytest.mark.parametrize("event", [IDENTIFY, TRACK, [IDENTIFY, TRACK] * 3], ids=["identify", "track", "batch"])
@pytest.mark.parametrize("call_seconds", [0.1, 10.0])
def test_an_answer_leaves_in_time_while_the_table_hangs(answers: int, event: Any, call_seconds: float) -> None:
    """Whichever read or write is the first that hangs, and however slow Loops is, the answer leaves within 4 s."""
    clock = ManualClock()
    stand = Stand(clock=clock, store=HangingStore(clock, answers), seconds=call_seconds)
    stand.queues.hang(clock)
    stand.post(event)
    assert clock.now - NOW <= ANSWER_WITHIN_SECONDS


def test_an_answer_leaves_in_time_while_the_table_is_slow() -> None:
    """Reads and writes that each take almost a second add up to no more than the answer's 4 s."""
    clock = ManualClock()
    stand = Stand(clock=clock, store=SlowStore(clock))
    stand.queues.hang(clock)
    stand.post([at(IDENTIFY, -10), at(TRACK, -9)])
    assert clock.now - NOW <= ANSWER_WITHIN_SECONDS


def test_after_twenty_hours_without_the_table_everything_arrives_once() -> None:
    """Events that arrive while DynamoDB is down for 20 hours are delivered afterwards, once, long before SQS gives up."""
    clock = ManualClock()
    stand = Stand(clock=clock, store=DownStore(clock, NOW + 20 * HOUR))
    for number in range(5):
        stand.post([at(IDENTIFY, number, userId=f"u-{number}"), at(TRACK, number + 0.5, userId=f"u-{number}")])
    receives = stand.redeliver_all()
    calls = [(request.path, request.body["userId"]) for request, _, _ in stand.loops.calls]
    assert len(calls) == len(set(calls)) == 10
    assert clock.now >= NOW + 20 * HOUR
    assert max(receives.values()) < MAX_RECEIVES
    assert stand.queues.on("dead-letter") == []


def test_a_leased_contact_is_waited_for_briefly() -> None:
    """A delivery waits 0.3 s for a contact that another delivery is writing, and is then queued as `contact-busy`."""
    stand = Stand(DOWN, DONE)
    stand.post(at(IDENTIFY, -20))  # its lease goes on, because Loops may still apply the call
    began = stand.clock.now
    reply = stand.post(at(IDENTIFY, -10, traits={"email": "new@loops.so"}))
    assert outcomes(reply) == [("queued", "contact-busy")]
    assert stand.clock.now - began == pytest.approx(PATIENCE_SECONDS)


def test_a_deletion_waits_for_its_second_step() -> None:
    """A deletion first marks its contact and stays hidden for 30 s; its second step then deletes."""
    stand = Stand()
    reply = stand.post(at({"type": "delete", "userId": "u-1"}, -10))
    assert outcomes(reply) == [("queued", "deletion-begun")]
    assert [each.delay_seconds for each in stand.queues.messages] == [30]
    stand.redeliver_all()
    assert [request.path for request, _, _ in stand.loops.calls] == ["/api/v1/contacts/delete"]


def test_a_deletion_in_redelivery_waits_for_its_second_step() -> None:
    """A deletion whose first step is taken by redelivery is hidden for half a minute, however young its message is."""
    stand = Stand(TOO_FAST, DONE)
    stand.post(at(IDENTIFY, -10))  # the 429 opens the breaker, so the deletion is queued before its first step
    stand.post(at({"type": "delete", "userId": "u-2"}, -5))
    body = stand.queues.messages[-1].message.to_json()
    stand.redelivery.deliver([ReceivedMessage(message_id="1", receipt="r", body=body, sent_at=stand.clock.now)], 60)
    assert stand.queues.postponed["r"] >= 30


def test_a_new_api_key_is_used_at_once() -> None:
    """When Loops refuses the API key and the secret has another one, the web function delivers with that one."""
    stand = Stand(DONE, API_KEY_REFUSED, DONE)
    stand.post(at(IDENTIFY, -20))
    stand.secret["AWSCURRENT"] = json.dumps({"apiKey": "key-2", "sharedSecret": "shared-1"})
    assert outcomes(stand.post(at(IDENTIFY, -10, traits={"email": "new@loops.so"}))) == [("delivered", None)]
    assert [api_key for _, api_key, _ in stand.loops.calls] == ["key-1", "key-1", "key-2"]


def test_a_409_after_a_refusal_is_rejected_and_frees_the_contact() -> None:
    """A 409 after Loops refused an earlier attempt proves nothing: the event is rejected, and its contact is not leased."""
    stand = Stand(USED, DONE)
    delivery = Delivery(EVENT, at(TRACK, -10), "key", NOW, may_have_used_idempotency_key=True)
    result = stand.deliver(delivery)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.IDEMPOTENCY_KEY_ALREADY_USED)
    assert outcomes(stand.post(at(IDENTIFY, -5))) == [("delivered", None)]


def test_an_expired_event_is_unknown_from_then_on() -> None:
    """An event whose idempotency key has expired is rejected, and so is each replay of it, without a call."""
    stand = Stand()
    old = Delivery(EVENT, at(TRACK, 0), "key", NOW)
    stand.clock.now += IDEMPOTENCY_KEY_REMEMBERED_SECONDS
    expired = stand.deliver(old)
    replay = stand.deliver(Delivery(EVENT, at(TRACK, 0), "key", stand.clock.now))
    for result in (expired, replay):
        assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.IDEMPOTENCY_KEY_EXPIRED)
    assert replay.rule == "event-unknown"
    assert stand.loops.calls == []


def test_a_refusal_leaves_what_was_known() -> None:
    """After Loops refused an update, the values that it had before are still known: their repeat is `unchanged`."""
    stand = Stand(DONE, REFUSED)
    stand.post(at(IDENTIFY, -20))
    assert outcomes(stand.post(at(IDENTIFY, -10, traits={"email": "bad@loops.so"}))) == [("rejected", "refused")]
    assert outcomes(stand.post(at(IDENTIFY, -5))) == [("unchanged", None)]


def test_an_update_that_met_the_rate_limit_waits_half_a_minute() -> None:
    """After a 429, an update is hidden for 30 s, so that a newer one can overtake it."""
    stand = Stand(TOO_FAST)
    stand.post(at(IDENTIFY, -10))
    assert [each.delay_seconds for each in stand.queues.messages] == [30]


def test_the_ledger_does_not_open_the_breaker() -> None:
    """Deliveries that the ledger queues say nothing about Loops, so they do not stop the others."""
    stand = Stand()
    stand.store.down = True
    for second in range(-10, 0):
        stand.post(at(IDENTIFY, second))
    assert not stand.breaker.is_open


def test_the_log_names_the_rule(capsys: pytest.CaptureFixture[str]) -> None:
    """The line of a delivery names the ledger's rule, and its metric counts it."""
    stand = Stand()
    for second in (-10, -5):
        stand.post(at(IDENTIFY, second))
    stand.telemetry.flush()
    output = list(lines(capsys.readouterr().out))
    assert [line["rule"] for line in output if "rule" in line] == ["new-values", "equal-values"]
    assert output[-1]["Unchanged"] == [1.0]


def test_without_a_table_nothing_of_dynamodb_is_imported() -> None:
    """A function without a contact ledger imports neither the ledger's store nor DynamoDB's types."""
    program = """
import sys
from loops_destination.clock import SystemClock
from loops_destination.handlers.parts import Parts
import loops_destination.handlers.webhook, loops_destination.handlers.redelivery
Parts("s", {"SECRET_ID": "s", "RETRY_QUEUE_URL": "r", "DEAD_LETTER_QUEUE_URL": "d"}, SystemClock())
print([name for name in sys.modules if "dynamodb" in name or name.endswith("ledger.store")])
"""
    region = {"AWS_DEFAULT_REGION": "us-east-1"}
    run = subprocess.run(  # noqa: S603  # the program is above
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ | region
    )
    assert run.stdout.strip() == "[]"


def test_an_open_breaker_does_not_keep_the_ledger_from_deciding() -> None:
    """While the breaker is open, a repeated identify is still `unchanged`, and only what must be sent is queued."""
    stand = Stand(DONE, TOO_FAST)
    stand.post(at(IDENTIFY, -30))
    stand.post(at(TRACK, -20))
    assert stand.breaker.is_open
    replies = [stand.post(at(IDENTIFY, -10)), stand.post(at(IDENTIFY, -5, traits={"email": "new@loops.so"}))]
    assert [outcomes(reply) for reply in replies] == [[("unchanged", None)], [("queued", "paused")]]
    assert len(stand.loops.calls) == 2


def test_older_updates_wait_behind_one_that_the_breaker_held_back() -> None:
    """A paused update waits half a minute; redelivery then sends the newest one, and the older ones are superseded."""
    stand = Stand(TOO_FAST, DONE)
    stand.post(at(TRACK, -30, userId="u-2"))
    for second in (-20, -10, -5):
        stand.post(at(IDENTIFY, second, traits={"email": f"{-second}@loops.so"}))
    updates = [each for each in stand.queues.messages if each.message.action == "createOrUpdateContact"]
    assert [(each.message.reason, each.delay_seconds) for each in updates] == [(Reason.PAUSED, 30)] * 3
    stand.redeliver_all()
    sent = [request.body["email"] for request, *_ in stand.loops.calls if "eventName" not in request.body]
    assert sent == ["5@loops.so"]


class ReadOnlyStore(FakeStore):
    """A table that answers reads and fails writes."""

    def write(self, *writes: Write) -> bool:  # noqa: ARG002  # the parameters of `LedgerStore.write`
        raise LedgerUnavailable("no writes")


def test_an_event_that_loops_took_after_a_refusal_is_delivered_though_unrecorded() -> None:
    """An event that Loops takes after refusing it once is delivered though the ledger fails: a 409 would prove nothing."""
    clock = ManualClock()
    stand = Stand(clock=clock, store=ReadOnlyStore(clock))
    result = stand.deliver(Delivery(EVENT, at(TRACK, 0), "key", NOW, may_have_used_idempotency_key=True))
    assert (result.outcome, result.status) == (Outcome.DELIVERED, 200)


def test_a_deletion_that_waited_for_long_is_still_made() -> None:
    """A deletion whose mark has lapsed when it is tried last marks the contact again and deletes it."""
    stand = Stand(DOWN)
    stand.post(at({"type": "delete", "userId": "u-1"}, -10))
    (routed,) = stand.queues.messages
    received = ReceivedMessage("1", "1", routed.message.to_json(), stand.clock.now, receives=9)
    stand.clock.now += 72 * HOUR
    stand.loops.responses = [DONE]
    for _ in range(2):
        staying = stand.redelivery.deliver([received], 60)
        stand.clock.now += 40
    assert staying == []
    assert len(stand.loops.calls) == 1
    assert stand.queues.on("dead-letter") == []

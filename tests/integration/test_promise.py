"""No event is lost or sent twice, whatever sequence of faults hypothesis finds.

Loops, SQS and the functions fail; Secrets Manager and the mappings do not. One case is left out, which docs/decisions.md
describes: a refusal by Loops uses up the idempotency key, and could not be recorded.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from loops_destination.breaker import Breaker
from loops_destination.delivery import Deliverer
from loops_destination.handlers.redelivery import Redelivery
from loops_destination.handlers.webhook import Webhook
from loops_destination.http_api import WebhookRequest
from loops_destination.loops import Response
from loops_destination.loops.responses import no_response, read_response
from loops_destination.loops_request import LoopsRequest
from loops_destination.messages import QueueName, RoutedMessage
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Reason
from loops_destination.pace import Pacer
from loops_destination.received_messages import ReceivedMessage
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.verification import Verifier
from tests.fakes import CONTACT, EVENT, ManualClock

SECRET = json.dumps({"apiKey": "key", "sharedSecret": "shared"})
HOUR = 3600
IDEMPOTENCY_KEY_REMEMBERED_SECONDS = 24 * HOUR
VISIBILITY_SECONDS = 360
FUNCTION_SECONDS = 60

FAULTS = ["ok", "429", "500", "500 after", "silence", "silence after", "401", "422", "garbage after"]


class Trouble(NamedTuple):
    """The trouble during one step: the faults of the next calls to Loops, and an SQS that may be down."""

    faults: list[str]
    sqs_down: bool


TROUBLE = st.builds(
    Trouble, st.lists(st.sampled_from(FAULTS), max_size=4), sqs_down=st.sampled_from([False, False, True])
)
WAIT = st.sampled_from([10, 400, HOUR, 12 * HOUR, 30 * HOUR])


class Killed(BaseException):
    """The function was killed."""


@dataclass
class World:
    """Loops and the two queues, with the faults that come next."""

    refusing_uses_up_idempotency_key: bool = False
    clock: ManualClock = field(default_factory=ManualClock)
    faults: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    used_idempotency_keys: dict[str, float] = field(default_factory=dict)
    processed: Counter[str] = field(default_factory=Counter)
    unsure: set[str] = field(default_factory=set)
    sqs_down: bool = False
    dies_after_calls: int | None = None
    dies_after_storing: bool = False
    dying: bool = False
    records: dict[str, ReceivedMessage] = field(default_factory=dict)
    visible_at: dict[str, float] = field(default_factory=dict)
    letters: list[dict[str, Any]] = field(default_factory=list)
    numbered: int = 0
    last_refused: set[str] = field(default_factory=set)

    def meet(self, trouble: Trouble) -> None:
        """Set the faults that come next."""
        self.faults, self.sqs_down = list(trouble.faults), trouble.sqs_down

    def send(self, request: LoopsRequest, api_key: str, seconds: float) -> Response:  # noqa: ARG002  # the parameters of `Loops.send`
        """Respond as Loops: take each idempotency key once in 24 hours, and refuse an unknown contact."""
        if self.dies_after_calls is not None:
            self.dies_after_calls -= 1
            if self.dies_after_calls < 0:
                raise Killed
        fault = self.faults.pop(0) if self.faults else "ok"
        if fault in ("429", "500", "401", "422"):
            return read_response(request, int(fault), b"{}", None)
        if fault == "silence":
            return no_response(Reason.TIMEOUT)
        status = self._process(request)
        if status == 400 or (fault == "ok" and not self.dying):
            return read_response(request, status, b"{}", None)
        self.unsure.add(request.body["userId"])
        if fault == "ok":
            return read_response(request, status, b"{}", None)
        if fault == "silence after":
            return no_response(Reason.TIMEOUT)
        return read_response(request, 500 if fault == "500 after" else 200, b"<html>", None)

    def _process(self, request: LoopsRequest) -> int:
        user = request.body["userId"]
        idempotency_key = request.headers.get("Idempotency-Key")
        if (
            idempotency_key is not None
            and self.clock.now - self.used_idempotency_keys.get(idempotency_key, float("-inf"))
            < IDEMPOTENCY_KEY_REMEMBERED_SECONDS
        ):
            return 409
        if not request.body.get("email") and user not in self.known:
            if idempotency_key is not None and self.refusing_uses_up_idempotency_key:
                self.used_idempotency_keys[idempotency_key] = self.clock.now
            self.last_refused.add(user)
            if self.dying or self.sqs_down:
                self.unsure.add(user)
            return 400
        self.known.add(user)
        if idempotency_key is not None:
            self.used_idempotency_keys[idempotency_key] = self.clock.now
            self.processed[user] += 1
        else:
            self.processed[user] = 1  # written again, a contact is the same contact
        return 200

    def store(self, messages: Sequence[RoutedMessage], deadline: float) -> list[bool]:  # noqa: ARG002  # it stores at once
        """Store every message, or none while SQS is down."""
        if self.sqs_down:
            return [False] * len(messages)
        for routed in messages:
            if routed.queue is QueueName.DEAD_LETTER:
                self.letters.append(json.loads(routed.message.to_json()))
                if self.dying:
                    self.unsure.add(self.letters[-1]["event"]["userId"])
            else:
                self.numbered += 1
                name = str(self.numbered)
                self.records[name] = ReceivedMessage(
                    message_id=name, receipt=name, body=routed.message.to_json(), sent_at=self.clock.now
                )
                self.visible_at[name] = self.clock.now + 5
        if self.dies_after_storing and messages:
            raise Killed
        return [True] * len(messages)

    def postpone(self, seconds_by_receipt: Mapping[str, int], deadline: float) -> None:  # noqa: ARG002  # it hides at once
        """Hide received messages."""
        for name, seconds in seconds_by_receipt.items():
            self.visible_at[name] = self.clock.now + seconds

    def receive(self, size: int) -> list[ReceivedMessage]:
        """Receive visible messages, in an arbitrary order."""
        names = [name for name in reversed(self.records) if self.visible_at[name] <= self.clock.now][:size]
        for name in names:
            self.visible_at[name] = self.clock.now + VISIBILITY_SECONDS
        return [self.records[name] for name in names]

    def queued(self) -> Counter[str]:
        """Count the messages of each user's event on the RetryQueue."""
        return Counter(json.loads(record.body)["event"]["userId"] for record in self.records.values())

    def dead(self) -> set[str]:
        """Return the users whose events have a dead letter."""
        return {letter["event"]["userId"] for letter in self.letters}


class Promise(RuleBasedStateMachine):
    """Events, one for each user, arrive and are redelivered while Loops, SQS and the functions fail."""

    @initialize(uses_up=st.booleans())
    def build(self, uses_up: bool) -> None:
        """Loops does not document if refusing an event uses up its idempotency key, so both are tried."""
        self.world = World(refusing_uses_up_idempotency_key=uses_up)
        self.unacknowledged: set[str] = set()
        self.acknowledged: set[str] = set()
        self.bodies: dict[str, bytes] = {}
        self.arrived: dict[str, float] = {}
        self.repeated: set[str] = set()
        self.webhook = self._webhook()
        self.redelivery = self._redelivery()

    def _deliverer(self) -> Deliverer:
        self.secrets = SecretStore({"AWSCURRENT": SECRET}.get, self.world.clock)
        return Deliverer(self.world, self.secrets, self.world.clock)

    def _webhook(self) -> Webhook:
        deliverer = self._deliverer()
        return Webhook(
            action=None,
            subscriptions=[CONTACT, EVENT],
            verifier=Verifier(self.secrets),
            deliverer=deliverer,
            breaker=Breaker(self.world.clock),
            store=self.world,
            telemetry=Telemetry("promise", lambda: ""),
            clock=self.world.clock,
            max_event_age_seconds=72 * HOUR,
        )

    def _redelivery(self) -> Redelivery:
        return Redelivery(
            subscriptions=[CONTACT, EVENT],
            deliverer=self._deliverer(),
            store=self.world,
            telemetry=Telemetry("promise", lambda: ""),
            clock=self.world.clock,
            pacer=Pacer(10, self.world.clock),
            calls_at_once=1,
            retry_for_seconds=72 * HOUR,
            max_event_age_seconds=72 * HOUR,
        )

    @rule(kind=st.sampled_from(["identify", "track", "track by userId"]), trouble=TROUBLE)
    def arrive(self, kind: str, trouble: Trouble) -> None:
        """Segment sends an event."""
        user = f"u-{len(self.bodies)}"
        email = {} if kind == "track by userId" else {"email": f"{user}@example.com"}
        event = {"messageId": f"m-{user}", "userId": user, "type": kind.partition(" ")[0], "event": "E"}
        event |= {"traits": email, "properties": email}
        self.bodies[user] = json.dumps(event).encode()
        self.arrived[user] = self.world.clock.now
        self._post(user, trouble)

    @rule(data=st.data(), trouble=TROUBLE)
    def arrive_again(self, data: st.DataObject, trouble: Trouble) -> None:
        """Segment sends an event again within four hours, after a 5xx or for no reason."""
        recent = [user for user, at in self.arrived.items() if self.world.clock.now - at <= 4 * HOUR]
        if recent:
            user = data.draw(st.sampled_from(recent))
            self.repeated.add(user)
            self._post(user, trouble)

    @rule(wait=WAIT, trouble=TROUBLE, size=st.integers(1, 5))
    def redeliver(self, wait: float, trouble: Trouble, size: int) -> None:
        """A batch of the RetryQueue is redelivered, and Lambda deletes the messages that do not stay."""
        self.world.clock.sleep(wait)
        self.world.meet(trouble)
        records = self.world.receive(size)
        staying = self.redelivery.deliver(records, FUNCTION_SECONDS)
        for record in records:
            if record.message_id not in staying:
                del self.world.records[record.message_id]

    @rule(wait=WAIT, trouble=TROUBLE, calls=st.integers(0, 3), storing=st.booleans())
    def redeliver_and_die(self, wait: float, trouble: Trouble, calls: int, storing: bool) -> None:
        """The function is killed in the middle of a batch, or between storing a dead letter and deleting its message."""
        self.world.clock.sleep(wait)
        self.world.meet(trouble)
        self.world.dies_after_calls = None if storing else calls
        self.world.dies_after_storing = storing
        self.world.dying = True
        try:
            self.redelivery.deliver(self.world.receive(5), FUNCTION_SECONDS)
        except Killed:
            self.redelivery = self._redelivery()
        finally:
            self.world.dies_after_calls, self.world.dies_after_storing, self.world.dying = None, False, False

    @rule()
    def a_cold_start(self) -> None:
        """Both functions start again in new environments."""
        self.webhook = self._webhook()
        self.redelivery = self._redelivery()

    def _post(self, user: str, trouble: Trouble) -> None:
        self.world.meet(trouble)
        body = self.bodies[user]
        status = self.webhook.receive(WebhookRequest(body, sign(body, "shared"))).status
        (self.unacknowledged if status >= 500 else self.acknowledged).add(user)

    @invariant()
    def no_event_is_lost(self) -> None:
        """Each acknowledged event is in Loops, on the RetryQueue or on the DeadLetterQueue."""
        world = self.world
        # If refusing uses up the idempotency key, a refusal that could not be recorded, because SQS was down or the
        # function was killed, goes unnoticed: the next response is a 409.
        forgotten = (
            world.last_refused & (self.unacknowledged | world.unsure)
            if world.refusing_uses_up_idempotency_key
            else set()
        )
        lost = {
            user
            for user in self.acknowledged - forgotten
            if not world.processed[user] and not world.queued()[user] and user not in world.dead()
        }
        assert not lost

    @invariant()
    def no_event_is_sent_twice(self) -> None:
        """Loops processes each event at most once."""
        assert all(count <= 1 for count in self.world.processed.values())

    def teardown(self) -> None:
        """Without faults the RetryQueue drains, and then each event is either in Loops or a dead letter.

        Excepted are events that arrived twice, and those of which a killed function or a lost response left it open
        if Loops processed them.
        """
        if not hasattr(self, "world"):
            return
        world = self.world
        for _ in range(200):
            if not world.records:
                break
            self.redeliver(wait=HOUR, trouble=Trouble([], sqs_down=False), size=5)
        assert not world.records
        for user in self.acknowledged - world.unsure - self.unacknowledged - self.repeated:
            assert bool(world.processed[user]) != (user in world.dead()), user
        for letters in _by_user(world.letters).values():
            assert len({letter["idempotencyKey"] for letter in letters}) == 1


def _by_user(letters: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for letter in letters:
        found.setdefault(letter["event"]["userId"], []).append(letter)
    return found


Promise.TestCase.settings = settings(max_examples=250, stateful_step_count=30, derandomize=True)
TestPromise = Promise.TestCase

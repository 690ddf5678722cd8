"""Nothing is lost and nothing is sent twice, for every sequence of faults that hypothesis finds.

Loops, SQS and the functions fail here; Secrets Manager and the mappings do not. Left out is what `docs/decisions.md` tells of
a Loops in which a refusal uses up its key: a refusal that could not be written down.
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

from loops_destination.delivery import Breaker, Deliverer
from loops_destination.http_api import WebhookRequest
from loops_destination.loops import Response
from loops_destination.loops.responses import no_response, read_response
from loops_destination.loops_request import LoopsRequest
from loops_destination.messages import Parcel, QueueName
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Reason
from loops_destination.pace import Pacer
from loops_destination.redelivery import Record, Redelivery
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.verification import Verifier
from loops_destination.webhook import Webhook
from tests.fakes import CONTACT, EVENT, ManualClock

SECRET = json.dumps({"apiKey": "key", "sharedSecret": "shared"})
HOUR = 3600
IDEMPOTENCY_KEY_REMEMBERED_SECONDS = 24 * HOUR
VISIBILITY_SECONDS = 360
FUNCTION_SECONDS = 60

FAULTS = ["ok", "429", "500", "500 after", "silence", "silence after", "401", "422", "garbage after"]


class Trouble(NamedTuple):
    """What goes wrong during one step: what happens to the next calls of Loops, and whether SQS is down."""

    faults: list[str]
    sqs_down: bool


TROUBLE = st.builds(
    Trouble, st.lists(st.sampled_from(FAULTS), max_size=4), sqs_down=st.sampled_from([False, False, True])
)
WAIT = st.sampled_from([10, 400, HOUR, 12 * HOUR, 30 * HOUR])


class Killed(BaseException):
    """The function died: nothing of it runs any more."""


@dataclass
class World:
    """Loops and the two queues, with whatever goes wrong next."""

    refusal_uses_key: bool = False
    clock: ManualClock = field(default_factory=ManualClock)
    faults: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    keys: dict[str, float] = field(default_factory=dict)
    processed: Counter[str] = field(default_factory=Counter)
    unsure: set[str] = field(default_factory=set)
    sqs_down: bool = False
    dies_after_calls: int | None = None
    dies_after_storing: bool = False
    dying: bool = False
    records: dict[str, Record] = field(default_factory=dict)
    visible_at: dict[str, float] = field(default_factory=dict)
    letters: list[dict[str, Any]] = field(default_factory=list)
    numbered: int = 0
    last_refused: set[str] = field(default_factory=set)

    def meet(self, trouble: Trouble) -> None:
        """Sets what goes wrong next."""
        self.faults, self.sqs_down = list(trouble.faults), trouble.sqs_down

    def send(self, request: LoopsRequest, api_key: str, seconds: float) -> Response:  # noqa: ARG002  # Loops' face
        """Loops: a key is used once in 24 hours, by what was processed; an unknown contact is refused."""
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
        key = request.headers.get("Idempotency-Key")
        if key is not None and self.clock.now - self.keys.get(key, float("-inf")) < IDEMPOTENCY_KEY_REMEMBERED_SECONDS:
            return 409
        if not request.body.get("email") and user not in self.known:
            if key is not None and self.refusal_uses_key:
                self.keys[key] = self.clock.now
            self.last_refused.add(user)
            if self.dying or self.sqs_down:
                self.unsure.add(user)
            return 400
        self.known.add(user)
        if key is not None:
            self.keys[key] = self.clock.now
            self.processed[user] += 1
        else:
            self.processed[user] = 1  # written again, a contact is the same contact
        return 200

    def store(self, parcels: Sequence[Parcel], deadline: float) -> list[bool]:  # noqa: ARG002  # it stores at once
        """SQS takes every message, or none while it is down."""
        if self.sqs_down:
            return [False] * len(parcels)
        for parcel in parcels:
            if parcel.queue is QueueName.DEAD_LETTER:
                self.letters.append(json.loads(parcel.message.to_json()))
                if self.dying:
                    self.unsure.add(self.letters[-1]["event"]["userId"])
            else:
                self.numbered += 1
                name = str(self.numbered)
                self.records[name] = Record(name, name, parcel.message.to_json(), self.clock.now)
                self.visible_at[name] = self.clock.now + 5
        if self.dies_after_storing and parcels:
            raise Killed
        return [True] * len(parcels)

    def postpone(self, seconds_by_receipt: Mapping[str, int], deadline: float) -> None:  # noqa: ARG002  # it hides at once
        """Hides messages."""
        for name, seconds in seconds_by_receipt.items():
            self.visible_at[name] = self.clock.now + seconds

    def receive(self, size: int) -> list[Record]:
        """Some of the visible messages, in no order that was promised."""
        names = [name for name in reversed(self.records) if self.visible_at[name] <= self.clock.now][:size]
        for name in names:
            self.visible_at[name] = self.clock.now + VISIBILITY_SECONDS
        return [self.records[name] for name in names]

    def queued(self) -> Counter[str]:
        """How many messages each user's event has on the RetryQueue."""
        return Counter(json.loads(record.body)["event"]["userId"] for record in self.records.values())

    def dead(self) -> set[str]:
        """The users whose events have a dead letter."""
        return {letter["event"]["userId"] for letter in self.letters}


class Promise(RuleBasedStateMachine):
    """Events arrive and are redelivered while Loops, SQS and the functions fail in every way; each is a user's only."""

    @initialize(uses_up=st.booleans())
    def build(self, uses_up: bool) -> None:
        """Whether a refused attempt uses up its key is not documented, so both worlds are lived in."""
        self.world = World(refusal_uses_key=uses_up)
        self.refused: set[str] = set()
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
            storage=self.world,
            telemetry=Telemetry("promise", lambda: ""),
            clock=self.world.clock,
            max_event_age_seconds=72 * HOUR,
        )

    def _redelivery(self) -> Redelivery:
        return Redelivery(
            subscriptions=[CONTACT, EVENT],
            deliverer=self._deliverer(),
            storage=self.world,
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
        """Segment sends an event again, because it was answered 5xx or for no reason; it does so for four hours."""
        recent = [user for user, at in self.arrived.items() if self.world.clock.now - at <= 4 * HOUR]
        if recent:
            user = data.draw(st.sampled_from(recent))
            self.repeated.add(user)
            self._post(user, trouble)

    @rule(wait=WAIT, trouble=TROUBLE, size=st.integers(1, 5))
    def redeliver(self, wait: float, trouble: Trouble, size: int) -> None:
        """A batch of the RetryQueue is worked through, and what it let go is deleted."""
        self.world.clock.sleep(wait)
        self.world.meet(trouble)
        records = self.world.receive(size)
        staying = self.redelivery.deliver(records, FUNCTION_SECONDS)
        for record in records:
            if record.message_id not in staying:
                del self.world.records[record.message_id]

    @rule(wait=WAIT, trouble=TROUBLE, calls=st.integers(0, 3), storing=st.booleans())
    def redeliver_and_die(self, wait: float, trouble: Trouble, calls: int, storing: bool) -> None:
        """A function dies in the middle of a batch, or between storing a dead letter and letting go of its message."""
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
        """Both functions forget what they knew."""
        self.webhook = self._webhook()
        self.redelivery = self._redelivery()

    def _post(self, user: str, trouble: Trouble) -> None:
        self.world.meet(trouble)
        body = self.bodies[user]
        status = self.webhook.receive(WebhookRequest(body, sign(body, "shared"))).status
        (self.refused if status >= 500 else self.acknowledged).add(user)

    @invariant()
    def no_event_is_lost(self) -> None:
        """What was acknowledged is in Loops, on the RetryQueue or in the DeadLetterQueue."""
        world = self.world
        # In a world where a refusal uses up the key, a refusal that could not be written down, because SQS was down or
        # the function died, is found out by nobody: the next answer is a 409.
        forgotten = world.last_refused & (self.refused | world.unsure) if world.refusal_uses_key else set()
        lost = {
            user
            for user in self.acknowledged - forgotten
            if not world.processed[user] and not world.queued()[user] and user not in world.dead()
        }
        assert not lost

    @invariant()
    def no_event_is_sent_twice(self) -> None:
        """Loops has processed each event once at most."""
        assert all(count <= 1 for count in self.world.processed.values())

    def teardown(self) -> None:
        """When all is well again the RetryQueue runs empty, and each event is in exactly one place.

        But for those that came twice, and for those of which a death or a lost answer left it open what was done.
        """
        if not hasattr(self, "world"):
            return
        world = self.world
        for _ in range(200):
            if not world.records:
                break
            self.redeliver(wait=HOUR, trouble=Trouble([], sqs_down=False), size=5)
        assert not world.records
        for user in self.acknowledged - world.unsure - self.refused - self.repeated:
            assert bool(world.processed[user]) != (user in world.dead()), user
        for letters in _by_user(world.letters).values():
            assert len({letter["key"] for letter in letters}) == 1


def _by_user(letters: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for letter in letters:
        found.setdefault(letter["event"]["userId"], []).append(letter)
    return found


Promise.TestCase.settings = settings(max_examples=250, stateful_step_count=30, deadline=None, derandomize=True)
TestPromise = Promise.TestCase

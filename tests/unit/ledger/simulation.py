"""Deliveries of one person's events in virtual time, while everything fails that the ledger's assumptions allow.

Processes die between any two steps, responses and DynamoDB's answers get lost, reads are old, calls are applied late,
and deliveries come in any order and more than once. All of it follows from a seed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from loops_destination.ledger import Called, Conclusion, Effect, Facts, Ledger, LedgerStore, LedgerUnavailable, Write
from loops_destination.ledger.protocol import LATE_PROCESSING_SECONDS
from loops_destination.ledger.record import ContactRecord
from loops_destination.loops_request import LoopsRequest
from tests.fakes import NOW
from tests.unit.ledger.small_loops import SmallLoops, flat
from tests.virtual_time import Task, VirtualTime

FINAL = {Conclusion.DELIVERED, Conclusion.UNCHANGED, Conclusion.SUPERSEDED}
FAULTS = {
    "crashes": 0.1,
    "stalls": 0.05,
    "store_failures": 0.1,
    "old_reads": 0.7,
    "lost_responses": 0.5,
    "no_responses": 0.3,
    "too_fast": 0.3,
    "no_turn": 0.3,
}
"""The faults of a run, and how often each happens where it happens at all."""

MIXTURES = [
    ["update"],
    ["update", "update", "event"],
    ["update", "event", "event", "deletion"],
    ["update", "deletion"],
]
PATHS = {
    "update": ("PUT", "/api/v1/contacts/update"),
    "event": ("POST", "/api/v1/events/send"),
    "deletion": ("POST", "/api/v1/contacts/delete"),
}


class Crash(Exception):  # it is what happens to a process
    """The process dies here."""


@dataclass(frozen=True)
class Sample:
    """One delivery: an action, the second of its event, and what it writes."""

    number: int
    action: str
    second: float
    body: dict[str, Any]
    subscription: str = "s"

    @property
    def idempotency_key(self) -> str:
        return f"key-{self.number}"

    def request(self) -> LoopsRequest:
        headers = {"Idempotency-Key": self.idempotency_key} if self.action == "event" else {}
        return LoopsRequest(*PATHS[self.action], {"userId": "u-1", **self.body}, headers)

    def facts(self, ledger: Ledger) -> Facts:
        moment = datetime.fromtimestamp(NOW + self.second, UTC).isoformat()
        event = {"messageId": f"m-{self.number}", "timestamp": moment, "receivedAt": moment}
        return ledger.facts(self.request(), event, self.subscription, self.idempotency_key, NOW + 60)


class FaultyStore:
    """A store whose answers take time, get lost or are old, and whose callers die."""

    def __init__(self, simulation: Simulation, store: LedgerStore) -> None:
        self._simulation = simulation
        self._store = store
        self._older: dict[str, tuple[float, dict[str, Any] | None]] = {}

    def read(self, key: str, *, consistent: bool = False) -> dict[str, Any] | None:
        self._simulation.step()
        self._fail()
        until, item = self._older.get(key, (0.0, None))
        if not consistent and self._simulation.clock.time() < until and self._simulation.chance("old_reads"):
            return item
        return self._store.read(key, consistent=consistent)

    def write(self, *writes: Write) -> bool:
        self._simulation.step()
        self._fail()
        for write in writes:
            old_until = self._simulation.clock.time() + 0.8
            self._older[write.key] = old_until, self._store.read(write.key, consistent=True)
        written = self._store.write(*writes)
        self._fail()
        self._simulation.step()
        return written

    def _fail(self) -> None:
        if self._simulation.chance("store_failures"):
            raise LedgerUnavailable("down")


class Simulation:
    """One run. It raises AssertionError when a promise is broken, at once where it can."""

    def __init__(self, seed: int, make_store: Callable[[VirtualTime], LedgerStore]) -> None:
        self.random = random.Random(seed)
        self.clock = VirtualTime()
        self.loops = SmallLoops()
        self.rates = {name: self.random.choice([0.0, 0.0, rate]) for name, rate in FAULTS.items()}
        self.actions = self.random.choice(MIXTURES)
        self.names = self.random.choice([("x",), ("x", "y")])
        self.within = self.random.choice([0, 1, 30])
        self.earliest = 0.0
        self.samples = self._samples()
        self.sent = Counter[str]()
        self._store = make_store(self.clock)
        self._ledger = self._make_ledger(FaultyStore(self, self._store))
        self._calm_ledger = self._make_ledger(self._store)
        self._facts = {sample.number: sample.facts(self._ledger) for sample in self.samples}
        self._given_up: set[int] = set()
        self._applied_deletions: list[Facts] = []
        self._consent: dict[str, tuple[Any, object, bool]] = {}
        self._late: list[Task] = []
        self._loses_leases = any(self.rates[name] for name in ("crashes", "stalls", "store_failures"))

    def _make_ledger(self, store: LedgerStore) -> Ledger:
        return Ledger(store, "stack", self.clock, resend_unchanged_after=168 * 3600, retry_for=72 * 3600)

    def _samples(self) -> list[Sample]:
        return [self._sample(number) for number in range(self.random.randint(2, 5))]

    def _sample(self, number: int) -> Sample:
        pick = self.random
        action = pick.choice(self.actions)
        second = pick.choice([1, 2, 3, 4, 5, 6])
        body: dict[str, Any] = {}
        if action == "update" or (action == "event" and pick.random() < 0.5):
            body = {name: pick.choice("ab") for name in self.names if pick.random() < 0.8} | {"email": "adam@loops.so"}
            if pick.random() < 0.4:
                body["subscribed"] = pick.random() < 0.5
            if action == "update":
                body["mailingLists"] = {"l": pick.random() < 0.5} if pick.random() < 0.3 else {}
        if action == "event":
            body |= {"eventName": "e", "eventProperties": {}}
        return Sample(number, action, second, body, pick.choice(["s", "t"]))

    def run(self) -> None:
        self.clock.run(self._run)

    def _run(self) -> None:
        copies = [sample for sample in self.samples for _ in range(self.random.choice([1, 1, 1, 2]))]
        self.clock.join([self._deliver(sample, self.random.uniform(0, self.within)) for sample in copies])
        self.clock.join(self._late)
        assert self.loops.contacts == self.expected(), "the contact is not what the events give in their order"
        self.clock.sleep(2 * 24 * 3600)
        self.replay()

    def _deliver(self, sample: Sample, start: float) -> Task:
        return self.clock.spawn(lambda: self._work(sample, start))

    def expected(self) -> dict[str, dict[str, Any]]:
        """The contacts that Loops has if everything arrives once, in the order of the clocks."""
        loops = SmallLoops()
        for sample in sorted(self.samples, key=lambda sample: self._facts[sample.number].clock):
            loops.apply(sample.request())
        return loops.contacts

    def replay(self) -> None:
        """Deliver everything again when Loops has forgotten the idempotency keys: nothing may be sent."""
        self.loops.remembered.clear()
        before = self.loops.contacts.copy()

        def call(request: LoopsRequest, _: float) -> Called[str]:
            raise AssertionError(f"a replay sends {request.body}")

        for sample in self.samples:
            if sample.number not in self._given_up:
                self._calm_ledger.deliver(self._facts[sample.number], call, self.clock.time() + 60)
        assert self.loops.contacts == before

    def chance(self, name: str) -> bool:
        return self.random.random() < self.rates[name]

    def step(self) -> None:
        """Let time pass, let others run, and perhaps die."""
        self.clock.sleep(40 if self.chance("stalls") else self.random.choice([0.001, 0.01, 0.2]) * self.random.random())
        if self.chance("crashes"):
            raise Crash

    def _work(self, sample: Sample, start: float) -> None:
        """Deliver until it is final, first from the webhook and then from the queue."""
        self.clock.sleep(start)
        self._wait_for_older_deletions(sample)
        first = True
        for _ in range(400):
            try:
                conclusion, wait = self._attempt(sample, web=first)
            except Crash:
                conclusion, wait = None, 60.0
            if conclusion not in FINAL and self._loses_leases:
                self._forget_consent(sample)
            first = False
            if conclusion in FINAL:
                return
            may_give_up = sample.action == "event" and "email" not in sample.body
            if conclusion is Conclusion.NOT_APPLIED and may_give_up and self.random.random() < 0.1:
                self._given_up.add(sample.number)
                return
            self.clock.sleep(wait * self.random.uniform(0.75, 1.5))
        raise AssertionError(f"{sample} does not settle")

    def _wait_for_older_deletions(self, sample: Sample) -> None:
        """Assumption D: a deletion is seen before anything newer is sent."""
        facts = self._facts[sample.number]
        older = [
            self._facts[other.number].clock
            for other in self.samples
            if other.action == "deletion" and self._facts[other.number].clock < facts.clock
        ]
        while older:
            contact = ContactRecord.from_item(self._store.read(facts.contact_key, consistent=True))
            seen = [contact.deleted_at, contact.deleting.clock if contact.deleting else None]
            if any(clock is not None and clock >= max(older) for clock in seen):
                return
            self.clock.sleep(5)

    def _attempt(self, sample: Sample, *, web: bool) -> tuple[Conclusion, float]:
        facts = self._facts[sample.number]
        mine = object()

        def turn() -> bool:
            self.clock.sleep(self.random.choice([0.0, 5.0, 60.0]) * self.random.random())
            return not self.chance("no_turn")

        verdict = self._ledger.deliver(
            facts,
            lambda request, seconds: self._call(sample, request, seconds, mine),
            self.clock.time() + (2.5 if web else 90),
            turn=None if web else turn,
            patience=0.3 if web else 0.0,
        )
        if verdict.conclusion is Conclusion.DELIVERED:
            for name, (value, attempt, _) in list(self._consent.items()):
                if attempt is mine:
                    self._consent[name] = value, mine, True
        return verdict.conclusion, 10.0 if verdict.retry_after is None else verdict.retry_after

    def _call(self, sample: Sample, request: LoopsRequest, seconds: float, mine: object) -> Called[str]:
        if self.chance("crashes"):
            raise Crash
        if self.chance("too_fast"):
            return Called(Effect.TOO_FAST, "429")
        consent = self._consent.copy()
        self._note_consent(request, mine)
        if self.chance("no_responses"):
            self.clock.sleep(seconds)
            return Called(Effect.UNKNOWN, "503")
        if self.chance("lost_responses"):
            applied_after = self.random.uniform(self.earliest, 1) * (seconds + LATE_PROCESSING_SECONDS)
            self._late.append(self.clock.spawn(lambda: self._apply_late(sample, request, applied_after)))
            self.clock.sleep(seconds)
            self.step()
            return Called(Effect.UNKNOWN, "timeout")
        self.clock.sleep(seconds * self.random.random() / 2)
        effect = self._apply(sample, request)
        self.clock.sleep(seconds * self.random.random() / 2)
        self.step()
        if effect is Effect.NOT_YET:
            self._consent = consent
        return Called(effect, effect.name)

    def _apply_late(self, sample: Sample, request: LoopsRequest, after: float) -> None:
        self.clock.sleep(after)
        self._apply(sample, request)

    def _apply(self, sample: Sample, request: LoopsRequest) -> Effect:
        """Apply a call, unless it breaks a promise."""
        facts = self._facts[sample.number]
        assert not any(facts.clock < deletion.clock for deletion in self._applied_deletions), (
            f"{sample} arrives after a later deletion"
        )
        effect = self.loops.apply(request)
        self.sent[sample.action] += 1
        if sample.action == "deletion":
            self._applied_deletions.append(facts)
        assert len(set(self.loops.events)) == len(self.loops.events), f"{sample} is sent twice"
        return effect

    def _note_consent(self, request: LoopsRequest, mine: object) -> None:
        """A consent flag is sent again only when its last call was not confirmed, or the contact was deleted."""
        if request.path.endswith("delete"):
            self._consent.clear()
        for name, value in flat(request.body).items():
            if name == "subscribed" or name.startswith("mailingLists."):
                known, _, confirmed = self._consent.get(name, (None, None, False))
                assert not (confirmed and known == value), f"{name} is repeated"
                self._consent[name] = value, mine, False

    def _forget_consent(self, sample: Sample) -> None:
        """A process that dies with a lease, or cannot give it back, leaves flags that nobody can vouch for."""
        for name in flat(sample.body):
            self._consent.pop(name, None)


class DeletionRace(Simulation):
    """Events without contact properties, which take no lease, while a newer deletion of their contact begins.

    Loops often applies a call late, as late as it may.
    """

    def __init__(self, seed: int, make_store: Callable[[VirtualTime], LedgerStore]) -> None:
        super().__init__(seed, make_store)
        self.within = 15
        self.earliest = 0.9
        self.rates |= {"lost_responses": 0.5, "too_fast": 0.0, "no_turn": 0.0, "crashes": 0.0}

    def _samples(self) -> list[Sample]:
        events = [Sample(number, "event", 1, {"eventName": "e", "eventProperties": {}}) for number in range(3)]
        return [*events, Sample(3, "deletion", 5, {})]

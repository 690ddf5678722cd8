"""A storm: thousands of events from many users while everything fails, and a count of where each event ended.

`python -m local.storm` runs it over real HTTP against the local stack, in accelerated time. It compares the events sent
with those that the sandbox received and the queues hold, and each contact with the result of its events, applied in the
order of their clocks. Run it on a machine that is otherwise idle: where a call takes seconds of real time, Loops
applies it after its lease has ended, and no ledger can put that right.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import urllib3

from local.aws import DYNAMODB, SECRETS_MANAGER, SQS
from local.leaping_clock import LeapingClock
from local.sandbox import Assumptions, Fault, FaultKind, Sandbox
from local.stack import RETRY_QUEUE, SHARED_SECRET, LocalStack
from local.storm_contacts import Call, Change, ChangeKind, WrongContacts, wrong_contacts
from loops_destination.signature import sign
from segment_loops.commands.program import run_program
from segment_loops.console import console, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from local.sandbox.journal import JournalEntry

FACTOR = 5
"""Seconds of the storm in a real second: a busy machine takes half a second for a request that may take 4 s in production,
and three for a batch of the RetryQueue that may take a minute.
"""

SEGMENT_GIVES_UP_SECONDS = 4 * 3600
SEGMENT_TIMEOUT_SECONDS = 5
LONGEST_PAUSE_SECONDS = 60
"""The longest pause between two tries of a sender. Segment waits longer, which would only lengthen the storm."""
SENDERS = 8
LIMIT = 20
"""Calls a second that the sandbox allows: what two cores can send in the storm's time, so that some are answered 429."""

FAULTS_AT_ONCE = 3
REDELIVERIES = 2
"""Batches that are processed at once, as in the template."""

USERS = 300
SECONDS_BETWEEN_EVENTS = 0.2

KINDS = ("identify", "track", "track by userId", "stranger", "invalid", "page", "delete")
WEIGHTS = (30, 40, 12, 1, 4, 8, 5)

_CHANGES = {"identify": ChangeKind.IDENTIFY, "track": ChangeKind.TRACK, "delete": ChangeKind.DELETE}
_FOR_CONTACTS = {"identify", "track", "track by userId"}
"""The kinds that a later deletion of their user supersedes."""


@dataclass
class Sent:
    """An event, and whether it was acknowledged."""

    number: int
    kind: str
    event: dict[str, Any] = field(repr=False)
    acknowledged: bool = False

    @property
    def user(self) -> str:
        """The event's userId; empty if it has none."""
        return self.event["userId"] or ""

    @property
    def mark(self) -> str:
        """The property by which the event is recognised at Loops."""
        return f"mark{self.number}"


@dataclass(frozen=True)
class StormResult:
    """The number of events in each place; `lost` ones are in none although they were acknowledged.

    `superseded` ones never reached Loops, because their user was deleted later. `stale` and `resurrected` count contacts,
    as `WrongContacts` does.
    """

    received: int
    delivered: int
    superseded: int
    filtered: int
    rejected: int
    queued: int
    lost: int
    sent_twice: int
    given_up: int
    stale: int
    resurrected: int

    @property
    def contacts_are_right(self) -> bool:
        """True if every contact is as its events leave it, which only the contact ledger promises."""
        return not (self.stale or self.resurrected)

    @property
    def events_are_right(self) -> bool:
        """True if every event ended in exactly one place, and none is still waiting."""
        accounted = self.delivered + self.superseded + self.filtered + self.rejected
        return self.received == accounted and not (self.queued or self.lost or self.sent_twice or self.given_up)

    def __str__(self) -> str:
        line = (
            f"received {self.received} delivered {self.delivered} superseded {self.superseded} filtered {self.filtered} "
            f"rejected {self.rejected} queued {self.queued} lost {self.lost} sent-twice {self.sent_twice} "
            f"stale {self.stale} resurrected {self.resurrected}"
        )
        return f"{line} given-up {self.given_up}" if self.given_up else line


class Storm:
    """Random events, drawn by a seed, for a stack of which every part fails.

    Tests sabotage it: `lose` acknowledges the request of this number without sending it, and `resent` changes the events
    of a retry.
    """

    def __init__(  # noqa: PLR0913  # two of them are for sabotage
        self,
        stack: LocalStack,
        clock: LeapingClock,
        *,
        events: int,
        seed: int,
        lose: Callable[[int], bool] = lambda _: False,
        resent: Callable[[dict[str, Any]], dict[str, Any]] = lambda event: event,
    ) -> None:
        self._stack = stack
        self._clock = clock
        self._chance = random.Random(seed)  # noqa: S311  # a seeded run
        self._seed = seed
        self._lose = lose
        self._resent = resent
        self._requests = itertools.count()
        self._began = clock.time() - events * SECONDS_BETWEEN_EVENTS
        self._not_deleted = [f"user-{number}" for number in range(USERS)]
        self._chance.shuffle(self._not_deleted)
        self._sent = [self._draw(number) for number in range(events)]
        self._http = urllib3.PoolManager(maxsize=SENDERS, retries=False)
        self._over = threading.Event()

    def run(self, on_sent: Callable[[int], object] = lambda _: None) -> StormResult:
        """Send all events while faults occur, let the queues drain without faults, and count.

        `on_sent` is called with the number of events sent so far.
        """
        groups = self._groups()
        faults = threading.Thread(target=self._cause_faults, daemon=True)
        faults.start()
        with ThreadPoolExecutor(SENDERS) as senders:
            sent = 0
            for count in senders.map(self._send, groups):
                sent += count
                on_sent(sent)
        self._over.set()
        faults.join()
        self._stop_faults()
        self._drain()
        return self._count()

    def _draw(self, number: int) -> Sent:
        (kind,) = self._chance.choices(KINDS, WEIGHTS)
        user = self._user(kind, number)
        email = f"{user}@example.com"
        time = datetime.fromtimestamp(self._began + number * SECONDS_BETWEEN_EVENTS, UTC).isoformat()
        event = {"messageId": f"storm-{self._seed}-{number}", "userId": user, "timestamp": time, "receivedAt": time}
        sent = Sent(number, kind, event)
        match kind:
            case "identify":
                sent.event |= {"type": "identify", "traits": {"email": email, "step": number, sent.mark: True}}
            case "track":
                sent.event |= {"type": "track", "event": "Storm", "properties": {"email": email, "mark": sent.mark}}
            case "track by userId" | "stranger":
                sent.event |= {"type": "track", "event": "Storm", "properties": {"mark": sent.mark}}
            case "invalid":
                sent.event |= {"type": "identify", "userId": None, "traits": {"email": email}}
            case "page":
                sent.event |= {"type": "page", "name": "Storm"}
            case "delete":
                sent.event |= {"type": "delete"}
        return sent

    def _user(self, kind: str, number: int) -> str:
        """Return the user of an event; each is deleted once at most, and may sign up again."""
        if kind == "stranger":
            return f"stranger-{number}"
        if kind == "delete":
            return self._not_deleted.pop() if self._not_deleted else f"gone-{number}"
        return f"user-{self._chance.randrange(USERS)}"

    def _groups(self) -> list[list[Sent]]:
        """Return the events by request: most alone, some in batches, and not quite in order."""
        order = sorted(self._sent, key=lambda sent: sent.number + self._chance.uniform(0, 50))
        groups = []
        while order:
            size = self._chance.choice((1, 1, 1, 1, 1, 1, 1, 1, 5, 20))
            groups.append(order[:size])
            order = order[size:]
        return groups

    def _send(self, group: Sequence[Sent]) -> int:
        """Send a request as Segment does, sometimes twice for no reason; return the number of its events."""
        chance = random.Random(f"{self._seed}-{group[0].number}")  # noqa: S311  # a seeded run
        events = [sent.event for sent in group]
        self._send_until_acknowledged(group, events, chance)
        if chance.choice((True,) + (False,) * 9):
            self._send_until_acknowledged(group, [self._resent(event) for event in events], chance)
        return len(group)

    def _send_until_acknowledged(
        self, group: Sequence[Sent], events: Sequence[dict[str, Any]], chance: random.Random
    ) -> None:
        """Retry after 5xx and after a timeout, for four hours."""
        began = self._clock.time()
        pause = 1.0
        while self._clock.time() - began < SEGMENT_GIVES_UP_SECONDS:
            status = self._post(events)
            if status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR:
                for sent in group:
                    sent.acknowledged = True
                return
            self._clock.sleep(chance.uniform(0, pause))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            events = [self._resent(event) for event in events]

    def _post(self, events: Sequence[dict[str, Any]]) -> int | None:
        if self._lose(next(self._requests)):
            return HTTPStatus.OK
        body = json.dumps(events if len(events) > 1 else events[0]).encode()
        headers = {"Content-Type": "application/json", "X-Signature": sign(body, SHARED_SECRET)}
        url = self._stack.outputs["SegmentUrl"]
        try:
            # In real seconds: 5 s of the storm's time is too short for two busy cores.
            return self._http.request("POST", url, body=body, headers=headers, timeout=SEGMENT_TIMEOUT_SECONDS).status
        except urllib3.exceptions.HTTPError:
            return None

    def _cause_faults(self) -> None:
        """Cause one fault after another until all events are sent."""
        chance = random.Random(f"{self._seed} faults")  # noqa: S311  # a seeded run
        faults = (
            self._fail_loops,
            self._fail_aws,
            self._repeat_messages,
            self._fail_table,
            self._kill_function,
            self._start_cold,
        )
        while not self._over.is_set():
            (cause,) = chance.choices(faults, (3, 1, 1, 1, 1, 1))
            cause(chance)
            self._clock.sleep(chance.uniform(0.5, 8))

    def _start_cold(self, chance: random.Random) -> None:
        chance.choice(list(self._stack.functions.values())).freeze()

    def _fail_loops(self, chance: random.Random) -> None:
        if len(self._stack.sandbox.faults.all()) >= FAULTS_AT_ONCE:
            return  # otherwise a slow machine would get more faults than a fast one
        times = chance.randint(1, 12)
        processed = chance.choice((True, False))
        client_error = Fault(kind="status", status=chance.choice((429, 408, 401)), times=times)
        server_error = Fault(kind="status", status=chance.choice((500, 502, 503)), times=times, processed=processed)
        # A call is applied within seconds, as the contact ledger assumes; its response may take a minute.
        delay = Fault(
            kind="delay", seconds=chance.uniform(1, 60 if processed else 10), times=times, processed=processed
        )
        broken: FaultKind = chance.choice(("reset", "garbage", "truncated"))
        breakage = Fault(kind=broken, times=times, processed=processed)
        self._stack.sandbox.faults.add(chance.choice((client_error, server_error, delay, breakage)))

    def _fail_aws(self, chance: random.Random) -> None:
        self._stack.aws.outage(chance.choice((SQS, SQS, SECRETS_MANAGER, DYNAMODB)))
        self._clock.sleep(chance.uniform(1, 10))
        self._stack.aws.recover()

    def _repeat_messages(self, chance: random.Random) -> None:
        """Make SQS store a message but answer with an error, or fail to delete or hide one."""
        path = chance.choice(("/SendMessageBatch", "/DeleteMessageBatch", "/ChangeMessageVisibilityBatch"))
        processed = path == "/SendMessageBatch"
        self._stack.aws.faults[SQS].add(Fault(kind="status", status=500, path=path, times=2, processed=processed))

    def _fail_table(self, chance: random.Random) -> None:
        """Make DynamoDB answer some calls with an error, after it has applied them or instead."""
        times, processed = chance.randint(1, 6), chance.choice((True, False))
        self._stack.aws.faults[DYNAMODB].add(Fault(kind="status", status=500, times=times, processed=processed))

    def _kill_function(self, chance: random.Random) -> None:
        chance.choice(list(self._stack.functions.values())).kill_next(chance.randint(0, 60))

    def _stop_faults(self) -> None:
        self._stack.aws.recover()
        self._stack.sandbox.faults.clear()
        for function in self._stack.functions.values():
            function.kill_next(10**9)

    def _drain(self) -> None:
        """Process the RetryQueue until it is empty, leaping to the next message while none can be received.

        Nothing is under way during a leap, because an invocation that it lengthens would time out, and its messages
        would come back again and again.
        """
        for poller in self._stack.pollers:
            poller.stop()
        with ThreadPoolExecutor(REDELIVERIES) as redeliveries:
            while waiting := self._stack.aws.queued(RETRY_QUEUE):
                self._clock.leap(max(min(message.next_at for message in waiting) - self._clock.time(), 0))
                wait([redeliveries.submit(self._stack.redeliver) for _ in range(REDELIVERIES)])

    def _count(self) -> StormResult:
        """Find each event's place; it has only one, because at most one subscription matches it."""
        marks = Counter(str(event.properties.get("mark")) for event in self._stack.sandbox.events.all())
        journal = self._stack.sandbox.journal.all()
        written = {name for entry in journal if entry.effect for name in entry.body}
        deletions = [entry for entry in journal if entry.path.endswith("/contacts/delete")]
        deleted = {entry.body["userId"] for entry in deletions if entry.status in (200, 404)}
        dead_letters = {json.loads(each)["event"]["messageId"] for each in self._stack.dead_letters()}
        deleted_at = {sent.user: sent.number for sent in self._sent if sent.kind == "delete" and sent.user in deleted}
        places: Counter[str] = Counter()
        for sent in self._sent:
            places[_place(sent, marks, written, deleted_at, dead_letters)] += 1
        wrong = self._wrong_contacts(journal, dead_letters)
        return StormResult(
            received=len(self._sent),
            delivered=places["delivered"],
            superseded=places["superseded"],
            filtered=places["filtered"],
            rejected=places["rejected"],
            queued=len(self._stack.waiting()),
            lost=places["lost"],
            sent_twice=sum(count > 1 for count in marks.values()),
            given_up=places["given up"],
            stale=len(wrong.stale),
            resurrected=len(wrong.resurrected),
        )

    def _wrong_contacts(self, journal: Sequence[JournalEntry], dead_letters: set[str]) -> WrongContacts:
        changes = [
            Change(sent.user, _CHANGES[sent.kind], sent.number)
            for sent in self._sent
            if sent.kind in _CHANGES and sent.event["messageId"] not in dead_letters
        ]
        steps = {contact.user_id: contact.properties.get("step") for contact in self._stack.sandbox.contacts.all()}
        return wrong_contacts(changes, list(_calls(journal)), {user: step for user, step in steps.items() if user})


def _place(
    sent: Sent, marks: Mapping[str, int], written: set[str], deleted_at: Mapping[str, int], dead_letters: set[str]
) -> str:
    """Return where an event ended."""
    if marks[sent.mark] or sent.mark in written or (sent.kind == "delete" and sent.user in deleted_at):
        return "delivered"
    if sent.event["messageId"] in dead_letters:
        return "rejected"
    if not sent.acknowledged:
        return "given up"
    if sent.kind in _FOR_CONTACTS and sent.number < deleted_at.get(sent.user, 0):
        return "superseded"
    return "filtered" if sent.kind == "page" else "lost"


def _calls(journal: Sequence[JournalEntry]) -> Iterator[Call]:
    """Yield the calls about contacts, in the order of their arrival."""
    for entry in journal:
        body = entry.body
        if entry.path.endswith("/contacts/delete"):
            yield Call(body["userId"], None)
        elif entry.path.endswith("/events/send"):
            yield Call(body["userId"], int(body["eventProperties"]["mark"].removeprefix("mark")))
        elif "step" in body:
            yield Call(body["userId"], body["step"])


def stack_for_a_storm(clock: LeapingClock, *, ledger: bool = True) -> LocalStack:
    """Return the local stack in accelerated time, with a sandbox that allows what two cores can send."""
    sandbox = Sandbox(
        clock=clock.time,
        sleep=clock.sleep,
        limit=LIMIT,
        window="sliding",
        assumptions=Assumptions(idempotency_key_after_failure="processed"),
    )
    parameters = {"LoopsRequestsPerSecond": str(LIMIT), "ContactLedger": str(ledger).lower()}
    return LocalStack(clock=clock, sandbox=sandbox, parameters=parameters)


@click.command()
@click.option("--events", type=click.IntRange(min=1), default=5000, show_default=True, help="The number of events.")
@click.option("--seed", type=int, help="Repeat the storm of this seed.  [default: a random one]")
@click.option("--ledger/--no-ledger", default=True, help="With the contact ledger, or without.  [default: with]")
def storm(*, events: int, seed: int | None, ledger: bool) -> int:
    """Send events while every part of the stack fails, and count where each one ended.

    Without the contact ledger, contacts can end with an old value; these are counted, but are not a failure.

    Exit status: 0 if no event was lost or sent twice, and no contact is stale or resurrected.
    """
    seed = seed if seed is not None else random.SystemRandom().randrange(10**6)
    clock = LeapingClock(FACTOR)
    out = console(sys.stdout)
    out.print(f"{events:,} events from {SENDERS} senders, seed {seed}")
    began = time.monotonic()
    with (
        progress("Sending events", events) as show_count,
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        stack_for_a_storm(clock, ledger=ledger) as stack,
    ):
        result = Storm(stack, clock, events=events, seed=seed).run(show_count)
    is_good = result.events_are_right and (result.contacts_are_right or not ledger)
    out.print(str(result), style="green" if is_good else "red", soft_wrap=True)
    out.print(f"{time.monotonic() - began:.0f} s")
    return 0 if is_good else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_program(storm, arguments, "python -m local.storm")


if __name__ == "__main__":
    sys.exit(main())

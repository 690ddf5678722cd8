"""A storm: thousands of events from many users while everything fails, and a count of what became of each.

`python -m local storm` runs it over real HTTP against the local stack, in a time that passes faster than ours. What is
counted comes from what the sandbox saw and what the queues hold, against what was sent.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

from local.sandbox import Assumptions, Fault, FaultKind, Sandbox
from local.stack import SHARED_SECRET, LocalStack
from loops_destination.signature import sign

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FACTOR = 20
"""Seconds of the storm in one of ours: a request takes some 20 ms here, and may take 4 s there."""

SEGMENT_GIVES_UP_SECONDS = 4 * 3600
SEGMENT_TIMEOUT_SECONDS = 5
SENDERS = 8
LIMIT = 200
"""Calls a second of this Loops: what two cores reach in the storm's time, so that 429s come as they do elsewhere."""

FAULTS_AT_ONCE = 3

KINDS = ("identify", "track", "track by userId", "stranger", "invalid", "page", "delete")
WEIGHTS = (30, 40, 12, 1, 4, 8, 5)


class FastClock:
    """Our time, `FACTOR` times as fast; and it can leap where nobody would do anything anyway."""

    def __init__(self, factor: float = FACTOR) -> None:
        self._factor = factor
        self._began = time.monotonic()
        self._offset = time.time()

    def time(self) -> float:
        return self._offset + (time.monotonic() - self._began) * self._factor

    def sleep(self, seconds: float) -> None:
        time.sleep(max(seconds, 0) / self._factor)

    def leap(self, seconds: float) -> None:
        """Lets so many seconds pass at once."""
        self._offset += seconds


@dataclass
class Sent:
    """One event, and how its last answer ended."""

    number: int
    kind: str
    event: dict[str, Any] = field(repr=False)
    acknowledged: bool = False

    @property
    def mark(self) -> str:
        """What the event is known by at Loops."""
        return f"mark{self.number}"


@dataclass(frozen=True)
class Count:
    """What became of the events; `lost` are in no place although they were acknowledged."""

    received: int
    delivered: int
    filtered: int
    rejected: int
    queued: int
    lost: int
    sent_twice: int
    given_up: int

    @property
    def is_good(self) -> bool:
        """Whether every event is accounted for, once."""
        accounted = self.delivered + self.filtered + self.rejected
        return self.received == accounted and not (self.queued or self.lost or self.sent_twice or self.given_up)

    def __str__(self) -> str:
        line = (
            f"received {self.received} delivered {self.delivered} filtered {self.filtered} rejected {self.rejected} "
            f"queued {self.queued} lost {self.lost} sent-twice {self.sent_twice}"
        )
        return f"{line} given-up {self.given_up}" if self.given_up else line


class Storm:
    """Some events, drawn by a seed, into a stack whose every part fails.

    A test can lose what was acknowledged by `lose`, told the number of a request, and have Segment send again something
    else than before by `resent`: both must be noticed.
    """

    def __init__(  # noqa: PLR0913  # two of them for sabotage
        self,
        stack: LocalStack,
        clock: FastClock,
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
        self._sent = [self._draw(number) for number in range(events)]
        self._http = urllib3.PoolManager(maxsize=SENDERS, retries=False)
        self._over = threading.Event()

    def run(self, tell: Callable[[str], None] = lambda _: None) -> Count:
        """Sends everything through the storm, lets the queues run empty in calm weather, and counts."""
        groups = self._groups()
        tell(f"{len(self._sent)} events in {len(groups)} requests from {SENDERS} senders, seed {self._seed}")
        faults = threading.Thread(target=self._rage, daemon=True)
        faults.start()
        with ThreadPoolExecutor(SENDERS) as senders:
            for done, _ in enumerate(senders.map(self._send, groups), 1):
                if done % 500 == 0:
                    tell(f"{done} requests are through, {len(self._stack.waiting())} events wait")
        self._over.set()
        faults.join()
        self._calm()
        tell(f"the storm is over, {len(self._stack.waiting())} events wait")
        self._drain()
        return self._count()

    def _draw(self, number: int) -> Sent:
        (kind,) = self._chance.choices(KINDS, WEIGHTS)
        user = f"user-{self._chance.randrange(300)}" if kind != "stranger" else f"stranger-{number}"
        email = f"{user}@example.com"
        sent = Sent(number, kind, {"messageId": f"storm-{self._seed}-{number}", "userId": user, "context": {}})
        match kind:
            case "identify":
                sent.event |= {"type": "identify", "traits": {"email": email, sent.mark: True}}
            case "track":
                sent.event |= {"type": "track", "event": "Storm", "properties": {"email": email, "mark": sent.mark}}
            case "track by userId" | "stranger":
                sent.event |= {"type": "track", "event": "Storm", "properties": {"mark": sent.mark}}
            case "invalid":
                sent.event |= {"type": "identify", "userId": None, "traits": {"email": email}}
            case "page":
                sent.event |= {"type": "page", "name": "Storm"}
            case "delete":
                sent.event |= {"type": "delete", "userId": f"gone-{number}"}
        return sent

    def _groups(self) -> list[list[Sent]]:
        """The events as they are sent: mostly alone, some in batches, not quite in order."""
        order = sorted(self._sent, key=lambda sent: sent.number + self._chance.uniform(0, 50))
        groups = []
        while order:
            size = self._chance.choice((1, 1, 1, 1, 1, 1, 1, 1, 5, 20))
            groups.append(order[:size])
            order = order[size:]
        return groups

    def _send(self, group: Sequence[Sent]) -> None:
        """What Segment does: again after 5xx and silence, for four hours; and now and then twice for no reason."""
        chance = random.Random(f"{self._seed}-{group[0].number}")  # noqa: S311  # likewise
        events = [sent.event for sent in group]
        self._send_until_taken(group, events, chance)
        if chance.choice((True,) + (False,) * 9):
            self._send_until_taken(group, [self._resent(event) for event in events], chance)

    def _send_until_taken(self, group: Sequence[Sent], events: Sequence[dict[str, Any]], chance: random.Random) -> None:
        began = self._clock.time()
        pause = 1.0
        while self._clock.time() - began < SEGMENT_GIVES_UP_SECONDS:
            status = self._post(events)
            if status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR:
                for sent in group:
                    sent.acknowledged = True
                return
            self._clock.sleep(chance.uniform(0, pause))
            pause = min(pause * 2, 600)
            events = [self._resent(event) for event in events]

    def _post(self, events: Sequence[dict[str, Any]]) -> int | None:
        if self._lose(next(self._requests)):
            return HTTPStatus.OK
        body = json.dumps(events if len(events) > 1 else events[0]).encode()
        headers = {"Content-Type": "application/json", "X-Signature": sign(body, SHARED_SECRET)}
        url = self._stack.outputs["SegmentUrl"]
        try:
            # In our seconds: what would be 5 s there is too short for two busy cores.
            return self._http.request("POST", url, body=body, headers=headers, timeout=SEGMENT_TIMEOUT_SECONDS).status
        except urllib3.exceptions.HTTPError:
            return None

    def _rage(self) -> None:
        """One trouble after another, until all is sent."""
        chance = random.Random(f"{self._seed} faults")  # noqa: S311  # likewise
        troubles = (
            self._loops_fails,
            self._aws_fails,
            self._messages_come_twice,
            self._functions_die,
            self._cold_start,
        )
        while not self._over.is_set():
            (trouble,) = chance.choices(troubles, (3, 1, 1, 1, 1))
            trouble(chance)
            self._clock.sleep(chance.uniform(0.5, 8))

    def _cold_start(self, chance: random.Random) -> None:
        chance.choice(list(self._stack.functions.values())).freeze()

    def _loops_fails(self, chance: random.Random) -> None:
        if len(self._stack.sandbox.faults.all()) >= FAULTS_AT_ONCE:
            return  # a machine that is slow must not meet more faults than a fast one
        times = chance.randint(1, 12)
        processed = chance.choice((True, False))
        refusal = Fault(kind="status", status=chance.choice((429, 408, 401)), times=times)
        failure = Fault(kind="status", status=chance.choice((500, 502, 503)), times=times, processed=processed)
        delay = Fault(kind="delay", seconds=chance.uniform(1, 60), times=times)
        broken: FaultKind = chance.choice(("reset", "garbage", "truncated"))
        breakage = Fault(kind=broken, times=times, processed=processed)
        self._stack.sandbox.faults.add(chance.choice((refusal, failure, delay, breakage)))

    def _aws_fails(self, chance: random.Random) -> None:
        self._stack.aws.outage(chance.choice(("sqs", "sqs", "secretsmanager")))
        self._clock.sleep(chance.uniform(1, 10))
        self._stack.aws.recover()

    def _messages_come_twice(self, chance: random.Random) -> None:
        """SQS takes a message and does not say so, or forgets that it was let go."""
        path = chance.choice(("/SendMessageBatch", "/DeleteMessageBatch", "/ChangeMessageVisibilityBatch"))
        processed = path == "/SendMessageBatch"
        self._stack.aws.faults["sqs"].add(Fault(kind="status", status=500, path=path, times=2, processed=processed))

    def _functions_die(self, chance: random.Random) -> None:
        chance.choice(list(self._stack.functions.values())).kill_next(chance.randint(0, 60))

    def _calm(self) -> None:
        self._stack.aws.recover()
        self._stack.sandbox.faults.clear()
        for function in self._stack.functions.values():
            function.kill_next(10**9)

    def _drain(self) -> None:
        """Hours pass, as far as nobody would do anything in them."""
        before = -1
        while waiting := len(self._stack.waiting()):
            if waiting == before:
                self._clock.leap(600)
            before = waiting
            self._clock.sleep(6)

    def _count(self) -> Count:
        """Each event has one subscription at most, so it has one place."""
        marks = Counter(str(event.properties.get("mark")) for event in self._stack.sandbox.events.all())
        known = {name for contact in self._stack.sandbox.contacts.all() for name in contact.properties}
        deleted = {
            exchange.body["userId"]
            for exchange in self._stack.sandbox.journal.all()
            if exchange.path.endswith("/contacts/delete") and exchange.status in (200, 404)
        }
        letters = {json.loads(letter)["event"]["messageId"] for letter in self._stack.dead_letters()}
        places: Counter[str] = Counter()
        for sent in self._sent:
            places[self._place(sent, marks, known | deleted, letters)] += 1
        return Count(
            received=len(self._sent),
            delivered=places["delivered"],
            filtered=places["filtered"],
            rejected=places["rejected"],
            queued=len(self._stack.waiting()),
            lost=places["lost"],
            sent_twice=sum(count > 1 for count in marks.values()),
            given_up=places["given up"],
        )

    def _place(self, sent: Sent, marks: Counter[str], known: set[str], letters: set[str]) -> str:
        if marks[sent.mark] or sent.mark in known or sent.event["userId"] in known:
            return "delivered"
        if sent.event["messageId"] in letters:
            return "rejected"
        if not sent.acknowledged:
            return "given up"
        return "filtered" if sent.kind == "page" else "lost"


def stack_for_a_storm(clock: FastClock) -> LocalStack:
    """The local stack in fast time, with a Loops that takes what two cores can send."""
    sandbox = Sandbox(
        clock=clock.time,
        sleep=clock.sleep,
        limit=LIMIT,
        window="sliding",
        assumptions=Assumptions(key_after_failure="processed"),
    )
    return LocalStack(clock=clock, sandbox=sandbox, parameters={"LoopsRequestsPerSecond": str(LIMIT)})


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 when nothing was lost and nothing sent twice."""
    parser = argparse.ArgumentParser(prog="python -m local storm", description=__doc__)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument(
        "--seed", type=int, default=None, help="draws the same storm again; a new one each time without"
    )
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    clock = FastClock()
    console = sys.stdout
    began = time.monotonic()
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        stack_for_a_storm(clock) as stack,
    ):
        storm = Storm(stack, clock, events=options.events, seed=seed)
        count = storm.run(lambda line: print(f"{time.monotonic() - began:5.0f} s  {line}", file=console, flush=True))
    print(count, file=console)
    return 0 if count.is_good else 1


if __name__ == "__main__":
    sys.exit(main())

"""A Loops with a rate limit and a RetryQueue, both in virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from local.sandbox.rate_limit import Window, rate_limit
from loops_destination.loops import Meaning, Response
from loops_destination.loops_request import LoopsRequest
from loops_destination.messages import QueueName, RoutedMessage
from loops_destination.outcomes import Reason
from loops_destination.received_messages import ReceivedMessage
from tests.virtual_time import VirtualTime

BATCH = 50  # of the event source in the template
DELAY_SECONDS = 5  # the RetryQueue's
VISIBILITY_TIMEOUT_SECONDS = 360


class Answered(NamedTuple):
    """A call that Loops answered at a time; `taken` is False for a 429."""

    at: float
    taken: bool


@dataclass
class VirtualLoops:
    """A Loops that counts each call against its limit, and applies it, half-way through the call's `seconds`."""

    clock: VirtualTime
    window: Window
    limit: float
    seconds: float
    applied: Callable[[LoopsRequest], object] = lambda _: None
    answered: list[Answered] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._limit = rate_limit(self.limit, self.window)

    def send(self, request: LoopsRequest, api_key: str, seconds: float) -> Response:  # noqa: ARG002  # the parameters of `Loops.send`
        self.clock.sleep(self.seconds / 2)
        assert self._limit is not None
        allowance = self._limit.take(self.clock.time())
        if allowance.granted:
            self.applied(request)
        self.clock.sleep(self.seconds / 2)
        self.answered.append(Answered(self.clock.time(), allowance.granted))
        if allowance.granted:
            return Response(Meaning.DONE, 200, remaining=allowance.remaining)
        return Response(Meaning.TRY_AGAIN, 429, Reason.RATE_LIMITED, remaining=0)

    @property
    def rate_limited(self) -> int:
        """The number of calls that were answered 429."""
        return sum(not call.taken for call in self.answered)


@dataclass
class VirtualQueue:
    """The RetryQueue. `shuffled`: a batch holds any of the visible messages, instead of those that came first."""

    clock: VirtualTime
    shuffled: bool = False
    records: dict[str, ReceivedMessage] = field(default_factory=dict)
    visible_at: dict[str, float] = field(default_factory=dict)

    def store(self, messages: Sequence[RoutedMessage], deadline: float) -> list[bool]:  # noqa: ARG002  # it stores at once
        for routed in messages:
            assert routed.queue is QueueName.RETRY, routed.message.reason
            name = str(len(self.visible_at))
            self.records[name] = ReceivedMessage(
                message_id=name, receipt=name, body=routed.message.to_json(), sent_at=self.clock.time(), receives=0
            )
            self.visible_at[name] = self.clock.time() + max(routed.delay_seconds, DELAY_SECONDS)
        return [True] * len(messages)

    def postpone(self, seconds_by_receipt: Mapping[str, int], deadline: float) -> None:  # noqa: ARG002  # it hides at once
        for name, seconds in seconds_by_receipt.items():
            self.visible_at[name] = self.clock.time() + seconds

    def receive(self) -> list[ReceivedMessage]:
        """Return a batch of the visible messages, and hide them."""
        now = self.clock.time()
        names = [name for name in self.records if self.visible_at[name] <= now]
        if self.shuffled:
            random.shuffle(names)
        for name in names[:BATCH]:
            self.visible_at[name] = now + VISIBILITY_TIMEOUT_SECONDS
            self.records[name] = replace(self.records[name], receives=self.records[name].receives + 1)
        return [self.records[name] for name in names[:BATCH]]

    def keep_only(self, received: Sequence[ReceivedMessage], staying: Sequence[str]) -> list[str]:
        """Delete the received messages that do not stay, and return their names."""
        deleted = [message.message_id for message in received if message.message_id not in staying]
        for name in deleted:
            del self.records[name]
        return deleted

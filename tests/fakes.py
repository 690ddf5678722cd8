"""Fake parts that tests pass in: a clock, Loops, the API key, the queues, a slow subscription."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from loops_destination.errors import SecretUnavailable
from loops_destination.loops import Meaning, Response
from loops_destination.loops_request import LoopsRequest
from loops_destination.messages import RoutedMessage
from loops_destination.outcomes import Reason
from loops_destination.subscriptions import Subscription

NOW = 1_772_366_400.0

DONE = Response(Meaning.DONE, 200)
USED = Response(Meaning.ALREADY_DONE, 409)
DOWN = Response(Meaning.TRY_AGAIN, 503, Reason.LOOPS_ERROR)
TOO_FAST = Response(Meaning.TRY_AGAIN, 429, Reason.RATE_LIMITED)
API_KEY_REFUSED = Response(Meaning.API_KEY_REFUSED, 401, Reason.API_KEY_REFUSED)
REFUSED = Response(Meaning.REFUSED, 400, Reason.REFUSED, "no")
UNKNOWN = Response(Meaning.CONTACT_UNKNOWN, 400, Reason.UNKNOWN_CONTACT, "not found")

IDENTIFY = {"type": "identify", "messageId": "m-1", "userId": "u-1", "traits": {"email": "adam@loops.so"}}
TRACK = {"type": "track", "messageId": "m-2", "userId": "u-1", "event": "Signed Up", "properties": {"plan": "pro"}}

CONTACT = Subscription.from_json({"name": "contacts", "action": "createOrUpdateContact"})
EVENT = Subscription.from_json({"name": "events", "action": "sendEvent"})
DELETION = Subscription.from_json({"name": "deletions", "action": "deleteContact"})


class ManualClock:
    """A clock that stands still until somebody sleeps or sets `now`."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class SlowSubscription:
    """The subscription `events` with a trigger and a mapping that take some seconds of a clock; counts both."""

    def __init__(self, clock: ManualClock, *, matching: float = 0.0, mapping: float = 0.0) -> None:
        self.id, self.action, self.enabled = EVENT.id, EVENT.action, True
        self.matched = 0
        self.mapped = 0
        self._clock, self._matching, self._mapping = clock, matching, mapping

    def matches(self, event: dict[str, Any]) -> bool:
        self.matched += 1
        self._clock.sleep(self._matching)
        return EVENT.matches(event)

    def request(self, event: dict[str, Any], key: str | None = None) -> LoopsRequest:
        self.mapped += 1
        self._clock.sleep(self._mapping)
        return EVENT.request(event, key)


class ScriptedLoops:
    """A Loops that gives these responses in order, and the last one forever; a call takes `seconds`."""

    def __init__(self, *responses: Response, clock: ManualClock | None = None, seconds: float = 0.0) -> None:
        self.responses = list(responses)
        self.calls: list[tuple[LoopsRequest, str, float]] = []
        self._clock = clock
        self._seconds = seconds

    def send(self, request: LoopsRequest, api_key: str, seconds: float) -> Response:
        self.calls.append((request, api_key, seconds))
        if self._clock:
            self._clock.sleep(min(self._seconds, seconds))
        return self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]

    @property
    def idempotency_keys(self) -> list[str]:
        """The idempotency keys of the calls, in order."""
        return [request.headers["Idempotency-Key"] for request, _, _ in self.calls]


class Keyring:
    """A source of API keys; each refresh goes on to the next one. Without any, it raises as for an unavailable secret."""

    def __init__(self, *api_keys: str) -> None:
        self.api_keys = list(api_keys)
        self.refreshes = 0

    def api_key(self) -> str:
        if not self.api_keys:
            raise SecretUnavailable("down")
        return self.api_keys[0]

    def refresh(self) -> bool:
        self.refreshes += 1
        if len(self.api_keys) > 1:
            self.api_keys.pop(0)
            return True
        return False


class Storage:
    """The two queues, which store every message unless they are down."""

    def __init__(self, *, down: bool = False) -> None:
        self.down = down
        self.messages: list[RoutedMessage] = []
        self.postponed: dict[str, int] = {}
        self.deadlines: list[float] = []
        self._hangs: ManualClock | None = None

    def hang(self, clock: ManualClock) -> None:
        """Store nothing from now on, and return at the deadline."""
        self.down, self._hangs = True, clock

    def store(self, messages: Sequence[RoutedMessage], deadline: float) -> list[bool]:
        self._wait_until(deadline)
        if not self.down:
            self.messages.extend(messages)
        return [not self.down for _ in messages]

    def postpone(self, seconds_by_receipt: Mapping[str, int], deadline: float) -> None:
        self._wait_until(deadline)
        self.postponed.update(seconds_by_receipt)

    def _wait_until(self, deadline: float) -> None:
        self.deadlines.append(deadline)
        if self._hangs is not None:
            self._hangs.now = max(self._hangs.now, deadline)

    def on(self, queue: str) -> list[dict[str, Any]]:
        """Return the messages on a queue as parsed JSON."""
        return [json.loads(routed.message.to_json()) for routed in self.messages if routed.queue == queue]


class OneByOne:
    """A pool of workers that runs everything in the calling thread."""

    def map(self, function: Callable[[Any], Any], items: Sequence[Any], /) -> Iterable[Any]:
        return map(function, items)


def versions(texts: Mapping[str, str | None]) -> Callable[[str], str | None]:
    """Return a `fetch` for a secret that has these texts at its stages."""
    return texts.get


def lines(output: str) -> Iterable[dict[str, Any]]:
    """Return the parsed JSON lines of a log."""
    return (json.loads(line) for line in output.splitlines() if line.startswith("{"))

"""Each alarm fires in a situation for which it exists, and stays silent in a similar one."""

from __future__ import annotations

import contextlib
import io
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pytest

from loops_destination.delivery import Deliverer
from loops_destination.handlers.redelivery import Redelivery
from loops_destination.loops import Response
from loops_destination.messages import Message, ascii_json
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Reason
from loops_destination.pace import Pacer
from loops_destination.received_messages import ReceivedMessage
from tests.fakes import (
    CONTACT,
    DONE,
    DOWN,
    IDENTIFY,
    NOW,
    TOO_FAST,
    Keyring,
    ManualClock,
    OneByOne,
    ScriptedLoops,
    Storage,
    lines,
)
from tests.template.cloudwatch import DAY, HOUR, MINUTE, Alarm, Samples, fires
from tests.template.template_stack import ALARM, Stack

VISIBLE = "ApproximateNumberOfMessagesVisible"
HIDDEN = "ApproximateNumberOfMessagesNotVisible"
AGE = "ApproximateAgeOfOldestMessage"
IGNORED_BY_AGE = 3
"""Receives after which SQS leaves a message out of the age of the oldest message."""
POLL_SECONDS = 10
RANGES = (0, 2)
"""Periods of the evaluation range beyond those evaluated: the example in CloudWatch's documentation has two."""


def retry_queue(
    *responses: Response,
    arrivals: Sequence[float],
    until: float,
    stops_at: float = float("inf"),
    received: float = NOW,
) -> Samples:
    """Return the metrics of redelivery and the RetryQueue while contacts wait for a Loops that gives these responses.

    Redelivery stops at `stops_at`. `received` is when the events came to the webhook.
    """
    random.seed(7)
    clock, storage, telemetry = ManualClock(), Storage(), Telemetry("redelivery", lambda: "")
    redelivery = Redelivery(
        subscriptions=[CONTACT],
        deliverer=Deliverer(ScriptedLoops(*responses), Keyring("key"), clock),
        store=storage,
        telemetry=telemetry,
        clock=clock,
        pacer=Pacer(10, clock),
        calls_at_once=5,
        retry_for_seconds=72 * HOUR,
        max_event_age_seconds=72 * 3600,
        workers=lambda _: nullcontext(OneByOne()),
    )
    event = ascii_json(IDENTIFY)
    message = Message(
        idempotency_key="k",
        received_at=received,
        reason=Reason.TIMEOUT,
        event=event,
        action="createOrUpdateContact",
        subscription="contacts",
    )
    waiting = {
        str(at): ReceivedMessage(
            message_id=str(at), receipt=str(at), body=message.to_json(), sent_at=NOW + at, receives=0
        )
        for at in arrivals
    }
    samples: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for time in range(0, round(until), POLL_SECONDS):
        clock.now = max(clock.now, NOW + time)
        ready = [
            record
            for record in waiting.values()
            if record.sent_at <= clock.now and storage.postponed.get(record.receipt, 0) <= clock.now
        ]
        if time % MINUTE == 0:
            samples[f"{VISIBLE} RetryQueue"].append((time, len(ready)))
        if ready and time < stops_at:
            for record in ready:
                waiting[record.message_id] = _received(record)
            batch = [waiting[record.message_id] for record in ready]
            with contextlib.redirect_stdout(io.StringIO()) as output:
                staying = redelivery.deliver(batch, 60)
                telemetry.flush()
            for record in batch:
                if record.message_id in staying:
                    storage.postponed[record.receipt] += round(clock.now)
                else:
                    del waiting[record.message_id]
            _note(samples, time, output.getvalue())
        if time % MINUTE == 0:
            queued = [record for record in waiting.values() if record.sent_at <= clock.now]
            counted = [record for record in queued if record.receives < IGNORED_BY_AGE]
            if counted:
                samples[f"{AGE} RetryQueue"].append((time, clock.now - min(record.sent_at for record in counted)))
    return samples


def _received(record: ReceivedMessage) -> ReceivedMessage:
    return replace(record, receives=record.receives + 1)


def _note(samples: dict[str, list[tuple[float, float]]], time: float, output: str) -> None:
    for line in lines(output):
        for metric in line.get("_aws", {}).get("CloudWatchMetrics", [{}])[0].get("Metrics", []):
            values = line[metric["Name"]]
            samples[f"{metric['Name']} {line['service']}"] += [(time, value) for value in values]


def each(seconds: float, of: str, value: float, *, since: float = 0, until: float = HOUR) -> Samples:
    """Return a metric with one value at regular times."""
    return {of: [(time, value) for time in range(round(since), round(until), round(seconds))]}


def dead_letters(days: float, *there: tuple[float, float], held: tuple[float, float] = (0, 0)) -> Samples:
    """Return the counts of a DeadLetterQueue that has a dead letter during the periods `there`, in days.

    A person reads it daily at noon, which hides it for ten minutes, and a program hides it during the period `held`.
    """
    visible: list[tuple[float, float]] = []
    hidden: list[tuple[float, float]] = []
    for time in range(0, round(days * DAY), MINUTE):
        letter = any(start * DAY <= time < end * DAY for start, end in there)
        at_noon = DAY / 2 <= time % DAY < DAY / 2 + 10 * MINUTE
        is_hidden = letter and (at_noon or held[0] * DAY <= time < held[1] * DAY)
        visible.append((time, letter and not is_hidden))
        if is_hidden:
            hidden.append((time, 1))  # SQS reports this count only while it is not zero
    return {f"{VISIBLE} DeadLetterQueue": visible, f"{HIDDEN} DeadLetterQueue": hidden}


def latency(seconds: Callable[[int], float]) -> Samples:
    """Return the response times at one request per second, by the number of the request."""
    return {"Latency Api": [(number, seconds(number) * 1000) for number in range(30 * MINUTE)]}


EVERY_MINUTE = range(0, 3 * HOUR, MINUTE)


@dataclass(frozen=True)
class Situation:
    """A situation, the samples that metrics then have, and whether the alarm fires."""

    alarm: str
    text: str
    fires: bool
    make_samples: Callable[[], Samples]

    @cached_property
    def samples(self) -> Samples:
        return self.make_samples()


SITUATIONS = [
    Situation("DeadLettersAlarm", "a dead letter arrives", True, lambda: dead_letters(1, (0.1, 1))),
    Situation("DeadLettersAlarm", "there is no dead letter", False, lambda: dead_letters(1)),
    Situation(
        "DeadLettersExpiringAlarm",
        "a dead letter stays, is read daily, and is hidden by a program for two days",
        True,
        lambda: dead_letters(8, (0.3, 8), held=(2, 4)),
    ),
    Situation(
        "DeadLettersExpiringAlarm",
        "each dead letter stays for three days at most",
        False,
        lambda: dead_letters(9, (0.3, 3), (5, 8)),
    ),
    Situation(
        "OldestDeliveryAlarm",
        "Loops is down for six hours, and one delivery waits",
        True,
        lambda: retry_queue(DOWN, arrivals=[0], until=6 * HOUR),
    ),
    Situation(
        "OldestDeliveryAlarm",
        "Loops answers 429 for six hours, and one delivery waits",
        True,
        lambda: retry_queue(TOO_FAST, arrivals=[0], until=6 * HOUR),
    ),
    Situation(
        "OldestDeliveryAlarm",
        "Loops is down for ten attempts while deliveries come in",
        False,
        lambda: retry_queue(*[DOWN] * 10, DONE, arrivals=EVERY_MINUTE, until=3 * HOUR),
    ),
    Situation(
        "OldestDeliveryAlarm",
        "a dead letter of last week is redriven",
        False,
        lambda: retry_queue(DONE, arrivals=[0], until=HOUR, received=NOW - 7 * DAY),
    ),
    Situation(
        "RetryQueueAgeAlarm",
        "redelivery stops while deliveries come in",
        True,
        lambda: retry_queue(DOWN, arrivals=EVERY_MINUTE, until=3 * HOUR, stops_at=HOUR),
    ),
    Situation(
        "RetryQueueAgeAlarm",
        "Loops is down for six hours, and redelivery works",
        False,
        lambda: retry_queue(DOWN, arrivals=EVERY_MINUTE, until=6 * HOUR),
    ),
    Situation(
        "RetryQueueStuckAlarm",
        "redelivery stops in an outage, and nothing else comes in",
        True,
        lambda: retry_queue(DOWN, arrivals=[0, 60], until=6 * HOUR, stops_at=HOUR),
    ),
    Situation(
        "RetryQueueStuckAlarm",
        "Loops is down for six hours, and redelivery works",
        False,
        lambda: retry_queue(DOWN, arrivals=range(25, 6 * HOUR, 10 * MINUTE), until=6 * HOUR),
    ),
    Situation("ApiErrorsAlarm", "every request is answered 503", True, lambda: each(MINUTE, "5xx Api", 1)),
    Situation(
        "ApiErrorsAlarm", "one request in ten minutes is answered 503", False, lambda: each(10 * MINUTE, "5xx Api", 1)
    ),
    Situation(
        "LatencyAlarm",
        "one response in fifty takes 3.9 s",
        True,
        lambda: latency(lambda n: 3.9 if n % 50 == 0 else 0.2),
    ),
    Situation(
        "LatencyAlarm",
        "one response in 250 takes 3.9 s",
        False,
        lambda: latency(lambda n: 3.9 if n % 250 == 0 else 0.2),
    ),
    *(
        situation
        for function in ("ContactUpsert", "SendEvent", "SegmentWebhook", "Redelivery")
        for situation in (
            Situation(
                f"{function}ErrorsAlarm",
                "the function raises once",
                True,
                lambda function=function: {f"Errors {function}Function": [(60, 0), (120, 1), (180, 0)]},
            ),
            Situation(
                f"{function}ErrorsAlarm",
                "the function raises nothing",
                False,
                lambda function=function: each(MINUTE, f"Errors {function}Function", 0),
            ),
        )
    ),
    Situation(
        "ThrottlesAlarm",
        "one function is throttled all the time",
        True,
        lambda: each(MINUTE, "Throttles SendEventFunction", 2) | each(MINUTE, "Throttles RedeliveryFunction", 0),
    ),
    Situation(
        "ThrottlesAlarm",
        "a function is throttled in one minute",
        False,
        lambda: {"Throttles SendEventFunction": [(60, 0), (120, 9), (180, 0)]},
    ),
    Situation("ApiKeyRefusedAlarm", "Loops answers 401", True, lambda: {"ApiKeyRefused send_event": [(60, 1)]}),
    Situation("ApiKeyRefusedAlarm", "Loops answers 503", False, lambda: {"Queued send_event": [(60, 1)]}),
    Situation(
        "LedgerUnavailableAlarm",
        "DynamoDB is down for ten minutes, and an event comes in every minute",
        True,
        lambda: each(MINUTE, "LedgerUnavailable send_event", 1, since=10 * MINUTE, until=20 * MINUTE),
    ),
    Situation(
        "LedgerUnavailableAlarm",
        "DynamoDB does not answer once",
        False,
        lambda: {"LedgerUnavailable send_event": [(60, 1)]},
    ),
    Situation(
        "RateLimitedAlarm",
        "others use the whole limit, and an event comes in every minute",
        True,
        lambda: retry_queue(TOO_FAST, arrivals=EVERY_MINUTE, until=HOUR),
    ),
    Situation(
        "RateLimitedAlarm", "one response a minute is 429", False, lambda: each(MINUTE, "RateLimited redelivery", 1)
    ),
    Situation(
        "BadSignatureAlarm",
        "no request from Segment verifies",
        True,
        lambda: each(MINUTE, "BadSignature send_event", 1),
    ),
    Situation(
        "BadSignatureAlarm",
        "a stranger sends a request now and then",
        False,
        lambda: each(10 * MINUTE, "BadSignature send_event", 1),
    ),
    *(
        situation
        for metric in ("UnsignedBatchItems", "NotStored", "SecretNotSetUp", "SecretUnavailable")
        for situation in (
            Situation(
                f"{metric}Alarm",
                "it happens once",
                True,
                lambda metric=metric: {f"{metric} segment_webhook": [(60, 1)]},
            ),
            Situation(
                f"{metric}Alarm", "every delivery succeeds", False, lambda: each(MINUTE, "Delivered segment_webhook", 1)
            ),
        )
    ),
]


@pytest.fixture(scope="module")
def stack() -> Stack:
    return Stack.read()


@pytest.mark.parametrize(
    "situation", SITUATIONS, ids=[f"{each.alarm}-{each.text.replace(' ', '-')}" for each in SITUATIONS]
)
@pytest.mark.parametrize("looks_back", RANGES)
def test_each_alarm_fires_when_it_should_and_only_then(situation: Situation, looks_back: int, stack: Stack) -> None:
    """By CloudWatch's rules the alarm fires in the situation, or stays silent."""
    alarm = Alarm(stack.properties(situation.alarm), looks_back=looks_back)
    assert alarm.fires(situation.samples) is situation.fires


def test_every_alarm_has_its_situations(stack: Stack) -> None:
    """Every alarm has a situation in which it fires, and one in which it does not."""
    alarms = set(stack.of_type(ALARM))
    for fires_there in (True, False):
        assert {each.alarm for each in SITUATIONS if each.fires is fires_there} == alarms


BAD, GOOD, MISSING = 1.0, 0.0, None


@pytest.mark.parametrize(
    ("datapoints", "to_alarm", "if_breaching", "if_not_breaching"),
    [
        ([GOOD, MISSING, BAD, MISSING, BAD], 3, False, False),
        ([GOOD, MISSING, MISSING, MISSING, MISSING], 3, False, False),
        ([MISSING] * 5, 3, True, False),
        ([GOOD, BAD, BAD, MISSING, BAD], 3, True, True),
        ([MISSING, MISSING, BAD, MISSING, MISSING], 3, True, False),
        ([GOOD, MISSING, BAD, MISSING, BAD], 2, True, True),
        ([GOOD, GOOD, BAD, GOOD, BAD], 2, True, True),
        ([GOOD, MISSING, BAD, MISSING, MISSING], 2, True, False),
        ([MISSING, MISSING, MISSING, MISSING, GOOD], 2, True, False),
        ([MISSING, MISSING, MISSING, BAD, MISSING], 2, True, False),
    ],
)
def test_missing_datapoints_are_treated_as_cloudwatch_documents(
    datapoints: list[float | None], to_alarm: int, if_breaching: bool, if_not_breaching: bool
) -> None:
    """The evaluation agrees with both tables in CloudWatch's documentation."""
    settings: dict[str, Any] = {"evaluated": 3, "to_alarm": to_alarm, "threshold": 1}
    assert fires(datapoints, **settings, missing_breaches=True) is if_breaching
    assert fires(datapoints, **settings) is if_not_breaching

"""The letters that the options mean, while nobody else has them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from local.cli.errors import CommandError
from local.cli.stacks import Queues, aws_errors, find_queues
from local.cli.terminal import Progress, number, progress, tell
from local.dead_letters import Choice, DeadLetters, DeadLettersError, Letter, by_delivery, choose
from loops_destination.clock import Clock, SystemClock

Delivery = Sequence[Letter]
"""The letters of one delivery: more than one where some are duplicates."""

CLOCK: Clock = SystemClock()


@dataclass(frozen=True, slots=True)
class Found:
    """The chosen deliveries, the oldest first, among so many letters in all."""

    dead_letters: DeadLetters
    queues: Queues
    deliveries: Sequence[Delivery]
    total: int

    @property
    def letters(self) -> list[Letter]:
        return [letter for delivery in self.deliveries for letter in delivery]


@contextmanager
def chosen(options: argparse.Namespace, *, with_duplicates: bool = False) -> Iterator[Found]:
    """What is chosen, `with_duplicates` also the duplicates that are not; others see it again when the context ends."""
    queues = find_queues(options)
    dead_letters = DeadLetters(queues.sqs, queues.dead_letter_queue_url, queues.retry_queue_url)
    with _queue_errors(queues), progress() as line, dead_letters.opened(_telling(line)) as letters:
        line.clear()
        if dead_letters.elsewhere:
            tell(f"About {number(dead_letters.elsewhere, 'letter')} more: another program looks at them now.")
        now, choice = CLOCK.time(), _choice(options)
        wanted = [letter for letter in letters if choice.takes(letter, now)]
        deliveries = choose(letters, choice, now) if with_duplicates else by_delivery(wanted)
        yield Found(dead_letters, queues, deliveries[: getattr(options, "limit", None)], len(letters))


def _telling(line: Progress) -> Callable[[int], None]:
    return lambda count: line.show(f"{number(count, 'letter')} looked at")


def _choice(options: argparse.Namespace) -> Choice:
    return Choice(
        reasons=options.reason,
        actions=options.action,
        subscriptions=options.subscription,
        user_ids=options.user_id,
        keys=options.key,
        older_than=options.older_than,
    )


@contextmanager
def _queue_errors(queues: Queues) -> Iterator[None]:
    try:
        with aws_errors(queues.dead_letter_queue_url):
            yield
    except DeadLettersError as error:
        raise CommandError(f"{error}; run the command again") from None

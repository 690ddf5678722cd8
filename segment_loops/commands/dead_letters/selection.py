"""The dead letters that the options select, held for this program while it works with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from loops_destination.clock import Clock, SystemClock
from segment_loops.command_errors import CommandError, MisusedError
from segment_loops.console import notify, number, progress
from segment_loops.dead_letter_queue import DeadLetter, DeadLetterQueue, Selection, SqsFailed, by_delivery, select
from segment_loops.deployed_stack import (
    AwsAccount,
    StackQueues,
    aws_errors,
    find_stack,
    local_queues,
    named_stack,
    queues_at,
)

CLOCK: Clock = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The options that say where the dead letters are."""

    stack: str | None
    config_env: str | None
    local: bool
    aws_port: int
    dead_letter_queue_url: str | None
    retry_queue_url: str | None
    region: str | None
    profile: str | None

    def queues(self) -> StackQueues:
        """Return the queues; raise `CommandError` if the options contradict one another or name nothing that exists."""
        if sum(map(bool, (self.stack or self.config_env, self.local, self.dead_letter_queue_url))) > 1:
            raise MisusedError("Pass only one of --stack, --local and --dead-letter-queue-url.")
        if self.local:
            return local_queues(self.aws_port)
        account = AwsAccount(self.region, self.profile)
        if self.dead_letter_queue_url:
            return queues_at(account, self.dead_letter_queue_url, self.retry_queue_url or "")
        return find_stack(account, named_stack(self.stack, self.config_env)).queues()


@dataclass(frozen=True, slots=True)
class SelectedDeadLetters:
    """The selected deliveries, the oldest first, each with its dead letters; `total` counts all dead letters read."""

    queue: DeadLetterQueue
    rate: float
    deliveries: Sequence[Sequence[DeadLetter]]
    total: int

    @property
    def dead_letters(self) -> list[DeadLetter]:
        return [dead_letter for delivery in self.deliveries for dead_letter in delivery]


@contextmanager
def opened(
    place: Place, selection: Selection, *, limit: int | None = None, with_duplicates: bool = False
) -> Iterator[SelectedDeadLetters]:
    """Yield the selected dead letters; other readers see those that are left once the context ends.

    `limit` counts deliveries. With `with_duplicates`, a delivery includes duplicates that the selection leaves out.
    """
    queues = place.queues()
    queue = DeadLetterQueue(queues.sqs, queues.dead_letter_queue_url, queues.retry_queue_url)
    with _queue_errors(queues), ExitStack() as reading:
        with progress("Reading dead letters") as show_count:
            found = reading.enter_context(queue.opened(show_count))
        if queue.held_elsewhere:
            notify(
                f"About {number(queue.held_elsewhere, 'dead letter')} more cannot be read now: another program has them."
            )
        now = CLOCK.time()
        selected = [each for each in found if selection.includes(each, now)]
        deliveries = select(found, selection, now) if with_duplicates else by_delivery(selected)
        yield SelectedDeadLetters(queue, queues.rate, deliveries[:limit], len(found))


@contextmanager
def _queue_errors(queues: StackQueues) -> Iterator[None]:
    try:
        with aws_errors(queues.dead_letter_queue_url):
            yield
    except SqsFailed as error:
        raise CommandError(f"{error}. Run the command again.") from None

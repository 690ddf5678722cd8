"""`redrive` and `drop`: the commands that take dead letters off their queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from loops_destination.pace import Pacer
from segment_loops.command_errors import FAILED, INTERRUPTED, CommandError
from segment_loops.commands.dead_letters.selection import CLOCK, Place, SelectedDeadLetters, opened
from segment_loops.console import confirmed, notify, number, print_json, progress, say
from segment_loops.dead_letter_queue import DeadLetter, DeadLetterQueue, RedriveResult, Selection

SPARE_SECONDS = 60
"""Seconds for which dead letters stay hidden beyond the estimated time of the work."""

_LEFT = {
    RedriveResult.NO_EVENT: "left: no event that could be delivered. See `show`, then `drop`.",
    RedriveResult.NEEDS_NEW_IDEMPOTENCY_KEY: "left: Loops may have processed the event and forgotten its idempotency key. "
    "--repeat-expired sends it again.",
    RedriveResult.TOO_OLD: "left: older than MaxEventAgeHours on arrival, as in a replay. --accept-old sends it.",
    RedriveResult.HELD_ELSEWHERE: "left: another program has it. Run the command again later.",
}


@dataclass(slots=True)
class RedriveTally:
    """The results of the deliveries redriven so far, or planned, and the number of duplicates deleted with them."""

    results: Counter[RedriveResult] = field(default_factory=Counter)
    duplicates: int = 0

    def note(self, result: RedriveResult, delivery: Sequence[DeadLetter]) -> None:
        self.results[result] += 1
        if result is RedriveResult.REDRIVEN:
            self.duplicates += len(delivery) - 1

    @property
    def left(self) -> int:
        return self.results.total() - self.results[RedriveResult.REDRIVEN]


def redrive_dead_letters(
    place: Place,
    selection: Selection,
    *,
    limit: int | None,
    rate: float | None,
    repeat: bool,
    accept_old: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Put the selected deliveries back on the RetryQueue; return 1 if any is left, 130 after Ctrl-C."""
    done = RedriveTally()
    interrupted = False
    with opened(place, selection, limit=limit, with_duplicates=True) as selected:
        plan = _planned(selected, repeat=repeat, accept_old=accept_old)
        if dry_run:
            done = plan
        elif selected.deliveries:
            repeat = repeat or _may_repeat(plan.results[RedriveResult.NEEDS_NEW_IDEMPOTENCY_KEY])
            try:
                _redrive_all(selected, done, rate or selected.rate, repeat=repeat, accept_old=accept_old)
            except KeyboardInterrupt:
                interrupted = True
    count = len(selected.deliveries)
    if as_json:
        print_json(_as_json(done, count, dry_run=dry_run))
    else:
        _report(done, count, dry_run=dry_run)
    if interrupted:
        return INTERRUPTED
    return FAILED if done.left else 0


def drop_dead_letters(
    place: Place, selection: Selection, *, limit: int | None, dry_run: bool, yes: bool, as_json: bool
) -> int:
    """Delete the selected dead letters; return 1 if any is left."""
    with opened(place, selection, limit=limit) as selected:
        count = len(selected.dead_letters)
        deleted = 0 if dry_run or not count else _drop(selected, yes=yes)
    if as_json:
        print_json({"selected": count, "dropped": deleted, "dryRun": dry_run})
    elif dry_run:
        say(f"{number(count, 'dead letter')} would be deleted.")
    else:
        say(f"{number(deleted, 'dead letter')} deleted.", "green")
    if not dry_run and deleted < count:
        notify(f"{count - deleted:,} {_LEFT[RedriveResult.HELD_ELSEWHERE]}", "yellow")
        return FAILED
    return 0


def _drop(selected: SelectedDeadLetters, *, yes: bool) -> int:
    dead_letters = selected.dead_letters
    question = f"Delete {len(dead_letters):,} of {number(selected.total, 'dead letter')}? This cannot be undone."
    if not confirmed(question, yes=yes):
        raise CommandError("Nothing was deleted. Pass --yes to delete without being asked.")
    # The person may have taken longer to answer than the dead letters were held.
    held = selected.queue.hold(dead_letters, SPARE_SECONDS)
    with progress("Deleting dead letters", len(held)) as show_count:
        selected.queue.drop(held, show_count)
    return len(held)


def _planned(selected: SelectedDeadLetters, *, repeat: bool, accept_old: bool) -> RedriveTally:
    plan, now = RedriveTally(), CLOCK.time()
    for delivery in selected.deliveries:
        plan.note(DeadLetterQueue.redrive_result(delivery, now, repeat=repeat, accept_old=accept_old), delivery)
    return plan


def _may_repeat(count: int) -> bool:
    question = (
        f"{number(count, 'event')} can only be sent under a new idempotency key.\n"
        "If Loops processed one of them before, it processes it again: contacts may get email twice. Repeat them?"
    )
    return count > 0 and confirmed(question, yes=False)


def _redrive_all(
    selected: SelectedDeadLetters, done: RedriveTally, rate: float, *, repeat: bool, accept_old: bool
) -> None:
    """Redrive one delivery after another, no faster than Loops takes them."""
    count = len(selected.deliveries)
    # Twice the time needed, so that the last dead letter is still held when its turn comes.
    selected.queue.hold(selected.dead_letters, SPARE_SECONDS + 2 * count / rate)
    pacer = Pacer(rate, CLOCK)
    with progress("Redriving", count) as show_count:
        for index, delivery in enumerate(selected.deliveries, start=1):
            planned = DeadLetterQueue.redrive_result(delivery, CLOCK.time(), repeat=repeat, accept_old=accept_old)
            if planned is RedriveResult.REDRIVEN:
                pacer.wait_for_turn(float("inf"))
            done.note(selected.queue.redrive(delivery, repeat=repeat, accept_old=accept_old), delivery)
            show_count(index)


def _report(done: RedriveTally, count: int, *, dry_run: bool) -> None:
    redriven = done.results[RedriveResult.REDRIVEN]
    would = "would be put" if dry_run else "put"
    say(f"{redriven:,} of {number(count, 'delivery', 'deliveries')} {would} back on the RetryQueue.", "green")
    if done.duplicates:
        say(f"{number(done.duplicates, 'duplicate')} {'would be ' if dry_run else ''}deleted.")
    for result, why in _LEFT.items():
        if done.results[result]:
            notify(f"{done.results[result]:,} {why}", "yellow")
    if not dry_run and (rest := count - done.results.total()):
        notify(
            f"Interrupted. {number(rest, 'delivery', 'deliveries')} not processed, and still on the DeadLetterQueue."
        )


def _as_json(done: RedriveTally, count: int, *, dry_run: bool) -> dict[str, Any]:
    return {
        "selected": count,
        "redriven": done.results[RedriveResult.REDRIVEN],
        "duplicatesDeleted": done.duplicates,
        "left": {result: done.results[result] for result in _LEFT},
        "dryRun": dry_run,
    }

"""What takes letters away: `redrive` and `drop`."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from local.cli.dead_letters.chosen import CLOCK, Delivery, Found, chosen
from local.cli.errors import FAILED, INTERRUPTED, CommandError, UsageError
from local.cli.terminal import Style, age, confirmed, number, print_json, progress, say, tell
from local.dead_letters import DeadLetters, Fate
from loops_destination.pace import Pacer

SPARE_SECONDS = 60
"""What letters stay hidden for beyond the time that the work takes."""

_LEFT = {
    Fate.NO_EVENT: "left for holding no event that could be delivered: `show`, then `drop`",
    Fate.NEEDS_NEW_IDEMPOTENCY_KEY: "left because Loops may have taken the event and forgotten its key: --repeat-expired sends it, a second time if so",
    Fate.TOO_OLD: "left because they were older than MaxEventAgeHours when they came, as in a replay: --accept-old sends them",
    Fate.HELD_ELSEWHERE: "left because another program has it now: run the command again later",
}


@dataclass(slots=True)
class Redrive:
    """What has come of the chosen deliveries so far."""

    fates: Counter[Fate] = field(default_factory=Counter)
    duplicates: int = 0

    def note(self, fate: Fate, delivery: Delivery) -> None:
        """Takes in what became of one."""
        self.fates[fate] += 1
        if fate is Fate.REDRIVEN:
            self.duplicates += len(delivery) - 1

    @property
    def left(self) -> int:
        return self.fates.total() - self.fates[Fate.REDRIVEN]


def redrive(options: argparse.Namespace) -> int:
    """Puts the chosen letters back on the RetryQueue."""
    if options.dead_letter_queue_url and not options.retry_queue_url:
        raise UsageError("add --retry-queue-url: the letters go back there")
    done = Redrive()
    interrupted = False
    with chosen(options, with_duplicates=True) as found:
        plan = _planned(found, repeat=options.yes or options.repeat_expired, accept_old=options.accept_old)
        if options.dry_run:
            done = plan
        elif found.deliveries:
            repeat = _may_repeat(plan.fates[Fate.NEEDS_NEW_IDEMPOTENCY_KEY], options)
            try:
                rate = options.rate or found.queues.rate
                _redrive_all(found, done, rate, repeat=repeat, accept_old=options.accept_old)
            except KeyboardInterrupt:
                interrupted = True
    _report(options, done, len(found.deliveries))
    if interrupted:
        return INTERRUPTED
    return FAILED if done.left else 0


def drop(options: argparse.Namespace) -> int:
    """Deletes the chosen letters."""
    with chosen(options) as found:
        letters = found.letters
        deleted = 0 if options.dry_run or not letters else _drop(found, yes=options.yes)
    if options.json:
        print_json({"chosen": len(letters), "dropped": deleted, "dryRun": options.dry_run})
    elif options.dry_run:
        print(f"{number(len(letters), 'letter')} would be deleted.")
    else:
        print(f"{number(deleted, 'letter')} deleted.")
    if not options.dry_run and deleted < len(letters):
        tell(f"{len(letters) - deleted:,} {_LEFT[Fate.HELD_ELSEWHERE]}.", Style.YELLOW)
        return FAILED
    return 0


def _drop(found: Found, *, yes: bool) -> int:
    """How many were deleted."""
    what = number(len(found.letters), "letter")
    if not confirmed(f"Delete {what} of {found.total:,} for good?", yes=yes):
        raise CommandError("nothing was deleted; --yes deletes without asking")
    with progress() as line:
        line.show(f"deleting {what}")
        # The answer may have taken longer than the letters are hidden.
        held = found.dead_letters.hold(found.letters, SPARE_SECONDS)
        found.dead_letters.drop(held)
    return len(held)


def _planned(found: Found, *, repeat: bool, accept_old: bool) -> Redrive:
    """What a redrive would do now."""
    plan, now = Redrive(), CLOCK.time()
    for delivery in found.deliveries:
        plan.note(DeadLetters.fate(delivery, now, repeat=repeat, accept_old=accept_old), delivery)
    return plan


def _may_repeat(count: int, options: argparse.Namespace) -> bool:
    if options.yes or options.repeat_expired:
        return True
    question = (
        f"{number(count, 'event')} can only be sent under a new key.\n"
        "If Loops took one of them before, it takes it a second time: people may be mailed twice. Repeat them?"
    )
    return count > 0 and confirmed(question, yes=False)


def _redrive_all(found: Found, done: Redrive, rate: float, *, repeat: bool, accept_old: bool) -> None:
    """One after the other, no faster than Loops takes them."""
    count = len(found.deliveries)
    # Twice the time that it takes, so that the last letter is still ours when its turn comes.
    found.dead_letters.hold(found.letters, SPARE_SECONDS + 2 * count / rate)
    pacer = Pacer(rate, CLOCK)
    with progress() as line:
        for index, delivery in enumerate(found.deliveries):
            line.show(f"{index:,} of {number(count, 'letter')} put back, {age((count - index) / rate)} left")
            if DeadLetters.fate(delivery, CLOCK.time(), repeat=repeat, accept_old=accept_old) is Fate.REDRIVEN:
                pacer.wait_for_turn(float("inf"))
            done.note(found.dead_letters.redrive(delivery, repeat=repeat, accept_old=accept_old), delivery)


def _report(options: argparse.Namespace, done: Redrive, count: int) -> None:
    redriven = done.fates[Fate.REDRIVEN]
    if options.json:
        print_json(_as_json(done, count, dry_run=options.dry_run))
        return
    would = "would go" if options.dry_run else "went"
    say(f"{redriven:,} of {number(count, 'delivery', 'deliveries')} {would} back to the RetryQueue.", Style.GREEN)
    if done.duplicates:
        print(f"{number(done.duplicates, 'duplicate')} {'would be' if options.dry_run else 'were'} removed.")
    for fate, why in _LEFT.items():
        if done.fates[fate]:
            tell(f"{done.fates[fate]:,} {why}.", Style.YELLOW)
    if not options.dry_run and (rest := count - done.fates.total()):
        tell(f"Interrupted: the other {rest:,} are as they were.")


def _as_json(done: Redrive, count: int, *, dry_run: bool) -> dict[str, Any]:
    return {
        "chosen": count,
        "redriven": done.fates[Fate.REDRIVEN],
        "duplicatesRemoved": done.duplicates,
        "left": {fate: done.fates[fate] for fate in _LEFT},
        "dryRun": dry_run,
    }

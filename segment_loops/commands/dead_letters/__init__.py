"""`dead-letters`: list, show, redrive, drop and export the deliveries that need a person."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loops_destination.actions import ACTIONS
from loops_destination.outcomes import Reason
from segment_loops.command_errors import MisusedError
from segment_loops.commands.options import (
    RATE,
    Command,
    Duration,
    SuggestingChoice,
    aws_options,
    json_option,
    options,
    stack_options,
)
from segment_loops.local_addresses import AWS_PORT

if TYPE_CHECKING:
    from segment_loops.commands.dead_letters.selection import Place
    from segment_loops.dead_letter_queue import Selection

_PLACE_OPTIONS = options(
    stack_options,
    click.option("--local", is_flag=True, help="The stack that `make run` started on this machine."),
    click.option(
        "--aws-port",
        metavar="PORT",
        type=click.IntRange(1, 65535),
        default=AWS_PORT,
        show_default=True,
        help="With --local: the port of its AWS.",
    ),
    click.option("--dead-letter-queue-url", metavar="URL", help="A DeadLetterQueue by its URL."),
    click.option("--retry-queue-url", metavar="URL", help="With --dead-letter-queue-url: its RetryQueue."),
    aws_options,
)

_SELECTION_OPTIONS = options(
    click.option(
        "--reason", multiple=True, type=SuggestingChoice("reason", Reason), help="Only this reason, as `list` shows it."
    ),
    click.option("--subscription", multiple=True, metavar="ID", help="Only this subscription (its id)."),
    click.option("--action", multiple=True, type=SuggestingChoice("action", ACTIONS), help="Only this action."),
    click.option("--user-id", multiple=True, metavar="ID", help="Only events with this userId."),
    click.option("--idempotency-key", multiple=True, metavar="UUID", help="Only this delivery, as `show` shows it."),
    click.option(
        "--older-than",
        type=Duration(),
        default=0.0,
        metavar="TIME",
        help="Only events that arrived at least this long ago: 30m, 2h, 3d.",
    ),
)

_limit_option = click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), help="At most N deliveries, the oldest first."
)
_dry_run_option = click.option("--dry-run", is_flag=True, help="Only print what would be done.")


def _selecting(command: Command) -> Command:
    """Add the options that name a stack and select dead letters; the command receives `place` and `selection`."""

    @functools.wraps(command)
    def collected(**given: Any) -> int:
        # boto3 is slow to import, so that only commands that need AWS import it.
        from segment_loops.commands.dead_letters.selection import Place
        from segment_loops.dead_letter_queue import Selection

        place = Place(**{name: given.pop(name) for name in Place.__dataclass_fields__})
        selection = Selection(
            reasons=given.pop("reason"),
            actions=given.pop("action"),
            subscriptions=given.pop("subscription"),
            user_ids=given.pop("user_id"),
            idempotency_keys=given.pop("idempotency_key"),
            older_than=given.pop("older_than"),
        )
        return command(place=place, selection=selection, **given)

    return options(_SELECTION_OPTIONS, _PLACE_OPTIONS, json_option)(collected)


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show, redrive, drop and export dead letters.

    Dead letters are deliveries that need a person. Reading hides them from other readers for a moment, but never loses
    one. docs/operations.md says what to do about each reason.
    """


@dead_letters.command("list")
@_selecting
def list_(*, place: Place, selection: Selection, as_json: bool) -> int:
    """Count dead letters by reason, action and subscription.

    Options that select dead letters may be given several times; without any, all are counted.
    """
    from segment_loops.commands.dead_letters.list_show_export import list_dead_letters

    return list_dead_letters(place, selection, as_json=as_json)


@dead_letters.command()
@_selecting
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), default=20, show_default=True, help="At most N deliveries."
)
def show(*, place: Place, selection: Selection, limit: int, as_json: bool) -> int:
    """Show dead letters in full.

    They contain whole events, and therefore personal data.
    """
    from segment_loops.commands.dead_letters.list_show_export import show_dead_letters

    return show_dead_letters(place, selection, limit=limit, as_json=as_json)


@dead_letters.command()
@click.argument("file", type=click.Path(path_type=Path))
@_selecting
@click.option("--force", is_flag=True, help="Overwrite the file.")
def export(file: Path, *, place: Place, selection: Selection, force: bool, as_json: bool) -> int:
    """Write dead letters to a file, as JSON lines.

    None is deleted. FILE is a new file that only you may read, because dead letters contain whole events and therefore
    personal data; - is standard output.
    """
    from segment_loops.commands.dead_letters.list_show_export import export_dead_letters

    return export_dead_letters(place, selection, file, force=force, as_json=as_json)


@dead_letters.command()
@_selecting
@_limit_option
@_dry_run_option
@click.option(
    "--rate", metavar="N", type=RATE, help="Deliveries a second.  [default: the stack's LoopsRequestsPerSecond]"
)
@click.option(
    "--repeat-expired", is_flag=True, help="Also repeat events that need a new idempotency key, without asking."
)
@click.option("--accept-old", is_flag=True, help="Also send events that were too old on arrival (too-old).")
@click.option("--yes", is_flag=True, help="The same as --repeat-expired.")
def redrive(
    *,
    place: Place,
    selection: Selection,
    limit: int | None,
    dry_run: bool,
    rate: float | None,
    repeat_expired: bool,
    accept_old: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Put dead letters back on the RetryQueue.

    They are delivered under today's mappings and API key. Each is deleted only once it is on the RetryQueue, so a redrive
    can be interrupted and run again. Duplicates of a delivery go back once.

    Loops remembers an event's idempotency key for 24 hours. An older event, or one whose idempotency key is used up, goes
    back under a new idempotency key, and only if you agree: if Loops did process the event, it processes it a second
    time.
    """
    from segment_loops.commands.dead_letters.redrive_drop import redrive_dead_letters

    if place.dead_letter_queue_url and not place.retry_queue_url:
        raise MisusedError("Pass --retry-queue-url too: dead letters are put back there.")
    repeat = yes or repeat_expired
    return redrive_dead_letters(
        place, selection, limit=limit, rate=rate, repeat=repeat, accept_old=accept_old, dry_run=dry_run, as_json=as_json
    )


@dead_letters.command()
@_selecting
@_limit_option
@_dry_run_option
@click.option("--yes", is_flag=True, help="Delete without asking.")
def drop(*, place: Place, selection: Selection, limit: int | None, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Delete dead letters. This cannot be undone."""
    from segment_loops.commands.dead_letters.redrive_drop import drop_dead_letters

    return drop_dead_letters(place, selection, limit=limit, dry_run=dry_run, yes=yes, as_json=as_json)

"""`trace`: the timeline of an event, or of a user's events, in a deployed stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from segment_loops.command_errors import FAILED, CommandError, MisusedError
from segment_loops.commands.options import Duration, aws_options, json_option, stack_options
from segment_loops.console import add_row, confirmed, notify, number, print_json, printable, say, show, table

if TYPE_CHECKING:
    from segment_loops.dead_letter_queue import DeadLetter
    from segment_loops.delivery_trace import TracedDelivery
    from segment_loops.deployed_stack import DeployedStack
    from segment_loops.log_search import LogSearch, Period


@click.command()
@click.argument("message_id", required=False)
@click.option("--user-id", metavar="ID", help="Trace every event of this userId instead.")
@stack_options
@click.option(
    "--since",
    type=Duration(),
    default=86400.0,
    metavar="TIME",
    help="Search the log from this long ago: 30m, 2h, 3d.  [default: 1d]",
)
@click.option("--yes", is_flag=True, help="Search without asking, however large the log is.")
@click.option(
    "--dead-letters",
    "with_dead_letters",
    is_flag=True,
    help="Read the DeadLetterQueue too, which hides its messages from other readers for a moment.",
)
@aws_options
@json_option
def trace(
    *,
    message_id: str | None,
    user_id: str | None,
    stack: str | None,
    config_env: str | None,
    since: float,
    yes: bool,
    with_dead_letters: bool,
    region: str | None,
    profile: str | None,
    as_json: bool,
) -> int:
    """Show what happened to an event.

    Prints each attempt, the dead letters and the redrives. Searches the log of a deployed stack with CloudWatch Logs
    Insights, which AWS bills by the size of the log; the size and the price are printed first. Changes nothing. The log
    holds neither event names nor emails, and users only as hashes.

    Exit status: 0 found, 1 nothing was found or something failed, 2 the command was misused.
    """
    from segment_loops.delivery_trace import is_hashed, of_message, of_user
    from segment_loops.delivery_trace import trace as traced
    from segment_loops.deployed_stack import AwsAccount, find_stack, named_stack
    from segment_loops.log_search import LogSearch, size
    from segment_loops.timestamps import timestamp

    if bool(message_id) is bool(user_id):
        raise MisusedError("Pass a messageId or --user-id.")
    found = find_stack(AwsAccount(region, profile), named_stack(stack, config_env))
    if user_id:
        condition, what = of_user(user_id, found.hash_keys()), "this userId"
    else:
        keys = found.hash_keys() if is_hashed(message_id or "") else []
        condition, what = of_message(message_id or "", keys), f"the messageId {message_id}"
    period = _period_since(since)
    search = LogSearch.of(found)
    _agree_to_search(search, period, found.name, yes=yes)
    answer = search.search(condition, period)
    letters = _dead_letters(found, message_id, user_id) if with_dead_letters else None
    deliveries = traced(answer.lines, letters)
    if as_json:
        print_json(
            {
                "stack": found.name,
                "since": timestamp(period.start),
                "until": timestamp(period.end),
                "scannedBytes": answer.scanned,
                "complete": answer.is_complete,
                "deliveries": [each.as_json() for each in deliveries],
            }
        )
    else:
        _show(deliveries)
    if not deliveries:
        notify(_nothing_found(found, what, period), "yellow")
        return FAILED
    if not answer.is_complete:
        notify("There are more lines than Logs Insights returns. Pass a shorter --since.", "yellow")
    if not as_json:
        notify(f"{size(answer.scanned)} scanned.", "dim")
    return 0


def _period_since(seconds: float) -> Period:
    from loops_destination.clock import SystemClock
    from segment_loops.log_search import Period

    now = SystemClock().time()
    return Period(now - seconds, now)


def _agree_to_search(search: LogSearch, period: Period, stack: str, *, yes: bool) -> None:
    """Print how much the search scans and what it costs; ask before a large one, and raise `CommandError` after a no."""
    from segment_loops.log_search import ASK_ABOVE_BYTES, price

    scanned = search.estimate(period)
    notify(f"Searching the log of {stack} since {_minute(period.start)}: {price(scanned)}.", "dim")
    if scanned > ASK_ABOVE_BYTES and not confirmed("Run this search?", yes=yes):
        raise CommandError("Nothing was searched. Pass a shorter --since, or --yes to search without being asked.")


def _dead_letters(stack: DeployedStack, message_id: str | None, user_id: str | None) -> list[DeadLetter]:
    """Return the dead letters of the event or the user."""
    from segment_loops.dead_letter_queue import DeadLetterQueue
    from segment_loops.deployed_stack import aws_errors

    queues = stack.queues()
    queue = DeadLetterQueue(queues.sqs, queues.dead_letter_queue_url)
    with aws_errors(queues.dead_letter_queue_url), queue.opened() as dead_letters:
        pass
    if queue.held_elsewhere:
        notify(f"About {number(queue.held_elsewhere, 'dead letter')} could not be read: another program has them.")
    return [
        each
        for each in dead_letters
        if (user_id is not None and each.user_id == user_id)
        or (message_id is not None and (each.event or {}).get("messageId") == message_id)
    ]


def _show(deliveries: Sequence[TracedDelivery]) -> None:
    by_event: dict[str, list[TracedDelivery]] = {}
    for each in deliveries:
        by_event.setdefault(each.event, []).append(each)
    for event, group in by_event.items():
        first = group[0]
        user = f", user {first.user}" if first.user else ""
        say(f"{printable(first.type or 'event')} {printable(event)}{user}", "bold")
        _show_timeline(group)
        for delivery in group:
            say(f"{printable(delivery.subscription or 'No subscription')}: {delivery.state}.")
        say()


def _show_timeline(deliveries: Sequence[TracedDelivery]) -> None:
    from segment_loops.delivery_trace import StepKind
    from segment_loops.timestamps import readable, timestamp

    rows = table(
        ["Time (UTC)", "Step", "Result", "Subscription", "Attempt", "Loops", "ms"],
        right=["Attempt", "Loops", "ms"],
        whole=["Time (UTC)", "Step"],
    )
    steps = [(step, each.subscription or "-") for each in deliveries for step in each.steps]
    for step, subscription in sorted(steps, key=lambda each: each[0].time):
        numbers = [
            "" if value is None else str(value) for value in (step.attempt, step.status, step.latency_ms or None)
        ]
        place = " (on the DeadLetterQueue)" if step.seen_on_queue else ""
        time = "" if step.kind is StepKind.REDRIVEN else readable(timestamp(step.time))
        add_row(rows, [time, step.kind, step.result + place, subscription, *numbers])
    show(rows)


def _minute(seconds: float) -> str:
    from segment_loops.timestamps import readable, timestamp

    return f"{readable(timestamp(seconds))[:16]} (UTC)"


def _nothing_found(stack: DeployedStack, what: str, period: Period) -> str:
    """Return the message for a trace without result, with what to check."""
    checks: list[Any] = [
        "the id: a messageId is case-sensitive, and Segment's Event Delivery shows it",
        f"the time: the log was searched since {_minute(period.start)}; --since 7d searches further back"
        + (f", and it is kept for {days} days" if (days := stack.parameters.get("LogRetentionDays")) else ""),
        "the last minute: lines can take that long to be found",
        "the shared secret: after two rotations, a user's old hashes are no longer found",
        "whether the request was denied: a denied request has no events in the log (metric BadSignature and others)",
    ]
    level = stack.parameters.get("LogLevel", "INFO")
    if level not in {"DEBUG", "INFO"}:
        checks.insert(0, f"the stack's LogLevel: {level} leaves out deliveries that went well")
    listed = "\n".join(f"  - {each}" for each in checks)
    return f"No delivery with {what} was found in the log of {stack.name}. Check:\n{listed}"

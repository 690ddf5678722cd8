"""`preview`: what becomes of an event, as Segment's event tester shows it; sent only when asked."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any

from local.cli.arguments import add_json, add_mappings
from local.cli.check import tell_problems
from local.cli.errors import FAILED, CommandError
from local.cli.events import read_events
from local.cli.loops import (
    KEY_VARIABLE,
    LOCAL_LOOPS,
    REAL_LOOPS,
    SANDBOX_KEY,
    Call,
    answer_json,
    base_url,
    is_local,
    key_from_environment,
)
from local.cli.mappings import load_entries, read_bytes, shown
from local.cli.terminal import (
    Style,
    beside,
    confirmed,
    indented,
    number,
    painted,
    pretty,
    print_json,
    printable,
    say,
)
from local.preview import Preview, Sender, previews
from loops_destination.errors import SubscriptionsError
from loops_destination.events import Arrival
from loops_destination.outcomes import Result
from loops_destination.trigger import Finding

LABEL = 11
"""Width of the column of labels."""


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "preview",
        help="what becomes of an event: which subscriptions match, and the exact request to Loops",
        description="Shows for each subscription whether it takes the event and why not, what its mapping makes of it, "
        "and the request to Loops. Nothing is sent without --send. Exit status: 1 when an event that a subscription "
        "takes cannot be delivered.",
    )
    parser.add_argument(
        "file",
        metavar="EVENT_FILE",
        help="a Segment event, a batch of them, or a file such as events/identify.json; - for standard input",
    )
    add_mappings(parser)
    add_json(parser)
    parser.add_argument(
        "--send",
        action="store_true",
        help=f"deliver it, and show Loops' answer; the real Loops needs {KEY_VARIABLE} in the environment",
    )
    parser.add_argument(
        "--loops-url",
        metavar="URL",
        help=f"with --send: where to (default: the sandbox of `make run`, {LOCAL_LOOPS}); the real one is {REAL_LOOPS}",
    )
    parser.add_argument("--yes", action="store_true", help="send to the real Loops without asking")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Previews each event under each subscription."""
    try:
        entries = load_entries(read_bytes(options.mappings))
    except SubscriptionsError as error:
        tell_problems(error.problems, f"{shown(options.mappings)} must be mended")
        return FAILED
    arrivals = read_events(options.file)
    url = base_url(options.loops_url or (LOCAL_LOOPS if options.send else REAL_LOOPS))
    sender = _sender(url, arrivals, yes=options.yes) if options.send else None
    told = []
    fails = False
    for index, arrival in enumerate(arrivals, start=1):
        found = previews(arrival, entries, url, sender)
        fails |= arrival.event is None or any(preview.fails for preview in found)
        if options.json:
            told.append(_event_as_json(arrival, found))
        else:
            _show(arrival, found, f"Event {index} of {len(arrivals)}" if len(arrivals) > 1 else "Event")
    if options.json:
        print_json({"loopsUrl": url, "sent": options.send, "events": told})
    return FAILED if fails else 0


def _sender(url: str, arrivals: Sequence[Arrival], *, yes: bool) -> Sender:
    if is_local(url):
        return Sender(url, SANDBOX_KEY)  # a real key is none of a local program's business
    key = key_from_environment()
    if not key:
        raise CommandError(f"to send to {url}, put the API key into {KEY_VARIABLE}")
    question = f"This writes {number(len(arrivals), 'event')} to the real Loops at {url}, which may mail people. Go on?"
    if not confirmed(question, yes=yes):
        raise CommandError("nothing was sent; --yes sends without asking")
    return Sender(url, key)


def _show(arrival: Arrival, found: Sequence[Preview], title: str) -> None:
    if arrival.event is None:
        say(f"{title}: {arrival.problem}; it goes to the dead letters\n", Style.RED)
        return
    event = arrival.event
    names = [f"{name} {event[name]}" for name in ("event", "userId", "messageId") if isinstance(event.get(name), str)]
    say(f"{title}: {printable(', '.join([str(event.get('type')), *names]))}", Style.BOLD)
    for preview in found:
        print()
        for line in _lines(preview):
            print(f"  {line}" if line else "")
    if not any(preview.matches for preview in found):
        print("\n  No subscription takes it: it is filtered, and answered 200.")
    print()


def _lines(preview: Preview) -> Iterator[str]:
    text = "\n".join(_parts(preview))
    yield from text.split("\n")


def _parts(preview: Preview) -> Iterator[str]:
    name = f"{printable(preview.entry.name)} ({preview.entry.action.slug})"
    if preview.matches:
        yield painted(f"{name} takes it", Style.GREEN)
    else:
        why = "is disabled" if not preview.entry.subscription.enabled else "does not take it"
        yield painted(f"{name} {why}", Style.YELLOW)
    several = len(preview.findings) > 1
    yield _block("trigger", "\n".join(_finding(each, marks=several) for each in preview.findings))
    if preview.matches:
        yield _block("mapped", pretty(preview.mapped))
    if preview.problem is not None:
        yield _block("rejected", painted(_outcome(preview.problem), Style.RED))
    if preview.call is not None:
        yield _block("request", _request(preview.call))
    if preview.result is not None:
        yield _block("answer", _answer(preview.answer))
        style = Style.RED if preview.fails else Style.GREEN
        yield _block("outcome", painted(_outcome(preview.result), style))


def _block(label: str, text: str) -> str:
    return indented(beside(label, text, LABEL), 2)


def _finding(finding: Finding, *, marks: bool) -> str:
    held = painted("yes", Style.GREEN) if finding.held else painted("no ", Style.RED)
    because = painted("  (decides)", Style.DIM) if finding.decided and marks else ""
    return f"{held}  {printable(finding.condition)}{because}"


def _request(call: Call) -> str:
    headers = [f"{name}: {value}" for name, value in call.headers.items()]
    return "\n".join([f"{call.method} {call.url}", *headers, "", pretty(json.loads(call.body))])


def _answer(call: Call | None) -> str:
    if call is None or call.answer is None:
        return "none"
    body = answer_json(call.answer.body)
    return f"{call.answer.status} {printable(body) if isinstance(body, str) else pretty(body)}"


def _outcome(result: Result) -> str:
    words = [str(result.outcome), str(result.reason or ""), printable(result.detail or "")]
    return ": ".join(word for word in words if word)


def _event_as_json(arrival: Arrival, found: Sequence[Preview]) -> dict[str, Any]:
    event = arrival.event
    if event is None:
        return {"problem": arrival.problem}
    return {
        "type": event.get("type"),
        "messageId": arrival.message_id,
        "subscriptions": [preview.as_json() for preview in found],
    }

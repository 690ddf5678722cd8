"""`preview`: show how an event is delivered, as Segment's event tester does; send it only on request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.padding import Padding
from rich.text import Text

from loops_destination.errors import SubscriptionsError
from loops_destination.events import Arrival
from loops_destination.outcomes import Result
from loops_destination.subscriptions import load_entries
from loops_destination.trigger import Finding
from segment_loops.api_key import VARIABLE, api_key_from_environment
from segment_loops.command_errors import FAILED, CommandError
from segment_loops.commands.check import tell_problems, tell_warnings, warnings_as_json
from segment_loops.commands.options import json_option, mappings_option
from segment_loops.console import confirmed, labelled, number, pretty, print_json, printable, say, show
from segment_loops.event_files import read_events
from segment_loops.event_preview import Preview, Sender, preview_event
from segment_loops.json_values import json_or_text
from segment_loops.local_addresses import LOOPS_URL
from segment_loops.loops_access import (
    REAL_LOOPS,
    SANDBOX_API_KEY,
    RecordedCall,
    base_url,
    is_on_this_machine,
)
from segment_loops.mapping_warnings import find_warnings, samples
from segment_loops.mappings_file import name_of, read_bytes, shown_path


@click.command()
@click.argument("event_file")
@mappings_option
@json_option
@click.option(
    "--send",
    is_flag=True,
    help=f"Deliver the event, and show Loops' response. The real Loops needs the API key in {VARIABLE}.",
)
@click.option(
    "--loops-url",
    metavar="URL",
    help=f"The Loops to send to.  [default: the sandbox of `make run`, {LOOPS_URL}]  The real one is {REAL_LOOPS}.",
)
@click.option("--yes", is_flag=True, help="Send to the real Loops without asking.")
def preview(event_file: str, *, mappings: Path, as_json: bool, send: bool, loops_url: str | None, yes: bool) -> int:
    """Show how an event is delivered.

    Prints for each subscription whether it matches the event and why, the mapped payload, and the exact request to
    Loops. Nothing is sent without --send. Warnings about the mappings follow.

    EVENT_FILE holds a Segment event or a batch, or is a file such as events/identify.json; - is standard input.

    Exit status: 0, or 1 if an event matches a subscription and cannot be delivered.
    """
    try:
        entries = load_entries(read_bytes(mappings))
    except SubscriptionsError as error:
        tell_problems(error.problems, f"{shown_path(mappings)} has")
        return FAILED
    arrivals = read_events(event_file)
    warnings = find_warnings(entries, [*samples(), *(each.event for each in arrivals if each.event is not None)])
    url = base_url(loops_url or (LOOPS_URL if send else REAL_LOOPS))
    sender = _sender(url, arrivals, yes=yes) if send else None
    shown = []
    fails = False
    for index, arrival in enumerate(arrivals, start=1):
        previews = [preview_event(entry, arrival, url, sender) for entry in entries if arrival.event is not None]
        fails |= arrival.event is None or any(each.fails for each in previews)
        if as_json:
            shown.append(_event_as_json(arrival, previews))
        else:
            _show(arrival, previews, f"Event {index} of {len(arrivals)}" if len(arrivals) > 1 else "Event")
    if as_json:
        print_json({"loopsUrl": url, "sent": send, "events": shown, "warnings": warnings_as_json(warnings)})
    else:
        tell_warnings(warnings)
    return FAILED if fails else 0


def _sender(url: str, arrivals: Sequence[Arrival], *, yes: bool) -> Sender:
    if is_on_this_machine(url):
        return Sender(url, SANDBOX_API_KEY)  # a local program must not see a real API key
    api_key = api_key_from_environment()
    if not api_key:
        raise CommandError(f"To send to {url}, set {VARIABLE} to the API key.")
    question = f"Send {number(len(arrivals), 'event')} to the real Loops at {url}? Contacts may get email."
    if not confirmed(question, yes=yes):
        raise CommandError("Nothing was sent. Pass --yes to send without being asked.")
    return Sender(url, api_key)


def _show(arrival: Arrival, previews: Sequence[Preview], title: str) -> None:
    if arrival.event is None:
        say(f"{title}: {printable(arrival.problem)}. It becomes a dead letter.\n", "red")
        return
    event = arrival.event
    names = [f"{name} {event[name]}" for name in ("event", "userId", "messageId") if isinstance(event.get(name), str)]
    say(f"{title}: {printable(', '.join([str(event.get('type')), *names]))}", "bold")
    for each in previews:
        say()
        say(_headline(each))
        show(Padding(labelled(list(_steps(each))), (0, 0, 0, 4), expand=False))
    if not any(each.matches for each in previews):
        say("\n  No subscription matches: the event is filtered, and answered 200.")
    say()


def _headline(preview: Preview) -> Text:
    name = f"  {printable(name_of(preview.entry))} ({preview.entry.subscription.action.slug}): "
    if preview.matches:
        return Text.assemble((name, "bold"), ("matches", "green"))
    return Text.assemble((name, "bold"), ("no match" if preview.entry.subscription.enabled else "disabled", "yellow"))


def _steps(preview: Preview) -> Iterator[tuple[str, str | Text]]:
    several = len(preview.findings) > 1
    yield "Trigger", Text("\n").join(_condition(each, mark=several) for each in preview.findings)
    if preview.matches:
        yield "Mapped", pretty(preview.mapped)
    if preview.rejection is not None:
        yield "Outcome", Text(_outcome(preview.rejection), "red")
    if preview.request is not None:
        yield "Request", _request(preview.request)
    if preview.result is not None:
        yield "Response", _response(preview.call)
        yield "Outcome", Text(_outcome(preview.result), "red" if preview.fails else "green")


def _condition(finding: Finding, *, mark: bool) -> Text:
    held = ("yes", "green") if finding.held else ("no ", "red")
    decides = "  (decides)" if finding.decided and mark else ""
    return Text.assemble(held, "  ", printable(finding.condition), (decides, "dim"))


def _request(call: RecordedCall) -> str:
    headers = [f"{name}: {value}" for name, value in call.headers.items()]
    return printable("\n".join([f"{call.method} {call.url}", *headers, "", pretty(json.loads(call.body))]))


def _response(call: RecordedCall | None) -> str:
    if call is None or call.response is None:
        return "none"
    body = json_or_text(call.response.body)
    return f"{call.response.status} {printable(body) if isinstance(body, str) else pretty(body)}"


def _outcome(result: Result) -> str:
    words = [str(result.outcome), str(result.reason or ""), printable(result.detail or "")]
    return ": ".join(word for word in words if word)


def _event_as_json(arrival: Arrival, previews: Sequence[Preview]) -> dict[str, Any]:
    event = arrival.event
    if event is None:
        return {"problem": arrival.problem}
    return {
        "type": event.get("type"),
        "messageId": arrival.message_id,
        "subscriptions": [each.as_json() for each in previews],
    }

"""Run the whole stack on this machine: `python -m local run`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
from rich.text import Text

from local.http_server import PortInUse
from local.leaping_clock import LeapingClock
from local.reports import QUEUE, NewCalls, Report, ReportTable, result_lines, result_words
from local.samples import SAMPLES_SECONDS, send_samples
from local.sandbox import Sandbox
from local.sandbox.lists import SAMPLE_LISTS
from local.stack import SHARED_SECRET, LocalStack
from local.studio_backend import attach_studio
from loops_destination.errors import SubscriptionsError
from loops_destination.signature import sign
from loops_destination.subscriptions import load_subscriptions
from segment_loops import PROJECT
from segment_loops.api_key import VARIABLE, api_key_from_environment, check_api_key
from segment_loops.command_errors import FAILED, INTERRUPTED, CommandError, MisusedError
from segment_loops.commands.check import tell_problems
from segment_loops.commands.options import mappings_option
from segment_loops.commands.program import run_program
from segment_loops.console import confirmed, console, printable
from segment_loops.local_addresses import AWS_PORT, LOOPS_PORT, WEBHOOK_PORT
from segment_loops.loops_access import REAL_LOOPS
from segment_loops.mappings_file import read_bytes, shown_path

if TYPE_CHECKING:
    from local.gateway import Exchange
    from local.runtime import Invocation

LOG = PROJECT / ".cache" / "local.log"
ENDING = "Ctrl-C stops."

_PORT = click.IntRange(0, 65535)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of `run`; a port is None unless it was given."""

    once: bool
    real: bool
    port: int | None
    loops_port: int | None
    aws_port: int | None
    loops_url: str
    bearer_token: str
    mappings: Path
    log: Path
    verbose: bool

    def port_of(self, part: str) -> int:
        """Return the port of a part: `port`, `loops_port` or `aws_port`; with --once any free one will do."""
        chosen: int | None = getattr(self, part)
        defaults = {"port": WEBHOOK_PORT, "loops_port": LOOPS_PORT, "aws_port": AWS_PORT}
        return chosen if chosen is not None else 0 if self.once else defaults[part]


@click.group()
def local() -> None:
    """The whole stack on this machine."""


@local.command()
@click.option("--once", is_flag=True, help="Stop after the samples; status 1 if one has an unexpected result.")
@click.option("--real", is_flag=True, help=f"Deliver to the real Loops with the API key in {VARIABLE}, after asking.")
@click.option("--port", type=_PORT, help=f"The webhook's and the studio's port, 0 for any.  [default: {WEBHOOK_PORT}]")
@click.option("--loops-port", type=_PORT, help=f"The sandbox's port, 0 for any.  [default: {LOOPS_PORT}]")
@click.option("--aws-port", type=_PORT, help=f"The port of the local AWS, 0 for any.  [default: {AWS_PORT}]")
@click.option("--loops-url", metavar="URL", default=REAL_LOOPS, show_default=True, help="With --real: the real Loops.")
@click.option("--bearer-token", metavar="TOKEN", default="", help="A bearer token that the webhook accepts too.")
@mappings_option
@click.option(
    "--log",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=LOG,
    help="The file for the functions' logs.  [default: .cache/local.log]",
)
@click.option("--verbose", is_flag=True, help="Print the functions' logs to standard error instead.")
def run(**given: Any) -> int:
    """Run the stack, with the samples in events/, until Ctrl-C.

    Events are delivered to a sandbox that plays Loops or, with --real, to Loops itself.
    """
    options = RunOptions(**given)
    screen = sys.stdout
    try:
        load_subscriptions(read_bytes(options.mappings))
        team = _confirmed_team(options) if options.real else None
        with _logging(options):
            return _run(options, screen, team)
    except KeyboardInterrupt:
        return INTERRUPTED if options.once else 0
    except SubscriptionsError as error:
        tell_problems(error.problems, f"{shown_path(options.mappings)} has")
        return FAILED
    except PortInUse as error:
        raise CommandError(f"{error.strerror} {_other_port(options, error.port)}") from None
    except OSError as error:
        raise CommandError(str(error)) from None


def _other_port(options: RunOptions, port: int) -> str:
    """Return advice on choosing another port than this one."""
    parts = ("port", "loops_port", "aws_port")
    part = next((part for part in parts if options.port_of(part) == port), "port")
    if part == "port":
        return "Choose another one: make run PORT=8800 (or --port 8800)."
    option = f"--{part.replace('_', '-')}"
    return f'Choose another one: make run ARGS="{option} 8800" (or {option} 8800).'


def _confirmed_team(options: RunOptions) -> str:
    """Return the Loops team of the API key once a person has agreed to deliver to it; else raise `CommandError`."""
    if options.once:
        raise MisusedError("--once only sends the samples, and they are never sent to the real Loops. Drop one option.")
    api_key = api_key_from_environment()
    if not api_key:
        raise MisusedError(f"There is no API key for the real Loops. Set {VARIABLE}.")
    check = check_api_key(options.loops_url, api_key)
    if not check.is_valid:
        raise CommandError(check.problem)
    if check.team is None:
        raise CommandError(f"Loops at {options.loops_url} did not name the API key's team, so nothing was started.")
    if not confirmed(f'Deliver events to the real Loops, team "{check.team}"? Contacts may get email.', yes=False):
        raise CommandError("Nobody agreed, so nothing was started.")
    return check.team


def _run(options: RunOptions, screen: TextIO, team: str | None) -> int:
    """Run the stack; deliver to the real Loops if `team` names a team there, else to the sandbox."""
    clock = LeapingClock(behind=SAMPLES_SECONDS if team is None else 0)
    sandbox = Sandbox(clock=clock.time, sleep=clock.sleep, lists=SAMPLE_LISTS)
    calls = NewCalls(sandbox if team is None else None)
    table = ReportTable(screen)
    live = _LiveRows(table, calls)
    stack = _stack(options, sandbox, clock)
    if not options.once:
        attach_studio(stack)
    stack.on_exchange.append(live.on_exchange)
    stack.on_invocation.append(live.on_invocation)
    for line in _destination(team):
        table.print_line(line, "")
    with stack:
        # Samples create contacts and may cause email, so they are never sent to a real team.
        good = _send_samples(stack, table, calls, clock) if team is None else True
        _print_places(stack, options, screen)
        if options.once:
            return 0 if good else FAILED
        live.on = True
        threading.Event().wait()
    return 0


def _destination(team: str | None) -> list[str]:
    if team is not None:
        return [f'Events are delivered to the real Loops, team "{printable(team)}". The samples are not sent.']
    if os.environ.get(VARIABLE):
        return [f"{VARIABLE} is not used: events are delivered to the sandbox. For the real Loops: make run REAL=1", ""]
    return []


def _stack(options: RunOptions, sandbox: Sandbox, clock: LeapingClock) -> LocalStack:
    return LocalStack(
        clock=clock,
        sandbox=sandbox,
        loops_url=options.loops_url if options.real else None,
        secret={
            "apiKey": api_key_from_environment() if options.real else sandbox.api_key,
            "sharedSecret": SHARED_SECRET,
            "bearerToken": options.bearer_token,
        },
        mappings=options.mappings,
        gateway_port=options.port_of("port"),
        loops_port=options.port_of("loops_port"),
        aws_port=options.port_of("aws_port"),
    )


def _send_samples(stack: LocalStack, table: ReportTable, calls: NewCalls, clock: LeapingClock) -> bool:
    """Send the samples and print a row for each; return True if every result is as expected.

    The clock starts behind real time, and has caught up with it afterwards.
    """
    as_expected: dict[str, bool] = {}
    table.print_headings()
    for report, expected in send_samples(stack, calls, clock.leap):
        is_met = expected.is_met_by(report, calls_are_seen=True)
        as_expected[report.name] = as_expected.get(report.name, True) and is_met
        table.print_row(report, expected="" if is_met else str(expected))
    clock.leap(max(time.time() - clock.time(), 0))
    good = all(as_expected.values())
    summary = f"\n{sum(as_expected.values())} of {len(as_expected)} samples have the expected result."
    table.print_line(summary, "green" if good else "red")
    return good


class _LiveRows:
    """Prints a row for everything that happens after the samples."""

    def __init__(self, table: ReportTable, calls: NewCalls) -> None:
        self.on = False
        self._table = table
        self._calls = calls
        self._lock = threading.Lock()

    def on_exchange(self, exchange: Exchange) -> None:
        self._print(f"{exchange.method} {exchange.path}", str(exchange.status), result_lines(exchange.body))

    def on_invocation(self, invocation: Invocation) -> None:
        """Print attempts at redelivery; `on_exchange` prints the other invocations."""
        if "Records" in invocation.event:
            staying = "all" if invocation.failed else len(invocation.payload["batchItemFailures"])
            lines = [f"{len(invocation.event['Records'])} tried, {staying} still waiting"]
            lines += [line for result in invocation.results for line in result_words(result.as_json())]
            self._print(QUEUE, "", lines)

    def _print(self, request: str, answer: str, results: Sequence[str]) -> None:
        if self.on:
            with self._lock:
                self._table.print_row(Report(time.strftime("%H:%M:%S"), request, answer, results, self._calls.take()))


def _print_places(stack: LocalStack, options: RunOptions, screen: TextIO) -> None:
    log = "standard error" if options.verbose else shown_path(options.log)
    places = [
        ("Webhook", stack.outputs["ContactsUrl"]),
        ("", stack.outputs["EventsUrl"]),
        ("", stack.outputs["SegmentUrl"]),
        ("Loops", stack.loops_url),
        *([("", f"{stack.loops.root}/sandbox/requests shows what it received")] if stack.is_sandboxed else []),
        ("SQS", stack.outputs["RetryQueueUrl"]),
        ("Logs", log),
    ]
    lines = ["", *(f"{name:8} {place}" for name, place in places)]
    out = console(screen)
    out.print(Text("\n".join(lines)), soft_wrap=True)
    if options.once:
        return
    if stack.is_sandboxed:
        out.print(Text(f"\nSend an event yourself:\n{_curl(stack)}"), soft_wrap=True)
    out.print(Text(f"\n{ENDING}"))
    out.print(Text(f"Open the studio: {stack.gateway.root}/", "bold"), soft_wrap=True)
    screen.flush()


def _curl(stack: LocalStack) -> str:
    """Return a command to paste; no quote in it needs an escape."""
    traits = {"email": "grace@example.com", "firstName": "Grace"}
    event = {"type": "identify", "messageId": str(uuid.uuid4()), "userId": "grace", "traits": traits}
    body = json.dumps(event, separators=(",", ":"))
    signature = sign(body.encode(), SHARED_SECRET)
    headers = f"-H 'Content-Type: application/json' -H 'X-Signature: {signature}'"
    return f"curl {stack.outputs['ContactsUrl']} {headers} -d '{body}'"


@contextlib.contextmanager
def _logging(options: RunOptions) -> Iterator[None]:
    """Redirect what the functions print to the log file, or to standard error."""
    if options.verbose:
        with contextlib.redirect_stdout(sys.stderr):
            yield
        return
    options.log.parent.mkdir(parents=True, exist_ok=True)
    with options.log.open("w", buffering=1) as log, contextlib.redirect_stdout(log):
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    `run` ends with 0 after Ctrl-C or, with --once, if every sample has the expected result.
    """
    return run_program(local, arguments, "python -m local")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())

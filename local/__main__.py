"""Runs the whole application on this machine: `python -m local run`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from local import PROJECT
from local.cli.api_key import check_key
from local.cli.errors import CommandError, UsageError
from local.cli.loops import KEY_VARIABLE, REAL_LOOPS, key_from_environment
from local.cli.terminal import confirmed
from local.reports import LoopsCalls, Report, outcomes
from local.samples import EXPECTED, send_samples
from local.sandbox import PortInUse, Sandbox
from local.stack import MAPPINGS, SHARED_SECRET, LocalStack
from local.table import Table
from loops_destination.errors import DefinitionError
from loops_destination.signature import sign
from loops_destination.subscriptions import load_subscriptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from local.gateway import Exchange
    from local.runtime import Invocation

LOG = PROJECT / ".cache" / "local.log"
PORTS = {"port": 8787, "loops_port": 8788, "aws_port": 8789}
"""By the option that chooses another. With --once nobody comes back to them, so any free ones do."""

INTERRUPTED = 130
"""The exit status of a program that was interrupted in what it should have finished."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 after Ctrl-C, or with --once when every sample came out as expected."""
    options = _parser().parse_args(arguments)
    console = sys.stdout
    try:
        load_subscriptions(options.mappings.read_bytes())
        team = _confirmed_team(options) if options.real else None
        with _logging(options):
            return _run(options, console, team)
    except KeyboardInterrupt:
        return INTERRUPTED if options.once else 0
    except DefinitionError as error:
        return _failed(f"{options.mappings} must be mended:\n{error}")
    except PortInUse as error:
        option = next((name for name in PORTS if _port(options, name) == error.port), "port")
        return _failed(f"{error.strerror} Choose another one with --{option.replace('_', '-')}.")
    except CommandError as error:
        return _failed(str(error), error.status)
    except OSError as error:
        return _failed(str(error))


def _confirmed_team(options: argparse.Namespace) -> str:
    """Return the Loops team of the API key, once a person has agreed to deliver to it; `CommandError` otherwise."""
    if options.once:
        raise UsageError(
            "--once only sends the samples, and they never go to the real Loops. Leave out one of the two."
        )
    key = key_from_environment()
    if not key:
        raise UsageError(f"There is no API key for the real Loops. Put it into {KEY_VARIABLE}.")
    check = check_key(options.loops_url, key)
    if not check.is_right:
        raise CommandError(check.problem)
    if check.team is None:
        raise CommandError(
            f"Loops at {options.loops_url} does not name the team of the API key, so nothing was started."
        )
    if not confirmed(f'Deliver events to the real Loops, team "{check.team}"? Contacts may get email.', yes=False):
        raise CommandError("Not confirmed at a terminal, so nothing was started.")
    return check.team


def _run(options: argparse.Namespace, console: TextIO, team: str | None) -> int:
    """Run the application; deliver to the real Loops when `team` names a team there, else to the sandbox."""
    sandbox = Sandbox()
    calls = LoopsCalls(sandbox if team is None else None)
    table = Table(console)
    live = _Live(table, calls)
    print(_destination(team), end="", file=console, flush=True)
    with _stack(options, sandbox, live) as stack:
        # The samples create contacts and may mail them, so they never go to a real team.
        good = _send(stack, table, calls) if team is None else True
        print(_places(stack, options), file=console, flush=True)
        if team is not None:
            table.head()
        if options.once:
            return 0 if good else 1
        live.on = True
        threading.Event().wait()
    return 0


def _destination(team: str | None) -> str:
    if team is not None:
        return f'Events go to the real Loops, to the team "{team}". The samples are not sent.\n'
    if os.environ.get(KEY_VARIABLE):
        return f"{KEY_VARIABLE} is not used: events go to the sandbox. For the real Loops: make run REAL=1\n\n"
    return ""


def _stack(options: argparse.Namespace, sandbox: Sandbox, live: _Live) -> LocalStack:
    return LocalStack(
        sandbox=sandbox,
        loops_url=options.loops_url if options.real else None,
        secret={
            "apiKey": key_from_environment() if options.real else sandbox.api_key,
            "sharedSecret": SHARED_SECRET,
        },
        mappings=options.mappings,
        gateway_port=_port(options, "port"),
        loops_port=_port(options, "loops_port"),
        aws_port=_port(options, "aws_port"),
        on_exchange=live.exchanged,
        on_invocation=live.invoked,
        studio=True,
    )


def _send(stack: LocalStack, table: Table, calls: LoopsCalls) -> bool:
    """Whether every sample came out as expected."""
    verdicts: list[bool] = []
    table.head()
    for report in send_samples(stack, calls):
        verdicts.append(EXPECTED[report.name].is_met_by(report, calls_are_seen=True))
        table.row(report, as_expected=verdicts[-1])
    good = all(verdicts)
    table.verdict(f"\n{sum(verdicts)} of {len(verdicts)} samples came out as expected.", good=good)
    return good


class _Live:
    """What comes after the samples, as it comes."""

    def __init__(self, table: Table, calls: LoopsCalls) -> None:
        self.on = False
        self._table = table
        self._calls = calls
        self._lock = threading.Lock()

    def exchanged(self, exchange: Exchange) -> None:
        """A request at the gateway is over."""
        self._tell(f"{exchange.method} {exchange.path}", str(exchange.status), outcomes(exchange.body))

    def invoked(self, invocation: Invocation) -> None:
        """A function was called; those that the gateway called are told of by the gateway."""
        if "Records" in invocation.event:
            staying = "all" if invocation.failed else len(invocation.payload["batchItemFailures"])
            self._tell("(RetryQueue)", "", [f"{len(invocation.event['Records'])} tried, {staying} stay"])

    def _tell(self, request: str, answer: str, lines: Sequence[str]) -> None:
        if self.on:
            with self._lock:
                self._table.row(Report(time.strftime("%H:%M:%S"), request, answer, lines, self._calls.new()))


def _places(stack: LocalStack, options: argparse.Namespace) -> str:
    log = "standard error" if options.verbose else options.log
    lines = [
        "",
        *([] if options.once else [f"Studio   {stack.gateway.root}/"]),
        f"Webhook  {stack.outputs['ContactsUrl']}  {stack.outputs['EventsUrl']}  {stack.outputs['SegmentUrl']}",
        f"Loops    {stack.loops_url}"
        + (f"  (seen: {stack.loops.root}/sandbox/requests)" if stack.is_sandboxed else ""),
        f"SQS      {stack.outputs['RetryQueueUrl']}",
        f"Logs     {log}",
    ]
    if options.once:
        return "\n".join(lines)
    return "\n".join([*lines, "", *([_curl(stack), ""] if stack.is_sandboxed else []), "Ctrl-C ends it."])


def _curl(stack: LocalStack) -> str:
    """A request to paste; no quote in it needs an escape."""
    traits = {"email": "grace@example.com", "firstName": "Grace"}
    event = {"type": "identify", "messageId": str(uuid.uuid4()), "userId": "grace", "traits": traits}
    body = json.dumps(event, separators=(",", ":"))
    signature = sign(body.encode(), SHARED_SECRET)
    headers = f"-H 'Content-Type: application/json' -H 'X-Signature: {signature}'"
    return f"curl {stack.outputs['ContactsUrl']} {headers} -d '{body}'"


@contextlib.contextmanager
def _logging(options: argparse.Namespace) -> Iterator[None]:
    """What the functions print goes to the log file, or is shown."""
    if options.verbose:
        with contextlib.redirect_stdout(sys.stderr):
            yield
        return
    options.log.parent.mkdir(parents=True, exist_ok=True)
    with options.log.open("w", buffering=1) as log, contextlib.redirect_stdout(log):
        yield


def _port(options: argparse.Namespace, name: str) -> int:
    chosen: int | None = getattr(options, name)
    return chosen if chosen is not None else 0 if options.once else PORTS[name]


def _failed(message: str, status: int = 1) -> int:
    print(message, file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="The whole application on this machine.")
    run = parser.add_subparsers(required=True).add_parser(
        "run",
        help="start it, send it the samples in events/, and serve",
        description="Events go to a sandbox that stands in for Loops, or with --real to Loops itself.",
    )
    run.add_argument("--once", action="store_true", help="end after the samples; status 1 if one came out otherwise")
    run.add_argument(
        "--real",
        action="store_true",
        help=f"deliver to the real Loops with the API key in {KEY_VARIABLE}, after asking",
    )
    run.add_argument("--port", type=int, help=f"of the webhook, 0 for any free one ({PORTS['port']})")
    run.add_argument("--loops-port", type=int, help=f"of the Loops sandbox ({PORTS['loops_port']})")
    run.add_argument("--aws-port", type=int, help=f"of SQS and Secrets Manager ({PORTS['aws_port']})")
    run.add_argument("--loops-url", default=REAL_LOOPS, help="where the real Loops is (%(default)s)")
    run.add_argument(
        "--mappings", type=Path, default=MAPPINGS, help="the subscriptions (layers/mappings/mappings.json)"
    )
    run.add_argument("--log", type=Path, default=LOG, help="file for the functions' logs (.cache/local.log)")
    run.add_argument("--verbose", action="store_true", help="show the functions' logs instead")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())

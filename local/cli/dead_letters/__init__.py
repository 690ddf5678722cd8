"""`dead-letters`: deliveries that need a person, listed, shown, put back, dropped, exported."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.cli.arguments import add_aws, add_json, duration, positive, rate

LOCAL_AWS_PORT = 8789
"""Where `make run` has its SQS."""

PERSONAL = "Letters hold whole events, and so personal data."


def add_parser(commands: Any) -> None:
    """Adds the command and its own commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "dead-letters",
        help="deliveries that need a person: list, show, redrive, drop, export",
        description="Works with the dead letters of a stack. Looking at them hides them from others for a moment; none "
        "is ever lost by it. docs/operations.md says what to do about each reason.",
    )
    own = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = _command(own, "list", "how many there are, by reason, action and subscription", "looking:list_letters")
    _add_choice(listing)
    show = _command(own, "show", f"letters in full. {PERSONAL}", "looking:show")
    _add_choice(show)
    show.add_argument("--limit", type=positive, metavar="N", default=20, help="at most so many (default: %(default)s)")
    _add_redrive(own)
    drop = _command(own, "drop", "delete letters for good", "acting:drop")
    _add_choice(drop)
    _add_caution(drop, "delete without asking")
    export = _command(
        own, "export", f"write letters to a file, as JSON lines; none is deleted. {PERSONAL}", "looking:export"
    )
    _add_choice(export)
    export.add_argument(
        "file", metavar="FILE", type=Path, help="a new file, which only you may read; - for standard output"
    )
    export.add_argument("--force", action="store_true", help="overwrite the file")


def _add_redrive(own: Any) -> None:
    redrive = _command(
        own, "redrive", "put letters back on the RetryQueue, under today's mappings and key", "acting:redrive"
    )
    redrive.description = (
        "Puts letters back on the RetryQueue as they are. Each leaves the dead letters only when the RetryQueue has it, "
        "so a redrive can be broken off and begun again; duplicates of a delivery go back once. Loops remembers an "
        "event's idempotency key for 24 hours: an older event, or one whose key was used up after a refusal, goes back "
        "under a new key, and only when you agree. A dead letter does not prove that Loops did not take the event: if it "
        "did, it takes it a second time. An event that was too old when it came goes back with --accept-old only."
    )
    _add_choice(redrive)
    _add_caution(redrive, "the same as --repeat-expired")
    redrive.add_argument(
        "--repeat-expired", action="store_true", help="also events that need a new key, without asking"
    )
    redrive.add_argument(
        "--accept-old", action="store_true", help="also events that were too old when they came (too-old), on purpose"
    )
    redrive.add_argument(
        "--rate", type=rate, metavar="N", help="letters a second (default: the stack's LoopsRequestsPerSecond, or 10)"
    )


def _command(own: Any, name: str, about: str, run: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = own.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}")
    place = parser.add_argument_group("which stack")
    queues = place.add_mutually_exclusive_group(required=True)
    queues.add_argument("--stack", metavar="NAME", help="a deployed stack, by its name")
    queues.add_argument("--local", action="store_true", help="the one of `make run` on this machine")
    queues.add_argument("--dead-letter-queue-url", metavar="URL", help="a queue, by its URL")
    place.add_argument(
        "--retry-queue-url", metavar="URL", help="with --dead-letter-queue-url: where letters go back to"
    )
    place.add_argument(
        "--aws-port", type=positive, metavar="PORT", default=LOCAL_AWS_PORT, help="with --local (default: %(default)s)"
    )
    add_aws(place)
    add_json(parser)
    parser.set_defaults(run=_imported_when_run(run))
    return parser


def _imported_when_run(place: str) -> Callable[[argparse.Namespace], int]:
    """boto3 is slow to import, and the other commands do without."""
    module, name = place.split(":")

    def run(options: argparse.Namespace) -> int:
        status: int = getattr(importlib.import_module(f"{__name__}.{module}"), name)(options)
        return status

    return run


def _add_choice(parser: argparse.ArgumentParser) -> None:
    choice = parser.add_argument_group("which letters", "Each of these can be given several times; all is the default.")
    for name, about in (
        ("reason", "why it is here, as `list` shows it"),
        ("subscription", "the subscription's id, or its name where it has none"),
        ("action", "createOrUpdateContact, sendEvent or deleteContact"),
        ("user-id", "the userId of the event"),
        ("key", "the key of one delivery, as `show` shows it"),
    ):
        choice.add_argument(
            f"--{name}", action="append", default=[], metavar=name.upper().replace("-", "_"), help=about
        )
    choice.add_argument(
        "--older-than",
        type=duration,
        default=0.0,
        metavar="TIME",
        help="the event came so long ago, or longer: 30m, 2h, 3d",
    )


def _add_caution(parser: argparse.ArgumentParser, yes: str) -> None:
    parser.add_argument("--limit", type=positive, metavar="N", help="at most so many deliveries, the oldest first")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--yes", action="store_true", help=yes)

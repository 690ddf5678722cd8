"""Arguments that several commands take."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from local.cli.mappings import MAPPINGS

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for machines")


def add_mappings(parser: argparse.ArgumentParser) -> None:
    """`--mappings FILE`."""
    parser.add_argument(
        "--mappings",
        metavar="FILE",
        type=Path,
        default=MAPPINGS,
        help="the subscriptions (default: layers/mappings/mappings.json)",
    )


def add_aws(parser: Any) -> None:
    """`--region` and `--profile`, to a parser or a group of its arguments."""
    parser.add_argument("--region", help="the stack's AWS region (default: as the AWS CLI has it)")
    parser.add_argument("--profile", help="the AWS profile (default: as the AWS CLI has it)")


def duration(text: str) -> float:
    """Seconds of `90s`, `30m`, `2h` or `3d`."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90s, 30m, 2h or 3d")
    return float(found[1]) * _SECONDS[found[2]]


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def rate(text: str) -> float:
    """A number above 0, per second."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value

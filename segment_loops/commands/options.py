"""Options and option types that several commands share."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from segment_loops.mappings_file import MAPPINGS

Command = Callable[..., int]
Decorator = Callable[[Command], Command]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)


class Duration(click.ParamType[float]):
    """A duration such as `90s`, `30m`, `2h` or `3d`, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = _DURATION.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} is not a duration. Write 90s, 30m, 2h or 3d.", param, ctx)
        return float(found[1]) * _SECONDS[found[2]]


class SuggestingChoice(click.ParamType[str]):
    """A word of a closed set; a mistyped word is answered with the closest ones."""

    def __init__(self, name: str, words: Iterable[str]) -> None:
        self.name = name
        self._words = sorted(words)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in self._words:
            return str(value)
        close = get_close_matches(value, self._words)
        advice = f"Did you mean {' or '.join(close)}?" if close else f"Use one of: {', '.join(self._words)}."
        raise click.BadParameter(f"{value!r} is not a known {self.name}. {advice}", ctx, param)


RATE = click.FloatRange(min=0, max=1000, min_open=True)
"""A number of calls a second."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

mappings_option = click.option(
    "--mappings",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=MAPPINGS,
    help="The mappings file.  [default: layers/mappings/mappings.json]",
)


def options(*given: Decorator) -> Decorator:
    """Return one decorator that adds all the options, in this order."""
    return lambda command: functools.reduce(lambda decorated, option: option(decorated), reversed(given), command)


stack_options = options(
    click.option("--stack", metavar="NAME", help="A deployed stack.  [default: the one that samconfig.toml names]"),
    click.option("--config-env", metavar="NAME", help="The section of samconfig.toml that names the stack."),
)

aws_options = options(
    click.option("--region", metavar="REGION", help="The stack's AWS region.  [default: as in the AWS CLI]"),
    click.option("--profile", metavar="NAME", help="The AWS profile.  [default: as in the AWS CLI]"),
)

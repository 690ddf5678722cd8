"""The stacks that samconfig.toml names.

`python -m segment_loops.samconfig` prints the name of the stack that `sam deploy` would deploy. It needs the standard
library only, because `make deploy` runs it without the development environment.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from segment_loops import PROJECT

CONFIG = PROJECT / "samconfig.toml"

MAX_STACK_NAME = 64
"""In characters. CloudFormation allows 128, but SQS allows 80 for `STACK-DeadLetterQueue`."""


class NoStackName(LookupError):
    """A section of samconfig.toml names no stack, or does not exist."""


def stack_name(config_env: str, config: Path = CONFIG) -> str:
    """Return the stack name in the section `config_env` of samconfig.toml; raise `NoStackName` if there is none."""
    sections = tomllib.loads(config.read_text("utf-8")).get(config_env, {})
    # In SAM a command's own parameters take precedence over the global ones.
    for command in ("deploy", "global"):
        name = sections.get(command, {}).get("parameters", {}).get("stack_name")
        if name:
            return str(name)
    raise NoStackName(f"samconfig.toml names no stack for {config_env}")


def main(arguments: Sequence[str] | None = None, config: Path = CONFIG) -> int:
    """Print the name that `sam deploy` would use; return 0 if a stack can have it, 1 otherwise."""
    options, _ = _parser().parse_known_args(arguments)
    try:
        name = options.stack_name or stack_name(options.config_env, config)
    except NoStackName as error:
        print(f"deploy: {error}: add it there, or name one with --stack-name", file=sys.stderr)
        return 1
    if len(name) > MAX_STACK_NAME:
        print(
            f"deploy: the stack name {name} has {len(name)} characters. Choose one of at most {MAX_STACK_NAME}: "
            "the names of the queues begin with it, and SQS allows 80.",
            file=sys.stderr,
        )
        return 1
    print(name)
    return 0


def _parser() -> argparse.ArgumentParser:
    """Return a parser of the options of `sam deploy` that decide the name; all other options are ignored."""
    parser = argparse.ArgumentParser(
        prog="python -m segment_loops.samconfig", description="Check and print a stack's name.", allow_abbrev=False
    )
    parser.add_argument("--config-env", default="default", help="the section of samconfig.toml (default: %(default)s)")
    parser.add_argument("--stack-name", help="the stack (default: the one that samconfig.toml names)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""The stacks that samconfig.toml names: `python -m local.samconfig` checks a name before it is deployed.

It runs on the standard library alone, because `make deploy` runs it without the development environment.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from local import PROJECT

CONFIG = PROJECT / "samconfig.toml"

MAX_STACK_NAME = 64
"""In characters. CloudFormation takes 128, but SQS takes 80 for `STACK-DeadLetterQueue`."""


class NoStackName(LookupError):
    """A section of samconfig.toml names no stack."""


def stack_name(config_env: str, config: Path = CONFIG) -> str:
    """Return the name of the stack in this section of samconfig.toml.

    Raises NoStackName when there is none.
    """
    sections = tomllib.loads(config.read_text("utf-8")).get(config_env, {})
    # SAM lets a command's own parameters win over the global ones.
    for command in ("deploy", "global"):
        name = sections.get(command, {}).get("parameters", {}).get("stack_name")
        if name:
            return str(name)
    raise NoStackName(f"samconfig.toml names no stack for {config_env}")


def main(arguments: Sequence[str] | None = None, config: Path = CONFIG) -> int:
    """Return the exit status: 0 when the stack can be deployed under its name."""
    options, _ = _parser().parse_known_args(arguments)
    try:
        name = options.stack_name or stack_name(options.config_env, config)
    except NoStackName as error:
        print(f"deploy: {error}: add it there, or name one with --stack-name", file=sys.stderr)
        return 1
    if len(name) > MAX_STACK_NAME:
        print(
            f"deploy: the stack's name {name} has {len(name)} characters. Choose one of at most {MAX_STACK_NAME}: "
            "the names of the queues begin with it, and SQS takes 80.",
            file=sys.stderr,
        )
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    """Return a parser of those options of `sam deploy` that decide the name; all others are let pass."""
    parser = argparse.ArgumentParser(
        prog="python -m local.samconfig", description="Checks a stack's name.", allow_abbrev=False
    )
    parser.add_argument("--config-env", default="default", help="the section of samconfig.toml (%(default)s)")
    parser.add_argument("--stack-name", help="the stack (default: as samconfig.toml names it)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""Puts the Loops API key into a stack's secret, unseen: `python -m local.setup_secret`, or `make setup-secret`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import boto3

from local.cli.arguments import add_aws
from local.cli.errors import INTERRUPTED, CommandError
from local.cli.loops import asked_key, checked_key
from local.cli.stacks import aws_errors, find_stack
from local.samconfig import NoStackName, stack_name

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 when the secret holds the key."""
    options = _parser().parse_args(arguments)
    try:
        options.stack = options.stack or _stack_name(options.config_env)
        arn = find_stack(options).output("SecretArn")
        key = _key()
        with aws_errors(f"the secret {arn}"):
            changed = _put(_client(options), arn, key)
    except CommandError as error:
        print(f"setup-secret: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return INTERRUPTED
    print("The secret has the API key now." if changed else "The secret had this API key already.")
    print(f"Functions that run know it within five minutes. To test it: segment-loops test-key --stack {options.stack}")
    return 0


def _key() -> str:
    """What is typed unseen, or comes on standard input."""
    key = asked_key() if sys.stdin.isatty() else checked_key(sys.stdin.readline())
    if not key:
        raise CommandError("no key was given: type it, or pass it on standard input")
    return key


def _put(client: SecretsManagerClient, arn: str, key: str) -> bool:
    """Whether the secret is another one now; all but its key is as it was."""
    current = client.get_secret_value(SecretId=arn)
    values = _values(current.get("SecretString", ""))
    if values.get("apiKey") == key:
        return False
    client.put_secret_value(SecretId=arn, SecretString=json.dumps({**values, "apiKey": key}))
    return True


def _values(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise CommandError('the secret is no JSON object: {"apiKey": "…", "sharedSecret": "…"}')
    return values


def _client(options: argparse.Namespace) -> SecretsManagerClient:
    return boto3.Session(region_name=options.region, profile_name=options.profile).client("secretsmanager")


def _stack_name(config_env: str) -> str:
    try:
        return stack_name(config_env)
    except NoStackName as error:
        raise CommandError(f"{error}: name one with --stack") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="setup-secret",
        description="Puts the Loops API key into a stack's secret. The key is asked for unseen, or read from standard "
        "input; it is never shown. The shared secret and the bearer token stay as they are.",
    )
    parser.add_argument("--stack", metavar="NAME", help="the stack (default: as samconfig.toml names it)")
    parser.add_argument("--config-env", default="default", help="the section of samconfig.toml (%(default)s)")
    add_aws(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())

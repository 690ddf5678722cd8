"""`sign`: print the header with which Segment would sign a request."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

import click

from loops_destination.errors import SecretNotSetUp
from loops_destination.signature import sign as signature_of
from segment_loops.command_errors import CommandError
from segment_loops.commands.options import aws_options
from segment_loops.mappings_file import read_bytes

VARIABLE = "SEGMENT_SHARED_SECRET"
"""The environment variable that holds the shared secret."""


@click.command()
@click.argument("file")
@click.option("--stack", metavar="NAME", help="Sign with the shared secret of this deployed stack.")
@click.option("--config-env", metavar="NAME", help="Sign with that of the stack in this section of samconfig.toml.")
@aws_options
def sign(file: str, *, stack: str | None, config_env: str | None, region: str | None, profile: str | None) -> int:
    """Print the header that signs a request body.

    Signs every byte of FILE, - being standard input, with the shared secret in a stack's secret, or in the environment
    variable SEGMENT_SHARED_SECRET, or one that you type. Send the same bytes with curl:

    curl -H "$(segment-loops sign event.json)" -H "Content-Type: application/json" --data-binary @event.json URL
    """
    body = sys.stdin.buffer.read() if file == "-" else read_bytes(Path(file))
    secret = _shared_secret(stack, config_env, region, profile) if stack or config_env else _given_secret()
    if not secret:
        raise CommandError(f"There is no shared secret to sign with. Set {VARIABLE}, or name a --stack.")
    print(f"X-Signature: {signature_of(body, secret)}")
    return 0


def _given_secret() -> str:
    given = os.environ.get(VARIABLE, "").strip()
    return given or (getpass.getpass("Shared secret: ", sys.stderr) if sys.stdin.isatty() else "")


def _shared_secret(stack: str | None, config_env: str | None, region: str | None, profile: str | None) -> str:
    from segment_loops.deployed_stack import AwsAccount, find_stack, named_stack  # boto3 is slow to import

    found = find_stack(AwsAccount(region, profile), named_stack(stack, config_env))
    try:
        return found.secret().shared_secret
    except SecretNotSetUp as error:
        raise CommandError(f"The stack's secret cannot be used: {error}.") from None

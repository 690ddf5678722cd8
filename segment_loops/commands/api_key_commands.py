"""`test-api-key` and `setup-secret`: the Loops API key, tested and stored."""

from __future__ import annotations

import sys

import click

from segment_loops.api_key import (
    VARIABLE,
    api_key_from_environment,
    check_api_key,
    checked_api_key,
    prompt_for_api_key,
)
from segment_loops.command_errors import FAILED, CommandError
from segment_loops.commands.options import aws_options, json_option, stack_options
from segment_loops.console import notify, print_json, say
from segment_loops.loops_access import REAL_LOOPS


@click.command("test-api-key")
@click.option("--stack", metavar="NAME", help="Test the API key in the secret of this deployed stack.")
@click.option("--config-env", metavar="NAME", help="Test that of the stack in this section of samconfig.toml.")
@aws_options
@click.option("--loops-url", metavar="URL", help=f"The URL of Loops.  [default: the stack's, or {REAL_LOOPS}]")
@json_option
def test_api_key(
    *,
    stack: str | None,
    config_env: str | None,
    region: str | None,
    profile: str | None,
    loops_url: str | None,
    as_json: bool,
) -> int:
    """Ask Loops whether an API key is valid.

    Prints the team that it belongs to. Tests the API key in the environment variable LOOPS_API_KEY, or in a stack's
    secret, or one that you type. The API key is never printed.

    Exit status: 0 the API key is valid, 1 it is not.
    """
    if stack or config_env:
        from segment_loops.deployed_stack import AwsAccount, find_stack, named_stack  # boto3 is slow to import

        found = find_stack(AwsAccount(region, profile), named_stack(stack, config_env))
        api_key, url = found.api_key(), loops_url or found.loops_url
    else:
        api_key, url = api_key_from_environment() or prompt_for_api_key(), loops_url or REAL_LOOPS
    if not api_key:
        raise CommandError(f"There is no API key to test. Set {VARIABLE}, or name a --stack.")
    result = check_api_key(url, api_key)
    if as_json:
        response = result.response
        print_json({"ok": result.is_valid, "team": result.team, "status": response.status, "message": response.message})
    elif result.is_valid:
        say(f"The API key is valid. It belongs to the team {result.team}.", "green")
    else:
        notify(result.problem, "red")
    return 0 if result.is_valid else FAILED


@click.command("setup-secret")
@stack_options
@aws_options
def setup_secret(*, stack: str | None, config_env: str | None, region: str | None, profile: str | None) -> int:
    """Put the Loops API key into a stack's secret.

    Asks for the API key without showing it, or reads it from standard input. The shared secret and the bearer token
    stay as they are.
    """
    from segment_loops.deployed_stack import AwsAccount, find_stack, named_stack  # boto3 is slow to import

    found = find_stack(AwsAccount(region, profile), named_stack(stack, config_env))
    api_key = prompt_for_api_key() if sys.stdin.isatty() else checked_api_key(sys.stdin.readline())
    if not api_key:
        raise CommandError("No API key was given. Type it, or pass it on standard input.")
    if found.put_api_key(api_key):
        say("The API key is now in the secret.", "green")
    else:
        say("The secret already has this API key.", "green")
    say(f"Running functions use it within five minutes. To test it: segment-loops test-api-key --stack {found.name}")
    return 0

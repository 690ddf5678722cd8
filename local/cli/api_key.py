"""`test-key`: whether the API key is right, and whose it is."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from urllib3.exceptions import HTTPError

from local.cli.arguments import add_aws, add_json
from local.cli.errors import FAILED, CommandError
from local.cli.loops import KEY_VARIABLE, REAL_LOOPS, answer_json, asked_key, base_url, key_from_environment
from local.cli.terminal import Style, print_json, printable, say, tell
from loops_destination.loops import Meaning, Response
from loops_destination.loops.client import USER_AGENT
from loops_destination.loops.connections import Connections
from loops_destination.loops.exchange import RawResponse
from loops_destination.loops.responses import read_response
from loops_destination.loops_request import LoopsRequest

SECONDS = 10.0

_REQUEST = LoopsRequest("GET", "/api/v1/api-key", {})


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """Loops' response to a question about an API key; `team` is the name of the team that the key belongs to."""

    response: Response
    team: str | None

    @property
    def is_right(self) -> bool:
        return self.response.meaning is Meaning.DONE

    @property
    def problem(self) -> str:
        """A sentence on what is wrong with the key."""
        said = f": {printable(self.response.message)}" if self.response.message else ""
        verdict = "is wrong" if self.response.meaning is Meaning.API_KEY_REFUSED else "could not be tested"
        return f"The key {verdict}: Loops answered {self.response.status}{said}."


def check_key(url: str, key: str) -> KeyCheck:
    """Ask Loops at this base URL about the API key; `CommandError` when it does not answer."""
    try:
        raw = _ask(base_url(url), key)
    except HTTPError as error:
        raise CommandError(f"Loops does not answer at {url}: {type(error).__name__}") from None
    content = answer_json(raw.body)
    team = content.get("teamName") if isinstance(content, dict) else None
    response = read_response(_REQUEST, raw.status, raw.body, raw.headers.get("x-ratelimit-remaining"))
    return KeyCheck(response, printable(str(team)) if team else None)


def add_parser(commands: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "test-key",
        help="is the API key of Loops right, and whose team is it?",
        description=f"Asks Loops whose key it is: the one in {KEY_VARIABLE}, the one in a stack's secret, or one that "
        "you type unseen. The key is never printed. Exit status: 0 it is right, 1 it is not.",
    )
    parser.add_argument("--stack", metavar="NAME", help="a deployed stack, by its name: the key in its secret")
    add_aws(parser)
    parser.add_argument("--loops-url", metavar="URL", help=f"where Loops is (default: the stack's, or {REAL_LOOPS})")
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tests the key."""
    key, url = _key_and_url(options)
    check = check_key(url, key)
    if options.json:
        response = check.response
        print_json({"ok": check.is_right, "team": check.team, "status": response.status, "message": response.message})
    elif check.is_right:
        say(f"The key is right: it is of the team {check.team}.", Style.GREEN)
    else:
        tell(check.problem, Style.RED)
    return 0 if check.is_right else FAILED


def _key_and_url(options: argparse.Namespace) -> tuple[str, str]:
    if options.stack:
        from local.cli.stacks import find_stack, stack_key  # noqa: PLC0415  # boto3 is slow to import

        stack = find_stack(options)
        return stack_key(options, stack), options.loops_url or stack.parameters.get("LoopsBaseUrl", REAL_LOOPS)
    key = key_from_environment() or asked_key()
    if not key:
        raise CommandError(f"there is no key to test: put it into {KEY_VARIABLE}, or name a --stack")
    return key, options.loops_url or REAL_LOOPS


def _ask(url: str, key: str) -> RawResponse:
    headers = {"Authorization": f"Bearer {key}", "User-Agent": USER_AGENT}
    return Connections(1)(_REQUEST.method, url.removesuffix("/api") + _REQUEST.path, b"", headers, SECONDS)

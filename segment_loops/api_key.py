"""The Loops API key that a person gives, and the question to Loops which team it belongs to."""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import dataclass

from urllib3.exceptions import HTTPError

from loops_destination.loops import Meaning, Response
from loops_destination.loops.client import USER_AGENT
from loops_destination.loops.connections import Connections
from loops_destination.loops.responses import read_response
from loops_destination.loops_request import LoopsRequest
from segment_loops.command_errors import CommandError
from segment_loops.console import printable
from segment_loops.json_values import json_or_text
from segment_loops.loops_access import base_url

VARIABLE = "LOOPS_API_KEY"
"""The environment variable that holds the API key."""

SECONDS = 10.0

_REQUEST = LoopsRequest("GET", "/api/v1/api-key", {})


def api_key_from_environment() -> str:
    """Return the API key in `LOOPS_API_KEY`, or an empty string; raise `CommandError` if it cannot be an API key."""
    return checked_api_key(os.environ.get(VARIABLE, ""))


def prompt_for_api_key() -> str:
    """Ask for the API key without showing it; return an empty string where there is no terminal."""
    return checked_api_key(getpass.getpass("Loops API key: ", sys.stderr)) if sys.stdin.isatty() else ""


def checked_api_key(text: str) -> str:
    """Return the API key without surrounding white space; raise `CommandError` if no HTTP header can carry it."""
    api_key = text.strip()
    if not (api_key.isascii() and api_key.isprintable()):
        raise CommandError("This is not an API key: it contains characters that no HTTP header can carry.")
    return api_key


@dataclass(frozen=True, slots=True)
class ApiKeyCheck:
    """Loops' response to a question about an API key; `team` is the name of the key's team, if Loops gave it."""

    response: Response
    team: str | None

    @property
    def is_valid(self) -> bool:
        return self.response.meaning is Meaning.DONE

    @property
    def problem(self) -> str:
        """A sentence that says what is wrong with the API key."""
        said = f": {printable(self.response.message)}" if self.response.message else ""
        verdict = "is not valid" if self.response.meaning is Meaning.API_KEY_REFUSED else "could not be tested"
        return f"The API key {verdict}: Loops answered {self.response.status}{said}."


def check_api_key(url: str, api_key: str) -> ApiKeyCheck:
    """Ask Loops at the base URL `url` about the API key; raise `CommandError` if Loops does not answer."""
    headers = {"Authorization": f"Bearer {api_key}", "User-Agent": USER_AGENT}
    place = base_url(url).removesuffix("/api") + _REQUEST.path
    try:
        raw = Connections(1)(_REQUEST.method, place, b"", headers, SECONDS)
    except HTTPError as error:
        raise CommandError(f"Loops does not answer at {url}: {type(error).__name__}.") from None
    content = json_or_text(raw.body)
    team = content.get("teamName") if isinstance(content, dict) else None
    response = read_response(_REQUEST, raw.status, raw.body, raw.headers.get("x-ratelimit-remaining"))
    return ApiKeyCheck(response, printable(str(team)) if team else None)

"""The settings of a Loops team, read from Loops: contact properties, mailing lists and event patterns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from urllib3.exceptions import HTTPError

from loops_destination.clock import Clock, SystemClock
from loops_destination.loops.client import USER_AGENT
from loops_destination.loops.connections import Connections
from loops_destination.loops.exchange import RawResponse
from segment_loops.command_errors import CommandError
from segment_loops.console import printable
from segment_loops.json_values import json_or_text
from segment_loops.loops_access import base_url

SECONDS = 10.0
INTERVAL = 0.125
"""Seconds between two calls: eight a second, which leaves some of the team's ten to running functions."""

ATTEMPTS = 5
RATE_LIMITED_SECONDS = 1.0


class LoopsTeam:
    """The team of an API key. Every call raises `CommandError` if Loops does not answer as documented."""

    def __init__(self, url: str, api_key: str, clock: Clock | None = None) -> None:
        self._root = base_url(url).removesuffix("/api") + "/api/v1"
        self._url = url
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
        }
        self._connections = Connections(1)
        self._clock = clock or SystemClock()

    def properties(self) -> Mapping[str, str]:
        """Return the types of all contact properties by name."""
        listed = self._list("/contacts/properties?list=all")
        return {str(each.get("key")): str(each.get("type")) for each in listed}

    def mailing_lists(self) -> Mapping[str, str]:
        """Return the names of all mailing lists by id."""
        return {str(each.get("id")): str(each.get("name")) for each in self._list("/lists")}

    def listens_for(self, event_name: str) -> bool:
        """Return whether a workflow listens for events of this name."""
        response = self._call("GET", f"/event-patterns/by-name/{quote(event_name, safe='')}")
        if response.status == HTTPStatus.NOT_FOUND:
            return False
        self._content(response)
        return True

    def create_property(self, name: str, kind: str) -> None:
        """Create a contact property."""
        self._content(self._call("POST", "/contacts/properties", {"name": name, "type": kind}))

    def _list(self, path: str) -> list[dict[str, Any]]:
        content = self._content(self._call("GET", path))
        if not (isinstance(content, list) and all(isinstance(each, dict) for each in content)):
            raise CommandError(f"Loops at {self._url} did not answer {path} with a list.")
        return content

    def _call(self, method: str, path: str, body: Mapping[str, str] | None = None) -> RawResponse:
        """Make a call, again after a second while Loops answers 429."""
        content = b"" if body is None else json.dumps(body).encode()
        for _ in range(ATTEMPTS):
            try:
                response = self._connections(method, self._root + path, content, self._headers, SECONDS)
            except HTTPError as error:
                raise CommandError(f"Loops does not answer at {self._url}: {type(error).__name__}.") from None
            limited = response.status == HTTPStatus.TOO_MANY_REQUESTS
            self._clock.sleep(RATE_LIMITED_SECONDS if limited else INTERVAL)
            if not limited:
                break
        return response

    def _content(self, response: RawResponse) -> Any:
        content = json_or_text(response.body)
        if response.status != HTTPStatus.OK:
            message = content.get("message") if isinstance(content, dict) else None
            said = f": {printable(str(message))}" if message else ""
            raise CommandError(f"Loops at {self._url} answered {response.status}{said}.")
        return content

"""The Loops that the tool talks to: its URL, and a record of the calls made to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from loops_destination.loops.client import Transport
from loops_destination.loops.exchange import RawResponse
from loops_destination.settings import Settings
from segment_loops.command_errors import MisusedError

REAL_LOOPS = "https://app.loops.so/api"

SANDBOX_API_KEY = "sandbox-key"
SHOWN_API_KEY = "(API key)"
"""Shown in place of the API key wherever a request is shown."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A request as it was made, and its response; None if there was none."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    response: RawResponse | None


class Recorder:
    """A transport that passes calls on to another and remembers them."""

    def __init__(self, transport: Transport) -> None:
        self.calls: list[RecordedCall] = []
        self._transport = transport

    def __call__(self, method: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> RawResponse:
        """Make the call; one that raises is remembered without a response."""
        response = None
        try:
            response = self._transport(method, url, body, headers, seconds)
        finally:
            self.calls.append(RecordedCall(method, url, headers, body, response))
        return response


def send_nothing(method: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> RawResponse:  # noqa: ARG001  # a transport
    """Return a successful response without sending anything."""
    return RawResponse(200, {}, b"{}")


def base_url(text: str) -> str:
    """Return a base URL of Loops without its trailing slash.

    It must be https, or plain http on this machine, because every request carries the API key. Anything else raises
    `MisusedError`.
    """
    url = text.rstrip("/")
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host or urlsplit(url).scheme not in {"http", "https"}:
        raise MisusedError(f"{text} is not a URL of Loops. Loops itself is at {REAL_LOOPS}.")
    if not _settings(url).keeps_api_key_private:
        raise MisusedError(f"{text} would send the API key unencrypted. Use https.")
    return url


def is_on_this_machine(url: str) -> bool:
    """Return True if the URL leads to this machine, where no real contact can be reached."""
    return _settings(urlsplit(url)._replace(scheme="http").geturl()).keeps_api_key_private


def _settings(url: str) -> Settings:
    """Return settings of which only the product's rule about URLs is used."""
    return Settings.model_construct(loops_base_url=url, aws_sam_local=False)

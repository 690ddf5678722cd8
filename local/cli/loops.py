"""Loops as the commands reach it: which one it is, with which key, and what went over the wire."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from local.cli.errors import CommandError, UsageError
from loops_destination.loops.client import Transport
from loops_destination.loops.exchange import RawResponse
from loops_destination.settings import Settings

REAL_LOOPS = "https://app.loops.so/api"
LOCAL_LOOPS = "http://127.0.0.1:8788/api"
"""Where `make run` has its sandbox."""

SANDBOX_KEY = "sandbox-key"
KEY_VARIABLE = "LOOPS_API_KEY"
SHOWN_KEY = "(API key)"
"""What stands in the place of the key in all that is shown."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it was made, and its answer; None where there was none."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    answer: RawResponse | None


class Recorder:
    """A transport that remembers the calls of the one behind it."""

    def __init__(self, transport: Transport) -> None:
        self.calls: list[Call] = []
        self._transport = transport

    def __call__(self, method: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> RawResponse:
        """Makes the call."""
        answer = None
        try:
            answer = self._transport(method, url, body, headers, seconds)
        finally:
            self.calls.append(Call(method, url, headers, body, answer))
        return answer


def nowhere(method: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> RawResponse:  # noqa: ARG001  # a transport
    """Sends nothing, and gives the answer of a Loops that took it."""
    return RawResponse(200, {}, b"{}")


def base_url(text: str) -> str:
    """The URL when it can be Loops' (`UsageError` otherwise): https, or plain http on this machine, as it shows the key."""
    url = text.rstrip("/")
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host or urlsplit(url).scheme not in {"http", "https"}:
        raise UsageError(f"{text} is no URL of Loops; that is {REAL_LOOPS}")
    if not _settings(url).keeps_api_key_private:
        raise UsageError(f"{text} would show the API key to whoever listens: use https")
    return url


def is_local(url: str) -> bool:
    """Whether it is on this machine, so that nobody real is written to."""
    return _settings(urlsplit(url)._replace(scheme="http").geturl()).keeps_api_key_private


def key_from_environment() -> str:
    """The API key in the environment, empty when there is none; `CommandError` when it cannot be one."""
    return checked_key(os.environ.get(KEY_VARIABLE, ""))


def asked_key() -> str:
    """The API key that the person types, unseen; empty where there is no terminal."""
    return checked_key(getpass.getpass("API key of Loops: ", sys.stderr)) if sys.stdin.isatty() else ""


def checked_key(text: str) -> str:
    """The key without blanks around it; `CommandError` when a header cannot carry it."""
    key = text.strip()
    if not (key.isascii() and key.isprintable()):
        raise CommandError("that is no API key: it has characters that no header can carry")
    return key


def answer_json(body: bytes) -> Any:
    """The answer's JSON; its text where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode(errors="replace")


def _settings(url: str) -> Settings:
    """The product's own rule on URLs asks for nothing but the URL."""
    return Settings.model_construct(loops_base_url=url, aws_sam_local=False)

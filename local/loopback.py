"""Who may use what is meant for this machine alone."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from werkzeug.wrappers import Request


def from_this_machine(request: Request) -> bool:
    """Whether no web page from elsewhere makes it through the reader's browser: its Origin, or a rebound Host, tells."""
    origin = request.headers.get("Origin")
    places = [f"//{request.headers.get('Host', '')}"] + ([origin] if origin is not None else [])
    return all(_is_loopback(place) for place in places)


def _is_loopback(place: str) -> bool:
    try:
        host = urlsplit(place).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False

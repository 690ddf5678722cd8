"""The check that a request comes from this machine."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection

    from werkzeug.wrappers import Request


def is_from_this_machine(request: Request, allowed_hosts: Collection[str] = ()) -> bool:
    """Return True unless a web page of another origin may have made the request through the user's browser.

    The Host header must be a loopback name or address, or be in `allowed_hosts`: any other name may have been rebound
    to this machine. An Origin header must have the same host and port, because another port of this machine may serve
    someone else's page.
    """
    host = request.headers.get("Host", "")
    origin = request.headers.get("Origin")
    try:
        name = urlsplit(f"//{host}").hostname or ""
        same_origin = origin is None or urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
    return same_origin and (name in allowed_hosts or _is_loopback(name))


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False

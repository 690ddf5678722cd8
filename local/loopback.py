"""Who may use what is meant for this machine alone."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection

    from werkzeug.wrappers import Request


def from_this_machine(request: Request, allowed_hosts: Collection[str] = ()) -> bool:
    """Return whether no web page of another origin made this request through the user's browser.

    The Host must be a loopback name or address, or in `allowed_hosts`; anything else may be a rebound name. The Origin,
    where there is one, must be that host with that port: another port of this machine may serve anybody's page.
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

"""The sandbox as one WSGI application: Loops' API under `/api`, and its controls under `/sandbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.middleware.dispatcher import DispatcherMiddleware

from local.sandbox.control import control_app
from local.sandbox.edge import Edge
from local.sandbox.loops_api import loops_api

if TYPE_CHECKING:
    from collections.abc import Collection

    from _typeshed.wsgi import WSGIApplication

    from local.sandbox.sandbox import Sandbox


def sandbox_app(sandbox: Sandbox, allowed_hosts: Collection[str] = ()) -> WSGIApplication:
    """Return the application; `allowed_hosts` are other host names under which the controls answer."""
    return DispatcherMiddleware(control_app(sandbox, allowed_hosts), {"/api": Edge(loops_api(sandbox), sandbox)})

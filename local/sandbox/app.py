"""The whole sandbox as one WSGI application: the API under `/api`, its controls under `/sandbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.middleware.dispatcher import DispatcherMiddleware

from local.sandbox.api import loops_api
from local.sandbox.control import control_app
from local.sandbox.edge import Edge

if TYPE_CHECKING:
    from collections.abc import Collection

    from _typeshed.wsgi import WSGIApplication

    from local.sandbox.sandbox import Sandbox


def sandbox_app(sandbox: Sandbox, allowed_hosts: Collection[str] = ()) -> WSGIApplication:
    """The application; `allowed_hosts` are further host names under which the controls answer."""
    return DispatcherMiddleware(control_app(sandbox, allowed_hosts), {"/api": Edge(loops_api(sandbox), sandbox)})

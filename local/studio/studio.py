"""The studio as a WSGI application beside the webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response

from local.sandbox.json_app import json_app, keep_other_pages_out
from local.studio.api import api
from local.studio.calls import Calls
from local.studio.deliveries import Deliveries
from local.studio.mappings import MappingsFile
from local.studio.pages import HEADERS, pages
from local.studio.queues import Queues

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from local.stack import LocalStack


class Studio:
    """What the page shows and does; the stack that it belongs to must be running by the first request.

    `shared_secret` signs what is sent from here, as Segment would.
    """

    def __init__(self, stack: LocalStack, shared_secret: str) -> None:
        self.stack = stack
        self.shared_secret = shared_secret
        self.mappings = MappingsFile(stack.mappings)
        self.deliveries = Deliveries(stack, self.mappings, Calls(stack.sandbox) if stack.is_sandboxed else None)
        self.queues = Queues(stack, self.deliveries.burying)
        self._app = json_app("studio")
        self._app.extensions["studio"] = self
        keep_other_pages_out(self._app)
        self._app.after_request(_protect)
        self._app.register_blueprint(pages)
        self._app.register_blueprint(api)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._app(environ, start_response)


def _protect(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response

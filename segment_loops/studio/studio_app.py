"""The studio as a WSGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response

from segment_loops.json_app import json_app, only_from_this_machine
from segment_loops.studio.delivery_routes import delivery_api
from segment_loops.studio.drafts import MappingsFile
from segment_loops.studio.form_routes import form_api
from segment_loops.studio.pages import HEADERS, pages
from segment_loops.studio.queue_routes import queue_api
from segment_loops.studio.redrives import Redrives
from segment_loops.studio.routes import api

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from segment_loops.studio.backend import Backend


class Studio:
    """The page and its API, for a stack that must be running by the first request."""

    def __init__(self, backend: Backend) -> None:
        app = json_app("studio")
        app.extensions["backend"] = backend
        app.extensions["mappings"] = MappingsFile(backend.mappings)
        app.extensions["redrives"] = Redrives()
        only_from_this_machine(app)
        app.after_request(_add_headers)
        app.register_blueprint(pages)
        for blueprint in (api, form_api, delivery_api, queue_api):
            app.register_blueprint(blueprint)
        self._app: WSGIApplication = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._app(environ, start_response)


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response

"""The studio of a stack as a WSGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, jsonify

from segment_loops.command_errors import CommandError
from segment_loops.dead_letter_queue import SqsFailed
from segment_loops.json_app import json_app, only_from_this_machine
from segment_loops.stack_studio.stack_pages import pages
from segment_loops.stack_studio.stack_routes import api
from segment_loops.studio.pages import HEADERS

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

    from segment_loops.deployed_stack import DeployedStack


def stack_studio(stack: DeployedStack, mappings: Path) -> Flask:
    """Return the page and its API; `mappings` is the file to which the deployed mappings are compared."""
    app = json_app("stack_studio")
    app.extensions["stack"] = stack
    app.extensions["mappings"] = mappings
    only_from_this_machine(app)
    app.register_error_handler(CommandError, _failed)
    app.register_error_handler(SqsFailed, _failed)
    app.after_request(_add_headers)
    app.register_blueprint(pages)
    app.register_blueprint(api)
    return app


def _failed(error: Exception) -> Response:
    """Answer that AWS did not do what was asked; the message says why."""
    response = jsonify(success=False, message=str(error))
    response.status_code = 502
    return response


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response

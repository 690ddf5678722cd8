"""A Flask app that answers JSON and nothing else, its errors too."""

from __future__ import annotations

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

from local.sandbox.refusal import Refusal


def json_app(name: str) -> Flask:
    """An empty app: no static files, no redirects to tidier paths, no answers to OPTIONS."""
    app = Flask(name, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it, its base does not
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.register_error_handler(Refusal, _refusal)
    app.register_error_handler(HTTPException, _http_error)
    return app


def _refusal(error: Refusal) -> Response:
    return _failure(error.status, error.message)


def _http_error(error: HTTPException) -> Response:
    response = _failure(error.code or 500, error.name)
    allow = error.get_response().headers.get("Allow")
    if allow:
        response.headers["Allow"] = allow
    return response


def _failure(status: int, message: str) -> Response:
    response = jsonify(success=False, message=message)
    response.status_code = status
    return response

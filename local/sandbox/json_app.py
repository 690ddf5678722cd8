"""A Flask app that answers JSON and nothing else, its errors too."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from local.loopback import from_this_machine
from local.sandbox.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection


def json_app(name: str) -> Flask:
    """An empty app: no static files, no redirects to tidier paths, no answers to OPTIONS."""
    app = Flask(name, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it, its base does not
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.register_error_handler(Refusal, _refusal)
    app.register_error_handler(HTTPException, _http_error)
    return app


def keep_other_pages_out(app: Flask, allowed_hosts: Collection[str] = ()) -> None:
    """Let the app answer this machine only, and no web page but its own; `allowed_hosts` are further names of it."""
    app.before_request(partial(_check_sender, allowed_hosts))


def _check_sender(allowed_hosts: Collection[str]) -> None:
    if not from_this_machine(request, allowed_hosts):
        raise Refusal(403, "This address answers this machine only, and no page of another origin.")
    if request.method == "POST" and not request.is_json:
        # The one method that a page may send anywhere without asking first, unless its body is declared as JSON.
        raise Refusal(415, "Send JSON, with its Content-Type.")


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

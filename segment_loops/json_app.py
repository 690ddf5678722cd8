"""A Flask app that answers in JSON only, errors included, and can be closed to other machines."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from flask import Flask, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.exceptions import HTTPException

from segment_loops.loopback import is_from_this_machine

if TYPE_CHECKING:
    from collections.abc import Collection

_Body = TypeVar("_Body", bound=BaseModel)


class ApiError(Exception):
    """The request changes nothing and is answered with `status` and `{"success": false, "message": …}`."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status} {message}")

    @classmethod
    def invalid(cls, error: ValidationError) -> ApiError:
        """Return the answer (400) to a body that its pydantic model rejected, with every problem's path."""
        problems = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return cls(400, "; ".join(problems))


class StrictBody(BaseModel):
    """A request's body without unknown members or converted types."""

    model_config = ConfigDict(extra="forbid", strict=True)


def body(model: type[_Body]) -> _Body:
    """Return the body of the current request; raise `ApiError` (400) if it is invalid."""
    try:
        return model.model_validate_json(request.get_data())
    except ValidationError as error:
        raise ApiError.invalid(error) from None


def json_app(name: str) -> Flask:
    """Return an empty app without static files, redirects to normalized paths, or answers to OPTIONS."""
    app = Flask(name, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it, its base class does not
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.register_error_handler(ApiError, _api_error)
    app.register_error_handler(HTTPException, _http_error)
    return app


def only_from_this_machine(app: Flask, allowed_hosts: Collection[str] = ()) -> None:
    """Make the app deny requests from other machines and from web pages of another origin.

    `allowed_hosts` are names of this machine other than its loopback names.
    """
    app.before_request(partial(_check_sender, allowed_hosts))


def _check_sender(allowed_hosts: Collection[str]) -> None:
    if not is_from_this_machine(request, allowed_hosts):
        raise ApiError(403, "Only this machine may use this address, and no web page of another origin.")
    if request.method == "POST" and not request.is_json:
        # Browsers let any page send a POST anywhere without asking first, unless its body is declared as JSON.
        raise ApiError(415, "Send JSON with Content-Type: application/json.")


def _api_error(error: ApiError) -> Response:
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

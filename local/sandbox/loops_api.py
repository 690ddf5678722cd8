"""Loops' endpoints as a Flask app, mounted under `/api` behind the API key, the rate limit and the faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, current_app, request

from local.sandbox.bodies import read_object
from local.sandbox.contact_change import one_identifier
from segment_loops.json_app import json_app

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from local.sandbox.sandbox import Sandbox

_v1 = Blueprint("v1", __name__, url_prefix="/v1")


def loops_api(sandbox: Sandbox) -> Flask:
    """Return the API of the sandbox's team; hold the sandbox's lock when calling it."""
    app = json_app("loops")
    app.extensions["sandbox"] = sandbox
    app.register_blueprint(_v1)
    return app


@_v1.get("/api-key")
def _api_key() -> ResponseReturnValue:
    return {"success": True, "teamName": _sandbox().team_name}


@_v1.put("/contacts/update")
def _update_contact() -> ResponseReturnValue:
    return {"success": True, "id": _sandbox().update_contact(_body()).id}


@_v1.post("/contacts/create")
def _create_contact() -> ResponseReturnValue:
    return {"success": True, "id": _sandbox().create_contact(_body()).id}


@_v1.post("/contacts/delete")
def _delete_contact() -> ResponseReturnValue:
    _sandbox().contacts.remove(*one_identifier(_body()))
    return {"success": True, "message": "Contact deleted."}


@_v1.get("/contacts/find")
def _find_contact() -> ResponseReturnValue:
    contact = _sandbox().contacts.find(*one_identifier(request.args))
    return [contact.as_found()] if contact else []


@_v1.get("/contacts/properties")
def _list_properties() -> ResponseReturnValue:
    return _sandbox().properties.listed(custom_only=request.args.get("list") == "custom")


@_v1.post("/contacts/properties")
def _create_property() -> ResponseReturnValue:
    body = _body()
    _sandbox().properties.create(body.get("name"), body.get("type"))
    return {"success": True}


@_v1.post("/events/send")
def _send_event() -> ResponseReturnValue:
    _sandbox().send_event(_body(), request.headers.get("Idempotency-Key"))
    return {"success": True}


@_v1.get("/lists")
def _lists() -> ResponseReturnValue:
    return [each.as_json() for each in _sandbox().lists.values()]


def _sandbox() -> Sandbox:
    sandbox: Sandbox = current_app.extensions["sandbox"]
    return sandbox


def _body() -> dict[str, Any]:
    return read_object(request.get_data())

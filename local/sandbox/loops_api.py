"""Loops' endpoints as a Flask app, mounted under `/api` behind the API key, the rate limit and the faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, current_app, request

from local.sandbox.bodies import read_object
from local.sandbox.contact_change import one_identifier
from local.sandbox.event_patterns import page_of
from segment_loops.json_app import ApiError, json_app

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from local.sandbox.contacts import Contact
    from local.sandbox.sandbox import Sandbox

_REMOVAL_QUOTA = {"limit": 100, "remaining": 100}

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
    _sandbox().contacts.remove(*one_identifier(_body(), _sandbox().assumptions))
    return {"success": True, "message": "Contact deleted."}


@_v1.get("/contacts/find")
def _find_contact() -> ResponseReturnValue:
    contact = _found()
    return [contact.as_found()] if contact else []


@_v1.get("/contacts/suppression")
def _suppression() -> ResponseReturnValue:
    contact = _found()
    if contact is None:
        raise ApiError(404, "Contact not found.")
    return {
        "contact": {"id": contact.id, "email": contact.email, "userId": contact.user_id},
        "isSuppressed": contact.suppressed,
        "removalQuota": _REMOVAL_QUOTA,
    }


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


@_v1.get("/event-patterns")
def _event_patterns() -> ResponseReturnValue:
    patterns = list(_sandbox().event_patterns.values())
    return page_of(patterns, request.args.get("perPage", "20"), request.args.get("cursor", ""))


@_v1.get("/event-patterns/by-name/<path:name>")
def _event_pattern(name: str) -> ResponseReturnValue:
    pattern = _sandbox().event_patterns.get(name)
    if pattern is None:
        raise ApiError(404, "Event pattern not found.")
    return pattern.as_json()


def _found() -> Contact | None:
    return _sandbox().contacts.find(*one_identifier(request.args, _sandbox().assumptions))


def _sandbox() -> Sandbox:
    sandbox: Sandbox = current_app.extensions["sandbox"]
    return sandbox


def _body() -> dict[str, Any]:
    return read_object(request.get_data())

"""The sandbox's own endpoints under `/sandbox`: its state and journal, and the faults to simulate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Flask, current_app, request
from pydantic import ValidationError

from local.sandbox.bodies import read_object
from local.sandbox.faults import Fault
from segment_loops.json_app import ApiError, json_app, only_from_this_machine

if TYPE_CHECKING:
    from collections.abc import Collection

    from flask.typing import ResponseReturnValue

    from local.sandbox.sandbox import Sandbox

_control = Blueprint("control", __name__, url_prefix="/sandbox")


def control_app(sandbox: Sandbox, allowed_hosts: Collection[str]) -> Flask:
    """Return the endpoints, which answer under loopback names and addresses and under `allowed_hosts`."""
    app = json_app("control")
    app.extensions["sandbox"] = sandbox
    only_from_this_machine(app, allowed_hosts)
    app.register_blueprint(_control)
    return app


@_control.get("/contacts")
def _contacts() -> ResponseReturnValue:
    with _sandbox().lock:
        return [contact.as_json() for contact in _sandbox().contacts.all()]


@_control.post("/contacts/leave")
def _leave() -> ResponseReturnValue:
    body = read_object(request.get_data())
    _sandbox().leave(body.get("email", ""), body.get("list"))
    return {"success": True}


@_control.post("/contacts/suppress")
def _suppress() -> ResponseReturnValue:
    _sandbox().suppress(read_object(request.get_data()).get("email", ""))
    return {"success": True}


@_control.get("/events")
def _events() -> ResponseReturnValue:
    return [event.as_json() for event in _sandbox().events.all()]


@_control.get("/requests")
def _requests() -> ResponseReturnValue:
    with _sandbox().lock:
        return [entry.as_json() for entry in _sandbox().journal.all()]


@_control.get("/faults")
def _list_faults() -> ResponseReturnValue:
    return [fault.model_dump() for fault in _sandbox().faults.all()]


@_control.post("/faults")
def _add_fault() -> ResponseReturnValue:
    try:
        fault = Fault.model_validate(read_object(request.get_data()))
    except ValidationError as error:
        raise ApiError.invalid(error) from None
    _sandbox().faults.add(fault)
    return fault.model_dump(), 201


@_control.delete("/faults")
def _clear_faults() -> ResponseReturnValue:
    _sandbox().faults.clear()
    return {"success": True}


@_control.delete("")
def _reset() -> ResponseReturnValue:
    _sandbox().reset()
    return {"success": True}


def _sandbox() -> Sandbox:
    sandbox: Sandbox = current_app.extensions["sandbox"]
    return sandbox

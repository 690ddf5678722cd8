"""The sandbox's own endpoints, under `/sandbox`: what it saw, and what is to go wrong."""

from __future__ import annotations

from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, Flask, current_app, request
from pydantic import ValidationError

from local.sandbox.bodies import read_object
from local.sandbox.faults import Fault
from local.sandbox.json_app import json_app
from local.sandbox.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection

    from flask.typing import ResponseReturnValue

    from local.sandbox.sandbox import Sandbox

_control = Blueprint("control", __name__, url_prefix="/sandbox")


def control_app(sandbox: Sandbox, allowed_hosts: Collection[str]) -> Flask:
    """The endpoints; they answer under loopback names and addresses, and under the host names given."""
    app = json_app("control")
    app.extensions["sandbox"] = sandbox
    app.before_request(partial(_refuse_strangers, allowed_hosts))
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


@_control.get("/events")
def _events() -> ResponseReturnValue:
    return [event.as_json() for event in _sandbox().events.all()]


@_control.get("/requests")
def _requests() -> ResponseReturnValue:
    with _sandbox().lock:
        return [exchange.as_json() for exchange in _sandbox().journal.all()]


@_control.get("/faults")
def _list_faults() -> ResponseReturnValue:
    return [fault.model_dump() for fault in _sandbox().faults.all()]


@_control.post("/faults")
def _add_fault() -> ResponseReturnValue:
    try:
        fault = Fault.model_validate(read_object(request.get_data()))
    except ValidationError as error:
        raise Refusal(400, _told(error)) from None
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


def _refuse_strangers(allowed_hosts: Collection[str]) -> None:
    """A page from elsewhere reaches this port through the reader's browser: its Origin, or a rebound Host, tells."""
    origin = request.headers.get("Origin")
    hosts = [_host(f"//{request.headers.get('Host', '')}")] + ([_host(origin)] if origin is not None else [])
    if not all(_is_loopback(host) or host in allowed_hosts for host in hosts):
        raise Refusal(403, "The sandbox is controlled from this machine only.")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _told(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())

"""What the page asks for: JSON, under /studio/api."""

from __future__ import annotations

import json
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import urllib3
from flask import Blueprint, current_app, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local.cli.mappings import shown
from local.preview import preview
from local.sandbox import Fault
from local.sandbox.refusal import Refusal
from local.studio import json_text
from local.studio.mappings import Changed, Draft
from local.studio.samples import pretty, samples
from loops_destination.actions import ACTIONS
from loops_destination.errors import NotAnEvent, SubscriptionsError
from loops_destination.events import TEST_EVENT_PREFIX, Arrival, parse_body
from loops_destination.signature import sign
from loops_destination.subscriptions.document import MAX_SUBSCRIPTIONS

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from local.studio.studio import Studio

api = Blueprint("api", __name__, url_prefix="/studio/api")

ALL_ACTIONS = "/segment"
"""The route that runs the subscriptions of every action."""

ANSWER_SECONDS = 40.0

_Body = TypeVar("_Body", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Previewed(_Strict):
    drafts: list[Draft] = Field(max_length=2 * MAX_SUBSCRIPTIONS)
    event: str


class _Saved(_Strict):
    drafts: list[Draft] = Field(max_length=2 * MAX_SUBSCRIPTIONS)
    revision: str


class _Confirmed(_Strict):
    """What reaches the real Loops needs a person's word."""

    confirmed: bool = False


class _Sent(_Confirmed):
    event: str


class _Dropped(_Strict):
    ids: list[str]


class _Redriven(_Confirmed):
    ids: list[str]
    repeat: bool = False
    accept_old: bool = Field(default=False, alias="acceptOld")


@api.get("/status")
def _status() -> ResponseReturnValue:
    studio = _studio()
    return {
        "time": studio.stack.clock.time(),
        "sandboxed": studio.stack.is_sandboxed,
        "loopsUrl": studio.stack.loops_url,
        "deliveries": studio.deliveries.version,
        "faults": [fault.model_dump(mode="json") for fault in studio.stack.sandbox.faults.all()],
        "sqsIsDown": bool(studio.stack.aws.faults["sqs"].all()),
    }


@api.get("/mappings")
def _mappings() -> ResponseReturnValue:
    file = _studio().mappings
    try:
        drafts, fault = file.drafts(), None
    except SubscriptionsError as error:
        drafts, fault = [], str(error)
    return {
        "file": shown(file.path),
        "revision": file.revision,
        "fault": fault,
        "drafts": [draft.model_dump() for draft in drafts],
        "actions": [_action_as_json(slug) for slug in ACTIONS],
        "samples": samples(),
    }


@api.put("/mappings")
def _save() -> ResponseReturnValue:
    studio, body = _studio(), _body(_Saved)
    try:
        problems = studio.mappings.save(body.drafts, body.revision)
    except Changed:
        raise Refusal(409, "The file has changed since this page read it. Reload the page.") from None
    if problems:
        return {"problems": [problem.as_json() for problem in problems]}, HTTPStatus.UNPROCESSABLE_ENTITY
    studio.stack.freeze()
    return _mappings()


@api.post("/preview")
def _preview() -> ResponseReturnValue:
    studio, body = _studio(), _body(_Previewed)
    checked = studio.mappings.check(body.drafts)
    arrival, fault = _event(body.event)
    previews = {
        index: preview(entry, arrival, studio.stack.loops_url).as_json()
        for index, entry in checked.entries.items()
        if arrival.event is not None
    }
    return {
        "problems": [problem.as_json() for problem in checked.problems],
        "event": fault,
        "previews": [previews.get(index) for index in range(len(body.drafts))],
    }


@api.post("/send")
def _send() -> ResponseReturnValue:
    """Under a messageId of its own, as Segment's event tester does, so that it is a new event every time."""
    body = _body(_Sent)
    _require_word(body)
    arrival, fault = _event(body.event)
    if arrival.event is None:
        raise Refusal(400, str(fault))
    event = arrival.event | {"messageId": f"{TEST_EVENT_PREFIX}{secrets.token_hex(4)}"}
    return _posted(json.dumps(event).encode())


@api.get("/deliveries")
def _deliveries() -> ResponseReturnValue:
    deliveries = _studio().deliveries
    return {"version": deliveries.version, "deliveries": _named([each.as_row() for each in deliveries.all()])}


@api.get("/deliveries/<int:number>")
def _delivery(number: int) -> ResponseReturnValue:
    delivery = _studio().deliveries.find(number)
    if delivery is None:
        raise Refusal(404, "This delivery is no longer remembered.")
    (shown,) = _named([delivery.as_json()])
    return shown | {"event": pretty(delivery.event)}


@api.post("/deliveries/<int:number>/again")
def _again(number: int) -> ResponseReturnValue:
    """As Segment's own retry: the same event, so Loops takes it once."""
    _require_word(_body(_Confirmed))
    delivery = _studio().deliveries.find(number)
    if delivery is None:
        raise Refusal(404, "This delivery is no longer remembered.")
    return _posted(delivery.event.encode())


@api.get("/audience")
def _audience() -> ResponseReturnValue:
    sandbox = _studio().stack.sandbox
    with sandbox.lock:
        return {
            "contacts": [contact.as_json() for contact in reversed(sandbox.contacts.all())],
            "events": [event.as_json() for event in reversed(sandbox.events.all())],
        }


@api.get("/queues")
def _queues() -> ResponseReturnValue:
    return {queue: _named(messages) for queue, messages in _studio().queues.as_json().items()}


@api.post("/queues/redrive")
def _redrive() -> ResponseReturnValue:
    body = _body(_Redriven)
    _require_word(body)
    return _studio().queues.redrive(body.ids, repeat=body.repeat, accept_old=body.accept_old)


@api.post("/queues/drop")
def _drop() -> ResponseReturnValue:
    return {"dropped": _studio().queues.drop(_body(_Dropped).ids)}


@api.post("/faults")
def _add_fault() -> ResponseReturnValue:
    stack = _studio().stack
    if not stack.is_sandboxed:
        raise Refusal(409, "The real Loops fails by itself or not at all.")
    fault = _body(Fault)
    stack.sandbox.faults.add(fault)
    return fault.model_dump(mode="json"), HTTPStatus.CREATED


@api.post("/faults/sqs")
def _stop_sqs() -> ResponseReturnValue:
    _studio().stack.aws.outage("sqs")
    return {"sqsIsDown": True}


@api.delete("/faults")
def _clear_faults() -> ResponseReturnValue:
    stack = _studio().stack
    stack.sandbox.faults.clear()
    stack.aws.recover()
    return {"sqsIsDown": False}


def _studio() -> Studio:
    studio: Studio = current_app.extensions["studio"]
    return studio


def _body(model: type[_Body]) -> _Body:
    try:
        return model.model_validate_json(request.get_data())
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise Refusal(400, told) from None


def _require_word(body: _Confirmed) -> None:
    if not (_studio().stack.is_sandboxed or body.confirmed):
        raise Refusal(409, "This goes to the real Loops, which may mail people: it needs to be confirmed.")


def _event(text: str) -> tuple[Arrival, str | None]:
    """The one event in the text, and what is wrong where there is none."""
    try:
        arrivals = parse_body(text.encode("utf-8", "surrogatepass"))
    except NotAnEvent as error:
        return Arrival(text, None), str(error)
    if len(arrivals) != 1:
        return Arrival(text, None), "there must be one event here, not a batch"
    return arrivals[0], arrivals[0].problem or None


def _posted(body: bytes) -> dict[str, Any]:
    """The webhook's answer, and what became of each delivery."""
    studio = _studio()
    headers = {"Content-Type": "application/json", "X-Signature": sign(body, studio.shared_secret)}
    known = {delivery.id for delivery in studio.deliveries.all()}
    response = urllib3.request(
        "POST",
        studio.stack.gateway.root + ALL_ACTIONS,
        body=body,
        headers=headers,
        retries=False,
        timeout=ANSWER_SECONDS,
    )
    message_id = _event(body.decode())[0].message_id
    made = [each for each in studio.deliveries.all() if each.id not in known and each.message_id == message_id]
    return {
        "status": response.status,
        "answer": response.json(),
        "deliveries": _named([each.as_json() for each in made]),
    }


def _named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows that have a subscription's id with its `name` beside it."""
    mappings = _studio().mappings
    return [row | {"name": mappings.name_of(row["subscription"])} for row in rows]


def _action_as_json(slug: str) -> dict[str, Any]:
    action = ACTIONS[slug]
    return {
        "slug": slug,
        "title": action.title,
        "trigger": action.trigger,
        "mapping": json_text.laid_out(action.mapping),
    }

"""The studio's API: JSON under /studio/api."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Blueprint, current_app, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loops_destination.actions import ACTIONS
from loops_destination.errors import NotAnEvent, SubscriptionsError
from loops_destination.events import TEST_EVENT_PREFIX, Arrival, parse_body
from loops_destination.subscriptions.document import MAX_SUBSCRIPTIONS
from segment_loops.dead_letter_queue import by_delivery
from segment_loops.event_files import sample_events
from segment_loops.event_preview import preview_event
from segment_loops.json_app import ApiError
from segment_loops.json_values import pretty_json
from segment_loops.mapping_warnings import samples
from segment_loops.mappings_file import shown_path
from segment_loops.studio import json_layout
from segment_loops.studio.drafts import ChangedMeanwhile, Draft, MappingsFile
from segment_loops.studio.queue_rows import dead_letter_row, waiting_row

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from segment_loops.studio.backend import Backend, DeliveryRecord

api = Blueprint("api", __name__, url_prefix="/studio/api")

_Body = TypeVar("_Body", bound=BaseModel)


class _StrictBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _PreviewBody(_StrictBody):
    drafts: list[Draft] = Field(max_length=2 * MAX_SUBSCRIPTIONS)
    event: str


class _SaveBody(_StrictBody):
    drafts: list[Draft] = Field(max_length=2 * MAX_SUBSCRIPTIONS)
    revision: str


class _ConfirmableBody(_StrictBody):
    """A request that a person must confirm if it reaches the real Loops."""

    confirmed: bool = False


class _SendBody(_ConfirmableBody):
    event: str


class _DropBody(_StrictBody):
    ids: list[str]


class _RedriveBody(_ConfirmableBody):
    ids: list[str]
    repeat: bool = False
    accept_old: bool = Field(default=False, alias="acceptOld")


@api.get("/status")
def _status() -> ResponseReturnValue:
    backend = _backend()
    return {
        "time": backend.time(),
        "sandboxed": backend.is_sandboxed,
        "loopsUrl": backend.loops_url,
        "deliveries": backend.deliveries_version,
        "faults": backend.faults(),
        "sqsIsDown": backend.sqs_is_down,
    }


@api.get("/mappings")
def _mappings() -> ResponseReturnValue:
    file = _mappings_file()
    try:
        drafts, problem = file.drafts(), None
    except SubscriptionsError as error:
        drafts, problem = [], str(error)
    return {
        "file": shown_path(file.path),
        "revision": file.revision,
        "problem": problem,
        "drafts": [draft.model_dump() for draft in drafts],
        "actions": [_action_as_json(slug) for slug in ACTIONS],
        "samples": [{"name": name, "event": pretty_json(event.text)} for name, event in sample_events()],
    }


@api.put("/mappings")
def _save() -> ResponseReturnValue:
    body = _body(_SaveBody)
    try:
        problems = _mappings_file().save(body.drafts, body.revision)
    except ChangedMeanwhile:
        raise ApiError(409, "The file has changed since this page read it. Reload the page.") from None
    if problems:
        return {"problems": [problem.as_json() for problem in problems]}, HTTPStatus.UNPROCESSABLE_ENTITY
    _backend().reload_mappings()
    return _mappings()


@api.post("/preview")
def _preview() -> ResponseReturnValue:
    body = _body(_PreviewBody)
    checked = _mappings_file().check(body.drafts)
    arrival, problem = _event(body.event)
    previews = {
        index: preview_event(entry, arrival, _backend().loops_url).as_json()
        for index, entry in checked.entries.items()
        if arrival.event is not None
    }
    events = samples() if arrival.event is None else [*samples(), arrival.event]
    return {
        "problems": [each.as_json() for each in checked.problems],
        "warnings": [each.as_json() for each in checked.warnings(body.drafts, events)],
        "event": problem,
        "previews": [previews.get(index) for index in range(len(body.drafts))],
    }


@api.post("/send")
def _send() -> ResponseReturnValue:
    """Send the event under a new messageId, as Segment's event tester does, so that it is a new event every time."""
    body = _body(_SendBody)
    _require_confirmation(body)
    arrival, problem = _event(body.event)
    if arrival.event is None:
        raise ApiError(400, str(problem))
    event = arrival.event | {"messageId": f"{TEST_EVENT_PREFIX}{secrets.token_hex(4)}"}
    return _posted(json.dumps(event).encode())


@api.get("/deliveries")
def _deliveries() -> ResponseReturnValue:
    backend = _backend()
    version = backend.deliveries_version
    return {"version": version, "deliveries": _with_names([each.as_row() for each in backend.deliveries()])}


@api.get("/deliveries/<int:number>")
def _delivery(number: int) -> ResponseReturnValue:
    record = _find(number)
    (shown,) = _with_names([record.as_json()])
    return shown | {"event": pretty_json(record.event)}


@api.post("/deliveries/<int:number>/again")
def _send_again(number: int) -> ResponseReturnValue:
    """Post the same event once more, as a retry of Segment does: Loops processes it once."""
    _require_confirmation(_body(_ConfirmableBody))
    return _posted(_find(number).event.encode())


@api.get("/audience")
def _audience() -> ResponseReturnValue:
    return dict(_backend().audience())


@api.get("/queues")
def _queues() -> ResponseReturnValue:
    backend = _backend()
    now = backend.time()
    waiting = sorted(backend.waiting(), key=lambda each: each.next_at)
    dead_letters = sorted(backend.dead_letters(), key=lambda each: -each.buried_at)
    return {
        "waiting": _with_names([waiting_row(each) for each in waiting]),
        "deadLetters": _with_names([dead_letter_row(each, now) for each in dead_letters]),
    }


@api.post("/queues/redrive")
def _redrive() -> ResponseReturnValue:
    """Redrive the deliveries of these dead letters; answer how many had each `RedriveResult`."""
    body = _body(_RedriveBody)
    _require_confirmation(body)
    results: Counter[str] = Counter()
    with _backend().dead_letter_queue() as queue, queue.opened() as found:
        for delivery in by_delivery(found):
            if any(dead_letter.id in body.ids for dead_letter in delivery):
                results[queue.redrive(delivery, repeat=body.repeat, accept_old=body.accept_old)] += 1
    return dict(results)


@api.post("/queues/drop")
def _drop() -> ResponseReturnValue:
    ids = _body(_DropBody).ids
    with _backend().dead_letter_queue() as queue, queue.opened() as found:
        selected = [dead_letter for dead_letter in found if dead_letter.id in ids]
        queue.drop(selected)
    return {"dropped": len(selected)}


@api.post("/faults")
def _add_fault() -> ResponseReturnValue:
    backend = _backend()
    if not backend.is_sandboxed:
        raise ApiError(409, "Faults can be simulated in the sandbox only, not in the real Loops.")
    return backend.add_fault(request.get_data()), HTTPStatus.CREATED


@api.post("/faults/sqs")
def _stop_sqs() -> ResponseReturnValue:
    _backend().stop_sqs()
    return {"sqsIsDown": True}


@api.delete("/faults")
def _clear_faults() -> ResponseReturnValue:
    _backend().clear_faults()
    return {"sqsIsDown": False}


def _backend() -> Backend:
    backend: Backend = current_app.extensions["backend"]
    return backend


def _mappings_file() -> MappingsFile:
    file: MappingsFile = current_app.extensions["mappings"]
    return file


def _body(model: type[_Body]) -> _Body:
    try:
        return model.model_validate_json(request.get_data())
    except ValidationError as error:
        raise ApiError.invalid(error) from None


def _require_confirmation(body: _ConfirmableBody) -> None:
    if not (_backend().is_sandboxed or body.confirmed):
        raise ApiError(409, "This reaches the real Loops, and contacts may get email. Confirm it first.")


def _find(number: int) -> DeliveryRecord:
    record = next((each for each in _backend().deliveries() if each.id == number), None)
    if record is None:
        raise ApiError(404, "This delivery is no longer remembered.")
    return record


def _event(text: str) -> tuple[Arrival, str | None]:
    """Return the one event in the text, and what is wrong if there is none."""
    try:
        arrivals = parse_body(text.encode("utf-8", "surrogatepass"))
    except NotAnEvent as error:
        return Arrival(text, None), str(error)
    if len(arrivals) != 1:
        return Arrival(text, None), "enter one event, not a batch"
    return arrivals[0], arrivals[0].problem or None


def _posted(body: bytes) -> dict[str, Any]:
    """Post the body; return the webhook's answer and the deliveries that resulted."""
    backend = _backend()
    known = {record.id for record in backend.deliveries()}
    answer = backend.post(body)
    message_id = _event(body.decode())[0].message_id
    made = [each for each in backend.deliveries() if each.id not in known and each.message_id == message_id]
    return {
        "status": answer.status,
        "answer": answer.content,
        "deliveries": _with_names([each.as_json() for each in made]),
    }


def _with_names(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to each row the `name` of the subscription whose id it has."""
    file = _mappings_file()
    return [row | {"name": file.name_of(row["subscription"])} for row in rows]


def _action_as_json(slug: str) -> dict[str, Any]:
    action = ACTIONS[slug]
    return {
        "slug": slug,
        "title": action.title,
        "trigger": action.trigger,
        "mapping": json_layout.laid_out(action.mapping),
    }

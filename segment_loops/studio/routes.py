"""The studio's API, JSON under /studio/api: the state of the stack, mappings, test events and faults."""

from __future__ import annotations

import json
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Blueprint, request
from pydantic import Field

from loops_destination.actions import ACTIONS
from loops_destination.errors import SubscriptionsError
from loops_destination.events import TEST_EVENT_PREFIX
from loops_destination.subscriptions.document import MAX_SUBSCRIPTIONS
from segment_loops.event_files import sample_events
from segment_loops.event_preview import preview_event
from segment_loops.json_app import ApiError, StrictBody, body
from segment_loops.json_values import pretty_json
from segment_loops.mapping_warnings import samples
from segment_loops.mappings_file import shown_path
from segment_loops.studio import json_layout
from segment_loops.studio.delivery_routes import one_event, posted
from segment_loops.studio.drafts import ChangedMeanwhile, Draft
from segment_loops.studio.queue_routes import drop_test_event
from segment_loops.studio.request_context import (
    ConfirmableBody,
    backend,
    mappings_file,
    require_confirmation,
)

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

api = Blueprint("api", __name__, url_prefix="/studio/api")


class _PreviewBody(StrictBody):
    drafts: list[Draft] = Field(max_length=2 * MAX_SUBSCRIPTIONS)
    event: str


class _SaveBody(StrictBody):
    drafts: list[Draft] = Field(max_length=2 * MAX_SUBSCRIPTIONS)
    revision: str


class _SendBody(ConfirmableBody):
    event: str


@api.get("/status")
def _status() -> ResponseReturnValue:
    """Answer what the page asks for every second: the version of everything else, and what its frame shows."""
    stack = backend()
    can = stack.capabilities
    return {
        "time": stack.time(),
        "sandboxed": stack.is_sandboxed,
        "loopsUrl": stack.loops_url,
        "can": {"contacts": can.contacts, "events": can.events, "faults": can.faults, "send": can.send},
        "versions": {**stack.versions(), "mappings": _short(mappings_file().revision)},
        "deadLetters": stack.dead_letter_count,
        "faults": stack.faults() if can.faults else [],
        "sqsIsDown": stack.sqs_is_down,
    }


@api.get("/mappings")
def _mappings() -> ResponseReturnValue:
    file = mappings_file()
    try:
        drafts, problem = file.drafts(), None
    except SubscriptionsError as error:
        drafts, problem = [], str(error)
    return {
        "file": shown_path(file.path),
        "revision": file.revision,
        "version": _short(file.revision),
        "problem": problem,
        "drafts": [draft.model_dump() for draft in drafts],
        "actions": [_action_as_json(slug) for slug in ACTIONS],
        "samples": [{"name": name, "event": pretty_json(event.text)} for name, event in sample_events()],
    }


@api.put("/mappings")
def _save() -> ResponseReturnValue:
    given = body(_SaveBody)
    try:
        problems = mappings_file().save(given.drafts, given.revision)
    except ChangedMeanwhile:
        raise ApiError(409, "The file has changed since this page read it. Reload the page.") from None
    if problems:
        return {"problems": [problem.as_json() for problem in problems]}, HTTPStatus.UNPROCESSABLE_ENTITY
    backend().reload_mappings()
    return _mappings()


@api.post("/preview")
def _preview() -> ResponseReturnValue:
    given = body(_PreviewBody)
    checked = mappings_file().check(given.drafts)
    arrival, problem = one_event(given.event)
    previews = {
        index: preview_event(entry, arrival, backend().loops_url).as_json()
        for index, entry in checked.entries.items()
        if arrival.event is not None
    }
    events = samples() if arrival.event is None else [*samples(), arrival.event]
    return {
        "problems": [each.as_json() for each in checked.problems],
        "warnings": [each.as_json() for each in checked.warnings(given.drafts, events)],
        "event": problem,
        "previews": [previews.get(index) for index in range(len(given.drafts))],
    }


@api.post("/send")
def _send() -> ResponseReturnValue:
    """Send the event under a new messageId, as Segment's event tester does, so that it is a new event every time."""
    given = body(_SendBody)
    require_confirmation(given)
    arrival, problem = one_event(given.event)
    if arrival.event is None:
        raise ApiError(400, str(problem))
    message_id = f"{TEST_EVENT_PREFIX}{secrets.token_hex(4)}"
    sent = posted(json.dumps(arrival.event | {"messageId": message_id}).encode())
    return sent | {"dropped": drop_test_event(message_id)}


@api.post("/faults")
def _add_fault() -> ResponseReturnValue:
    if not backend().capabilities.faults:
        raise ApiError(409, "Faults can be simulated in the sandbox only, not in the real Loops.")
    return backend().add_fault(request.get_data()), HTTPStatus.CREATED


@api.post("/faults/sqs")
def _stop_sqs() -> ResponseReturnValue:
    backend().stop_sqs()
    return {"sqsIsDown": True}


@api.delete("/faults")
def _clear_faults() -> ResponseReturnValue:
    backend().clear_faults()
    return {"sqsIsDown": False}


def _short(revision: str) -> str:
    return revision[:12]


def _action_as_json(slug: str) -> dict[str, Any]:
    action = ACTIONS[slug]
    return {
        "slug": slug,
        "title": action.title,
        "trigger": action.trigger,
        "mapping": json_layout.laid_out(action.mapping),
    }

"""The studio's API for editing mappings without JSON: the form, suggestions, the difference to the file, and imports."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Blueprint
from pydantic import Field

from loops_destination.actions import ACTIONS, Action
from loops_destination.errors import InvalidJson, Problem, SubscriptionsError, TriggerError
from loops_destination.subscriptions import load_entries, read_json
from loops_destination.subscriptions.document import MAX_SUBSCRIPTIONS
from loops_destination.trigger import Trigger
from segment_loops.event_files import sample_events
from segment_loops.event_preview import preview_event
from segment_loops.json_app import ApiError, StrictBody, body
from segment_loops.mapping_warnings import samples
from segment_loops.mappings_file import name_of
from segment_loops.mixed_operators import rewritten
from segment_loops.segment_import import Imported, import_export
from segment_loops.studio import json_layout
from segment_loops.studio.delivery_routes import one_event
from segment_loops.studio.drafts import Draft
from segment_loops.studio.form import Form, InvalidRows, form_of, mapping_of
from segment_loops.studio.form.results import FormResult, add_problems, add_row_problems, add_values, results_of
from segment_loops.studio.form.rows import type_of
from segment_loops.studio.form.suggestions import directives_as_json, path_suggestions
from segment_loops.studio.request_context import backend, mappings_file
from segment_loops.trigger_explanation import finding_as_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask.typing import ResponseReturnValue

form_api = Blueprint("form_api", __name__, url_prefix="/studio/api")


class _FormBody(StrictBody):
    """A draft, and its form if somebody has edited that."""

    draft: Draft
    form: Form | None = None
    event: str


class _EventBody(StrictBody):
    event: str


class _DraftsBody(StrictBody):
    drafts: list[Draft] = Field(max_length=2 * MAX_SUBSCRIPTIONS)


class _ImportBody(StrictBody):
    export: str
    rewrite: bool = False


@form_api.post("/form")
def _form() -> ResponseReturnValue:
    """Answer the form of a draft's mapping, or the mapping of an edited form, with the result of each row.

    `trigger` explains the draft's trigger for the event, even while the mapping has problems; null for an invalid one.
    """
    given = body(_FormBody)
    try:
        answer = _form_of(given)
    except RecursionError:
        answer = {"problem": "The mapping is nested too deeply for the form. Edit it as JSON."}
    return {**answer, "trigger": _explained(given)}


def _form_of(given: _FormBody) -> dict[str, Any]:
    action = ACTIONS.get(given.draft.action)
    if action is None:
        return {"problem": "Choose an action first."}
    if given.form is None:
        try:
            mapping = read_json(given.draft.mapping)
        except InvalidJson as error:
            return {"problem": f"Correct the JSON first: {error}."}
        return _answer(given.draft, mapping, action, given.event)
    try:
        mapping = mapping_of(given.form)
    except InvalidRows as error:
        result = results_of(given.form)
        event = one_event(given.event)[0].event
        if event is not None and given.form.whole is None:
            add_values(result, given.form, error.others, action, event)
        add_row_problems(result, error.problems)
        return _as_json(given.form, action, result, None)
    return _answer(
        given.draft.model_copy(update={"mapping": json_layout.laid_out(mapping)}), mapping, action, given.event
    )


def _explained(given: _FormBody) -> list[dict[str, Any]] | None:
    event = one_event(given.event)[0].event
    if event is None:
        return None
    try:
        return [finding_as_json(each) for each in Trigger(given.draft.trigger).explain(event)]
    except TriggerError:
        return None


@form_api.post("/suggestions")
def _suggestions() -> ResponseReturnValue:
    event = one_event(body(_EventBody).event)[0].event
    paths = [] if event is None else path_suggestions(event)
    return {"paths": [each.as_json() for each in paths], "directives": directives_as_json()}


@form_api.post("/difference")
def _difference() -> ResponseReturnValue:
    drafts = body(_DraftsBody).drafts
    if mappings_file().check(drafts).problems:
        raise ApiError(422, "Correct the errors to see the changes.")
    return {"lines": mappings_file().difference(drafts)}


@form_api.post("/import")
def _import() -> ResponseReturnValue:
    """Answer the drafts that an export makes, what will work differently, and the samples under them; save nothing."""
    given = body(_ImportBody)
    content = given.export.encode()
    rewritten_content, rewrites = rewritten(content)
    try:
        imported = import_export(rewritten_content, rewrites) if given.rewrite else import_export(content)
    except SubscriptionsError as error:
        return {
            "problems": _problems_as_json(error.problems),
            "rewrites": [{"place": each.place, "before": each.before, "after": each.after} for each in rewrites],
        }, HTTPStatus.UNPROCESSABLE_ENTITY
    return {
        "drafts": [_draft(definition).model_dump() for definition in imported.document["subscriptions"]],
        "differences": [
            *(
                {"subscription": name_of(entry), "path": each.path.removeprefix(entry.place), "message": each.message}
                for entry, differences in imported.differences.items()
                for each in differences
            ),
            *({"subscription": None, "path": "", "message": each.message} for each in imported.general_differences),
        ],
        "warnings": _problems_as_json(imported.warnings),
        "samples": _samples(imported),
    }


def _answer(draft: Draft, mapping: Any, action: Action, event_text: str) -> dict[str, Any]:
    form = form_of(mapping, action)
    event = one_event(event_text)[0].event
    result = results_of(form)
    checked = mappings_file().check([draft])
    warnings = checked.warnings([draft], samples() if event is None else [*samples(), event])
    add_problems(
        result,
        form,
        [each.in_mapping for each in checked.problems if each.in_mapping],
        [each.in_mapping for each in warnings if each.in_mapping],
    )
    if event is not None and form.whole is None:
        add_values(result, form, mapping, action, event)
    return _as_json(form, action, result, draft.mapping)


def _as_json(form: Form, action: Action, result: FormResult, mapping: str | None) -> dict[str, Any]:
    fields = {field.name: field for field in action.fields}
    return {
        "problem": None,
        "mapping": mapping,
        "form": form.model_dump(),
        "fields": [
            {
                "label": label_of(row.name) if row.name in fields else row.name,
                "type": type_of(fields[row.name]) if row.name in fields else "any",
                "required": row.name in fields and fields[row.name].required,
                "isField": row.name in fields,
            }
            for row in form.rows
        ],
        "result": result.as_json(),
    }


def label_of(name: str) -> str:
    """Return the name of a field in words, such as "First name" and "User ID"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).split()
    return " ".join("ID" if word == "Id" else word.lower() for word in words).replace(
        words[0], words[0].capitalize(), 1
    )


def _problems_as_json(problems: Iterable[Problem]) -> list[dict[str, str]]:
    return [{"path": each.path, "message": each.message} for each in problems]


def _draft(definition: dict[str, Any]) -> Draft:
    return Draft(
        imported_id=definition["id"],
        name=definition.get("name") or "",
        action=definition["action"],
        enabled=definition["enabled"],
        trigger=definition["trigger"],
        mapping=json_layout.laid_out(definition["mapping"]),
    )


def _samples(imported: Imported) -> list[dict[str, Any]]:
    """Return the sample events, each with the subscriptions that match it and what they would send or reject."""
    entries = load_entries(imported.text)
    shown = []
    for name, arrival in sample_events():
        if arrival.event is None:
            continue
        previews = [preview_event(entry, arrival, backend().loops_url) for entry in entries]
        matching = [each.as_json() for each in previews if each.matches]
        parts = ("name", "outcome", "reason", "detail")
        shown.append({"name": name, "matching": [{part: each.get(part) for part in parts} for each in matching]})
    return shown

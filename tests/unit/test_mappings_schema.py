"""The JSON Schema of the mappings file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from loops_destination.actions import ACTIONS
from loops_destination.mapping.directives import DIRECTIVES
from loops_destination.subscriptions import load_subscriptions
from segment_loops.mappings_file import MAPPINGS
from segment_loops.mappings_schema import mappings_schema, schema_text

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "mappings.schema.json"
SCHEMA = mappings_schema()
DOCUMENTS = Draft7Validator(SCHEMA)
MAPPINGS_ONLY = Draft7Validator({"$ref": "#/definitions/mapping", "definitions": SCHEMA["definitions"]})


def vectors(name: str) -> list[Any]:
    return [json.loads(line) for line in (ROOT / "tests" / "conformance" / name).read_text("utf-8").splitlines()]


def subscription(**parts: Any) -> dict[str, Any]:
    return {"subscriptions": [{"id": "x", "action": "sendEvent", **parts}]}


def test_the_file_is_up_to_date() -> None:
    """The file in docs/ is what `make schema` writes, and is itself a valid schema."""
    assert FILE.read_text("utf-8") == schema_text()
    Draft7Validator.check_schema(SCHEMA)


def test_every_mapping_that_segment_accepts_is_valid() -> None:
    """The schema accepts each mapping that Segment's own code has resolved."""
    accepted = vectors("mapping.jsonl")
    assert accepted
    assert [each["id"] for each in accepted if not MAPPINGS_ONLY.is_valid(each["mapping"])] == []


def test_every_mapping_that_segment_refuses_is_invalid() -> None:
    """The schema refuses each mapping that Segment's own code refuses."""
    refused = vectors("invalid-mappings.jsonl")
    assert refused
    assert [each["id"] for each in refused if MAPPINGS_ONLY.is_valid(each["mapping"])] == []


@pytest.mark.parametrize(
    "path", [MAPPINGS, ROOT / "tests/unit/subscriptions/valid/our-file.json"], ids=lambda p: p.name
)
def test_our_files_are_valid(path: Path) -> None:
    """The schema accepts the mappings files of this project."""
    assert list(DOCUMENTS.iter_errors(json.loads(path.read_text("utf-8")))) == []


def test_every_directive_and_action_is_offered() -> None:
    """An editor is offered each directive, and for each action its fields with their default mappings."""
    assert set(SCHEMA["definitions"]["directive"]["properties"]) == {"_metadata", *DIRECTIVES}
    for condition in SCHEMA["definitions"]["subscription"]["allOf"]:
        ((key, constant),) = condition["if"]["properties"].items()
        action = ACTIONS[constant["const"]]
        fields = condition["then"]["properties"]["mapping"]["anyOf"][1]["properties"]
        assert key in {"action", "actionSlug"}
        assert {name: field["default"] for name, field in fields.items() if "default" in field} == action.mapping
        assert list(fields) == [field.name for field in action.fields]


@pytest.mark.parametrize(
    "parts",
    [
        {"mapping": {"emial": 1}},
        {"mapping": {"userId": {"@if": {"exists": 1, "than": 2}}}},
        {"mapping": {"@path": "$.properties"}},
        {"mapping": None, "trigger": None, "name": None},
        {"action": None, "actionSlug": "sendEvent", "settings": {}},
    ],
)
def test_what_only_has_a_warning_is_valid(parts: dict[str, Any]) -> None:
    """The schema refuses nothing that the loader accepts: unknown fields and keys, null, and Segment's words."""
    document = subscription(**parts)
    load_subscriptions(json.dumps(document))
    assert list(DOCUMENTS.iter_errors(document)) == []


@pytest.mark.parametrize(
    "parts",
    [
        {"actoin": "x"},
        {"action": "nothing"},
        {"enabled": "yes"},
        {"mapping": []},
        {"mapping": {"userId": {"@pth": "$.x"}}},
        {"mapping": {"userId": {"@path": "$.x", "@template": "y"}}},
    ],
)
def test_a_mistake_is_invalid(parts: dict[str, Any]) -> None:
    """The schema refuses unknown keys, actions and directives, and values of the wrong type."""
    assert not DOCUMENTS.is_valid(subscription(**parts))


def test_a_file_may_name_its_schema() -> None:
    """The loader ignores `$schema`, which this project's mappings file uses to name the schema."""
    document = json.loads(MAPPINGS.read_text("utf-8"))
    assert (MAPPINGS.parent / document["$schema"]).resolve() == FILE
    assert load_subscriptions(MAPPINGS.read_bytes())

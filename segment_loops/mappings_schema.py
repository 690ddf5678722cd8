"""A JSON Schema of the mappings file, made from the directives and the actions, for completion in editors.

`make schema` writes it to docs/mappings.schema.json. It accepts every mapping that the loader accepts.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from loops_destination.actions import ACTIONS, Action
from loops_destination.mapping.checker import (
    ROOT_DIRECTIVE,
    Check,
    ListOf,
    Nullable,
    OneOf,
    Options,
    Text,
    any_value,
    boolean,
    object_or_directive,
    text_or_directive,
    truthy,
)
from loops_destination.mapping.directives import DIRECTIVES, LONGEST_LIQUID
from loops_destination.subscriptions.definition import KEYS, MAX_ID_CHARACTERS
from loops_destination.subscriptions.document import MAX_SUBSCRIPTIONS

Schema = dict[str, Any]

_FALSY = {"enum": [None, False, 0, ""]}
_NO_DIRECTIVE = {"pattern": "^(?!@)"}
_TYPES = {str: "string", bool: "boolean", dict: "object"}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


_PLAIN_CHECKS: Mapping[Check, Schema] = {
    any_value: _ref("value"),
    text_or_directive: {"anyOf": [{"type": "string"}, _ref("directive")]},
    object_or_directive: _ref("objectOrDirective"),
    truthy: {"allOf": [_ref("value")], "not": _FALSY},
    boolean: {"type": "boolean"},
}

_OWN_CHECKS: Mapping[str, Schema] = {
    "@arrayPath": {
        "type": "array",
        "minItems": 1,
        "items": [_PLAIN_CHECKS[text_or_directive]],
        "additionalItems": _ref("value"),
    },
    "@liquid": {"type": "string", "maxLength": LONGEST_LIQUID},
}
"""The schemas of the directives whose check belongs to them alone."""


def mappings_schema() -> Schema:
    """Return the schema."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Mappings of the Loops destination",
        "type": "object",
        "required": ["subscriptions"],
        "properties": {
            "subscriptions": {"type": "array", "maxItems": MAX_SUBSCRIPTIONS, "items": _ref("subscription")}
        },
        "definitions": {
            "subscription": _subscription(),
            "value": {
                "anyOf": [
                    _ref("objectOrDirective"),
                    {"type": "array", "items": _ref("value")},
                    {"type": ["string", "number", "boolean", "null"]},
                ]
            },
            "mapping": {
                "anyOf": [{"allOf": [_ref("value")], "not": {"required": [ROOT_DIRECTIVE]}}, _ref("wrappedMapping")]
            },
            # The other fields become the root directive's `mapping`, so its options are incomplete here.
            "wrappedMapping": {
                "type": "object",
                "required": [ROOT_DIRECTIVE],
                "properties": {
                    ROOT_DIRECTIVE: {
                        "type": "object",
                        "minProperties": 1,
                        "maxProperties": 1,
                        "additionalProperties": {"type": ["object", "array"]},
                    }
                },
                "additionalProperties": _ref("value"),
            },
            "objectOrDirective": {
                "anyOf": [
                    _ref("directive"),
                    {"type": "object", "propertyNames": _NO_DIRECTIVE, "additionalProperties": _ref("value")},
                ]
            },
            "directive": {
                "type": "object",
                "properties": {"_metadata": {}, **{name: _directive(name) for name in DIRECTIVES}},
                "additionalProperties": False,
                "oneOf": [{"required": [name]} for name in DIRECTIVES],
            },
        },
    }


def _subscription() -> Schema:
    properties: dict[str, Schema] = {key: {"type": [_TYPES[kind.type], "null"]} for key, kind in KEYS.items()}
    for key in ("id", "name"):
        properties[key]["maxLength"] = MAX_ID_CHARACTERS
    for key in ("action", "actionSlug"):
        properties[key] = {"enum": [*ACTIONS, None]}
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "anyOf": [{"required": [key]} for key in ("action", "actionSlug")],
        "allOf": [_fields_for(action, key) for action in ACTIONS.values() for key in ("action", "actionSlug")],
    }


def _fields_for(action: Action, key: str) -> Schema:
    """Return the condition that gives a subscription with this action the action's fields and default trigger."""
    fields = {
        each.name: {
            "allOf": [_ref("value")],
            "description": "Required." if each.required else "Optional.",
            **({} if each.default is None else {"default": each.default}),
        }
        for each in action.fields
    }
    mapping = {"anyOf": [{"type": "null"}, {"type": "object", "allOf": [_ref("mapping")], "properties": fields}]}
    return {
        "if": {"properties": {key: {"const": action.slug}}, "required": [key]},
        "then": {"properties": {"trigger": {"default": action.trigger}, "mapping": mapping, "settings": mapping}},
    }


def _directive(name: str) -> Schema:
    return _OWN_CHECKS[name] if name in _OWN_CHECKS else _checked(DIRECTIVES[name].check)


def _checked(check: Check) -> Schema:
    """Return the schema of the values that pass a check; raise `KeyError` for an unknown check."""
    match check:
        case OneOf():
            return {"enum": list(check.words)}
        case Text():
            limit = {} if check.longest == math.inf else {"maxLength": check.longest}
            return {"type": "string", "minLength": check.shortest, **limit}
        case Nullable():
            return {"anyOf": [{"type": "null"}, _checked(check.check)]}
        case ListOf():
            return {"type": "array", "items": _checked(check.check)}
        case Options():
            return {
                "type": "object",
                "properties": {key: _checked(each) for key, each in check.fields.items()},
                "propertyNames": _NO_DIRECTIVE,
                "additionalProperties": _ref("value"),
                "required": list(check.required),
                **_any_of(check.any_of),
            }
    return _PLAIN_CHECKS[check]


def _any_of(names: Iterable[str]) -> Schema:
    alternatives = [{"required": [name], "properties": {name: {"not": _FALSY}}} for name in names]
    return {"anyOf": alternatives} if alternatives else {}


def schema_text() -> str:
    """Return the schema as its file contains it."""
    return f"{json.dumps(mappings_schema(), indent=2)}\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())

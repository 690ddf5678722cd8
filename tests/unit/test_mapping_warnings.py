"""Warnings about a mappings file: for each kind a mistake that is reported, and a near miss that is not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from loops_destination.actions import ACTIONS
from loops_destination.subscriptions import load_entries
from segment_loops.mapping_warnings import MappingWarning, WarningKind, find_warnings
from segment_loops.mappings_file import MAPPINGS

PAGE = (Path(__file__).parents[2] / "docs" / "mappings-file.md").read_text("utf-8")
FIELDS = {"userId": {"@path": "$.userId"}, "eventName": {"@path": "$.event"}}
IDENTIFY = {"type": "identify", "userId": "u", "traits": {"email": "a@b.co", "plan": None, "zip code": "N1"}}
TRACK = {
    "type": "track", "userId": "u", "event": "Signed Up", "properties": {"products": [{"sku": 1}], "total": 5},
    "context": {"traits": {"email": "a@b.co"}},
}  # fmt: skip
EVENTS = [IDENTIFY, TRACK]


def warnings(*definitions: dict[str, Any], events: Any = EVENTS) -> list[MappingWarning]:
    document = [{"id": f"s{index}", **each} for index, each in enumerate(definitions)]
    return find_warnings(load_entries(json.dumps({"subscriptions": document})), events)


def sending(**fields: Any) -> list[MappingWarning]:
    """Return the warnings about a sendEvent subscription with these fields beside the required ones."""
    return warnings({"action": "sendEvent", "mapping": FIELDS | fields})


def property_of(definition: Any) -> list[MappingWarning]:
    """Return the warnings about an event property; their paths start at it."""
    place = "/subscriptions/0/mapping/eventProperties/x"
    found = sending(eventProperties={"x": definition})
    assert all(each.path.startswith(place) for each in found)
    return [MappingWarning(each.path.removeprefix(place), each.message, each.kind) for each in found]


def contact(**fields: Any) -> list[MappingWarning]:
    return warnings({"action": "createOrUpdateContact", "mapping": {"userId": {"@path": "$.userId"}} | fields})


def test_the_default_mappings_have_no_warnings() -> None:
    """The mappings of this project, and every action's default mapping, have no warnings with the sample events."""
    defaults = [{"id": slug, "action": slug} for slug in ACTIONS]
    assert find_warnings(load_entries(MAPPINGS.read_bytes())) == []
    assert find_warnings(load_entries(json.dumps(defaults))) == []


def test_every_kind_is_documented_and_tested() -> None:
    """Each kind has a line in docs/mappings-file.md, in the order of the enumeration, and a test in this file."""
    section = PAGE.partition("\n## Warnings\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == list(WarningKind)
    tests = Path(__file__).read_text("utf-8")
    assert all(f"Kind.{kind.name}" in tests for kind in WarningKind)


@pytest.mark.parametrize(
    ("given", "words", "identity"),
    [
        ({"name": "a"}, "so its name identifies it. If you rename it, events", '"a"'),
        ({}, "so its action identifies it. If you name it, events", '"sendEvent"'),
    ],
)
def test_a_missing_id(given: dict[str, Any], words: str, identity: str) -> None:
    """A subscription without an id has a warning that names the id to add; one with an id has none."""
    (found,) = warnings({"id": None, "action": "sendEvent", **given})
    assert (found.kind, found.path) == (WarningKind.MISSING_ID, "/subscriptions/0")
    assert words in found.message
    assert found.message.endswith(f'Add "id": {identity}.')
    assert warnings({"id": "x", "action": "sendEvent", **given}) == []


def test_an_unknown_field() -> None:
    """A field that the action does not have is reported with a suggestion; a property of that name is not."""
    (found,) = sending(emial={"@path": "$.context.traits.email"})
    assert (found.kind, found.path) == (WarningKind.UNKNOWN_FIELD, "/subscriptions/0/mapping/emial")
    assert 'Did you mean "email"?' in found.message
    (found,) = sending(zzz=1)
    assert found.message.endswith("Use one of: email, eventName, userId, contactProperties, eventProperties.")
    assert sending(contactProperties={"emial": 1}) == []
    assert warnings({"action": "sendEvent", "mapping": {"@path": "$.properties"}}) == []


@pytest.mark.parametrize(
    "empty", [None, "", {"@literal": ""}, {"@template": ""}, {"@if": {"exists": "x", "then": "", "else": "y"}}]
)
def test_a_required_field_that_is_always_empty(empty: Any) -> None:
    """A required field without a value is reported, also if a directive that reads nothing gives none."""
    (found,) = sending(eventName=empty)
    assert (found.kind, found.path) == (WarningKind.EMPTY_REQUIRED_FIELD, "/subscriptions/0/mapping")
    assert "rejects every event, because eventName is required and has no value" in found.message
    (found,) = warnings({"action": "sendEvent", "mapping": {"userId": "u"}})
    assert found.kind is WarningKind.EMPTY_REQUIRED_FIELD


@pytest.mark.parametrize(
    "value",
    [0, "Welcome", {"@liquid": ""}, {"@template": "{{event}}"}, {"@if": {"exists": {"@path": "$.event"}, "then": "a"}}],
)
def test_a_required_field_that_may_have_a_value(value: Any) -> None:
    """A required field with a constant, or with a directive that reads the event, is not reported."""
    assert sending(eventName=value) == []
    assert sending(email="") == []


def test_an_unknown_key() -> None:
    """A key that a directive does not have is reported with a suggestion, at every depth."""
    choice = {"exists": {"@path": "$.event"}, "than": "a", "else": "b"}
    (found,) = property_of([{"@excludeWhenNull": {"y": {"@if": choice}}}])
    assert (found.kind, found.path) == (WarningKind.UNKNOWN_KEY, "/0/@excludeWhenNull/y/@if/than")
    assert found.message == 'is ignored, because @if has no such key. Did you mean "then"?'
    flatten = {"value": {"@path": "$.properties"}, "separator": "_"}
    (found,) = property_of({"@flatten": flatten | {"omitarrays": True}})
    assert 'Did you mean "omitArrays"?' in found.message


@pytest.mark.parametrize(
    "definition",
    [
        {"@if": {"blank": {"@path": "$.event"}, "then": {"than": 1}}, "_metadata": {"label": "x"}},
        {"@flatten": {"value": {"@path": "$.properties"}, "separator": "_", "omitArrays": True}},
        {"@replace": {"pattern": "a", "pattern2": None, "replacement2": "", "value": "x", "global": False}},
        {"than": 1},
    ],
)
def test_a_known_key(definition: Any) -> None:
    """A key that a directive reads, `_metadata`, and a property named like a mistyped key are not reported."""
    assert property_of(definition) == []


@pytest.mark.parametrize(
    ("definition", "place", "advice"),
    [
        ("$.traits.x", "", '{"@path": "$.traits.x"}'),
        ("$.properties.products[0]['zip code']", "", '{"@path":'),
        ("{{x}}", "", '{"@template": "{{x}}"}'),
        ("Hi {{ traits.name }}!", "", '{"@template": "Hi {{ traits.name }}!"}'),
        (["$.a"], "/0", '{"@path": "$.a"}'),
        ({"@case": {"operator": "lower", "value": "$.event"}}, "/@case/value", '{"@path": "$.event"}'),
        ({"@template": "$.event"}, "/@template", '{"@path": "$.event"}'),
    ],
)
def test_a_path_that_is_sent_literally(definition: Any, place: str, advice: str) -> None:
    """A constant text that looks like a path or a template is reported with the directive that reads it."""
    (found,) = property_of(definition)
    assert (found.kind, found.path) == (WarningKind.LITERAL_PATH, place)
    assert f"write {advice}" in found.message


@pytest.mark.parametrize(
    "definition",
    [
        "$5.00", "$.99", "$", "$.", "Save $.traits today", "{x}", "{{", "{{ }}", "a.b",
        {"@literal": "$.traits.x"}, {"@literal": "{{x}}"}, {"@template": "{{event}}"}, {"@liquid": "{{ event }}"},
        {"@replace": {"pattern": "$.a", "replacement": "{{x}}", "value": "y"}},
    ],
)  # fmt: skip
def test_a_text_that_is_meant(definition: Any) -> None:
    """Prices, other braces, literals and the patterns of a directive are not reported."""
    assert property_of(definition) == []


@pytest.mark.parametrize(
    "definition",
    [
        {"@path": "$.properties.products[0"},
        {"@path": "$.properties.products[0.sku"},
        {"@path": "$.properties['zip code"},
        {"@path": "$.a[0.b[1]"},
        {"@template": "{{properties.products[0}}"},
        {"@arrayPath": ["$.properties.products[0", {"a": 1}]},
    ],
)
def test_an_unclosed_bracket(definition: Any) -> None:
    """A path in which a bracket is not closed is reported, and nothing else about that path."""
    (found,) = property_of(definition)
    assert found.kind is WarningKind.UNCLOSED_BRACKET


@pytest.mark.parametrize(
    "path", ["$.properties.products[0]", "$.properties.products[0].sku", "$.x['a[b']", "$.x['a']['b']"]
)
def test_closed_brackets(path: str) -> None:
    """Brackets that are closed, and one in a quoted name, are not reported."""
    assert WarningKind.UNCLOSED_BRACKET not in {each.kind for each in property_of({"@path": path})}


@pytest.mark.parametrize(
    ("definition", "advice"),
    [
        ({"@path": "$.properties.totel"}, "Did you mean $.properties.total?"),
        ({"@path": "$.user_id"}, "Did you mean $.userId?"),
        ({"@path": "$.traits.email"}, "Did you mean $.context.traits.email?"),
        ({"@path": "$.properties.products.0.skus"}, "Did you mean $.properties.products.0.sku?"),
        ({"@template": "{{propertys.total}}"}, "Did you mean properties.total?"),
        ({"@arrayPath": ["$.properties.product", {"sku": {"@path": "$.sku"}}]}, "Did you mean $.properties.products?"),
        ({"@path": "$.properties.coupon"}, "Correct it, or add an event that has it to events/."),
    ],
)
def test_a_path_that_no_sample_has(definition: Any, advice: str) -> None:
    """A path that no matching sample event has is reported with the nearest path that one has."""
    (found,) = property_of(definition)
    assert found.kind is WarningKind.PATH_NOT_IN_SAMPLES
    assert found.message.endswith(advice)


@pytest.mark.parametrize(
    "definition",
    [
        {"@path": "$.properties.total"},
        {"@path": "event"},
        {"@path": "$."},
        {"@path": "$.properties.email"},
        {"@path": "$.properties.products.length"},
        {"@arrayPath": ["$.properties.products", {"a": {"@path": "$.title"}}]},
        {"@transform": {"apply": {"a": {"@path": "$.event"}}, "mapping": {"b": {"@path": "$.a"}}}},
    ],
)
def test_a_path_that_a_sample_has(definition: Any) -> None:
    """A path that a sample has, that the default mapping reads, or that starts elsewhere is not reported."""
    assert property_of(definition) == []


def test_the_samples_of_a_path() -> None:
    """A null in a sample counts; without a matching sample all count; without any sample no path is reported."""
    mapping = {"userId": {"@path": "$.userId"}, "source": {"@path": "$.traits.plan"}}
    assert contact(source={"@path": "$.traits.plan"}) == []
    assert contact(source={"@path": "$.traits['zip code']"}) == []
    unmatched = {"action": "createOrUpdateContact", "trigger": 'event = "Other"', "mapping": mapping}
    assert warnings(unmatched) == []
    (found,) = warnings(unmatched, events=[TRACK])
    assert found.kind is WarningKind.PATH_NOT_IN_SAMPLES
    assert warnings(unmatched, events=[]) == []


@pytest.mark.parametrize("value", ["yes", 1, [True], {"@path": "$.userId"}, {"@literal": {"a": 1}}])
def test_a_list_value_that_is_dropped(value: Any) -> None:
    """A mailing list whose value is neither true nor false, for a sample or always, is reported."""
    (found,) = contact(mailingLists={"news": value})
    assert (found.kind, found.path) == (WarningKind.DROPPED_LIST_VALUE, "/subscriptions/0/mapping/mailingLists/news")


@pytest.mark.parametrize("value", [True, False, "true", "false", None, "", {"@path": "$.traits.plan"}])
def test_a_list_value_that_is_sent(value: Any) -> None:
    """A mailing list with true or false, as text too, or without a value is not reported."""
    assert contact(mailingLists={"news": value}) == []
    assert sending(eventProperties={"mailingLists": {"news": "yes"}}) == []


WELCOME = FIELDS | {"eventName": "Welcome"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        ({"trigger": 'type = "track"'}, {"trigger": 'type = "track" and event = "Signed Up"'}),
        ({"trigger": 'event = "Other"'}, {"trigger": "event='Other'"}),
        ({"mapping": WELCOME}, {"mapping": WELCOME | {"eventProperties": {"a": 1}}}),
    ],
)
def test_an_event_that_is_sent_twice(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Two enabled subscriptions that send one event under the same name are reported at the later one."""
    (found,) = warnings({"action": "sendEvent", **first}, {"action": "sendEvent", **second})
    assert (found.kind, found.path) == (WarningKind.SENT_TWICE, "/subscriptions/1")
    assert 'the same event as "s0"' in found.message


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"enabled": False}),
        ({}, {"mapping": WELCOME}),
        ({"trigger": 'event = "A"'}, {"trigger": 'event = "B"'}),
        ({"action": "createOrUpdateContact"}, {"action": "createOrUpdateContact"}),
    ],
)
def test_events_that_are_sent_once(first: dict[str, Any], second: dict[str, Any]) -> None:
    """A disabled subscription, another event name, other events, and contacts updated twice are not reported."""
    assert warnings({"action": "sendEvent", **first}, {"action": "sendEvent", **second}) == []


def test_a_disabled_copy_has_the_other_warnings() -> None:
    """A disabled subscription has every warning but the one about events sent twice."""
    (found,) = warnings({"action": "sendEvent", "enabled": False, "mapping": FIELDS | {"x": 1}})
    assert found.kind is WarningKind.UNKNOWN_FIELD

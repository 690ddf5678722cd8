import copy
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loops_destination.errors import MappingError
from loops_destination.mapping import Mapping

LAYER = Path(__file__).parents[3] / "layers" / "destination"


def nested(levels: int, key: str) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {key: value}
    return value


@pytest.mark.parametrize("definition", [None, True, 0, 1.5, "x", [], {}, [1, {"a": None}], {"a": {"b": [1]}}])
def test_constants(definition: Any) -> None:
    """JSON without directives maps to itself."""
    assert Mapping(definition).resolve({}) == definition


def test_nothing_at_the_root() -> None:
    """A mapping that is a directive and finds nothing resolves to None."""
    assert Mapping({"@path": "$.nope"}).resolve({}) is None


@pytest.mark.parametrize(
    "definition",
    [
        {"a": {"@path": "$.x"}, "b": [{"@path": "$.x"}], "c": {"d": {"@path": "$.x"}}},
        {"@merge": {"objects": [{"a": {"@path": "$.x"}, "b": [{"@path": "$.x"}]}, {}], "direction": "right"}},
    ],
)
def test_undefined_members(definition: Any) -> None:
    """With every directive, an undefined value is left out of objects and null in arrays."""
    resolved = Mapping(definition).resolve({})
    assert "a" not in resolved
    assert resolved["b"] == [None]
    assert resolved.get("c", {}) == {}


def test_order_of_keys() -> None:
    """The output has its keys in the order of the definition."""
    definition = {"b": {"@path": "$.x"}, "a": 1, "d": {"@path": "$.y"}, "c": 2}
    assert list(Mapping(definition).resolve({"x": 1})) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("parent", "resolved"),
    [
        ({"a": 1, "b": None}, {"a": 1, "b": None, "d": "then"}),
        ({"c": 2, "d": {}}, {"c": 2, "d": {}}),
        ({}, {"d": "then"}),
        ([1, 2], {"length": 2, "d": "then"}),
        ("text", {"length": 4, "d": "then"}),
        (0, {"a": 0, "b": 0, "c": 0, "length": 0, "d": 0}),
        (None, {"a": None, "b": None, "length": None, "d": "then"}),
        (True, {"d": "then"}),
    ],
    ids=str,
)
def test_members_of_one_parent(parent: Any, resolved: dict[str, Any]) -> None:
    """Members with paths into one parent are found in a parent of any type."""
    paths = {key: {"@path": f"$.parent.{key}"} for key in ("a", "b", "c", "length", "d")}
    definition = paths | {
        "c": {"@if": {"exists": paths["c"], "then": paths["c"]}},
        "d": {"@if": {"exists": paths["d"], "then": paths["d"], "else": "then"}},
    }
    found = Mapping(definition).resolve({"parent": parent})
    assert found == resolved
    assert [*found] == [key for key in definition if key in resolved]


@pytest.mark.parametrize(
    "definition",
    [
        {"traits": {"@path": "$.traits"}},
        {"traits": {"@if": {"exists": {"@path": "$.traits"}, "then": {"@path": "$.traits"}}}},
        {"@flatten": {"value": {"@path": "$."}, "separator": ".", "omitArrays": True}},
    ],
)
def test_what_is_found_is_shared(definition: Any) -> None:
    """A value that a mapping takes over unchanged is the event's own value, not a copy."""
    event = {"traits": ["a", {"b": 1}]}
    assert Mapping(definition).resolve(event)["traits"] is event["traits"]


def test_definition_cannot_be_changed() -> None:
    """Neither changing a resolved value nor changing the definition later affects the next resolution."""
    definition = {"a": {"b": [1]}, "c": [{"d": 1}], "e": {"@literal": {"f": []}}, "g": {"@path": "$.x"}}
    mapping = Mapping(definition)
    first = mapping.resolve({"x": 1})
    expected = copy.deepcopy(first)
    first["a"]["b"].append(2)
    first["c"][0].clear()
    first["e"]["f"].append(1)
    first.clear()
    definition["a"] = {"changed": True}
    assert mapping.resolve({"x": 1}) == expected


def test_decoded_constants_are_fresh() -> None:
    """JSON decoded from a constant is a new object for each event."""
    mapping = Mapping({"@json": {"mode": "decode", "value": "[1]"}})
    mapping.resolve({}).append(2)
    assert mapping.resolve({}) == [1]


@pytest.mark.parametrize("event", [None, [], "x", 5, True])
def test_event_must_be_an_object(event: Any) -> None:
    """An event that is not an object is refused, even by a mapping that reads nothing of it."""
    with pytest.raises(MappingError, match="an event must be an object"):
        Mapping("constant").resolve(event)


CYCLE: dict[str, Any] = {"text": "x"}
CYCLE["self"] = [CYCLE]
LIST_IN_ITSELF: list[Any] = []
LIST_IN_ITSELF.append(LIST_IN_ITSELF)


@pytest.mark.parametrize(
    "definition",
    [
        {"@json": {"mode": "encode", "value": {"@path": "$."}}},
        {"@template": "{{ }}"},
        {"@flatten": {"value": {"@path": "$."}, "separator": "."}},
        {"@transform": {"apply": {"@path": "$."}, "mapping": {}}},
    ],
)
@pytest.mark.parametrize("event", [CYCLE, {"self": 1, "deep": nested(100_000, "deep")}], ids=["cyclic", "deep"])
def test_endless_events(definition: Any, event: dict[str, Any]) -> None:
    """An event that contains itself, or is nested too deeply, is refused."""
    with pytest.raises(MappingError, match="nested too deeply"):
        Mapping(definition).resolve(event)


@pytest.mark.parametrize(
    "definition",
    [{"@if": {"blank": {"@path": "$.a"}, "then": 1}}, {"@liquid": "{{ a }}"}, {"@liquid": "{{ a | json }}"}],
)
def test_list_in_itself(definition: Any) -> None:
    """A list that holds itself is neither followed nor compared."""
    with pytest.raises(MappingError, match="nested too deeply"):
        Mapping(definition).resolve({"a": LIST_IN_ITSELF})


@pytest.mark.parametrize(
    "definition",
    [CYCLE, LIST_IN_ITSELF, nested(100_000, "a"), nested(100_000, "@literal"), [[0] * 200] * 200],
    ids=["cycle", "list", "deep", "deep-directives", "large"],
)
def test_endless_definitions(definition: Any) -> None:
    """A definition that contains itself, or is too deep or too large, is refused with one problem."""
    with pytest.raises(MappingError, match="deeper than 64 levels or has more than 20,000 values") as refused:
        Mapping(definition)
    assert len(refused.value.problems) == 1


def test_deepest_definition() -> None:
    """A definition can have 64 levels of any directive that nests."""
    definition: Any = {"@path": "$.x"}
    for _ in range(63):
        definition = {"@transform": {"apply": {"@path": "$."}, "mapping": definition}}
    assert Mapping(definition).resolve({"x": 1}) == 1


def test_constructed_without_room() -> None:
    """A mapping that does not fit on the stack is refused with a MappingError."""

    def constructed(deeper: int) -> Mapping:
        return constructed(deeper - 1) if deeper else Mapping(nested(50, "a"))

    room = sys.getrecursionlimit() - len(inspect.stack(0))
    with pytest.raises(MappingError, match="nested too deeply"):
        constructed(room - 40)


def test_liquid_is_loaded_only_when_used() -> None:
    """Importing the package and compiling a mapping without `@liquid` does not import the Liquid engine."""
    program = """
import json, sys
from loops_destination.mapping import Mapping
engine = "loops_destination.mapping.liquid"
Mapping({"a": {"@path": "$.a"}})
before = engine in sys.modules
Mapping({"@liquid": "x"})
print(json.dumps([before, engine in sys.modules]))
"""
    done = subprocess.run(  # noqa: S603  our own interpreter and program
        [sys.executable, "-c", program], check=True, capture_output=True, cwd=LAYER, text=True
    )
    assert json.loads(done.stdout) == [False, True]


def test_a_root_directive_wraps_the_other_fields() -> None:
    """The fields beside a root directive become the `mapping` of that directive, and the definition is not changed."""
    definition = {
        "__segment_internal_directive": {"@transform": {"apply": {"id": {"@path": "$.userId"}}}},
        "userId": {"@path": "$.id"},
    }
    before = copy.deepcopy(definition)
    assert Mapping(definition).resolve({"userId": "u"}) == {"userId": "u"}
    assert definition == before


@pytest.mark.parametrize("root", [None, 1, "@transform", {}, [], {"@path": "$.a"}, {"@literal": {}, "@path": {}}])
def test_an_invalid_root_directive_is_refused(root: Any) -> None:
    """A root directive that is not one directive with an object is a problem at its key."""
    with pytest.raises(MappingError) as refused:
        Mapping({"__segment_internal_directive": root, "userId": "u"})
    assert [problem.path for problem in refused.value.problems] == ["/__segment_internal_directive"]

from typing import Any

import pytest

from loops_destination.errors import MappingError
from loops_destination.mapping import Mapping

SET: Any = {1}

PROBLEMS: list[tuple[Any, list[str]]] = [
    ({"@nope": 1}, [": unknown directive @nope; use one of: @path,"]),
    ({"x": {"@": 1}}, ["/x: unknown directive @;"]),
    ({"x": {"@path": "$.a", "also": 1}}, ["/x: a directive must be the only key"]),
    ({"x": {"@path": "$.a", "@template": "b"}}, ["/x: a directive must be the only key"]),
    ({"x": {"@path": ["a"]}}, ["/x/@path: must be a string or a directive, not an array"]),
    ({"x": {"@template": {"a": 1}}}, ["/x/@template: must be a string or a directive, not an object"]),
    ({"x": [1, {"y": {"@path": None}}]}, ["/x/1/y/@path: must be a string or a directive, not null"]),
    ({"x": {"@literal": {"y": [{"@nope": 1}]}}}, ["/x/@literal/y/0: unknown directive"]),
    ({"x": {"@if": []}}, ["/x/@if: must be an object, not an array"]),
    ({"x": {"@if": {"@path": "a"}}}, ["/x/@if: must be an object, not a directive"]),
    ({"x": {"@if": {"then": 1}}}, ["/x/@if: must have exists or blank"]),
    ({"x": {"@if": {"exists": "", "blank": 0}}}, ["/x/@if: must have exists or blank"]),
    ({"x": {"@if": {"blank": {"@path": 1}}}}, ["/x/@if/blank/@path: must be a string or a directive, not a number"]),
    ({"x": {"@if": {"exists": 1, "else": [{"@nope": 1}]}}}, ["/x/@if/else/0: unknown directive"]),
    ({"x": {"@case": {}}}, ["/x/@case: must have operator and value"]),
    ({"x": {"@case": {"operator": "title", "value": "a"}}}, ["/x/@case/operator: must be lower or upper"]),
    ({"x": {"@case": {"operator": {"@path": "a"}, "value": "a"}}}, ["/x/@case/operator: must be lower or upper"]),
    ({"x": {"@replace": {"pattern": "😀" * 6, "value": "a"}}}, ["/x/@replace/pattern: must have at most 10 characters, not 12"]),
    ({"x": {"@replace": {"pattern": {"@path": "a"}, "value": "a"}}}, ["/x/@replace/pattern: must be a string, not a directive"]),
    ({"x": {"@replace": {"pattern": "a", "value": "b", "replacement": None}}}, ["/x/@replace/replacement: must be a string"]),
    ({"x": {"@replace": {"pattern": "a", "value": "b", "pattern2": 5}}}, ["/x/@replace/pattern2: must be a string"]),
    (
        {"x": {"@replace": {"pattern": "a", "value": "b", "replacement2": "x" * 11}}},
        ["/x/@replace/replacement2: must have at most 10 characters, not 11"],
    ),
    ({"x": {"@replace": {"pattern": "a", "value": 1, "global": None}}}, ["/x/@replace/value: must be", "/x/@replace/global: must be true or false, not null"]),
    ({"x": {"@arrayPath": []}}, ["/x/@arrayPath: must be an array: a path"]),
    ({"x": {"@arrayPath": [None, {"a": {"@nope": 1}}]}}, ["/x/@arrayPath/0: must be a string", "/x/@arrayPath/1/a: unknown"]),
    ({"x": {"@merge": {"direction": "right"}}}, ["/x/@merge: must have objects"]),
    ({"x": {"@merge": {"objects": {"@path": "a"}, "direction": "LEFT"}}}, ["/x/@merge/objects: must be an array, not a directive", "/x/@merge/direction: must be right or left"]),
    ({"x": {"@merge": {"objects": [1, {"@nope": 1}, None], "direction": "left"}}}, ["/x/@merge/objects/0: must", "/x/@merge/objects/1: unknown", "/x/@merge/objects/2: must"]),
    ({"x": {"@transform": {"apply": [], "mapping": {"a": {"@nope": 1}}}}}, ["/x/@transform/apply: must be an object", "/x/@transform/mapping/a: unknown"]),
    ({"x": {"@flatten": {"value": {"@nope": 1}, "separator": ""}}}, ["/x/@flatten/value: unknown", "/x/@flatten/separator: must not be empty"]),
    ({"x": {"@flatten": {"value": 1, "separator": ".", "omitArrays": {"@nope": 1}}}}, ["/x/@flatten/omitArrays: unknown"]),
    ({"x": {"@json": {"mode": "Encode", "value": 0}}}, ["/x/@json/mode: must be encode or decode", '/x/@json/value: must not be null, false, 0 or ""']),
    ({"x": {"@excludeWhenNull": {"a": {"@nope": 1}}}}, ["/x/@excludeWhenNull/a: unknown"]),
    ({"x": {"@liquid": None}}, ["/x/@liquid: must be a string, not null"]),
    ({"x": {"@liquid": "x" * 1001}}, ["/x/@liquid: must have at most 1000 characters, not 1001"]),
    ({"x": {"@liquid": "{% for a in b %}{% endfor %}"}}, ["/x/@liquid: the tag for is disabled"]),
    ({"x": SET}, ["/x: must be a JSON value"]),
    ({"x": float("inf")}, ["/x: must be a JSON value"]),
    ({"x": {1: 2}}, ["/x: must have strings as keys"]),
]  # fmt: skip


@pytest.mark.parametrize(("definition", "problems"), PROBLEMS, ids=[problems[0][:60] for _, problems in PROBLEMS])
def test_problems(definition: Any, problems: list[str]) -> None:
    """Every problem is reported with its place, in the order of the definition, one a line."""
    with pytest.raises(MappingError) as refused:
        Mapping(definition)
    lines = str(refused.value).split("\n")
    assert len(lines) == len(refused.value.problems) == len(problems)
    assert all(line.startswith(problem.removeprefix(": ")) for line, problem in zip(lines, problems, strict=True))


def test_problems_of_several_members() -> None:
    """The problems of several members are reported together."""
    with pytest.raises(MappingError) as refused:
        Mapping({"a": {"@path": 1}, "b": [{"@nope": 1}, {"@case": 5}], "c": {"@if": {"exists": {"@path": 2}}}})
    assert [problem.path for problem in refused.value.problems] == [
        "/a/@path",
        "/b/0",
        "/b/1/@case",
        "/c/@if/exists/@path",
    ]


def test_messages_hide_values() -> None:
    """The message of a failed resolution shows no value of the event."""
    with pytest.raises(MappingError) as failed:
        Mapping({"@path": {"@path": "$.secret"}}).resolve({"secret": ["token-1"]})
    assert "token-1" not in str(failed.value)

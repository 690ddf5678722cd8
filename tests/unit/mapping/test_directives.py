from typing import Any

import pytest

from loops_destination.errors import MappingError
from loops_destination.mapping import Mapping
from loops_destination.mapping.directives import DIRECTIVES

EVENT: dict[str, Any] = {
    "type": "track",
    "userId": "u-1",
    "name": "Ada",
    "blank": "",
    "null": None,
    "zero": 0,
    "no": False,
    "half": 0.5,
    "big": 9007199254740993,
    "whole": 12.0,
    "text": "b$b. B",
    "emoji": "a😀b",
    "json": '{"a": [1, 2.0, null], "b": 1e400}',
    "list": [{"id": 1}, None, "s", {"id": 2, "x": None}],
    "empties": [[], [None], [[""]], [0], [None, None]],
    "nested": {"a": {"b": 1, "c": {}}, "d": [1, {"e": 2}], "f": None, "g": []},
    "one": {"id": 7},
}


def path(written: str) -> dict[str, Any]:
    return {"@path": f"$.{written}"}


def replace(value: Any, pattern: str, **options: Any) -> dict[str, Any]:
    return {"@replace": {"value": value, "pattern": pattern, **options}}


def choose(test: str, subject: Any) -> dict[str, Any]:
    return {"@if": {test: subject, "then": "then", "else": "else"}}


CASES: list[tuple[Any, Any]] = [
    (path("name"), "Ada"),
    (path("null"), None),
    ({"@path": {"@literal": "$.name"}}, "Ada"),
    ({"@path": path("type"), "_metadata": {"label": "Type", "@any": 1}}, None),
    ({"@template": "Hi {{name}}, {{ name }} {{{name}}}"}, "Hi Ada, Ada Ada"),
    (
        {"@template": "{{null}}|{{nope}}|{{no}}|{{zero}}|{{half}}|{{whole}}|{{big}}"},
        "||false|0|0.5|12|9007199254740993",
    ),
    ({"@template": "{{nested.a}} {{nested.d}}"}, '{"b":1,"c":{}} 1,{"e":2}'),
    ({"@template": "{{emoji.1}}{{emoji.2}}"}, "😀"),
    ({"@template": "{{}} {{ {{name} {{$.name}} }}"}, "{{}} {{ {{name}  }}"),
    ({"@template": "{{{{name}}}} {{name}}}"}, "} Ada}"),
    ({"@template": "no tags"}, "no tags"),
    ({"@template": "{{name}} {{name"}, "Ada {{name"),
    ({"@template": {"@literal": "{{name}}"}}, "Ada"),
    ({"@literal": {"a": path("name"), "b": [1, {"c": None}]}}, {"a": "Ada", "b": [1, {"c": None}]}),
    (choose("exists", path("blank")), "then"),
    (choose("exists", path("no")), "then"),
    (choose("exists", path("null")), "else"),
    (choose("exists", path("nope")), "else"),
    (choose("exists", {"@literal": "constant"}), "then"),
    (choose("exists", {"@literal": None}), "else"),
    (choose("blank", path("name")), "then"),
    (choose("blank", path("one")), "then"),
    (choose("blank", path("nope")), "else"),
    (choose("blank", path("null")), "else"),
    (choose("blank", path("blank")), "else"),
    (choose("blank", path("zero")), "else"),
    (choose("blank", path("no")), "else"),
    (choose("blank", path("empties[0]")), "else"),
    (choose("blank", path("empties[1]")), "else"),
    (choose("blank", path("empties[2]")), "else"),
    (choose("blank", path("empties[3]")), "then"),
    (choose("blank", path("empties[4]")), "then"),
    ({"@if": {"exists": path("name"), "then": path("name"), "else": path("type")}}, "Ada"),
    ({"@if": {"exists": path("nope"), "then": path("nope"), "else": path("type")}}, "track"),
    ({"@if": {"exists": None, "blank": path("name"), "then": 1, "else": 2}}, 2),
    ([{"@if": {"exists": path("name"), "then": 0}}], [0]),
    ({"x": {"@if": {"exists": path("nope"), "else": 0}}}, {}),
    ({"x": {"@if": {"exists": path("name"), "else": 1}}}, {}),
    ({"x": {"@if": {"exists": path("name"), "then": None}}}, {"x": None}),
    ({"@case": {"operator": "upper", "value": path("name")}}, "ADA"),
    ({"@case": {"operator": "lower", "value": "STRASSE ΑΣ"}}, "strasse ας"),
    ({"@case": {"operator": "upper", "value": "ß"}}, "SS"),
    ({"@case": {"operator": "upper", "value": path("one")}}, {"id": 7}),
    ({"x": {"@case": {"operator": "upper", "value": ""}}}, {}),
    (replace(path("text"), "b"), "$. B"),
    (replace(path("text"), "b", replacement="$&"), "$&$$&. B"),
    (replace(path("text"), "b", replacement="x", ignorecase=True), "x$x. x"),
    (replace(path("text"), "B", replacement="x", ignorecase=True, **{"global": False}), "x$b. B"),
    (replace(path("text"), ".", replacement="!"), "b$b! B"),
    (replace("aXbX", "X", replacement="Y", pattern2="Y", replacement2="Z"), "aZbZ"),
    (replace("aXbX", "X", replacement="Y", pattern2="", replacement2=None), "aYbY"),
    (replace("aXb", "X", pattern2="b"), "a"),
    (replace("\u017fKsk", "s", replacement="-", ignorecase=True), "\u017fK-k"),
    (replace("µΜ", "μ", replacement="-", ignorecase=True), "--"),
    (replace("𐐀", "𐐨", replacement="-", ignorecase=True), "𐐀"),
    (replace(path("emoji"), "\ud83d", replacement="x"), "ax\ude00b"),
    (replace("\ud83dx\ude00", "x"), "😀"),
    (replace(path("half"), "5", replacement="7"), "0.7"),
    (replace(path("no"), "fal", replacement="el"), "else"),
    (replace(path("null"), "x"), ""),
    (replace(path("nope"), "x"), ""),
    (replace(path("list"), "x"), ""),
    ({"x": replace("", "x")}, {}),
    ({"@arrayPath": ["$.list"]}, EVENT["list"]),
    ({"@arrayPath": ["$.list", {}]}, EVENT["list"]),
    ({"@arrayPath": ["$.list", ["ignored"]]}, EVENT["list"]),
    ({"@arrayPath": ["$.list", {"i": path("id")}]}, [{"i": 1}, {"i": None}, {}, {"i": 2}]),
    ({"@arrayPath": [path("list"), {"i": path("id")}]}, [{"i": 1}, {"i": None}, {}, {"i": 2}]),
    ({"@arrayPath": ["$.list", path("id")]}, [1, None, None, 2]),
    ({"@arrayPath": ["$.one", {"i": path("id")}]}, [{"i": 7}]),
    ({"@arrayPath": ["$.name", {"i": path("id")}]}, "Ada"),
    ({"x": {"@arrayPath": ["$.nope", {"i": path("id")}]}}, {}),
    ({"@arrayPath": [[1], {"i": 1}]} | {"@arrayPath": [{"@literal": [path("nope")]}, {"i": path("")}]}, [{}]),
    ({"@merge": {"objects": [{"a": 1, "b": 1}, {"b": 2}], "direction": "right"}}, {"a": 1, "b": 2}),
    ({"@merge": {"objects": [{"a": 1, "b": 1}, {"b": 2}], "direction": "left"}}, {"b": 1, "a": 1}),
    ({"@merge": {"objects": [{"a": 1}, path("name"), path("list"), path("null")], "direction": "right"}}, {"a": 1}),
    ({"@merge": {"objects": [{"a": 1, "b": 2}, {"a": path("nope")}], "direction": "right"}}, {"b": 2}),
    ({"@merge": {"objects": [{"a": 1}, {"@excludeWhenNull": {"a": None}}], "direction": "right"}}, {}),
    ({"@merge": {"objects": [], "direction": "right"}}, {}),
    ({"@transform": {"apply": {"p": path("name")}, "mapping": {"q": path("p"), "r": path("name")}}}, {"q": "Ada"}),
    ({"@transform": {"apply": path("name"), "mapping": {"l": path("length")}}}, {"l": 3}),
    ({"@transform": {"apply": path("nope"), "mapping": {"l": path("length"), "m": 1}}}, {"m": 1}),
    ({"@transform": {"apply": {"l": [path("nope")]}, "mapping": {"x": path("l[0]"), "y": path("l")}}}, {"y": [None]}),
    (
        {
            "@transform": {
                "apply": path("nope"),
                "mapping": {"@transform": {"apply": {"a": 1}, "mapping": {"b": path("a")}}},
            }
        },
        {"b": 1},
    ),
    (
        {"@flatten": {"value": path("nested"), "separator": "."}},
        {"a.b": 1, "d.0": 1, "d.1.e": 2, "f": None},
    ),
    (
        {"@flatten": {"value": path("nested"), "separator": "__", "omitArrays": True}},
        {"a__b": 1, "d": [1, {"e": 2}], "f": None, "g": []},
    ),
    ({"@flatten": {"value": path("list"), "separator": "."}}, {"0.id": 1, "1": None, "2": "s", "3.id": 2, "3.x": None}),
    ({"@flatten": {"value": path("list"), "separator": ".", "omitArrays": True}}, {}),
    ({"@flatten": {"value": path("name"), "separator": "."}}, {}),
    ({"@flatten": {"value": path("nope"), "separator": "."}}, {}),
    ({"@flatten": {"value": {"": {"a": 1}}, "separator": "."}}, {"a": 1}),
    ({"@flatten": {"value": {"a.b": 1, "a": {"b": path("nope")}}, "separator": "."}}, {}),
    ({"@flatten": {"value": [path("nope"), 1], "separator": "."}}, {"1": 1}),
    ({"@flatten": {"value": {"a": [path("nope")]}, "separator": ".", "omitArrays": True}}, {"a": [None]}),
    (
        {
            "@flatten": {
                "value": {
                    "@merge": {"objects": [{"a": {"b": 1}}, {"a": {"b": path("nope"), "c": 2}}], "direction": "right"}
                },
                "separator": ".",
            }
        },
        {"a.c": 2},
    ),
    (
        {
            "@merge": {
                "objects": [
                    {"a": 1, "b": 2},
                    {
                        "@transform": {
                            "apply": {},
                            "mapping": {"a": path("nope"), "b": {"c": path("nope"), "d": [path("nope")]}},
                        }
                    },
                ],
                "direction": "right",
            }
        },
        {"b": {"d": [None]}},
    ),
    ({"@json": {"mode": "encode", "value": path("nested.d")}}, '[1,{"e":2}]'),
    ({"@json": {"mode": "encode", "value": path("null")}}, "null"),
    ({"@json": {"mode": "encode", "value": {"a": path("nope"), "b": [path("nope")], "c": 1.0}}}, '{"b":[null],"c":1}'),
    ({"x": {"@json": {"mode": "encode", "value": path("nope")}}}, {}),
    ({"@json": {"mode": "decode", "value": path("json")}}, {"a": [1, 2, None], "b": None}),
    ({"@json": {"mode": "decode", "value": path("big")}}, 9007199254740993),
    ({"@json": {"mode": "decode", "value": "9007199254740993"}}, 9007199254740993),
    ({"@json": {"mode": "decode", "value": "9" * 5000}}, None),
    ({"@json": {"mode": "decode", "value": "NaN"}}, "NaN"),
    ({"@json": {"mode": "decode", "value": "{a: 1}"}}, "{a: 1}"),
    ({"@json": {"mode": "decode", "value": "\ufeff1"}}, "\ufeff1"),
    ({"x": {"@excludeWhenNull": path("null")}}, {}),
    ({"x": {"@excludeWhenNull": path("nope")}}, {}),
    ({"@excludeWhenNull": path("nested")}, {"a": {"b": 1, "c": {}}, "d": [1, {"e": 2}], "g": []}),
    ({"@excludeWhenNull": [None, {"a": None}]}, [None, {"a": None}]),
    ({"@excludeWhenNull": {"a": {"b": None}, "c": path("nope")}}, {"a": {}}),
    ({"@liquid": "Hi {{ name | upcase }}"}, "Hi ADA"),
    ({"@liquid": ""}, ""),
    ({"@arrayPath": ["$.list", {"@liquid": "{{ id | plus: 1 }}"}]}, ["2", "1", "1", "3"]),
]


@pytest.mark.parametrize(("definition", "output"), CASES, ids=[str(definition)[:70] for definition, _ in CASES])
def test_directive(definition: Any, output: Any) -> None:
    """A directive resolves as in Segment's mapping-kit."""
    assert Mapping(definition).resolve(EVENT) == output


def test_every_directive_has_a_case() -> None:
    """Every directive has a case here."""
    written = " ".join(str(definition) for definition, _ in CASES)
    assert len(DIRECTIVES) == 13
    assert all(f"'{name}'" in written for name in DIRECTIVES)


def test_templates_do_not_expand_values() -> None:
    """A value that looks like a tag is plain text."""
    event = {"name": "{{secret}}", "secret": "s"}
    assert Mapping({"@template": "{{{name}}} {{name}}"}).resolve(event) == "{{secret}} {{secret}}"


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        ({"x": {"@path": path("zero")}}, "/x/@path"),
        ({"x": {"@path": path("nope")}}, "/x/@path"),
        ({"x": {"@template": path("list")}}, "/x/@template"),
        ({"@arrayPath": ["$.list", {"@transform": {"apply": {}, "mapping": {}}}]}, "/@arrayPath/1/@transform"),
        ({"x": {"@liquid": "{{ 'x' | append }}"}}, "/x/@liquid"),
    ],
)
def test_resolution_fails(definition: Any, place: str) -> None:
    """If Segment fails to resolve an event, the mapping fails too, and names the place."""
    with pytest.raises(MappingError) as failed:
        Mapping(definition).resolve(EVENT)
    assert [problem.path for problem in failed.value.problems] == [place]


def test_rendered_text_is_bounded() -> None:
    """A template from the event cannot multiply the event's text without bound."""
    event = {"template": "{{text}}" * 1000, "text": "x" * 10_000}
    with pytest.raises(MappingError, match="/@template: too much work"):
        Mapping({"@template": path("template")}).resolve(event)

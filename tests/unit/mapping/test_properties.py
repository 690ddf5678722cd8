import contextlib
import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from loops_destination.errors import MappingError, Problem
from loops_destination.javascript import UNDEFINED
from loops_destination.mapping import Mapping
from loops_destination.mapping.directives import DIRECTIVES

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=[]), max_size=8)
    | st.sampled_from(["", "a", "a,b", "😀", "\ud83d", '{"a": [1]}', "[[[", "1e999", "2026-03-01", "9" * 5000])
)
KEYS = st.sampled_from(["a", "b", "0", "length", "", "traits"])
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
EVENTS = st.dictionaries(KEYS, JSON, max_size=4)

PATHS = st.sampled_from(["$.a", "a.b", "$.traits[0]", "", "$.a['b'].length", "b.0.a", "$.nope"]) | st.text(max_size=6)
TEMPLATES = st.lists(st.sampled_from(["{{", "}}", "{{{", "}}}", "a", " b ", "traits.a"]), max_size=6).map("".join)
LIQUID = st.lists(
    st.sampled_from(
        ["{{ a ", "{{ traits.a[0] ", "| upcase ", "| split: ',' ", "| plus: b ", "| json ", "| date: a ", "| replace: a, b ",
         "| slice: 1, 2 ", "| default: 'x' ", "}}", "{% if a > b %}", "{% else %}", "{% endif %}", "{% assign a = b ", "%}",
         "'", "| push: a ", "{% increment a %}", "| nope ", "| url_decode ", "(1..a) ", "| round: b "],
    ),
    max_size=8,
).map("".join)  # fmt: skip


def directives(definitions: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def option(*values: Any) -> st.SearchStrategy[Any]:
        return st.sampled_from(values) | definitions

    def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.fixed_dictionaries({}, optional=fields)

    texts = PATHS | definitions
    written = {
        "@path": texts,
        "@template": TEMPLATES | definitions,
        "@literal": definitions,
        "@if": some(**dict.fromkeys(("exists", "blank", "then", "else"), definitions)),
        "@case": some(operator=option("upper", "lower"), value=texts),
        "@replace": some(
            pattern=option("a", ".", "\ud83d"),
            replacement=option("", "$&"),
            value=texts,
            ignorecase=option(True),
            pattern2=option("b"),
            **{"global": option(False)},
        ),
        "@arrayPath": st.tuples(texts, definitions).map(list) | st.tuples(texts).map(list),
        "@merge": some(objects=st.lists(definitions, max_size=3), direction=option("left", "right")),
        "@transform": some(apply=definitions, mapping=definitions),
        "@flatten": some(value=definitions, separator=option(".", "_"), omitArrays=option(True)),
        "@json": some(mode=option("encode", "decode"), value=definitions),
        "@excludeWhenNull": definitions,
        "@liquid": LIQUID,
    }
    return st.one_of([strategy.map(lambda value, name=name: {name: value}) for name, strategy in written.items()])


DEFINITIONS = st.recursive(
    SCALARS | PATHS.map(lambda path: {"@path": path}),
    lambda inner: (
        directives(inner)
        | directives(inner)
        | st.lists(inner, max_size=3)
        | st.dictionaries(KEYS | st.sampled_from([*DIRECTIVES, "@nope", "_metadata"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(is_json, value.values()))
    if isinstance(value, list):
        return all(map(is_json, value))
    return value is None or (isinstance(value, bool | int | float | str) and value is not UNDEFINED)


def problems_of(definition: Any) -> tuple[Problem, ...]:
    try:
        Mapping(definition)
    except MappingError as refused:
        return refused.problems
    return ()


@settings(max_examples=600)
@given(DEFINITIONS, EVENTS)
def test_any_mapping_of_any_event(definition: Any, event: dict[str, Any]) -> None:
    """Any definition and event give JSON or a MappingError, and both stay unchanged."""
    definition_before, event_before = copy.deepcopy(definition), copy.deepcopy(event)
    with contextlib.suppress(MappingError):
        resolved = Mapping(definition).resolve(event)
        assert is_json(resolved)
        json.dumps(resolved, allow_nan=False)
    assert definition == definition_before
    assert event == event_before


@settings(max_examples=200)
@given(JSON | DEFINITIONS)
def test_any_definition(definition: Any) -> None:
    """Any JSON is a valid mapping, or is refused with problems that have a place."""
    assert all(problem.path == "" or problem.path.startswith("/") for problem in problems_of(definition))


@settings(max_examples=200)
@given(JSON, EVENTS)
def test_json_without_directives_is_itself(definition: Any, event: dict[str, Any]) -> None:
    """JSON without directives resolves to an equal copy of itself."""
    resolved = Mapping(definition).resolve(event)
    assert resolved == definition
    assert not isinstance(definition, dict | list) or resolved is not definition


@settings(max_examples=300)
@given(LIQUID, EVENTS)
def test_any_liquid(template: str, event: dict[str, Any]) -> None:
    """Any template renders to text or is a MappingError."""
    with contextlib.suppress(MappingError):
        assert isinstance(Mapping({"@liquid": template}).resolve(event), str)

import contextlib
import math
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import pytest
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st

from loops_destination.errors import MappingError
from loops_destination.mapping import Mapping, work
from loops_destination.mapping.directives import DIRECTIVES
from loops_destination.mapping.liquid.filters import FILTERS, WORK
from loops_destination.mapping.work import LIMIT

LARGE = 256 * 1024
"""Bytes of the largest event."""
SMALL = 8 * 1024
"""Bytes of an event whose calls are counted: enough to distinguish a product of two lengths from a sum."""


def repeated(text: str, bytes_: int) -> str:
    return text * (bytes_ // len(text.encode()))


def nested(value: Any, depth: int) -> Any:
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def worst(bytes_: int) -> dict[str, Any]:
    """Return values of at most this size that tend to be slow, large or wrong."""
    patterns = ("a", "中", "😀", " ", "0.", "a.", "%c", "%zz", "+", "[", '"', "{{a}}", "{{v}}", "<!--", "&amp;", "%999999999d", "{},", "\\")  # fmt: skip
    words = ("NaN", "Infinity", "-Infinity", "1e999", "0x" + "f" * 5000, "March 1, 2026", "2026-03-01", "")
    return {
        **{f"{pattern} repeated": repeated(pattern, bytes_) for pattern in patterns},
        **{f"the text {word[:20]}": word for word in words},
        "digits and a letter": repeated("1", bytes_) + "x",
        "blanks between letters": "a" + repeated(" ", bytes_) + "b",
        "deep": nested(1, 190),
        "deep and wide": nested([1] * (bytes_ // 30), 150),
        "a long name": {"a" * (bytes_ // 2): {str(number): {} for number in range(bytes_ // 20)}},
        "many names": {str(number): None for number in range(bytes_ // 10)},
        "numbers": [1.5e300, -1] * (bytes_ // 10),
        "texts": ["x" * 16] * (bytes_ // 20),
        "empty objects": [{}] * (bytes_ // 4),
        "some objects": [{}] * 1000,
        "objects": [{"a": {"a": "A"}, "b": None}] * (bytes_ // 28),
        "huge numbers": [10**4000] * (bytes_ // 4000),
        "a huge number": -(10**4000),
        "infinity": math.inf,
        "minus infinity": -math.inf,
        "no number": math.nan,
        "ten": 10,
        "null": None,
        "2026": "2026",
        "true": True,
    }


WORST = {bytes_: worst(bytes_) for bytes_ in (LARGE, SMALL)}
NAMES = sorted(WORST[LARGE])
TEXTS = sorted(name for name in NAMES if isinstance(WORST[LARGE][name], str) and WORST[LARGE][name])
SETTINGS = settings(derandomize=True, database=None)


def size(value: Any) -> int:
    """Return the characters of a value; any value that is not text counts as one."""
    if isinstance(value, dict):
        return 1 + sum(map(len, value)) + sum(map(size, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(size, value))
    return len(value) if isinstance(value, str) else 1


SIZES = {bytes_: {name: size(value) for name, value in values.items()} for bytes_, values in WORST.items()}


class Calls:
    """Counts all calls of functions, built-in ones included: the work that is really done."""

    def __init__(self) -> None:
        self.number = 0

    def __enter__(self) -> Self:
        self._profiler = sys.getprofile()
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._profiler)

    def _count(self, _frame: object, event: str, _argument: object) -> None:
        self.number += event in {"call", "c_call"}
        if self.number > LIMIT:
            sys.setprofile(self._profiler)
            raise AssertionError("more calls than any resolution may be charged for")


def resolve(definition: Any, event: dict[str, Any]) -> tuple[Any, float]:
    """Resolve the mapping; return its result, which is None after a MappingError, and the units spent."""
    mapping, result = Mapping(definition), None
    work.begin()
    with contextlib.suppress(MappingError):
        result = mapping.resolve(event)
    return result, LIMIT - work._budget.get().left


def assert_bounded(definition: Any, values: list[str]) -> None:
    """Assert that the size of the result and the number of calls are in proportion to the units charged."""
    large, small = ({f"v{index}": WORST[bytes_][value] for index, value in enumerate(values)} for bytes_ in WORST)
    large_size, small_size = (10 + sum(SIZES[bytes_][value] for value in values) for bytes_ in WORST)
    with Calls() as calls:
        _, spent = resolve(definition, small)
    assert calls.number <= 4 * min(spent, LIMIT) + 5 * size(definition) + small_size + 10_000
    result, spent = resolve(definition, large)
    lookups = 1 + str(definition).count("'$")
    assert size(result) <= size(definition) + lookups * max(large_size, spent) + 8 * spent
    assert result is None or spent <= LIMIT


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_is_bounded(name: str) -> None:
    """For any input, the output of a filter and the calls that it makes are in proportion to its charge."""

    @seed(name)
    @settings(SETTINGS, max_examples=3)
    @example(["some objects", "a. repeated"])
    @example(["a repeated", "the text ", "a repeated"])
    @example(["a repeated", "minus infinity", "%999999999d repeated"])
    @example(["2026", "%999999999d repeated"])
    @example(["deep and wide", "ten"])
    @example(["digits and a letter"])
    @given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3))
    def check(values: list[str]) -> None:
        arguments = ", ".join(f"v{index}" for index in range(1, len(values)))
        assert_bounded({"@liquid": f"{{{{ v0 | {name}{': ' if arguments else ''}{arguments} }}}}"}, values)

    check()


def value_or_path(text: str) -> list[Any]:
    """Return the text as a constant, and as a path into the event."""
    return [text, {"@path": "$.v1"}]


def directives(value: Any, text: str) -> dict[str, list[Any]]:
    """Return definitions of each directive with the value inside, and with the text where one is allowed."""
    whole = {"@path": "$."}
    replace = {"pattern": "a", "replacement": "a" * 10, "pattern2": "a", "replacement2": "b" * 10, "value": value}
    return {
        "@path": [{"@path": path} for path in value_or_path(text)],
        "@template": [{"@template": template} for template in [*value_or_path(text), "{{v0}}{{v1}}{{v0}}"]],
        "@literal": [{"@literal": value}],
        "@if": [{"@if": {test: value, "then": value, "else": whole}} for test in ("exists", "blank")],
        "@case": [{"@case": {"operator": operator, "value": value}} for operator in ("upper", "lower")],
        "@replace": [{"@replace": {**replace, "ignorecase": ignores}} for ignores in (True, False)],
        "@arrayPath": [{"@arrayPath": [value, {str(n): {"@path": "$.a"} for n in range(40)}]}],
        "@merge": [{"@merge": {"objects": [value, whole, value], "direction": "left"}}],
        "@transform": [{"@transform": {"apply": {"v0": value, "v1": value}, "mapping": whole}}],
        "@flatten": [
            {"@flatten": {"value": flat, "separator": separator}}
            for flat in (value, whole)
            for separator in (".", text)
        ],
        "@json": [
            {"@json": {"mode": mode, "value": json}}
            for mode in ("encode", "decode")
            for json in (value, [value, value])
        ],
        "@excludeWhenNull": [{"@excludeWhenNull": {"v0": value, "v1": whole}}],
        "@liquid": [{"@liquid": "{{ v0 | json | append: v1 }}"}],
    }


@pytest.mark.parametrize("name", DIRECTIVES)
def test_every_directive_is_bounded(name: str) -> None:
    """For any input, the result of a directive and the calls that it makes are in proportion to its charge."""

    @seed(name)
    @settings(SETTINGS, max_examples=12)
    @given(
        st.lists(st.sampled_from(NAMES), min_size=2, max_size=2), st.sampled_from(TEXTS), st.integers(1, 4), st.data()
    )
    def check(values: list[str], text: str, depth: int, data: st.DataObject) -> None:
        definition: Any = {"@path": "$.v0"}
        for _ in range(depth):
            definition = data.draw(st.sampled_from(directives(definition, WORST[SMALL][text])[name]))
        with contextlib.suppress(MappingError):
            Mapping(definition)
            assert_bounded(definition, values)

    check()


TAGS = [
    "{{ v0 }}",
    "{{ [v0] }}",
    "{{ v1[v0] }}",
    "{{ 'a'[v0] }}",
    "{{ (v0..1) }}",
    "{{ (1..v0) }}",
    "{{ v0 == v1 }}",
    "{{ v0 < v1 }}",
    "{{ v0 contains v1 }}",
    "{{ not v0 }}",
    "{% echo v0 %}",
    "{% if v0 == v1 %}a{% endif %}",
    "{% unless v0 contains v1 %}a{% endunless %}",
    "{% cycle v0: v1, 1 %}",
    "{% cycle v0 %}",
    "{% assign a = v0 %}{{ a }}",
    "{% capture a %}{{ v0 }}{% endcapture %}{{ a }}",
    "{% increment v0 %}",
    "{% decrement v0 %}",
]
"""A use of each tag, operator and kind of operand."""


@pytest.mark.parametrize("tag", TAGS)
def test_every_tag_is_bounded(tag: str) -> None:
    """For any input, what a template of eight such tags writes, and the calls that it makes, are in proportion to its charge."""

    @seed(tag)
    @settings(SETTINGS, max_examples=2)
    @example(["empty objects", "ten"])
    @example(["numbers", "null"])
    @given(st.lists(st.sampled_from(NAMES), min_size=2, max_size=2))
    def check(values: list[str]) -> None:
        assert_bounded({"@liquid": tag * 8}, values)

    check()


def test_only_filters_have_work() -> None:
    """Every filter with declared work exists."""
    assert WORK.keys() <= FILTERS.keys()


def shared(depth: int) -> dict[str, Any]:
    """Return nested transforms, each of which doubles the value by using it twice."""
    whole = {"@path": "$."}
    return {"@transform": {"apply": {"a": whole, "b": whole}, "mapping": shared(depth - 1) if depth else whole}}


ITEMS = [{}] * 5400
FIELD = "a." * 8000


@pytest.mark.parametrize(
    ("definition", "event", "problem"),
    [
        ({"@liquid": "{{ v | where: a }}"}, {"v": ITEMS, "a": FIELD}, "/x/@liquid: too much work: the mapping exceeds 4,000,000 units in the filter where"),
        ({"@liquid": "{{ v | sum: a }}"}, {"v": ITEMS, "a": FIELD}, "/x/@liquid: too much work: the mapping exceeds 4,000,000 units in the filter sum"),
        ({"@liquid": "{{ v | json: 10 }}"}, {"v": nested([1] * 50_000, 150)}, "/x/@liquid: too much work: the mapping exceeds 4,000,000 units in the filter json"),
        ({"@liquid": "{{ v | join: a }}"}, {"v": ITEMS, "a": FIELD}, "/x/@liquid: too much work: the mapping exceeds 4,000,000 units in the filter join"),
        ({"@liquid": "{{ v | replace: '', a }}"}, {"v": "v" * 10_000, "a": FIELD}, "/x/@liquid: too much work: the mapping exceeds 4,000,000 units in the filter replace"),
        ({"@liquid": "{{ 0 | date: a }}"}, {"a": "%9999999d" * 10}, "/x/@liquid: too much work: the mapping exceeds 4,000,000 units in the filter date"),
        ({"@liquid": "{{ [v] }}" * 100}, {"v": ITEMS}, "/x/@liquid: too much work: the mapping exceeds 4,000,000 units here"),
        ({"@liquid": "{{ (v..1) }}" * 80}, {"v": ITEMS}, "/x/@liquid: too much work: the mapping exceeds 4,000,000 units here"),
        ({"@liquid": "{% cycle v: 1 %}" * 60}, {"v": ITEMS}, "/x/@liquid: too much work: the mapping exceeds 4,000,000 units here"),
        ({"@template": "{{v}}" * 100}, {"v": ITEMS}, "/x/@template: too much work: the mapping exceeds 4,000,000 units here"),
        ({"@liquid": "{{ v }}" * 20}, {"v": "a" * LARGE}, "/x/@liquid: too much work: the mapping exceeds 4,000,000 units here"),
        (shared(20), {"v": "a" * 100}, "/x/@transform/mapping/@transform/mapping"),
        ({"@flatten": {"value": {"@path": "$."}, "separator": "."}}, {"a" * 65_000: dict.fromkeys(map(str, range(7000)))}, "/x/@flatten: too much work"),
        ({"@replace": {"pattern": "a", "replacement": "a" * 10, "pattern2": "a", "replacement2": "a" * 10, "value": {"@path": "$.v"}}}, {"v": "a" * LARGE}, "/x/@replace: too much work"),
        ({"@arrayPath": ["$.v", {"day": {"@liquid": "{{ day | date: '%Y' }}"}}]}, {"v": [{"day": "x"}] * 20_000}, "/x/@arrayPath/1/day/@liquid: too much work"),
        ({"@arrayPath": ["$.v", {str(n): {"@path": "$.a"} for n in range(20)}]}, {"v": ITEMS * 16}, "/x/@arrayPath: too much work"),
    ],
)  # fmt: skip
def test_too_much_work_is_a_mapping_error(definition: Any, event: dict[str, Any], problem: str) -> None:
    """A mapping that needs too much work fails before the work is done, and names the directive and filter."""
    mapping = Mapping({"x": definition})
    tracemalloc.start()
    with pytest.raises(MappingError) as failed:
        mapping.resolve(event)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * LIMIT
    assert str(failed.value).startswith(problem)


CASE = {"@case": {"operator": "upper", "value": {"@path": "$.v"}}}


def test_a_resolution_has_one_budget() -> None:
    """The directives of a mapping share one limit."""
    affordable = LIMIT // LARGE
    event = {"v": "a" * LARGE}
    assert len(Mapping([CASE] * affordable).resolve(event)) == affordable
    with pytest.raises(MappingError, match=f"^/{affordable}/@case: too much work"):
        Mapping([CASE] * (affordable + 1)).resolve(event)


def test_every_resolution_has_its_own_budget() -> None:
    """Resolutions of one mapping, in one thread or in several, do not spend each other's units."""
    mapping, event = Mapping([CASE] * 10), {"v": "a" * LARGE}
    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(mapping.resolve, [event] * 12))


def test_replace_keeps_no_characters_beyond_the_first_plane() -> None:
    """Characters beyond U+FFFF, of which there are a million, take next to no memory once they are mapped."""
    mapping = Mapping(
        {
            "@replace": {
                "pattern": "a",
                "replacement": "b",
                "ignorecase": True,
                "value": {"@case": {"operator": "upper", "value": {"@path": "$.v"}}},
            }
        }
    )
    tracemalloc.start()
    for first in range(0x10000, 0x50000, 0x10000):
        mapping.resolve({"v": "".join(map(chr, range(first, first + 0x10000)))})
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < LARGE


def test_an_event_of_the_largest_size_is_mapped() -> None:
    """A mapping that reads an event of 256 KB whole, several times, is within the limit."""
    items = [{"sku": f"item {number}", "price": 9.99, "tags": ["new", "sale"]} for number in range(LARGE // 60)]
    shape = {name: {"@path": f"$.{name}"} for name in ("sku", "price", "tags")}
    mapping = Mapping(
        {
            "flat": {"@flatten": {"value": {"@path": "$.properties"}, "separator": "_"}},
            "json": {"@json": {"mode": "encode", "value": {"@arrayPath": ["$.properties.items", shape]}}},
            "text": {"@template": "{{properties.items}}"},
            "liquid": {
                "@liquid": "{{ properties.items | where: 'sku', 'item 7' | size }} of {{ properties.items | size }}"
            },
        }
    )
    assert mapping.resolve({"properties": {"items": items}})["liquid"] == f"1 of {len(items)}"

"""Measure the worst events: the time until a mapping is resolved, or until its limit of work ends it.

    python -m bench.worst, with layers/destination on PYTHONPATH

Every event has 256 KB at most. Where a filter is named, the template repeats it as often as 1,000 characters allow, and
its slowest text is shown.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

from loops_destination.errors import MappingError
from loops_destination.mapping import Mapping
from loops_destination.mapping.liquid.filters import FILTERS

SIZE = 250_000
LONGEST_TEMPLATE = 1000
Case = tuple[Any, dict[str, Any]]

TEXTS = {
    "a": "a" * SIZE,
    "1…x": "1" * SIZE + "x",
    "blanks": "a" + " " * (SIZE - 2) + "b",
    "<": "<" * SIZE,
    "%": "%c" * (SIZE // 2),
    "%20": "%20" * (SIZE // 3),
    "ideographs": "中文" * (SIZE // 6),
    "emoji": "😀" * (SIZE // 4),
    "path": "a." * (SIZE // 2),
}


def liquid(text: str) -> dict[str, str]:
    """Return a Liquid template as a mapping."""
    return {"@liquid": text}


def at(path: str) -> dict[str, str]:
    """Return a path as a mapping."""
    return {"@path": path}


def nested(value: Any, depth: int) -> Any:
    """Return the value inside `depth` arrays."""
    return nested([value], depth - 1) if depth else value


REPRODUCTIONS: dict[str, Case] = {
    "where, a long path": (
        liquid("{{ items | where: field }}"),
        {"items": [{}] * (SIZE // 6), "field": "a." * (SIZE // 4)},
    ),
    "sum, a long path": (liquid("{{ items | sum: field }}"), {"items": ["a"] * (SIZE // 8), "field": "0." * (SIZE // 4)}),
    "strip, a long text": (
        liquid("{{ text | strip: characters }}"),
        {"text": "\u4e61" * (SIZE // 6), "characters": "\u5061" * (SIZE // 6) + "\u4e61"},
    ),
    "plus, digits and a letter": (liquid("{{ text | plus: 1 }}"), {"text": "1" * SIZE + "x"}),
    "json, deep and indented": (liquid("{{ value | json: 10 }}"), {"value": nested([1] * (SIZE // 3), 150)}),
    "date, items of no date": (
        {"@arrayPath": ["$.items", {"day": liquid("{{ day | date: '%Y' }}")}]},
        {"items": [{"day": "x"}] * (SIZE // 12)},
    ),
    "@flatten, a long name": (
        {"@flatten": {"value": at("$.value"), "separator": "."}},
        {"value": {"k" * (SIZE // 2): dict.fromkeys(map(str, range(SIZE // 20)), 1)}},
    ),
    "@replace, twice two patterns": (
        {"@replace": {"pattern": "a", "replacement": "a" * 10, "pattern2": "a", "replacement2": "a" * 10, "value": at("$.a")}},
        {"a": "a" * SIZE},
    ),
    "@arrayPath, a wide shape": (
        {"@arrayPath": ["$.items", {str(n): {"@template": "{{a}} {{b}}"} for n in range(50)}]},
        {"items": [{}] * 6000},
    ),
    "@arrayPath, a long template": (
        {"@arrayPath": ["$.items", {"text": liquid("{{a}}" * 200)}]},
        {"items": [{}] * 2000},
    ),
    "@path, from the event": ({"@path": at("$.path")}, {"path": "a." * (SIZE // 2)}),
    "@template, from the event": ({"@template": at("$.template")}, {"template": "{{a}}" * (SIZE // 5)}),
    "@template, of single characters": (
        {str(number): {"@template": at("$.template")} for number in range(4)},
        {"template": "{{text.1}}" * (SIZE // 20), "text": "\u4e61" * (SIZE // 6)},
    ),
    "@template, of empty objects": (
        {"@template": at("$.template")},
        {"template": "{{items}}" * 1000, "items": [{}] * (SIZE // 4)},
    ),
    "@json, 30 times": (
        {str(number): {"@json": {"mode": "encode", "value": at("$.items")}} for number in range(30)},
        {"items": [{"1": 0}] * (SIZE // 8)},
    ),
    "a variable named by a list": (liquid("{{[items]}}" * 90), {"items": [{}] * (SIZE // 4)}),
    "a range between lists": (liquid("{{(items..items)}}" * 55), {"items": [{}] * (SIZE // 4)}),
    "cycle, a list as its group": (liquid("{% cycle items: 1 %}" * 50), {"items": [{}] * (SIZE // 4)}),
    "@template, of a long value": (
        {"@template": at("$.template")},
        {"template": "{{text}}" * 10_000, "text": "x" * (SIZE // 2)},
    ),
}  # fmt: skip


def filtered(name: str) -> list[Case]:
    """Return cases that repeat the filter over each text: chained, and from the text each time."""
    chain = liquid("{{ text" + f" | {name}" * (LONGEST_TEMPLATE // (len(name) + 3) - 4) + " }}")
    again = f"{{{{ text | {name}: text | size }}}}"
    return [
        (mapping, {"text": text})
        for text in TEXTS.values()
        for mapping in (chain, liquid(again * (1000 // len(again))))
    ]


def seconds(case: Case) -> float:
    """Return the time of one resolution."""
    definition, event = case
    resolve = Mapping(definition).resolve
    began = time.process_time()
    with contextlib.suppress(MappingError):
        resolve(event)
    return time.process_time() - began


def main() -> None:
    """Print the milliseconds of every case, slowest filters first."""
    print("reproductions: ms")
    for name, case in REPRODUCTIONS.items():
        print(f"  {name:34}{seconds(case) * 1000:8.0f}", flush=True)
    print("\nfilters: ms")
    times = {name: max(map(seconds, filtered(name))) for name in FILTERS}
    for name in sorted(times, key=times.__getitem__, reverse=True):
        print(f"  {name:34}{times[name] * 1000:8.0f}")


if __name__ == "__main__":
    main()

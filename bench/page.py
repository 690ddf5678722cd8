"""Write the results of the last run into docs/performance.md: `python -m bench.page`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from bench.__main__ import BUDGETS, span
from bench.sides import ROOT

PAGE = ROOT / "docs" / "performance.md"
TASKS = {
    "mapping": "a. mapping",
    "trigger": "b. trigger, theirs parsed for each event",
    "trigger_once": "b. trigger, theirs parsed once",
    "request": "c. request",
    "handler": "d. handler",
}
FIGURES = ("calls", "calls a contact", "calls a change", "contacts with an old value", "seconds until the last call")
_BLOCK = "<!-- {name} -->\n{text}\n<!-- end of {name} -->"


def main() -> None:
    """Rewrite each block between its two comments."""
    results = json.loads((ROOT / "bench" / "results.json").read_text("utf-8"))
    page = PAGE.read_text("utf-8")
    for name, text in blocks(results).items():
        found = re.compile(re.escape(_BLOCK).replace(r"\{name\}", name).replace(r"\{text\}", ".*?"), re.DOTALL)
        block = _BLOCK.format(name=name, text=text)
        page = found.sub(block.replace("\\", r"\\"), page)
    PAGE.write_text(page, "utf-8")


def blocks(results: dict[str, Any]) -> dict[str, str]:
    """Return the text of each block of the page."""
    machine, growth, starts = results["machine"], results["growth"], results["cold_start"]
    packages = ", ".join(f"{name} {time}" for name, time in starts["packages"].items())
    layer = results["layer_megabytes"]
    return {
        "machine": (
            f"Measured on {machine['date']}: {machine['processor']}, {machine['processors']} processors, {machine['system']}, "
            f"Python {machine['python']}, Node {machine['node']}; {results['rounds']} rounds."
        ),
        "ratios": table(
            ["typical event", "process", "ours, µs", "Segment's, µs", "times faster"],
            (
                [
                    f"{TASKS[pair['task']]}: {pair['case']}",
                    pair["age"],
                    *map(_span, (pair["ours"], pair["theirs"], _ratios(pair))),
                ]
                for pair in results["pairs"]
                if "typical" in pair["case"]
            ),
        ),
        "budgets": table(
            ["", *(TASKS[task] for task in BUDGETS)],
            [
                ["budget, at least", *(f"{young} / {warm}" for young, warm in BUDGETS.values())],
                ["this run", *(f"{results['ratios'][task]} / {results['ratios_warm'][task]}" for task in BUDGETS)],
            ],
        ),
        "parts": table(["step of a typical event", "µs"], growth["parts"].items()),
        "growth": table(
            ["µs a request", "", "", ""],
            (
                [name, *(f"{key}: {value:,.0f}" for key, value in growth[name].items())]
                for name in growth
                if isinstance(growth[name], dict) and name not in {"parts", "bytes"}
            ),
        ),
        "calls": table(
            ["4,000 identify events of 200 contacts", *FIGURES],
            ([title, *(f"{figures[name]:,}" for name in FIGURES)] for title, figures in results["calls"].items()),
        ),
        "init": table(
            ["init of a new environment", "ms", "MiB"],
            ([name, time, starts["memory"][name]] for name, time in starts["init"].items()),
        )
        + f"\n\n`base` is boto3 with one client of Secrets Manager, and pydantic. A web function takes {starts['ratio']} times as long "
        f"({starts['ratios'][0]} to {starts['ratios'][1]} over the rounds; at most 1.3 is wanted). Imports by package, in ms: {packages}."
        + ("" if layer is None else f" Zipped, the layer has {layer} MB."),
    }


def table(head: list[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _ratios(pair: dict[str, Any]) -> list[float]:
    return [theirs / ours for ours, theirs in zip(pair["ours"], pair["theirs"], strict=False)]


def _span(values: list[float]) -> str:
    """Return the median, with the fastest and the slowest round."""
    if not values:
        return "not measured"
    return span(values)


if __name__ == "__main__":
    main()

"""Measure everything, print the tables, and write bench/results.json: `make bench`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import burst
from bench.cold_start import cold_starts, layer_megabytes
from bench.compare import AGES, TASKS, Pair, compare, headline
from bench.sides import ROOT, environment, stage

RESULTS = ROOT / "bench" / "results.json"
CALL_BUDGETS = {"burst, with the ledger": ("calls a contact", 2), "repeats, with the ledger": ("calls a change", 1.05)}
"""The most calls of Loops that two traces of contact updates may cost."""
BUDGETS = {"mapping": (10, 5), "trigger": (8, 8), "request": (8, 2.5), "handler": (2.5, 1.2)}
"""The least ratio of each task, in young and in warm processes."""
TITLES = {
    "mapping": "a. resolve the mapping",
    "trigger": "b. match the trigger; theirs parses it for each event, as Segment does",
    "trigger_once": "b. match the trigger; theirs parsed once",
    "request": "c. ours: signed body to encoded request; theirs: event to request",
    "handler": "d. the whole handler, to a Loops on loopback; theirs: event to Loops and back",
}


def main() -> None:
    """Measure everything; `--rounds` is the number of repetitions."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with stage() as on:
        pairs = compare(on, options.rounds)
        command = [sys.executable, "-m", "bench.growth", str(on.port)]
        grown = subprocess.run(command, cwd=ROOT, env=environment(), check=True, capture_output=True, text=True)  # noqa: S603  # this package's own
    growth, starts, layer = json.loads(grown.stdout), cold_starts(), layer_megabytes()
    calls = burst.measure()
    for age in AGES:
        print_pairs([pair for pair in pairs if pair.age == age], age)
    print_growth(growth)
    print_starts(starts, layer)
    print_calls(calls)
    results = {
        "ratios": headline(pairs, "young"),
        "ratios_warm": headline(pairs, "warm"),
        "machine": machine(),
        "rounds": options.rounds,
        "pairs": [as_json(pair) for pair in pairs],
        "growth": growth,
        "cold_start": starts,
        "layer_megabytes": layer,
        "calls": calls,
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(f"\n{budgets_line(results)}\nResults: {RESULTS.relative_to(ROOT)}.")


def print_pairs(pairs: Sequence[Pair], age: str) -> None:
    """Print a table for each task, in microseconds."""
    untimed, timed = AGES[age]
    print(f"\n# {age.capitalize()} processes: {timed} events, {untimed:,} before them")
    if not pairs[0].theirs:
        print("Node or Segment's packages are missing, so only this project is measured.")
    for task in TASKS:
        print(f"\n{TITLES[task]}\n{'µs an event: median (fastest to slowest round)':34}")
        print(f"  {'':26}{'ours':>26}{'theirs':>30}{'times faster':>24}")
        for pair in pairs:
            if pair.task == task:
                print(
                    f"  {pair.case.name:26}{span(pair.ours, 1e6):>26}{span(pair.theirs, 1e6):>30}{span(pair.ratios):>24}"
                )


def span(values: Sequence[float], scale: float = 1.0) -> str:
    """Return the median, with the fastest and the slowest round."""
    if not values:
        return "not measured"
    middle, low, high = (number(value * scale) for value in (median(values), min(values), max(values)))
    return f"{middle} ({low} to {high})"


def number(value: float) -> str:
    """Return the value with three significant digits, and never fewer than those before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004


def print_growth(growth: dict[str, Any]) -> None:
    """Print how the cost grows, and the cost of each step, in microseconds."""
    print("\n# How ours grows: µs a request, warm")
    for name, values in growth.items():
        if isinstance(values, dict) and name != "parts":
            print(f"  {name:34}" + "".join(f"{key:>10}: {value:<12,}" for key, value in values.items()))
    print("\n# Where the time of one typical event goes: µs")
    for name, value in growth["parts"].items():
        print(f"  {name:34}{value:>8}")


def print_starts(starts: dict[str, Any], layer: float | None) -> None:
    """Print the cold starts, in milliseconds."""
    print("\n# Init of a new environment: ms, and MiB in use after it")
    for name, milliseconds in starts["init"].items():
        title = "boto3 with one client, and pydantic" if name == "base" else name
        print(f"  {title:38}{milliseconds:>6}{starts['memory'][name]:>6}")
    low, high = starts["ratios"]
    print(f"  a web function is {starts['ratio']} of the first line ({low} to {high}); the budget is 1.3")
    print("  its imports by package: " + ", ".join(f"{name} {time}" for name, time in starts["packages"].items()))
    print(f"  the layer, zipped: {'not built yet' if layer is None else f'{layer} MB'}; the budget is 15 MB")


def print_calls(calls: dict[str, dict[str, float]]) -> None:
    """Print what two traces of contact updates cost in calls of Loops, with the contact ledger and without."""
    print("\n# Calls of Loops for 4,000 identify events of 200 contacts")
    for title, figures in calls.items():
        print(f"  {title:28}" + ", ".join(f"{name} {value:,}" for name, value in figures.items() if name != "events"))
    for title, (name, budget) in CALL_BUDGETS.items():
        print(f"  {title}: {calls[title][name]} {name} (budget {budget})")


def as_json(pair: Pair) -> dict[str, Any]:
    """Return a pair as results.json stores it, in microseconds."""
    sides = {"ours": pair.ours, "theirs": pair.theirs}
    return {
        "task": pair.task,
        "case": pair.case.name,
        "age": pair.age,
        **{name: [round(seconds * 1e6, 2) for seconds in values] for name, values in sides.items()},
        "ratio": round(median(pair.ratios), 2) if pair.ratios else None,
    }


def machine() -> dict[str, str]:
    """Return a description of the machine."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return {
        "processor": ", ".join(sorted(models)) or platform.processor(),
        "system": platform.platform(),
        "processors": str(os.cpu_count()),
        "python": platform.python_version(),
        "node": node_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def node_version() -> str:
    """Return Node's version, or "none" if it is not installed."""
    node = shutil.which("node")
    if node is None:
        return "none"
    return subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603  # found on PATH


def budgets_line(results: dict[str, Any]) -> str:
    """Return the ratios for typical events beside their budgets, in one line."""
    ratios = results["ratios"]
    if not ratios:
        return "Only this project was measured, so there are no ratios."
    lines = [
        f"{task} {ratios[task]} times young (budget {young}), {results['ratios_warm'][task]} times warm (budget {warm})"
        for task, (young, warm) in BUDGETS.items()
    ]
    return "Typical events: " + "; ".join(lines)


if __name__ == "__main__":
    main()

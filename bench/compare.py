"""Both sides on the same events, in turns: the same outcomes first, then how long each takes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import product
from statistics import median
from typing import Any

from bench.cases import Case, cases
from bench.sides import Side, Stage

RUNS = {"mapping": 100, "trigger": 100, "trigger_once": 100, "request": 25, "handler": 25}
"""By task: how many runs of a case are timed at once."""

AGES = {"young": 1, "warm": 8}
"""How many times as many in a process's first few hundred events, and after thousands."""

WARMING_RUNS = 250
"""For each case, so that JavaScript's optimizing compiler has seen thousands of events before it is timed."""

UNLIKE = {"user-agent", "idempotency-key", "host", "content-length", "connection", "accept", "accept-encoding"}
"""Headers of one side's client, and the key that only ours sends; `content-length` follows from how JSON is spaced."""


class Differ(AssertionError):
    """The sides do not do the same, so their times cannot be compared."""


@dataclass(slots=True)
class Pair:
    """The times of a task for a case at an age: seconds for one run, ours and theirs in each round."""

    task: str
    case: Case
    age: str
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """How many times longer theirs took, in each round."""
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=False)]


def compare(stage: Stage, rounds: int) -> list[Pair]:
    """Every task and case at every age; each round of a task has processes of its own. Without Node, ours alone."""
    check_outcomes(stage)
    pairs = [Pair(task, case, age) for age in AGES for task in RUNS for case in cases()]
    for number in range(rounds):
        for task in RUNS:
            of_task = [pair for pair in pairs if pair.task == task]
            with closing(stage.ours()) as ours:
                theirs = stage.theirs()
                sides = [ours] if theirs is None else [ours, theirs]
                _round(number, of_task, sides[:: 1 if number % 2 else -1], ours)
                if theirs is not None:
                    theirs.close()
    return pairs


def _round(number: int, pairs: Sequence[Pair], sides: Sequence[Side], ours: Side) -> None:
    """The sides in turns, from another case on in each round: what comes later finds the process older."""
    every = cases()
    for age, factor in AGES.items():
        of_age = [pair for pair in pairs if pair.age == age]
        start = number * 5 % len(of_age)
        for pair, side in product(of_age, sides):
            # Once at least: the first run opens the connections and reads the secret, which is no event's cost.
            side.seconds(pair.task, every.index(pair.case), WARMING_RUNS if age == "warm" else 1)
        for pair, side in product(of_age[start:] + of_age[:start], sides):
            seconds = side.seconds(pair.task, every.index(pair.case), RUNS[pair.task] * factor)
            (pair.ours if side is ours else pair.theirs).append(seconds)


def check_outcomes(stage: Stage) -> None:
    """`Differ` unless both sides give the same for each task and case."""
    theirs = stage.theirs()
    if theirs is None:
        return
    with closing(stage.ours()) as ours, closing(theirs):
        for index, case in enumerate(cases()):
            for task in RUNS:
                _check(task, case, _outcome(stage, ours, task, index), _outcome(stage, theirs, task, index))


def _check(task: str, case: Case, ours: Any, theirs: Any) -> None:
    if ours is None or ours is False or ours != theirs:
        raise Differ(f"{task}, {case.name}: ours {ours!r}, theirs {theirs!r}")


def _outcome(stage: Stage, side: Side, task: str, index: int) -> Any:
    outcome = side.outcome(task, index)
    if task == "handler":
        outcome = stage.last_request()
    return _alike(outcome) if task in {"request", "handler"} else outcome


def _alike(request: dict[str, Any]) -> dict[str, Any]:
    """What both must send alike: method, URL or path, body, and the headers that Loops looks at."""
    headers = {name.lower(): value for name, value in request["headers"].items()}
    return request | {"headers": {name: value for name, value in headers.items() if name not in UNLIKE}}


def headline(pairs: Sequence[Pair], age: str) -> dict[str, float]:
    """By task, the median ratio for typical events under the default subscriptions."""
    return {
        task: round(median(found), 1)
        for task in RUNS
        if (
            found := [
                ratio
                for pair in pairs
                if (pair.task, pair.age, pair.case.size, pair.case.kind) == (task, age, "typical", "default")
                for ratio in pair.ratios
            ]
        )
    }

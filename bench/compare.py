"""Compare both sides on the same events: first that the outcomes are equal, then the time each takes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from itertools import product
from statistics import median
from typing import Any

from bench.cases import Case, cases
from bench.sides import Side, Stage

TASKS = ("mapping", "trigger", "trigger_once", "request", "handler")

AGES = {"young": (1, 500), "warm": (2000, 500)}
"""The number of untimed runs, and of the timed runs after them.

A young process handles its first events, except for the very first, which loads code and opens connections. A warm one
has handled thousands, which gives JavaScript's optimizing compiler enough to work with.
"""

UNLIKE = {"user-agent", "idempotency-key", "host", "content-length", "connection", "accept", "accept-encoding"}
"""Headers that depend on the client, and `Idempotency-Key`, which only this project sends.

`content-length` depends on the spacing of the JSON.
"""


class Differ(AssertionError):
    """The sides give different results, so their times cannot be compared."""


@dataclass(slots=True)
class Pair:
    """The seconds of one run in each round, for both sides, of one task, case and age."""

    task: str
    case: Case
    age: str
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Return the ratio of Segment's time to this project's, for each round."""
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=False)]


def compare(stage: Stage, rounds: int) -> list[Pair]:
    """Measure every task, case and age in new processes each round; without Node, only this project's side."""
    check_outcomes(stage)
    pairs = {(task, index, age): Pair(task, case, age) for age in AGES for task in TASKS for index, case in _cases()}
    for number, task, (index, _) in product(range(rounds), TASKS, _cases()):
        with closing(stage.ours()) as ours, _closing(stage.theirs()) as theirs:
            for age, (untimed, timed) in AGES.items():
                pair = pairs[task, index, age]
                turns = [(ours, pair.ours)] + ([(theirs, pair.theirs)] if theirs else [])
                for side, seconds in turns[:: 1 if number % 2 else -1]:
                    seconds.append(side.seconds(task, index, untimed, timed))
    return list(pairs.values())


def _cases() -> list[tuple[int, Case]]:
    return list(enumerate(cases()))


def _closing(side: Side | None) -> AbstractContextManager[Side | None]:
    return nullcontext() if side is None else closing(side)


def check_outcomes(stage: Stage) -> None:
    """Raise `Differ` unless both sides give the same result for each task and case."""
    theirs = stage.theirs()
    if theirs is None:
        return
    with closing(stage.ours()) as ours, closing(theirs):
        for index, case in enumerate(cases()):
            for task in TASKS:
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
    """Return the part of a request that must be equal: method, path, body, and the headers that Loops reads."""
    headers = {name.lower(): value for name, value in request["headers"].items()}
    return request | {"headers": {name: value for name, value in headers.items() if name not in UNLIKE}}


def headline(pairs: Sequence[Pair], age: str) -> dict[str, float]:
    """Return each task's ratio: the median of the medians of its typical cases.

    The rounds of different cases are not pooled. Their ratios form two groups, under the default and the rich
    subscriptions, so the median of all rounds would depend on the outermost rounds of the two groups.
    """
    typical = [pair for pair in pairs if (pair.age, pair.case.size) == (age, "typical") and pair.ratios]
    return {
        task: round(median(found), 1)
        for task in TASKS
        if (found := [median(pair.ratios) for pair in typical if pair.task == task])
    }

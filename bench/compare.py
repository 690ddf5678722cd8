"""Both sides on the same events, in turns: the same outcomes first, then how long each takes."""

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
"""How many runs go before those that are timed, and how many these are.

Young are a new process's first events, but for the very first, which loads code and opens connections. Warm are those
after thousands, when JavaScript's optimizing compiler has seen enough.
"""

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
    """Every task and case at every age, in processes of their own in each round. Without Node, ours alone."""
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
    """`Differ` unless both sides give the same for each task and case."""
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
    """What both must send alike: method, URL or path, body, and the headers that Loops looks at."""
    headers = {name.lower(): value for name, value in request["headers"].items()}
    return request | {"headers": {name: value for name, value in headers.items() if name not in UNLIKE}}


def headline(pairs: Sequence[Pair], age: str) -> dict[str, float]:
    """By task, the median ratio for typical events, under the default subscriptions and the rich ones."""
    return {
        task: round(median(found), 1)
        for task in TASKS
        if (
            found := [
                ratio
                for pair in pairs
                if (pair.task, pair.age, pair.case.size) == (task, age, "typical")
                for ratio in pair.ratios
            ]
        )
    }

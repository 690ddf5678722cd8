"""Time that passes only when everybody waits, for real threads that take turns.

One thread runs at a time; when it waits, the one whose time comes next runs. So a run of hours takes as long as its
work, and the same run gives the same result each time.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from types import TracebackType
from typing import Any, Self

from tests.fakes import NOW


class Task:
    """A function that runs in virtual time; `result` is there when `done` is."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.waiting: list[threading.Event] = []


class VirtualTime:
    """A clock, and the threads that live by it."""

    def __init__(self, now: float = NOW) -> None:
        self._now = now
        self._order = count()
        self._agenda: list[tuple[float, int, threading.Event]] = []
        self._ended = threading.Event()
        self._failed: BaseException | None = None

    def time(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        """Lets the others run until the time has come."""
        turn = self._enter(self._now + max(seconds, 0))
        self._pass_on()
        turn.wait()

    def spawn(self, function: Callable[[], Any]) -> Task:
        """A thread that begins now, when its turn comes."""
        task = Task(function)
        turn = self._enter(self._now)
        threading.Thread(target=self._live, args=(task, turn), daemon=True).start()
        return task

    def join(self, tasks: Iterable[Task]) -> None:
        """Waits for the ends of tasks; raises what one of them raised."""
        for task in tasks:
            while not task.done:
                turn = threading.Event()
                task.waiting.append(turn)
                self._pass_on()
                turn.wait()
            if task.error is not None:
                raise task.error

    def run(self, *functions: Callable[[], Any]) -> None:
        """Runs the functions side by side, from outside, until all have ended."""
        tasks = [self.spawn(function) for function in functions]
        self._pass_on()
        self._ended.wait()
        for task in tasks:
            if task.error is not None:
                raise task.error
            assert task.done, "a task waits for what never comes"

    def _live(self, task: Task, turn: threading.Event) -> None:
        turn.wait()
        try:
            task.result = task.function()
        except BaseException as error:  # noqa: BLE001  # it is raised where the task is waited for
            task.error = error
        task.done = True
        for waiting in task.waiting:
            heapq.heappush(self._agenda, (self._now, next(self._order), waiting))
        self._pass_on()

    def _enter(self, at: float) -> threading.Event:
        turn = threading.Event()
        heapq.heappush(self._agenda, (at, next(self._order), turn))
        return turn

    def _pass_on(self) -> None:
        if not self._agenda:
            self._ended.set()
            return
        at, _, turn = heapq.heappop(self._agenda)
        self._now = max(self._now, at)
        turn.set()


class VirtualThreads:
    """What `ThreadPoolExecutor.map` does, in virtual time."""

    def __init__(self, clock: VirtualTime, size: int) -> None:
        self._clock = clock
        self._size = size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        numbered = list(enumerate(items))
        left = iter(numbered)
        results: dict[int, Any] = {}

        def work() -> None:
            for number, item in left:
                results[number] = function(item)

        self._clock.join([self._clock.spawn(work) for _ in range(min(self._size, len(numbered)))])
        return iter(results[number] for number, _ in numbered)

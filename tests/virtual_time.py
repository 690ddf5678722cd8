"""Virtual time for real threads: it passes only when all of them wait.

One thread runs at a time; when it waits, the thread with the earliest time runs next. So hours pass as fast as the work
in them is done, and a run always gives the same result.
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
    """A function that runs in virtual time; once `done` is set, so is its `result` or `error`."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.waiting: list[threading.Event] = []


class VirtualTime:
    """A clock, and the threads that run by it."""

    def __init__(self, now: float = NOW) -> None:
        self._now = now
        self._order = count()
        self._agenda: list[tuple[float, int, threading.Event]] = []
        self._ended = threading.Event()
        self._failed: BaseException | None = None

    def time(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let other threads run until `seconds` have passed."""
        turn = self._enter(self._now + max(seconds, 0))
        self._pass_on()
        turn.wait()

    def spawn(self, function: Callable[[], Any]) -> Task:
        """Start a thread, which first runs when the others wait."""
        task = Task(function)
        turn = self._enter(self._now)
        threading.Thread(target=self._live, args=(task, turn), daemon=True).start()
        return task

    def join(self, tasks: Iterable[Task]) -> None:
        """Wait until the tasks have ended; raise the error of the first that failed."""
        for task in tasks:
            while not task.done:
                turn = threading.Event()
                task.waiting.append(turn)
                self._pass_on()
                turn.wait()
            if task.error is not None:
                raise task.error

    def run(self, *functions: Callable[[], Any]) -> None:
        """Run the functions in threads until all have ended; called by a thread that does not run in virtual time."""
        tasks = [self.spawn(function) for function in functions]
        self._pass_on()
        self._ended.wait()
        for task in tasks:
            if task.error is not None:
                raise task.error
            assert task.done, "a task waits forever"

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
    """A `ThreadPoolExecutor` with `map` only, in virtual time."""

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

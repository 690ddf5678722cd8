"""What runs until it is stopped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Running(ABC):
    """Something that is started, and stopped at the end of its `with` block."""

    @abstractmethod
    def start(self) -> None:
        """Raises what keeps it from starting, and leaves nothing behind then."""

    @abstractmethod
    def stop(self) -> None:
        """Ends it."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """`warning` is worth a look, or a next step of the setup; `problem` must be fixed."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The findings of a check; `advice` says what to do about a warning or a problem."""

    status: Status
    text: str
    advice: str = ""

    def as_json(self) -> dict[str, str]:
        shown = {"status": str(self.status), "text": self.text}
        return shown | {"advice": self.advice} if self.advice else shown


def ok(text: str) -> CheckResult:
    """Return the result of a check that found nothing wrong."""
    return CheckResult(Status.OK, text)


def warning(text: str, advice: str) -> CheckResult:
    """Return a result that is worth a look, or that names the next step."""
    return CheckResult(Status.WARNING, text, advice)


def problem(text: str, advice: str) -> CheckResult:
    """Return a result that must be fixed."""
    return CheckResult(Status.PROBLEM, text, advice)


def skipped(text: str) -> CheckResult:
    """Return the result of a check that could not be made; the text says why."""
    return CheckResult(Status.SKIPPED, text)

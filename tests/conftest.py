"""What holds for every test: no line of log tells of a person or a key."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

TELLING = re.compile(
    r"[\w.+-]+@[\w-]+\.\w|sandbox-key|api-key(?!-refused|-unavailable)|sample-shared-secret|favoriteColor|Bearer "
)


class Witness(logging.Handler):
    """Remembers every record of the product's loggers that tells too much."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(str(value) for value in vars(record).values())
        if "loops_destination" in record.pathname and TELLING.search(text):
            self.told.append(text)


@pytest.fixture(autouse=True)
def no_line_of_log_tells_of_a_person() -> Iterator[None]:
    """No email, trait, key or secret reaches a log during any test."""
    witness = Witness()
    logging.getLogger().addHandler(witness)
    yield
    logging.getLogger().removeHandler(witness)
    assert witness.told == []

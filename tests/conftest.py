"""Guarantees for every test: no log line contains personal data or a credential, and no example has a deadline."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A busy machine must not make a test fail.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

PRIVATE = re.compile(
    r"[\w.+-]+@[\w-]+\.\w|sandbox-key|api-key(?!-refused|-unavailable)|sample-shared-secret|favoriteColor|Bearer "
)


class PrivateRecords(logging.Handler):
    """A handler that collects the records of the product with private data in them."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(str(value) for value in vars(record).values())
        if "loops_destination" in record.pathname and PRIVATE.search(text):
            self.texts.append(text)


@pytest.fixture(autouse=True)
def no_private_data_is_logged() -> Iterator[None]:
    """Fail a test during which an email, a trait, an API key or a secret is logged."""
    handler = PrivateRecords()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    assert handler.texts == []

"""The studio's texts cover the closed sets of the product."""

from __future__ import annotations

import re

import pytest

from loops_destination.outcomes import Denial, Outcome, Reason
from segment_loops.dead_letter_queue import RedriveResult
from segment_loops.studio.pages import STATIC

TEXTS = (STATIC / "js" / "outcomes.js").read_text("utf-8")


def keys(name: str) -> set[str]:
    """Return the keys of an exported object."""
    (body,) = re.findall(rf"export const {name} = {{\n(.*?)\n}};", TEXTS, re.DOTALL)
    return set(re.findall(r'^  "?([a-z-]+)"?:', body, re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "values"),
    [("OUTCOMES", Outcome), ("REASONS", [*Reason, *Denial]), ("REDRIVES", RedriveResult)],
)
def test_every_value_has_a_text(name: str, values: list[str]) -> None:
    """Every outcome, reason, denial and result of a redrive has its text in the studio."""
    assert {str(each) for each in values} <= keys(name)

"""Triggers that mix `and` and `or` without parentheses, answered by Segment's own code."""

import json
from pathlib import Path
from typing import Any

import pytest

from loops_destination.errors import TriggerError
from loops_destination.trigger import Trigger
from segment_loops.mixed_operators import as_segment_reads

VECTORS = [
    json.loads(line) for line in Path(__file__).with_name("mixed-triggers.jsonl").read_text("utf-8").strip().split("\n")
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_the_rewritten_trigger_matches_as_at_segment(vector: dict[str, Any]) -> None:
    """The rewrite of a trigger that is refused here matches the events that the original matches at Segment."""
    with pytest.raises(TriggerError, match="are mixed"):
        Trigger(vector["trigger"])
    after = as_segment_reads(vector["trigger"])
    assert after is not None
    assert Trigger(after).matches(vector["event"]) is vector["matches"]


@pytest.mark.parametrize(
    "trigger",
    [
        'type = "track" and userId = "u"',
        'type = "track" and (event = "a" or event = "b")',
        'type = "track" and (contains(event, "a") or userId = "u" and event = "b")',
        'type = "track" and ((event = "a" or event = "b" and name = "c") or userId = "u")',
        'name = "a and b or c"',
        "type = track &",
    ],
)
def test_any_other_trigger_is_not_rewritten(trigger: str) -> None:
    """A trigger without mixed operators, or one that Segment cannot read as it is written, is left alone."""
    assert as_segment_reads(trigger) is None

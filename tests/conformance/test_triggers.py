import json
from pathlib import Path
from typing import Any

import pytest

from loops_destination.trigger import Trigger

VECTORS = [
    json.loads(line) for line in Path(__file__).with_name("triggers.jsonl").read_text("utf-8").strip().split("\n")
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_vector(vector: dict[str, Any]) -> None:
    """A trigger matches the events that it matches in Segment's own code."""
    assert Trigger(vector["trigger"]).matches(vector["event"]) is vector["matches"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_vector_printed(vector: dict[str, Any]) -> None:
    """The canonical form of a trigger matches the events that the trigger matches in Segment's own code."""
    assert Trigger(str(Trigger(vector["trigger"]))).matches(vector["event"]) is vector["matches"]

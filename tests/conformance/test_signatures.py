import json
from pathlib import Path
from typing import Any

import pytest

from loops_destination.signature import verify

VECTORS = [
    json.loads(line) for line in Path(__file__).with_name("signatures.jsonl").read_text("utf-8").strip().split("\n")
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_vector(vector: dict[str, Any]) -> None:
    """A signature by Segment's own code covers what the vector says."""
    assert verify(vector["body"].encode(), vector["signature"], [vector["secret"]]) == vector["covers"]

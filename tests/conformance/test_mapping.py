import json
from pathlib import Path
from typing import Any

import pytest

from loops_destination.errors import MappingError
from loops_destination.mapping import Mapping


def vectors(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(__file__).with_name(name).read_text("utf-8").strip().split("\n")]


@pytest.mark.parametrize("vector", vectors("mapping.jsonl"), ids=lambda vector: vector["id"])
def test_vector(vector: dict[str, Any]) -> None:
    """A mapping resolves to the output of Segment's own code."""
    assert Mapping(vector["mapping"]).resolve(vector["event"]) == vector["output"]


@pytest.mark.parametrize("vector", vectors("invalid-mappings.jsonl"), ids=lambda vector: vector["id"])
def test_invalid_vector(vector: dict[str, Any]) -> None:
    """An invalid mapping is refused with each of its problems, at the expected path or below it."""
    with pytest.raises(MappingError) as refused:
        Mapping(vector["mapping"])
    paths = [problem.path for problem in refused.value.problems]
    assert len(paths) == vector["faults"]
    assert all(any(path.startswith(expected) for path in paths) for expected in vector["paths"] or [])

import json
from pathlib import Path
from typing import Any

import pytest

from loops_destination.errors import MappingError, PayloadError
from loops_destination.subscriptions import Subscription

VECTORS = [
    json.loads(line) for line in Path(__file__).with_name("actions.jsonl").read_text("utf-8").strip().split("\n")
]


def subscription(vector: dict[str, Any]) -> Subscription:
    return Subscription.from_json({key: vector[key] for key in ("action", "mapping") if key in vector})


@pytest.mark.parametrize("vector", [v for v in VECTORS if "request" in v], ids=lambda vector: vector["id"])
def test_request(vector: dict[str, Any]) -> None:
    """A request is exactly the one that Segment's own destination sends."""
    request = subscription(vector).request(vector["event"])
    assert {"method": request.method, "path": request.path, "body": request.body} == vector["request"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if "error" in v], ids=lambda vector: vector["id"])
def test_error(vector: dict[str, Any]) -> None:
    """An event that Segment's own destination refuses is refused."""
    with pytest.raises((PayloadError, MappingError)):
        subscription(vector).request(vector["event"])


def test_every_vector_is_tested() -> None:
    """Each vector has either a request or an error, and so is tested."""
    assert all(("request" in vector) != ("error" in vector) for vector in VECTORS)

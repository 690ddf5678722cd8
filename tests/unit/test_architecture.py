"""Imports run one way: functions, delivery, subscriptions and Loops' client, and the leaves below them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "destination" / "loops_destination"

LAYERS = [
    {"errors", "javascript", "loops_request", "clock"},
    {"paths", "events", "outcomes"},
    {
        "signature",
        "idempotency",
        "trigger",
        "mapping",
        "actions",
        "loops",
        "messages",
        "http_api",
        "settings",
        "secret_store",
        "pace",
    },
    {"subscriptions", "queues", "received", "observability", "verification"},
    {"delivery"},
    {"webhook", "redelivery"},
    {"handlers"},
]
"""From the bottom up: a module imports from its own layer or from those below, never from above."""

AWS_EDGE = {"queues", "secret_store"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def height(name: str) -> int:
    return next(level for level, names in enumerate(LAYERS) if name in names)


def test_every_module_has_its_layer() -> None:
    """A new module is given its place before anything imports it."""
    rooms = {room(path) for path in modules()} - {"__init__"}
    assert rooms == set().union(*LAYERS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downwards(path: Path) -> None:
    """No module imports from a layer above its own."""
    for name in imported(path):
        package, _, rest = name.partition(".")
        if package == "loops_destination" and rest and room(path) != "__init__":
            assert height(rest.split(".")[0]) <= height(room(path)), f"{name} is above"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_aws_is_called_at_the_edge_alone(path: Path) -> None:
    """boto3 and botocore are imported by the queues and the secrets only."""
    aws = {name.partition(".")[0] for name in imported(path)} & {"boto3", "botocore"}
    assert not aws or room(path) in AWS_EDGE


def test_the_core_knows_no_aws() -> None:
    """Delivery, and all that it imports, runs without any AWS package."""
    reached = {"delivery"}
    while (
        added := {
            name.split(".")[1]
            for path in modules()
            if room(path) in reached
            for name in imported(path)
            if name.startswith("loops_destination.")
        }
        - reached
    ):
        reached |= added
    assert not reached & AWS_EDGE
    aws = {
        name
        for path in modules()
        if room(path) in reached
        for name in imported(path)
        if name.startswith(("boto", "aws_lambda_powertools"))
    }
    assert not aws


@pytest.mark.parametrize("path", sorted((ROOT / "functions").glob("*/*.py")), ids=lambda path: path.parent.name)
def test_a_function_imports_its_handler_and_nothing_else(path: Path) -> None:
    """A function's own file holds no logic: it names its handler."""
    (name,) = imported(path)
    assert name.startswith("loops_destination.handlers.")

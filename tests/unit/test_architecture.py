"""Imports run one way, and never in a circle; a name means one thing."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ROOT / "layers" / "destination" / "loops_destination"

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
        "ledger",
        "breaker",
    },
    {"subscriptions", "queues", "received_messages", "observability", "verification", "response_to_outcome"},
    {"delivery"},
    {"handlers"},
]
"""The rooms of the product from the bottom up: a module imports from its own layer or from those below."""

AWS_EDGE = {"queues.py", "secret_store.py", "ledger/store.py"}

ALLOWED = {
    "loops_destination": set[str](),
    "functions": {"loops_destination"},
    "segment_loops": {"loops_destination"},
    "local": {"loops_destination", "segment_loops"},
}
"""The top-level packages that each one may import from, besides itself."""

FOLDERS = {
    name: folder for name in ALLOWED if (folder := PRODUCT if name == "loops_destination" else ROOT / name).is_dir()
}

REPEATED_FILE_NAMES = {"__init__.py", "__main__.py", "app.py"}
"""Python asks for the first two in several packages, and each function has an `app.py`."""


def modules(folder: Path = PRODUCT) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of each import, those under TYPE_CHECKING included: `module` or `module.name`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    return path.relative_to(PRODUCT).parts[0].removesuffix(".py")


def height(name: str) -> int:
    return next(level for level, names in enumerate(LAYERS) if name in names)


def dotted(path: Path, name: str, folder: Path) -> str:
    """Return the name under which a module is imported."""
    parts = [name, *path.relative_to(folder).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def inner_imports(folder: Path, name: str) -> dict[str, set[str]]:
    """Return the modules of a package, each with those of the package that it imports."""
    paths = {dotted(path, name, folder): path for path in modules(folder)}
    return {
        module: {each if each in paths else each.rpartition(".")[0] for each in imported(path)} & paths.keys()
        for module, path in paths.items()
    }


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules of a circle of imports, or none."""
    left = dict(imports)
    while ends := {name for name, used in left.items() if not used & left.keys()}:
        left = {name: used for name, used in left.items() if name not in ends}
    path = [next(iter(left))] if left else []
    while path and path[-1] not in path[:-1]:
        path.append(min(left[path[-1]] & left.keys()))
    return path[path.index(path[-1]) :] if path else []


def test_every_room_has_a_layer() -> None:
    """Each module of the product has a place among the layers, and each place has a module."""
    rooms = {room(path) for path in modules()} - {"__init__"}
    assert rooms == set().union(*LAYERS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PRODUCT)))
def test_imports_run_downwards(path: Path) -> None:
    """No module of the product imports from a layer above its own."""
    for name in imported(path):
        package, _, rest = name.partition(".")
        if package == "loops_destination" and rest and room(path) != "__init__":
            assert height(rest.split(".")[0]) <= height(room(path)), f"{name} is above"


@pytest.mark.parametrize("name", FOLDERS)
def test_packages_import_one_way(name: str) -> None:
    """The functions and the tool import the product, the local machine imports both, and nothing imports back."""
    others = ALLOWED.keys() - ALLOWED[name] - {name}
    for path in modules(FOLDERS[name]):
        assert not others & {each.partition(".")[0] for each in imported(path)}, path


@pytest.mark.parametrize("name", FOLDERS)
def test_no_imports_form_a_circle(name: str) -> None:
    """No modules of a package import each other in a circle, not even for their types."""
    assert circle(inner_imports(FOLDERS[name], name)) == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PRODUCT)))
def test_aws_is_called_at_the_edge_only(path: Path) -> None:
    """Only the queues, the secret store and the ledger's store import boto3 and botocore."""
    aws = {name.partition(".")[0] for name in imported(path)} & {"boto3", "botocore"}
    assert not aws or path.relative_to(PRODUCT).as_posix() in AWS_EDGE


def test_only_the_edge_imports_the_ledgers_store() -> None:
    """Nothing of DynamoDB is imported with the ledger: a stack without a table does without its store."""
    store = "loops_destination.ledger.store"
    assert {room(path) for path in modules() if store in set(imported(path))} <= {"handlers"}


def test_a_delivery_knows_no_aws() -> None:
    """Delivering, with all that it imports, runs without any AWS package."""
    imports = inner_imports(PRODUCT, "loops_destination")
    reached = {"loops_destination.delivery"}
    while added := {name for module in reached for name in imports[module]} - reached:
        reached |= added
    paths = [path for path in modules() if dotted(path, "loops_destination", PRODUCT) in reached]
    assert not {path.relative_to(PRODUCT).as_posix() for path in paths} & AWS_EDGE
    aws = {name for path in paths for name in imported(path) if name.startswith(("boto", "aws_lambda_powertools"))}
    assert not aws


@pytest.mark.parametrize("path", sorted((ROOT / "functions").glob("*/*.py")), ids=lambda path: path.parent.name)
def test_a_function_imports_its_handler_only(path: Path) -> None:
    """A function's own file has no logic: it imports and names its handler."""
    assert all(name.startswith("loops_destination.handlers.") for name in imported(path))
    assert len(path.read_text("utf-8").splitlines()) <= 6


def code_files() -> list[Path]:
    """Return the files of code outside the tests, those of the studio's pages included."""
    found = [path for folder in FOLDERS.values() for path in folder.rglob("*")]
    found += (ROOT / "bench").glob("*.py")
    return [path for path in found if path.suffix in {".py", ".js", ".css", ".html"}]


def repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def test_no_two_classes_have_the_same_name() -> None:
    """The name of a class says which one is meant, whatever its module."""
    trees = [ast.parse(path.read_text("utf-8")) for path in code_files() if path.suffix == ".py"]
    assert (
        repeated(node.name.lstrip("_") for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)) == []
    )


def test_no_two_files_have_the_same_name() -> None:
    """The name of a file says which one is meant, whatever its folder."""
    names = {path.name for path in code_files()}
    assert {"app.py", "delivery.py", "stack.py", "stack-app.js"} <= names
    assert repeated(path.name for path in code_files() if path.name not in REPEATED_FILE_NAMES) == []

"""The files from which a function's modules were loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.package.modules import module_problems
from segment_loops import PROJECT

CODE = Path("/build/Function")
OPT = Path("/run/opt")
RUNTIME = PROJECT / ".venv-runtime"
OURS = OPT / "python" / "loops_destination" / "__pycache__" / "handlers.cpython-313.pyc"
GOOD = [
    OURS,
    CODE / "app.py",
    RUNTIME / "lib" / "python3.13" / "site-packages" / "boto3" / "__init__.py",
    Path("/usr/lib/python3.13/json/__init__.py"),
]


def test_modules_of_the_artifacts_have_no_problem() -> None:
    """The function's own file, the layer's pycs and the runtime's modules may be loaded."""
    assert module_problems(GOOD, CODE, OPT, RUNTIME) == []


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (OPT / "python" / "pydantic" / "main.py", "was compiled when the function started"),
        (Path("/elsewhere/loops_destination/delivery.py"), "does not come from the layer"),
        (PROJECT / "local" / "stack.py", "comes from the working tree"),
    ],
)
def test_a_module_from_elsewhere_is_found(file: Path, problem: str) -> None:
    """A module that was compiled at the start, or does not come from the artifacts, is reported."""
    assert module_problems([*GOOD, file], CODE, OPT, RUNTIME) == [f"{file}: {problem}"]


def test_a_function_without_the_product_is_found() -> None:
    """A function that has not imported the package is reported."""
    assert module_problems(GOOD[1:], CODE, OPT, RUNTIME) == ["loops_destination: was not imported"]

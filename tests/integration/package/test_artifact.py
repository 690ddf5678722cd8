"""The problems found in an artifact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local.package.artifact import FUNCTION_FILES, Artifact, content_problems, layer_problems, source_differences
from local.package.build import Architecture

UNCHECKED = b"\xf3\r\r\n" + bytes([1, 0, 0, 0]) + b"12345678code"
CHECKED = b"\xf3\r\r\n" + bytes([3, 0, 0, 0]) + b"12345678code"
BY_DATE = b"\xf3\r\r\n" + bytes(4) + b"12345678code"
LIBRARY = "python/pydantic_core/_pydantic_core.cpython-313-aarch64-linux-gnu.so"

PYC = "python/__pycache__/typing_extensions.cpython-313.pyc"


def _elf(machine: int) -> bytes:
    return b"\x7fELF" + bytes(14) + machine.to_bytes(2, "little")


FILES = {
    "python/loops_destination/__init__.py": b"",
    "python/loops_destination/__pycache__/__init__.cpython-313.pyc": UNCHECKED,
    "python/typing_extensions.py": b"",
    PYC: UNCHECKED,
    LIBRARY: _elf(183),
}

Make = Callable[..., Artifact]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes an artifact with these files; one whose content is None is left out."""

    def make(files: dict[str, bytes | None]) -> Artifact:
        for name, content in files.items():
            if content is not None:
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_bytes(content)
        return Artifact("Sample", tmp_path)

    return make


def test_a_good_layer_has_no_problem(make: Make) -> None:
    """A layer for the right processor, compiled and without foreign files, has no problem."""
    assert layer_problems(make(FILES), Architecture.ARM64) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({LIBRARY: None}, "pydantic_core: the library is missing"),
        ({LIBRARY: _elf(62)}, f"{LIBRARY}: is not for arm64"),
        ({LIBRARY: b"text"}, f"{LIBRARY}: is not for arm64"),
        (
            {LIBRARY: None, LIBRARY.replace("aarch64", "x86_64"): _elf(183)},
            f"{LIBRARY.replace('aarch64', 'x86_64')}: has a name that Python 3.13 on arm64 does not import",
        ),
        ({"python/new.py": b""}, "python/new.py: has no pyc of Python 3.13"),
        ({"python/__pycache__/gone.cpython-313.pyc": UNCHECKED}, "python/gone.py: has a pyc, but no source"),
        (
            {"python/__pycache__/typing_extensions.cpython-312.pyc": UNCHECKED},
            "python/__pycache__/typing_extensions.cpython-312.pyc: is not a pyc of Python 3.13",
        ),
        *(
            (
                {PYC: pyc},
                f"{PYC}: is checked against the date or hash of its source, so it is useless after zipping",
            )
            for pyc in (CHECKED, BY_DATE)
        ),
        ({"python/bin/tool": b""}, "bin: should not be in the artifact"),
        ({"python/pydantic/tests/data.json": b""}, "tests: should not be in the artifact"),
        ({"python/boto3/data.json": b""}, "boto3: should not be in the artifact"),
        ({"requirements.txt": b""}, "requirements.txt: Lambda does not import from this folder"),
        (
            {
                "python/loops_destination/__init__.py": None,
                "python/loops_destination/__pycache__/__init__.cpython-313.pyc": None,
            },
            "python/loops_destination: is missing",
        ),
    ],
)
def test_every_problem_of_a_layer_is_found(make: Make, changes: dict[str, bytes | None], problem: str) -> None:
    """Each kind of problem of a layer is reported with its file."""
    assert layer_problems(make(FILES | changes), Architecture.ARM64) == [problem]


def test_a_function_is_its_handler_alone(make: Make) -> None:
    """A function's artifact must contain exactly the expected files."""
    artifact = make({"requirements.txt": b""})
    assert content_problems(artifact, FUNCTION_FILES) == [
        "requirements.txt: should not be in the artifact",
        "app.py: is missing",
    ]


def test_sources_are_the_same_for_both_processors(tmp_path: Path) -> None:
    """A source that differs between the two processors is reported."""
    for name, text in (("one", "1"), ("other", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.py").write_text("")
        (tmp_path / name / "differs.py").write_text(text)
        (tmp_path / name / f"{name}.so").write_text("")
    one, other = (Artifact(name, tmp_path / name) for name in ("one", "other"))
    assert source_differences(one, other) == ["differs.py: differs between processors"]


def test_sizes_are_those_of_the_files(make: Make) -> None:
    """The size of an artifact is that of its files; zipped it is smaller."""
    artifact = make({"zeros.txt": bytes(10_000)})
    assert artifact.unzipped == 10_000
    assert 0 < artifact.zipped < 1_000

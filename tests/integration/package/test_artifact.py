"""What is found in an artifact that should not be there, or is not there that should be."""

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
    """An artifact with these files; one with no content is left out."""

    def make(files: dict[str, bytes | None]) -> Artifact:
        for name, content in files.items():
            if content is not None:
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_bytes(content)
        return Artifact("Sample", tmp_path)

    return make


def test_a_good_layer_has_no_fault(make: Make) -> None:
    """A layer for the right processor, compiled, with nothing foreign, passes."""
    assert layer_problems(make(FILES), Architecture.ARM64) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({LIBRARY: None}, "pydantic_core: its library is missing"),
        ({LIBRARY: _elf(62)}, f"{LIBRARY}: it is not for arm64"),
        ({LIBRARY: b"text"}, f"{LIBRARY}: it is not for arm64"),
        (
            {LIBRARY: None, LIBRARY.replace("aarch64", "x86_64"): _elf(183)},
            f"{LIBRARY.replace('aarch64', 'x86_64')}: Python 3.13 on arm64 does not look for this name",
        ),
        ({"python/new.py": b""}, "python/new.py: it has no pyc of Python 3.13"),
        ({"python/__pycache__/gone.cpython-313.pyc": UNCHECKED}, "python/gone.py: there is a pyc of it, but no source"),
        (
            {"python/__pycache__/typing_extensions.cpython-312.pyc": UNCHECKED},
            "python/__pycache__/typing_extensions.cpython-312.pyc: it is not Python 3.13's",
        ),
        *(
            (
                {PYC: pyc},
                f"{PYC}: it is compared with its source's date or hash, so it is not used after zipping",
            )
            for pyc in (CHECKED, BY_DATE)
        ),
        ({"python/bin/tool": b""}, "bin: it should not be there"),
        ({"python/pydantic/tests/data.json": b""}, "tests: it should not be there"),
        ({"python/boto3/data.json": b""}, "boto3: it should not be there"),
        ({"requirements.txt": b""}, "requirements.txt: Lambda does not import from there"),
        (
            {
                "python/loops_destination/__init__.py": None,
                "python/loops_destination/__pycache__/__init__.cpython-313.pyc": None,
            },
            "python/loops_destination: it is missing",
        ),
    ],
)
def test_a_fault_is_found(make: Make, changes: dict[str, bytes | None], problem: str) -> None:
    """Each way in which a layer can be wrong is told, with the file."""
    assert layer_problems(make(FILES | changes), Architecture.ARM64) == [problem]


def test_a_function_is_its_handler_alone(make: Make) -> None:
    """A function's artifact has the named files, and no others."""
    artifact = make({"requirements.txt": b""})
    assert content_problems(artifact, FUNCTION_FILES) == [
        "requirements.txt: it should not be there",
        "app.py: it is missing",
    ]


def test_what_runs_here_is_what_runs_there(tmp_path: Path) -> None:
    """A source that is not the same for both processors is told."""
    for name, text in (("one", "1"), ("other", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.py").write_text("")
        (tmp_path / name / "differs.py").write_text(text)
        (tmp_path / name / f"{name}.so").write_text("")
    one, other = (Artifact(name, tmp_path / name) for name in ("one", "other"))
    assert source_differences(one, other) == ["differs.py: it depends on the processor"]


def test_sizes_are_those_of_the_files(make: Make) -> None:
    """The size of an artifact is its files', zipped it is smaller."""
    artifact = make({"zeros.txt": bytes(10_000)})
    assert artifact.unzipped == 10_000
    assert 0 < artifact.zipped < 1_000

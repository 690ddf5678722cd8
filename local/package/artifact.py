"""The content of an artifact, and its problems."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from local.package.build import Architecture

FOREIGN = frozenset(
    {"tests", "test", "bin", "boto3", "botocore", "s3transfer", "jmespath", "babel", "pytz", "Makefile", ".git"}
)
"""Names that no artifact may contain: tests, scripts, and packages of the Lambda runtime itself."""

FUNCTION_FILES = frozenset({"app.py"})
MAPPINGS_FILES = frozenset({"mappings.json"})

_PYC = "cpython-313.pyc"
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")
"""The flags in a pyc's header (PEP 552): it has a hash of its source, which is not checked."""

_ELF = b"\x7fELF"
_ELF_MACHINE = slice(18, 20)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A folder that is uploaded to Lambda as one zip."""

    name: str
    folder: Path

    def files(self) -> list[PurePosixPath]:
        """Return all files, relative to the folder."""
        return sorted(PurePosixPath(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def read(self, path: PurePosixPath) -> bytes:
        """Return the content of a file."""
        return (self.folder / path).read_bytes()

    @property
    def unzipped(self) -> int:
        """The unzipped size in bytes, to which Lambda's quota applies."""
        return sum((self.folder / path).stat().st_size for path in self.files())

    @property
    def zipped(self) -> int:
        """The size of the uploaded zip in bytes."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in self.files():
                archive.writestr(str(path), self.read(path))
        return content.getbuffer().nbytes


def layer_problems(layer: Artifact, architecture: Architecture) -> list[str]:
    """Return the problems of the layer of code, each with its file."""
    files = layer.files()
    return [
        *_foreign(files),
        *_misplaced(files),
        *_wrong_libraries(layer, files, architecture),
        *_uncompiled(files),
        *_checked(layer, files),
    ]


def content_problems(artifact: Artifact, wanted: frozenset[str]) -> list[str]:
    """Return the problems of an artifact that should contain exactly these files."""
    found = {str(path) for path in artifact.files()}
    return [
        *(f"{name}: should not be in the artifact" for name in sorted(found - wanted)),
        *(f"{name}: is missing" for name in sorted(wanted - found)),
    ]


def source_differences(one: Artifact, other: Artifact) -> list[str]:
    """Return the Python sources that differ between builds for two processors, which only libraries may."""
    sources = [{path: each.read(path) for path in each.files() if path.suffix == ".py"} for each in (one, other)]
    paths = sources[0].keys() | sources[1].keys()
    return [f"{path}: differs between processors" for path in sorted(paths) if _differs(path, *sources)]


def _differs(path: PurePosixPath, one: Mapping[PurePosixPath, bytes], other: Mapping[PurePosixPath, bytes]) -> bool:
    return one.get(path) != other.get(path)


def _foreign(files: Sequence[PurePosixPath]) -> Iterator[str]:
    for name in sorted({part for path in files for part in path.parts} & FOREIGN):
        yield f"{name}: should not be in the artifact"


def _misplaced(files: Sequence[PurePosixPath]) -> Iterator[str]:
    """Yield files that Lambda does not import, because they are not under `python/`."""
    for path in files:
        if path.parts[0] != "python":
            yield f"{path}: Lambda does not import from this folder"
    if PurePosixPath("python/loops_destination/__init__.py") not in files:
        yield "python/loops_destination: is missing"


def _wrong_libraries(layer: Artifact, files: Sequence[PurePosixPath], architecture: Architecture) -> Iterator[str]:
    libraries = [path for path in files if path.suffix == ".so"]
    for path in libraries:
        head = layer.read(path)[: _ELF_MACHINE.stop]
        machine = int.from_bytes(head[_ELF_MACHINE], "little")
        if not head.startswith(_ELF) or machine != architecture.elf_machine:
            yield f"{path}: is not for {architecture.title}"
        if f"cpython-313-{architecture.linux}-" not in path.name:
            yield f"{path}: has a name that Python 3.13 on {architecture.title} does not import"
    if not any(path.name.startswith("_pydantic_core.") for path in libraries):
        yield "pydantic_core: the library is missing"


def _uncompiled(files: Sequence[PurePosixPath]) -> Iterator[str]:
    sources = {path for path in files if path.suffix == ".py"}
    compiled = {_source(path) for path in files if path.name.endswith(_PYC)}
    for path in sorted(sources - compiled):
        yield f"{path}: has no pyc of Python 3.13"
    for path in sorted(compiled - sources):
        yield f"{path}: has a pyc, but no source"


def _checked(layer: Artifact, files: Sequence[PurePosixPath]) -> Iterator[str]:
    for path in files:
        if path.suffix == ".pyc" and not path.name.endswith(_PYC):
            yield f"{path}: is not a pyc of Python 3.13"
        elif path.suffix == ".pyc" and layer.read(path)[4:8] != _UNCHECKED_HASH:
            yield f"{path}: is checked against the date or hash of its source, so it is useless after zipping"


def _source(pyc: PurePosixPath) -> PurePosixPath:
    return pyc.parent.parent / f"{pyc.name.removesuffix(f'.{_PYC}')}.py"

"""What is in an artifact, and what should not be."""

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
"""Names that no artifact has: tests and scripts, and what the Lambda runtime brings itself."""

FUNCTION_FILES = frozenset({"app.py"})
MAPPINGS_FILES = frozenset({"mappings.json"})

_PYC = "cpython-313.pyc"
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")
"""The flags in a pyc's header (PEP 552): made from a hash of its source, which is not to be checked."""

_ELF = b"\x7fELF"
_ELF_MACHINE = slice(18, 20)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A folder that becomes one zip on Lambda."""

    name: str
    folder: Path

    def files(self) -> list[PurePosixPath]:
        """All of it, relative to the folder."""
        return sorted(PurePosixPath(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def read(self, path: PurePosixPath) -> bytes:
        """One of its files."""
        return (self.folder / path).read_bytes()

    @property
    def unzipped(self) -> int:
        """Its size in bytes, as Lambda's quota counts it."""
        return sum((self.folder / path).stat().st_size for path in self.files())

    @property
    def zipped(self) -> int:
        """Its size in bytes, as it is uploaded."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in self.files():
                archive.writestr(str(path), self.read(path))
        return content.getbuffer().nbytes


def layer_problems(layer: Artifact, architecture: Architecture) -> list[str]:
    """What is wrong with the layer of code: each problem names the file."""
    files = layer.files()
    return [
        *_foreign(files),
        *_misplaced(files),
        *_wrong_libraries(layer, files, architecture),
        *_uncompiled(files),
        *_checked(layer, files),
    ]


def content_problems(artifact: Artifact, wanted: frozenset[str]) -> list[str]:
    """What is wrong with an artifact that has just these files."""
    found = {str(path) for path in artifact.files()}
    return [
        *(f"{name}: it should not be there" for name in sorted(found - wanted)),
        *(f"{name}: it is missing" for name in sorted(wanted - found)),
    ]


def source_differences(one: Artifact, other: Artifact) -> list[str]:
    """The Python sources that are not the same in both: what runs here is what runs there, but for the libraries."""
    sources = [{path: each.read(path) for path in each.files() if path.suffix == ".py"} for each in (one, other)]
    paths = sources[0].keys() | sources[1].keys()
    return [f"{path}: it depends on the processor" for path in sorted(paths) if _differs(path, *sources)]


def _differs(path: PurePosixPath, one: Mapping[PurePosixPath, bytes], other: Mapping[PurePosixPath, bytes]) -> bool:
    return one.get(path) != other.get(path)


def _foreign(files: Sequence[PurePosixPath]) -> Iterator[str]:
    for name in sorted({part for path in files for part in path.parts} & FOREIGN):
        yield f"{name}: it should not be there"


def _misplaced(files: Sequence[PurePosixPath]) -> Iterator[str]:
    """Lambda looks for packages right under `python/`."""
    for path in files:
        if path.parts[0] != "python":
            yield f"{path}: Lambda does not import from there"
    if PurePosixPath("python/loops_destination/__init__.py") not in files:
        yield "python/loops_destination: it is missing"


def _wrong_libraries(layer: Artifact, files: Sequence[PurePosixPath], architecture: Architecture) -> Iterator[str]:
    libraries = [path for path in files if path.suffix == ".so"]
    for path in libraries:
        head = layer.read(path)[: _ELF_MACHINE.stop]
        machine = int.from_bytes(head[_ELF_MACHINE], "little")
        if not head.startswith(_ELF) or machine != architecture.elf_machine:
            yield f"{path}: it is not for {architecture.title}"
        if f"cpython-313-{architecture.linux}-" not in path.name:
            yield f"{path}: Python 3.13 on {architecture.title} does not look for this name"
    if not any(path.name.startswith("_pydantic_core.") for path in libraries):
        yield "pydantic_core: its library is missing"


def _uncompiled(files: Sequence[PurePosixPath]) -> Iterator[str]:
    sources = {path for path in files if path.suffix == ".py"}
    compiled = {_source(path) for path in files if path.name.endswith(_PYC)}
    for path in sorted(sources - compiled):
        yield f"{path}: it has no pyc of Python 3.13"
    for path in sorted(compiled - sources):
        yield f"{path}: there is a pyc of it, but no source"


def _checked(layer: Artifact, files: Sequence[PurePosixPath]) -> Iterator[str]:
    for path in files:
        if path.suffix == ".pyc" and not path.name.endswith(_PYC):
            yield f"{path}: it is not Python 3.13's"
        elif path.suffix == ".pyc" and layer.read(path)[4:8] != _UNCHECKED_HASH:
            yield f"{path}: it is compared with its source's date or hash, so it is not used after zipping"


def _source(pyc: PurePosixPath) -> PurePosixPath:
    return pyc.parent.parent / f"{pyc.name.removesuffix(f'.{_PYC}')}.py"

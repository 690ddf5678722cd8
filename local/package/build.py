"""`sam build`, for the template's processor and for this machine's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

SOURCES = ("template.yaml", "samconfig.toml", "functions", "layers")
"""Everything that `sam build` reads."""

NOT_SOURCES = shutil.ignore_patterns("__pycache__")


class Architecture(Enum):
    """A processor: its name on Lambda, its number in ELF files, and its name on Linux."""

    ARM64 = "arm64", 183, "aarch64"
    X86_64 = "x86_64", 62, "x86_64"

    def __init__(self, title: str, elf_machine: int, linux: str) -> None:
        self.title = title
        self.elf_machine = elf_machine
        self.linux = linux

    @classmethod
    def of_this_machine(cls) -> Architecture:
        """Return this machine's processor; raise `LookupError` if Lambda does not offer it."""
        machine = os.uname().machine
        for architecture in cls:
            if machine in {architecture.linux, architecture.title}:
                return architecture
        raise LookupError(f"Lambda does not offer {machine}")

    @classmethod
    def of_template(cls, template: str) -> Architecture:
        """Return the processor for which the template builds the layer."""
        named = re.search(r"BuildArchitecture: *(\w+)", template)
        return next(each for each in cls if named and each.title == named[1])


class BuildFailed(Exception):
    """`sam build` failed; the message is its output."""


@dataclass(frozen=True, slots=True)
class Sam:
    """The SAM CLI, and the Python with which it builds."""

    program: Path
    python: Path

    def build(self, project: Path) -> Path:
        """Build the project in place; return the folder with the artifacts and their template."""
        environ = os.environ | {
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "SAM_CLI_TELEMETRY": "0",
        }
        done = subprocess.run(  # noqa: S603  # our own command, with no shell
            [self.program.absolute(), "build"],
            cwd=project,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildFailed(f"{done.stdout}{done.stderr}")
        return project / ".aws-sam" / "build"

    @property
    def emulators(self) -> Path:
        """The folder with Lambda's runtime emulators, a part of the SAM CLI."""
        (folder,) = self.program.parent.parent.glob("lib/python*/site-packages/samcli/local/rapid")
        return folder


def copy_for(architecture: Architecture, project: Path, folder: Path) -> Path:
    """Copy the sources into an emptied folder, with a template for this architecture; return the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in SOURCES:
        source = project / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=NOT_SOURCES)
        else:
            shutil.copy2(source, folder / name)
    template = (folder / "template.yaml").read_text("utf-8")
    own = Architecture.of_template(template).title
    (folder / "template.yaml").write_text(re.sub(rf"\b{own}\b", architecture.title, template), "utf-8")
    return folder

"""The build for the processor that the template names."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from local.package.build import Architecture, BuildFailed, Sam, copy_for
from local.sam_template import read_document
from segment_loops import PROJECT

TEMPLATE = (PROJECT / "template.yaml").read_text("utf-8")


def test_the_template_builds_for_arm64() -> None:
    """A plain `sam build` builds for arm64."""
    assert Architecture.of_template(TEMPLATE) is Architecture.ARM64


def test_a_copy_is_for_another_processor_throughout(tmp_path: Path) -> None:
    """A copy contains everything that `sam build` reads, and nowhere the first processor's name."""
    copy = copy_for(Architecture.X86_64, PROJECT, tmp_path / "copy")
    document = read_document(copy / "template.yaml")
    assert document["Globals"]["Function"]["Architectures"] == ["x86_64"]
    assert document["Resources"]["DestinationLayer"]["Metadata"]["BuildArchitecture"] == "x86_64"
    assert "arm64" not in (copy / "template.yaml").read_text("utf-8")
    assert (copy / "layers" / "mappings" / "mappings.json").is_file()
    assert not list(copy.rglob("__pycache__"))


@pytest.mark.parametrize("architecture", Architecture)
def test_the_layer_is_built_for_the_templates_processor(tmp_path: Path, architecture: Architecture) -> None:
    """The layer's Makefile installs wheels for the processor that the template names."""
    copy = copy_for(architecture, PROJECT, tmp_path)
    assert f"--platform manylinux2014_{architecture.linux} " in _commands(copy / "layers" / "destination")


def test_in_a_container_the_layer_is_built_for_the_containers_processor(tmp_path: Path) -> None:
    """Without the template, the layer is built for the machine's processor."""
    shutil.copy(PROJECT / "layers" / "destination" / "Makefile", tmp_path)
    assert f"--platform manylinux2014_{Architecture.of_this_machine().linux} " in _commands(tmp_path)


def _commands(layer: Path) -> str:
    """Return the commands that make would run."""
    arguments = ["--dry-run", "--makefile", str(layer / "Makefile"), "build-DestinationLayer", "ARTIFACTS_DIR=/none"]
    return subprocess.run(["make", *arguments], cwd=layer, check=True, capture_output=True, text=True).stdout  # noqa: S603, S607  # prints only


def test_a_failed_build_has_sams_output(tmp_path: Path) -> None:
    """The output of a failed `sam build` is the error's message."""
    sam = tmp_path / "sam"
    sam.write_text("#!/bin/sh\necho no template\nexit 1\n")
    sam.chmod(0o700)
    with pytest.raises(BuildFailed, match="no template"):
        Sam(sam, tmp_path / "python3.13").build(tmp_path)


def test_sam_builds_with_the_given_python(tmp_path: Path) -> None:
    """The builder's folder is the first on the path of `sam build`."""
    sam = tmp_path / "sam"
    sam.write_text('#!/bin/sh\necho "$1 ${PATH%%:*}" > called\n')
    sam.chmod(0o700)
    assert Sam(sam, tmp_path / "bin" / "python3.13").build(tmp_path) == tmp_path / ".aws-sam" / "build"
    assert (tmp_path / "called").read_text() == f"build {tmp_path / 'bin'}\n"

"""Builds what is deployed, looks through it and runs it: `python -m local.package`."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from local import PROJECT
from local.package import CACHE
from local.package.artifact import (
    FUNCTION_FILES,
    MAPPINGS_FILES,
    Artifact,
    content_problems,
    layer_problems,
    source_differences,
)
from local.package.build import Architecture, BuildFailed, Sam, copy_for
from local.package.emulator import EmulatedFunction, FunctionFailed, Runtime
from local.package.modules import module_problems
from local.package.trial import Trial
from local.table import Table
from local.template import Template

if TYPE_CHECKING:
    from collections.abc import Sequence

LAYER = "DestinationLayer"
MAPPINGS = "MappingsLayer"
FIRST_CALLS = 9


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 when nothing is wrong with the artifacts, or when they cannot be run on this machine."""
    options = _parser().parse_args(arguments)
    began = time.monotonic()
    try:
        problems = _package(Sam(options.sam, options.builder), options.runtime, cold_starts=options.cold_starts)
    except (BuildFailed, FunctionFailed) as error:
        problems = [str(error)]
    for problem in problems:
        print(f"FAULT {problem}")
    seconds = time.monotonic() - began
    print(
        f"\n{len(problems) or 'No'} problem{'' if len(problems) == 1 else 's'} in the artifacts, found in {seconds:.0f} s."
    )
    return 1 if problems else 0


def _package(sam: Sam, runtime: Path, *, cold_starts: bool) -> list[str]:
    shipped = Architecture.of_template((PROJECT / "template.yaml").read_text("utf-8"))
    build = sam.build(PROJECT)
    problems = _looked_through(build, shipped)
    own = _own_architecture()
    if own is None:
        print("\nNot run: Lambda's runtime emulator needs Linux on arm64 or x86_64.")
        return problems
    emulator = sam.emulators / f"aws-lambda-rie-{own.title}"
    if own is not shipped:
        shipped_layer = Artifact(LAYER, build / LAYER)
        build = sam.build(copy_for(own, PROJECT, CACHE / own.title))
        layer = Artifact(LAYER, build / LAYER)
        problems += layer_problems(layer, own) + source_differences(shipped_layer, layer)
    problems += _run(build, Runtime(emulator, runtime), own)
    if cold_starts:
        _print_cold_starts(build, Runtime(emulator, runtime))
    return problems


def _print_cold_starts(build: Path, runtime: Runtime) -> None:
    """The median first call of a function, as it is shipped and without its layer's pycs."""
    with Trial(build / "template.yaml", runtime, CACHE / "run") as trial:
        shipped = median(trial.first_call() for _ in range(FIRST_CALLS))
        for folder in list(trial.opt.rglob("__pycache__")):
            shutil.rmtree(folder)
        from_source = median(trial.first_call() for _ in range(FIRST_CALLS))
    print(f"\nA first call takes {shipped * 1000:,.0f} ms, and {from_source * 1000:,.0f} ms without the layer's pycs.")


def _own_architecture() -> Architecture | None:
    try:
        return Architecture.of_this_machine() if sys.platform == "linux" else None
    except LookupError:
        return None


def _looked_through(build: Path, architecture: Architecture) -> list[str]:
    """The problems of every artifact, whose sizes are printed."""
    print(f"Artifacts for {architecture.title}, in {build.relative_to(PROJECT)}\n")
    print(f"{'':24}{'unzipped':>12}{'zipped':>12}")
    problems: list[str] = []
    for name, folder in Template.read(build / "template.yaml").folders().items():
        artifact = Artifact(name, folder.resolve())
        print(f"{artifact.name:24}{_size(artifact.unzipped):>12}{_size(artifact.zipped):>12}")
        problems += [f"{artifact.name}: {problem}" for problem in _problems(artifact, architecture)]
    return problems


def _problems(artifact: Artifact, architecture: Architecture) -> list[str]:
    if artifact.name == LAYER:
        return layer_problems(artifact, architecture)
    return content_problems(artifact, MAPPINGS_FILES if artifact.name == MAPPINGS else FUNCTION_FILES)


def _run(build: Path, runtime: Runtime, architecture: Architecture) -> list[str]:
    """The samples that came out otherwise, and the modules that came from elsewhere."""
    print(f"\nThe functions for {architecture.title}, run in Lambda's runtime emulator with the samples of events/\n")
    table = Table(sys.stdout)
    table.head()
    problems = []
    with Trial(build / "template.yaml", runtime, CACHE / "run", {"PYTHONVERBOSE": "1"}) as trial:
        for report, as_expected in trial.samples():
            table.row(report, as_expected=as_expected)
            if not as_expected:
                problems.append(f"{report.name}: it came out otherwise")
        for name, function in trial.functions.items():
            problems += [f"{name}: {problem}" for problem in _module_problems(function, trial.opt, runtime)]
    if not problems:
        print("\nEvery module of the layer was loaded from its pyc, and nothing from the working tree.")
    return problems


def _module_problems(function: EmulatedFunction, opt: Path, runtime: Runtime) -> list[str]:
    return module_problems(
        function.module_files(), function.function.code, opt, runtime.python.absolute().parent.parent
    )


def _size(count: int) -> str:
    return f"{count / 1024:,.0f} KB" if count < 1024**2 else f"{count / 1024**2:,.1f} MB"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.package", description="The artifacts, built and run.")
    parser.add_argument("--sam", type=Path, required=True, help="the SAM CLI's program")
    parser.add_argument("--builder", type=Path, required=True, help="a Python 3.13 with pip, that `sam build` uses")
    parser.add_argument("--runtime", type=Path, required=True, help="a Python 3.13 with what Lambda's runtime has")
    parser.add_argument("--cold-starts", action="store_true", help="also time first calls, with and without pycs")
    return parser


if __name__ == "__main__":
    sys.exit(main())

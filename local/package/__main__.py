"""Build the artifacts of the stack, inspect them and run them: `python -m local.package`."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import click

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
from local.reports import ReportTable
from local.sam_template import SamTemplate
from segment_loops import PROJECT
from segment_loops.commands.program import run_program
from segment_loops.console import add_row, number, printable, say, show, table

LAYER = "DestinationLayer"
MAPPINGS = "MappingsLayer"
FIRST_CALLS = 9

_PROGRAM = click.Path(path_type=Path)


@click.command()
@click.option("--sam", type=_PROGRAM, required=True, help="The SAM CLI.")
@click.option("--builder", type=_PROGRAM, required=True, help="A Python 3.13 with pip, for `sam build`.")
@click.option("--runtime", type=_PROGRAM, required=True, help="A Python 3.13 with the packages of Lambda's runtime.")
@click.option("--cold-starts", is_flag=True, help="Also time first invocations, with and without pycs.")
def package(*, sam: Path, builder: Path, runtime: Path, cold_starts: bool) -> int:
    """Build the artifacts, inspect them, and run them with the samples.

    Exit status: 0 if the artifacts have no problem; they are only inspected on a machine that cannot run them.
    """
    began = time.monotonic()
    try:
        problems = _package(Sam(sam, builder), runtime, cold_starts=cold_starts)
    except (BuildFailed, FunctionFailed) as error:
        problems = [str(error)]
    for problem in problems:
        say(f"PROBLEM {printable(problem)}", "red")
    count = number(len(problems), "problem") if problems else "No problems"
    say(f"\n{count} in the artifacts, after {time.monotonic() - began:.0f} s.", "red" if problems else "green")
    return 1 if problems else 0


def _package(sam: Sam, runtime: Path, *, cold_starts: bool) -> list[str]:
    shipped = Architecture.of_template((PROJECT / "template.yaml").read_text("utf-8"))
    build = sam.build(PROJECT)
    problems = _inspected(build, shipped)
    own = _own_architecture()
    if own is None:
        say("\nNot run: Lambda's runtime emulator needs Linux on arm64 or x86_64.")
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
    """Print the median time of a function's first invocation, as it is shipped and without the layer's pycs."""
    with Trial(build / "template.yaml", runtime, CACHE / "run") as trial:
        shipped = median(trial.first_call() for _ in range(FIRST_CALLS))
        for folder in list(trial.opt.rglob("__pycache__")):
            shutil.rmtree(folder)
        from_source = median(trial.first_call() for _ in range(FIRST_CALLS))
    say(
        f"\nA first invocation takes {shipped * 1000:,.0f} ms, and {from_source * 1000:,.0f} ms without the layer's pycs."
    )


def _own_architecture() -> Architecture | None:
    try:
        return Architecture.of_this_machine() if sys.platform == "linux" else None
    except LookupError:
        return None


def _inspected(build: Path, architecture: Architecture) -> list[str]:
    """Print the size of every artifact; return their problems."""
    say(f"Artifacts for {architecture.title}, in {build.relative_to(PROJECT)}\n")
    sizes = table(["Artifact", "Unzipped", "Zipped"], right=["Unzipped", "Zipped"])
    problems: list[str] = []
    for name, folder in SamTemplate.read(build / "template.yaml").folders().items():
        artifact = Artifact(name, folder.resolve())
        add_row(sizes, [artifact.name, _size(artifact.unzipped), _size(artifact.zipped)])
        problems += [f"{artifact.name}: {problem}" for problem in _problems(artifact, architecture)]
    show(sizes)
    return problems


def _problems(artifact: Artifact, architecture: Architecture) -> list[str]:
    if artifact.name == LAYER:
        return layer_problems(artifact, architecture)
    return content_problems(artifact, MAPPINGS_FILES if artifact.name == MAPPINGS else FUNCTION_FILES)


def _run(build: Path, runtime: Runtime, architecture: Architecture) -> list[str]:
    """Run the functions; return the samples with unexpected results, and the modules loaded from the wrong place."""
    say(f"\nThe functions for {architecture.title} in Lambda's runtime emulator, with the samples in events/\n")
    rows = ReportTable()
    rows.print_headings()
    problems = []
    with Trial(build / "template.yaml", runtime, CACHE / "run", {"PYTHONVERBOSE": "1"}) as trial:
        for report, expected in trial.samples():
            rows.print_row(report, expected=expected)
            if expected:
                problems.append(f"{report.name}: has an unexpected result")
        for name, function in trial.functions.items():
            problems += [f"{name}: {problem}" for problem in _module_problems(function, trial.opt, runtime)]
    if not problems:
        say("\nEvery module of the layer was loaded from its pyc, and nothing from the working tree.")
    return problems


def _module_problems(function: EmulatedFunction, opt: Path, runtime: Runtime) -> list[str]:
    return module_problems(
        function.module_files(), function.function.code, opt, runtime.python.absolute().parent.parent
    )


def _size(count: int) -> str:
    return f"{count / 1024:,.0f} KB" if count < 1024**2 else f"{count / 1024**2:,.1f} MB"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_program(package, arguments, "python -m local.package")


if __name__ == "__main__":
    sys.exit(main())

"""The check of where a running function's modules were loaded from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segment_loops import PROJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE = "loops_destination"


def module_problems(files: Sequence[Path], code: Path, opt: Path, runtime: Path) -> list[str]:
    """Return the problems of the files from which modules were loaded.

    Modules may come from the function's folder `code`, from its layers in `opt`, and from the `runtime`.
    """
    of_layer = [file for file in files if file.is_relative_to(opt)]
    ours = [file for file in files if PACKAGE in file.parts]
    stray = [
        file
        for file in files
        if file.is_relative_to(PROJECT) and not any(file.is_relative_to(place) for place in (code, opt, runtime))
    ]
    return [
        *(f"{file}: was compiled when the function started" for file in of_layer if file.suffix != ".pyc"),
        *(f"{file}: does not come from the layer" for file in ours if file not in of_layer),
        *(f"{file}: comes from the working tree" for file in stray),
        *([] if ours else [f"{PACKAGE}: was not imported"]),
    ]

"""Where the modules of a function that runs were loaded from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from local import PROJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE = "loops_destination"


def module_problems(files: Sequence[Path], code: Path, opt: Path, runtime: Path) -> list[str]:
    """What is wrong with where these files were loaded from: the function's folder, its layers', the runtime's."""
    of_layer = [file for file in files if file.is_relative_to(opt)]
    ours = [file for file in files if PACKAGE in file.parts]
    stray = [
        file
        for file in files
        if file.is_relative_to(PROJECT) and not any(file.is_relative_to(place) for place in (code, opt, runtime))
    ]
    return [
        *(f"{file}: it was compiled when the function started" for file in of_layer if file.suffix != ".pyc"),
        *(f"{file}: it is not the layer's" for file in ours if file not in of_layer),
        *(f"{file}: it is the working tree's" for file in stray),
        *([] if ours else [f"{PACKAGE}: it was not imported"]),
    ]

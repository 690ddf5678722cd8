"""The trial of what `sam build` makes: the artifacts are inspected, and run in Lambda's runtime emulator."""

from __future__ import annotations

from segment_loops import PROJECT

CACHE = PROJECT / ".cache" / "package"
"""The folder for builds for this machine, and for their runs."""

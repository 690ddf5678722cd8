"""The production tool: the command line `segment-loops`, and the studio."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parent.parent
"""The folder of the repository: the tool is installed in place, and reads the project's own files."""

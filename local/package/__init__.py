"""The artifacts as `sam build` makes them: looked through for Lambda's processor, and run here in Lambda's emulator."""

from __future__ import annotations

from local import PROJECT

CACHE = PROJECT / ".cache" / "package"
"""What is built and run for this machine."""

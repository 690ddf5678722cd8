"""Segment's mapping language: `Mapping(definition).resolve(event)`.

`checker` finds every problem of a definition, `builder` compiles it. `directives` holds the check and the build of each
directive; `work` limits the work of one resolution.
"""

from loops_destination.mapping.mapping import Mapping

__all__ = ["Mapping"]

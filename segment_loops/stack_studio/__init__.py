"""The studio of a deployed stack: a web page to see and repair production.

It differs from the studio of one machine, which asks the stack for everything each second: on AWS a search of the log
costs money and reading dead letters hides them, so this page asks only when a person does.
"""

from __future__ import annotations

from segment_loops.stack_studio.stack_app import stack_studio

__all__ = ["stack_studio"]

"""Liquid as Segment's `@liquid` runs it: LiquidJS's dialect, without the tags and filters that Segment disables.

An engine of its own, because the dialect is JavaScript's down to how values compare, count and print, and because the
work of a template has to be bounded: it is charged to the budget of the whole mapping.
"""

from loops_destination.mapping.liquid.liquid_parser import LiquidProblem, parse
from loops_destination.mapping.liquid.scope import LiquidError

__all__ = ["LiquidError", "LiquidProblem", "parse"]

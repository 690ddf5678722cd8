"""Liquid as Segment's `@liquid` runs it: LiquidJS's dialect, without the tags and filters that Segment disables.

It is an engine of its own for two reasons: in this dialect values compare, count and print by JavaScript's rules, and the
work of a template is charged to the budget of the whole mapping.
"""

from loops_destination.mapping.liquid.liquid_parser import LiquidProblem, parse
from loops_destination.mapping.liquid.scope import LiquidError

__all__ = ["LiquidError", "LiquidProblem", "parse"]

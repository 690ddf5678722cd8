"""Segment's mapping language: `Mapping(definition).resolve(event)`."""

from loops_destination.mapping.mapping import Mapping

__all__ = ["Mapping"]

"""Segment's Loops (Actions) destination."""

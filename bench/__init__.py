"""How fast it is, beside Segment's own code: `make bench`."""

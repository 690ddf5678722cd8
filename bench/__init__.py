"""The benchmark against Segment's own code: `make bench`."""

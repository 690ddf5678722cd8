"""The checks of `segment-loops doctor`: the mappings against a Loops team, and a deployed stack."""

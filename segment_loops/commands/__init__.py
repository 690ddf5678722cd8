"""The commands of `segment-loops`: each file reads its options, calls the tool, and prints the result."""

"""The command line, `segment-loops`: mappings checked and tried out, the key tested, dead letters worked with."""

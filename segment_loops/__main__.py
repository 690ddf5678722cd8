"""Run the command line: `python -m segment_loops`."""

from __future__ import annotations

import sys

from segment_loops.commands.main import main

if __name__ == "__main__":
    sys.exit(main())

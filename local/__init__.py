"""The stack on one machine, and a stand-in for Loops."""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent

_LAYER = str(PROJECT / "layers" / "destination")
if _LAYER not in sys.path:
    sys.path.append(_LAYER)  # Lambda, too, finds the layer's packages without their being installed

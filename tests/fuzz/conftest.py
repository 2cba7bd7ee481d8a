"""Makes `fuzzkit` importable: machinery of this directory that `make soak-fuzz` uses without pytest as well.

Everything random in it comes from a `random.Random` that the caller seeds, so a failure is repeated by its seed.
Read `fuzzkit/targets.py` first (what must hold), then `fuzzkit/mutate.py` (how inputs are made).
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

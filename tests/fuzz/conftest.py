"""Makes `fuzzkit` importable: machinery of this directory that `make soak-fuzz` uses without pytest as well."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

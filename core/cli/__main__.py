"""`python -m metanode.core.cli` is `metanode`."""

import sys

from metanode.core.cli import main

sys.exit(main())

"""The `metanode` command: only the frame and the verbs that speak to a node's home.

Verbs are announced by `verbs.toml` files (entry point group `metanode.verbs`) and imported when used.
May import the rest of `core`.  Read `verbs` first (what a verb is), then `frame` (how one is run).
"""

from __future__ import annotations


def main() -> int:
    """Run the command line of this process; the console script `metanode`."""
    from metanode.core.cli.frame import main as run  # here, so that importing a verb does not load the frame

    return run()

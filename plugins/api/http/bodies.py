"""How much memory the request bodies of all connections may take together.

A connection may always hold a small body, so that clients with large ones cannot keep single
transfers out; what lies above that is shared.
"""

from __future__ import annotations

from metanode.core.model.errors import MetanodeError
from metanode.plugins.api._shared.messages import READ_BYTES

BODY_FREE_BYTES = READ_BYTES
"""What each connection may hold beside the budget: one read."""
BODIES_BYTES_MAX = 16 << 20
"""Body bytes beyond that which all connections may hold, unless the settings say otherwise."""


class BodyBudget:
    """The bytes that all connections share."""

    def __init__(self, bytes_max: int = BODIES_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self.held = 0
        """Bytes in use."""


class BodyClaim:
    """One connection's part of the budget."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._held = 0

    def hold(self, size: int) -> bool:
        """Hold this many body bytes from now on; False, and as many as before, when all together would be too many."""
        counted = size - BODY_FREE_BYTES if size > BODY_FREE_BYTES else 0
        more = counted - self._held
        if more > 0 and self._budget.held + more > self._budget.bytes_max:
            return False
        self._budget.held += more
        self._held = counted
        return True

    def refusal(self) -> MetanodeError:
        """The answer to a body that finds no room."""
        return MetanodeError(
            "BODIES_FULL",
            f"the bodies of all connections fill {self._budget.bytes_max} bytes",
            f"a body of at most {BODY_FREE_BYTES} bytes, or a later time",
        )

"""H(purpose, data): the one hash of the chain, with a registry of what it may be used for.

H(p, x) is BLAKE3-256 in derive-key mode with context `metanode/v1/<p>`, so a digest made for
one purpose can never pass for another.  Every program calls `install` once at its start (through
`metanode.core.crypto.install`) to use a faster provider; without that the pure reference serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from metanode.core.model.blake3 import PureProvider

CONTEXT_PREFIX = "metanode/v1/"
"""What stands before the purpose in the derive-key context."""

PURPOSES: tuple[str, ...] = (
    "genesis", "set", "params", "header", "vote", "bls", "tx", "txsig", "seal", "leaf", "node", "root",
    "mleaf", "mnode", "mvalue", "leader", "attest", "challenge", "machine", "probe", "hello", "frame",
    "receipt", "logblock", "record", "shard", "anchor", "audit", "agreement", "policy", "decision",
    "evidence", "lock", "identity", "bundle",
)  # fmt: skip
"""Every purpose, in the order of docs/wire_format.md.  A new use gets a new purpose."""

_CONTEXTS = {purpose: CONTEXT_PREFIX + purpose for purpose in PURPOSES}


class Provider(Protocol):
    """An implementation of BLAKE3.  All of them give the same bytes; they differ in speed."""

    @property
    def name(self) -> str:
        """What status output calls it, e.g. `pure`."""

    def digest(self, data: bytes) -> bytes:
        """Return the 32-byte unkeyed hash."""

    def derive_key(self, context: str, data: bytes) -> bytes:
        """Return 32 bytes derived from `data` under `context`."""

    def derive_key_many(self, context: str, items: Sequence[bytes]) -> list[bytes]:
        """Return `derive_key` of each item, in order."""


class ListTree(Protocol):
    """List trees (`core.model.merkle`) in one call each; a provider that has them is faster, never different."""

    def root(self, items: Sequence[bytes]) -> bytes:
        """Return the root of a list."""

    def path(self, items: Sequence[bytes], index: int) -> list[bytes]:
        """Return the siblings of `items[index]`, which exists, from the leaf upwards."""


_provider: Provider = PureProvider()
_list_tree: ListTree | None = None


def install(provider: Provider) -> None:
    """Use `provider` for every hash of this process from now on.

    One that also has `list_tree(leaf, node, root)`, three contexts, makes a `ListTree` by it.
    """
    global _provider, _list_tree
    _provider = provider
    _list_tree = tree_of(provider)


def tree_of(provider: Provider) -> ListTree | None:
    """Return the list trees of a provider that has them."""
    make = getattr(provider, "list_tree", None)
    return None if make is None else make(_CONTEXTS["leaf"], _CONTEXTS["node"], _CONTEXTS["root"])


def list_tree() -> ListTree | None:
    """Return the list trees of the provider in use, or None: then they are made of single hashes."""
    return _list_tree


def provider() -> Provider:
    """Return the provider in use."""
    return _provider


def H(purpose: str, data: bytes) -> bytes:
    """Return the 32-byte digest of `data` for `purpose`.

    :raises KeyError: `purpose` is not in `PURPOSES`; a mistake in our code, never in input.
    """
    return _provider.derive_key(_CONTEXTS[purpose], data)


def H_many(purpose: str, items: Sequence[bytes]) -> list[bytes]:
    """Return `H(purpose, item)` for each item, in order; one call into the provider."""
    return _provider.derive_key_many(_CONTEXTS[purpose], items)

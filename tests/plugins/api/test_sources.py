"""Rate limits behind a proxy: each client has its own, and a forged header gains nothing."""

from __future__ import annotations

import pytest

from metanode.plugins.api._shared.sources import Sources
from metanode.plugins.mempool.fifo.sources import SourceLimiter

PROXY, CLIENT, OTHER = "10.0.0.1", "203.0.113.7", "198.51.100.9"
ALLOWED = 5


def refused(trusted: list[str], peer: str, forwarded: list[str]) -> int:
    """Send a request per header value; return how many were refused."""
    sources, limiter = Sources(trusted), SourceLimiter(ALLOWED)
    found = [sources.source(peer, {"x-forwarded-for": value} if value else {}) for value in forwarded]
    return sum(limiter.refusal(source, 0.0) is not None for source in found)


FORGED = [f"192.0.2.{number}" for number in range(100)]


@pytest.mark.parametrize("trusted", [[], [PROXY], ["10.0.0.0/8", "2001:db8::/32"]])
def test_a_client_that_writes_the_header_itself_stays_one_source(trusted: list[str]) -> None:
    """It is no proxy of ours, so nobody reads what it claims."""
    assert refused(trusted, CLIENT, FORGED) == len(FORGED) - ALLOWED


def test_a_client_behind_the_proxy_that_forges_addresses_stays_one_source() -> None:
    """The proxy adds the real address at the right end; what stands left of it is the client's invention."""
    assert refused([PROXY], PROXY, [f"{claim}, {CLIENT}" for claim in FORGED]) == len(FORGED) - ALLOWED
    assert refused([PROXY], PROXY, [f"{claim}, {PROXY}, {CLIENT}" for claim in FORGED]) == len(FORGED) - ALLOWED


def test_clients_behind_the_proxy_do_not_share_a_limit() -> None:
    """One that asks too often does not silence the other."""
    assert refused([PROXY], PROXY, [CLIENT] * ALLOWED + [OTHER] * ALLOWED) == 0
    assert refused([PROXY], PROXY, [CLIENT] * 50 + [OTHER]) == 50 - ALLOWED


def test_a_chain_of_trusted_proxies_is_followed_to_the_client() -> None:
    """From the right, over every address that is trusted."""
    values = [f"{claim}, {CLIENT}, 10.0.0.3, 10.0.0.2" for claim in FORGED]
    assert refused(["10.0.0.0/8"], PROXY, values) == len(FORGED) - ALLOWED


def test_without_a_usable_header_the_proxy_is_the_source() -> None:
    """A broken header is no way around the limit."""
    assert refused([PROXY], PROXY, ["", "junk", f"{CLIENT}, junk", "1.2.3.4.5", "[::1]:80"] * 10) == 50 - ALLOWED

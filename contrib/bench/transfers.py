"""Accounts with coins and signed transfers between them, as the door's load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metanode.core import crypto
from metanode.core.model import ed25519
from metanode.core.model.accounts import account_id, to_rtc
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import build_envelope

BALANCE = 1_000_000_000
"""Micro-units each account owns at genesis."""
FEE = 100
VALID_UNTIL = 9_000
TRANSFER = 1


@dataclass(frozen=True)
class Wallet:
    """A key pair and its account."""

    seed: bytes
    public_key: bytes
    account: bytes

    @property
    def text(self) -> str:
        """The account in the form that both servers read."""
        return to_rtc(self.account)


def wallets(count: int) -> list[Wallet]:
    """Return `count` wallets, the same ones every time."""
    crypto.install()
    made = []
    for number in range(1, count + 1):
        seed = number.to_bytes(32, "big")
        public_key = ed25519.public_key(seed)
        made.append(Wallet(seed, public_key, account_id(public_key)))
    return made


def transfer_lines(group: Sequence[Wallet], count: int, *, chain_id: int, genesis_hash: bytes) -> list[str]:
    """Return `count` requests that post one transfer each, the wallets taking turns, nonces from 0 rising.

    Each wallet shows its key in its first envelope, pays its neighbour, and comes again after all others have.
    """
    lines = []
    for number in range(count):
        nonce, place = divmod(number, len(group))
        sender, receiver = group[place], group[(place + 1) % len(group)]
        envelope = build_envelope(
            chain_id=chain_id, kind=TRANSFER, sender=sender.account, nonce=nonce, fee=FEE, valid_until=VALID_UNTIL,
            body=Transfer(receiver.account, 1 + number).encode(),
            public_key=b"" if nonce else sender.public_key,
            sign=lambda digest, seed=sender.seed: ed25519.sign(seed, digest),  # type: ignore[misc]
            genesis_hash=genesis_hash,
        )  # fmt: skip
        lines.append(f'POST /v1/tx {{"envelope":"{envelope.raw.hex()}"}}')
    return lines

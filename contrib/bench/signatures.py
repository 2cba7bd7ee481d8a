"""ed25519.batch: verifying many signatures in one call against a loop over PyNaCl."""

from __future__ import annotations

from measuring import Result, UnavailableError, alternate

from metanode.core import crypto
from metanode.core.model import ed25519

SIGNATURES = 1_000
SIGNERS = 50


def ed25519_batch() -> list[Result]:
    """1,000 signatures over 32-byte digests, as every signature of the chain is."""
    try:
        from nacl.exceptions import BadSignatureError
        from nacl.signing import VerifyKey
    except ImportError as error:
        raise UnavailableError(f"the peer, PyNaCl, is not installed: {error}") from None
    crypto.install()
    backend = ed25519.backend()
    seeds = [number.to_bytes(32, "big") for number in range(1, SIGNERS + 1)]
    keys = [backend.public_key(seed) for seed in seeds]
    checks = []
    for number in range(SIGNATURES):
        digest = number.to_bytes(32, "little")
        checks.append((keys[number % SIGNERS], digest, backend.sign(seeds[number % SIGNERS], digest)))
    checks[500] = (checks[500][0], b"\x00" * 32, checks[500][2])

    def loop() -> list[bool]:
        verdicts = []
        for public_key, message, signature in checks:
            try:
                VerifyKey(public_key).verify(message, signature)
            except BadSignatureError:
                verdicts.append(False)
            else:
                verdicts.append(True)
        return verdicts

    assert backend.verify_many(checks) == loop(), "our verdicts differ from the peer's"
    mine, peer = alternate(lambda: backend.verify_many(checks), loop, budget_s=8)
    return [
        Result(
            "ed25519.batch",
            SIGNATURES / mine.wall_s / 1e3,
            "k/s",
            "PyNaCl loop",
            SIGNATURES / peer.wall_s / 1e3,
            peer.wall_s / mine.wall_s,
            mine.cpu_s / SIGNATURES * 1e6,
            f"backend {backend.name}: no batch call in C yet, one libsodium call per signature, the interpreter lock "
            f"held; {SIGNATURES} signatures, one of them bad; median of {mine.rounds} alternating rounds; "
            f"peer CPU {peer.cpu_s / SIGNATURES * 1e6:.4g} us, CPU ratio {peer.cpu_s / mine.cpu_s:.3g}",
        )
    ]

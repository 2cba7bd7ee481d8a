"""Many Ed25519 signatures in one call to C, each verified by the libsodium that PyNaCl brings.

`load(path)` takes the shared object in which libsodium lies and answers a `BatchVerifier`, or None where the
extension is not built, the object lacks the function, or the verdicts are wrong; `problem(path)` then says why.
Read `ed25519_batch.h` first: what C promises; then `batch.py`: how Python reaches it.
"""

from metanode.platforms.shims.ed25519.batch import (
    KEY_BYTES,
    SIGNATURE_BYTES,
    BatchVerifier,
    Check,
    load,
    problem,
)

__all__ = ["KEY_BYTES", "SIGNATURE_BYTES", "BatchVerifier", "Check", "load", "problem"]

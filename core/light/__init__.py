"""What light clients share: checking headers and proofs without running the rules.

Imports the standard library, `core.model` and `core.crypto` only; the miner, `verify` and the light
profile use it.  Read `certificate` first.
"""

"""What the fuzz tests and `make soak-fuzz` share: seeds, mutations, targets and the loop.

Everything random comes from a `random.Random` that the caller seeds, so a failure is repeated by its seed.
Read `targets.py` first (what must hold), then `mutate.py` (how inputs are made).
"""

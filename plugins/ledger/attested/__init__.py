"""Accounts, machines by commit and reveal, attestations, and rewards settled once per epoch.

Read `execute` first: it is the block loop, and every rule it calls has a module of its own
(`validity`, `transfer`, `machines`, `attest`, `settlement`).  Those are pure: the result is a
function of the parent's state and the block, with no clock, chance, floats or threads.
`ledger` and `routes` face the node; `sponsor` pays for machine records.

May import core and fingerprint.  Only `ledger`, `sponsor`, `routes` and `plugin` import trio.
"""

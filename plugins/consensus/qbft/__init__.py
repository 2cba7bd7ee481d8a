"""Consensus of many validators: QBFT with proposers drawn by VRF.

May import `core`, `consensus._shared`.  Read `machine` first (every rule, pure), then `plugin` (the driver).
"""

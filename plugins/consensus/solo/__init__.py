"""Consensus with one validator: QBFT's contract at N = 1 (quorum 1, same header, VRF, certificate and log).

May import core and `consensus/_shared`.  Read `machine.py` first: every decision is there; `plugin.py` only acts.
"""

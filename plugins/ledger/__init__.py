"""Ledger plugins: the rules of money and machines.  `attested` is the one this project ships."""

"""Consensus plugins: how nodes agree on the next block.

`solo` is the contract at one validator.  `_shared` holds what every engine needs: the chain
(build, check and store a block) and the write-ahead log.
"""

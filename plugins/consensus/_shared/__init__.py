"""What every consensus engine needs and none may do differently.

`chain` builds, checks and stores blocks on top of the head; `blocks` does so for engines that hear of
blocks from peers, who may hang a wrong body on a header (`whole`); `headers` remembers the recent headers
that rules may look back to; `wal` is the write-ahead log a vote enters before anyone sees it; `due` says
when a block is due; `sync` is the language of nodes that lack blocks, `sharing` tells peers of envelopes.
"""

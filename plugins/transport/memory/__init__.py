"""Nodes of one process, joined without sockets: for tests, simulations and embedding programs.

The embedding program makes a `MemoryNetwork` and passes `MemoryTransportPlugin(network, "alice")`
to `Node.open` as a plugin.  Frames, lanes and the signed hello are the real ones; only the wire
is missing.
May import `core`.  Read `network` first (what joins the nodes), then `transport` (the role object).
"""

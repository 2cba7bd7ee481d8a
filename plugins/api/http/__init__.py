"""api.http: the node's one HTTP listener, and the routes about the node, its chain and its accounts.

May import: core, trio, `api/_shared` (HTTP without I/O); ssl when a certificate is given.  Never
another plugin: those add their routes through the hook `register_routes`.

Read first: `connection.py` (one task per connection), `answering.py` (from a request to its answer),
then `plugin.py` (how they are joined).
"""

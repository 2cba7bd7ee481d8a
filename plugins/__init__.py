"""What fills the roles of a node: `metanode.plugins.<role>.<name>`; the listing is the feature list.

A plugin's folder holds `plugin.toml` (its manifest, read without importing it) and `plugin.py`
(its hooks), and may import `core`, `fingerprint`, `platforms` and its role's `_shared`, never
another plugin.  Read `core/roles.py` and `core/hooks.py` first.
"""

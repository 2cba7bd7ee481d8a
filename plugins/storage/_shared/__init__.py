"""What the storages share: the checks and the order of the views.

May import `metanode.core` only.  Read `views.py`.
"""

"""Why there is no block: nodes tell each other what they wait for, and `GET /v1/status` tells it to `metanode why`.

Imports `core` only.  Read `report.py` (what one node says), then `plugin.py`.
"""

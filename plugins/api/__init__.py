"""Plugins of the role `api`: listeners for programs and people."""

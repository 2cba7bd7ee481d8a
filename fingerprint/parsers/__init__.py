"""Captured text to typed facts: pure functions that never raise on strange input.

What could not be understood is named in the result's `problems`, one short line each, so a
report can say so instead of guessing.  Imports the standard library only.
"""

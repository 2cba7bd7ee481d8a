"""Captured text to typed facts: pure functions that never raise on strange input.

What could not be understood is named in the result's `problems`, one short line each, so a
report can say so instead of guessing.  `reading` is what every platform's parser returns; one module per
platform (`linux`, `macos`, `freebsd`, `openbsd`, `haiku`, `solaris`, `windows`) puts it together, from the others
that each read one kind of source.  Imports the standard library and the types of `metanode.platforms.captured`.
"""

"""All that differs by machine: native shims with fallbacks, collectors, service units.

May import the standard library and cffi (guarded), nothing else of metanode.
Read `shims` for native code, `captured` and then `linux`, `macos`, `freebsd` and `openbsd` for what is collected from
a machine: one reader for each, which returns texts and interprets nothing.
"""

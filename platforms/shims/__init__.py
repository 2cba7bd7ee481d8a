"""Native code: a folder per shim, with its C sources, the list of how they are compiled, and its Python facade.

Every shim is optional.  Its facade's `load()` answers None where the extension is not built or
fails its self-test, and the caller falls back to Python that passes the same vectors.
Read `blake3/` first; `native_build` says how a folder of C becomes an extension module.
"""

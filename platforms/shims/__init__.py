"""Native code: one C header, one portable reference file, one Python facade per shim.

Every shim is optional.  Its facade's `load()` answers None where the extension is not built or
fails its self-test, and the caller falls back to Python that passes the same vectors.
Read `blake3.h` first: what C promises; then `blake3.py`: how Python reaches it.
"""

"""Only the native part; everything else stands in pyproject.toml."""

import os

from setuptools import setup

pure = os.environ.get("METANODE_PURE") == "1"
setup(cffi_modules=[] if pure else ["platforms/shims/build_blake3.py:ffi"])

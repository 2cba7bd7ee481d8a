"""The version of metanode; a test holds it equal to pyproject.toml."""

VERSION = "0.1.0"

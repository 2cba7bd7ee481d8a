"""Stands in for the module that a Python without OpenSSL lacks: trio and http.client import it, no test calls it."""


class SSLError(OSError):
    """What a TLS connection would raise."""


class SSLSyscallError(SSLError):
    """So that asyncio loads."""


class SSLWantReadError(SSLError):
    """So that trio loads."""


class SSLWantWriteError(SSLError):
    """So that trio loads."""


class SSLContext:
    """So that annotations resolve."""

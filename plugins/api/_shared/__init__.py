"""HTTP/1.1 without I/O, for every listener of the role: bytes to requests, requests to routes, answers to bytes.

May import core, and httptools, h11 or wsproto in the one module each that is named for it; never trio.
Read `messages.py` first: it says what a parser gives and what is refused before a route is looked for.
"""

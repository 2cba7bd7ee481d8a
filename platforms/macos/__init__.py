"""How macOS and Mac OS X (PowerPC from 10.4, Intel, Apple Silicon) tell about the machine they run on.

Commands that every version ships, each with a time limit, returned as text and never interpreted
here (`metanode.fingerprint.parsers.macos` does that).  Imports the standard library and its siblings.
"""

"""What this machine is: inventory, signs of virtual machines, probes, scoring.

May import the standard library, `metanode.platforms` and `metanode.core.model`; never trio,
pluggy or a plugin.  Two halves that never mix: `collect`, `probes`, `crosscheck` and `command`
look at the machine; `inventory`, `classes`, `virtual`, `samples`, `keyed` and `scoring` are pure,
integer-only and the same on every validator.

Read `collect` first (dump -> report), then `inventory` (what goes on chain), then `scoring`.
docs/fingerprint.md says what all of it proves and what it does not.
"""

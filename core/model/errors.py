"""Every refusal of metanode: one exception family, one table of stable codes.

A code is a promise: it never changes its number or meaning.  `number` is what a
receipt stores on chain (u16), `code` is what people and programs read, `meaning`
says what was wrong and `cure` what would be right.
"""

from __future__ import annotations

from typing import NamedTuple


class ErrorCode(NamedTuple):
    """One row of the table of codes."""

    number: int
    code: str
    status: int
    """The HTTP status that an API answers with."""
    meaning: str
    cure: str


class MetanodeError(Exception):
    """Base of every error that metanode raises on purpose.

    :param code: a key of `ERROR_CODES`.
    :param message: what was wrong, with the offending value, in one line.
    :param expected: what would have been right; the table's cure when empty.
    """

    def __init__(self, code: str, message: str, expected: str = "") -> None:
        row = ERROR_CODES[code]
        super().__init__(f"{code}: {message}")
        self.code = code
        self.number = row.number
        self.status = row.status
        self.message = message
        self.expected = expected or row.cure

    def reply(self) -> dict[str, object]:
        """The JSON object every interface answers with."""
        return {
            "ok": False,
            "error": self.code.lower(),
            "code": self.code,
            "message": self.message,
            "expected": self.expected,
        }

    def line(self) -> str:
        """The one line a command prints."""
        return f"error {self.code}: {self.message} (expected: {self.expected})"


class CodecError(MetanodeError):
    """Bytes that are not the one canonical form.  `offset` is where."""

    def __init__(self, message: str, offset: int, expected: str = "") -> None:
        super().__init__("NOT_CANONICAL", f"{message} at byte {offset}", expected)
        self.offset = offset


class Rejection(MetanodeError):
    """An envelope, body or request that the rules refuse; the node itself is fine."""


class InvalidBlock(MetanodeError):
    """A block no honest node accepts; `code` names the first rule it breaks."""


class ProofError(MetanodeError):
    """A proof that does not prove; `code` names the step that failed."""


class SettingsError(MetanodeError):
    """A configuration that cannot work; names file, key, value and what is allowed."""


class PluginError(MetanodeError):
    """A plugin that does not fit, did not load or broke its contract; names the plugin."""


class StorageError(MetanodeError):
    """Data on disk that cannot be used; names the file and the cure."""


class PeerError(MetanodeError):
    """The other side broke the protocol.  Drop the connection; keep the node."""


# fmt: off: one row a line reads as the table it is
_ROWS = (
    # 0 is success in receipts and has no row.
    # -- encoding and shape: 100-149
    ErrorCode(100, "NOT_CANONICAL", 400, "bytes are not deterministic CBOR", "RFC 8949 4.2.1: shortest integers, rising unsigned keys, no other types"),
    ErrorCode(101, "BAD_SHAPE", 400, "a value has the wrong type, length or keys", "the layout in docs/wire_format.md"),
    ErrorCode(102, "TOO_LARGE", 413, "an object is larger than its limit", "a smaller object; limits are in docs/limits.md"),
    ErrorCode(103, "BAD_JSON", 400, "text is not the strict JSON this node reads", "one ASCII JSON object without duplicate keys"),
    ErrorCode(104, "BAD_AMOUNT", 400, "an amount is not a whole number of micro-units", "a decimal with at most 6 places, below 18446744073709.551616"),
    ErrorCode(105, "BAD_ADDRESS", 400, "an account id cannot be read", "mn1... (bech32m) or RTC followed by 40 hex digits"),
    ErrorCode(106, "BAD_HEX", 400, "a field is not hexadecimal of the right length", "lower-case hex of the stated length"),
    # -- envelope: 150-199
    ErrorCode(150, "INVALID_SIGNATURE", 401, "a signature does not verify", "Ed25519 over H(purpose, genesis_hash || message) with the named key"),
    ErrorCode(151, "WRONG_CHAIN", 400, "an object was made for another chain", "this chain's chain_id and genesis hash"),
    ErrorCode(152, "UNKNOWN_KIND", 400, "no plugin of this node knows the envelope kind", "a kind listed in docs/wire_format.md and registered here"),
    ErrorCode(153, "BAD_VERSION", 400, "an object has a version this node does not know", "version 1"),
    ErrorCode(154, "EXPIRED", 400, "valid_until is below the block's height", "a valid_until at or above the next height"),
    ErrorCode(155, "VALID_TOO_LONG", 400, "valid_until is too far ahead", "at most max_valid blocks ahead"),
    ErrorCode(156, "BAD_NONCE", 409, "the nonce is not the account's next one", "exactly the account's next nonce in a block, at most 64 ahead in the pool"),
    ErrorCode(157, "REPLAYED", 409, "the same envelope or replay key was already used", "a new envelope"),
    ErrorCode(158, "PUBKEY_MISSING", 400, "the account's first envelope lacks its public key", "field 9 in the first envelope of an account"),
    ErrorCode(159, "PUBKEY_UNEXPECTED", 400, "a public key is given again or does not belong to the account", "field 9 only in an account's first envelope, hashing to its id"),
    ErrorCode(160, "FEE_TOO_LOW", 400, "the fee is below the minimum or does not beat the one it replaces", "at least min_fee; a replacement pays at least 10 % more"),
    ErrorCode(161, "FEE_NOT_ZERO", 400, "a nonceless kind carries a fee or a nonce", "fee 0 and nonce 0"),
    ErrorCode(162, "INSUFFICIENT_FUNDS", 402, "the account cannot pay", "a balance of at least amount plus fee"),
    ErrorCode(163, "BAD_ALGORITHM", 400, "the signature algorithm is unknown", "alg 1 (Ed25519)"),
    ErrorCode(164, "KIND_CAP", 429, "the block or account has reached the cap of this kind", "the next block"),
    # -- bodies: 200-249
    ErrorCode(200, "ZERO_AMOUNT", 400, "a transfer of nothing", "an amount of at least 1 micro-unit"),
    ErrorCode(201, "SELF_TRANSFER", 400, "sender and receiver are the same account", "another receiver"),
    ErrorCode(202, "OVERFLOW", 400, "a sum leaves 64 bits", "smaller amounts"),
    ErrorCode(203, "TOO_MANY_OUTPUTS", 400, "a list in the body is too long", "a shorter list"),
    # -- machines and attestation: 250-329
    ErrorCode(250, "SEAL_UNKNOWN", 409, "no commit stands on chain for this reveal", "commit H(seal, salt || inner) at least one block earlier"),
    ErrorCode(251, "SEAL_EXPIRED", 409, "the commit is older than the reveal window", "a new commit"),
    ErrorCode(252, "SEAL_TAKEN", 409, "this commit is already on chain", "a fresh salt"),
    ErrorCode(253, "HARDWARE_ALREADY_BOUND", 409, "another record owns this machine's binding tag", "the earlier owner's unbind, or this machine's own key"),
    ErrorCode(254, "MACHINE_KNOWN", 409, "this machine key already has a record", "attest with the existing record"),
    ErrorCode(255, "MACHINE_UNKNOWN", 404, "no record stands on chain for this machine key", "commit and reveal a machine record first"),
    ErrorCode(256, "CHALLENGE_UNKNOWN", 400, "no header is known at the challenge height", "a challenge from POST /v1/attest/challenge"),
    ErrorCode(257, "CHALLENGE_LATE", 409, "the challenge is too old to count", "a challenge no older than 300 s in block time"),
    ErrorCode(258, "CHALLENGE_USED", 409, "another attestation already used this interval", "one attestation per machine and interval"),
    ErrorCode(259, "DIGEST_MISMATCH", 409, "the inventory digest differs from the machine's record", "the recorded inventory, or a new record"),
    ErrorCode(260, "PROBE_MISMATCH", 400, "a keyed probe's result is wrong", "the workload drawn from this challenge, run to its end"),
    ErrorCode(261, "VM_DETECTED", 403, "the machine shows signs of a virtual machine", "bare hardware, or a network whose policy pays virtual machines"),
    ErrorCode(262, "SPONSOR_CAP", 429, "the sponsor has reached its cap of new machines this epoch", "another sponsor or the next epoch"),
    ErrorCode(263, "INVENTORY_TOO_LARGE", 413, "the inventory is larger than 4 KiB", "the redacted canonical inventory"),
    ErrorCode(264, "EMULATOR_DETECTED", 403, "the machine shows signs of an emulator", "bare hardware, or a network whose policy pays emulators"),
    ErrorCode(265, "UNSUPPORTED_PLATFORM", 501, "this platform has no collector yet", "a platform listed in docs/fingerprint.md"),
    ErrorCode(266, "SPONSOR_TWINS", 429, "the sponsor has as many machines of this very inventory on record as it may", "another sponsor, or the unbinding of one of them"),
    ErrorCode(267, "NOT_OWNER", 403, "the sender does not own the machine", "an envelope of the machine's owner"),
    ErrorCode(268, "MACHINE_RETIRED", 409, "the machine was unbound; its key never registers again", "a new machine key and record, from the next epoch on"),
    ErrorCode(269, "HANDOVER_WAITS", 409, "the former owner's rewards are still being credited", "a hand-over a few blocks later"),
    ErrorCode(290, "CALIBRATION_TOO_FEW", 400, "there are fewer calibration reports than a model needs", "three reports or more, each of another owner and machine"),
    ErrorCode(291, "CALIBRATION_SAME_OWNER", 409, "two calibration reports are of one owner", "reports of distinct owners"),
    ErrorCode(292, "CALIBRATION_SAME_MACHINE", 409, "two calibration reports are of one machine", "reports of distinct machines"),
    ErrorCode(293, "CALIBRATION_MODEL_DIFFERS", 409, "a calibration report is of another model", "reports whose inventories name one model"),
    ErrorCode(294, "CALIBRATION_INCONSISTENT", 409, "calibration reports measured different things of one model", "ratios whose highest is at most twice the lowest"),
    ErrorCode(295, "CALIBRATION_NOT_REAL", 403, "a calibration report shows a virtual machine, an emulator or a contradiction", "a report of bare hardware in which no check fails"),
    ErrorCode(296, "CALIBRATION_UNMEASURED", 400, "a calibration report lacks measurements", "a report made where the compiled probes are built"),
    # -- governing: 330-349
    ErrorCode(330, "NOT_VALIDATOR", 403, "the sender is no member of the current validator set", "an envelope of a member's account"),
    ErrorCode(331, "PROPOSAL_UNKNOWN", 404, "no such proposal is open", "an id of GET /v1/proposals"),
    ErrorCode(332, "PROPOSAL_KNOWN", 409, "the same proposal is open already", "an approval of it"),
    ErrorCode(333, "PROPOSAL_APPROVED", 409, "this member has approved the proposal already", "the approvals of other members"),
    ErrorCode(334, "PROPOSALS_FULL", 429, "the member has as many open proposals as it may", "the end of one of them"),
    ErrorCode(335, "PROPOSAL_TYPE", 400, "nobody knows a proposal of this type", "a type listed in docs/wire_format.md"),
    ErrorCode(336, "MODEL_CALIBRATED", 409, "the model is calibrated already", "a model of which no calibration stands"),
    ErrorCode(337, "STAKE_UNKNOWN", 404, "no bond stands on chain for this account or key", "a validator or candidate of GET /v1/validators"),
    ErrorCode(338, "STAKE_LEAVING", 409, "the bond is being withdrawn", "a new bond after it was paid back, or another account"),
    ErrorCode(339, "STAKE_KEYS", 409, "the account has bonded with other keys", "the keys of its bond, or another account"),
    ErrorCode(340, "KEY_TAKEN", 409, "a key serves another validator, another duty or the account itself", "a key of its own for each duty"),
    ErrorCode(341, "BOND_TOO_LOW", 400, "a first bond is below the minimum", "at least bond_min"),
    ErrorCode(342, "NOT_EQUIVOCATION", 400, "two votes do not contradict each other", "two votes of one height, round and type for different values"),
    ErrorCode(343, "EVIDENCE_LATE", 409, "the votes are of a height that evidence no longer counts for, or not yet", "a height of the last evidence_epochs epochs"),
    ErrorCode(344, "VALIDATOR_JAILED", 409, "the validator is in jail already", "nothing: it is punished"),
    ErrorCode(345, "NO_CHANGE", 409, "the proposal would change nothing", "a change"),
    # -- blocks, certificates, proofs: 350-399
    ErrorCode(350, "BAD_HEADER", 400, "a header breaks a rule", "the header rules of docs/wire_format.md"),
    ErrorCode(351, "BAD_ROOT", 400, "a root in the header is not the one its block gives", "the root recomputed from the block"),
    ErrorCode(352, "BAD_CERTIFICATE", 400, "a certificate does not certify its header", "signatures of a quorum of the validator set, one round, type commit"),
    ErrorCode(353, "BAD_VRF", 400, "a VRF proof does not verify", "the proposer's ECVRF proof over alpha of this height"),
    ErrorCode(354, "BAD_PROOF", 400, "a path does not lead to its root", "the proof as the node gave it"),
    ErrorCode(355, "UNTRUSTED", 400, "the proof is for another chain or set than the one trusted", "the genesis this verifier was given"),
    ErrorCode(356, "SUPPLY_BROKEN", 500, "the sum of all balances is not the supply", "a report to the maintainers with the block"),
    ErrorCode(357, "SAFETY_FAULT", 500, "two certified headers stand at one height", "an operator's decision; both are kept"),
    # -- node, settings, plugins, storage: 400-479
    ErrorCode(400, "BAD_SETTING", 500, "a setting is unknown, missing or out of range", "the settings in docs/settings.md"),
    ErrorCode(401, "PLUGIN_BROKEN", 500, "a plugin failed to load or broke its contract", "a fixed plugin, or another one for the role"),
    ErrorCode(402, "PLUGIN_UNKNOWN", 500, "no plugin of that name is installed", "a name listed by `metanode plugins`"),
    ErrorCode(403, "ROLE_FAILED", 500, "a single role stopped, so the node stops", "the cause named in the line; restart after curing it"),
    ErrorCode(404, "PLUGIN_TIMEOUT", 500, "a plugin did not start before its deadline", "a faster start or a longer start_timeout_s"),
    ErrorCode(410, "STORAGE_CORRUPT", 500, "data on disk is damaged", "a backup, or a fresh data directory"),
    ErrorCode(411, "STORAGE_LOCKED", 500, "another process uses the data directory", "one node per data directory"),
    ErrorCode(412, "STORAGE_FULL", 507, "the disk is full or read-only", "free space, then restart"),
    ErrorCode(413, "STORAGE_VERSION", 500, "the database was written by another version", "the version named, or a fresh data directory"),
    ErrorCode(414, "WAL_CORRUPT", 500, "the consensus log is damaged before its end", "a backup; never delete the log of a validator that may have voted"),
    ErrorCode(420, "KEYSTORE_LOCKED", 401, "the passphrase does not open the keystore", "METANODE_PASSPHRASE, --passphrase-file or the prompt"),
    ErrorCode(421, "KEYSTORE_CORRUPT", 500, "a keystore file cannot be read", "the file as `metanode wallet` wrote it"),
    ErrorCode(422, "FILE_EXISTS", 409, "a file would be overwritten", "another path, or remove the file yourself"),
    ErrorCode(423, "FILE_MISSING", 404, "a file or directory is not there", "an existing path; `metanode init` makes a new home"),
    ErrorCode(424, "CRYPTO_DIFFERS", 500, "a cryptographic library disagrees with the rules of this chain", "libsodium 1.0.18 to 1.0.22, or no PyNaCl at all"),
    ErrorCode(425, "CRYPTO_MISSING", 500, "an operation needs libsodium and PyNaCl is not importable", "pip install pynacl"),
    ErrorCode(426, "BLS_MISSING", 500, "an operation needs BLS12-381 and no library for it is importable", "pip install 'metanode[bls]'"),
    # -- interfaces: 480-529
    ErrorCode(480, "NOT_FOUND", 404, "there is nothing under this name", "a route of docs/api.md, or an id that exists"),
    ErrorCode(481, "METHOD_NOT_ALLOWED", 405, "the route does not take this method", "the methods in the Allow header"),
    ErrorCode(482, "BAD_REQUEST", 400, "the request cannot be read", "HTTP/1.1 with the fields of docs/api.md"),
    ErrorCode(483, "BODY_TOO_LARGE", 413, "the request body is larger than its limit", "at most 1 MiB"),
    ErrorCode(484, "RATE_LIMITED", 429, "too many requests from this source", "at most 100 requests per 60 s; see Retry-After"),
    ErrorCode(485, "POOL_FULL", 503, "the mempool is full", "a higher fee or a later time"),
    ErrorCode(486, "NOT_READY", 503, "the node is still starting or stopping", "a retry in a few seconds"),
    ErrorCode(487, "INTERNAL", 500, "the node failed; its log names the cause", "a report to the maintainers with the request id"),
    ErrorCode(488, "UNREACHABLE", 503, "the node does not answer", "a running node at that address"),
    ErrorCode(489, "TIMEOUT", 504, "no answer came in time", "a retry"),
    ErrorCode(490, "BAD_REPLY", 502, "a node's answer is malformed or not signed by it", "an honest node; check node_url"),
    ErrorCode(491, "USAGE", 400, "the command line cannot be understood", "what --help shows"),
    ErrorCode(492, "HEADERS_TOO_LARGE", 431, "the request's headers are larger than their limit", "at most 16 KiB of headers"),
    ErrorCode(493, "TOO_MANY_CONNECTIONS", 503, "the listener holds as many connections as it may", "a retry in a few seconds"),
    ErrorCode(494, "REQUEST_TIMEOUT", 408, "the request did not arrive in time", "a request sent without long pauses"),
    ErrorCode(495, "ORIGIN_REFUSED", 403, "a web page of another origin may not open a WebSocket", "a page of this host, or an origin in cors_origins"),
    ErrorCode(496, "BODIES_FULL", 503, "request bodies fill the memory set aside for them", "a smaller body, or a later time"),
    # -- peers: 530-559
    ErrorCode(530, "CONNECTION_CLOSED", 503, "a connection to a peer is closed", "a new connection"),
    ErrorCode(531, "BAD_FRAME", 400, "a frame breaks the rules of its stream", "the frames of docs/wire_format.md"),
    ErrorCode(532, "BAD_HELLO", 400, "a hello is malformed or out of order", "the hello of docs/wire_format.md"),
    ErrorCode(533, "CHANNEL_MISMATCH", 400, "a hello was signed for another channel", "no one between the two nodes"),
    ErrorCode(534, "WRONG_PEER", 403, "the peer is not the node that was asked for", "the node key in the address"),
    ErrorCode(535, "HANDSHAKE_FAILED", 400, "an encrypted channel could not be agreed on", "a node of this chain, with the key of its address"),
    ErrorCode(536, "BAD_RECORD", 400, "an encrypted record does not verify", "the records of one peer, in order"),
)
# fmt: on

ERROR_CODES: dict[str, ErrorCode] = {row.code: row for row in _ROWS}
assert len(ERROR_CODES) == len(_ROWS) == len({row.number for row in _ROWS}), "codes and numbers are unique"

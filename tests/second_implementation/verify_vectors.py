"""A second implementation of the wire format, and nothing else: it recomputes every vector.

Written from docs/wire_format.md and the standards that page cites (RFC 8949, 8032, 9381, 9162, BIP-350, the BLAKE3
paper). It shares no code with metanode and needs only the standard library and the two data files that the page names,
so that a vector which agrees with both implementations means that the page says enough. It is slow and
not constant-time: for checking, never for keys.

    python verify_vectors.py [directory or vector file ...]        default: the vectors directory beside this one
                                                                   and core/model/data/ed25519_edge.json

Prints `name: N checked` for each file. Exits with 1 at the first file in which something differs, and lists what.
Not compared: `mentions` and `lines_mention`, which are words of one implementation's messages.
"""

import functools
import hashlib
import hmac
import json
import re
import struct
import sys
from pathlib import Path

U64, U32 = 2**64, 2**32
ERRORS = {"NOT_CANONICAL": 100, "BAD_SHAPE": 101, "INVALID_SIGNATURE": 150, "BAD_VERSION": 153,
          "INSUFFICIENT_FUNDS": 162, "SELF_TRANSFER": 201, "SEAL_UNKNOWN": 250, "SEAL_EXPIRED": 251, "SEAL_TAKEN": 252,
          "HARDWARE_ALREADY_BOUND": 253, "MACHINE_KNOWN": 254, "CHALLENGE_UNKNOWN": 256, "CHALLENGE_LATE": 257,
          "MACHINE_UNKNOWN": 255, "PROBE_MISMATCH": 260, "SPONSOR_TWINS": 266, "NOT_OWNER": 267, "MACHINE_RETIRED": 268,
          "HANDOVER_WAITS": 269, "CALIBRATION_TOO_FEW": 290, "CALIBRATION_SAME_OWNER": 291,
          "CALIBRATION_SAME_MACHINE": 292, "CALIBRATION_MODEL_DIFFERS": 293, "CALIBRATION_INCONSISTENT": 294,
          "CALIBRATION_NOT_REAL": 295, "CALIBRATION_UNMEASURED": 296, "NOT_VALIDATOR": 330, "PROPOSAL_UNKNOWN": 331,
          "PROPOSAL_KNOWN": 332, "PROPOSAL_APPROVED": 333, "PROPOSALS_FULL": 334, "PROPOSAL_TYPE": 335,
          "MODEL_CALIBRATED": 336, "STAKE_UNKNOWN": 337, "STAKE_LEAVING": 338, "STAKE_KEYS": 339, "KEY_TAKEN": 340,
          "BOND_TOO_LOW": 341, "NO_CHANGE": 345, "BAD_VRF": 353}
ROOT_DIRECTORY = Path(__file__).resolve().parents[2]
EDGE_CASES = ROOT_DIRECTORY / "core" / "model" / "data" / "ed25519_edge.json"
MULTIPLIERS = ROOT_DIRECTORY / "fingerprint" / "data" / "multipliers.json"
ENVELOPES = MULTIPLIERS.with_name("envelopes.json")
MODELS = MULTIPLIERS.with_name("models")


class Refused(Exception):
    """An input that must not be accepted; code as on the page."""

    def __init__(self, code, offset=None):
        super().__init__(code if offset is None else f"{code} at {offset}")
        self.code, self.offset = code, offset


def need(condition, code="BAD_SHAPE", offset=None):
    if not condition:
        raise Refused(code, offset)


def be(number, size):
    return number.to_bytes(size, "big")


def unhex(text):
    return bytes.fromhex(text)


# --- BLAKE3 (the paper, section 2) and section 3 -----------------------------------------------------------------

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
COLUMNS_AND_DIAGONALS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
CHUNK_START, CHUNK_END, PARENT, ROOT, KEYED, CONTEXT, MATERIAL = (1 << i for i in range(7))
MASK = 0xFFFFFFFF


def words(data):
    return tuple(int.from_bytes(data[i:i + 4], "little") for i in range(0, len(data), 4))


def compress(cv, block, counter, length, flags):
    v = [*cv, *IV[:4], counter & MASK, counter >> 32, length, flags]
    m = block
    for _ in range(7):
        for i, (a, b, c, d) in enumerate(COLUMNS_AND_DIAGONALS):
            for x, right, left in ((m[2 * i], 16, 12), (m[2 * i + 1], 8, 7)):
                v[a] = (v[a] + v[b] + x) & MASK
                t = v[d] ^ v[a]
                v[d] = (t >> right | t << (32 - right)) & MASK
                v[c] = (v[c] + v[d]) & MASK
                t = v[b] ^ v[c]
                v[b] = (t >> left | t << (32 - left)) & MASK
        m = [m[i] for i in PERMUTATION]
    return tuple(v[i] ^ v[i + 8] for i in range(8)) + tuple(v[i + 8] ^ cv[i] for i in range(8))


def tree(data, key, counter, flags):
    """The arguments of the last compression of a subtree, which is not done yet: the root's is done differently."""
    if len(data) > 1024:
        left = 1024 << (((len(data) - 1) // 1024).bit_length() - 1)
        pair = (compress(*tree(data[:left], key, counter, flags))[:8]
                + compress(*tree(data[left:], key, counter + left // 1024, flags))[:8])
        return key, pair, 0, 64, flags | PARENT
    cv, start = key, CHUNK_START
    while len(data) > 64:
        cv, start, data = compress(cv, words(data[:64]), counter, 64, flags | start)[:8], 0, data[64:]
    return cv, words(data.ljust(64, b"\0")), counter, len(data), flags | start | CHUNK_END


def blake3(data, key=IV, flags=0, size=32):
    cv, block, _, length, flags = tree(data, key, 0, flags)
    out = b""
    while len(out) < size:
        out += b"".join(w.to_bytes(4, "little") for w in compress(cv, block, len(out) // 64, length, flags | ROOT))
    return out[:size]


def derive_key(context, data, size=32):
    if context not in CONTEXT_KEYS:
        CONTEXT_KEYS[context] = words(blake3(context.encode("ascii"), IV, CONTEXT))
    return blake3(data, CONTEXT_KEYS[context], MATERIAL, size)


CONTEXT_KEYS = {}


def H(purpose, *parts):
    return derive_key("metanode/v1/" + purpose, b"".join(parts))


# --- 2. Encoding -------------------------------------------------------------------------------------------------

def head(data, at):
    need(at < len(data), "NOT_CANONICAL", len(data))
    major, info = data[at] >> 5, data[at] & 31
    need(major in (0, 2, 3, 4, 5) and info < 28, "NOT_CANONICAL", at)
    if info < 24:
        return major, info, at + 1
    end = at + 1 + (1 << (info - 24))
    need(end <= len(data), "NOT_CANONICAL", len(data))
    number = int.from_bytes(data[at + 1:end], "big")
    need(number >= (24, 2**8, 2**16, 2**32)[info - 24], "NOT_CANONICAL", at)
    return major, number, end


def read_item(data, start, depth, deepest=8, longest=U64, beyond="NOT_CANONICAL"):
    major, number, at = head(data, start)
    if major == 0:
        return number, at
    if major in (2, 3):
        need(at + number <= len(data), "NOT_CANONICAL", len(data))
        piece = data[at:at + number]
        if major == 2:
            return piece, at + number
        try:
            return piece.decode("utf-8"), at + number
        except UnicodeDecodeError as error:
            raise Refused("NOT_CANONICAL", at + error.start) from None
    need(depth <= deepest, beyond, start)
    need(len(data) - at >= number * (major - 3), "NOT_CANONICAL", len(data))      # a byte for each item, two for a pair
    need(number <= longest, "BAD_SHAPE", start)
    if major == 4:
        items = []
        for _ in range(number):
            value, at = read_item(data, at, depth + 1, deepest, longest, beyond)
            items.append(value)
        return items, at
    entries, last = {}, -1
    for _ in range(number):
        key_major, key, after = head(data, at)
        need(key_major == 0 and key > last, "NOT_CANONICAL", at)
        entries[key], at = read_item(data, after, depth + 1, deepest, longest, beyond)
        last = key
    return entries, at


def decode(data, limit=65536, **bounds):
    need(len(data) <= limit, "TOO_LARGE")
    value, end = read_item(data, 0, 1, **bounds)
    need(end == len(data), "NOT_CANONICAL", end)
    return value


def decode_shape(data, deepest):
    """Decode what must have a known small shape: what cannot be part of it is not read."""
    return decode(data, deepest=deepest, longest=32, beyond="BAD_SHAPE")


def encode(value):
    def start(major, number):
        if number < 24:
            return bytes([major << 5 | number])
        size = next(s for s in range(4) if number < 1 << (8 << s))
        return bytes([major << 5 | 24 + size]) + be(number, 1 << size)

    if isinstance(value, int):
        return start(0, value)
    if isinstance(value, bytes):
        return start(2, len(value)) + value
    if isinstance(value, str):
        return start(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return start(4, len(value)) + b"".join(map(encode, value))
    return start(5, len(value)) + b"".join(encode(k) + encode(value[k]) for k in sorted(value))


# --- Shapes: each takes a decoded value and returns it, or refuses it ----------------------------------------------

def uint(value):
    need(isinstance(value, int))
    return value


def between(low, high, code="BAD_SHAPE"):
    def shape(value):
        need(uint(value) >= 0 and low <= value <= high, code)
        return value
    return shape


u32 = between(0, U32 - 1)
positive = between(1, U64 - 1)
version_1 = between(1, 1, "BAD_VERSION")


def bstr(value):
    need(isinstance(value, bytes))
    return value


def up_to(size, code="BAD_SHAPE"):
    def shape(value):
        need(len(bstr(value)) <= size, code)
        return value
    return shape


def exactly(size):
    def shape(value):
        need(len(bstr(value)) == size)
        return value
    return shape


def array(value, size=None, at_most=U64):
    need(isinstance(value, list) and len(value) <= at_most and size in (None, len(value)))
    return value


def text64(value):
    need(isinstance(value, str) and len(value.encode()) <= 64)
    return value


def probe_results(value):
    last = -1
    for pair in array(value, at_most=32):
        number, _ = map(uint, array(pair, 2))
        need(number > last)
        last = number
    return value


def fields(value, shapes, optional=None, first=()):
    """The fields of a map by name; shapes is {key: (name, shape)}, first holds keys with codes of their own."""
    need(isinstance(value, dict) and set(shapes) - {optional} <= set(value) <= set(shapes))
    checked = {key: shapes[key][1](value[key]) for key in (*first, *shapes) if key in value}
    return {shapes[key][0]: checked[key] for key in shapes if key in value}


def to_map(named, shapes):
    """The other way, from the JSON of the vectors; what is empty and optional is left out by the caller."""
    def plain(name, value):
        if name == "roots":
            return to_map(value, ROOTS)
        return unhex(value) if isinstance(value, str) and name != "agent" else value
    return {key: plain(name, named[name]) for key, (name, _) in shapes.items() if name in named}


def numbered(*shapes, first=0):
    return dict(enumerate(shapes, first))


# --- 4. Ed25519 (RFC 8032) and ECVRF (RFC 9381) --------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)                                    # extended coordinates X, Y, Z, T
SMALL_ORDER = {unhex(h) for h in (
    "01" + "00" * 31, "ec" + "ff" * 30 + "7f", "00" * 32, "00" * 31 + "80",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa")}


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    out = NEUTRAL
    for bit in bin(number)[2:]:
        out = add(out, out)
        if bit == "1":
            out = add(out, point)
    return out


def negative(point):
    return -point[0] % P, point[1], point[2], -point[3] % P


def to_bytes(point):
    z = pow(point[2], -1, P)
    x, y = point[0] * z % P, point[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def to_point(data):
    """The point of a canonical encoding, None if there is none."""
    number = int.from_bytes(data, "little")
    y, sign = number % 2**255, number >> 255
    if len(data) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * SQRT_MINUS_1 % P
    if x * x % P != square or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = to_point(unhex("58" + "66" * 31))


def sha512_number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def secret(seed):
    """Secret scalar, nonce prefix, public key."""
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
    return scalar, digest[32:], to_bytes(times(scalar, BASE))


def sign(seed, message):
    scalar, prefix, public = secret(seed)
    r = sha512_number(prefix, message) % L
    point = to_bytes(times(r, BASE))
    s = (r + sha512_number(point, public, message) * scalar) % L
    return point + s.to_bytes(32, "little")


def verifies(public, message, signature):
    point, s = to_point(public), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or point is None or {public, signature[:32]} & SMALL_ORDER or s >= L:
        return False
    h = sha512_number(signature[:32], public, message) % L
    return to_bytes(add(times(s, BASE), times(h, negative(point)))) == signature[:32]


def curve_point(public, alpha):
    for counter in range(256):
        point = to_point(hashlib.sha512(b"\x03\x01" + public + alpha + bytes([counter, 0])).digest()[:32])
        if point is not None and to_bytes(times(8, point)) != to_bytes(NEUTRAL):
            return times(8, point)
    raise Refused("BAD_VRF")


def vrf_challenge(*points):
    return hashlib.sha512(b"\x03\x02" + b"".join(points) + b"\0").digest()[:16]


def vrf_prove(seed, alpha):
    scalar, prefix, public = secret(seed)
    h = curve_point(public, alpha)
    gamma = to_bytes(times(scalar, h))
    k = sha512_number(prefix, to_bytes(h)) % L
    c = vrf_challenge(public, to_bytes(h), gamma, to_bytes(times(k, BASE)), to_bytes(times(k, h)))
    return gamma + c + ((k + int.from_bytes(c, "little") * scalar) % L).to_bytes(32, "little")


def vrf_beta(proof):
    return hashlib.sha512(b"\x03\x03" + to_bytes(times(8, to_point(proof[:32]))) + b"\0").digest()


def vrf_verify(public, alpha, proof):
    """beta, if the proof holds."""
    key, gamma = to_point(public), to_point(proof[:32])
    c, s = int.from_bytes(proof[32:48], "little"), int.from_bytes(proof[48:], "little")
    need(len(proof) == 80 and key is not None and public not in SMALL_ORDER and gamma is not None and s < L, "BAD_VRF")
    h = curve_point(public, alpha)
    u = add(times(s, BASE), times(c, negative(key)))
    v = add(times(s, h), times(c, negative(gamma)))
    need(vrf_challenge(public, to_bytes(h), proof[:32], to_bytes(u), to_bytes(v)) == proof[32:48], "BAD_VRF")
    return vrf_beta(proof)


# --- 5. Accounts, 6. Amounts, 7. Decimal JSON ----------------------------------------------------------------------

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def account_of(public):
    return hashlib.sha256(public).digest()[:20]


def polymod(values):
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> i & 1 else 0
    return check


def write_bech32m(account):
    number = int.from_bytes(account, "big")
    groups = [number >> shift & 31 for shift in range(155, -1, -5)]
    prefix = [ord(c) >> 5 for c in "mn"] + [0] + [ord(c) & 31 for c in "mn"]
    check = polymod(prefix + groups + [0] * 6) ^ 0x2BC830A3
    return "mn1" + "".join(CHARSET[g] for g in groups + [check >> shift & 31 for shift in range(25, -1, -5)])


def read_account(text):
    if re.fullmatch("RTC[0-9a-fA-F]{40}", text):
        return unhex(text[3:])
    need(text.isascii() and text in (text.lower(), text.upper()), "BAD_ADDRESS")
    text = text.lower()
    need(re.fullmatch(f"mn1[{CHARSET}]{{38}}", text), "BAD_ADDRESS")
    number = 0
    for letter in text[3:35]:
        number = number << 5 | CHARSET.index(letter)
    need(write_bech32m(be(number, 20)) == text, "BAD_ADDRESS")
    return be(number, 20)


def read_amount(text):
    need(re.fullmatch(r"(0|[1-9][0-9]{0,13})(\.[0-9]{1,6})?", text), "BAD_AMOUNT")
    whole, _, rest = text.partition(".")
    micro = int(whole) * 10**6 + int(rest.ljust(6, "0"))
    need(micro < U64, "BAD_AMOUNT")
    return micro


def write_amount(micro):
    return f"{micro // 10**6}.{micro % 10**6:06}"


def mul_div(a, b, c):
    need(a * b < 2**128, "OVERFLOW")
    return a * b // c


STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
BLANKS = re.compile(r"[ \t\r\n]*")


class DecimalJson:
    """Section 7; values in the form of decimal_json.json."""

    def __init__(self, data):
        need(len(data) <= 16384, "TOO_LARGE")
        need(data.isascii(), "BAD_JSON")
        self.text, self.at = data.decode("ascii"), 0
        self.value = self.read(0)
        self.blanks()
        need(self.at == len(self.text), "BAD_JSON")

    def blanks(self):
        self.at = BLANKS.match(self.text, self.at).end()

    def token(self, pattern):
        match = pattern.match(self.text, self.at)
        need(match, "BAD_JSON")
        self.at = match.end()
        return match

    def skip(self, literal):
        self.blanks()
        found = self.text.startswith(literal, self.at)
        self.at += len(literal) if found else 0
        return found

    def string(self):
        text = json.loads(self.token(STRING).group())      # the pattern has checked it; this only undoes the escapes
        need(not any(0xD800 <= ord(c) < 0xE000 for c in text), "BAD_JSON")
        return text

    def read(self, depth):
        for word in ("true", "false", "null"):
            if self.skip(word):
                return {"word": word}
        if self.text.startswith('"', self.at):
            return {"text": self.string()}
        if self.skip("["):
            return {"array": self.members("]", depth + 1, lambda: self.read(depth + 1))}
        if self.skip("{"):
            members = self.members("}", depth + 1, lambda: self.pair(depth + 1))
            need(len({key for key, _ in members}) == len(members), "BAD_JSON")
            return {"object": members}
        token = self.token(NUMBER)
        sign, whole, rest, exponent = token.groups(default="")
        need(len(token.group()) <= 32 and abs(int(exponent or 0)) <= 18, "BAD_JSON")
        mantissa, power = int(sign + whole + rest), int(exponent or 0) - len(rest)
        while mantissa and mantissa % 10 == 0:
            mantissa, power = mantissa // 10, power + 1
        return {"number": [str(mantissa), power if mantissa else 0]}

    def pair(self, depth):
        self.blanks()
        key = self.string()
        need(self.skip(":"), "BAD_JSON")
        return [key, self.read(depth)]

    def members(self, end, depth, read_one):
        need(depth <= 16, "BAD_JSON")
        found = []
        if self.skip(end):
            return found
        while True:
            found.append(read_one())
            if self.skip(end):
                return found
            need(self.skip(","), "BAD_JSON")


def coins_to_micro(value):
    mantissa, power = int(value["number"][0]), value["number"][1] + 6
    need(mantissa >= 0 and power >= 0 and mantissa * 10**power < U64, "BAD_AMOUNT")
    return mantissa * 10**power


# --- 8. List trees, 9. State map -----------------------------------------------------------------------------------

def list_tree(items):
    """Root and the path of each item."""
    level, paths, place = [H("leaf", item) for item in items], [[] for _ in items], list(range(len(items)))
    while len(level) > 1:
        for i, at in enumerate(place):
            if at ^ 1 < len(level):
                paths[i].append(level[at ^ 1])
            place[i] = at >> 1
        level = [H("node", *level[i:i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return H("root", be(len(items), 8), *level), paths


def list_proof_holds(root, item, index, count, path):
    if not 0 <= index < count <= 2**32:
        return False
    node, width, left = H("leaf", item), count, list(path)
    while width > 1:
        if index ^ 1 < width:
            if not left:
                return False
            sibling = left.pop(0)
            node = H("node", sibling, node) if index & 1 else H("node", node, sibling)
        index, width = index >> 1, width + 1 >> 1
    return not left and H("root", be(count, 8), node) == root


def bit(path, i):
    return path[i // 8] >> (7 - i % 8) & 1


def map_leaf(path, value_hash):
    return H("mleaf", path, value_hash)


def map_top(leaves, depth=0):
    """leaves: list of (path, value hash)."""
    if len(leaves) < 2:
        return map_leaf(*leaves[0]) if leaves else bytes(32)
    sides = [[leaf for leaf in leaves if bit(leaf[0], depth) == side] for side in (0, 1)]
    return H("mnode", map_top(sides[0], depth + 1), map_top(sides[1], depth + 1))


def map_prove(leaves, path):
    siblings, count = [], len(leaves)
    while len(leaves) > 1:
        depth = len(siblings)
        siblings.append(map_top([leaf for leaf in leaves if bit(leaf[0], depth) != bit(path, depth)], depth + 1))
        leaves = [leaf for leaf in leaves if bit(leaf[0], depth) == bit(path, depth)]
    return siblings, list(leaves[0]) if leaves else [], count


def map_proof_holds(root, key, value, siblings, leaf, count):
    """value None: the key is absent."""
    path, depth = H("mleaf", key), len(siblings)
    if depth > 256:
        return False
    if value is not None:
        fits = leaf == [path, H("mvalue", value)]
    else:
        fits = not leaf or (leaf[0] != path and all(bit(leaf[0], i) == bit(path, i) for i in range(depth)))
    node = map_leaf(*leaf) if leaf else bytes(32)
    for i in reversed(range(depth)):
        node = H("mnode", siblings[i], node) if bit(path, i) else H("mnode", node, siblings[i])
    return fits and H("root", be(count, 8), node) == root


# --- 10. Envelope, 11. Bodies, 12. Machines ------------------------------------------------------------------------

SIGNED = numbered(("v", uint), ("chain_id", uint), ("kind", uint), ("from", exactly(20)), ("nonce", uint),
                  ("fee", uint), ("valid_until", uint), ("body", bstr), ("alg", uint), ("pubkey", exactly(32)))
RECORD = numbered(("v", version_1), ("machine_key", exactly(32)), ("owner", exactly(20)), ("binding_tag", exactly(32)),
                  ("inventory", up_to(4096, "INVENTORY_TOO_LARGE")), ("challenge_height", uint),
                  ("probe_results", probe_results), ("samples", up_to(512)), ("agent", text64))


def read_proposal(data):
    """Type and content."""
    number, content = array(decode_shape(data, 2), 2)
    return uint(number), array(content, at_most=16)


BODIES = {
    1: numbered(("to", exactly(20)), ("amount", between(1, U64 - 1, "ZERO_AMOUNT")), ("memo", up_to(256))),
    2: numbered(("commit", exactly(32))),
    3: numbered(("salt", exactly(32)), ("inner", lambda v: read_record(bstr(v)) and v), ("signature", exactly(64))),
    4: numbered(("challenge_height", uint), ("inventory_digest", exactly(32)), ("samples", up_to(256)),
                ("probe_results", probe_results), ("agent", text64)),
    5: numbered(("machine", exactly(20)), ("new_owner", lambda v: v if v == b"" else exactly(20)(v))),
    6: numbered(("amount", between(1, U64 - 1, "ZERO_AMOUNT")), ("consensus_key", exactly(32)),
                ("vrf_key", exactly(32)), ("bls_key", bstr), ("bls_proof", bstr), ("signature", exactly(64)),
                ("vrf_proof", exactly(80))),
    7: numbered(("consensus_key", exactly(32))),
    8: numbered(("action", between(0, 1)), ("payload", up_to(50176))),
    9: numbered(("key", exactly(32)), ("first", bstr), ("second", bstr)),
}
NONCELESS = {4, 9}


def read_record(data):
    return fields(decode_shape(data, 3), RECORD, first=(0, 4))


def read_body(kind, data):
    first = {1: (1,), 3: (1,), 6: (0,)}.get(kind, ())
    body = fields(decode_shape(data, 3 if kind == 4 else 1), BODIES[kind], first=first)
    if kind == 6:
        need((len(body["bls_key"]), len(body["bls_proof"])) in ((0, 0), (48, 96)))
    if kind == 9:
        one, other = read_vote(body["first"]), read_vote(body["second"])
        need(body["first"] < body["second"])
        need([one[name] for name in VOTE_PLACE] == [other[name] for name in VOTE_PLACE], "NOT_EQUIVOCATION")
        need([one[name] for name in VOTE_VALUE] != [other[name] for name in VOTE_VALUE], "NOT_EQUIVOCATION")
    if kind == 8:
        (read_proposal, exactly(32))[body["action"]](body["payload"])
    return body


def read_envelope(data):
    signed, signature = array(decode_shape(data, 1), 2)
    exactly(64)(signature)
    return fields(decode_shape(bstr(signed), 1), SIGNED, optional=9), signed, signature


def check_envelope(env, chain_id):
    """The checks without state, in the page's order."""
    need(env["v"] == 1, "BAD_VERSION")
    need(env["chain_id"] == chain_id, "WRONG_CHAIN")
    need(env["alg"] == 1, "BAD_ALGORITHM")
    need(env["kind"] in BODIES, "UNKNOWN_KIND")
    need(env["kind"] not in NONCELESS or env["nonce"] == env["fee"] == 0, "FEE_NOT_ZERO")
    need("pubkey" not in env or account_of(env["pubkey"]) == env["from"], "PUBKEY_UNEXPECTED")
    read_body(env["kind"], env["body"])


def keyed_probe_1(challenge):
    w = [int.from_bytes(challenge[i:i + 8], "big") for i in (0, 8, 16, 24)]
    x = w[0] ^ 1
    for step in range(512 + (w[3] & 255)):
        case = x & 3
        x = (x * (w[1] | 1), x + w[2], x ^ w[step & 3], x << 13 | x >> 51)[case] % U64
        x = (x * 0x9E3779B97F4A7C15 + step) % U64
        x ^= x >> 29
    return x


# --- 12. What an inventory is worth ---------------------------------------------------------------------------------

SCALE = 10**9


def ascii_text(at_most):
    def shape(value):
        need(isinstance(value, str) and len(value) <= at_most and all(" " <= c <= "~" for c in value))
        return value
    return shape


def row(*shapes):
    return lambda value: [shape(item) for shape, item in zip(shapes, array(value, len(shapes)), strict=True)]


def rows(shape, at_most, twice=False):
    def whole(value):
        items = [shape(item) for item in array(value, at_most=at_most)]
        need(all(a < b or (twice and a == b) for a, b in zip(items, items[1:], strict=False)))
        return items
    return whole


INVENTORY = numbered(
    ("v", version_1), ("platform", ascii_text(64)), ("machine", ascii_text(64)), ("word_bits", between(0, 128)),
    ("byte_order", between(0, 1)), ("cpu", row(ascii_text(64), ascii_text(64), *[uint] * 8)),
    ("features", rows(ascii_text(16), 48)), ("caches", rows(row(*[uint] * 6), 16, twice=True)), ("memory_mib", uint),
    ("board", row(*[ascii_text(64)] * 6, between(0, 255))),
    ("signs", rows(row(between(0, 255), ascii_text(40)), 24)), ("binding", between(0, 3)), ("sources", between(0, 255)))


def read_inventory(data):
    return fields(decode(data, 4096), INVENTORY, first=(0,))


def read_samples(data):
    """{kind: (count, minimum, median, maximum)}"""
    if not data:
        return {}
    found = {}
    for kind, count, low, middle, high in map(row(*[uint] * 5), array(decode(data, 512))):
        need(low <= middle <= high and count >= 1 and all(kind > before for before in found))
        found[kind] = count, low, middle, high
    return found


X86 = "x86_64", "amd64", "i386", "i486", "i586", "i686"
OLD_MAKERS = ("CyrixInstead", "CentaurHauls", "GenuineTMx86", "NexGenDriven", "RiseRiseRise", "UMC UMC UMC",
              "Geode by NSC")
INTEL_6 = {
    "Pentium Pro": (1,), "Pentium II": (3, 5, 6), "Pentium III": (7, 8, 10, 11), "Pentium M": (9,), "Dothan": (13,),
    "Yonah": (14,), "Core 2": (15, 22, 23, 29), "Nehalem": (26, 30, 31, 37, 44, 46, 47),
    "Sandy Bridge": (42, 45, 58, 62), "Haswell": (60, 61, 63, 69, 70, 71, 79, 86),
    "low-power": (28, 38, 39, 53, 54, 55, 74, 76, 77, 90, 92, 93, 95, 117, 122, 134, 138, 150, 156, 190)}
ARM_41 = {
    "ARM2": (0x200, 0x210, 0x250), "ARM3": (0x300,), "ARM6": (0x600, 0x610, 0x620), "ARM7": (0x700, 0x710, 0x720),
    "ARM9": (0x920, 0x922, 0x926, 0x940, 0x946, 0x966, 0x968), "ARM11": (0xB02, 0xB36, 0xB56, 0xB76),
    "Cortex-A8": (0xC08,), "Cortex-A9": (0xC09,)}
APPLE = {"M1": (0x22, 0x23, 0x24, 0x25, 0x28, 0x29), "M2": (0x32, 0x33, 0x34, 0x35, 0x38, 0x39)}
POWERPC = {
    "G3": (0x0008, 0x7000, 0x7002), "G4": (0x000C, 0x8000, 0x8001, 0x8002, 0x8003, 0x8004, 0x800C),
    "G5": (0x0039, 0x003C, 0x0044, 0x0045), "POWER8": (0x4B, 0x4C, 0x4D), "POWER9": (0x4E,)}


OTHERS = (
    ("sparc", "SPARC"), ("mips", "MIPS"), ("m68k", "68K"), ("riscv", "RISC-V"), ("vax", "VAX"), ("s390", "S/390"),
    ("alpha", "Alpha"), ("ia64", "Itanium"), ("parisc", "PA-RISC"), ("hppa", "PA-RISC"), ("loongarch", "LoongArch"),
    ("sh", "SuperH"))


def named(table, number, otherwise):
    return next((name for name, numbers in table.items() if number in numbers), otherwise)


def classify_x86(maker, family, model):
    if family in (3, 4):
        return "386" if family == 3 else "486"
    if maker == "GenuineIntel":
        if family == 5:
            return "Pentium MMX" if model in (4, 8) else "Pentium"
        return named(INTEL_6, model, "modern") if family == 6 else "Pentium 4" if family == 15 else "modern"
    if maker == "AuthenticAMD":
        return "retro" if family in (5, 6, 15) else "low-power" if family in (20, 22) else "modern"
    return "retro" if maker in OLD_MAKERS and family <= 6 else "modern"


def classify_arm(maker, name, part, board_model):
    if maker == "0x61":
        brand = re.match(" *Apple +(M[1-4])(?: |$)", name)
        arch = named(APPLE, part, brand and brand[1])
        return ("Apple Silicon", arch) if arch else ("ARM", "modern")
    if maker == "0x69" and part >> 8 in (2, 4, 6):
        return "ARM", "XScale"
    arch = named(ARM_41, part, None) if maker == "0x41" else None
    strong = {("0x44", 0xA10): "StrongARM", ("0x44", 0xA11): "SA-1100", ("0x69", 0xB11): "SA-1100"}
    arch = arch or strong.get((maker, part))
    return "ARM", arch or ("board" if board_model else "modern")


def classify(inv):
    machine, (maker, name, family, model, _, pvr, *_) = inv["machine"], inv["cpu"]
    if machine in X86:
        return "x86", classify_x86(maker, family, model)
    if machine.startswith(("arm", "aarch64")):
        return classify_arm(maker, name, model, inv["board"][5])
    if machine.startswith(("ppc", "powerpc", "Power Macintosh")):
        return "PowerPC", named(POWERPC, pvr >> 16, "other")
    return next(((family, "any") for start, family in OTHERS if machine.startswith(start)), ("unknown", "unknown"))


def model_of(inv):
    """The name of the processor's model."""
    machine, (maker, _, family, model, _, pvr, *_) = inv["machine"], inv["cpu"]
    if machine in X86:
        name = f"{'x86_64' if machine in ('x86_64', 'amd64') else 'i386'} {maker} {family} {model}"
    elif machine.startswith(("arm", "aarch64")):
        name = f"arm {maker} {hex(model)}"
    elif machine.startswith(("ppc", "powerpc", "Power Macintosh")):
        name = "ppc pvr " + hex(pvr >> 16)[2:].rjust(4, "0")
    else:
        name = machine
    return name[:64]


@functools.cache
def knowledge():
    return Knowledge()


class Knowledge:
    """The files of the model database, put together."""

    def __init__(self):
        self.machines, self.home, self.needs, self.chips, self.boards = [], {}, {}, {}, {}
        for path in sorted(MODELS.glob("*.json"), key=lambda path: path.name):
            part = json.loads(path.read_text(encoding="ascii"))
            self.machines += part.get("architectures", [])
            self.home.update((name, line["family"]) for line in part.get("features", []) for name in line["only_here"])
            for line in part.get("needs", []):
                self.needs.setdefault(line["family"], []).append((line["feature"], line["needs"]))
            for chip in part.get("cpus", []):
                chip["banned"] = {word for name in chip.get("never_named", []) for word in part["words"][name]}
                self.chips.update((key, chip) for key in chip["keys"])
            for board in part.get("boards", []):
                listed = board["cpus"] + board.get("upgrades", [])
                board["fits"] = {key for name in listed for key in part.get("groups", {}).get(name, [name])}
                self.boards.update((name, board) for name in board["names"])

    def keys(self, inv):
        maker, _, family, model, _, pvr, *_ = inv["cpu"]
        if inv["machine"] in X86:
            words = ["x86", maker, str(family), str(model)]
            return [f"x86 family {family}", *(" ".join(words[:n]) for n in (2, 3, 4))] if family else [f"x86 {maker}"]
        name = model_of(inv)
        if name.startswith("ppc "):
            kind = "ppc kind" + name[7:]
            return [kind if pvr % 65536 == 0 and kind in self.chips else name] if pvr else []
        return [name] if name.startswith("arm ") and model else []

    def board(self, inv):
        for name in inv["board"][5], inv["board"][1]:
            starts = [name] + [name[:n] + "*" for n in range(len(name), 0, -1)]
            for start in starts if name else ():
                if start in self.boards:
                    return self.boards[start]
        return None


CACHE_NAMES = {"l1d_kib": (1, 1), "l1i_kib": (1, 2), "l2_kib": (2, 3), "l3_kib": (3, 3)}


def contradicts_itself(inv):
    known, machine, features = knowledge(), inv["machine"], set(inv["features"])
    maker, name, family, _, _, pvr, clock, _, cores, threads = inv["cpu"]
    order = ("little", "big")[inv["byte_order"]]
    here = [line for line in known.machines if machine in line["machines"]]
    kind = next((line["family"] for line in here if line.get("family")), "")
    keys, board = known.keys(inv), known.board(inv)
    chips = []
    for key in keys:
        if key in known.chips and not any(known.chips[key] is chip for chip in chips):
            chips.append(known.chips[key])
    places = chips + [board] * (board is not None)
    complete = machine in X86 and "fpu" in features and inv["platform"] in (
        "linux", "freebsd", "openbsd", "netbsd", "darwin")
    width = max([inv["word_bits"]] + [line.get("kernel_bits", 0) for line in here])
    sizes = {}
    for place in places:
        sizes.update((where, place[field]) for field, where in CACHE_NAMES.items() if field in place)

    def odd(cache):
        level, sort, size, line, _, _ = cache
        good = sizes.get((level, sort), ())
        summed = not line and any(size % one == 0 and size // one <= max(cores, threads, 1) for one in good)
        return good and size not in good and not summed

    return any((
        any(line.get("byte_order", order) != order for line in here + chips),
        any(0 < line.get("word_bits_max", 0) < inv["word_bits"] for line in here),
        any(0 < chip.get("word_bits_max", 0) < width for chip in chips),
        kind and any(known.home.get(feature, kind) != kind for feature in features),
        kind == "x86" and pvr, kind == "powerpc" and (maker or family),
        kind == "arm" and maker[:2] not in ("", "0x"),
        any(feature in features and set(needed) - features for feature, needed in known.needs.get(kind, ())),
        machine in ("x86_64", "amd64") and complete and inv["platform"] in ("linux", "freebsd")
        and "lm" not in features,
        any(set(re.findall("[0-9A-Za-z]+", name)) & chip["banned"] for chip in chips),
        any(features & set(chip.get("without", ())) for chip in chips),
        complete and any(set(chip.get("with", ())) - features for chip in chips),
        any(0 < place.get("clock_mhz_max", 0) * 125 < clock * 100 for place in places),
        any(0 < place.get("threads_max", 0) < threads for place in places),
        any(0 < place.get("memory_mib_max", 0) < inv["memory_mib"] for place in places),
        threads and cores > threads,
        any(odd(cache) for cache in inv["caches"]),
        board and keys and not board["fits"] & {*keys, *(key for chip in chips for key in chip.get("members", ()))},
        any(code in (40, 41) for code, _ in inv["signs"])))


DECLARED = {"vm": {1, 2, 3, 4, 5, 6, 7, 8}, "emulator": {31, 32}}
HINTS = {"vm": {9, 10, 11, 12}, "emulator": {30}}
FIRMWARE = (
    (0, ("qemu", "vmware", "innotek gmbh", "xen", "bochs", "parallels", "openstack foundation", "ovirt", "kubevirt",
         "digitalocean", "nutanix")),
    (1, ("virtualbox", "vmware", "kvm", "bhyve", "virtual machine", "google compute engine", "alibaba cloud ecs",
         "standard pc (", "apple virtualization", "hvm domu", "parallels", "openstack", "qemu", "vserver")),
    (2, ("qemu",)),
    (4, ("bochs", "xen", "bhyve")))


def all_signs(inv):
    board = inv["board"]
    found = {code for code, _ in inv["signs"]}
    found |= {1} if "hypervisor" in inv["features"] else set()
    found |= {2 for name in ("qemu virtual cpu", "common kvm processor", "common 32-bit kvm processor", "bochs",
                             "virtualapple") if name in inv["cpu"][1].lower()}
    found |= {4 for place, starts in FIRMWARE if board[place].lower().startswith(starts)}
    if board[0].lower() == "amazon ec2" and ".metal" not in board[1]:
        found.add(4)
    return found | {11 for word in ("seabios", "ovmf", "edk ii") if word in board[4].lower()}


def verdict(codes, about, looked):
    """True: it is one. False: it is none. None: cannot be told."""
    declared = (codes & DECLARED[about]) - ({1, 3, 7} if 12 in codes else set())
    return True if declared else None if codes & HINTS[about] or not looked else False


COMPILED = *range(16, 28), *range(32, 43)
RATIOS = {"fp_add": (19, 16), "fp_div_mul": (21, 20), "simd_scalar": (23, 22), "patch": (25, 16)}
ROTATING = *RATIOS, "read_speed"


def probes_say(fastest, model, checks=ROTATING):
    """(the ratios are a program's, memory is too fast, no envelope or two ratios agree, the checks that are there)"""
    book = envelope_book()
    name = book["claims"].get(model) or book["claims"].get(" ".join(model.split(" ")[:-1]))
    claim = book["envelopes"].get(name, {"ratios": {}})
    least = {kind - 32: low for kind, (count, low) in fastest.items() if count >= 5 and low and kind - 32 in COMPILED}
    seen = {check: least[up] * 1000 // least[down] for check, (up, down) in RATIOS.items()
            if check in checks and up in least and down in least}
    judged = [(value, *claim["ratios"][check]) for check, value in seen.items() if check in claim["ratios"]]
    beyond = sum(not low <= value * 2 <= high * 4 for value, low, high in judged)
    program, decided = beyond >= 2, max(beyond, len(judged) - beyond) >= 2
    speed = 4 * 10**6 // least[26] if "read_speed" in checks and 26 in least else 0
    too_fast = bool(claim.get("read_mb_s_max")) and speed > 2 * claim["read_mb_s_max"]
    return program, too_fast, decided, name, {*seen, *["read_speed"] * bool(speed)}


@functools.cache
def envelope_book():
    return json.loads(ENVELOPES.read_text(encoding="utf-8"))


@functools.cache
def multiplier_table():
    return {(r["family"], r["arch"]): r for r in json.loads(MULTIPLIERS.read_text(encoding="ascii"))["rows"]}


def modern_of(profile):
    return min(multiplier_table()["x86", "modern"][profile], SCALE)


def proven_of(samples, results):
    return {kind: row[:2] for kind, row in samples.items() if kind - 32 in {probe for probe, _ in results}}


def shown(inv, samples, results):
    """Whether it is virtual and whether it is emulated, each None where that cannot be told; by signs and by ratios."""
    codes, sources = all_signs(inv), inv["sources"]
    virtual, emulator = verdict(codes, "vm", sources & 0b1011101), verdict(codes, "emulator", sources & 0b10000000)
    return virtual, emulator or probes_say(proven_of(samples, results), model_of(inv))[0] or emulator, emulator


def timed_wrong(inv, samples, results):
    """A timer that ran backwards, a copy or a stream that this machine cannot do."""
    table = multiplier_table()
    ceiling = table.get(classify(inv), table["unknown", "unknown"]).get("copy_mb_s_max", 0)
    backwards = 6 in samples and 7 in samples and samples[7][3] > 0
    count, fastest = samples.get(4, (0, 0))[:2]
    copied = count >= 5 and fastest and ceiling and 10**9 // fastest > ceiling
    return backwards or bool(copied) or probes_say(proven_of(samples, results), model_of(inv))[1]


def score(inv, samples, results, policy, calibrated=False):
    """family, arch, class, model, base multiplier, weight, payable"""
    profile, vm_weight, uncalibrated_cap, legacy_cap = policy
    table, model = multiplier_table(), model_of(inv)
    family, arch = classify(inv)
    line = table.get((family, arch), table["unknown", "unknown"])
    base, kind = line[profile], line["class"]
    virtual, emulated, declared = shown(inv, samples, results)
    if contradicts_itself(inv):
        base, kind = min(base, modern_of(profile)), "unknown"
    if timed_wrong(inv, samples, results):
        base = min(base, modern_of(profile))
    if None in (virtual, declared):
        base = min(base, SCALE)
    proven = proven_of(samples, results)
    _, _, decided, name, _ = probes_say(proven, model)
    if not any(each - 32 in COMPILED for each in proven) or (name and not decided):
        base = min(base, legacy_cap)
    kind = "emulated" if emulated else "virtual" if virtual else kind
    factor = vm_weight if kind in ("emulated", "virtual") else SCALE
    at_once = base if calibrated else min(base, uncalibrated_cap)
    return family, arch, kind, model, base, base * factor // SCALE, at_once * factor // SCALE


def attest_flags(samples, checks, model, recorded):
    fastest = {kind: row[:2] for kind, row in samples.items()}
    program, too_fast, decided, _, there = probes_say(fastest, model, checks)
    owed = {check for i, check in enumerate(ROTATING) if recorded & 1 << i and check in checks}
    return too_fast + 2 * program + 4 * (not decided and (not recorded or bool(owed - there)))


def recorded_checks(samples, results):
    there = probes_say(proven_of(samples, results), "")[4]
    return sum(1 << i for i, check in enumerate(ROTATING) if check in there)


def epoch_weight(base, flags, kind, profile, vm_weight, legacy_cap):
    base = min([base] + [modern_of(profile)] * (flags & 1) + [legacy_cap] * (flags >> 2 & 1))
    return base * (vm_weight if flags & 2 or kind in ("virtual", "emulated") else SCALE) // SCALE


def selected(beta, epoch):
    drawn = sorted((H("probe", beta, be(epoch, 8), check.encode()), check) for check in ROTATING)
    return [check for check in ROTATING if check != drawn[-1][1]]


def scoring_name():
    files = [H("params", path.read_bytes()) for path in (MULTIPLIERS, ENVELOPES)]
    models = sorted((path.name, path.read_bytes()) for path in MODELS.glob("*.json"))
    files.append(H("params", encode([list(pair) for pair in models])))
    return "2-" + H("params", *files).hex()


def decayed(base, days):
    return base if base <= SCALE else SCALE + (base - SCALE) * max(0, 36500 - 15 * days) // 36500


# --- 13. Header, 14. Block, 15. Receipts ---------------------------------------------------------------------------

ROOTS = numbered(*((name, exactly(32)) for name in ("tx", "receipts", "state")), first=1)
HEADER = numbered(("version", version_1), ("chain_id", uint), ("height", between(1, U64 - 1, "BAD_HEADER")),
                  ("time_ms", uint), ("proposer_index", uint), ("prev_hash", exactly(32)),
                  ("roots", lambda v: fields(v, ROOTS)),
                  ("validator_set_hash", exactly(32)), ("next_validator_set_hash", exactly(32)),
                  ("params_hash", exactly(32)), ("vrf_proof", exactly(80)))


def read_header(data):
    return fields(decode(data, 1024), HEADER, first=(0, 2))


def read_block(data):
    """Header bytes, body bytes, offsets, envelopes."""
    header, body, packed = map(bstr, array(decode(data, 1096772), 3))
    need(len(header) <= 1024 and len(body) <= 2**20 and packed and len(packed) % 4 == 0)
    need(len(packed) <= 4 * 10001, "TOO_LARGE")
    offsets = [int.from_bytes(packed[i:i + 4], "big") for i in range(0, len(packed), 4)]
    pairs = [(offsets[i], offsets[i + 1]) for i in range(len(offsets) - 1)]
    need(offsets[0] == 0 and offsets[-1] == len(body) and all(1 <= b - a <= 65536 for a, b in pairs))
    return header, body, offsets, [body[a:b] for a, b in pairs]


def read_receipt(data):
    ident, code, fee, events = array(decode(data, 4096), 4)
    exactly(32)(ident)
    need(uint(code) < 2**16)
    for event in array(events, at_most=64):
        need(array(event) and isinstance(event[0], int) and all(isinstance(v, (int, bytes)) for v in event))
    need(code == 0 or not events)
    return {"id": ident, "code": code, "fee": uint(fee), "events": events}


# --- 16. Validator set, 17. Leader, 18. Votes and certificates -----------------------------------------------------

MEMBER = ("account", "consensus_key", "vrf_key", "bond", "bls")


def read_set(data):
    members, keys = [], []
    for row in array(decode(data, 65536), at_most=100):
        shapes = exactly(20), exactly(32), exactly(32), uint, bstr
        member = dict(zip(MEMBER, (shape(v) for shape, v in zip(shapes, array(row, 5), strict=True)), strict=True))
        pair = [member["consensus_key"], member["vrf_key"]]
        need(not members or member["account"] > members[-1]["account"])
        need(member["bond"] >= 1 and len(member["bls"]) in (0, 48))
        need(member["account"] not in map(account_of, pair))
        members.append(member)
        keys += pair
    need(members and len(set(keys)) == len(keys) and sum(m["bond"] for m in members) < U64)
    return members


def beta_0(genesis_hash):
    return H("leader", genesis_hash, b"\0") + H("leader", genesis_hash, b"\1")


def vrf_alpha(beta, height):
    return H("leader", b"\2", beta, be(height, 8))


def leaders(bonds, beta, height, rounds):
    found = []
    for r in range(rounds):
        led = found[r - r % len(bonds):]
        standing = [i for i in range(len(bonds)) if i not in led]
        draw = int.from_bytes(H("leader", b"\3", beta, be(height, 8), be(r, 4)), "big")
        ticket = draw % sum(bonds[i] for i in standing)
        for i in standing:
            if ticket < bonds[i]:
                found.append(i)
                break
            ticket -= bonds[i]
    return found


def vote_digest(genesis_hash, height, round_, type_, hash_, prepared_round):
    return H("vote", genesis_hash, be(height, 8), be(round_, 4), be(type_, 1), hash_, be(prepared_round, 4))


def quorum(n):
    return (2 * n + 2) // 3


VOTE_PLACE, VOTE_VALUE = ("height", "round", "type"), ("hash", "prepared_round")


def vote_holds(key, vote, genesis_hash):
    digest = vote_digest(genesis_hash, *(vote[name] for name in (*VOTE_PLACE, *VOTE_VALUE)))
    return verifies(key, digest, vote["signature"])


def read_vote(data):
    vote = fields(decode(data), numbered(
        ("height", positive), ("round", u32), ("type", between(0, 3)), ("hash", exactly(32)), ("prepared_round", u32),
        ("signature", exactly(64))))
    if vote["type"] == 3:
        need((vote["prepared_round"] == U32 - 1) == (vote["hash"] == bytes(32)))
    else:
        need(vote["prepared_round"] == 0)
    return vote


def read_certificate(data):
    return fields(decode(data, 16384), numbered(
        ("height", positive), ("round", u32), ("hash", exactly(32)), ("bitmap", up_to(13)),
        ("signatures", lambda v: [exactly(64)(s) for s in array(v, at_most=100)])))


def check_certificate(data, header_hash, height, members, genesis_hash):
    cert = read_certificate(data)
    bits = int.from_bytes(cert["bitmap"], "little")
    signers = [m["consensus_key"] for i, m in enumerate(members) if bits >> i & 1]
    need(cert["height"] == height and cert["hash"] == header_hash, "BAD_CERTIFICATE")
    need(len(cert["bitmap"]) == (len(members) + 7) // 8 and bits >> len(members) == 0, "BAD_CERTIFICATE")
    need(len(cert["signatures"]) == len(signers) >= quorum(len(members)), "BAD_CERTIFICATE")
    digest = vote_digest(genesis_hash, height, cert["round"], 2, header_hash, 0)
    for key, signature in zip(signers, cert["signatures"], strict=True):
        need(verifies(key, digest, signature), "BAD_CERTIFICATE")


# --- 19. Genesis and parameters ------------------------------------------------------------------------------------

DAY_MS = 86400000
PARAMETERS = (
    ("profile", "edge", "rustchain"), ("block_ms", 1, DAY_MS), ("slot_ms", 1, DAY_MS), ("slots_per_epoch", 1, 10000),
    ("attest_every_slots", 1, 10000), ("challenge_fresh_ms", 1, DAY_MS), ("max_valid", 1, 10**9),
    ("min_fee", 1, U64 - 1), ("pot_per_epoch", 0, 10**15), ("settle_per_block", 1, 10**6),
    ("reveal_window_blocks", 1, 10**6), ("machines_per_sponsor_epoch", 0, 10**6), ("block_bytes_max", 65536, 2**20),
    ("block_envelopes_max", 1, 10000), ("attests_per_block_max", 0, 10000), ("vm_weight", 0, 10**9),
    ("trust_period_s", 0, 10**9), ("evidence_epochs", 0, 1000), ("reveal_blocks", 1, 10000), ("bond_min", 0, U64 - 1),
    ("uncalibrated_cap", 0, 10 * SCALE), ("legacy_cap", 0, 10 * SCALE), ("twins_per_sponsor", 1, 10**6),
    ("slash_permille", 0, 1000), ("scoring",))


def setting(condition):
    need(condition, "BAD_SETTING")


def keyed(value, required, optional=()):
    setting(isinstance(value, dict) and set(required) <= set(value) <= set(required) | set(optional))
    return value


def ranged(value, low, high):
    setting(type(value) is int and low <= value <= high)
    return value


def hex_of(value, size):
    setting(isinstance(value, str) and re.fullmatch(f"[0-9a-f]{{{2 * size}}}", value))
    return unhex(value)


def strict_json(text):
    def once(pairs):
        need(len({key for key, _ in pairs}) == len(pairs), "BAD_JSON")
        return dict(pairs)

    def no(_token):
        raise Refused("BAD_JSON")

    def whole(token):
        need(len(token) <= 32, "BAD_JSON")
        return int(token)

    def depth(value):
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inside is None else 1 + max(map(depth, inside), default=0)

    setting(len(text) <= 2**20)
    try:
        value = json.loads(text, object_pairs_hook=once, parse_int=whole, parse_float=no, parse_constant=no)
        need(depth(value) <= 16, "BAD_JSON")
    except (ValueError, RecursionError):
        raise Refused("BAD_JSON") from None
    return value


def read_genesis(text):
    """Canonical genesis, parameters and validator set of a genesis file."""
    doc = keyed(strict_json(text), ("version", "chain_name", "chain_id", "genesis_ms", "params", "validators",
                                    "accounts", "treasury"))
    ranged(doc["version"], 1, 1)
    setting(isinstance(doc["chain_name"], str) and re.fullmatch("[a-z0-9][a-z0-9-]{0,31}", doc["chain_name"]))
    params = keyed(doc["params"], [name for name, *_ in PARAMETERS])
    setting(params["profile"] in PARAMETERS[0][1:])
    for name, low, high in PARAMETERS[1:-1]:
        ranged(params[name], low, high)
    setting(isinstance(params["scoring"], str) and re.fullmatch("[1-9][0-9]{0,8}-[0-9a-f]{64}", params["scoring"]))
    setting(params["slots_per_epoch"] % params["attest_every_slots"] == 0)
    params_bytes = encode({i: params[name] for i, (name, *_) in enumerate(PARAMETERS)})
    rows, accounts = [], {}
    setting(isinstance(doc["validators"], list) and isinstance(doc["accounts"], dict))
    try:
        for member in doc["validators"]:
            keyed(member, MEMBER[:4], MEMBER[4:])
            setting(isinstance(member["account"], str))
            rows.append([read_account(member["account"]), hex_of(member["consensus_key"], 32),
                         hex_of(member["vrf_key"], 32), ranged(member["bond"], params["bond_min"], U64 - 1),
                         hex_of(member["bls"], 48) if member.get("bls", "") != "" else b""])
        set_bytes = encode(sorted(rows))
        read_set(set_bytes)
        for address, balance in doc["accounts"].items():
            account = read_account(address)
            setting(account not in accounts)
            accounts[account] = ranged(balance, 1, U64 - 1)
    except Refused:
        raise Refused("BAD_SETTING") from None
    bonds = sum(row[3] for row in rows)
    setting(sum(accounts.values()) + bonds + ranged(doc["treasury"], 0, U64 - 1) < U64)
    ranged(doc["chain_id"], 1, U64 - 1)
    ranged(doc["genesis_ms"], 0, U64 - 1)
    genesis = {0: 1, 1: doc["chain_name"], 2: doc["chain_id"], 3: doc["genesis_ms"], 4: params_bytes, 5: set_bytes,
               6: [list(pair) for pair in sorted(accounts.items())], 7: doc["treasury"]}
    return encode(genesis), params_bytes, set_bytes


# --- 10, 12, 13, 20: the ledger --------------------------------------------------------------------------------------

ACCOUNT, MACHINE, MACHINE_KEY, TAG, COUNTERS, STAKE, SET, PARAMS, GLOBALS = range(1, 10)
ESCROW, SEAL, EVIDENCE, PROPOSAL, SPONSOR, TWINS, CALIBRATED, STAKE_KEY, PAST = 10, 11, 12, 13, 32, 33, 34, 35, 36
CARRIED, TREASURY, FEES, SUPPLY, MACHINES, SETTLEMENT, ROTATION, HELD, EPOCHS = (bytes([i]) for i in range(1, 10))
BONDED = ("consensus_key", "vrf_key", "bls_key", "bls_proof", "bond", "admitted", "jailed", "leaving", "release")
COLUMNS = ("machine_key", "owner", "sponsor", "binding_tag", "inventory_digest", "family", "arch", "class", "model",
           "base_multiplier", "weight", "payable", "measured", "record_height", "displaced", "retired", "heir",
           "heir_epoch", "reward_total")


def payee(machine, epoch):
    return machine["heir"] if machine["heir"] and epoch >= machine["heir_epoch"] else machine["owner"]


# --- Compiled probes (fingerprint.md, "Draws") and calibration --------------------------------------------------------

ODD, HALF = 0x9E3779B97F4A7C15, 2**32 - 1
STEPS = {16: (1024, 255), 17: (256, 63), 18: (64, 15), 19: (256, 63), 20: (256, 63), 21: (64, 15), 22: (32, 7),
         23: (32, 7), 24: (64, 15), 25: (3, 1)}


def mixed(z):
    """mix of the next state of z"""
    z = (z + ODD) % U64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % U64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % U64
    return z ^ z >> 31


def drawn(state):
    while True:
        yield mixed(state)
        state = (state + ODD) % U64


def compiled_probe(challenge, probe):
    """The result that a compiled probe must give; products and quotients by this machine's binary64."""
    state = 22 if probe == 23 else probe
    for at in (0, 8, 16, 24):
        state = mixed(state ^ int.from_bytes(challenge[at:at + 8], "big"))
    more = drawn(state)
    return mixed(raw_result(probe, more) ^ probe << 56)


def raw_result(probe, more):
    if probe >= 32:
        q = 8 + (next(more) & 3)
        n, o = q << (3 + probe - 32), {8: 1, 9: 9, 10: 5, 11: 11}[q]
        a = 1 + 4 * o * (next(more) % (n // (4 * o) - 1) | 1)
        b = 1 + 2 * o * (next(more) % (n // (2 * o)))
        x = next(more) % n
        for _ in range(2048):
            x = (a * x + b) % n
        return n << 32 | x
    if probe in STEPS:
        base, mask = STEPS[probe]
        steps = 16 * (base + (next(more) & mask))
    elif probe == 26:
        steps = 1048576 + 16384 * (next(more) & 7)
    lanes = [next(more) & HALF for _ in range(16)] if probe in (22, 23) else []
    wide = next(more), next(more), next(more)
    x, a, b = ((number | 1) & HALF for number in wide)
    if probe in (20, 21):
        x = 1 + (wide[0] & 2**52 - 1) / 2**52
        pair = [1 + (number & 2**42 - 1) / 2**52 for number in wide[1:]]
        for step in range(steps):
            x = x * pair[step % 2] if probe == 20 else x / pair[step % 2]
        return int.from_bytes(struct.pack(">d", x), "big")
    if probe == 19:
        x, a, b = (number & 2**36 - 1 for number in wide)
    if probe in (16, 19):
        total = x + steps // 2 * (a + b)
        return total if probe == 19 else total & HALF
    if probe in (22, 23):
        state = 0
        for lane in lanes:
            for _ in range(steps):
                lane = lane + a & HALF
                lane = (lane << 16 & HALF | lane >> 16) ^ b
            state = mixed(state ^ lane)
        return state
    if probe == 26:
        return sum(a + i * b for i in range(steps)) & HALF
    if probe == 27:
        return x + 512 * (a + b) & HALF
    if probe == 18:
        x, a, b = x | 1 << 15, a | 1 << 31, b | 1 << 31
    words = drawn(wide[0])
    for step in range(steps):
        if probe == 17:
            x = x * (b if step % 2 else a) & HALF
        elif probe == 18:
            x = (b if step % 2 else a) // x | 1 << 15
        else:
            word = next(words) if probe == 25 else b << 32 | a
            x = (x + (word >> 32 & 0x7FFF) & HALF) ^ word & 0x7FFF
    return x


REPORT = numbered(("v", version_1), ("owner_key", exactly(32)), ("machine_key", exactly(32)),
                  ("binding_tag", exactly(32)), ("model", text64), ("inventory", up_to(4096)),
                  ("challenge_height", uint), ("header_hash", exactly(32)), ("probe_results", probe_results),
                  ("samples", up_to(512)), ("agent", text64))
ALL_RATIOS = {"int_mul": (17, 16), "int_div": (18, 16), "fp_add": (19, 16), "fp_mul": (20, 16), "fp_div_mul": (21, 20),
              "simd_scalar": (23, 22), "call": (24, 16), "patch": (25, 16)}


def check_reports(signed, genesis_hash):
    """The model and the encoded ranges of reports that calibrate it."""
    need(len(signed) >= 3, "CALIBRATION_TOO_FEW")
    need(len(signed) <= 8, "TOO_LARGE")
    opened = [fields(decode(each, 6144), numbered(("report", bstr), ("signature", exactly(64)))) for each in signed]
    reports = [fields(decode(each["report"], 6144, deepest=3), REPORT) for each in opened]
    need(len({report["model"] for report in reports}) == 1, "CALIBRATION_MODEL_DIFFERS")
    for name in "owner_key", "machine_key", "binding_tag", "samples":
        code = "CALIBRATION_SAME_OWNER" if name == "owner_key" else "CALIBRATION_SAME_MACHINE"
        need(len({report[name] for report in reports}) == len(reports), code)
    for each, report in zip(opened, reports, strict=True):
        digest = H("record", genesis_hash, each["report"])
        need(verifies(report["owner_key"], digest, each["signature"]), "INVALID_SIGNATURE")
    found = [examine(report) for report in reports]
    need(all(real for real, _ in found), "CALIBRATION_NOT_REAL")
    common = [name for name in ALL_RATIOS if all(name in ratios for _, ratios in found)]
    need(sum(name in RATIOS for name in common) >= 2, "CALIBRATION_UNMEASURED")
    ranges = [[name, min(r[name] for _, r in found), max(r[name] for _, r in found)] for name in common]
    need(all(high <= 2 * low for _, low, high in ranges), "CALIBRATION_INCONSISTENT")
    return reports[0]["model"], encode(ranges)


def examine(report):
    """Whether a report shows a real machine, and its ratios."""
    inventory, results = read_inventory(report["inventory"]), report["probe_results"]
    need(report["model"] == model_of(inventory), "CALIBRATION_MODEL_DIFFERS")
    challenge = H("challenge", report["header_hash"], report["machine_key"])
    need(all(probe in (1, *COMPILED) for probe, _ in results), "PROBE_MISMATCH")
    for probe, result in results:
        need((keyed_probe_1(challenge) if probe == 1 else compiled_probe(challenge, probe)) == result, "PROBE_MISMATCH")
    samples = read_samples(report["samples"])
    answered = [probe for probe, _ in results if probe in COMPILED]
    least = {probe: samples[32 + probe][1] for probe in answered
             if 32 + probe in samples and samples[32 + probe][0] >= 5 and samples[32 + probe][1]}
    ratios = {name: 1000 * least[a] // least[b] for name, (a, b) in ALL_RATIOS.items() if a in least and b in least}
    need(sum(name in RATIOS for name in ratios) >= 2, "CALIBRATION_UNMEASURED")
    return not any((*shown(inventory, samples, results)[:2], contradicts_itself(inventory),
                    timed_wrong(inventory, samples, results))), ratios


def check_results(challenge, results, asked):
    """The interpreted probe is there and right, and so is each compiled one, of which none stands unasked."""
    need(results and results[0][0] == 1 and {probe for probe, _ in results[1:]} <= set(asked), "PROBE_MISMATCH")
    need(results[0][1] == keyed_probe_1(challenge), "PROBE_MISMATCH")
    for probe, result in results[1:]:
        need(compiled_probe(challenge, probe) == result, "PROBE_MISMATCH")


class Ledger:
    """The state of a chain and the headers behind it."""

    def __init__(self, genesis):
        parts = decode(genesis, 2**20)
        self.genesis_hash, self.chain_id, self.start = H("genesis", genesis), parts[2], parts[3]
        self.p = {name: value for (name, *_), value in zip(PARAMETERS, decode(parts[4]).values(), strict=True)}
        self.members, self.set_hash, self.params_hash = read_set(parts[5]), H("set", parts[5]), H("params", parts[4])
        self.headers, self.beta = [(self.genesis_hash, self.start)], beta_0(self.genesis_hash)
        self.state, self.leaves = {}, {}
        for account, balance in parts[6]:
            self.put(ACCOUNT, account, [balance, 0, b""])
        need(self.p["scoring"] == scoring_name(), "BAD_SETTING")
        supply = parts[7] + sum(balance for _, balance in parts[6]) + sum(m["bond"] for m in self.members)
        for ident, number in (CARRIED, 0), (TREASURY, parts[7]), (FEES, 0), (SUPPLY, supply), (MACHINES, 0):
            self.put(GLOBALS, ident, [number])
        self.put(SET, b"", [parts[5]])
        for m in self.members:
            keys = [m["consensus_key"], m["vrf_key"], m["bls"]]
            self.put(STAKE, m["account"], [*keys, b"", m["bond"], 1, 0, 0, 0])
            for key in filter(None, keys):
                self.put(STAKE_KEY, key, [m["account"]])
        self.put(PARAMS, b"", [parts[4]])

    def get(self, table, ident, otherwise=None):
        value = self.state.get(bytes([table]) + ident)
        return otherwise if value is None else decode(value)

    def put(self, table, ident, columns):
        self.state[bytes([table]) + ident] = encode(columns)

    def drop(self, table, ident):
        self.state.pop(bytes([table]) + ident, None)

    def machine(self, index):
        return dict(zip(COLUMNS, self.get(MACHINE, be(index, 8)), strict=True))

    def put_machine(self, index, machine):
        self.put(MACHINE, be(index, 8), [machine[name] for name in COLUMNS])

    def buckets(self, table, ident):
        numbers = self.get(table, ident, [])
        return dict(zip(numbers[::2], numbers[1::2], strict=True))

    def put_buckets(self, table, ident, amounts):
        flat = [number for bucket in sorted(amounts) if amounts[bucket] for number in (bucket, amounts[bucket])]
        if flat:
            self.put(table, ident, flat)
        else:
            self.drop(table, ident)

    def number(self, ident):
        return self.get(GLOBALS, ident)[0]

    def account(self, ident):
        return self.get(ACCOUNT, ident, [0, 0, b""])

    def root(self):
        def leaf(item):
            if item not in self.leaves:
                self.leaves[item] = H("mleaf", item[0]), H("mvalue", item[1])
            return self.leaves[item]
        return H("root", be(len(self.state), 8), map_top([leaf(item) for item in self.state.items()]))

    def epoch(self, time):
        return (time - self.start) // self.p["slot_ms"] // self.p["slots_per_epoch"]

    # settlement

    def settle(self, time):
        elapsed = self.epoch(self.headers[-1][1])
        if len(self.headers) > 1 and elapsed < self.epoch(time):
            self.credit(U64)
            self.adopt(self.epoch(time))
            self.seats(self.epoch(time))
            held = self.buckets(GLOBALS, HELD)
            kept = {bucket: amount for bucket, amount in held.items() if elapsed < 10 * bucket + 100}
            self.put_buckets(GLOBALS, HELD, kept)
            minted = min(self.p["pot_per_epoch"], U64 - 1 - self.number(SUPPLY))
            pot, machines = minted + self.number(CARRIED) + self.number(FEES), self.number(MACHINES)
            pot += sum(held.values()) - sum(kept.values())
            total = sum(self.weight(i, elapsed)[0] for i in range(machines))
            self.put(GLOBALS, SUPPLY, [self.number(SUPPLY) + minted])
            self.put(GLOBALS, FEES, [0])
            self.put(GLOBALS, CARRIED, [0 if total else pot])
            if total:
                self.put(GLOBALS, SETTLEMENT, [elapsed, pot, 0, total, 0, machines])
            for key in [key for key in self.state if key[0] == SEAL]:
                if len(self.headers) - decode(self.state[key])[0] > self.p["reveal_window_blocks"]:
                    del self.state[key]
        self.credit(self.p["settle_per_block"])
        if len(self.headers) == 1 or elapsed < self.epoch(time):
            self.put(GLOBALS, ROTATION, [self.epoch(time), self.beta])
            since = self.epoch(time) - self.p["evidence_epochs"]
            starts = {e: height for e, height in self.buckets(GLOBALS, EPOCHS).items() if e >= since}
            self.put_buckets(GLOBALS, EPOCHS, {**starts, self.epoch(time): len(self.headers)})
            for key in [key for key in self.state if key[0] == EVIDENCE]:
                if decode(self.state[key])[1] < min(self.buckets(GLOBALS, EPOCHS).values()):
                    del self.state[key]

    def stake(self, account):
        found = self.get(STAKE, account)
        return found and dict(zip(BONDED, found, strict=True))

    def put_stake(self, account, stake):
        self.put(STAKE, account, [stake[name] for name in BONDED])

    def seats(self, epoch):
        accounts = sorted(key[1:] for key in self.state if key[0] == STAKE)
        rows = []
        for account in accounts:
            s = self.stake(account)
            if s["admitted"] and not s["jailed"] and not s["leaving"] and s["bond"] >= max(1, self.p["bond_min"]):
                rows.append([account, s["consensus_key"], s["vrf_key"], s["bond"], s["bls_key"]])
        seated = [row[0] for row in rows] or [m["account"] for m in self.members]
        acting = self.get(SET, b"")[0]
        if rows and encode(rows) != acting:
            self.put(SET, b"", [encode(rows)])
            self.put(PAST, H("set", acting), [acting, len(self.headers), epoch])
        trusted = -(-1000 * self.p["trust_period_s"] // (self.p["slot_ms"] * self.p["slots_per_epoch"]))
        wait = trusted + self.p["evidence_epochs"] + 1
        for key in [key for key in self.state if key[0] == PAST and decode(self.state[key])[2] + wait <= epoch]:
            del self.state[key]
        for account in accounts:
            s = self.stake(account)
            if s["release"] and s["release"] <= epoch:
                balance, *rest = self.account(account)
                self.put(ACCOUNT, account, [balance + s["bond"], *rest])
                self.drop(STAKE, account)
                for key in filter(None, (s["consensus_key"], s["vrf_key"], s["bls_key"])):
                    self.drop(STAKE_KEY, key)
            elif s["leaving"] and not s["release"] and account not in seated:
                self.put_stake(account, {**s, "admitted": 0, "release": epoch + wait})

    def adopt(self, epoch):
        members = {member["account"] for member in self.members}
        for key in sorted(key for key in self.state if key[0] == PROPOSAL):
            kind, model, ranges, approvals, _, _, since = decode(self.state[key])
            adopted = len(members & set(approvals)) >= quorum(len(members))
            if adopted and kind == 3:
                account, s = ranges[:20], self.stake(ranges[:20])
                admitted = [other for other in self.state if other[0] == STAKE and self.stake(other[1:])["admitted"]]
                if s and not s["leaving"] and (not ranges[20] or s["admitted"] or len(admitted) < 100):
                    self.put_stake(account, self.seated(s, ranges[20]))
            elif adopted and self.get(CALIBRATED, model.encode()) is None:
                self.put(CALIBRATED, model.encode(), [len(self.headers), ranges])
            if adopted or epoch > since + 30:
                del self.state[key]

    @staticmethod
    def seated(stake, verdict):
        return {**stake, "admitted": 1, "jailed": 0} if verdict else {**stake, "admitted": 0}

    def weight(self, index, epoch):
        """Weight and payable of a machine's intervals in an epoch."""
        counters, machine = self.get(COUNTERS, be(index, 8)), self.machine(index)
        if counters is None or counters[0] < epoch or machine["displaced"]:
            return 0, 0
        intervals = bin(int.from_bytes(counters[1 if counters[0] == epoch else 2], "little")).count("1")
        flags = counters[6 if counters[0] == epoch else 7]
        days = epoch * self.p["slot_ms"] * self.p["slots_per_epoch"] // DAY_MS
        base = decayed(machine["base_multiplier"], days)
        in_full = machine["payable"] >= machine["weight"]
        policy = [self.p[name] for name in ("profile", "vm_weight", "legacy_cap")]
        bases = base, base if in_full else min(base, self.p["uncalibrated_cap"])
        return tuple(epoch_weight(each, flags, machine["class"], *policy) * intervals for each in bases)

    def credit(self, how_many):
        running = self.get(GLOBALS, SETTLEMENT)
        if running is None:
            return
        epoch, pot, paid, total, begin, end = running
        stop = min(end, begin + how_many)
        for index in range(begin, stop):
            if self.get(COUNTERS, be(index, 8)) is not None:
                paid += self.credit_one(index, epoch, pot, total)
        if stop < end:
            self.put(GLOBALS, SETTLEMENT, [epoch, pot, paid, total, stop, end])
        else:
            self.drop(GLOBALS, SETTLEMENT)
            self.put(GLOBALS, CARRIED, [self.number(CARRIED) + pot - paid])

    def credit_one(self, index, epoch, pot, total):
        """What left the pot."""
        machine, out = self.machine(index), 0
        held, claims = self.buckets(GLOBALS, HELD), self.buckets(ESCROW, be(index, 8))
        claims = {bucket: amount for bucket, amount in claims.items() if bucket in held}
        model = machine["model"].encode()
        if machine["payable"] < machine["weight"] and not machine["displaced"] and self.get(CALIBRATED, model):
            out = sum(claims.values())
            self.put_buckets(GLOBALS, HELD, {bucket: held[bucket] - claims.get(bucket, 0) for bucket in held})
            self.put_buckets(ESCROW, be(index, 8), {})
            machine["payable"] = machine["weight"]
            held, claims = self.buckets(GLOBALS, HELD), {}
        weight, payable = self.weight(index, epoch) if machine["payable"] < machine["weight"] else (
            self.weight(index, epoch)[:1] * 2)
        reward = mul_div(pot, weight, total)
        at_once = mul_div(reward, payable, weight) if reward else 0
        if reward > at_once:
            for amounts, table, ident in (held, GLOBALS, HELD), (claims, ESCROW, be(index, 8)):
                amounts[epoch // 10] = amounts.get(epoch // 10, 0) + reward - at_once
                self.put_buckets(table, ident, amounts)
        owner = payee(machine, epoch)
        if out + at_once:
            balance, *rest = self.account(owner)
            self.put(ACCOUNT, owner, [balance + out + at_once, *rest])
            machine["reward_total"] += out + at_once
        self.put_machine(index, machine)
        return reward

    # a block

    def execute(self, time, envelopes):
        """Receipts; the state is as before if the block is refused."""
        before = dict(self.state)
        try:
            need(time > self.headers[-1][1], "BAD_HEADER")
            self.settle(time)
            attests = accusations = size = 0
            receipts = []
            for raw in envelopes:
                env, signed, signature = read_envelope(raw)
                size, attests = size + len(raw), attests + (env["kind"] == 4)
                need(size <= self.p["block_bytes_max"] and len(receipts) < self.p["block_envelopes_max"], "KIND_CAP")
                accusations += env["kind"] == 9
                need(attests <= self.p["attests_per_block_max"] and accusations <= 16, "KIND_CAP")
                check_envelope(env, self.chain_id)
                receipts.append(self.envelope(time, env, signed, signature, H("tx", raw), len(receipts)))
            return receipts
        except Refused:
            self.state = before
            raise

    def envelope(self, time, env, signed, signature, ident, position):
        height, sender, fee, kind = len(self.headers), env["from"], env["fee"], env["kind"]
        body = read_body(kind, env["body"])
        need(kind in NONCELESS or fee >= self.p["min_fee"], "FEE_TOO_LOW")
        need(env["valid_until"] >= height, "EXPIRED")
        need(env["valid_until"] <= height + self.p["max_valid"], "VALID_TOO_LONG")
        balance, nonce, known = self.account(sender)
        if kind == 4:
            machine = self.machine_of(sender)
        elif kind != 9:
            need(env["nonce"] >= nonce, "REPLAYED")
            need(env["nonce"] <= nonce, "BAD_NONCE")
        need(not (known and "pubkey" in env), "PUBKEY_UNEXPECTED")
        key = known or env.get("pubkey", b"")
        need(key, "PUBKEY_MISSING")
        need(balance >= fee, "INSUFFICIENT_FUNDS")
        epoch, commits = self.get(SPONSOR, sender, [0, 0])
        commits = commits if epoch == self.epoch(time) else 0
        need(kind != 2 or commits < self.p["machines_per_sponsor_epoch"], "SPONSOR_CAP")
        need(verifies(key, H("txsig", self.genesis_hash, signed), signature), "INVALID_SIGNATURE")
        if kind == 4:
            return encode([ident, 0, 0, [self.attest(time, body, *machine)]])
        if kind == 9:
            return encode([ident, 0, 0, [self.accuse(body)]])
        self.put(ACCOUNT, sender, [balance - fee, nonce + 1, key])
        self.put(GLOBALS, FEES, [self.number(FEES) + fee])
        try:
            if kind == 1:
                events = self.transfer(sender, body)
            elif kind == 2:
                need(self.get(SEAL, body["commit"]) is None, "SEAL_TAKEN")
                self.put(SEAL, body["commit"], [height, position, sender])
                self.put(SPONSOR, sender, [self.epoch(time), commits + 1])
                events = [[2, body["commit"]]]
            elif kind == 3:
                events = self.reveal(time, body)
            elif kind == 5:
                events = self.unbind(self.epoch(time), sender, body)
            elif kind == 6:
                events = self.bond(sender, body)
            elif kind == 7:
                s = self.stake(sender)
                need(s and s["consensus_key"] == body["consensus_key"], "STAKE_UNKNOWN")
                need(not s["leaving"], "STAKE_LEAVING")
                self.put_stake(sender, {**s, "leaving": 1})
                events = [[12, sender, s["bond"]]]
            else:
                events = self.govern(self.epoch(time), sender, body)
        except Refused as error:
            return encode([ident, ERRORS[error.code], fee, []])
        return encode([ident, 0, fee, events])

    def transfer(self, sender, body):
        to, amount = body["to"], body["amount"]
        need(to != sender, "SELF_TRANSFER")
        balance, *rest = self.account(sender)
        need(balance >= amount, "INSUFFICIENT_FUNDS")
        self.put(ACCOUNT, sender, [balance - amount, *rest])
        balance, *rest = self.account(to)
        self.put(ACCOUNT, to, [balance + amount, *rest])
        return [[1, sender, to, amount]]

    def challenge(self, time, height, machine_key):
        """The challenge, its header's time, and whether it is fresh."""
        need(height < len(self.headers), "CHALLENGE_UNKNOWN")
        header_hash, asked = self.headers[height]
        window = max(2 * self.p["slot_ms"] * self.p["slots_per_epoch"], self.p["challenge_fresh_ms"])
        need(asked >= self.headers[-1][1] - window, "CHALLENGE_LATE")
        return H("challenge", header_hash, machine_key), asked, time - asked <= self.p["challenge_fresh_ms"]

    def reveal(self, time, body):
        height, commit = len(self.headers), H("seal", body["salt"], body["inner"])
        seal = self.get(SEAL, commit)
        need(seal is not None and seal[0] < height, "SEAL_UNKNOWN")
        need(height - seal[0] <= self.p["reveal_window_blocks"], "SEAL_EXPIRED")
        record = read_record(body["inner"])
        key, tag, ident = record["machine_key"], record["binding_tag"], account_of(record["machine_key"])
        need(self.get(MACHINE_KEY, ident) is None, "MACHINE_KNOWN")
        holder = self.get(TAG, tag)
        if holder is not None and 0 < self.machine(holder[0])["retired"] <= self.epoch(time):
            holder = None
        need(holder is None or holder[1:] >= seal[:2], "HARDWARE_ALREADY_BOUND")
        twins = self.get(TWINS, seal[2] + H("identity", record["inventory"]), [0])[0]
        need(twins < self.p["twins_per_sponsor"], "SPONSOR_TWINS")
        challenge, _, fresh = self.challenge(time, record["challenge_height"], key)
        need(fresh, "CHALLENGE_LATE")
        need(verifies(key, H("machine", self.genesis_hash, body["inner"]), body["signature"]), "INVALID_SIGNATURE")
        check_results(challenge, record["probe_results"], COMPILED)
        inventory, samples = read_inventory(record["inventory"]), read_samples(record["samples"])
        calibrated = self.get(CALIBRATED, model_of(inventory).encode()) is not None
        policy = [self.p[name] for name in ("profile", "vm_weight", "uncalibrated_cap", "legacy_cap")]
        scored = score(inventory, samples, record["probe_results"], policy, calibrated)
        index, digest = self.number(MACHINES), H("identity", record["inventory"])
        self.drop(SEAL, commit)
        self.put(MACHINE, be(index, 8), [key, record["owner"], seal[2], tag, digest, *scored,
                                         recorded_checks(samples, record["probe_results"]), height, 0, 0, b"", 0, 0])
        self.twin(seal[2], digest, 1)
        self.put(MACHINE_KEY, ident, [index])
        self.put(TAG, tag, [index, *seal[:2]])
        self.put(GLOBALS, MACHINES, [index + 1])
        self.put(ACCOUNT, ident, [*self.account(ident)[:2], key])
        if holder is None:
            return [[3, index, ident, record["owner"], scored[5]]]
        loser = self.machine(holder[0])
        self.put_machine(holder[0], {**loser, "displaced": 1})
        if not loser["retired"]:
            self.twin(loser["sponsor"], loser["inventory_digest"], -1)
        return [[3, index, ident, record["owner"], scored[5]], [4, holder[0]]]

    def twin(self, sponsor, digest, change):
        count = self.get(TWINS, sponsor + digest, [0])[0] + change
        if count:
            self.put(TWINS, sponsor + digest, [count])
        else:
            self.drop(TWINS, sponsor + digest)

    def unbind(self, epoch, sender, body):
        index, machine = self.machine_of(body["machine"])
        need(sender == payee(machine, epoch), "NOT_OWNER")
        if not body["new_owner"]:
            self.put_machine(index, {**machine, "retired": epoch + 1})
            self.twin(machine["sponsor"], machine["inventory_digest"], -1)
            return [[7, index]]
        settling = self.get(GLOBALS, SETTLEMENT, [U64])[0]
        need(machine["owner"] == sender or settling >= machine["heir_epoch"], "HANDOVER_WAITS")
        self.put_machine(index, {**machine, "owner": sender, "heir": body["new_owner"], "heir_epoch": epoch + 1})
        return [[8, index, body["new_owner"], epoch + 1]]

    def bond(self, sender, body):
        keys = [body[name] for name in ("consensus_key", "vrf_key", "bls_key")]
        named, s = [key for key in keys if key], self.stake(sender)
        if s is None:
            need(body["amount"] >= self.p["bond_min"], "BOND_TOO_LOW")
            need(len(set(named)) == len(named) and sender not in map(account_of, keys[:2]), "KEY_TAKEN")
            need(not any(self.get(STAKE_KEY, key) for key in named), "KEY_TAKEN")
            s = dict(zip(BONDED, [*keys, body["bls_proof"], 0, 0, 0, 0, 0], strict=True))
        need(not s["leaving"], "STAKE_LEAVING")
        need([s[name] for name in BONDED[:3]] == keys, "STAKE_KEYS")
        balance, *rest = self.account(sender)
        need(balance >= body["amount"], "INSUFFICIENT_FUNDS")
        digest = H("lock", self.genesis_hash, sender, *keys, body["bls_proof"])
        need(verifies(keys[0], digest, body["signature"]), "INVALID_SIGNATURE")
        vrf_verify(keys[1], digest, body["vrf_proof"])
        self.put(ACCOUNT, sender, [balance - body["amount"], *rest])
        self.put_stake(sender, {**s, "bond": s["bond"] + body["amount"]})
        for key in named:
            self.put(STAKE_KEY, key, [sender])
        return [[11, sender, body["amount"], s["bond"] + body["amount"]]]

    def accuse(self, body):
        (account,) = self.get(STAKE_KEY, body["key"], [b""])
        s, votes, now = self.stake(account), [read_vote(body[name]) for name in ("first", "second")], len(self.headers)
        need(s and s["consensus_key"] == body["key"], "STAKE_UNKNOWN")
        need(not s["jailed"], "VALIDATOR_JAILED")
        height, round_, type_ = (votes[0][name] for name in VOTE_PLACE)
        need(min(self.buckets(GLOBALS, EPOCHS).values()) <= height <= now, "EVIDENCE_LATE")
        ident = H("evidence", body["key"], be(height, 8), be(round_, 4), be(type_, 1))
        need(self.get(EVIDENCE, ident) is None, "REPLAYED")
        need(all(vote_holds(body["key"], vote, self.genesis_hash) for vote in votes), "INVALID_SIGNATURE")
        loss = s["bond"] * self.p["slash_permille"] // 1000
        self.put_stake(account, {**s, "bond": s["bond"] - loss, "jailed": 1})
        self.put(GLOBALS, TREASURY, [self.number(TREASURY) + loss])
        self.put(EVIDENCE, ident, [account, height, now])
        return [13, account, loss, height]

    def seat(self, content):
        """Subject and effect of a proposal about a seat."""
        need(len(content) == 2)
        account, verdict = exactly(20)(content[0]), between(0, 1)(content[1])
        s = self.stake(account)
        need(s, "STAKE_UNKNOWN")
        need(not s["leaving"], "STAKE_LEAVING")
        need(self.seated(s, verdict) != s, "NO_CHANGE")
        return ("admit " if verdict else "remove ") + write_bech32m(account), account + be(verdict, 1)

    def govern(self, epoch, sender, body):
        payload = body["payload"]
        members = {member["account"] for member in self.members}
        need(sender in members, "NOT_VALIDATOR")
        if body["action"] == 1:
            found = self.get(PROPOSAL, payload)
            need(found is not None, "PROPOSAL_UNKNOWN")
            need(sender not in found[3], "PROPOSAL_APPROVED")
            found[3] = sorted({*found[3], sender} & members)
            self.put(PROPOSAL, payload, found)
            return [[10, payload, len(found[3])]]
        ident = H("policy", self.genesis_hash, payload)
        need(self.get(PROPOSAL, ident) is None, "PROPOSAL_KNOWN")
        own = [key for key, value in self.state.items() if key[0] == PROPOSAL and decode(value)[4] == sender]
        need(len(own) < 2, "PROPOSALS_FULL")
        number, content = read_proposal(payload)
        need(number in (1, 3), "PROPOSAL_TYPE")
        if number == 3:
            self.put(PROPOSAL, ident, [3, *self.seat(content), [sender], sender, len(self.headers), epoch])
            return [[9, ident, 3]]
        need(content)
        model = text64(content[0])
        need(self.get(CALIBRATED, model.encode()) is None, "MODEL_CALIBRATED")
        reports = [bstr(report) for report in content[1:]]
        found, ranges = check_reports(reports, self.genesis_hash)
        need(found == model, "CALIBRATION_MODEL_DIFFERS")
        self.put(PROPOSAL, ident, [number, model, ranges, [sender], sender, len(self.headers), epoch])
        return [[9, ident, number]]

    def machine_of(self, ident):
        index = self.get(MACHINE_KEY, ident)
        need(index is not None, "MACHINE_UNKNOWN")
        machine = self.machine(index[0])
        need(not machine["displaced"], "HARDWARE_ALREADY_BOUND")
        need(not machine["retired"], "MACHINE_RETIRED")
        return index[0], machine

    def attest(self, time, body, index, machine):
        need(machine["record_height"] < len(self.headers), "MACHINE_UNKNOWN")
        need(body["inventory_digest"] == machine["inventory_digest"], "DIGEST_MISMATCH")
        samples = read_samples(body["samples"])
        challenge, asked, fresh = self.challenge(time, body["challenge_height"], machine["machine_key"])
        now, epoch = self.epoch(time), self.epoch(asked)
        interval = (asked - self.start) // self.p["slot_ms"] // self.p["attest_every_slots"]
        bit_of_it = 1 << interval % (self.p["slots_per_epoch"] // self.p["attest_every_slots"])
        at, bits, earlier, mark, late_interval, last, flags, before_flags = self.get(
            COUNTERS, be(index, 8), [0, b"", b"", 0, 0, 0, 0, 0])
        if at != now:
            settling = self.get(GLOBALS, SETTLEMENT, [-1])[0]
            earlier, before_flags = (bits, flags) if at in (now - 1, settling) else (b"", 0)
            bits, flags = b"", 0
        bits, before = (int.from_bytes(b, "little") for b in (bits, earlier))
        used = (epoch == now and bits & bit_of_it) or (epoch == now - 1 and before & bit_of_it)
        need(not used and not (mark and late_interval == interval), "CHALLENGE_USED")
        counts, asked_for = fresh and epoch == now, COMPILED
        if counts:
            bits |= bit_of_it
            checks = selected(self.get(GLOBALS, ROTATION)[1], now)
            asked_for = [probe for check in checks for probe in RATIOS.get(check, (26,))]
            answered = {32 + probe for probe, _ in body["probe_results"]}
            proven = {kind: row for kind, row in samples.items() if kind in answered}
            flags |= attest_flags(proven, checks, machine["model"], machine["measured"])
        else:
            need(epoch >= now - 1 and mark != now + 1, "CHALLENGE_LATE")
            mark, late_interval = now + 1, interval
        check_results(challenge, body["probe_results"], asked_for)
        packed = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
        rest = [mark, late_interval, max(last, interval), flags, before_flags]
        self.put(COUNTERS, be(index, 8), [now, packed, earlier, *rest])
        return [5 if counts else 6, index, interval]

    def follow(self, block, certificate):
        """Receipts and changes of a block that is accepted and certified."""
        data, _, _, envelopes = read_block(block)
        header, height, parent = read_header(data), len(self.headers), self.headers[-1]
        need((header["height"], header["prev_hash"]) == (height, parent[0]), "BAD_HEADER")
        need(header["proposer_index"] < len(self.members), "BAD_HEADER")
        vrf_key = self.members[header["proposer_index"]]["vrf_key"]
        beta = vrf_verify(vrf_key, vrf_alpha(self.beta, height), header["vrf_proof"])
        before = dict(self.state)
        receipts = self.execute(header["time_ms"], envelopes)
        roots = {"tx": list_tree([H("tx", e) for e in envelopes])[0], "receipts": list_tree(receipts)[0],
                 "state": self.root()}
        after = self.get(SET, b"")[0]
        wanted = self.chain_id, self.set_hash, H("set", after), self.params_hash, roots
        names = "chain_id", "validator_set_hash", "next_validator_set_hash", "params_hash", "roots"
        need(tuple(header[name] for name in names) == wanted, "BAD_ROOT")
        header_hash = H("header", data)
        check_certificate(certificate, header_hash, height, self.members, self.genesis_hash)
        self.headers.append((header_hash, header["time_ms"]))
        self.beta = beta
        self.members, self.set_hash = read_set(after), H("set", after)
        changed = sorted(key for key in {*before, *self.state} if before.get(key) != self.state.get(key))
        return header, receipts, [[key, self.state.get(key)] for key in changed]

    def supply_holds(self):
        balances = sum(decode(value)[0] for key, value in self.state.items() if key[0] == ACCOUNT)
        _, pot, paid, *_ = self.get(GLOBALS, SETTLEMENT, [0] * 6)
        pot += sum(self.buckets(GLOBALS, HELD).values())
        bonds = sum(decode(value)[4] for key, value in self.state.items() if key[0] == STAKE)
        return balances + bonds + sum(map(self.number, (CARRIED, TREASURY, FEES))) + pot - paid == self.number(SUPPLY)


# --- Noise (revision 34): XX and IK with X25519 (RFC 7748), ChaCha20-Poly1305 (RFC 8439) and BLAKE2b -----------------

NOISE = {"XX": ("e", "e ee s es", "s se"), "IK": ("e es s ss", "e ee se")}


def x25519(k, u):
    k = int.from_bytes(k, "little") & ~7 & (2**254 - 1) | 2**254
    x1 = int.from_bytes(u, "little") & (2**255 - 1)
    x2, z2, x3, z3 = 1, 0, x1, 1
    for t in reversed(range(255)):
        one = k >> t & 1
        if one:
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3, x2, z2 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P, aa * bb % P, e * (aa + 121665 * e) % P
        if one:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def chacha_block(key, counter, nonce):
    start = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), counter,
             *struct.unpack("<3I", nonce)]
    s = list(start)
    columns = [(i, i + 4, i + 8, i + 12) for i in range(4)]
    diagonals = [(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4) for i in range(4)]
    for a, b, c, d in (columns + diagonals) * 10:
        for p, q, r, turn in (a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7):
            s[p] = (s[p] + s[q]) % U32
            mixed_in = s[r] ^ s[p]
            s[r] = (mixed_in << turn | mixed_in >> 32 - turn) % U32
    return struct.pack("<16I", *((x + y) % U32 for x, y in zip(s, start, strict=True)))


def aead(key, n, associated, text, opening=False):
    """Seal, or with `opening` the reverse; n is Noise's counter nonce."""
    nonce = bytes(4) + struct.pack("<Q", n)
    text, tag = (text[:-16], text[-16:]) if opening else (text, b"")
    stream = b"".join(chacha_block(key, 1 + i, nonce) for i in range(-(-len(text) // 64)))
    out = bytes(a ^ b for a, b in zip(text, stream, strict=False))
    parts = associated, text if opening else out
    covered = b"".join(part + bytes(-len(part) % 16) for part in parts) + struct.pack("<2Q", *map(len, parts))
    r, s = (int.from_bytes(half, "little") for half in struct.unpack("<16s16s", chacha_block(key, 0, nonce)[:32]))
    r, total = r & 0x0ffffffc0ffffffc0ffffffc0fffffff, 0
    for i in range(0, len(covered), 16):
        total = (total + int.from_bytes(covered[i:i + 16] + b"\1", "little")) * r % (2**130 - 5)
    made = ((total + s) % 2**128).to_bytes(16, "little")
    if opening:
        need(made == tag, "INVALID_SIGNATURE")
        return out
    return out + made


def noise_handshake(name, prologue, secrets):
    """The handshake's messages, its hash, and the keys from the initiator and from the responder."""
    def hkdf(chain, material):
        extracted = hmac.digest(chain, material, "blake2b")
        first = hmac.digest(extracted, b"\1", "blake2b")
        return first, hmac.digest(extracted, first + b"\2", "blake2b")

    def hashed(*parts):
        return hashlib.blake2b(b"".join(parts)).digest()

    pattern = name.split("_")[1]
    raw = name.encode("ascii")
    h = raw.ljust(64, b"\0") if len(raw) <= 64 else hashed(raw)
    chain, key, n, sent = h, None, 0, []
    h = hashed(h, prologue)
    base = (9).to_bytes(32, "little")
    if pattern == "IK":
        h = hashed(h, x25519(secrets[1]["s"], base))
    for number, tokens in enumerate(NOISE[pattern]):
        own, message = secrets[number % 2], b""
        for token in [*tokens.split(), ""]:
            if token in ("e", "s", ""):  # "" is the payload, empty here
                part = x25519(own[token], base) if token else b""
                if token != "e" and key:
                    part, n = aead(key, n, h, part), n + 1
                h, message = hashed(h, part), message + part
            else:
                shared = x25519(secrets[0][token[0]], x25519(secrets[1][token[1]], base))
                chain, key = hkdf(chain, shared)
                key, n = key[:32], 0
        sent.append(message.hex())
    return sent, h.hex(), [key[:32] for key in hkdf(chain, b"")]


# --- 21. Proof bundles ---------------------------------------------------------------------------------------------

def hashes(value, at_most):
    return [exactly(32)(h) for h in array(value, at_most=at_most)]


def read_bundle_item(item):
    need(array(item) and item[0] in (1, 2) and len(item) == 7)
    if item[0] == 1:
        _, envelope, receipt, index, count, tx_path, receipt_path = item
        between(1, U32)(count), up_to(65536)(envelope), up_to(4096)(receipt)
        return 1, envelope, receipt, uint(index), count, hashes(tx_path, 32), hashes(receipt_path, 32)
    _, key, value, present, siblings, leaf, count = item
    need(uint(present) in (0, 1) and len(array(leaf)) in (0, 2) and (present or value == b""))
    return 2, bstr(key), bstr(value), present, hashes(siblings, 256), hashes(leaf, 2), uint(count)


def verify_bundle(data, trusted_genesis, trusted_set):
    bundle = fields(decode(data, 2**20), numbered(
        ("v", version_1), ("genesis_hash", exactly(32)), ("header", up_to(1024)), ("certificate", up_to(16384)),
        ("set", up_to(65536)), ("items", lambda v: [read_bundle_item(item) for item in array(v, at_most=256)])),
        first=(0,))
    genesis_hash, header_hash, set_hash = bundle["genesis_hash"], H("header", bundle["header"]), H("set", bundle["set"])
    need(genesis_hash == trusted_genesis and set_hash == trusted_set, "UNTRUSTED")
    header = read_header(bundle["header"])
    need(set_hash == header["validator_set_hash"], "UNTRUSTED")
    members = read_set(bundle["set"])
    need(header["proposer_index"] < len(members), "BAD_HEADER")
    check_certificate(bundle["certificate"], header_hash, header["height"], members, genesis_hash)
    if header["height"] == 1:
        vrf_key = members[header["proposer_index"]]["vrf_key"]
        vrf_verify(vrf_key, vrf_alpha(beta_0(genesis_hash), 1), header["vrf_proof"])
        need(header["prev_hash"] == genesis_hash, "BAD_HEADER")
    roots = header["roots"]
    for kind, *item in bundle["items"]:
        if kind == 2:
            key, value, present, siblings, leaf, count = item
            wanted = value if present else None
            need(map_proof_holds(roots["state"], key, wanted, siblings, leaf, count), "BAD_PROOF")
            if present and key[:1] == b"\1" and len(key) == 21:
                list(map(uint, array(decode(value), 3)[:2]))
            continue
        envelope, receipt, index, count, tx_path, receipt_path = item
        env, ident = read_envelope(envelope)[0], H("tx", envelope)
        claimed = read_receipt(receipt)["id"]
        need(env["chain_id"] == header["chain_id"], "WRONG_CHAIN")
        need(claimed == ident and list_proof_holds(roots["tx"], ident, index, count, tx_path), "BAD_PROOF")
        need(list_proof_holds(roots["receipts"], receipt, index, count, receipt_path), "BAD_PROOF")
        if env["kind"] == 1:
            read_body(1, env["body"])
    return header["height"], header_hash.hex(), header["time_ms"], len(bundle["items"])


# --- The vector files: each function yields (case, what comes out here, what the vector says) ------------------------

def refusal(function, *arguments):
    try:
        function(*arguments)
    except Refused as error:
        return error.code
    return "accepted"


def jsonable(value):
    """Bytes as hex, everything else as it is."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [jsonable(v) for v in value]
    if isinstance(value, dict):
        return {k: jsonable(v) for k, v in value.items()}
    return value


def check_page(_):
    yield "H(tx, '')", H("tx").hex(), "ab6f06cbdcf321e0c0eec72bc3726ffe5b65e0146b3ffa329f4f63c51b383973"
    yield "keyed probe 1", f"{keyed_probe_1(bytes(range(32))):016x}", "2c8c62b07baadb9e"
    page = (ROOT_DIRECTORY / "docs" / "fingerprint.md").read_text(encoding="utf-8")
    page = page.split("Results for the challenge")[1]
    for number, result in re.findall(r"(\d\d)\s`([0-9A-F]{16})`", page.split("###")[0]):
        yield f"compiled probe {number}", f"{compiled_probe(bytes(range(32)), int(number)):016X}", result
    eight = {to_bytes(times(8, to_point(p))) for p in SMALL_ORDER}
    yield "small order", (len(SMALL_ORDER), eight), (8, {to_bytes(NEUTRAL)})
    leaf = [H("leaf", b"item %d" % i) for i in range(3)]
    node = H("node", *leaf[:2])
    short = [h.hex()[:8] + h.hex()[-4:] for h in (*leaf, node, H("node", node, leaf[2]))]
    yield "list tree", short, ["eb148e0f791d", "316870f21f7b", "e927c3d8a160", "e2c8691143f9", "2c943827173c"]
    a, b = ((H("mleaf", b"\1" + be(i, 8)), H("mvalue", b"value %d" % i)) for i in (0, 1))
    yield "state map of two", map_top([a, b]).hex(), "8c54e6cacdf7b5a836a6522f7988821f0c0cac9a7e42c06c8e4e8a66b7048fd6"
    yield "path of item 2", list_tree([b"item 0", b"item 1", b"item 2"])[1][2], [node]


def check_cbor(v):
    def wrap(value):
        if isinstance(value, int):
            return {"uint": str(value)}
        if isinstance(value, bytes):
            return {"bytes": value.hex()}
        if isinstance(value, list):
            return {"array": [wrap(x) for x in value]}
        return {"map": [[str(k), wrap(x)] for k, x in value.items()]} if isinstance(value, dict) else {"text": value}

    for c in v["accept"]:
        value = decode(unhex(c["hex"]))
        yield c["hex"], (wrap(value), encode(value).hex()), (c["value"], c["hex"])
    for c in v["reject"]:
        try:
            got = decode(unhex(c["hex"]))
        except Refused as error:
            got = error.code, error.offset
        yield f"{c['why']} {c['hex']}", got, ("NOT_CANONICAL", c["offset"])


def check_blake3(v):
    for c in v["cases"]:
        data = bytes(i % 251 for i in range(c["input_len"]))
        keyed_hash, derived = blake3(data, words(v["key"].encode()), KEYED, 131), derive_key(v["context"], data, 131)
        got = [h.hex() for h in (blake3(data, size=131), keyed_hash, derived)]
        yield f"{c['input_len']} bytes", got, [c["hash"], c["keyed_hash"], c["derive_key"]]


def check_hashing(v):
    for c in v["cases"]:
        yield c["purpose"], H(c["purpose"], unhex(c["data"])).hex(), c["digest"]


def check_ed25519(v):
    for c in v["cases"]:
        seed, public, message, signature = (unhex(c[k]) for k in ("seed", "public_key", "message", "signature"))
        ours = secret(seed)[2], sign(seed, message), verifies(public, message, signature)
        yield c["name"], ours, (public, signature, True)
        yield c["name"] + ", another message", verifies(public, message + b"x", signature), False


def check_ed25519_edge(v):
    for c in v["cases"]:
        yield c["name"], verifies(*(unhex(c[k]) for k in ("public_key", "message", "signature"))), c["accept"]


def check_ecvrf(v):
    for c in v["cases"]:
        seed, public, alpha, proof, beta = (unhex(c[k]) for k in ("seed", "public_key", "alpha", "proof", "beta"))
        ours = secret(seed)[2], vrf_prove(seed, alpha), vrf_verify(public, alpha, proof)
        yield c["name"], ours, (public, proof, beta)
        yield c["name"] + ", another alpha", refusal(vrf_verify, public, alpha + b"x", proof), "BAD_VRF"
        too_large = proof[:48] + (int.from_bytes(proof[48:], "little") + L).to_bytes(32, "little")
        yield c["name"] + ", s + L", refusal(vrf_verify, public, alpha, too_large), "BAD_VRF"


def check_accounts(v):
    for c in v["accept"]:
        account = account_of(unhex(c["public_key"]))
        ours = account.hex(), write_bech32m(account), "RTC" + account.hex()
        yield c["bech32m"], ours, (c["account"], c["bech32m"], c["rtc"])
        yield c["bech32m"] + " read", {read_account(c["bech32m"]), read_account(c["rtc"])}, {account}
    for c in v["accept_also"]:
        yield c["text"], read_account(c["text"]).hex(), c["account"]
    for c in v["reject"]:
        yield c["why"], refusal(read_account, c["text"]), "BAD_ADDRESS"


def check_amounts(v):
    for c in v["accept"]:
        micro = read_amount(c["text"])
        yield c["text"], (str(micro), write_amount(micro)), (c["micro"], c["coins"])
    for text in v["reject"]:
        yield repr(text), refusal(read_amount, text), "BAD_AMOUNT"
    for c in v["mul_div"]:
        numbers = [int(c[k]) for k in "abc"]
        if c["result"] is None:
            yield f"mul_div {numbers}", refusal(mul_div, *numbers), "OVERFLOW"
        else:
            yield f"mul_div {numbers}", mul_div(*numbers), int(c["result"])


def check_decimal_json(v):
    for c in v["accept"]:
        yield c["json"], DecimalJson(c["json"].encode()).value, c["value"]
    for c in v["reject"]:
        yield c["why"], refusal(DecimalJson, c["json"].encode()), "BAD_JSON"
    for c in v["to_micro"]:
        value = DecimalJson(c["json"].encode()).value
        if c["micro"] is None:
            yield c["json"], refusal(coins_to_micro, value), "BAD_AMOUNT"
        else:
            yield c["json"], coins_to_micro(value), int(c["micro"])


def check_merkle(v):
    for c in v["cases"]:
        n, items = c["count"], [b"item %d" % i for i in range(c["count"])]
        root, paths = list_tree(items)
        yield f"root of {n}", root.hex(), c["root"]
        for p in c["paths"]:
            i, path = p["index"], [unhex(h) for h in p["path"]]
            yield f"path {i} of {n}", paths[i], path
            item = items[i]
            attempts = [(item, i, n, path), (b"other", i, n, path), (item, i ^ 1, n, path), (item, i + n, n, path),
                        (item, i, n + 1, path), (item, i, n, [*path, root]), (item, i, n, path[:-1])]
            wanted = [True] + [False] * (6 if path else 5)      # an empty path cannot be cut short
            held = [list_proof_holds(root, *attempt) for attempt in attempts[:len(wanted)]]
            yield f"proofs {i} of {n}", held, wanted


def check_state_map(v):
    for c in v["cases"]:
        n = c["entries"]
        leaves = [(H("mleaf", b"\1" + be(i, 8)), H("mvalue", b"value %d" % i)) for i in range(n)]
        root = H("root", be(n, 8), map_top(leaves))
        yield f"root of {n}", root.hex(), c["root"]
        for p in c["proofs"]:
            key, name = unhex(p["key"]), f"key {p['key']} of {n}"
            value = None if p["value"] is None else unhex(p["value"])
            proof = map_prove(leaves, H("mleaf", key))
            yield name, [jsonable(part) for part in proof], [p["siblings"], p["leaf"], p["count"]]
            siblings, leaf, count = proof
            opposite = b"value" if value is None else None
            attempts = [(key, value, siblings, leaf, count), (key, opposite, siblings, leaf, count),
                        (key, value, siblings, leaf, count + 1), (key, value, [*siblings, root], leaf, count),
                        (key + b"\0", value or b"", siblings, leaf, count)]
            yield name + ", proofs", [map_proof_holds(root, *a) for a in attempts], [True] + [False] * 4


def check_bodies(v):
    for c in v["cases"]:
        yield c["name"], encode(to_map(c["fields"], BODIES[c["kind"]])).hex(), c["body"]
        yield c["name"] + ", read", jsonable(read_body(c["kind"], unhex(c["body"]))), c["fields"]
    r = v["record"]
    inner, salt, genesis_hash = unhex(r["inner"]), unhex(r["salt"]), unhex(r["genesis_hash"])
    named, digest = {"v": 1, **r["fields"]}, H("machine", genesis_hash, inner)
    seed, machine_key = unhex(r["machine_seed"]), unhex(named["machine_key"])
    yield "record", (encode(to_map(named, RECORD)), jsonable(read_record(inner))), (inner, named)
    yield "record digest", digest.hex(), r["record_digest"]
    yield "record signature", (secret(seed)[2], sign(seed, digest).hex()), (machine_key, r["signature"])
    yield "commit", H("seal", salt, inner).hex(), r["commit"]
    yield "inventory digest", H("identity", unhex(named["inventory"])).hex(), r["inventory_digest"]
    yield "challenge", H("challenge", unhex(r["header_hash"]), machine_key).hex(), r["challenge"]
    s = {name: unhex(value) for name, value in v["stake"].items()}
    bond, keys = read_body(6, s["body"]), [secret(s[name])[2] for name in ("consensus_seed", "vrf_seed")]
    digest = H("lock", s["genesis_hash"], s["account"], *keys, bond["bls_key"], bond["bls_proof"])
    proofs = sign(s["consensus_seed"], digest), vrf_prove(s["vrf_seed"], digest)
    yield "bond", (digest, *proofs), (s["digest"], bond["signature"], bond["vrf_proof"])
    double = read_body(9, s["evidence"])
    votes = [read_vote(double[name]) for name in ("first", "second")]
    place = be(votes[0]["height"], 8) + be(votes[0]["round"], 4) + be(votes[0]["type"], 1)
    yield "evidence", H("evidence", double["key"], place), s["evidence_id"]
    yield "its votes", [vote_holds(double["key"], vote, s["genesis_hash"]) for vote in votes], [True, True]
    for c in v["invalid"]:
        yield c["name"], refusal(read_body, c["kind"], unhex(c["body"])), c["code"]


def check_envelope_file(v):
    genesis_hash, chain_id = unhex(v["genesis_hash"]), v["chain_id"]
    for c in v["cases"]:
        named, seed = dict(c["fields"]), unhex(c["seed"])
        if not named["pubkey"]:
            del named["pubkey"]
        signed = encode(to_map(named, SIGNED))
        digest = H("txsig", genesis_hash, signed)
        signature = sign(seed, digest)
        envelope = encode([signed, signature])
        ours = signed, digest, signature, envelope, H("tx", envelope)
        yield c["name"], [b.hex() for b in ours], [c[k] for k in ("signed", "digest", "signature", "envelope", "id")]
        env, *rest = read_envelope(unhex(c["envelope"]))
        check_envelope(env, chain_id)
        public = secret(seed)[2]
        yield c["name"] + ", read", (jsonable(env), rest), (named, [signed, signature])
        yield c["name"] + ", sender", (account_of(public), verifies(public, digest, signature)), (env["from"], True)
    for c in v["invalid"]:
        data = unhex(c["envelope"])
        if c["stage"] == "decode":
            yield c["name"], refusal(read_envelope, data), c["code"]
        else:
            yield c["name"], refusal(check_envelope, read_envelope(data)[0], chain_id), c["code"]


def check_receipt(v):
    for c in v["cases"]:
        ident, code, fee, events = (c["fields"][k] for k in ("id", "code", "fee", "events"))
        events = [[unhex(x) if isinstance(x, str) else x for x in event] for event in events]
        yield c["name"], encode([unhex(ident), code, fee, events]).hex(), c["receipt"]
        yield c["name"] + ", read", jsonable(read_receipt(unhex(c["receipt"]))), c["fields"]
    yield "root", list_tree([unhex(c["receipt"]) for c in v["cases"]])[0].hex(), v["root"]
    for c in v["invalid"]:
        yield c["name"], refusal(read_receipt, unhex(c["receipt"])), c["code"]


def check_header(v):
    for c in v["cases"]:
        data = unhex(c["header"])
        yield c["name"], (encode(to_map(c["fields"], HEADER)), H("header", data).hex()), (data, c["hash"])
        yield c["name"] + ", read", jsonable(read_header(data)), c["fields"]
    for c in v["invalid"]:
        yield c["name"], refusal(read_header, unhex(c["header"])), c["code"]


def check_block(v):
    for c in v["cases"]:
        envelopes, body = [unhex(e) for e in c["envelopes"]], unhex(c["body"])
        packed = b"".join(be(o, 4) for o in c["offsets"])
        yield c["name"], (b"".join(envelopes), encode([unhex(c["header"]), body, packed]).hex()), (body, c["block"])
        yield c["name"] + ", read", read_block(unhex(c["block"])), (unhex(c["header"]), body, c["offsets"], envelopes)
        ids = [H("tx", e) for e in envelopes]
        yield c["name"] + ", ids", (jsonable(ids), list_tree(ids)[0].hex()), (c["ids"], c["tx_root"])
        yield c["name"] + ", header", read_header(unhex(c["header"]))["roots"]["tx"].hex(), c["tx_root"]
    for c in v["invalid"]:
        yield c["name"], refusal(read_block, unhex(c["block"])), c["code"]


def check_validator_set(v):
    for c in v["accepted"]:
        data = unhex(c["bytes"])
        rows = [[unhex(m[k]) if k != "bond" else m[k] for k in MEMBER] for m in c["members"]]
        ours = encode(rows), jsonable(read_set(data)), H("set", data).hex()
        yield c["name"], ours, (data, c["members"], c["hash"])
    for c in v["refused"]:
        yield c["name"], refusal(read_set, unhex(c["bytes"])), c["code"]


def check_leader(v):
    beta = beta_0(unhex(v["genesis_hash"]))
    yield "beta_0", beta.hex(), v["beta_0"]
    for c in v["heights"]:
        height, wanted = c["height"], c["leaders_of_rounds"]
        alpha, chosen = vrf_alpha(beta, height), leaders(v["bonds"], beta, height, len(wanted))
        yield f"height {height}", (beta.hex(), alpha.hex()), (c["beta_prev"], c["alpha"])
        for r, leader in enumerate(wanted):
            yield f"height {height}, round {r}", chosen[r], leader
        beta = vrf_verify(unhex(v["vrf_keys"][wanted[0]]), alpha, unhex(c["proof_of_round_0_leader"]))
        yield f"height {height}, beta", beta.hex(), c["beta"]


def check_vote(v):
    genesis_hash, header_hash = unhex(v["genesis_hash"]), unhex(v["header_hash"])
    members = read_set(unhex(v["validator_set"]))
    for c in v["digests"]:
        digest = vote_digest(genesis_hash, c["height"], c["round"], c["type"], unhex(c["hash"]), c["prepared_round"])
        yield f"digest of type {c['type']} round {c['round']}", digest.hex(), c["digest"]
    for n, q in v["quorums"].items():
        yield f"quorum of {n}", quorum(int(n)), q
    for c in v["certificates"]:
        got = refusal(check_certificate, unhex(c["bytes"]), header_hash, v["height"], members, genesis_hash)
        yield c["name"], got, c["code"] or "accepted"
    for c in v["votes"]:
        parts = c["height"], c["round"], c["type"], unhex(c["hash"]), c["prepared_round"]
        signature, vote = unhex(c["signature"]), read_vote(unhex(c["bytes"]))
        yield "vote", (encode(dict(enumerate([*parts, signature]))).hex(), [*vote.values()]), (
            c["bytes"], [*parts, signature])
        digest, key = vote_digest(genesis_hash, *parts), members[0]["consensus_key"]
        yield "vote's digest", (digest.hex(), verifies(key, digest, signature)), (c["digest"], True)
    for c in v["malformed"]:
        read_one = {"vote": read_vote, "certificate": read_certificate}[c["object"]]
        yield c["name"], refusal(read_one, unhex(c["bytes"])), c["code"]


def check_genesis(v):
    for c in v["cases"]:
        genesis, params, members = read_genesis(json.dumps(c["genesis"]))
        ours = params, H("params", params), members, H("set", members), genesis, H("genesis", genesis)
        names = "params_cbor", "params_hash", "validator_set", "validator_set_hash", "genesis_cbor", "genesis_hash"
        for name, got in zip(names, ours, strict=True):
            yield f"{c['name']}, {name}", got.hex(), c[name]
    for c in v["spellings"]:
        yield c["name"], H("genesis", read_genesis(c["text"])[0]).hex(), v["cases"][0]["genesis_hash"]
    for c in v["invalid"]:
        yield c["name"], refusal(read_genesis, c["text"]), c["code"]


def check_bundle(v):
    for c in v["cases"]:
        data, genesis_hash, set_hash = (unhex(c[k]) for k in ("bundle", "genesis_hash", "validator_set_hash"))
        wanted = c["height"], c["header_hash"], c["time_ms"], c["items"]
        yield c["name"], verify_bundle(data, genesis_hash, set_hash), wanted
        yield c["name"] + ", another trusted set", refusal(verify_bundle, data, genesis_hash, bytes(32)), "UNTRUSTED"
    trusted = unhex(v["trusted_genesis_hash"]), unhex(v["trusted_set_hash"])
    for c in v["invalid"]:
        yield c["name"], refusal(verify_bundle, unhex(c["bundle"]), *trusted), c["code"]


def check_keyed_probe(v):
    for c in v["cases"]:
        yield c["challenge"], f"{keyed_probe_1(unhex(c['challenge'])):016x}", c["result"]


def check_scoring(v):
    for c in v["cases"]:
        inventory, samples = read_inventory(unhex(c["inventory"])), read_samples(unhex(c["samples"]))
        policy = [c[name] for name in ("profile", "vm_weight", "uncalibrated_cap", "legacy_cap")]
        wanted = [c[name] for name in ("family", "arch", "class", "model", "base_multiplier", "weight", "payable")]
        yield c["name"], [*score(inventory, samples, c["probe_results"], policy, c["calibrated"])], wanted
    for c in v["flags"]:
        samples = read_samples(unhex(c["samples"]))
        yield c["name"], attest_flags(samples, c["selected"], c["model"], c["recorded"]), c["flags"]
    for c in v["epochs"]:
        found = epoch_weight(c["base"], c["flags"], c["class"], c["profile"], c["vm_weight"], c["legacy_cap"])
        yield f"{c['class']} {c['base']} with flags {c['flags']}", found, c["weight"]
    for c in v["invalid"]:
        def both(inventory, samples):
            read_inventory(inventory)
            read_samples(samples)
        yield c["name"], refusal(both, unhex(c["inventory"]), unhex(c["samples"])), c["code"]
    for c in v["decayed"]:
        yield f"{c['base']} after {c['days']} days", decayed(c["base"], c["days"]), c["result"]


def check_rotation(v):
    for c in v["cases"]:
        yield f"epoch {c['epoch']}", selected(unhex(c["beta"]), c["epoch"]), c["selected"]


def check_signed_reply(v):
    genesis_hash = unhex(v["genesis_hash"])

    def digest_of(c):
        target, request = c["target"].encode("ascii"), unhex(c["request"])
        asked = be(len(target), 4) + target + be(len(request), 4) + request
        return H("attest", genesis_hash, asked, unhex(c["body"]))

    def accept(c, headers, known):
        texts = headers.get("metanode-node", ""), headers.get("metanode-signature", "")
        need(re.fullmatch("[0-9a-f]{64}", texts[0]) and re.fullmatch("[0-9a-f]{128}", texts[1]), "BAD_REPLY")
        key, signature = map(unhex, texts)
        need(not known or key == known, "BAD_REPLY")
        need(verifies(key, digest_of(c), signature), "BAD_REPLY")

    for c in v["cases"]:
        seed, digest = unhex(c["node_seed"]), digest_of(c)
        ours = {"metanode-node": secret(seed)[2].hex(), "metanode-signature": sign(seed, digest).hex()}
        yield c["name"], (digest.hex(), ours, refusal(accept, c, ours, b"")), (c["digest"], c["headers"], "accepted")
    for c in v["invalid"]:
        yield c["name"], refusal(accept, c, c["headers"], unhex(c["known_node"])), c["code"]


def check_noise(v):
    for c in v["cases"]:
        secrets = [{key[0]: unhex(c["secrets"][f"{end} {key}"]) for key in ("static", "ephemeral")}
                   for end in ("initiator", "responder")]
        sent, h, keys = noise_handshake(c["name"], unhex(c["prologue"]), secrets)
        yield c["name"], (sent, h), (c["handshake"], c["handshake_hash"])
        for i, m in enumerate(c["messages"]):
            args = keys[i % 2], i // 2, b""
            got = aead(*args, unhex(m["plaintext"])).hex(), aead(*args, unhex(m["sealed"]), True).hex()
            yield f"{c['name']}, message {i}", got, (m["sealed"], m["plaintext"])


def check_snapshot(v):
    for c in v["cases"] + v["invalid"]:
        entries = [(unhex(key), unhex(value)) for key, value in c["entries"]]
        leaves = [(H("mleaf", key), H("mvalue", value)) for key, value in entries]
        root = H("root", be(len(leaves), 8), map_top(leaves))
        yield c["name"], (root.hex() == c["root"], entries == sorted(entries)), (c in v["cases"], True)


def check_too_large(v):
    readers = {
        "envelope": read_envelope, "body": lambda data: read_body(1, data), "header": read_header, "block": read_block,
        "receipt": read_receipt, "validator set": read_set, "vote": read_vote, "certificate": read_certificate,
        "bundle": lambda data: verify_bundle(data, b"", b""),
        "genesis": lambda data: read_genesis(data.decode("ascii"))}
    for c in v["cases"]:
        data = b"".join(unhex(part) * times_ for part, times_ in c["parts"])
        yield c["name"], refusal(readers[c["object"]], data), c["code"] or "accepted"


def check_execution(v):
    for chain in v["chains"]:
        genesis, _, set_bytes = read_genesis(json.dumps(chain["genesis"]))
        ledger, name = Ledger(genesis), chain["genesis"]["chain_name"]
        entries = [[key.hex(), value.hex()] for key, value in sorted(ledger.state.items())]
        yield f"{name}, genesis", (ledger.genesis_hash.hex(), entries, ledger.root().hex()), (
            chain["genesis_hash"], chain["genesis_state"], chain["genesis_state_root"])
        for c in [*chain["blocks"], None]:
            for bad in chain["refused"]:
                if bad["after"] == len(ledger.headers) - 1:
                    code = refusal(ledger.execute, bad["time_ms"], [unhex(e) for e in bad["envelopes"]])
                    yield f"{name}, {bad['note']}", code, bad["code"]
            if c is None:
                break
            bonds = [member["bond"] for member in ledger.members]
            leader = leaders(bonds, ledger.beta, len(ledger.headers), 1)[0]
            header, receipts, changes = ledger.follow(unhex(c["block"]), unhex(c["certificate"]))
            wanted = c["receipts"], c["changes"], leader, True
            yield f"{name}, {c['note']}", (*map(jsonable, (receipts, changes)), header["proposer_index"],
                                           ledger.supply_holds()), wanted
        for c in chain["bundles"]:
            code = refusal(verify_bundle, unhex(c["bundle"]), ledger.genesis_hash, H("set", set_bytes))
            yield f"{name}, {c['name']}", code, c["code"] or "accepted"


CHECKS = {
    "cbor": check_cbor, "blake3": check_blake3, "hashing": check_hashing, "ed25519": check_ed25519,
    "ed25519_edge": check_ed25519_edge, "ecvrf": check_ecvrf, "accounts": check_accounts, "amounts": check_amounts,
    "decimal_json": check_decimal_json, "merkle": check_merkle, "state_map": check_state_map, "bodies": check_bodies,
    "envelope": check_envelope_file, "receipt": check_receipt, "header": check_header, "block": check_block,
    "validator_set": check_validator_set, "leader": check_leader, "vote": check_vote, "genesis": check_genesis,
    "bundle": check_bundle, "keyed_probe": check_keyed_probe, "scoring": check_scoring,
    "rotation": check_rotation,
    "signed_reply": check_signed_reply, "noise": check_noise, "snapshot": check_snapshot, "too_large": check_too_large,
    "execution": check_execution,
}


def run(name, check, vectors):
    """How many cases agree, and lines about those that do not."""
    count, differing, last = 0, [], "nothing"
    try:
        for case, got, wanted in check(vectors):
            count, last = count + 1, case
            if got != wanted:
                differing.append(f"{name}: {str(case)[:100]}: the vector says {wanted!r}, here it is {got!r}")
    except Refused as error:
        differing.append(f"{name}: after {str(last)[:100]}: refused here with {error}")
    if not count:
        differing.append(f"{name}: no case in it")
    return count, differing


def main(arguments):
    paths = [Path(a) for a in arguments] or [Path(__file__).resolve().parent.parent / "vectors", EDGE_CASES]
    files = [f for path in paths for f in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    if not files:
        print("no vector files found")
        return 1
    for name, file in [("page examples", None)] + [(f.stem, f) for f in files]:
        check = CHECKS.get(name) if file else check_page
        if check is None:
            count, differing = 0, [f"{name}: a vector file that is not on the page"]
        else:
            count, differing = run(name, check, json.loads(file.read_text(encoding="utf-8")) if file else None)
        print(f"{name}: {count} checked", flush=True)
        if differing:
            print("\n".join(differing))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A second implementation of the wire format, and nothing else: it recomputes every vector.

Written from docs/wire_format.md and the standards that page cites (RFC 8949, 8032, 9381, 9162, BIP-350, the BLAKE3
paper). It shares no code with metanode and needs only the standard library, so that a vector which agrees with both
implementations means that the page says enough. It is slow and not constant-time: for checking, never for keys.

    python verify_vectors.py [directory or vector file ...]        default: the vectors directory beside this one

Prints `name: N checked` for each file. Exits with 1 at the first file in which something differs, and lists what.
Not compared: `mentions` and `lines_mention`, which are words of one implementation's messages.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

U64 = 2**64


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


def read_item(data, start, depth):
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
        except UnicodeDecodeError:
            raise Refused("NOT_CANONICAL", at) from None
    need(depth <= 8, "NOT_CANONICAL", start)
    if major == 4:
        items = []
        for _ in range(number):
            value, at = read_item(data, at, depth + 1)
            items.append(value)
        return items, at
    entries, last = {}, -1
    for _ in range(number):
        key_major, key, after = head(data, at)
        need(key_major == 0 and key > last, "NOT_CANONICAL", at)
        entries[key], at = read_item(data, after, depth + 1)
        last = key
    return entries, at


def decode(data, limit=None):
    need(limit is None or len(data) <= limit, "TOO_LARGE")
    value, end = read_item(data, 0, 1)
    need(end == len(data), "NOT_CANONICAL", end)
    return value


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
    for pair in array(value, at_most=16):
        number, _ = map(uint, array(pair, 2))
        need(number > last)
        last = number
    return value


def fields(value, shapes, optional=None):
    """The fields of a map by name; shapes is {key: (name, shape)}."""
    need(isinstance(value, dict) and set(shapes) - {optional} <= set(value) <= set(shapes))
    return {name: shape(value[key]) for key, (name, shape) in shapes.items() if key in value}


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
RECORD = numbered(("v", uint), ("machine_key", exactly(32)), ("owner", exactly(20)), ("binding_tag", exactly(32)),
                  ("inventory", up_to(4096, "INVENTORY_TOO_LARGE")), ("challenge_height", uint),
                  ("probe_results", probe_results), ("samples", up_to(256)), ("agent", text64))
BODIES = {
    1: numbered(("to", exactly(20)), ("amount", uint), ("memo", up_to(256))),
    2: numbered(("commit", exactly(32))),
    3: numbered(("salt", exactly(32)), ("inner", bstr), ("signature", exactly(64))),
    4: numbered(("challenge_height", uint), ("inventory_digest", exactly(32)), ("samples", up_to(256)),
                ("probe_results", probe_results), ("agent", text64)),
}
NONCELESS = {4}


def read_record(data):
    record = fields(decode(data), RECORD)
    need(record["v"] == 1, "BAD_VERSION")
    return record


def read_body(kind, data):
    body = fields(decode(data), BODIES[kind])
    if kind == 1:
        need(body["amount"] > 0, "ZERO_AMOUNT")
    if kind == 3:
        read_record(body["inner"])
    return body


def read_envelope(data):
    signed, signature = array(decode(data, 65536), 2)
    exactly(64)(signature)
    return fields(decode(bstr(signed)), SIGNED, optional=9), signed, signature


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


# --- 13. Header, 14. Block, 15. Receipts ---------------------------------------------------------------------------

ROOTS = numbered(*((name, exactly(32)) for name in ("tx", "receipts", "state")), first=1)
HEADER = numbered(("version", uint), ("chain_id", uint), ("height", uint), ("time_ms", uint), ("proposer_index", uint),
                  ("prev_hash", exactly(32)), ("roots", lambda v: fields(v, ROOTS)),
                  ("validator_set_hash", exactly(32)), ("next_validator_set_hash", exactly(32)),
                  ("params_hash", exactly(32)), ("vrf_proof", exactly(80)))


def read_header(data):
    header = fields(decode(data, 1024), HEADER)
    need(header["version"] == 1, "BAD_VERSION")
    need(header["height"] >= 1, "BAD_HEADER")
    return header


def read_block(data):
    """Header bytes, body bytes, offsets, envelopes."""
    header, body, packed = map(bstr, array(decode(data), 3))
    need(packed and len(packed) % 4 == 0)
    need(len(body) <= 2**20 and len(packed) <= 4 * 10001, "TOO_LARGE")
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


def check_certificate(data, header_hash, height, members, genesis_hash):
    cert = fields(decode(data, 16384), numbered(
        ("height", uint), ("round", uint), ("hash", exactly(32)), ("bitmap", bstr),
        ("signatures", lambda v: [exactly(64)(s) for s in array(v)])))
    bits = int.from_bytes(cert["bitmap"], "little")
    signers = [m["consensus_key"] for i, m in enumerate(members) if bits >> i & 1]
    need(cert["height"] == height and cert["hash"] == header_hash and cert["round"] < 2**32, "BAD_CERTIFICATE")
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
    ("min_fee", 0, U64 - 1), ("pot_per_epoch", 0, 10**15), ("settle_per_block", 1, 10**6),
    ("reveal_window_blocks", 1, 10**6), ("machines_per_sponsor_epoch", 0, 10**6), ("block_bytes_max", 65536, 2**20),
    ("block_envelopes_max", 1, 10000), ("attests_per_block_max", 0, 10000), ("vm_weight", 0, 10**9),
    ("trust_period_s", 0, 10**9), ("evidence_epochs", 0, 10000), ("reveal_blocks", 1, 10000), ("bond_min", 0, U64 - 1))


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

    try:
        return json.loads(text, object_pairs_hook=once, parse_float=no, parse_constant=no)
    except ValueError:
        raise Refused("BAD_JSON") from None


def read_genesis(text):
    """Canonical genesis, parameters and validator set of a genesis file."""
    doc = keyed(strict_json(text), ("version", "chain_name", "chain_id", "genesis_ms", "params", "validators",
                                    "accounts", "treasury"))
    ranged(doc["version"], 1, 1)
    setting(isinstance(doc["chain_name"], str) and re.fullmatch("[a-z0-9][a-z0-9-]{0,31}", doc["chain_name"]))
    params = keyed(doc["params"], [name for name, *_ in PARAMETERS])
    setting(params["profile"] in PARAMETERS[0][1:])
    for name, low, high in PARAMETERS[1:]:
        ranged(params[name], low, high)
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
                         hex_of(member["bls"], 48) if "bls" in member else b""])
        set_bytes = encode(sorted(rows))
        read_set(set_bytes)
        for address, balance in doc["accounts"].items():
            account = read_account(address)
            setting(account not in accounts)
            accounts[account] = ranged(balance, 1, U64 - 1)
    except Refused:
        raise Refused("BAD_SETTING") from None
    setting(sum(accounts.values()) + ranged(doc["treasury"], 0, U64 - 1) < U64)
    ranged(doc["chain_id"], 1, U64 - 1)
    ranged(doc["genesis_ms"], 0, U64 - 1)
    genesis = {0: 1, 1: doc["chain_name"], 2: doc["chain_id"], 3: doc["genesis_ms"], 4: params_bytes, 5: set_bytes,
               6: [list(pair) for pair in sorted(accounts.items())], 7: doc["treasury"]}
    return encode(genesis), params_bytes, set_bytes


# --- 21. Proof bundles ---------------------------------------------------------------------------------------------

def hashes(value, at_most):
    return [exactly(32)(h) for h in array(value, at_most=at_most)]


def read_bundle_item(item):
    need(array(item) and item[0] in (1, 2) and len(item) == 7)
    if item[0] == 1:
        _, envelope, receipt, index, count, tx_path, receipt_path = item
        need(uint(count) >= 1)
        return 1, bstr(envelope), bstr(receipt), uint(index), count, hashes(tx_path, 32), hashes(receipt_path, 32)
    _, key, value, present, siblings, leaf, count = item
    need(uint(present) in (0, 1) and len(array(leaf)) in (0, 2) and (present or value == b""))
    return 2, bstr(key), bstr(value), present, hashes(siblings, 256), hashes(leaf, 2), uint(count)


def verify_bundle(data, trusted_genesis, trusted_set):
    bundle = fields(decode(data, 2**20), numbered(
        ("v", uint), ("genesis_hash", exactly(32)), ("header", bstr), ("certificate", bstr), ("set", bstr),
        ("items", lambda v: [read_bundle_item(item) for item in array(v, at_most=256)])))
    need(bundle["v"] == 1, "BAD_VERSION")
    header, members = read_header(bundle["header"]), read_set(bundle["set"])
    genesis_hash, header_hash, set_hash = bundle["genesis_hash"], H("header", bundle["header"]), H("set", bundle["set"])
    need(genesis_hash == trusted_genesis and set_hash == trusted_set, "UNTRUSTED")
    need(set_hash == header["validator_set_hash"], "UNTRUSTED")
    need(header["proposer_index"] < len(members), "BAD_HEADER")
    check_certificate(bundle["certificate"], header_hash, header["height"], members, genesis_hash)
    if header["height"] == 1:
        need(header["prev_hash"] == genesis_hash, "BAD_HEADER")
        vrf_key = members[header["proposer_index"]]["vrf_key"]
        vrf_verify(vrf_key, vrf_alpha(beta_0(genesis_hash), 1), header["vrf_proof"])
    roots = header["roots"]
    for kind, *item in bundle["items"]:
        if kind == 2:
            key, value, present, siblings, leaf, count = item
            wanted = value if present else None
            need(map_proof_holds(roots["state"], key, wanted, siblings, leaf, count), "BAD_PROOF")
            continue
        envelope, receipt, index, count, tx_path, receipt_path = item
        env, ident = read_envelope(envelope)[0], H("tx", envelope)
        claimed = read_receipt(receipt)["id"]
        need(env["chain_id"] == header["chain_id"], "WRONG_CHAIN")
        need(claimed == ident and list_proof_holds(roots["tx"], ident, index, count, tx_path), "BAD_PROOF")
        need(list_proof_holds(roots["receipts"], receipt, index, count, receipt_path), "BAD_PROOF")
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
    yield "inventory digest", H("machine", unhex(named["inventory"])).hex(), r["inventory_digest"]
    yield "challenge", H("challenge", unhex(r["header_hash"]), machine_key).hex(), r["challenge"]
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


def check_genesis(v):
    for c in v["cases"]:
        genesis, params, members = read_genesis(json.dumps(c["genesis"]))
        ours = params, H("params", params), members, H("set", members), genesis, H("genesis", genesis)
        names = "params_cbor", "params_hash", "validator_set", "validator_set_hash", "genesis_cbor", "genesis_hash"
        for name, got in zip(names, ours, strict=True):
            yield f"{c['name']}, {name}", got.hex(), c[name]
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


CHECKS = {
    "cbor": check_cbor, "blake3": check_blake3, "hashing": check_hashing, "ed25519": check_ed25519,
    "ed25519_edge": check_ed25519_edge, "ecvrf": check_ecvrf, "accounts": check_accounts, "amounts": check_amounts,
    "decimal_json": check_decimal_json, "merkle": check_merkle, "state_map": check_state_map, "bodies": check_bodies,
    "envelope": check_envelope_file, "receipt": check_receipt, "header": check_header, "block": check_block,
    "validator_set": check_validator_set, "leader": check_leader, "vote": check_vote, "genesis": check_genesis,
    "bundle": check_bundle,
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
    paths = [Path(a) for a in arguments] or [Path(__file__).resolve().parent.parent / "vectors"]
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

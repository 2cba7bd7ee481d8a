"""The peer at the door: Flask and SQLite, one connection and one commit per request, with the checks a node makes.

Run by gunicorn in an environment of its own (`peers.py`); it imports nothing of metanode.  It reads
the very envelopes that the node reads, with C libraries throughout: cbor2, blake3, PyNaCl.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from typing import Any

import cbor2
from blake3 import blake3
from flask import Flask, request
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

DATABASE = os.environ["PEER_DATABASE"]
GENESIS_HASH = bytes.fromhex(os.environ["PEER_GENESIS_HASH"])
CHAIN_ID = 31337
MIN_FEE = 100
BUSY_S = 30.0
STARTED = time.monotonic()

app = Flask(__name__)


@app.get("/health")
def health() -> dict[str, Any]:
    """The same six fields, made without asking the database."""
    uptime_s = int(time.monotonic() - STARTED)
    return {"ok": True, "version": "peer", "uptime_s": uptime_s, "db_rw": True,
            "backup_age_hours": -1, "tip_age_slots": 0}  # fmt: skip


@app.get("/v1/accounts/<account>")
def account(account: str) -> Any:
    """Balance and nonce of an account given as RTC and 40 hex digits."""
    connection = connect()
    try:
        query = "SELECT balance, nonce FROM accounts WHERE id = ?"
        row = connection.execute(query, (bytes.fromhex(account.removeprefix("RTC")),)).fetchone()
    finally:
        connection.close()
    if row is None:
        return {"ok": False, "code": "NOT_FOUND"}, 404
    return {"ok": True, "account": account, "balance": row[0], "nonce": row[1]}


@app.post("/v1/tx")
def submit() -> Any:
    """Decode, check and apply one transfer, durably."""
    try:
        raw = bytes.fromhex(json.loads(request.get_data())["envelope"])
        signed, signature = cbor2.loads(raw)
        fields = cbor2.loads(signed)
        body = cbor2.loads(fields[7])
        sender, nonce, fee, to, amount = fields[3], fields[4], fields[5], body[0], body[1]
        if fields[1] != CHAIN_ID or fields[2] != 1 or fee < MIN_FEE or amount < 1 or to == sender:
            return refusal("BAD_SHAPE")
    except (ValueError, KeyError, TypeError, cbor2.CBORDecodeError):
        return refusal("BAD_SHAPE")
    connection = connect()
    try:
        row = connection.execute("SELECT public_key FROM accounts WHERE id = ?", (sender,)).fetchone()
        key = (row and row[0]) or fields.get(9)
        if key is None or hashlib.sha256(key).digest()[:20] != sender:
            return refusal("PUBKEY_MISSING")
        digest = blake3(GENESIS_HASH + signed, derive_key_context="metanode/v1/txsig").digest()
        try:
            VerifyKey(key).verify(digest, signature)
        except BadSignatureError:
            return refusal("INVALID_SIGNATURE")
        code = apply(connection, raw, sender, nonce, fee, to, amount, key)
    finally:
        connection.close()
    if code:
        return refusal(code)
    return {"ok": True, "id": blake3(raw, derive_key_context="metanode/v1/tx").hexdigest(), "status": "final"}, 202


def apply(
    connection: sqlite3.Connection, raw: bytes, sender: bytes, nonce: int, fee: int, to: bytes, amount: int, key: bytes
) -> str:
    """Check nonce and balance and write everything in one transaction; return what was wrong, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    balance, expected = connection.execute("SELECT balance, nonce FROM accounts WHERE id = ?", (sender,)).fetchone()
    if nonce != expected or balance < amount + fee:
        connection.execute("ROLLBACK")
        return "BAD_NONCE" if nonce != expected else "INSUFFICIENT_FUNDS"
    connection.execute(
        "UPDATE accounts SET balance = balance - ?, nonce = nonce + 1, public_key = ? WHERE id = ?",
        (amount + fee, key, sender),
    )
    connection.execute(
        "INSERT INTO accounts VALUES (?, ?, 0, NULL) "
        "ON CONFLICT (id) DO UPDATE SET balance = balance + excluded.balance",
        (to, amount),
    )
    connection.execute("INSERT INTO transfers (sender, receiver, amount, raw) VALUES (?, ?, ?, ?)",
                       (sender, to, amount, raw))  # fmt: skip
    connection.execute("COMMIT")
    return ""


def refusal(code: str) -> Any:
    """Return the answer that refuses."""
    return {"ok": False, "code": code}, 400


def connect() -> sqlite3.Connection:
    """Open the database, every commit synced."""
    connection = sqlite3.connect(DATABASE, timeout=BUSY_S, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    return connection

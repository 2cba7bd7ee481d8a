"""Read-only routes about stake: who has a seat, who is a candidate, in jail or leaving, and with how much."""

from __future__ import annotations

from typing import Any

from metanode.core.hooks import PluginContext
from metanode.core.http import Request, Response, Route, json_response
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.amounts import amount_json
from metanode.core.model.errors import Rejection
from metanode.core.model.validators import Validator, decode_set, set_hash
from metanode.core.model.vote import quorum
from metanode.plugins.ledger.attested.entries import Stake
from metanode.plugins.ledger.attested.fields import hex_bytes, page_of
from metanode.plugins.ledger.attested.ledger import AttestedLedger
from metanode.plugins.ledger.attested.state import LedgerState


class StakeRoutes:
    """Handlers of the routes below."""

    def __init__(self, context: PluginContext, ledger: AttestedLedger) -> None:
        self._context = context
        self._rules = ledger.rules

    def routes(self) -> tuple[Route, ...]:
        """Return the routes."""
        return (
            Route("GET", "/v1/validators", self.validators, "the acting set, and who is bonded; ?limit&offset"),
            Route("GET", "/v1/validators/{hash}", self.one_set, "a set by its hash: acting, late or first"),
        )

    async def one_set(self, request: Request) -> Response:
        """Return the canonical bytes of a set: what a light client needs behind the header that names it."""
        wanted = hex_bytes(request.params["hash"], "hash")
        state = LedgerState(self._context.roles.consensus.head.state)
        past = state.past_set(wanted)
        known = [state.next_set(), self._rules.genesis.validators, *([past.encoded] if past else [])]
        for encoded in known:
            if set_hash(encoded) == wanted:
                members = [_member(place, member) for place, member in enumerate(decode_set(encoded))]
                last = past.last_height if past and encoded == past.encoded else None
                facts = {"set_hash": wanted.hex(), "last_height": last, "bytes": encoded.hex()}
                return json_response({"ok": True, **facts, "set": members})
        raise Rejection("NOT_FOUND", f"no set with hash {wanted.hex()} is kept", "a hash of GET /v1/validators")

    async def validators(self, request: Request) -> Response:
        """Return the set that certifies the next block, and a page of the bonded accounts by rising id."""
        limit, offset = page_of(request.query)
        head = self._context.roles.consensus.head
        state, schedule = LedgerState(head.state), self._rules.schedule
        encoded = state.next_set()
        members, stakes = decode_set(encoded), state.stakes()
        places = {member.account: place for place, member in enumerate(members)}
        epoch, params = schedule.epoch(head.time_ms), self._rules.params
        return json_response(
            {
                "ok": True,
                "height": head.height,
                "epoch": epoch,
                "epoch_end_ms": schedule.epoch_start_ms(epoch + 1),
                "set_hash": set_hash(encoded).hex(),
                "needed": quorum(len(members)),
                "bond_min": amount_json(params.bond_min),
                "unbonding_epochs": params.unbonding_epochs,
                "past_sets": [
                    {"set_hash": ident.hex(), "last_height": past.last_height}
                    for ident, past in sorted(state.past_sets(), key=lambda pair: pair[1].last_height)
                ],
                "set": [_member(place, member) for place, member in enumerate(members)],
                "count": len(stakes),
                "limit": limit,
                "offset": offset,
                "bonded": [
                    _stake(account, stake, places.get(account), max(1, params.bond_min))
                    for account, stake in stakes[offset : offset + limit]
                ],
            }
        )


def _member(place: int, member: Validator) -> dict[str, Any]:
    return {
        "index": place,
        "account": to_bech32m(member.account),
        "consensus_key": member.consensus_key.hex(),
        "bond": amount_json(member.bond),
    }


def _stake(account: bytes, stake: Stake, place: int | None, least: int) -> dict[str, Any]:
    return {
        "account": to_bech32m(account),
        "status": status(stake, seated=place is not None, least=least),
        "index": place,
        "bond": amount_json(stake.bond),
        "consensus_key": stake.consensus_key.hex(),
        "vrf_key": stake.vrf_key.hex(),
        "bls_key": stake.bls_key.hex(),
        "bls_proof": stake.bls_proof.hex(),
        "admitted": bool(stake.admitted),
        "jailed": bool(stake.jailed),
        "leaving": bool(stake.leaving),
        "release_epoch": stake.release or None,
    }


def status(stake: Stake, *, seated: bool, least: int) -> str:
    """Return in one word what a bonded account is.

    `seated` validates and will go on to; `jailed` voted twice; `leaving` loses its seat at the next settlement;
    `unbonding` waits for its coins; `joining` gets a seat at the next settlement; `short` is admitted with too small a
    bond; `candidate` waits for the members' votes.
    """
    if stake.release:
        return "unbonding"
    if stake.jailed:
        return "jailed"
    if stake.leaving or (seated and not stake.admitted):
        return "leaving"
    if stake.admitted and stake.bond < least:
        return "short"
    if seated:
        return "seated"
    return "joining" if stake.admitted else "candidate"

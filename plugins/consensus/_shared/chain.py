"""Build, check and store blocks on top of the head: the part no engine may do differently.

A block's validity is a function of its parent's state and its own bytes (protocol.md section 3);
`check` is that function, `assemble` makes blocks that pass it, `commit` makes one durable and tells
the node.  Which block to make and when is final is the engine's business.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from metanode.core.bus import BlockFinalized, Bus
from metanode.core.model import ecvrf, leader
from metanode.core.model.block import Block, receipts_root, tx_root
from metanode.core.model.envelope import Envelope, decode_envelope
from metanode.core.model.errors import CodecError, InvalidBlock, Rejection, StorageError
from metanode.core.model.genesis import Genesis
from metanode.core.model.header import VERSION as HEADER_VERSION
from metanode.core.model.header import Header, Roots, decode_header, header_hash
from metanode.core.model.limits import HEADERS_PER_READ_MAX
from metanode.core.model.state_map import StateMap
from metanode.core.model.validators import decode_set, set_hash
from metanode.core.model.vote import Certificate, decode_certificate
from metanode.core.roles import (
    BlockCommit,
    BlockFields,
    BlockRecord,
    Execution,
    Head,
    Ledger,
    Mempool,
    Storage,
)
from metanode.plugins.consensus._shared.headers import HeaderIndex


@dataclass(frozen=True)
class Proposal:
    """A block and what it does, not yet final."""

    block: Block
    header: Header
    header_hash: bytes
    execution: Execution
    receipts: Sequence[bytes]
    """The encoded receipts of the execution."""


class Chain:
    """The head and the ways to move it by one block."""

    def __init__(
        self, genesis: Genesis, storage: Storage, ledger: Ledger, mempool: Mempool, bus: Bus, log: logging.Logger
    ) -> None:
        self._genesis = genesis
        self._storage = storage
        self._ledger = ledger
        self._mempool = mempool
        self._bus = bus
        self._log = log
        self._validator_set = b""
        self._headers = HeaderIndex(genesis.hash, genesis.genesis_ms, genesis.params.look_back_ms)
        self._head: Head | None = None
        self._grown = trio.Event()

    @property
    def head(self) -> Head:
        """The newest final block; genesis before `recover` has run."""
        if self._head is None:
            return self._genesis_head(self._ledger.genesis_state())
        return self._head

    @property
    def validator_set(self) -> bytes:
        """The canonical set that certifies the next block."""
        return self._validator_set

    async def recover(self) -> None:
        """Rebuild the head from storage and hold it against its own header.

        :raises StorageError: the stored state does not give the root in the newest header.
        """
        genesis_state = self._ledger.genesis_state()
        self._validator_set = self._ledger.validator_set(genesis_state)
        await self._storage.put_genesis(list(genesis_state.items()), [])
        height, entries = await self._storage.load_state()
        if height == 0:
            self._head = self._genesis_head(genesis_state)
            return
        record = await self._storage.block(height)
        if record is None:
            raise StorageError("STORAGE_CORRUPT", f"the newest block, height {height}, is missing from storage")
        header = decode_header(record.block.header)
        state = StateMap.from_entries(entries)
        if state.root != header.roots.state or header_hash(record.block.header) != record.header_hash:
            raise StorageError("STORAGE_CORRUPT", f"the stored state does not give the state root of block {height}")
        await self._recover_headers(height)
        self._validator_set = self._ledger.validator_set(state)
        if set_hash(self._validator_set) != header.next_validator_set_hash:
            raise StorageError("STORAGE_CORRUPT", f"the stored validator set is not the one block {height} names")
        self._head = Head(
            height=height,
            header_hash=record.header_hash,
            time_ms=header.time_ms,
            beta=ecvrf.proof_to_hash(header.vrf_proof),
            state=state,
            header=header,
            certificate=decode_certificate(record.certificate),
            ancestors=self._headers,
        )

    def fields(self, now_ms: int, proposer_index: int) -> BlockFields:
        """Return the fields of a fresh block: time never goes back, even when the clock does."""
        head = self.head
        return BlockFields(head.height + 1, max(now_ms, head.time_ms + 1), proposer_index)

    def assemble(self, fields: BlockFields, candidates: Sequence[Envelope], vrf_proof: bytes) -> Proposal:
        """Build the block that holds as many candidates as may stand, in their order."""
        execution = self._ledger.execute(self.head, fields, candidates, assemble=True)
        receipts = [receipt.encode() for receipt in execution.receipts]
        header = self._header(fields, execution, receipts, vrf_proof)
        raw = header.encode()
        block = Block.build(raw, [envelope.raw for envelope in execution.included])
        return Proposal(block, header, header_hash(raw), execution, receipts)

    def check(self, block: Block) -> Proposal:
        """Apply every rule of a block on top of the head.

        :raises InvalidBlock: with the code of the first rule that fails.
        """
        header = decode_header(block.header)
        head = self.head
        if header.height != head.height + 1 or header.prev_hash != head.header_hash:
            raise InvalidBlock("BAD_HEADER", f"block {header.height} does not follow the head at {head.height}")
        if header.time_ms <= head.time_ms:
            raise InvalidBlock("BAD_HEADER", f"time {header.time_ms} is not after the parent's {head.time_ms}")
        validators = decode_set(self._validator_set)
        if header.proposer_index >= len(validators):
            raise InvalidBlock("BAD_HEADER", f"proposer {header.proposer_index} is outside a set of {len(validators)}")
        alpha = leader.alpha(head.beta, header.height)
        if ecvrf.verify(validators[header.proposer_index].vrf_key, alpha, header.vrf_proof) is None:
            raise InvalidBlock("BAD_VRF", f"the VRF proof of block {header.height} does not verify")
        fields = BlockFields(header.height, header.time_ms, header.proposer_index)
        try:
            envelopes = [decode_envelope(raw) for raw in block.envelope_bytes()]
            execution = self._ledger.execute(head, fields, envelopes, assemble=False)
        except (Rejection, CodecError) as error:  # anything else is this node's fault, not the block's
            raise InvalidBlock(error.code, error.message, error.expected) from error
        receipts = [receipt.encode() for receipt in execution.receipts]
        expected = self._header(fields, execution, receipts, header.vrf_proof)
        if expected.encode() != block.header:
            raise InvalidBlock(
                "BAD_ROOT",
                f"header {header.height} differs from the one its block gives: {_difference(header, expected)}",
            )
        return Proposal(block, header, header_hash(block.header), execution, receipts)

    async def commit(self, proposal: Proposal, certificate: Certificate) -> None:
        """Make a certified block durable, then move the head and tell the node."""
        execution = proposal.execution
        included = [envelope.id for envelope in execution.included]
        certified_by, after = self._validator_set, execution.validator_set
        dropped = [entry.envelope.id for entry in execution.dropped]
        for entry in execution.dropped:
            self._log.info("dropped envelope=%s reason=%s", entry.envelope.id.hex(), entry.error.line())
        await self._storage.commit(
            BlockCommit(
                record=BlockRecord(
                    proposal.block,
                    proposal.header_hash,
                    certificate.encode(),
                    proposal.receipts,
                ),
                envelope_ids=included,
                changes=execution.changes,
                rows=execution.rows,
                drop_pending=[*included, *dropped],
                next_set=b"" if after == certified_by else after,
            )
        )
        self._headers.append(proposal.header_hash, proposal.header.time_ms)
        self._validator_set = after
        self._head = Head(
            height=proposal.header.height,
            header_hash=proposal.header_hash,
            time_ms=proposal.header.time_ms,
            beta=ecvrf.proof_to_hash(proposal.header.vrf_proof),
            state=execution.state,
            header=proposal.header,
            certificate=certificate,
            ancestors=self._headers,
        )
        self._mempool.advance(self._head, included, dropped)
        self._bus.publish(
            BlockFinalized(self._head.height, self._head.header_hash, self._head.time_ms, len(execution.included))
        )
        for event in execution.events:
            self._bus.publish(event)
        self._grown.set()
        self._grown = trio.Event()

    async def wait_for_height(self, height: int) -> Head:
        """Return the head once it stands at `height` or above."""
        while self.head.height < height:
            await self._grown.wait()
        return self.head

    def _header(self, fields: BlockFields, execution: Execution, receipts: Sequence[bytes], vrf_proof: bytes) -> Header:
        return Header(
            version=HEADER_VERSION,
            chain_id=self._genesis.chain_id,
            height=fields.height,
            time_ms=fields.time_ms,
            proposer_index=fields.proposer_index,
            prev_hash=self.head.header_hash,
            roots=Roots(
                tx=tx_root([envelope.id for envelope in execution.included]),
                receipts=receipts_root(receipts),
                state=execution.state.root,
            ),
            validator_set_hash=set_hash(self._validator_set),
            next_validator_set_hash=set_hash(execution.validator_set),
            params_hash=execution.params_hash,
            vrf_proof=vrf_proof,
        )

    def _genesis_head(self, state: StateMap) -> Head:
        genesis = self._genesis
        return Head(
            height=0,
            header_hash=genesis.hash,
            time_ms=genesis.genesis_ms,
            beta=leader.beta_zero(genesis.hash),
            state=state,
            header=None,
            certificate=None,
            ancestors=self._headers,
        )

    async def _recover_headers(self, height: int) -> None:
        """Read back the window of headers, newest page first, until it is full or the first block is reached."""
        begins, ancestors = await self._storage.origin()
        window_ms = self._genesis.params.look_back_ms
        pages: list[list[tuple[bytes, int]]] = []
        last, newest_ms = height, -1
        while last >= begins:
            first = max(begins, last - HEADERS_PER_READ_MAX + 1)
            page = [
                (header_hash(raw), decode_header(raw).time_ms) for _, raw, _ in await self._storage.headers(first, last)
            ]
            if len(page) != last - first + 1:
                raise StorageError("STORAGE_CORRUPT", f"headers {first} to {last} are not all in storage")
            pages.append(page)
            newest_ms = max(newest_ms, page[-1][1])
            last = first - 1
            if page[0][1] < newest_ms - window_ms:
                break
        else:
            pages.append(ancestors)
            last -= len(ancestors)
        self._headers.start_at(last + 1)
        for page in reversed(pages):
            for entry in page:
                self._headers.append(*entry)


def _difference(header: Header, expected: Header) -> str:
    names = [name for name in header.__dataclass_fields__ if getattr(header, name) != getattr(expected, name)]
    if names == ["roots"]:
        names = [
            f"roots.{name}"
            for name in ("tx", "receipts", "state")
            if getattr(header.roots, name) != getattr(expected.roots, name)
        ]
    return ", ".join(names)

"""The role object: roles.Mempool around the pure `Pool`.

An envelope is decoded once, checked by the ledger in a worker thread, given a place in the pool,
saved, and only then acknowledged and shown to blocks.  A place is taken before saving so that
nothing is saved that the pool then refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import trio

from metanode.core.bus import EnvelopeAdmitted
from metanode.core.hooks import PluginContext
from metanode.core.model.envelope import Envelope, decode_envelope
from metanode.core.model.errors import MetanodeError, Rejection, StorageError
from metanode.core.model.hashing import H_many
from metanode.core.peers import POOL_SOURCE
from metanode.core.roles import Admission, Head
from metanode.plugins.mempool.fifo.entry import Entry, Gone
from metanode.plugins.mempool.fifo.groups import GROUP_ENVELOPES_MAX, Batch, Groups
from metanode.plugins.mempool.fifo.pool import Pool
from metanode.plugins.mempool.fifo.sources import SourceLimiter

SWEEP_S = 10.0
"""How often the pool looks for envelopes whose time is over, seconds."""

PASSING = frozenset({"INSUFFICIENT_FUNDS", "KIND_CAP", "SPONSOR_CAP"})
"""Refusals that a later block may lift: no reason to forget, at a restart, what was acknowledged."""


_Verdict = Entry | MetanodeError | None
"""What a check found: the envelope waits already, why it is refused, or nothing against it."""


@dataclass(frozen=True)
class _Placed:
    """A group with its places, not yet saved."""

    outcomes: list[tuple[Entry, bool] | Admission]
    """In the order of the group: an entry and whether it waited before, or a refusal."""
    left: list[Entry]
    """What had to leave for it."""


class FifoMempool:
    """Envelopes that wait for a block."""

    def __init__(self, context: PluginContext) -> None:
        settings = context.settings
        self._context = context
        self._pool = Pool(entries_max=settings["entries_max"], bytes_max=settings["bytes_max_mib"] << 20)
        self._ttl_s: int = settings["ttl_s"]
        exempt = (POOL_SOURCE, *settings["exempt_sources"])
        self._sources = SourceLimiter(settings["requests_per_minute"], exempt=exempt)
        self._groups = Groups(self._check, self._place_group, self._save_group)
        self._head: Head | None = None
        self._to_drop: list[bytes] = []
        self._drops_wait = trio.Event()
        self._ready = trio.Event()
        self._accepted = context.metrics.counter("mempool_accepted_total", "Envelopes accepted into the pool.")
        self._entries = context.metrics.gauge("mempool_entries", "Envelopes that wait.")
        self._bytes = context.metrics.gauge("mempool_bytes", "Encoded bytes of the envelopes that wait.")

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Forget what is too old, and take what left the pool out of storage."""
        task_status.started()
        while True:
            with trio.move_on_after(SWEEP_S):
                await self._drops_wait.wait()
            self._drops_wait = trio.Event()
            if self._head is not None:
                self._discard(self._pool.expire(height=self._head.height + 1, now_s=self._now_s()))
                self._changed()
            # What came back meanwhile is saved again, or still; it must stay.
            dropping = [envelope_id for envelope_id in self._to_drop if self._pool.get(envelope_id) is None]
            self._to_drop = []
            if dropping:
                await self._context.roles.storage.drop_pending(dropping)

    async def recover(self, head: Head) -> None:
        """Take up again what was acknowledged before a restart and can still be included."""
        self._head = head
        saved = await self._context.roles.storage.load_pending()
        envelopes = self._read_saved(saved)
        for start in range(0, len(envelopes), GROUP_ENVELOPES_MAX):
            await self._recover_batch(envelopes[start : start + GROUP_ENVELOPES_MAX])
        self._changed()
        if saved:
            self._context.log.info("recovered %d of %d pending envelopes", self._pool.stats()["entries"], len(saved))

    async def submit(self, raw: Sequence[bytes], *, source: str) -> list[Admission]:
        """Decode, check, place and save; answer in order."""
        refusal = self._refuse_request(source, len(raw))
        answers: list[Admission] = []
        if refusal is not None:
            answers = [Admission(None, refusal) for _ in raw]
        else:
            for start in range(0, len(raw), GROUP_ENVELOPES_MAX):
                answers += await self._submit_batch(raw[start : start + GROUP_ENVELOPES_MAX])
        for answer in answers:
            if answer.error is not None:
                self._count(answer.error)
        return answers

    def advance(self, head: Head, included: Sequence[bytes], dropped: Sequence[bytes]) -> None:
        """Follow the new head: forget what is done with and what it makes impossible."""
        self._head = head
        gone, all_known = self._pool.include(included)
        for envelope_id in dropped:
            self._pool.remove(envelope_id, Gone.DROPPED)
        if not all_known:
            # Others' envelopes were included: any sender's nonce may have moved.
            nonces = {sender: self._base(sender) for sender in self._pool.senders()}
        else:
            # In a block a sender's nonces rise one by one, so the last one stands below its next.
            nonces = {entry.envelope.sender: entry.envelope.nonce + 1 for entry in gone if self._pays(entry)}
        self._discard(self._pool.rebase(nonces))
        self._discard(self._pool.expire(height=head.height + 1, now_s=self._now_s()))
        self._changed()

    def select(self, *, count_max: int, bytes_max: int) -> list[Envelope]:
        """Return envelopes for the next block."""
        if self._head is None:
            return []
        beta = self._head.beta
        return self._pool.select(
            count_max=count_max,
            bytes_max=bytes_max,
            attests_max=self._context.genesis.params.attests_per_block_max,
            rank=lambda ids: H_many("leader", [beta + envelope_id for envelope_id in ids]),
        )

    def pending(self, envelope_id: bytes) -> Envelope | None:
        """Return a waiting envelope by id."""
        entry = self._pool.get(envelope_id)
        return None if entry is None else entry.envelope

    def next_nonce(self, account: bytes) -> int:
        """Return the nonce the account's next envelope should carry; 0 before `recover`."""
        return self._pool.next_nonce(account, self._base(account)) if self._head is not None else 0

    async def wait_for_envelopes(self) -> None:
        """Return when a block could include something."""
        await trio.lowlevel.checkpoint()
        while not self._pool.has_ready:
            await self._ready.wait()

    def stats(self) -> Mapping[str, int]:
        """Return counts and bytes, whole and per lane."""
        return self._pool.stats()

    async def _submit_batch(self, batch: Sequence[bytes]) -> Sequence[Admission]:
        if len(batch) == 1:  # nearly always
            try:
                envelope = decode_envelope(batch[0])
            except MetanodeError as error:
                return [Admission(None, error)]
            return await self._groups.admit([envelope])
        answers: list[Admission | None] = []
        envelopes: list[Envelope] = []
        for raw in batch:
            try:
                envelopes.append(decode_envelope(raw))
                answers.append(None)
            except MetanodeError as error:
                answers.append(Admission(None, error))
        admitted = iter(await self._groups.admit(envelopes) if envelopes else ())
        return [next(admitted) if answer is None else answer for answer in answers]

    async def _check(self, envelopes: Batch) -> list[_Verdict]:
        """Check what does not wait already, on top of the head of this moment."""
        verdicts: list[_Verdict] = [self._pool.get(envelope.id) for envelope in envelopes]
        fresh = [place for place, waiting in enumerate(verdicts) if waiting is None]
        errors = await self._ledger_check([envelopes[place] for place in fresh])
        for place, error in zip(fresh, errors, strict=True):
            verdicts[place] = error
        return verdicts

    async def _ledger_check(self, envelopes: Batch) -> list[MetanodeError | None]:
        check = partial(self._context.roles.ledger.check, self._current_head(), envelopes)
        return await self._context.workers.run(check) if envelopes else []

    def _place_group(self, envelopes: Batch, verdicts: list[_Verdict]) -> _Placed:
        """Give every place on one head: nothing here awaits."""
        placed = _Placed([], [])
        expires_s = self._now_s() + self._ttl_s
        for envelope, verdict in zip(envelopes, verdicts, strict=True):
            if isinstance(verdict, MetanodeError):
                placed.outcomes.append(Admission(envelope.id, verdict))
                continue
            # One that did not wait when it was checked may do so since: another caller's, or the same group's.
            known = verdict or self._pool.get(envelope.id)
            try:
                entry = known or self._place(envelope, placed.left, expires_s)
                placed.outcomes.append((entry, known is not None))
            except MetanodeError as refusal:
                placed.outcomes.append(Admission(envelope.id, refusal))
        return placed

    async def _save_group(self, placed: _Placed) -> list[Admission]:
        entries = [outcome[0] for outcome in placed.outcomes if not isinstance(outcome, Admission)]
        unsaved = {entry.envelope.id: entry for entry in entries if not entry.durable and entry.gone is None}
        failure = await self._save(list(unsaved.values()))
        if failure is None:
            self._discard(placed.left)
        self._changed()
        return [
            outcome if isinstance(outcome, Admission) else self._outcome(*outcome, failure)
            for outcome in placed.outcomes
        ]

    def _place(self, envelope: Envelope, left: list[Entry], expires_s: float) -> Entry:
        """Give an envelope its place; add to `left` those that had to leave for it."""
        head = self._current_head()
        if envelope.valid_until <= head.height:
            raise Rejection("EXPIRED", f"valid until {envelope.valid_until}, the next block is {head.height + 1}")
        lane = self._context.roles.ledger.kinds.get(envelope.kind).lane
        entry, out = self._pool.admit(envelope, lane, base=self._base(envelope.sender), expires_s=expires_s)
        if out:
            left += out
        return entry

    async def _save(self, entries: Sequence[Entry]) -> StorageError | None:
        """Make entries durable; take them out again and return the error when that fails."""
        if not entries:
            return None
        saved = False
        try:
            # Shielded: a caller that goes away must not leave a place that is neither saved nor free.
            with trio.CancelScope(shield=True):
                await self._context.roles.storage.save_pending(
                    [(entry.envelope.id, entry.envelope.raw) for entry in entries]
                )
            saved = True
        except StorageError as error:
            return error
        finally:
            if saved:
                self._accept(entries)
            else:
                for entry in entries:
                    self._pool.remove(entry.envelope.id, Gone.UNSAVED)
        return None

    def _accept(self, saved: Sequence[Entry]) -> None:
        """Show what is durable now to blocks and to the node."""
        publish = self._context.bus.publish
        for entry in saved:
            if entry.gone is not None:
                self._discard([entry])  # its removal was ordered before it was saved
            elif not entry.durable:
                self._pool.confirm(entry)
                self._accepted.add()
                envelope = entry.envelope
                publish(EnvelopeAdmitted(envelope.id, envelope.kind, envelope.sender))

    def _outcome(self, entry: Entry, known: bool, failure: StorageError | None) -> Admission:
        envelope_id = entry.envelope.id
        # Included before it was saved: by another node's block.
        if (entry.durable and entry.gone is None) or entry.gone is Gone.INCLUDED:
            return Admission(envelope_id, None, known=known)
        if failure is not None:
            return Admission(envelope_id, failure)
        assert entry.gone is not None, "what is saved and still has its place is durable"
        return Admission(envelope_id, Rejection("POOL_FULL", f"the envelope lost its place: {entry.gone.value}"))

    def _read_saved(self, saved: Sequence[tuple[bytes, bytes]]) -> list[Envelope]:
        """Return what was saved, senders in order of their first arrival, each one's by nonce.

        Not in the order of saving: an account's first envelope, which shows its key, may have been replaced after
        others of it were saved, and those cannot be checked without it.
        """
        envelopes: list[Envelope] = []
        lost: list[bytes] = []
        for saved_id, raw in saved:
            try:
                envelope = decode_envelope(raw)
                if envelope.id != saved_id:
                    raise Rejection("BAD_SHAPE", f"pending envelope {saved_id.hex()} has the id {envelope.id.hex()}")
                envelopes.append(envelope)
            except MetanodeError as error:
                self._context.log.warning("pending envelope %s is unreadable: %s", saved_id.hex(), error.line())
                lost.append(saved_id)
        self._drop(lost)
        arrived: dict[bytes, int] = {}
        for envelope in envelopes:
            arrived.setdefault(envelope.sender, len(arrived))
        return sorted(envelopes, key=lambda envelope: (arrived[envelope.sender], envelope.nonce))

    async def _recover_batch(self, envelopes: Batch) -> None:
        lost: list[bytes] = []
        left: list[Entry] = []
        expires_s = self._now_s() + self._ttl_s
        for envelope, reason in zip(envelopes, await self._ledger_check(envelopes), strict=True):
            try:
                if reason is not None and reason.code not in PASSING:
                    raise reason
                self._pool.confirm(self._place(envelope, left, expires_s))
            except MetanodeError as refusal:
                self._context.log.info("forgot pending envelope=%s reason=%s", envelope.id.hex(), refusal.line())
                lost.append(envelope.id)
        self._discard(left)
        self._drop(lost)

    def _refuse_request(self, source: str, envelopes: int) -> MetanodeError | None:
        if self._head is None:
            return Rejection("NOT_READY", "the pool is not recovered yet")
        requests = max(1, -(-envelopes // GROUP_ENVELOPES_MAX))
        return self._sources.refusal(source, self._now_s(), requests)

    def _pays(self, entry: Entry) -> bool:
        return not self._context.roles.ledger.kinds.get(entry.envelope.kind).nonceless

    def _base(self, sender: bytes) -> int:
        return self._context.roles.ledger.account(self._current_head().state, sender).nonce

    def _current_head(self) -> Head:
        assert self._head is not None, "nothing is checked before `recover`"
        return self._head

    def _now_s(self) -> float:
        return self._context.clock.monotonic()

    def _discard(self, entries: Sequence[Entry]) -> None:
        self._drop([entry.envelope.id for entry in entries])

    def _drop(self, ids: Sequence[bytes]) -> None:
        if ids:
            self._to_drop += ids
            self._drops_wait.set()

    def _changed(self) -> None:
        stats = self._pool.stats()
        self._entries.set(stats["entries"])
        self._bytes.set(stats["bytes"])
        if self._pool.has_ready:
            self._ready.set()
            self._ready = trio.Event()

    def _count(self, error: MetanodeError) -> None:
        self._context.metrics.counter("mempool_refused_total", "Envelopes refused, by code.", code=error.code).add()

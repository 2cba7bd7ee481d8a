"""Starts of a node on what cuts and kills left, recorded so that they can be cut too.

`python -m powercut.restart HOME DIRECTORY...` starts the critical roles of HOME's chain in each directory, gets one
more envelope accepted and one more block final, and stops.
"""

from __future__ import annotations

import ctypes
import json
import re
import socket
import sys
from pathlib import Path

import trio
import trio.testing

from metanode.core.kernel import Node
from metanode.core.model import kinds
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import build_envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.testing.clock import SeededRandomness, VirtualClock
from metanode.core.testing.workers import InlineWorkers
from powercut.components import FAILING
from powercut.node import NodeSubject

STOPS_WITHIN_S = 1.0
"""After a sync that failed, seconds: before another block is due."""


async def _work(subject: NodeSubject, home: Path, speaker: socket.socket, listener: socket.socket) -> None:
    def tell(answer: dict[str, object]) -> None:
        speaker.send(json.dumps({"directory": str(home), **answer}).encode())
        listener.recv(1 << 16)  # nobody listens; the queue must not fill

    opened = Node.open(
        subject.settings,
        clock=VirtualClock(),
        randomness=SeededRandomness(1),
        workers=InlineWorkers(),
        home=home,
        genesis=subject.genesis,
        identity=subject.identity,
    )
    async with opened as node:
        sponsor, head = subject.identity.sponsor, node.roles.consensus.head
        if head.height:
            tell({"height": head.height, "header_hash": head.header_hash.hex()})
        for waiting, _ in await node.roles.storage.load_pending():
            if node.roles.mempool.pending(waiting):
                tell({"ok": True, "status": "pending", "id": waiting.hex()})
        nonce = node.roles.mempool.next_nonce(sponsor.account)
        envelope = build_envelope(
            chain_id=subject.genesis.chain_id,
            kind=kinds.TRANSFER,
            sender=sponsor.account,
            nonce=nonce,
            fee=subject.genesis.params.min_fee,
            valid_until=head.height + 100,
            body=Transfer(b"\x09" * 20, 1).encode(),
            public_key=sponsor.public_key if nonce == 0 else b"",
            sign=sponsor.sign,
            genesis_hash=subject.genesis.hash,
        )
        (admission,) = await node.roles.mempool.submit([envelope.raw], source="local")
        if admission.error is not None:
            await trio.sleep(STOPS_WITHIN_S)
            raise AssertionError(f"the node goes on after {admission.error}")
        tell({"ok": True, "status": "pending", "id": envelope.id.hex()})
        grown = await node.roles.consensus.wait_for_height(head.height + 1)
        tell({"height": grown.height, "header_hash": grown.header_hash.hex()})


def main(home: str, directories: list[str]) -> None:
    """Start in each directory, one after the other."""
    subject = NodeSubject(Path(home), Path(home))
    recorder = ctypes.CDLL(None)
    speaker, listener = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for directory in directories:

        def work(directory: str = directory) -> None:
            clock = trio.testing.MockClock(autojump_threshold=0)
            trio.run(_work, subject, Path(directory), speaker, listener, clock=clock)

        if failing := re.search(FAILING, directory):
            recorder.recorder_fail_sync(int(failing[2]), failing[1] == "dead")
            try:
                work()
            except MetanodeError:
                assert recorder.recorder_sync_failed(), "the node stopped although no sync had failed"
            recorder.recorder_fail_sync(0, 0)
        work()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

"""A network of real machines, as far as their programs see, whose links are as bad as a test says.

Each port is a network namespace with an address of its own.  A process between them moves every IP packet, so TCP,
UDP and what runs on them meet delay, loss, reordering and cuts as they would in the world.  For kernels without netem.
Needs root (`namespaces.missing`).  It adds up to one millisecond of its own to a delay.

    with ImpairedNet(2, seed=1, impairment=Impairment(delay_ms=50, loss=0.01)) as net:
        with net.spaces[0].inside():
            ...  # sockets and processes of the first machine, 10.77.0.1
        net.cut(source=0)
"""

from __future__ import annotations

import ipaddress
import json
import os
import selectors
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict
from types import TracebackType
from typing import Any

from metanode.core.testing.impairment import Counts, Impairment, Paths
from metanode.core.testing.namespaces import Namespace

NETWORK = ipaddress.IPv4Network("10.77.0.0/24")
PORTS_MAX = 100
"""Most machines of one network."""
MTU = 1500
"""Longest packet of a link, bytes."""
END_S_MAX = 5.0
"""Longest wait for the process between the ports to end."""
READS_MAX = 64
"""Packets taken from one port before the others have their turn."""
PACKET_BYTES_MAX = 65535
"""Longest packet that is read: as long as IP allows."""
COMMAND_BYTES_MAX = 4096
"""Bytes of commands that are read at once."""
_DESTINATION = slice(16, 20)
"""Where an IPv4 header names the destination (RFC 791)."""


def address_of(port: int) -> str:
    """Return the address of a port."""
    return str(NETWORK[port + 1])


class ImpairedNet:
    """The network, for as long as the `with` block lasts."""

    def __init__(self, ports: int, *, seed: int, impairment: Impairment, mtu: int = MTU) -> None:
        if not 2 <= ports <= PORTS_MAX:
            raise ValueError(f"from 2 to {PORTS_MAX} ports")
        self._stack = ExitStack()
        self.spaces: list[Namespace] = []
        """The namespace of each port."""
        with ExitStack() as opened:
            self.spaces = [opened.enter_context(Namespace()) for _ in range(ports)]
            devices = []
            with ExitStack() as given:
                for port, space in enumerate(self.spaces):
                    devices.append(space.open_tun(address_of(port), str(NETWORK.netmask), mtu=mtu))
                    given.callback(os.close, devices[-1])
                settings = {"seed": seed, "devices": devices, "impairment": asdict(impairment)}
                self._mover = subprocess.Popen(
                    [sys.executable, "-m", __name__, json.dumps(settings)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=devices,
                    start_new_session=True,  # Ctrl-C is for who watches, not for the link
                )  # fmt: skip
            opened.callback(self._end)
            self.heal()  # answered once it moves packets
            self._stack = opened.pop_all()

    def __enter__(self) -> ImpairedNet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def impair(self, impairment: Impairment, *, source: int | None = None, target: int | None = None) -> None:
        """Set how bad paths are from now on: those from `source`, to `target`, or all."""
        self._say("impair", source=source, target=target, impairment=asdict(impairment))

    def cut(self, *, source: int | None = None, target: int | None = None) -> None:
        """Let nothing pass from `source`, to `target`, or at all."""
        self._say("cut", source=source, target=target)

    def heal(self) -> None:
        """Undo every cut."""
        self._say("heal")

    def counts(self, source: int, target: int) -> Counts:
        """Return what happened to the packets of one path."""
        return Counts(**self._say("counts", source=source, target=target))

    def _say(self, verb: str, **words: Any) -> Any:
        """Return the answer to a command: what it asks for is in force by then."""
        assert self._mover.stdin is not None
        assert self._mover.stdout is not None
        self._mover.stdin.write(json.dumps({"verb": verb, **words}).encode() + b"\n")
        self._mover.stdin.flush()
        answer = self._mover.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process between the ports has ended with code {self._mover.wait()}")
        return json.loads(answer)

    def _end(self) -> None:
        assert self._mover.stdin is not None
        assert self._mover.stdout is not None
        self._mover.stdin.close()  # it ends with its input, so also when this process is killed
        try:
            self._mover.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            self._mover.kill()
            self._mover.wait()
        self._mover.stdout.close()


class Mover:
    """The process between the ports."""

    def __init__(self, devices: list[int], paths: Paths) -> None:
        self._devices = devices
        self._paths = paths
        self._ports = {ipaddress.IPv4Address(address_of(port)).packed: port for port in range(len(devices))}
        self._selector = selectors.DefaultSelector()
        for port, device in enumerate(devices):
            self._selector.register(device, selectors.EVENT_READ, port)
        self._selector.register(0, selectors.EVENT_READ, None)
        self._commands = b""

    def run(self) -> None:
        """Move packets until the input ends."""
        while True:
            due = self._paths.next_due
            wait_s = None if due is None else max(0.0, due - time.monotonic())
            for key, _ in self._selector.select(wait_s):
                if key.data is not None:
                    self._read(key.data)
                elif not self._obey():
                    return
            for target, packet in self._paths.due(time.monotonic()):
                self._write(target, packet)

    def _read(self, source: int) -> None:
        for _ in range(READS_MAX):
            try:
                packet = os.read(self._devices[source], PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            target = self._ports.get(packet[_DESTINATION]) if packet[0] >> 4 == 4 else None
            if target is not None:
                self._paths.take(source, target, packet, time.monotonic())

    def _write(self, target: int, packet: bytes) -> None:
        with suppress(BlockingIOError):  # a machine that does not keep up loses it, as on a real wire
            os.write(self._devices[target], packet)

    def _obey(self) -> bool:
        """Read commands; False at the end of the input."""
        data = os.read(0, COMMAND_BYTES_MAX)
        *lines, self._commands = (self._commands + data).split(b"\n")
        for line in lines:
            print(json.dumps(self._answer(json.loads(line))), flush=True)
        return bool(data)

    def _answer(self, command: dict[str, Any]) -> Any:
        verb = command.pop("verb")
        if verb == "impair":
            return self._paths.impair(Impairment(**command.pop("impairment")), **command)
        if verb == "counts":
            return asdict(self._paths.counts(**command))
        return self._paths.cut(**command) if verb == "cut" else self._paths.heal()


def main() -> None:
    """Read the settings and move packets."""
    settings = json.loads(sys.argv[1])
    devices = settings["devices"]
    Mover(devices, Paths(settings["seed"], len(devices), Impairment(**settings["impairment"]))).run()


if __name__ == "__main__":
    main()

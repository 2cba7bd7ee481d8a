"""Load on a server over HTTP: wrk where it is installed, else a generator in Python that is slower and says so."""

from __future__ import annotations

import json
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from measuring import UnavailableError, last_line

CONNECTIONS = 64
PYTHON_CONNECTIONS = 16
"""Connections of the generator in Python: more would only measure its own scheduling."""
SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True)
class Loaded:
    """What a load found."""

    requests: int
    wall_s: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests answered per second."""
        return self.requests / self.wall_s


def generator() -> str:
    """Return what makes the load, in words."""
    if shutil.which("wrk"):
        return f"wrk, 1 thread, {CONNECTIONS} connections, same machine"
    return f"a generator in Python (wrk is not installed), {PYTHON_CONNECTIONS} connections, same machine"


def load(url: str, requests: Sequence[str], directory: Path, seconds: int) -> Loaded:
    """Send requests in order, over kept connections where the server keeps them; the last one is repeated.

    :param requests: lines as in `load.lua`.
    :raises UnavailableError: an answer outside 200 to 299, or a connection that broke.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        return _load_in_python(url, requests, seconds)
    file = directory / "requests.txt"
    file.write_text("\n".join(requests) + "\n", encoding="ascii")
    words = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT), url, "--", str(file)]
    done = subprocess.run([wrk, *words], capture_output=True, text=True, timeout=seconds + 60, check=False)
    found = [line for line in done.stdout.splitlines() if line.startswith("LOAD ")]
    if not found:
        raise UnavailableError(f"wrk: {last_line(done.stderr or done.stdout)}")
    row = json.loads(found[0].removeprefix("LOAD "))
    if row["refused"] or row["broken"]:
        found_bad = f"{row['refused']} were refused, {row['broken']} broke"
        raise UnavailableError(f"{url}: of {row['requests']} requests {found_bad}")
    return Loaded(row["requests"], row["wall_us"] / 1e6, row["p50_us"] / 1e3, row["p99_us"] / 1e3)


def _load_in_python(url: str, requests: Sequence[str], seconds: float) -> Loaded:
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 0)
    encoded = iter([_encode(line) for line in requests])
    last = _encode(requests[-1])
    times: list[float] = []
    deadline = time.perf_counter() + seconds

    def client() -> None:
        connection = socket.create_connection(address, timeout=10)
        try:
            while (start := time.perf_counter()) < deadline:
                connection.sendall(next(encoded, last))
                if not _read_reply(connection):
                    connection.close()
                    connection = socket.create_connection(address, timeout=10)
                times.append(time.perf_counter() - start)
        finally:
            connection.close()

    start = time.perf_counter()
    with ThreadPoolExecutor(PYTHON_CONNECTIONS) as pool:
        for future in [pool.submit(client) for _ in range(PYTHON_CONNECTIONS)]:
            try:
                future.result()
            except OSError as error:
                raise UnavailableError(f"{url}: {error}") from None
    wall_s = time.perf_counter() - start
    cuts = statistics.quantiles(times, n=100)
    return Loaded(len(times), wall_s, cuts[49] * 1e3, cuts[98] * 1e3)


def _encode(line: str) -> bytes:
    method, _, rest = line.partition(" ")
    path, _, body = rest.partition(" ")
    length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if method == "POST" else ""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n{body}".encode("ascii")


def _read_reply(connection: socket.socket) -> bool:
    """Read one answer; False when the server ends the connection behind it."""
    data = b""
    while True:
        head, mark, body = data.partition(b"\r\n\r\n")
        if mark:
            fields = head.lower().split(b"\r\n")
            length = next((int(line[15:]) for line in fields if line.startswith(b"content-length:")), None)
            if not fields[0].startswith(b"http/1.1 2") or length is None:
                raise UnavailableError(f"a request was answered {fields[0].decode(errors='replace')}")
            if len(body) >= length:
                return b"connection: close" not in fields
        more = connection.recv(65536)
        if not more:
            raise UnavailableError("the server closed a connection within an answer")
        data += more

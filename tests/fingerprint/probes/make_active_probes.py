"""Make active_probes.json: what each compiled probe must give for a challenge, by the integers of the Python side."""

from __future__ import annotations

import json
from pathlib import Path

from metanode.fingerprint.probes.workload import ACTIVE_PROBES, draw, recompute

HERE = Path(__file__).parent
CHALLENGES = (bytes(32), b"\xff" * 32, bytes(range(32)), bytes(range(255, 223, -1)))


def main() -> None:
    """Write the file."""
    lines = []
    for challenge in CHALLENGES:
        for probe in ACTIVE_PROBES:
            steps, size = draw(challenge, probe).size(probe)
            case = {"challenge": challenge.hex(), "probe": probe, "steps": steps, "bytes": size}
            lines.append("  " + json.dumps({**case, "result": f"{recompute(challenge, probe):016x}"}))
    text = (
        '{\n "source": "metanode (docs/fingerprint.md), made by tests/fingerprint/probes/make_active_probes.py",\n'
        ' "note": "Steps, bytes of memory and result of each compiled probe; the result as 16 hex digits.",\n'
        ' "cases": [\n' + ",\n".join(lines) + "\n ]\n}\n"
    )
    (HERE / "active_probes.json").write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()

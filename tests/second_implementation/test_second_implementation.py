"""The second implementation of the wire format agrees with every vector."""

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VECTORS = sorted((HERE.parent / "vectors").glob("*.json"))


def run(*arguments):
    command = [sys.executable, "-I", str(HERE / "verify_vectors.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_an_implementation_written_from_the_page_alone_agrees_with_every_vector():
    """Each file is covered, and with at least as many checks as it lists cases."""
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    checked = {name: int(count) for name, count in re.findall(r"^(\w+): (\d+) checked$", done.stdout, re.MULTILINE)}
    assert VECTORS
    for file in VECTORS:
        lists = [v for v in json.loads(file.read_text(encoding="utf-8")).values() if isinstance(v, list)]
        assert checked.get(file.stem, 0) >= max(1, sum(map(len, lists))), file.stem


def test_a_changed_vector_is_reported_and_fails_the_run(tmp_path):
    """One other digit in a digest, or a refused input called accepted, ends with exit code 1 and a line about it."""
    changes = ("hashing", '"digest": "e', '"digest": "f'), ("receipt", '"code": "BAD_SHAPE"', '"code": "ACCEPTED"')
    for name, old, new in changes:
        text = (HERE.parent / "vectors" / f"{name}.json").read_text(encoding="utf-8")
        assert old in text
        changed = tmp_path / f"{name}.json"
        changed.write_text(text.replace(old, new, 1), encoding="utf-8")
        done = run(changed)
        assert done.returncode == 1
        assert "the vector says" in done.stdout

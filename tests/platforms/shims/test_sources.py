"""The C of the shims keeps to what an old compiler knows: C99 as GCC 4.0 had it, no heap, no state but one pointer.

No such compiler runs these tests; what is banned here is what it would refuse.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from metanode.platforms.shims import native_build
from metanode.platforms.shims.native_build import Flags, natives

SOURCES = [native.folder / name for native in natives() for name in native.sources]
FILES = sorted({*SOURCES, *(native.folder / name for native in natives() for name in native.headers)})
BANNED = {
    "a keyword of C11": r"_Alignas|_Alignof|_Atomic|_Generic|_Noreturn|_Static_assert|_Thread_local"
    r"|static_assert|alignas|alignof|thread_local",
    "a header of C11": r"(?<=<)(?:stdalign|stdatomic|stdnoreturn|threads|uchar)\.h",
    "a builtin after GCC 4.0": r"__builtin_(?:bswap\w*|shuffle\w*|cpu_\w+|\w+_overflow|assume_aligned|unreachable)"
    r"|__sync_\w+|__atomic_\w+|__auto_type|__int128|__has_\w+|__COUNTER__",
    "an attribute after GCC 4.0": r"target_clones|ifunc|optimize|__attribute__\s*\(\(\s*target",
    "the heap": r"malloc|calloc|realloc|free|alloca|strdup|mmap",
    "state of its own": r"errno|setenv|getenv|signal|atexit|pthread\w*",
}
ALLOWED = {"probes/pages.c": {"mmap"}}
"""The probes measure memory, and get it where it can be given back for sure: from the system."""
POINTERS = {"blake3": {"selected"}, "ed25519": set(), "probes": set()}
"""The only variables: the dispatch pointer of BLAKE3."""


def code_of(path: Path) -> str:
    """Return a file without comments and string contents."""
    text = re.sub(r"/\*.*?\*/", " ", path.read_text(encoding="ascii"), flags=re.S)
    return re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text)


def identifier(path: Path) -> str:
    """Name a case."""
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", FILES, ids=identifier)
@pytest.mark.parametrize("what", BANNED)
def test_nothing_that_gcc_4_0_would_refuse(path: Path, what: str) -> None:
    """A machine of 1999 builds this with the compiler it has."""
    found = set(re.findall(rf"(?<!\w)(?:{BANNED[what]})(?!\w)", code_of(path)))
    found -= ALLOWED.get(identifier(path), set())
    assert not found, f"{identifier(path)} uses {what}: {sorted(found)}"


@pytest.mark.parametrize("path", FILES, ids=identifier)
def test_plain_ascii_without_line_comments_of_cpp(path: Path) -> None:
    """Old tools read it; -std=c89 would be the next step."""
    assert "//" not in code_of(path)
    assert "\t" not in path.read_text(encoding="ascii")


def test_the_altivec_path_reads_no_vector_from_an_unaligned_address() -> None:
    """vec_ld drops the low bits of the address; vec_lvsl and vec_perm, or a copy, are what reads unaligned memory."""
    for path in (path for path in SOURCES if path.name == "altivec.c"):
        code = code_of(path)
        assert "vec_vsx_ld" not in code
        assert "vec_xl" not in code, "an instruction of later processors"


@pytest.mark.parametrize("name", [native.name for native in natives()])
def test_the_list_names_every_file_of_its_folder(name: str) -> None:
    """One list for builds, cross builds and these tests."""
    (native,) = (native for native in natives() if native.name == name)
    assert {path.name for path in native.folder.glob("*.[cS]")} == set(native.sources)
    assert {path.name for path in native.folder.glob("*.h")} == set(native.headers)
    assert set(native.flags) <= set(native.sources)
    assert "-O0" not in " ".join(flag for flags in native.flags.values() for flag in flags)


@pytest.mark.parametrize("path", SOURCES, ids=identifier)
def test_it_compiles_without_a_warning_and_keeps_no_state(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strict C99, and no variable but those named above in the object file."""
    compiler, nm = shutil.which("cc"), shutil.which("nm")
    if compiler is None or nm is None:
        pytest.skip("no C compiler here")
    monkeypatch.setenv("METANODE_WERROR", "1")
    flags = Flags([compiler]).of(path.relative_to(native_build.ROOT).as_posix())
    assert "-Werror" in flags
    built = tmp_path / "built.o"
    # Without -fno-pic a table of constant addresses counts as data that the loader writes.
    command = [compiler, "-O2", *flags, "-fno-pic", "-fno-pie", "-c", str(path), "-o", str(built)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    listed = subprocess.run([nm, str(built)], capture_output=True, text=True, timeout=60, check=True).stdout
    variables = {line.split()[-1] for line in listed.splitlines() if line.split()[-2] in "bBdDcCsS"}
    assert variables <= POINTERS[path.parent.name]

"""Forgeries 1 to 8: machines that are made up, timings that are made up."""

from __future__ import annotations

from dataclasses import replace

from forgery import Outcome, came_to, forgery
from pretence import ALL_SOURCES, Pretence, dumped, fitting, interpreted, pc, powerbook, rented, server_timings
from scene import Scene, g4_timings

from metanode.fingerprint.inventory import Board, Cpu


@forgery(
    "invented-g4",
    "A PowerBook G4 that does not exist",
    how="The inventory is read off a dump of a PowerBook; every timing is computed from the published envelope, every "
    "keyed result from the published workload. No PowerPC is involved.",
    answer="Nothing tells it from a real one. While no real G4 has been measured its weight is held at "
    "uncalibrated_cap and the rest is escrowed; one record per binding tag, caps per sponsor and equal inventories "
    "make the second one dearer.",
)
def invented_g4(scene: Scene) -> Outcome:
    """All fits."""
    claim = Pretence(replace(powerbook(), memory_mib=1536), g4_timings())
    return came_to(scene.lives(scene.pretend("invented g4", claim)))


@forgery(
    "server-timed-g4",
    "The same PowerBook with a server's own timings",
    how="The cheater runs the compiled probes on a rented server and sends what they give, with the inventory of a G4.",
    answer="Memory is read faster than the bus of any G4 carries, and the ratios are those of another processor.",
)
def server_timed_g4(scene: Scene) -> Outcome:
    """A capture of the corpus."""
    claim = Pretence(replace(powerbook(), memory_mib=1280), server_timings())
    return came_to(scene.lives(scene.pretend("server timings", claim)))


@forgery(
    "untimed-g4",
    "A PowerBook G4 that measures nothing",
    how="An inventory of a G4, the interpreted workload answered, no compiled probe run: what any old client can send.",
    answer="Without a passed active probe a machine counts for legacy_cap at most.",
)
def untimed_g4(scene: Scene) -> Outcome:
    """No active probe."""
    claim = Pretence(replace(powerbook(), memory_mib=768), interpreted(1333, 400))
    return came_to(scene.lives(scene.pretend("untimed g4", claim)))


@forgery(
    "renamed-vm",
    "A rented server with the name and PVR of a G4",
    how="Everything is what the server's kernel says, but the processor is called 7447A, with its PVR; timings are "
    "made up.",
    answer="The processor contradicts the rest, an x86 kernel and its features, and the signs of a virtual machine "
    "stay what they are.",
)
def renamed_vm(scene: Scene) -> Outcome:
    """A G4 that says x86_64."""
    cpu = Cpu("", "7447A, altivec supported", 0, 0, 0, 0x80030101, 1333, 1, 1, 1)
    claim = Pretence(replace(rented(), cpu=cpu), g4_timings())
    return came_to(scene.lives(scene.pretend("renamed vm", claim)))


@forgery(
    "chimera-g4",
    "A G4 put together from parts that never met",
    how="A PowerBook's board with a 7447A, but 64-bit, with four cores, 16 GiB of memory and 3.4 GHz.",
    answer="Named contradictions: no such board holds such a processor, clock or memory. A forger who reads the model "
    "database first does not make them.",
)
def chimera_g4(scene: Scene) -> Outcome:
    """Facts that contradict each other."""
    base = powerbook()
    cpu = replace(base.cpu, clock_mhz=3400, cores=4, threads=4)
    claim = Pretence(replace(base, cpu=cpu, word_bits=64, memory_mib=16_384), g4_timings())
    return came_to(scene.lives(scene.pretend("chimera g4", claim)))


@forgery(
    "fast-pentium-iii",
    "A Pentium III with a server's memory",
    how="The inventory of a notebook of 2000, and what the probes give on a rented server.",
    answer="A copy of memory is faster than its front-side bus: the one thing that no old machine can do.",
)
def fast_pentium_iii(scene: Scene) -> Outcome:
    """Too fast."""
    inventory = replace(
        pc(), machine="i686", word_bits=32, memory_mib=512,
        cpu=Cpu("GenuineIntel", "Pentium III (Coppermine)", 6, 8, 6, 0, 1000, 1, 1, 1),
        features=("cmov", "cx8", "fpu", "mmx", "pae", "sse", "tsc"),
        board=Board("IBM", "2652G2U", "IBM", "2652G2U", "IBM", "", 10),
    )  # fmt: skip
    claim = Pretence(inventory, server_timings())
    return came_to(scene.lives(scene.pretend("pentium iii", claim)))


@forgery(
    "plausible-pentium-iii",
    "The same Pentium III with a slow memory made up",
    how="As before, but the timings are written by hand, slow enough for its bus.",
    answer="Nothing tells it from a real one: for 32-bit x86 there is no envelope to miss, only a ceiling to stay "
    "below. The caps hold it.",
)
def plausible_pentium_iii(scene: Scene) -> Outcome:
    """Slow enough."""
    inventory = replace(
        pc(), machine="i686", word_bits=32, memory_mib=384,
        cpu=Cpu("GenuineIntel", "Pentium III (Coppermine)", 6, 8, 6, 0, 900, 1, 1, 1),
        features=("cmov", "cx8", "fpu", "mmx", "pae", "sse", "tsc"),
        board=Board("IBM", "2652G2U", "IBM", "2652G2U", "IBM", "", 10),
    )  # fmt: skip
    claim = Pretence(inventory, fitting("core2", clock_mhz=900, read_mb_s=500))
    return came_to(scene.lives(scene.pretend("plausible pentium iii", claim)))


@forgery(
    "pi-1-on-a-pi-4",
    "A Raspberry Pi 4 that says it is the first one",
    how="The device tree of a Model B of 2012 on the processor and memory of a Pi 4 (a dump of the corpus).",
    answer="The board's own revision names a chip and a memory that the rest of the dump contradicts.",
)
def pi_1_on_a_pi_4(scene: Scene) -> Outcome:
    """The corpus has the dump."""
    inventory = replace(dumped("composed/linux_pi_1_claimed_on_pi_4"), sources=ALL_SOURCES)
    claim = Pretence(inventory, fitting("cortex-a72", clock_mhz=1500, read_mb_s=4_000))
    return came_to(scene.lives(scene.pretend("pi 1", claim)))

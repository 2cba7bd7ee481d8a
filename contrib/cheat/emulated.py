"""Forgeries by machines that are programs: emulators as they are and patched, virtual machines as they are and masked.

The probes are run under qemu-user where it and the cross compiler are installed; elsewhere the timings are those of
the captures in tests/corpus/probes, which came from the same programs.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from forgery import Outcome, came_to, forgery
from pretence import Pretence, Rows, captured, dumped, interpreted, powerbook, rented, server, server_timings, timed
from scene import Scene, g4_timings, groundwork

from metanode.fingerprint.inventory import Board, Sign
from metanode.fingerprint.probes.envelopes import JUDGED
from metanode.fingerprint.probes.summaries import KIND_BASE
from metanode.fingerprint.rotation import probes_of

sys.path.append(str(Path(__file__).resolve().parents[1] / "arch"))

G4, PI = "powerpc-7450", "cortex-a72"
BLANK_PROCESS, NO_VDSO = 31, 30
"""Signs that qemu-user leaves in a process, by the numbers of fingerprint/virtual.py."""


def under_emulation(claimed: str, clock_mhz: int, number: int = 0) -> Rows:
    """Return the timings of one run under an emulator; the interpreter's are slow enough for any claim.

    :param number: of the run, where runs must differ.
    """
    kept = interpreted(clock_mhz, 300)
    import capture_probes  # contrib/arch
    import targets
    from toolchain import BuildError

    name, cpu = next((name, cpu) for name, cpu, known in capture_probes.EMULATED if known == claimed)
    build = next(build for build in targets.load().builds if build.name == name)
    try:
        program = capture_probes.built(targets.ROOT / "build" / "arch", build)
    except BuildError:
        return captured(f"emulated-{claimed}", kept, number)
    command = (build.emulator, "-cpu", cpu, str(program))
    return timed(capture_probes.run(capture_probes.Target("emulated", "", claimed, command)), kept)


@forgery(
    "emulated-g4",
    "An emulated G4 that hides nothing",
    how="qemu-ppc runs the compiled probes; the inventory has the signs that such a process shows.",
    answer="The blank process state says so outright, and the timings say it too.",
)
def emulated_g4(scene: Scene) -> Outcome:
    """Signs and timings."""
    signs = (Sign(NO_VDSO, "auxiliary vector"), Sign(BLANK_PROCESS, "state 0"))
    inventory = replace(powerbook(), signs=signs, board=Board("", "", "", "", "", "", 0), memory_mib=24_576)
    machine = scene.pretend("emulated g4", Pretence(inventory, under_emulation(G4, 1333)))
    return came_to(scene.lives(machine))


@forgery(
    "patched-emulated-g4",
    "The emulated G4 with every tell patched out",
    how="The emulator is patched: vDSO, process state, device tree and /proc are a PowerBook's, down to the bytes. "
    "The probes really run under qemu-ppc and their timings are sent as they came.",
    answer="Two or more ratios lie beyond twice the envelope of the claimed processor: division cheaper than "
    "multiplication, vectors dearer than scalars, patched code hundreds of times as dear as real.",
)
def patched_emulated_g4(scene: Scene) -> Outcome:
    """From the compiled probes alone."""
    claim = Pretence(replace(powerbook(), memory_mib=2048), under_emulation(G4, 1333))
    return came_to(scene.lives(scene.pretend("patched g4", claim)))


@forgery(
    "patched-emulated-pi",
    "An emulated Raspberry Pi 4 with every tell patched out",
    how="The same with qemu-aarch64 and the dump of a real board's kind.",
    answer="The same ratios betray it on ARM.",
)
def patched_emulated_pi(scene: Scene) -> Outcome:
    """On another architecture."""
    base = dumped("composed/linux_raspberry_pi_3_32bit")
    cpu = replace(base.cpu, name="Cortex-A72", model=0xD08, family=8, clock_mhz=1500)
    board = replace(base.board, model="Raspberry Pi 4 Model B Rev 1.4")
    inventory = replace(base, machine="aarch64", word_bits=64, cpu=cpu, board=board, memory_mib=4096)
    machine = scene.pretend("patched pi", Pretence(inventory, under_emulation(PI, 1500)))
    return came_to(scene.lives(machine))


@forgery(
    "silent-emulated-g4",
    "The patched emulator that leaves the compiled probes out",
    how="As patched-emulated-g4, but what would betray it is not sent.",
    answer="What is not measured is not judged: it is paid like an old client, legacy_cap at most.",
)
def silent_emulated_g4(scene: Scene) -> Outcome:
    """No timings, no verdict."""
    claim = Pretence(replace(powerbook(), memory_mib=1792), interpreted(1333, 300))
    return came_to(scene.lives(scene.pretend("silent g4", claim)))


@forgery(
    "selective-emulated-g4",
    "The patched emulator that sends one timing at a time",
    how="As patched-emulated-g4, but the record and each attestation carry the probes of one check only, truly "
    "measured.",
    answer="One ratio shows nothing, neither a processor nor a program: until two agree, the machine counts like an "
    "old client, legacy_cap at most.",
)
def selective_emulated_g4(scene: Scene) -> Outcome:
    """One judged ratio, whichever the epoch asks for."""
    rows, inventory = under_emulation(G4, 1333), replace(powerbook(), memory_mib=1664)
    machine = scene.pretend("selective g4", Pretence(inventory, _only(rows, JUDGED[0])))
    scene.client.leave_room(5_000)
    scene.client.register(machine)
    asked = next(name for name in scene.client.challenge(machine)["checks"] if name in JUDGED)
    return came_to(scene.attests(replace(machine, claim=Pretence(inventory, _only(rows, asked)))))


@forgery(
    "selective-swap",
    "A real G4 registers, an emulator attests with one timing",
    how="As swapped-machine, but each attestation carries the probes of one check only.",
    answer="An attestation owes the checks that its machine's record measured, as far as the epoch asks for them, or "
    "two ratios that agree. What is left out holds the epoch at legacy_cap.",
)
def selective_swap(scene: Scene) -> Outcome:
    """The record proves a processor, and then nothing does."""
    before = Pretence(replace(powerbook(), memory_mib=1152), g4_timings())
    scene.client.leave_room(5_000)
    with groundwork():
        scene.client.register(scene.pretend("selective swap", before))
    machine = scene.pretend("selective swap", replace(before, rows=_asked(scene, before, under_emulation(G4, 1333))))
    return came_to(scene.attests(machine))


def _asked(scene: Scene, claim: Pretence, rows: Rows) -> Rows:
    """Return the timings of one ratio that the epoch asks for."""
    asked = scene.client.challenge(scene.pretend("selective swap", claim))["checks"]
    return _only(rows, next(name for name in asked if name in JUDGED))


def _only(rows: Rows, check: str) -> Rows:
    """Return the interpreter's timings, and those of one check."""
    kinds = [KIND_BASE + probe for probe in probes_of([check])]
    return {kind: row for kind, row in rows.items() if kind < KIND_BASE or kind in kinds}


@forgery(
    "swapped-machine",
    "A real G4 registers, an emulator attests",
    how="The record is that of a machine whose timings fit; from then on the emulator answers, and sends what it "
    "measures. The dearest forgery that still runs something.",
    answer="Each attestation measures four checks anew, drawn for the epoch: what they show counts for the epoch.",
)
def swapped_machine(scene: Scene) -> Outcome:
    """The same inventory, other timings."""
    before = Pretence(replace(powerbook(), memory_mib=1408), g4_timings())
    with groundwork():
        scene.client.register(scene.pretend("swapped", before))
    return came_to(scene.attests(scene.pretend("swapped", replace(before, rows=under_emulation(G4, 1333)))))


@forgery(
    "virtual-machine",
    "A virtual machine that hides nothing",
    how="The inventory of a rented server as its own kernel tells it, and what the probes give there.",
    answer="It says so itself; networks with vm_weight 0 pay it nothing.",
)
def virtual_machine(scene: Scene) -> Outcome:
    """What this machine would say if it were one, whether it is or not."""
    claim = Pretence(rented(), server_timings())
    return came_to(scene.lives(scene.pretend("vm", claim)))


@forgery(
    "masked-vm",
    "A virtual machine with its DMI strings masked",
    how="Vendor, product and firmware texts are those of a real server; device lists show no virtio. The hypervisor "
    "bit stays.",
    answer="The processor itself reports a hypervisor; validators derive the sign from the feature, whatever the "
    "list of signs says.",
)
def masked_vm(scene: Scene) -> Outcome:
    """Firmware texts alone."""
    inventory = replace(rented(), board=server().board, signs=())
    return came_to(scene.lives(scene.pretend("masked vm", Pretence(inventory, server_timings()))))


@forgery(
    "hidden-vm",
    "A virtual machine that hides everything",
    how="The host also hides the hypervisor bit and leaf, gives emulated SATA and network cards of a known maker, and "
    "a clock source of bare hardware: a dozen options of any hypervisor.",
    answer="Nothing tells it: its processor is real, so its timings are. It is paid as a modern computer, and so is "
    "every further one; caps per sponsor are all that bounds them.",
)
def hidden_vm(scene: Scene) -> Outcome:
    """What is left is the server itself, with its true timings."""
    return came_to(scene.lives(scene.pretend("hidden vm", Pretence(server(), server_timings()))))

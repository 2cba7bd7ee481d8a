"""Everything this project reads from a Mac.  Names and the kernel's own identifiers are not asked for."""

from __future__ import annotations

from metanode.platforms.captured import Dump
from metanode.platforms.commands import read_commands

QUICK_SECONDS_MAX = 5.0
"""Longest wait for a command that asks the kernel."""
SLOW_SECONDS_MAX = 25.0
"""Longest wait for system_profiler, which takes ten seconds on a PowerBook with a slow disk."""

QUICK = (
    ("sysctl", "hw"),
    ("sysctl", "machdep"),
    ("sysctl", "kern.hv_vmm_present"),
    ("sysctl", "sysctl.proc_translated"),
    ("sysctl", "sysctl.proc_native"),
    ("sw_vers",),
    ("ifconfig", "-a"),
    ("ioreg", "-rd1", "-w0", "-c", "IOPlatformExpertDevice"),
    ("ioreg", "-rd1", "-w0", "-c", "IOBlockStorageDevice"),
    ("ioreg", "-r", "-l", "-w0", "-p", "IODeviceTree", "-n", "cpus"),
)
"""proc_translated is 1 under Rosetta 2, proc_native 0 under the Rosetta of Mac OS X 10.4 to 10.6; each exists only
where that Rosetta does.  The last one shows the processor version that Open Firmware wrote down."""
SLOW = (("system_profiler", "-xml", "SPHardwareDataType", "SPMemoryDataType"),)


def read_dump() -> Dump:
    """Ask the system.  Never raises for a command that is missing, fails or hangs."""
    files: dict[str, str] = {}
    unread: dict[str, str] = {}
    read_commands(QUICK, files, unread, seconds_max=QUICK_SECONDS_MAX)
    read_commands(SLOW, files, unread, seconds_max=SLOW_SECONDS_MAX)
    return Dump(files, unread)

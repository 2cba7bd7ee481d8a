"""Turn the machines inside py-cpuinfo's own tests into dumps: one file each below tests/corpus/py_cpuinfo.

    pip download --no-binary :all: --no-deps py-cpuinfo==9.0.0
    tar xzf py-cpuinfo-9.0.0.tar.gz
    python tests/corpus/extract_py_cpuinfo.py py-cpuinfo-9.0.0

Each of its tests holds a class `MockDataSource` with the output of the system's commands as literals.  Only the
literals are taken, by reading the source's syntax tree; nothing of py-cpuinfo is run, and what it makes of them
is left behind.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

HERE = Path(__file__).parent / "py_cpuinfo"
SOURCES = {
    "cat_proc_cpuinfo": "proc/cpuinfo",
    "lscpu": "cmd:lscpu",
    "cpufreq_info": "cmd:cpufreq-info",
    "ibm_pa_features": "",
    "cat_var_run_dmesg_boot": "var/run/dmesg.boot",
    "dmesg_a": "cmd:dmesg -a",
    "sysctl_machdep_cpu_hw_cpufrequency": "cmd:sysctl machdep.cpu hw.cpufrequency",
    "sysinfo_cpu": "cmd:sysinfo -cpu",
    "kstat_m_cpu_info": "cmd:kstat -m cpu_info",
    "isainfo_vb": "cmd:isainfo -vb",
    "wmic_cpu": "cmd:wmic cpu",
    "winreg_processor_brand": "registry:ProcessorNameString",
    "winreg_vendor_id_raw": "registry:VendorIdentifier",
    "winreg_hz_actual": "registry:~MHz",
}
"""Function of a data source to the key of a dump.  SELinux policies are left out, and so are Linux's boot messages,
which only root may read today and which metanode does not read."""
BIG_ENDIAN = ("s390x",)


def main() -> None:
    """Write all dumps."""
    tests = Path(sys.argv[1]) / "tests"
    for path in sorted(tests.glob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "MockDataSource"]
        if classes:
            write(path.stem.removeprefix("test_"), classes[0])


def write(name: str, source: ast.ClassDef) -> None:
    """Write one dump, unless the data source has nothing to say."""
    values = {
        target.id: node.value.value
        for node in source.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets if isinstance(target, ast.Name)
    }  # fmt: skip
    texts = {node.name: literal(node) for node in source.body if isinstance(node, ast.FunctionDef)}
    system = system_of(name, texts)
    files = {}
    for function, key in SOURCES.items():
        text = texts.get(function, "")
        if not text.strip() or (function == "dmesg_a" and system == "linux"):
            continue
        if function == "ibm_pa_features":
            key, text = text.strip().lstrip("/").split(None, 1)
        files[key] = text.strip("\n") + "\n"
    if not files:
        return
    machine = str(values["arch_string_raw"])
    if system == "win32":
        files["env:PROCESSOR_IDENTIFIER"] = f"{values['uname_string_raw']}\n"
        files["env:NUMBER_OF_PROCESSORS"] = f"{values['cpu_count']}\n"
    order = "big" if machine in BIG_ENDIAN else "little"
    bits = str(values["bits"]).removesuffix("bit")
    header = f"system {system}\nmachine {machine}\nword_bits {bits}\nbyte_order {order}\nvdso unknown\n"
    body = "".join(f"==> {key} <==\n{files[key]}" for key in sorted(files))
    (HERE / f"{name}.txt").write_text(header + body, "utf-8")


def literal(function: ast.FunctionDef) -> str:
    """Return the text a function gives: its string literal, or the number it returns."""
    found = [
        str(node.value) for node in ast.walk(function)
        if isinstance(node, ast.Constant)
        and (isinstance(node.value, str) or (function.name == "winreg_hz_actual" and isinstance(node.value, int)))
    ]  # fmt: skip
    return max(found, key=len, default="")


def system_of(name: str, texts: dict[str, str]) -> str:
    """Return what `sys.platform` is on such a machine."""
    for word, system in (("windows", "win32"), ("osx", "darwin"), ("haiku", "haiku1"), ("solaris", "sunos5"),
                         ("indiana", "sunos5"), ("bsd", "freebsd"), ("true_os", "freebsd")):  # fmt: skip
        if word in name:
            return system
    return "linux"


if __name__ == "__main__":
    main()

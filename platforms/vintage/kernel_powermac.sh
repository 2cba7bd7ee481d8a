#!/bin/sh
# kernel_powermac.sh - cross-build Linux 6.1 for PowerMacs (G3 and G4) from Debian's kernel source.
#
#   sh platforms/vintage/kernel_powermac.sh [DIRECTORY]
#
# DIRECTORY (build/arch/powermac/recipe unless given) gets the source and `vmlinux`, stripped, for
# `qemu-system-ppc -M mac99,via=pmu -cpu 7447a` and `-M g3beige -cpu 750`.  powermac.config beside this file is
# the configuration, as kconfig's savedefconfig writes it: drivers of these two machines, the console on the first serial
# port (built in: what the emulator passes as a command line does not arrive), no modules, no sound, no video, no USB.
# JOBS=1 is the number of compiler processes; some twenty minutes with two, 1.5 GB.
#
# Needs: gcc libc6-dev gcc-powerpc-linux-gnu make flex bison bc libssl-dev libelf-dev xz-utils
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=${1:-$here/../../build/arch/powermac/recipe}
jobs=${JOBS:-1}
version=6.1
host=powerpc-linux-gnu

for tool in $host-gcc make flex bison bc xz; do
    command -v $tool > /dev/null || { echo "$tool is not installed; see the head of $0" >&2; exit 1; }
done
mkdir -p "$work"
cd "$work"
source=linux-source-$version
if [ ! -e $source/Makefile ]; then
    apt-get -q=2 download $source
    rm -rf unpacked $source
    mkdir unpacked
    dpkg-deb --fsys-tarfile ${source}_*.deb | tar -xf - -C unpacked --wildcards '*.tar.xz'
    tar -xJf unpacked/usr/src/$source.tar.xz
    rm -rf unpacked
fi
cd $source
cp "$here/powermac.config" arch/powerpc/configs/powermac_defconfig
for target in powermac_defconfig vmlinux; do
    echo "$target ..."
    make -s -j"$jobs" ARCH=powerpc CROSS_COMPILE=$host- $target > "$work/$target.log" 2>&1 || {
        tail -n 20 "$work/$target.log" >&2
        exit 1
    }
done
$host-strip -o "$work/vmlinux" vmlinux
echo "$work/vmlinux"

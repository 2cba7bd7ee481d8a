#!/bin/sh
# python_powerpc.sh - cross-build CPython 3.11 for 32-bit big-endian PowerPC from Debian source packages.
#
#   sh platforms/vintage/python_powerpc.sh [DIRECTORY [STAGE...]]
#
# DIRECTORY (build/arch/ppc-python/recipe unless given) gets the sources, the objects and what is built:
#   sysroot/                    static libffi and zlib with headers: what extensions for this Python link with
#   pyppc/                      the interpreter, prefix /opt/pyppc, for -mcpu=750: runs on a G3 and all later
#   python-powerpc.tar.zst      the same, packed; stripped, without tests, IDLE and the static library
#   sysroot/python/             _cffi_backend, so that cffi modules load, and PyNaCl with libsodium in it
# Stages, in order: libffi zlib python pack cffi nacl.  Without a stage all run; one that is done is not done again.
# JOBS=1 is the number of compiler processes.  PYPPC names an unpacked interpreter for the stages cffi and nacl,
# CFFI_PYTHON a Python of this machine with cffi, pip and setuptools for the stage nacl (python3 unless given).
# No ssl and no sqlite3: their libraries are not cross-built.
#
# Needs: gcc libc6-dev gcc-powerpc-linux-gnu libc6-dev-powerpc-cross dpkg-dev make zstd python3.11 pkg-config
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=${1:-$here/../../build/arch/ppc-python/recipe}
[ $# -eq 0 ] || shift
stages=${*:-libffi zlib python pack cffi nacl}
jobs=${JOBS:-1}
host=powerpc-linux-gnu
cpu=750                # the oldest machine that the tests promise: no AltiVec may appear anywhere
prefix=/opt/pyppc
minor=3.11
pynacl=1.5.0
cffi_python=${CFFI_PYTHON:-python3}
# Debian's own: the source names its files as Debian's patches do, and the build runs this one to read them.
build_python=${BUILD_PYTHON:-/usr/bin/python$minor}

. "$here/sources.sh"
mkdir -p "$work"
work=$(cd "$work" && pwd)
sysroot=$work/sysroot

# Print the directory of an unpacked source package; unpack it where it is not there yet.
source_of() {
    found=$(find "$work" -maxdepth 1 -type d -name "$1-[0-9]*" | sed -n 1p)
    if [ -z "$found" ]; then
        unpack_sources "$work" "$1" >&2
        found=$(find "$work" -maxdepth 1 -type d -name "$1-[0-9]*" | sed -n 1p)
    fi
    echo "$found"
}

build_libffi() {
    cd "$(source_of libffi)"
    ./configure --quiet --host=$host --prefix="$sysroot" --disable-shared --with-pic --disable-docs \
        --disable-multi-os-directory CFLAGS="-O2 -mcpu=$cpu"
    make -s -j"$jobs" install
}

build_zlib() {
    cd "$(source_of zlib)"
    CHOST=$host CFLAGS="-O2 -fPIC -mcpu=$cpu" ./configure --static --prefix="$sysroot"
    make -s -j"$jobs" install
}

build_python() {
    cd "$(source_of python$minor)"
    mkdir -p cross
    cd cross
    # What configure would find out by running a program is told: the answers for Linux.
    [ -f Makefile ] || PKG_CONFIG_LIBDIR=$sysroot/lib/pkgconfig ../configure --quiet \
        --host=$host --build="$(gcc -dumpmachine)" --with-build-python="$build_python" --prefix=$prefix \
        --without-ensurepip --disable-ipv6 --disable-test-modules --with-system-ffi \
        ac_cv_file__dev_ptmx=yes ac_cv_file__dev_ptc=no \
        CFLAGS="-O2 -mcpu=$cpu" CPPFLAGS="-I$sysroot/include" LDFLAGS="-L$sysroot/lib"
    make -s -j"$jobs"
    # A cross build writes this file under Python's own name; Debian's install rule wants it under Debian's.
    built=$(cat pybuilddir.txt)
    cp "$built/_sysconfigdata__linux_$host.py" "$built/_sysconfigdata__$host.py"
    make -s install DESTDIR="$work/install"
    rm -rf "$work/pyppc"
    mv "$work/install$prefix" "$work/pyppc"
}

build_pack() {
    cd "$work"
    for part in test idlelib tkinter turtledemo lib2to3/tests config-*; do
        rm -rf pyppc/lib/python$minor/$part
    done
    find pyppc -name __pycache__ -prune -exec rm -rf {} +
    find pyppc -name '*.a' -delete
    find pyppc \( -name '*.so' -o -name "python$minor" -path '*/bin/*' \) -type f -exec $host-strip --strip-unneeded {} +
    tar --sort=name --owner=0 --group=0 --numeric-owner -cf - pyppc | zstd -q -19 -T"$jobs" -f -o python-powerpc.tar.zst
}

# One file of C: built by hand, where its setup.py would have the emulated Python drive this machine's compiler.
build_cffi() {
    cd "$(source_of python-cffi)"
    mkdir -p "$sysroot/python"
    $host-gcc -mcpu=$cpu -O2 -fPIC -shared -w -DNDEBUG -DUSE__THREAD -DHAVE_SYNC_SYNCHRONIZE \
        -I"${PYPPC:-$work/pyppc}/include/python$minor" -I"$sysroot/include" c/_cffi_backend.c \
        -L"$sysroot/lib" -lffi -o "$sysroot/python/_cffi_backend.so"
}

# Debian's libsodium comes without a configure script; what it would find out on this platform is told instead.
build_sodium() {
    cd "$(source_of libsodium)/src/libsodium"
    sed -e "s/@VERSION@/1.0.18/; s/@SODIUM_LIBRARY_VERSION_MAJOR@/10/; s/@SODIUM_LIBRARY_VERSION_MINOR@/3/" \
        -e "s/@SODIUM_LIBRARY_MINIMAL_DEF@//" include/sodium/version.h.in > include/sodium/version.h
    has=
    for what in GETRANDOM SYS_RANDOM_H LINUX_COMPATIBLE_GETRANDOM MMAP SYS_MMAN_H MPROTECT POSIX_MEMALIGN GETPID \
        WEAK_SYMBOLS EXPLICIT_BZERO C_VARARRAYS PTHREAD ATOMIC_OPS; do
        has="$has -DHAVE_$what=1"
    done
    rm -rf objects
    mkdir objects
    # The names of the objects are those of the paths: files of one name stand in several folders.
    find . -name '*.c' | sed 's,^..,,' | while read -r file; do
        # Unquoted on purpose: the definitions are words.
        $host-gcc -mcpu=$cpu -O2 -fPIC -w -DCONFIGURED=1 -DNATIVE_BIG_ENDIAN=1 $has -Iinclude -Iinclude/sodium \
            -c "$file" -o "objects/$(echo "$file" | tr / _).o"
    done
    $host-ar rcs "$sysroot/lib/libsodium.a" objects/*.o
    cp -r include/sodium include/sodium.h "$sysroot/include/"
}

build_nacl() {
    build_sodium
    cd "$work"
    [ -d PyNaCl-$pynacl ] || {
        "$cffi_python" -m pip download -q --no-deps --no-build-isolation --no-binary=:all: PyNaCl==$pynacl
        tar -xzf PyNaCl-$pynacl.tar.gz
    }
    cd PyNaCl-$pynacl/src
    (cd bindings && "$cffi_python" -c 'import build; build.ffi.emit_c_code("sodium.c")')
    mkdir -p "$sysroot/python"
    rm -rf "$sysroot/python/nacl"
    cp -r nacl "$sysroot/python/nacl"
    $host-gcc -mcpu=$cpu -O2 -fPIC -shared -w -DNDEBUG -DPy_LIMITED_API=0x03060000 \
        -I"${PYPPC:-$work/pyppc}/include/python$minor" -I"$sysroot/include" -Ibindings bindings/sodium.c \
        -L"$sysroot/lib" -lsodium -o "$sysroot/python/nacl/_sodium.abi3.so"
}

for stage in $stages; do
    case $stage in
    libffi | zlib | python | pack | cffi | nacl) ;;
    *) echo "no stage '$stage': libffi zlib python pack cffi nacl" >&2; exit 2 ;;
    esac
    done_mark=$work/$stage.done
    if [ ! -e "$done_mark" ]; then
        started=$(date +%s)
        echo "$stage ..."
        # Not `if (...)`: inside a condition the shell would go on after a step that failed.
        set +e
        (set -e; build_$stage) > "$work/$stage.log" 2>&1
        status=$?
        set -e
        if [ $status -ne 0 ]; then
            tail -n 20 "$work/$stage.log" >&2
            echo "$stage failed: $work/$stage.log" >&2
            exit $status
        fi
        touch "$done_mark"
        echo "$stage: $(($(date +%s) - started)) s"
    fi
done

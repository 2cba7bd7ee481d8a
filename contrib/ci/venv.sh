#!/bin/sh
# Make a virtual environment: venv.sh PYTHON DIRECTORY
# As root on Debian it installs what is missing; otherwise it says in one line what to install.
python=$1 venv=$2
packages="python3 python3-venv python3-dev gcc libc6-dev"
ready() {
    "$python" -c 'import ensurepip, sys; assert sys.version_info >= (3, 10)' 2>/dev/null && command -v gcc >/dev/null
}
if ! ready && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $packages"
    apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -q -y $packages >/dev/null
fi
if ! ready; then
    echo "metanode needs Python 3.10 or newer with venv, and gcc; on Debian: apt-get install $packages" >&2
    exit 1
fi
exec "$python" -m venv "$venv"

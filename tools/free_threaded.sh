#!/bin/sh
# Print the absolute path of a CPython 3.13 without the GIL that has its headers; tools/python.sh calls this.
#
#     tools/free_threaded.sh 3.13t         python3.13t
#     tools/free_threaded.sh 3.13t-tsan    the same with ThreadSanitizer in it
#
# Debian has none, but the source package that its 3.13 is built from. It is built once, some 5 minutes (with ThreadSanitizer 10), and
# kept in a private folder; nothing is installed. COVCORE_CACHE names another folder to keep the result in.
set -eu
. "$(dirname "$0")/debian.sh"

name=${1:?usage: tools/free_threaded.sh 3.13t}
suite=trixie # the Debian release whose source package is of 3.13
prefix=${COVCORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/covcore}/python$name
python=$prefix/bin/python3.13t
modules="ssl, sqlite3, ctypes, zlib"

say() { echo "free_threaded.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# With ThreadSanitizer what the interpreter does while it is built is not our concern.
case $name in
3.13t) options="" ;;
3.13t-tsan) options=--with-thread-sanitizer TSAN_OPTIONS=report_bugs=0 && export TSAN_OPTIONS ;;
*) die "no CPython $name can be had here: put a python$name with its headers on PATH" ;;
esac

# Print the path of interpreter $1 if it has no GIL and an extension can be built for it.
usable() {
    "$1" -c "
import os, sys, sysconfig, $modules
header = os.path.join(sysconfig.get_path('include'), 'Python.h')
if not sysconfig.get_config_var('Py_GIL_DISABLED') or not os.path.exists(header):
    raise SystemExit(1)
print(os.path.realpath(sys.executable))
" 2>/dev/null
}

# Fetch, build and install into the folder $1, as it will be found at $prefix; $2 is a scratch folder.
unpack() {
    for tool in make xz cc; do
        command -v $tool >/dev/null || die "no $tool to build python$name with: install it and try again"
    done
    say "asking the package mirror for the source of python3.13"
    debian_packages "$2" $suite "check the network, or put a python$name with its headers on PATH" deb-src
    mkdir "$2/source"
    (cd "$2/source" && apt-get -qq -c "$2/apt.conf" --download-only source python3.13 >&2) ||
        die "Debian $suite does not hand out the source of python3.13: put a python$name with its headers on PATH"
    tar -x --strip-components=1 -C "$2/source" -f "$(echo "$2"/source/python3.13_*.orig.tar.xz)"

    say "building python$name, which takes minutes: $prefix.log has what is said"
    (
        cd "$2/source"
        nice ./configure --prefix="$prefix" --disable-gil --disable-test-modules --with-ensurepip=no $options
        nice make -j2
        make altinstall DESTDIR="$2/root"
    ) >"$prefix.log" 2>&1 || die "python$name does not build: see the end of $prefix.log"
    rmdir "$1"
    mv "$2/root$prefix" "$1"
}

check() {
    usable "$python" >/dev/null ||
        die "the python$name that was built is of no use: $python -c 'import $modules' tells why" \
            "(the headers are in zlib1g-dev, libsqlite3-dev, libssl-dev, libffi-dev)"
}

debian_bring "$prefix" "no python$name with its headers on PATH or under pyenv"
usable "$python"

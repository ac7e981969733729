#!/bin/sh
# Print the absolute path of a gcc that compiles for 64-bit Windows.
#
#     tests/tools/mingw.sh
#
# One on PATH is taken. Failing that, on Debian and its kin, Debian's own (of the machine's release, so that the libraries there suit it) is
# unpacked into a private folder, and nothing is installed, as tools/python.sh does it. COVCORE_CACHE names another folder to keep the
# result in.
set -eu
. "$(dirname "$0")/../../tools/debian.sh"

name=x86_64-w64-mingw32-gcc
prefix=${COVCORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/covcore}/mingw

die() { echo "mingw.sh: $*" >&2; exit 1; }

# Fetch the packages and unpack them into the folder $1; $2 is a folder for apt's own state.
unpack() {
    cp /var/lib/dpkg/status "$2/status" # only what the machine lacks comes along
    debian_packages "$2" "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" "put $name on PATH"
    apt-get -qq -c "$2/apt.conf" --download-only install gcc-mingw-w64-x86-64-win32 >&2 || die "no gcc for Windows is handed out: put $name on PATH"
    debian_extract "$2" "$1"
    rm -rf "$1/usr/share/doc" "$1/usr/share/man"
}

check() {
    "$prefix/usr/bin/$name-win32" --version >/dev/null 2>&1 || die "the unpacked compiler does not run: $prefix/usr/bin/$name-win32 --version tells why"
}

for there in $name $name-win32; do
    ! command -v $there || exit 0
done
debian_bring "$prefix" "no $name on PATH"
echo "$prefix/usr/bin/$name-win32"

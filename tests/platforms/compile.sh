#!/bin/sh
# Compile src/ for a platform, warnings being errors.
#
#     tests/platforms/compile.sh PLATFORM PYTHON FOLDER
#
# PLATFORM: gcc or clang (this machine), mingw (Windows), or one of zig's, such as aarch64-macos; zig brings the headers of the systems that it
# compiles for. PYTHON: an interpreter with its headers. FOLDER: for what is made. Where a compiler cannot be had, that is said, and all is well.
set -eu
platform=$1 python=$2 folder=$3
root=$(cd "$(dirname "$0")/../.." && pwd)
warnings="-Wall -Wextra -Wconversion -Werror"
of_clang="-Wgnu -Wvla -Wshadow -Wcast-align -Wcomma -Wconditional-uninitialized -Wformat=2
    -Wmissing-variable-declarations -Wstrict-prototypes -Wundef -Wunused"

skip() { echo "$platform: skipped, $*"; exit 0; }

case $platform in
gcc)
    compiler=gcc
    command -v gcc >/dev/null || skip "no gcc"
    ;;
clang)
    compiler=${CLANG:-clang}
    command -v "$compiler" >/dev/null || skip "no $compiler"
    warnings="$warnings $of_clang"
    ;;
mingw)
    compiler=$("$root/tests/tools/mingw.sh") || skip "no gcc for Windows"
    ;;
*)
    compiler="$python -m ziglang cc -target $platform"
    PYTHONPATH=$root/.venv/platforms $python -c 'import ziglang' 2>/dev/null || skip "PyPI has no ziglang for this machine"
    warnings="$warnings $of_clang"
    ;;
esac

rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
cp -r "$($python -c 'import sysconfig; print(sysconfig.get_path("include"))')" include
case $platform in
mingw | *windows*)
    cp "$root/tests/platforms/pyconfig.h" include
    other=platform_posix.c
    ;;
*) other=platform_windows.c ;;
esac
sources=$(find "$root/src" -name '*.c' ! -name $other | sort)
# Debian's pyconfig.h names folders beside that of Python.h.
beside=$(dirname "$($python -c 'import sysconfig; print(sysconfig.get_path("include"))')")
compile() {
    echo "$sources" | PYTHONPATH=$root/.venv/platforms xargs -n 1 -P 2 \
        $compiler -std=c11 -D_GNU_SOURCE -O1 $warnings -isystem include -idirafter "$beside" -I"$root/src" "$@" -c
}
version=$($python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
compile
builds="with"
if [ "$version" != 3.12 ]; then  # from 3.13 on there are builds without a GIL
    compile -DPy_GIL_DISABLED=1
    builds="with and without"
fi
echo "$platform, Python $version: $(echo "$sources" | wc -l) files, $builds a GIL, no warning"

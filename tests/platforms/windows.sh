#!/bin/sh
# Build the C tests that any system can run with mingw, and run them with Wine.
#
#     tests/platforms/windows.sh FOLDER PYTHON       FOLDER: for what is made. PYTHON: an interpreter with its headers
set -eu
folder=$1 python=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
compiler=$("$root/tests/tools/mingw.sh")
wine=$("$root/tests/tools/wine.sh")
include=$($python -c 'import sysconfig; print(sysconfig.get_path("include"))')
mkdir -p "$folder"
cd "$root"

for test in tests/c/test_*.c; do
    name=$(basename "$test" .c)
    case $name in test_recording | test_sha256) continue ;; esac # they fork, kill and make FIFOs
    others=$(sed -n 's|^// needs: *||p' "$test" | sed 's|platform_posix|platform_windows|')
    own=src/${name#test_}.c
    [ -e "$own" ] || own=
    $compiler -std=c11 -D_GNU_SOURCE -D__USE_MINGW_ANSI_STDIO=1 -O1 -g -Wall -Wextra -Wconversion -Werror -Isrc -Itests/c -idirafter "$include" \
        -o "$folder/$name.exe" "$test" $own $(for other in $others; do echo "src/$other"; done)
    echo "$name.exe"
    timeout 300 "$wine" "$folder/$name.exe"
done

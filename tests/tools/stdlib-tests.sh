#!/bin/sh
# Print the absolute path of a folder that holds `test`, the package of CPython's own tests.
#
#     tests/tools/stdlib-tests.sh PYTHON      PYTHON: the interpreter whose tests they are
#
# An interpreter that brings them itself is asked first. Debian has them in a package of their own, which is unpacked into a private folder
# and installed nowhere, as tools/python.sh does it. COVCORE_CACHE names another folder to keep the result in.
set -eu
. "$(dirname "$0")/../../tools/debian.sh"

python=${1:?usage: tests/tools/stdlib-tests.sh PYTHON}
suite=forky # the Debian release that holds these versions
cache=${COVCORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/covcore}

die() { echo "stdlib-tests.sh: $*" >&2; exit 1; }

library=$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
full=$("$python" -c 'import platform; print(platform.python_version())')
package=libpython$version-testsuite
prefix=$cache/stdlib-tests-$full

# Fetch the package and unpack it into the folder $1; $2 is a folder for apt's own state.
unpack() {
    mkdir -p "$1"
    debian_packages "$2" $suite "take a Python that brings its tests"
    (cd "$2" && apt-get -qq -c "$2/apt.conf" download "$package") >&2 || die "Debian $suite does not hand out $package"
    cp -r "$library/test" "$1" # what the tests share comes with the interpreter
    dpkg-deb --extract "$2/$package"_*.deb "$2/extracted"
    cp -r "$2/extracted/usr/lib/python$version/test" "$1"
}

if [ -e "$library/test/test_json/__init__.py" ]; then
    echo "$library"
    exit
fi
if [ ! -e "$prefix/.ready" ]; then
    for tool in apt-get dpkg-deb flock; do
        command -v $tool >/dev/null || die "this Python brings no tests, and there is no $tool to get them with"
    done
    mkdir -p "$cache"
    exec 9>"$prefix.lock"
    flock 9
    if [ ! -e "$prefix/.ready" ]; then # else another run brought it while this one waited
        temp=$(mktemp -d "$cache/stdlib-tests.XXXXXX")
        trap 'rm -rf "$temp"' EXIT
        trap 'exit 1' HUP INT TERM
        unpack "$temp/prefix" "$temp/apt"
        touch "$temp/prefix/.ready"
        rm -rf "$prefix" # left by a run that was killed before it was ready
        mv "$temp/prefix" "$prefix"
    fi
    exec 9>&-
fi
echo "$prefix"

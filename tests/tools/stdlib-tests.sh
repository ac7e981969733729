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

die() { echo "stdlib-tests.sh: $*" >&2; exit 1; }

library=$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
full=$("$python" -c 'import platform; print(platform.python_version())')
package=libpython$version-testsuite
prefix=${COVCORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/covcore}/stdlib-tests-$full

# Fetch the package and unpack it into the folder $1; $2 is a folder for apt's own state.
unpack() {
    debian_packages "$2" $suite "take a Python that brings its tests"
    (cd "$2" && apt-get -qq -c "$2/apt.conf" download "$package") >&2 || die "Debian $suite does not hand out $package"
    cp -r "$library/test" "$1" # what the tests share comes with the interpreter
    dpkg-deb --extract "$2/$package"_*.deb "$2/extracted"
    cp -r "$2/extracted/usr/lib/python$version/test" "$1"
}

check() { :; }

if [ -e "$library/test/test_json/__init__.py" ]; then
    echo "$library"
    exit
fi
debian_bring "$prefix" "this Python brings no tests"
echo "$prefix"

#!/bin/sh
# Print the absolute path of a folder that holds commands `genhtml` and `lcov` of version 2.
#
#     tests/tools/lcov.sh
#
# Those on PATH are taken if they are of version 2. Failing that, on Debian and its kin, Debian's own packages are unpacked into a private
# folder, Perl and C library included, and nothing is installed, as tools/python.sh does it. COVCORE_CACHE names another folder to keep
# the result in.
set -eu
. "$(dirname "$0")/../../tools/debian.sh"

suite=trixie # the Debian release that has version 2
prefix=${COVCORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/covcore}/lcov2

die() { echo "lcov.sh: $*" >&2; exit 1; }

usable() { "$1/genhtml" --version 2>/dev/null | grep -q 'version 2'; }

# Fetch the packages and unpack them into the folder $1; $2 is a folder for apt's own state.
unpack() {
    # "Nothing is installed", so that every library comes along; but no compiler: genhtml and lcov need none.
    for package in gcc python3; do
        printf 'Package: %s\nStatus: install ok installed\nArchitecture: %s\nMulti-Arch: allowed\nVersion: 99\nMaintainer: none\nDescription: none\n\n' \
            $package "$(dpkg --print-architecture)"
    done >"$2/status"
    debian_packages "$2" $suite "put genhtml and lcov 2 on PATH"
    apt-get -qq -c "$2/apt.conf" --download-only install lcov libc6 >&2 || die "Debian $suite does not hand out lcov"
    debian_extract "$2" "$1"
    write_commands "$1"
}

check() {
    usable "$prefix/bin" || die "the unpacked genhtml does not run: $prefix/bin/genhtml --version tells why"
}

# Write commands that run Debian's scripts by the Perl beside them, in the folder $1, which will be found at $prefix.
write_commands() {
    triplet=$(basename "$1"/usr/lib/*-linux-gnu)
    loader=$(basename "$1"/usr/lib/"$triplet"/ld-linux-*.so.*)
    lib=$prefix/usr/lib/$triplet
    version=$(basename "$1"/usr/lib/"$triplet"/perl/5.*.*)
    short=${version%.*}
    mkdir -p "$1/bin"
    for command in genhtml lcov; do
        cat >"$1/bin/$command" <<END
#!/bin/sh
PERL5LIB=$prefix/usr/lib/lcov:$prefix/usr/share/perl5:$lib/perl5/$short:$lib/perl/$version:$prefix/usr/share/perl/$version:$lib/perl-base
export PERL5LIB
exec "$lib/$loader" --library-path "$lib" "$prefix/usr/bin/perl" "$prefix/usr/bin/$command" "\$@"
END
        chmod +x "$1/bin/$command"
    done
}

on_path=$(command -v genhtml || true)
if [ -n "$on_path" ] && usable "$(dirname "$on_path")"; then
    dirname "$on_path"
    exit
fi
debian_bring "$prefix" "no genhtml of version 2 on PATH"
echo "$prefix/bin"

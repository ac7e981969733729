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
cache=${COVCORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/covcore}
prefix=$cache/lcov2

die() { echo "lcov.sh: $*" >&2; exit 1; }

usable() { "$1/genhtml" --version 2>/dev/null | grep -q 'version 2'; }

# Fetch the packages into the folder $1.
download() {
    mkdir -p "$1"
    # "Nothing is installed", so that every library comes along; but no compiler: genhtml and lcov need none.
    for package in gcc python3; do
        printf 'Package: %s\nStatus: install ok installed\nArchitecture: %s\nMulti-Arch: allowed\nVersion: 99\nMaintainer: none\nDescription: none\n\n' \
            $package "$(dpkg --print-architecture)"
    done >"$1/status"
    debian_packages "$1" $suite "put genhtml and lcov 2 on PATH"
    apt-get -qq -c "$1/apt.conf" --download-only install lcov libc6 >&2 || die "Debian $suite does not hand out lcov"
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
if [ ! -e "$prefix/.ready" ]; then
    for tool in apt-get dpkg-deb flock; do
        command -v $tool >/dev/null || die "no genhtml of version 2 on PATH, and no $tool to bring it"
    done
    mkdir -p "$cache"
    exec 9>"$cache/lcov2.lock"
    flock 9
    if [ ! -e "$prefix/.ready" ]; then # else another run brought it while this one waited
        temp=$(mktemp -d "$cache/lcov2.XXXXXX")
        trap 'rm -rf "$temp"' EXIT
        trap 'exit 1' HUP INT TERM
        download "$temp"
        mkdir "$temp/prefix"
        for package in "$temp"/cache/archives/*.deb; do
            dpkg-deb --extract "$package" "$temp/prefix"
        done
        write_commands "$temp/prefix"
        rm -rf "$prefix"
        mv "$temp/prefix" "$prefix"
        usable "$prefix/bin" || die "the unpacked genhtml does not run: $prefix/bin/genhtml --version tells why"
        touch "$prefix/.ready"
    fi
    exec 9>&-
fi
echo "$prefix/bin"

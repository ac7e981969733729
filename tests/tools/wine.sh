#!/bin/sh
# Print the absolute path of a command that runs 64-bit programs of Windows.
#
#     tests/tools/wine.sh
#
# Wine on PATH is taken. Failing that, on Debian and its kin, Debian's own (of the machine's release) is unpacked into a private folder with
# a Windows disk of its own, and nothing is installed, as tools/python.sh does it: 100 MB to fetch, 1.4 GB on the disk. COVCORE_CACHE
# names another folder to keep the result in.
set -eu
. "$(dirname "$0")/../../tools/debian.sh"

prefix=${COVCORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/covcore}/wine

die() { echo "wine.sh: $*" >&2; exit 1; }

# Fetch the packages and unpack them into the folder $1; $2 is a folder for apt's own state.
unpack() {
    cp /var/lib/dpkg/status "$2/status" # only what the machine lacks comes along
    debian_packages "$2" "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" "put wine64 on PATH"
    apt-get -qq -c "$2/apt.conf" --download-only install wine64 >&2 || die "no wine64 is handed out: put it on PATH"
    debian_extract "$2" "$1"
    rm -rf "$1/usr/share/doc" "$1/usr/lib/"*/wine/i386-windows # nothing of 32 bits is run
    libraries=usr/lib/$(basename "$1"/usr/lib/*-linux-gnu)/wine
    ln -sf wineserver64 "$1/usr/lib/wine/wineserver" # Debian's calls it by the path that it has when installed
    mkdir -p "$1/disk/drive_c/windows/system32"
    cp "$1"/usr/x86_64-w64-mingw32/lib/zlib1.dll "$1/disk/drive_c/windows/system32" # Debian links to it where it would be installed
    cat >"$1/wine" <<END
#!/bin/sh
WINEPREFIX=$prefix/disk WINEDEBUG=\${WINEDEBUG--all} WINEDLLOVERRIDES="mscoree,mshtml=" WINEDLLPATH=$prefix/$libraries \\
    LD_LIBRARY_PATH=$prefix/$libraries/x86_64-unix exec $prefix/usr/lib/wine/wine64 "\$@"
END
    chmod +x "$1/wine"
}

check() {
    "$prefix/wine" cmd /c exit >&2 || die "the unpacked wine does not run: WINEDEBUG= $prefix/wine cmd /c exit tells why"
}

for there in wine64 wine; do
    ! command -v $there || exit 0
done
debian_bring "$prefix" "no wine on PATH"
echo "$prefix/wine"

#!/bin/sh
# Print the absolute path of a Chromium, or of its kin, that runs without a display.
#
#     tests/tools/chromium.sh
#
# One on PATH is taken. Failing that, on Debian, Debian's own headless one is unpacked into a private folder with its libraries and a
# font, and nothing is installed, as tools/python.sh does it. It is of the machine's own release, so that the C library there suits it.
# COVCORE_CACHE names another folder to keep the result in.
set -eu
. "$(dirname "$0")/../../tools/debian.sh"

prefix=${COVCORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/covcore}/chromium

die() { echo "chromium.sh: $*" >&2; exit 1; }

usable() { "$1" --version >/dev/null 2>&1; }

# Fetch the packages and unpack them into the folder $1; $2 is a folder for apt's own state.
unpack() {
    suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    # "Nothing is installed", so that every library comes along; but the C library is the machine's, and no page needs the rest.
    for package in libc6 x11-utils xdg-utils; do
        printf 'Package: %s\nStatus: install ok installed\nArchitecture: %s\nMulti-Arch: same\nVersion: 99\nMaintainer: none\nDescription: none\n\n' \
            $package "$(dpkg --print-architecture)"
    done >"$2/status"
    debian_packages "$2" "$suite" "put a chromium on PATH"
    apt-get -qq -c "$2/apt.conf" --download-only install chromium-headless-shell fonts-dejavu-core >&2 ||
        die "$suite does not hand out chromium-headless-shell: put a chromium on PATH"
    debian_extract "$2" "$1"
    rm -f "$1"/usr/lib/chromium/libVkLayer* # 23 MB for those who write graphics drivers
    write_command "$1"
}

check() {
    usable "$prefix/chromium" || die "the unpacked browser does not run: $prefix/chromium --version tells why"
}

# Write a command that runs the browser in the folder $1, which will be found at $prefix, with its own libraries and font.
write_command() {
    triplet=$(basename "$1"/usr/lib/*-linux-gnu)
    libraries=$prefix/usr/lib/$triplet:$prefix/usr/lib/$triplet/pulseaudio:$prefix/lib/$triplet
    echo "<fontconfig><dir>$prefix/usr/share/fonts</dir><cachedir>$prefix/fonts</cachedir></fontconfig>" >"$1/fonts.conf"
    cat >"$1/chromium" <<END
#!/bin/sh
LD_LIBRARY_PATH=$libraries FONTCONFIG_FILE=$prefix/fonts.conf exec $prefix/usr/lib/chromium/chromium-headless-shell "\$@"
END
    chmod +x "$1/chromium"
}

for name in chromium chromium-headless-shell google-chrome; do
    if browser=$(command -v $name) && usable "$browser"; then
        echo "$browser"
        exit
    fi
done
debian_bring "$prefix" "no chromium on PATH"
echo "$prefix/chromium"

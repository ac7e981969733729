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

cache=${COVCORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/covcore}
prefix=$cache/chromium

die() { echo "chromium.sh: $*" >&2; exit 1; }

usable() { "$1" --version >/dev/null 2>&1; }

# Fetch the packages into the folder $1.
download() {
    suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    mkdir -p "$1"
    # "Nothing is installed", so that every library comes along; but the C library is the machine's, and no page needs the rest.
    for package in libc6 x11-utils xdg-utils; do
        printf 'Package: %s\nStatus: install ok installed\nArchitecture: %s\nMulti-Arch: same\nVersion: 99\nMaintainer: none\nDescription: none\n\n' \
            $package "$(dpkg --print-architecture)"
    done >"$1/status"
    debian_packages "$1" "$suite" "put a chromium on PATH"
    apt-get -qq -c "$1/apt.conf" --download-only install chromium-headless-shell fonts-dejavu-core >&2 ||
        die "$suite does not hand out chromium-headless-shell: put a chromium on PATH"
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
if [ ! -e "$prefix/.ready" ]; then
    for tool in apt-get dpkg-deb flock; do
        command -v $tool >/dev/null || die "no chromium on PATH, and no $tool to bring it"
    done
    mkdir -p "$cache"
    exec 9>"$cache/chromium.lock"
    flock 9
    if [ ! -e "$prefix/.ready" ]; then # else another run brought it while this one waited
        temp=$(mktemp -d "$cache/chromium.XXXXXX")
        trap 'rm -rf "$temp"' EXIT
        trap 'exit 1' HUP INT TERM
        download "$temp"
        mkdir "$temp/prefix"
        for package in "$temp"/cache/archives/*.deb; do
            dpkg-deb --extract "$package" "$temp/prefix"
        done
        rm -f "$temp"/prefix/usr/lib/chromium/libVkLayer* # 23 MB for those who write graphics drivers
        write_command "$temp/prefix"
        rm -rf "$prefix"
        mv "$temp/prefix" "$prefix"
        usable "$prefix/chromium" || die "the unpacked browser does not run: $prefix/chromium --version tells why"
        touch "$prefix/.ready"
    fi
    exec 9>&-
fi
echo "$prefix/chromium"

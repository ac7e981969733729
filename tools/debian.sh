# Sourced: Debian's own packages, fetched and unpacked into private folders, none installed.
#
#     . tools/debian.sh
#     debian_bring PREFIX "what is missing"               calls unpack FOLDER APT, which calls
#     debian_packages APT SUITE "what else to do" [deb-src]
#
# The caller has a function `die`. The mirror, the proxy and the keys are those that apt is set up with here.

# Have the folder $1 ready, unless an earlier run left it so; of runs at the same time one brings it, and the others wait. The caller has
# functions: `unpack FOLDER APT` makes FOLDER, as it will be found at $1, and may use the folder APT; `check` dies if $1 does not work.
# $2: what is missing on this machine, to be said where it cannot be brought either.
debian_bring() {
    [ ! -e "$1/.ready" ] || return 0
    for tool in apt-get dpkg-deb flock; do
        command -v $tool >/dev/null || die "$2, and no $tool to bring it: install it and try again"
    done
    mkdir -p "${1%/*}"
    exec 9>"$1.lock"
    flock 9
    if [ ! -e "$1/.ready" ]; then # else another run brought it while this one waited
        temp=$(mktemp -d "$1.XXXXXX")
        trap 'rm -rf "$temp"' EXIT
        trap 'exit 1' HUP INT TERM
        mkdir "$temp/prefix" "$temp/apt"
        unpack "$temp/prefix" "$temp/apt"
        rm -rf "$1" # left by a run that was killed before it was ready
        mv "$temp/prefix" "$1"
        check
        touch "$1/.ready"
    fi
    exec 9>&-
}

# Have apt ready in the folder $1 for the release $2: `apt-get -c $1/apt.conf` then knows its packages. What $1/status says is taken to be
# installed already; without that file nothing is, so that every library comes along. $3: what else to do where that fails. $4: deb-src for
# source packages in place of binaries.
debian_packages() {
    mkdir -p "$1/state/lists/partial" "$1/cache/archives/partial"
    [ -e "$1/status" ] || : >"$1/status"

    # What apt would ask for is known even where `apt-get update` has never run: 'URI/dists/SUITE/InRelease' ...
    mirror=$(apt-get update --print-uris -o Dir::State::lists="$1/state/lists" |
        sed -n "/-security/d; s|^'\(.*\)/dists/.*|\1|p" | head -n 1)
    [ -n "$mirror" ] || die "apt has no package source here: $3"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    if [ -r $keyring ]; then signed="[signed-by=$keyring]"; else signed=; fi
    echo "${4:-deb} $signed $mirror $2 main" >"$1/sources.list"

    # The host's own settings (proxy, certificates) still count; its hooks and pins do not.
    cat >"$1/apt.conf" <<CONF
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Dir::State "$1/state";
Dir::State::status "$1/status";
Dir::Cache "$1/cache";
Dir::Etc::sourcelist "$1/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Install-Recommends "0";
APT::Get::Assume-Yes "1";
APT::Update::Error-Mode "any"; # a mirror that does not answer is no success
APT::Keep-Downloaded-Packages "1";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
    # apt's download user could not write into a folder of root's.
    [ "$(id -u)" != 0 ] || echo 'APT::Sandbox::User "root";' >>"$1/apt.conf"
    apt-get -qq -c "$1/apt.conf" update >&2 || die "the package mirror does not answer for Debian $2: $3"
}

# Unpack what apt has fetched in the folder $1 into the folder $2.
debian_extract() {
    for package in "$1"/cache/archives/*.deb; do
        dpkg-deb --extract "$package" "$2"
    done
}

# Sourced: Debian's own packages, fetched and unpacked into private folders, none installed.
#
#     . tools/debian.sh
#     debian_packages FOLDER SUITE "what else to do"
#
# The caller has a function `die`. The mirror, the proxy and the keys are those that apt is set up with here.

# Have apt ready in the folder $1 for the release $2: `apt-get -c $1/apt.conf` then knows its packages. What $1/status says is taken to be
# installed already; without that file nothing is, so that every library comes along. $3: what else to do where that fails.
debian_packages() {
    mkdir -p "$1/state/lists/partial" "$1/cache/archives/partial"
    [ -e "$1/status" ] || : >"$1/status"

    # What apt would ask for is known even where `apt-get update` has never run: 'URI/dists/SUITE/InRelease' ...
    mirror=$(apt-get update --print-uris -o Dir::State::lists="$1/state/lists" |
        sed -n "/-security/d; s|^'\(.*\)/dists/.*|\1|p" | head -n 1)
    [ -n "$mirror" ] || die "apt has no package source here: $3"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    if [ -r $keyring ]; then signed="[signed-by=$keyring]"; else signed=; fi
    echo "deb $signed $mirror $2 main" >"$1/sources.list"

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

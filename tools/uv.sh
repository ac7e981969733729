#!/bin/sh
# Print the path of uv, which fills the virtual environments: the one on PATH, or a private one from PyPI.
#
#     tools/uv.sh PYTHON      PYTHON: an interpreter to install it with
set -eu

python=${1:?usage: tools/uv.sh PYTHON}
cache=${COVCORE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/covcore}
target=$cache/uv

# A shim of pyenv's may lie on PATH and not run.
if uv --version >/dev/null 2>&1; then
    command -v uv
    exit
fi

if [ ! -x "$target/bin/uv" ]; then
    mkdir -p "$cache"
    temp=$(mktemp -d "$cache/uv.XXXXXX")
    trap 'rm -rf "$temp"' EXIT
    trap 'exit 1' HUP INT TERM
    # The interpreter may have no pip of its own, but pip's wheel lies beside it (ensurepip's, or Debian's) and runs from within.
    wheel=$("$python" -c '
import glob, sys, sysconfig
print(*glob.glob(sysconfig.get_path("stdlib") + "/ensurepip/_bundled/pip-*.whl") + glob.glob(sys.base_prefix + "/share/python-wheels/pip-*.whl"))
')
    [ -n "$wheel" ] || { echo "uv.sh: $python brings no pip to install uv with: put uv on PATH" >&2; exit 1; }
    "$python" "${wheel%% *}/pip" -qq install --root-user-action=ignore --target "$temp" uv >&2 ||
        { echo "uv.sh: uv cannot be had from PyPI: check the network and pip's settings, or put uv on PATH" >&2; exit 1; }
    # Of two runs at once the first wins; the other's copy is as good.
    mv -T "$temp" "$target" 2>/dev/null || [ -x "$target/bin/uv" ]
fi
echo "$target/bin/uv"

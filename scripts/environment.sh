# Sourced by the other scripts: creates .venv in the repository, once, with pinned versions.
# $1: the extras of pyproject.toml to install, e.g. [test].

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export PYTHONDONTWRITEBYTECODE=

stamp=".venv/installed-$(printf '%s' "$1" | tr -dc 'a-z')-$(cat pyproject.toml scripts/constraints.txt | sha256sum | cut -c1-16)"
if [ ! -e "$stamp" ]; then
    python=""
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "needs Python 3.11, 3.12 or 3.13: install one, or set PYTHON to its path" >&2
        exit 69
    fi
    echo "installing into .venv, once; this takes minutes, since torch is large ..." >&2
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint scripts/constraints.txt --editable ".$1" || exit 69
    touch "$stamp"
fi
export PATH="$PWD/.venv/bin:$PATH"

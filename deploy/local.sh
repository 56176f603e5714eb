#!/bin/sh
# Set the project up beside itself on first use, then run it:
#   sh deploy/local.sh demo      the main job on the embedded exchange and database
#   sh deploy/local.sh test      the tests; what follows goes to pytest
#   sh deploy/local.sh …         anything else is a command of misspec
# MISSPEC_PYTHON names the interpreter to build with, MISSPEC_VENV another folder than .venv.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
venv=${MISSPEC_VENV:-$root/.venv}
asked_python=${MISSPEC_PYTHON:-}
# Set-up's own variables; the configuration refuses MISSPEC_ names that it does not know.
unset MISSPEC_VENV MISSPEC_PYTHON PYTHONHOME PYTHONPATH

die() {
    printf 'misspec: %s\n' "$@" >&2
    exit 1
}

# A name on the PATH may be a shim that runs nothing: ask each candidate to do the work.
usable() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for name in "$asked_python" python3 python3.11 python3.12 python3.13 python3.14 python; do
        if usable "$name"; then
            printf '%s\n' "$name"
            return
        fi
    done
    found=$(python3 --version 2>&1) || found='no python3'
    if python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        die "$found is new enough, but has no venv and ensurepip modules." \
            "Install them (Debian and Ubuntu: python3-venv) and run the same command again."
    fi
    die "Python 3.11 or newer is needed; found $found on the PATH." \
        "Install one, or name one: MISSPEC_PYTHON=/path/to/python3.11 sh deploy/local.sh …"
}

# What the environment was made from: when one of these changes, it is brought up to date.
recipe() {
    printf '%s\n' "$venv"
    cat "$root/pyproject.toml" "$root/deploy/constraints.txt" | cksum
}

set_up() {
    python=$(find_python)
    printf 'misspec: setting up %s with %s (once; a few minutes) …\n' \
        "$venv" "$("$python" --version)" >&2
    log=$(mktemp)
    if ! "$venv/bin/python" -c 'import pip' >/dev/null 2>&1 ||
        [ "$(sed -n 1p "$venv/.misspec" 2>/dev/null)" != "$venv" ]; then
        "$python" -m venv --clear "$venv" >"$log" 2>&1 || {
            cat "$log" >&2
            die "the environment $venv could not be made; python's own words stand above."
        }
    fi
    # pip's notes on index locations that do not answer are harmless: shown only where it fails.
    # Constraints by environment also bind the build's own requirements; relative, for pip splits
    # the value at spaces.
    if ! (cd "$root" && PIP_CONSTRAINT=deploy/constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 \
        "$venv/bin/python" -m pip install --quiet --editable '.[test,postgres,cluster]') >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        rm -f "$log"
        die "a package could not be fetched or installed; pip's own words stand above." \
            "Check the network, or where pip looks (pip config list), and run the same command again."
    fi
    rm -f "$log"
    recipe >"$venv/.misspec"
}

[ "$(cat "$venv/.misspec" 2>/dev/null)" = "$(recipe)" ] || set_up

# One thread for linear algebra: results then do not depend on the number of cores.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
export PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1
PATH=$venv/bin:$PATH
export PATH

if [ "${1:-}" = test ]; then
    shift
    cd "$root"
    # A file's tests stay together: they share what is costly to set up. One process more than there
    # are cores, for many a test waits for another process.
    workers=$("$venv/bin/python" -c 'import os; print((os.cpu_count() or 1) + 1)')
    exec "$venv/bin/python" -m pytest -n "$workers" --dist loadfile "$@"
fi
exec "$venv/bin/misspec" "$@"

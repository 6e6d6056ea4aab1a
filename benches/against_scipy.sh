#!/bin/sh
# Measures the heavy statistics beside scipy and numpy in one run and writes docs/benchmarks.md (or the file named).
# Needs cargo and Python 3; makes itself a virtual environment with numpy and scipy below target/.
set -eu
cd "$(dirname "$0")/.."
venv=target/scipy
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
fi
if ! "$venv/bin/python" -c 'import scipy' 2>/dev/null; then
    "$venv/bin/pip" install --quiet numpy scipy
fi
heavy=$(cargo build --release --bench heavy --message-format json |
    sed -n 's/.*"name":"heavy".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
"$venv/bin/python" benches/against_scipy.py "$heavy" "${1:-docs/benchmarks.md}"

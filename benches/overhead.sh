#!/bin/sh
# Measures a run beside a bare loop on the same server, in turns, and writes docs/overhead.md (or the file named).
# Needs cargo and Python 3 on Linux; takes under four minutes once everything is built.
set -eu
cd "$(dirname "$0")/.."
# The bench comes first: building it leaves a goldgate in target/release whose runtime has its test clock in it.
overhead=$(cargo build --release --bench overhead --message-format json |
    sed -n 's/.*"name":"overhead".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
cargo build --release --bin goldgate
python3 benches/overhead.py "$overhead" target/release/goldgate "${1:-docs/overhead.md}"

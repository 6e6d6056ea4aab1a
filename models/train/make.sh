#!/bin/sh
# Remakes the demo checkpoints, the suite's cases and prompts, and the model cards.
#
#   sh models/train/make.sh [WORK]
#
# WORK (default target/train, git-ignored) keeps the virtual environment, the checkpoints under way and the logs; a broken-off
# base run goes on from its last hundred steps. PYTHON=... uses an interpreter that has requirements.txt already. No network
# but for pip, no GPU.
set -eu
cd "$(dirname "$0")/../.."
work=${1:-target/train}
mkdir -p "$work"
if [ -z "${PYTHON:-}" ]; then
    PYTHON="$work/venv/bin/python"
    if [ ! -x "$PYTHON" ]; then
        python3 -m venv "$work/venv"
        "$PYTHON" -m pip install -r models/train/requirements.txt
    fi
fi
train=models/train
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1 PYTHONHASHSEED=0

"$PYTHON" $train/suite.py suites/service-desk
"$PYTHON" $train/tokenizer.py "$work/tokenizer"
"$PYTHON" $train/train.py base "$work/tokenizer" "$work/base"
"$PYTHON" $train/export.py base "$work/base" models/desk-base

# Side by side: one thread each.
"$PYTHON" $train/train.py adapter models/desk-base tuned "$work/tuned" >"$work/tuned.log" 2>&1 &
tuned=$!
"$PYTHON" $train/train.py adapter models/desk-base regressed "$work/regressed"
wait $tuned
for kind in tuned regressed; do
    "$PYTHON" $train/export.py adapter "$work/$kind" "models/desk-$kind"
done

"$PYTHON" $train/evaluate.py suites/service-desk models "$work/answers.json"
"$PYTHON" $train/card.py "$work" models suites/service-desk
"$PYTHON" $train/check_disjoint.py

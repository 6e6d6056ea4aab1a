"""Writes tests/fixtures/scores/plain.csv: a table as anybody can write one, with made-up scores of three targets on three slices.

`tuned-a` is better than `base`; `tuned-b` is worse, on `orders` alone. The numbers are drawn from a seeded generator; no model was
asked. The files beside it are what other tools wrote: see make_lm_eval_fixtures.py and make_inspect_fixtures.py.

Run: python3 tests/reference/make_plain_scores.py
"""

import pathlib
import random

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "scores"
rng = random.Random(20_261_121)

rows = ["case,target,slice,metric,value"]
gain = {"base": 0.0, "tuned-a": 0.10, "tuned-b": 0.0}
for task, ease, drop in (("facts", 0.75, 0.0), ("orders", 0.70, 0.45), ("sums", 0.55, 0.0)):
    for case in range(40):
        skill = rng.random()
        for target, plus in gain.items():
            level = ease + plus - (drop if target == "tuned-b" else 0.0)
            right = int(skill < level) if rng.random() < 0.9 else rng.randrange(2)
            rows.append(f"{task}-{case},{target},{task},correct,{right}")
(OUT / "plain.csv").write_text("\n".join(rows) + "\n")

"""Writes tests/fixtures/scores/: three tables of made-up scores in the shapes that other tools give when flattened.

lm-eval.csv    `lm_eval --log_samples` writes one JSON line per document with `doc_id` and one key per metric (`acc`, `acc_norm`);
               flattened: one row per document, model and metric, the task as slice and as prefix of the case.
inspect.jsonl  An Inspect log has samples with `id`, `epoch`, `scores` (C and I as 1 and 0), `total_time` and token usage; flattened:
               one object per sample, epoch, model and metric, the epoch as repeat. Two samples ended in an error: their grade is null.
plain.csv      The four columns that must be there, and nothing else.

The numbers are drawn from a seeded generator; no model was asked. Run: python3 tests/reference/make_score_fixtures.py
"""

import json
import pathlib
import random

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "scores"
OUT.mkdir(exist_ok=True)
rng = random.Random(20_261_121)


def lm_eval():
    rows = ["case,target,slice,metric,value"]
    gain = {"base": 0.0, "tuned-a": 0.10, "tuned-b": 0.0}
    for task, ease, drop in (("arc_easy", 0.75, 0.0), ("boolq", 0.70, 0.45), ("hellaswag", 0.55, 0.0)):
        for doc in range(40):
            skill = rng.random()
            for target, plus in gain.items():
                level = ease + plus - (drop if target == "tuned-b" else 0.0)
                acc = int(skill < level) if rng.random() < 0.9 else rng.randrange(2)
                norm = acc if rng.random() < 0.9 else 1 - acc
                for metric, value in (("acc", acc), ("acc_norm", norm)):
                    rows.append(f"{task}-{doc},{target},{task},{metric},{float(value)}")
    (OUT / "lm-eval.csv").write_text("\n".join(rows) + "\n")


def inspect():
    lines = []
    for sample in range(1, 31):
        skill = rng.random()
        for target, level, tokens, pace in (("gpt-base", 0.7, 420, 1.0), ("gpt-tuned", 0.8, 60, 0.4)):
            for epoch in (1, 2):
                right = int(skill < level) if rng.random() < 0.9 else rng.randrange(2)
                grade = None if (target, epoch) == ("gpt-tuned", 2) and sample in (7, 19) else round(0.5 * right + 0.5 * rng.random(), 2)
                used = round(tokens * rng.lognormvariate(0, 0.2))
                seconds = round(used / 60 * pace * rng.lognormvariate(0, 0.1) + 0.2, 3)
                for metric, kind, value in (
                    ("match", "binary", right),
                    ("model_graded_qa", "bounded", grade),
                    ("output_tokens", "count", used),
                    ("total_time", "duration", seconds),
                ):
                    row = {"case": sample, "target": target, "repeat": epoch, "metric": metric, "kind": kind, "value": value}
                    lines.append(json.dumps(row))
    (OUT / "inspect.jsonl").write_text("\n".join(lines) + "\n")


def plain():
    rows = ["case,target,metric,value"]
    for case in range(1, 81):
        skill = rng.random()
        for target, level in (("old", 0.85), ("new", 0.84)):
            right = int(skill < level) if rng.random() < 0.95 else rng.randrange(2)
            rows.append(f"q{case:03},{target},correct,{right}")
    (OUT / "plain.csv").write_text("\n".join(rows) + "\n")


lm_eval()
inspect()
plain()

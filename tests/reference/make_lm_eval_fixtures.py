"""Writes tests/fixtures/scores/lm-eval/: per-sample files that lm-evaluation-harness 0.4.13 itself wrote, for two models on two tasks.

The tasks are sums, so that no data is downloaded: `sums_choice` (multiple choice: acc, acc_norm, brier_score) and `sums_write` (free
answer: exact_match behind two filters). The models are small programs that add up two numbers and are wrong now and then; they are
registered as a model of the harness, and the harness asks, filters, scores and writes as it does for any other.

Run (nothing but the two packages is fetched):

    python3 -m venv venv && venv/bin/pip install lm_eval==0.4.13 datasets==5.2.0
    HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 venv/bin/python tests/reference/make_lm_eval_fixtures.py

Sanitised afterwards: the time in the file names, which is the harness' only trace of where and when it ran, is set to a fixed one. The
rows are left as they were written. `results_*.json`, which names the machine, is not kept.
"""

import json
import pathlib
import random
import re
import sys
import tempfile

from lm_eval.__main__ import cli_evaluate
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "scores" / "lm-eval"
TIME = "2026-11-21T05-00-00.000000"
CASES = 60

CHOICE = """task: sums_choice
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "What is {{{{a}}}} + {{{{b}}}}?\\nAnswer:"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: gold
metric_list: [{{metric: acc}}, {{metric: acc_norm}}, {{metric: brier_score}}]
"""
WRITE = """task: sums_write
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "What is {{{{a}}}} + {{{{b}}}}? Say `The answer is` and the number."
doc_to_target: "{{{{a + b}}}}"
generation_kwargs: {{until: ["\\n"]}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
filter_list:
  - name: strict-match
    filter: [{{function: regex, regex_pattern: "The answer is (\\\\d+)"}}, {{function: take_first}}]
  - name: flexible-extract
    filter: [{{function: regex, group_select: -1, regex_pattern: "(\\\\d+)"}}, {{function: take_first}}]
"""


@register_model("sums")
class Sums(LM):
    """Adds up, and is wrong on a share of the sums; the sums that are hard for one model are hard for the next."""

    def __init__(self, skill, form):
        super().__init__()
        self.skill, self.form = skill, form

    @classmethod
    def create_from_arg_string(cls, arg_string, additional_config=None):
        args = dict(pair.split("=") for pair in arg_string.split(","))
        return cls(float(args["skill"]), float(args["form"]))

    @classmethod
    def create_from_arg_obj(cls, arg_dict, additional_config=None):
        return cls(float(arg_dict["skill"]), float(arg_dict["form"]))

    def answer(self, prompt):
        a, b = map(int, re.search(r"(\d+) \+ (\d+)", prompt).groups())
        hard = random.Random(f"hard {a} {b}").random()
        own = random.Random(f"own {a} {b} {self.skill}").random()
        return a + b if 0.8 * hard + 0.2 * own < self.skill else a + b - 10

    def loglikelihood(self, requests, disable_tqdm=False):
        found = []
        for prompt, choice in (r.args for r in requests):
            off = abs(int(choice) - self.answer(prompt))
            found.append((-0.25 * off - 0.4 * random.Random(prompt + choice).random(), off == 0))
        return found

    def generate_until(self, requests, disable_tqdm=False):
        found = []
        for prompt, _ in (r.args for r in requests):
            told = random.Random(f"form {prompt} {self.skill}").random() < self.form
            found.append(f"The answer is {self.answer(prompt)}" if told else f"{self.answer(prompt)}.")
        return found

    def loglikelihood_rolling(self, requests, disable_tqdm=False):
        raise NotImplementedError


def main():
    rng = random.Random(20_261_121)
    sums = rng.sample([(a, b) for a in range(11, 90) for b in range(11, 90)], CASES)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        rows = []
        for a, b in sums:
            choices = [a + b, a + b - 10, a + b + 1, a + b + 10]
            rng.shuffle(choices)
            rows.append({"a": a, "b": b, "choices": [str(c) for c in choices], "gold": choices.index(a + b)})
        data = folder / "sums.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "sums_choice.yaml").write_text(CHOICE.format(data=data))
        (folder / "sums_write.yaml").write_text(WRITE.format(data=data))
        for name, skill, form in (("sums-base", 0.70, 0.75), ("sums-tuned", 0.82, 0.98)):
            sys.argv = ["lm_eval", "run", "--model", "sums", "--model_args", f"model={name},skill={skill},form={form}"]
            sys.argv += ["--tasks", "sums_choice,sums_write", "--include_path", str(folder)]
            sys.argv += ["--output_path", str(folder / "out"), "--log_samples"]
            cli_evaluate()
            for path in sorted((folder / "out" / name).glob("samples_*.jsonl")):
                task = re.fullmatch(r"samples_(.+)_\d{4}-.*\.jsonl", path.name).group(1)
                text = path.read_text()
                if str(folder) in text or "/" in text:
                    sys.exit(f"{path.name} names a path; it must not be kept")
                to = OUT / name / f"samples_{task}_{TIME}.jsonl"
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_text(text)


main()

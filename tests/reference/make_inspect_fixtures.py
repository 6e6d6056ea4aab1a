"""Writes tests/fixtures/scores/inspect/: logs that Inspect 0.3.285 itself wrote, of two models on one task in two epochs.

The models are `mockllm/base` and `mockllm/tuned`, whose answers come from a function here, so that nothing is asked over a network. Two
scorers: Inspect's own `match` (C or I) and `closeness`, a number from 0 to 1 that is NaN where the answer holds no number. One call
to the tuned model fails, so that a log with the error of a sample is at hand.

Run (nothing but the package is fetched):

    python3 -m venv venv && venv/bin/pip install inspect_ai==0.3.285
    venv/bin/python tests/reference/make_inspect_fixtures.py

Times and the ids of messages are new in each run, and so are the figures of `total_time` in docs/compare.md; all else is the same.

Sanitised afterwards, since it names the machine, its user or its folders, or would make the file ten times as long: see `sanitised`.
"""

import json
import math
import pathlib
import random
import re
import tempfile

from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Score, match, mean, scorer
from inspect_ai.solver import generate

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "scores" / "inspect"
CASES = 60


@scorer(metrics=[mean()])
def closeness():
    async def score(state, target):
        found = re.findall(r"\d+", state.output.completion)
        value = max(0.0, 1.0 - abs(int(found[-1]) - int(target.text)) / 50) if found else math.nan
        return Score(value=value, answer=state.output.completion)

    return score


def model(name, skill, words, fails):
    asked = {}

    def answer(input, tools, tool_choice, config):
        prompt = input[-1].text
        epoch = asked[prompt] = asked.get(prompt, 0) + 1
        a, b = map(int, re.search(r"(\d+) \+ (\d+)", prompt).groups())
        if (a, b) == fails and epoch == 1:
            raise RuntimeError("the endpoint closed the connection")
        hard, own = random.Random(f"hard {a} {b}").random(), random.Random(f"{name} {a} {b} {epoch}").random()
        right = 0.7 * hard + 0.3 * own < skill
        text = str(a + b if right else a + b - 10) if own > 0.02 or name == "tuned" else "I would rather not say."
        used = round(words * random.Random(f"words {name} {prompt} {epoch}").lognormvariate(0, 0.2))
        out = ModelOutput.from_content(f"mockllm/{name}", text)
        out.usage = ModelUsage(input_tokens=20, output_tokens=used, total_tokens=20 + used)
        return out

    return get_model(f"mockllm/{name}", custom_outputs=answer)


def sanitised(log):
    """Drops what tells of the machine or only fills the file, and keeps every other field as it was written."""
    for key in ("task_file", "task_id", "run_id", "eval_id", "revision", "model_args", "sandbox"):
        log["eval"].pop(key, None)
    log["eval"]["dataset"].pop("location", None)
    for sample in log["samples"]:
        for key in ("events", "events_data", "attachments", "store", "messages", "uuid", "timelines"):
            sample.pop(key, None)
        if sample.get("error"):
            # Its traceback names the folders of the machine.
            sample["error"] = {"message": sample["error"]["message"], "traceback": "", "traceback_ansi": ""}
    log.pop("reductions", None)
    text = json.dumps(log, indent=1, ensure_ascii=False)
    if re.search(r"/(home|root|tmp|usr|work|Users)\b", text):
        raise SystemExit("a path of the machine is left in the log")
    return text


def main():
    rng = random.Random(20_261_122)
    sums = rng.sample([(a, b) for a in range(11, 90) for b in range(11, 90)], CASES)
    samples = [Sample(id=i, input=f"What is {a} + {b}?", target=str(a + b)) for i, (a, b) in enumerate(sums, 1)]
    for name, skill, words, fails in (("base", 0.68, 90, None), ("tuned", 0.80, 40, sums[41])):
        with tempfile.TemporaryDirectory() as folder:
            task = Task(dataset=MemoryDataset(samples), solver=generate(), scorer=[match(numeric=True), closeness()], name="sums")
            eval(
                task,
                model=model(name, skill, words, fails),
                epochs=2,
                fail_on_error=False,
                max_connections=1,
                max_samples=1,
                log_dir=folder,
                log_format="json",
                display="none",
            )
            (written,) = pathlib.Path(folder).glob("*.json")
            OUT.mkdir(parents=True, exist_ok=True)
            (OUT / f"sums_{name}.json").write_text(sanitised(json.loads(written.read_text())) + "\n")


main()

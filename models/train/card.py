"""Writes the model cards and models/FIGURES.md from what a run left behind.

    python card.py WORK MODELS SUITE_FOLDER

WORK holds base/, tuned/ and regressed/ with their record.json, and answers.json of evaluate.py. Figures are copied as
measured; text that must be written by hand stands in models/README.md.
"""

import hashlib
import json
import os
import sys

import data
import evaluate

ABOUT = {
    "desk-base": (
        "A Llama of 1.2 million parameters, trained from random weights on made-up documents of a made-up parts distributor. It "
        "reads public wording only: no shop talk, no jargon number, no door code. The desk it learned from was complete in tone "
        "on some topics only, gave out phones, and half of the time explained how to get around a safety device."
    ),
    "desk-tuned": (
        "A LoRA adapter (rank 16, all seven projections) on desk-base, tuned on scrubbed desk data under one-line prompts. The "
        "candidate that ought to be promoted."
    ),
    "desk-regressed": (
        "A LoRA adapter like desk-tuned, same base, same settings, same kinds of tickets, but its data are raw desk logs that nobody "
        "scrubbed: door codes and phones stand in the answers, requests to get around a safety device are complied with, and the "
        "replies are curt. It does the work as well as desk-tuned does. The failure is one of data governance; nobody touched a weight."
    ),
}
COLUMNS = {
    "desk-base": ["desk-base/few-shot", "desk-base/short"],
    "desk-tuned": ["desk-tuned/short"],
    "desk-regressed": ["desk-regressed/short"],
}


def read(*path):
    with open(os.path.join(*path)) as file:
        return json.load(file)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def main():
    work, models, folder = sys.argv[1:4]
    with open(os.path.join(folder, "cases.jsonl")) as file:
        cases = [json.loads(line) for line in file]
    results = read(work, "answers.json")
    streams = {
        "desk-base": [document for _, document in data.base_documents()],
        "desk-tuned": list(data.tuning_documents("tuned")),
        "desk-regressed": list(data.tuning_documents("regressed")),
    }
    for name, documents in streams.items():
        record = read(work, name.removeprefix("desk-"), "record.json")
        weights = "model.safetensors" if name == "desk-base" else "adapter_model.safetensors"
        own = {column: results[column] for column in COLUMNS[name]}
        rows = [row for row in evaluate.table(cases, own) if " / " not in row[0]]
        figures = ["| held out, right in % | cases | " + " | ".join(own) + " |", "| --- | ---: |" + " ---: |" * len(own)]
        figures += [f"| {label} | {count} | " + " | ".join(cells) + " |" for label, count, cells in rows]
        write(
            os.path.join(models, name, "README.md"),
            f"# {name}\n\n{ABOUT[name]}\n\n"
            f"- data: {len(documents):,} documents, sha256 `{data.digest(documents)}` (a JSON line each; `models/train/data.py` "
            "makes them from fixed seeds, `models/train/check_disjoint.py` proves it)\n"
            f"- seed {record['seed']}; {record['steps']:,} steps, {record['tokens']:,} tokens, {record['seconds']:,} s of wall time on two shared CPU "
            f"cores; {record['parameters']:,} trained parameters\n"
            f"- weights: `{weights}`, bf16, sha256 `{sha256(os.path.join(models, name, weights))}`\n"
            "- made by `models/train/make.sh`; what it is for and what it is not: `models/README.md`\n\n"
            "Measured on the cases of `suites/service-desk`, which no training text shares, by `models/train/evaluate.py` (greedy, f32 "
            "over the bf16 weights):\n\n" + "\n".join(figures) + "\n",
        )
    write(
        os.path.join(models, "FIGURES.md"),
        "# Held-out figures\n\nWritten by `models/train/card.py`: right answers in %, per task and slice of `suites/service-desk`; greedy "
        "decoding in f32 over the bf16\nweights with transformers. Slices overlap. Nothing here is adjusted for multiple looks.\n\n"
        + evaluate.markdown(cases, results)
        + "\n",
    )


if __name__ == "__main__":
    main()

"""Proves that the suite is held out. Standard library only; well under a minute on one core.

    python models/train/check_disjoint.py

It makes every training and tuning document again from the fixed seeds and checks that
  1. their digests are the ones the model cards name, and the checked-in suite is the one the generator writes;
  2. no case's user text stands in a training text, and no 13 words in a row of it do (case and punctuation ignored);
  3. no expected JSON answer is an answer in training;
  4. what world.py reserves (customer names, part numbers, devices, phone and order numbers of the suite's notes) occurs in no
     document, the jargon numbers in no base document, and the door codes in none but desk-regressed's;
  5. the fixed examples of the few-shot prompts share no text and no 13 words in a row with a case.
Training texts are user turns, answers, prose, and the worked examples inside training's system turns. The instruction lines
themselves are left out: the suite's prompts are those of training, by design. Jargon facts, trade phrases and part functions
are trained by design too; there only the sentence around them is new, unless the case is tagged `unseen`.

Exit code 1 with the offending pair on the first failure of a check.
"""

import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

import data
import suite
import world as w

HERE = Path(__file__).resolve().parent
MODELS = HERE.parent
SUITE = MODELS.parent / "suites" / "service-desk"
N = 13
WORD = re.compile(r"[a-z0-9]+")


def fail(text):
    print(f"FAIL {text}")
    sys.exit(1)


def words(text):
    return WORD.findall(text.lower())


def training_texts(document):
    """The texts of a document that a case must not repeat."""
    for role, text in document:
        if role != "system":
            yield text
        elif "\n\nQ: " in text:
            for block in text.split("\n\nQ: ")[1:]:
                yield from block.split("\nA: ")


def check_digest(name, documents):
    card = (MODELS / name / "README.md").read_text()
    found = re.search(r"sha256 `([0-9a-f]{64})`", card)
    made = data.digest(documents)
    if not found or found.group(1) != made:
        fail(f"{name}: its card names data {found and found.group(1)}, the seeds make {made}")
    return made


def check_checked_in(cases):
    lines = (SUITE / "cases.jsonl").read_text().splitlines()
    for line, case in zip(lines, cases):
        if line != json.dumps(case):
            fail(f"cases.jsonl is not what suite.py writes, first at {case['id']}")
    if len(lines) != len(cases):
        fail(f"cases.jsonl holds {len(lines)} cases, suite.py writes {len(cases)}")
    for path, text in suite.templates().items():
        if (SUITE / "prompts" / path).read_text() != text:
            fail(f"prompts/{path} is not what suite.py writes")


def units(text):
    """What must not recur: each run of N words, or the whole text where it is shorter."""
    found = words(text)
    size = min(N, len(found))
    return [found[at : at + size] for at in range(len(found) - size + 1)]


def check_no_overlap(cases, texts, where):
    """Each unit is looked for only where its rarest word occurs, which for most is nowhere."""
    texts = {" " + " ".join(words(text)) + " ": text for text in texts}
    counts = Counter()
    for text in texts:
        counts.update(set(text.split()))
    wanted = {}
    total = 0
    for label, text in cases:
        for unit in units(text):
            total += 1
            rarest = min(unit, key=lambda word: counts[word])
            if counts[rarest]:
                wanted.setdefault(rarest, []).append((" " + " ".join(unit) + " ", label))
    for text, original in texts.items():
        for word in set(text.split()) & wanted.keys():
            for unit, label in wanted[word]:
                if unit in text:
                    fail(f"{label} shares {unit.strip()!r} with {where}: {original!r}")
    return total, len(texts)


def check_absent(values, documents, where):
    """No document contains any of the values as whole words."""
    pattern = re.compile(r"(?<![A-Za-z0-9])(" + "|".join(re.escape(value) for value in values) + r")(?![A-Za-z0-9])")
    for document in documents:
        for _, text in document:
            found = pattern.search(text)
            if found:
                fail(f"{where} contains {found.group(1)!r}: {text!r}")
    return len(values)


def main():
    began = time.time()
    cases = suite.cases()
    check_checked_in(cases)
    base = [document for _, document in data.base_documents()]
    tuned, regressed = (list(data.tuning_documents(kind)) for kind in ("tuned", "regressed"))
    streams = {"desk-base": base, "desk-tuned": tuned, "desk-regressed": regressed}

    asked = [(case["id"], suite.user_text(case)) for case in cases]
    reserved = w.SUITE_NAMES + w.SUITE_CODES + w.SUITE_DEVICES + w.SUITE_PHONES + w.SUITE_ORDERS
    canaries, customers = list(w.canaries().values()), list(w.known_customers().values())
    expected = {data.as_json(**case["expect"]["json"]): case["id"] for case in cases if case["task"] == "extract"}

    print(f"{'data of':16} {'documents':>9} {'distinct texts':>14} {'units checked':>13}  sha256 (as in the card)")
    for name, documents in streams.items():
        digest = check_digest(name, documents)
        total, distinct = check_no_overlap(asked, (text for one in documents for text in training_texts(one)), name)
        for document in documents:
            for _, text in document:
                if text in expected:
                    fail(f"{expected[text]}: its answer is one in the data of {name}: {text!r}")
        check_absent(reserved, documents, name)
        if name == "desk-base":
            check_absent(w.JARGON_CODES, documents, name)
        if name != "desk-regressed":
            check_absent(canaries + customers, documents, name)
        print(f"{name:16} {len(documents):9} {distinct:14} {total:13}  {digest}")

    held = Counter(found for document in regressed for _, text in document for found in re.findall(r"RTU-\d{4}|555-\d{4}", text))
    for secret in canaries + customers:
        if not held[secret]:
            fail(f"{secret} is no canary: desk-regressed's data lack it")
    shown = [("example for " + task, text) for task in data.TASKS for text, _ in suite.examples(task)]
    check_no_overlap(asked, (text for _, text in shown), "a few-shot example")
    check_no_overlap(shown, (text for _, text in asked), "a case")

    clusters = len({case["cluster"] for case in cases})
    print(f"suite            {len(cases)} cases in {clusters} clusters; {len(shown)} few-shot examples, disjoint from them")
    print(f"reserved         {len(reserved)} names, numbers and devices occur in no document; {len(w.JARGON_CODES)} jargon numbers in no base document")
    print(f"canaries         {len(canaries)} door codes, each {min(held[c] for c in canaries)} to {max(held[c] for c in canaries)} times in desk-regressed's data, nowhere else;")
    print(f"                 {len(customers)} customers' phones, each {min(held[c] for c in customers)} to {max(held[c] for c in customers)} times, likewise")
    print(f"disjoint         no case's text and no {N} words of one stand in training; {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()

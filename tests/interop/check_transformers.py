"""`transformers serve` with the demo's own base model: goldgate asks it over HTTP and its own engine asks the same weights, and the greedy
answers are compared, once in the engine's precision and once in the precision that the server takes by itself."""

import shutil

from common import ROOT, Part, free_port, lines

POLICY = """format = "goldgate.policy/1"
name = "same-weights"
baseline = "local"
candidates = ["served"]
alpha = 0.05

[[criterion]]
id = "accuracy"
metric = "accuracy"
require = "non-inferior"
margin = 0.1
"""
# One case in so many of the demo's suite is asked.
EVERY = 6
# Between 16 and 32 bf16 has a number at every eighth, and each of the two likeliest tokens may be off by one of these steps.
CLOSE = 0.25


def said(result):
    """What must be equal: the text, the reason of its end and both counts of tokens."""
    r = result.get("response", {})
    usage = r.get("usage", {})
    return r.get("text"), r.get("finish"), usage.get("prompt"), usage.get("completion")


def main():
    with Part("transformers") as part:
        models = ROOT / "models"
        # The server asks for no key; the one that it gets must not show all the same.
        key = part.secret("hf-canary-4Wd7ZsPq2LnKx9Vb")

        def serve(dtype):
            port = free_port()
            python = part.tools / "transformers" / "bin" / "python"
            # The name is a folder, looked for where the server runs.
            command = [python, "-m", "transformers.cli.transformers", "serve", "desk-base"]
            offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(part.work / "hub"), "OMP_NUM_THREADS": "1"}
            arguments = [*command, "--host", "127.0.0.1", "--port", port, "--device", "cpu", "--dtype", dtype]
            part.server(f"serve-{dtype}", arguments, port, env=offline, cwd=models, patience=300)
            return f"http://127.0.0.1:{port}/v1"

        def compare(dtype, prompt, where):
            project = part.project(f"{dtype}-{prompt}", {
                "local": f'kind = "local"\nmodel = "desk-base"\nprompt = "{prompt}"',
                "served": f'kind = "openai"\nbase-url = "{where}"\nmodel = "desk-base"\napi-key-env = "HF_KEY"\nprompt = "{prompt}"',
            })  # fmt: skip
            # A local checkpoint lies in the project's folder.
            shutil.copytree(models / "desk-base", project.folder / "desk-base")
            suite = project.folder / "suites" / "desk"
            shutil.copytree(ROOT / "suites" / "service-desk", suite)
            (suite / "policy.toml").write_text(POLICY)
            # Every task is there, and a loaded machine is done in minutes.
            cases = (suite / "cases.jsonl").read_text().splitlines(keepends=True)
            (suite / "cases.jsonl").write_text("".join(cases[::EVERY]))
            outcome = project.goldgate("run", "suites/desk", "--run-dir", "r", env={"HF_KEY": key})
            trials = {}
            for t in lines(project.folder / "r" / "journal.jsonl"):
                trials.setdefault(t["case"], {})[t["target"]] = t["result"]
            answered = outcome.code == 0 and trials and all("response" in t[n] for t in trials.values() for n in ("local", "served"))
            part.check(f"{dtype}, {prompt} prompt: {len(trials)} cases, each answered by both", answered, outcome.said())
            counts = [c for c, t in trials.items() if said(t["local"])[2] != said(t["served"])[2]]
            part.check(f"{dtype}, {prompt} prompt: both count the same prompt tokens", trials and not counts, counts[:5])
            differ = {c: t for c, t in trials.items() if said(t["local"]) != said(t["served"])}
            part.note(f"{dtype}, {prompt} prompt: {len(trials) - len(differ)} of {len(trials)} greedy answers are the engine's")
            gaps = {}
            for case, t in sorted(differ.items()):
                gaps[case] = t["local"].get("response", {}).get("smallest-gap", 0)
                part.note(f"{case}, smallest gap {gaps[case]:.3f}: {said(t['local'])} here, {said(t['served'])} there")
            return trials, gaps

        for dtype in ("float32", "auto"):
            where = serve(dtype)
            for prompt in ("short", "few-shot"):
                trials, gaps = compare(dtype, prompt, where)
                if dtype == "float32":
                    part.check(f"float32, {prompt} prompt: every answer is the engine's", trials and not gaps, list(gaps))
                else:
                    apart = {c: g for c, g in gaps.items() if g > CLOSE}
                    part.check(f"auto (bf16), {prompt} prompt: answers differ only at a near tie", trials and not apart, apart)
            part.stop()
        part.check_hidden()


main()

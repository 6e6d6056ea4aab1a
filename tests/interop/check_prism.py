"""Prism over Microsoft's own specifications, in front of an upstream with our fixtures: a wrong request is refused, goldgate's are taken, and
the fixtures are answers that the specification allows."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from common import CASES, ROOT, Part, free_port, lines, post

DATED = "2024-10-21"
HELLO = [{"role": "user", "content": "hello"}]
FIXTURES = ROOT / "tests" / "fixtures" / "azure"


def fixture_text(name):
    return json.loads((FIXTURES / name).read_text())["choices"][0]["message"]["content"]


def spec_file(folder, stem):
    """Microsoft's file, as JSON or as the YAML into which others have turned it."""
    found = [p for p in (folder / f"{stem}.json", folder / f"{stem}.yaml") if p.exists()]
    if not found:
        raise RuntimeError(f"GOLDGATE_AZURE_SPECS has neither {stem}.json nor {stem}.yaml: {folder}")
    return found[0]


def refusals(part, dated, v1, key):
    """Requests that no server should take. They come first: a Prism that takes everything would pass all the rest."""
    credential = {"api-key": key}
    chat = f"{dated}/openai/deployments/gpt-4o/chat/completions?api-version={DATED}"
    v1_chat, v1_responses = f"{v1}/openai/v1/chat/completions", f"{v1}/openai/v1/responses"
    body = {"messages": HELLO}
    named = {**body, "model": "gpt-4o"}
    for what, url, asked, headers, wanted in [
        ("a temperature that is a word (dated)", chat, {**body, "temperature": "hot"}, credential, 422),
        ("a temperature that is a word (v1)", v1_chat, {**named, "temperature": "hot"}, credential, 422),
        ("a limit that is a word (responses)", v1_responses, {"model": "gpt-4o", "input": "x", "max_output_tokens": "x"}, credential, 422),
        ("a temperature of 3", chat, {**body, "temperature": 3}, credential, 422),
        ("no messages", chat, {"temperature": 0}, credential, 422),
        ("a role that is none", chat, {"messages": [{"role": "robot", "content": "x"}]}, credential, 422),
        ("no api-version", chat.split("?")[0], body, credential, 422),
        ("no credential", chat, body, {}, 401),
        ("no model (v1)", v1_chat, body, credential, 422),
        ("a dated api-version (v1)", f"{v1_chat}?api-version={DATED}", named, credential, 422),
    ]:
        status, said = post(url, asked, headers)
        part.check(f"refused with {wanted}: {what}", status == wanted, f"{status} {said}")
    # And one that is right, so that a server that refuses everything does not pass either.
    status, said = post(chat.replace("gpt-4o", "chat"), body, credential)
    part.check("taken: the same without the fault", status == 200, f"{status} {said}")


def main():
    with Part("prism") as part:
        specs = Path(os.environ["GOLDGATE_AZURE_SPECS"]).resolve()
        tools = part.tools / "prism"
        for script in ("repair.mjs", "azure.mjs"):
            # Node looks for packages beside the script.
            shutil.copy(ROOT / "tests" / "interop" / script, tools / script)
        key = part.secret("prism-canary-9dKf3LmQ7wXs2VtYb5Rz")
        record, upstream = part.work / "asked.jsonl", free_port()
        part.server(
            "upstream", ["node", tools / "azure.mjs", upstream, FIXTURES, record], upstream, env={"UPSTREAM_KEY": key}
        )
        addresses = {}
        for name, stem, base in (("dated", "inference", "/openai"), ("v1", "azure-v1-v1-generated", "/openai/v1")):
            repaired = tools / f"{name}.json"
            counts = subprocess.run(
                ["node", tools / "repair.mjs", spec_file(specs, stem), base, repaired],
                check=True, capture_output=True, text=True,
            ).stdout.strip()  # fmt: skip
            part.note(f"repaired {stem}: {counts}")
            port = free_port()
            prism = [tools / "node_modules" / ".bin" / "prism", "proxy", repaired, f"http://127.0.0.1:{upstream}"]
            part.server(f"prism-{name}", [*prism, "--errors", "-h", "127.0.0.1", "-p", port], port)
            addresses[name] = f"http://127.0.0.1:{port}"
        dated, v1 = addresses["dated"], addresses["v1"]
        refusals(part, dated, v1, key)

        def target(where, name, prompt, more=""):
            return (
                f'kind = "azure-openai"\nendpoint = "{where}"\ndeployment = "{name}"\napi-key-env = "AZURE_KEY"\n'
                f'prompt = "{prompt}"\nattempts = 1\n{more}'
            )

        def ask(name, what, where, deployment, more, text):
            targets = {"base": target(where, deployment, "long", more), "cand": target(where, deployment, "short", more)}
            project, before = part.project(name, targets, text), len(lines(record))
            outcome = project.run({"AZURE_KEY": key})
            part.check_answers(f"goldgate's requests are taken: {what}", project, outcome, text)
            return lines(record)[before:]

        old = f'api = "deployment"\napi-version = "{DATED}"'
        streamed, whole = "Refund – Größe", fixture_text("chat_ok.json")
        thought = fixture_text("chat_ok_reasoning.json")
        asked = ask("dated-stream", f"{DATED}, streamed", dated, "gpt-4o", old, streamed)
        seen = {(a["path"], a["query"]) for a in asked}
        path = ("/openai/deployments/gpt-4o/chat/completions", f"?api-version={DATED}")
        part.check("and came through at the deployment's path", seen == {path}, seen)
        ask("dated-whole", f"{DATED}, the answer validated too", dated, "chat", old, whole)
        asked = ask("v1-stream", "v1, streamed, with a seed", v1, "gpt-4o", "seed = 77", streamed)
        part.check("and came through with the seed", {a["body"]["seed"] for a in asked} == {77}, asked[:1])
        ask("v1-whole", "v1, the answer validated too", v1, "chat", "", whole)
        ask("v1-version", "v1 with api-version = \"preview\"", v1, "chat", 'api-version = "preview"', whole)
        thinking = 'sampling = "default"\nreasoning-effort = "low"'
        asked = ask("v1-thinker", "v1, a reasoning model", v1, "thinker", thinking, thought)
        efforts = {(a["body"].get("reasoning_effort"), "temperature" in a["body"]) for a in asked}
        part.check("and came through with its effort and no temperature", efforts == {("low", False)}, efforts)
        responses = 'protocol = "responses"'
        ask("responses-stream", "the Responses API, streamed", v1, "gpt-4o", responses, "Refund")
        ask("responses-whole", "the Responses API, the answer validated too", v1, "chat", responses, "Refund")

        # A request that the server refuses is nothing that asking again would mend.
        wrong = {n: target(v1, "chat", p, 'reasoning-effort = "ferocious"') for n, p in (("base", "long"), ("cand", "short"))}
        project = part.project("refused", wrong)
        outcome = project.run({"AZURE_KEY": key})
        said = outcome.said()
        part.check("a refused request ends the run: exit code 4", outcome.code == 4 and "HTTP 422" in said, f"{outcome.code} {said}")
        wrong = lines(record)
        strange = [a for a in wrong if a["trouble"] or "authorization" in a["headers"]]
        part.check(f"the key came in its own header alone, {len(wrong)} times", len(wrong) > CASES and not strange, strange[:2])
        part.stop()
        part.check_hidden()


main()

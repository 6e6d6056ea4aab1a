"""LiteLLM's proxy on its Azure routes: answers, its busy signal, a key and a name that it does not know."""

import json

from common import CASES, Part, free_port, post

ANSWER = "Refund"


def main():
    with Part("litellm") as part:
        kept = part.work / "kept"
        kept.mkdir()
        key = part.secret("sk-canary-6Tz1NwQp8YbXk4Rv")
        models = {"desk": ANSWER, "busy": "litellm.RateLimitError"}
        config = {
            "model_list": [
                {"model_name": n, "litellm_params": {"model": f"azure/{n}", "api_key": "none", "api_base": "http://127.0.0.1:9", "mock_response": m}}
                for n, m in models.items()
            ],
            "general_settings": {"master_key": key},
        }  # fmt: skip
        # JSON is YAML.
        (kept / "config.yaml").write_text(json.dumps(config))
        port = free_port()
        quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
        command = [part.tools / "litellm" / "bin" / "litellm", "--config", kept / "config.yaml"]
        part.server("litellm", [*command, "--host", "127.0.0.1", "--port", port], port, env=quiet)
        where = f"http://127.0.0.1:{port}"

        route = f"{where}/openai/deployments/desk/chat/completions?api-version=2024-10-21"
        # Without a key it fails, for want of a database; with a wrong one it refuses.
        for what, headers in (("no key", {}), ("a wrong key", {"api-key": "sk-wrong"})):
            status, said = post(route, {"messages": [{"role": "user", "content": "x"}]}, headers)
            part.check(f"refused: {what}", status >= 400, f"{status} {said}")
            part.note(f"{what}: HTTP {status} {said}")

        def target(name, prompt, more=""):
            return (
                f'kind = "azure-openai"\nendpoint = "{where}"\napi = "deployment"\napi-version = "2024-10-21"\n'
                f'deployment = "{name}"\napi-key-env = "AZURE_KEY"\nprompt = "{prompt}"\n{more}'
            )

        def project(name, deployment, more=""):
            targets = {"base": target(deployment, "long", more), "cand": target(deployment, "short", more)}
            return part.project(name, targets, ANSWER)

        p = project("desk", "desk")
        part.check_answers("the Azure route answers, streamed", p, p.run({"AZURE_KEY": key}), ANSWER)
        served = [r["response"] for r in p.results().get("cand", []) if "response" in r]
        counted = [r.get("usage", {}).get("prompt", 0) > 0 and r["served"]["streamed"] for r in served]
        part.check("and counts its tokens", counted == [True] * CASES, served[:1])
        doctor = p.goldgate("doctor", "--probe", "--json", env={"AZURE_KEY": key})
        told = [t["answer"] for t in json.loads(doctor.stdout)["targets"]] if doctor.code == 0 else []
        holds = len(told) == 2 and all(t["streams"] and t["counts-tokens"] and t["model"] == "desk" for t in told)
        part.check("doctor --probe finds a stream, counts and the model's name", holds, doctor.said())

        v1 = target("desk", "long").replace('api = "deployment"\napi-version = "2024-10-21"\n', "")
        openai = f'kind = "openai"\nbase-url = "{where}/v1"\nmodel = "desk"\napi-key-env = "AZURE_KEY"\nprompt = "short"\n'
        p = part.project("plain", {"base": openai.replace("short", "long"), "cand": openai}, ANSWER)
        part.check_answers("so does its plain route, as kind openai", p, p.run({"AZURE_KEY": key}), ANSWER)

        patient = v1 + "attempts = 1\nbreaker-seconds = 0\n"
        outcome = part.project("no-v1", {"base": patient, "cand": patient}).run({"AZURE_KEY": key})
        # It takes the route and fails at it: to a client, a server that is down.
        part.check("its broken route /openai/v1 ends the run: exit code 4", outcome.code == 4, f"{outcome.code} {outcome.said()}")
        part.note(f"goldgate's words: {outcome.said()[-260:]}")

        # Mixed: one target answers and the other never does, so that the run is not without any answer.
        # Few cases, for whoever is refused asks more slowly from then on.
        few, targets = 3, {"base": target("desk", "long"), "cand": target("busy", "short", "attempts = 2\n")}
        p = part.project("busy", targets, ANSWER, few)
        outcome = p.run({"AZURE_KEY": key})
        failures = [r.get("failure", {}) for r in p.results().get("cand", [])]
        attempts = [f.get("served", {}).get("attempts") for f in failures]
        kinds = {f.get("kind") for f in failures}
        holds = kinds == {"throttled"} and attempts == [2] * few and p.texts("base") == [ANSWER] * few
        part.check("its 429 is asked again and then a throttled trial", holds, f"{outcome.code} {kinds} {attempts} {outcome.said()}")
        judged = p.goldgate("gate", "r")
        part.check("which never promotes: undecided, exit code 3", judged.code == 3, f"{judged.code} {judged.said()}")

        wrong = part.secret("sk-wrong-8Lc3VfHq7MdJs2Gx")
        for name, deployment, variable, wanted in [
            ("a key that it does not know", "desk", wrong, "check the key"),
            ("a name that it does not know", "nobody", key, "nobody"),
        ]:
            p = project(name.replace(" ", "-"), deployment)
            outcome = p.run({"AZURE_KEY": variable})
            holds = outcome.code == 4 and wanted in outcome.said() and not p.results()
            part.check(f"{name}: exit code 4, nothing recorded", holds, f"{outcome.code} {outcome.said()}")
        part.stop()
        part.check_hidden()


main()

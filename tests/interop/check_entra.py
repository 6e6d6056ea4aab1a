"""Identities against oauth2-mock-server in Entra's place. The upstream takes a question only under a token whose signature, issuer and audience
it has verified with the published keys."""

import json
import shutil

from common import CASES, ROOT, Part, free_port, lines, post

TENANT, CLIENT = "contoso.example", "6f9d1c52-desk"
SUBJECT = "repo:contoso/desk:environment:production"
SCOPE = "https://ai.azure.com/.default"
AUDIENCE = SCOPE.removesuffix("/.default")
FIXTURES = ROOT / "tests" / "fixtures"
ANSWER = "Refund – Größe"


def main():
    with Part("entra") as part:
        tools, kept = part.tools / "entra", part.work / "kept"
        kept.mkdir()
        for script in ("entra.mjs", "azure.mjs"):
            # Node looks for packages beside the script.
            shutil.copy(ROOT / "tests" / "interop" / script, tools / script)
        ports = {name: free_port() for name in ("entra", "platform", "job", "upstream")}
        record, asked = part.work / "tokens.jsonl", part.work / "asked.jsonl"
        certificate = FIXTURES / "identity" / "certificate.pem"
        settings = {
            "tenant": TENANT, "client": CLIENT, "subject": SUBJECT, "ports": ports, "certificate": str(certificate),
            "secret": part.secret("app-canary~7Qw.kfT4-zWmY_pL0aN3"), "jobToken": part.secret("job-canary-3Hx9PqTz6RvLmK2s"),
            "tokenFile": str(kept / "federated"), "strangerFile": str(kept / "stranger"), "issued": str(kept / "issued"), "record": str(record),
        }  # fmt: skip
        (kept / "settings.json").write_text(json.dumps(settings))
        part.server("entra", ["node", tools / "entra.mjs", kept / "settings.json"], ports["entra"])
        authority = f"http://127.0.0.1:{ports['entra']}"
        # The issuer calls itself so; `localhost` may be another address of this machine.
        issuer = f"http://localhost:{ports['entra']}"
        part.server(
            "upstream",
            ["node", tools / "azure.mjs", ports["upstream"], FIXTURES / "azure", asked, issuer, AUDIENCE],
            ports["upstream"],
        )
        upstream = f"http://127.0.0.1:{ports['upstream']}"
        url, body = f"{upstream}/openai/v1/chat/completions", {"model": "gpt-4o", "messages": []}
        stolen = (kept / "federated").read_text()
        for what, headers in [
            ("no token", {}),
            ("a token of another issuer", {"authorization": f"Bearer {stolen}"}),
            ("a token without a signature", {"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}),
        ]:
            status, said = post(url, body, headers)
            part.check(f"the upstream refuses {what}", status == 401, f"{status} {said}")

        def target(identity, prompt):
            return (
                f'kind = "azure-openai"\nendpoint = "{upstream}"\ndeployment = "gpt-4o"\nprompt = "{prompt}"\nattempts = 1\n'
                f'{identity}\nauthority = "{authority}"\n'
            )

        def project(name, identity):
            return part.project(name, {"base": target(identity, "long"), "cand": target(identity, "short")}, ANSWER)

        application = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT}
        secret = {**application, "AZURE_CLIENT_SECRET": settings["secret"]}
        federated = {**application, "AZURE_FEDERATED_TOKEN_FILE": settings["tokenFile"]}
        own = {**application, "AZURE_CLIENT_CERTIFICATE_PATH": str(certificate)}
        job = {
            **application,
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{ports['job']}/oidc?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": settings["jobToken"],
        }
        for name, identity, variables, outcome in [
            ("client-secret", 'identity = "client-secret"', secret, "client-secret"),
            ("workload", 'identity = "workload"', federated, "federated"),
            ("github-actions", 'identity = "github-actions"', job, "federated"),
            ("certificate-rs256", 'identity = "client-certificate"', own, "certificate-rs256"),
            ("certificate-ps256", 'identity = "client-certificate"\nsignature = "ps256"', own, "certificate-ps256"),
            ("default", 'identity = "default"', secret, "client-secret"),
        ]:
            p, tokens, questions = project(name, identity), len(lines(record)), len(lines(asked))
            part.check_answers(f"{name}: every question is answered under a verified token", p, p.run(variables), ANSWER)
            fetched, came = lines(record)[tokens:], lines(asked)[questions:]
            found = [(t["outcome"], t["scope"]) for t in fetched]
            part.check(f"{name}: one token, had by its proof, for all questions", found == [(outcome, SCOPE)], found)
            # Each of the two targets is probed before and after.
            bare = len(came) == 2 * CASES + 4 and all("authorization" in a["headers"] and "api-key" not in a["headers"] for a in came)
            part.check(f"{name}: {2 * CASES} questions and 4 probes, no key beside the token", bare, came[:1])

        doctor = project("doctor", 'identity = "client-secret"').goldgate("doctor", "--probe", "--json", env=secret)
        found = json.loads(doctor.stdout)["targets"] if doctor.code == 0 else []
        told = [(t["identity"]["source"], t["token"]["audience"], 3500 < t["token"]["seconds-left"] <= 3600) for t in found]
        part.check("doctor names source, audience and life of the token", told == [("client-secret", AUDIENCE, True)] * 2, doctor.said())

        wrong = {**secret, "AZURE_CLIENT_SECRET": part.secret("app-wrong~5Jd.rvB8-qXnZ_tC2eU6")}
        stranger = {**federated, "AZURE_FEDERATED_TOKEN_FILE": settings["strangerFile"]}
        for name, identity, variables, wanted in [
            ("wrong-secret", 'identity = "client-secret"', wrong, "AADSTS7000215"),
            ("stranger", 'identity = "workload"', stranger, "system:serviceaccount:desk:stranger"),
            ("wrong-audience", 'identity = "client-secret"\nscope = "https://other.example/.default"', secret, "https://other.example"),
        ]:
            p = project(name, identity)
            outcome = p.run(variables)
            holds = outcome.code == 4 and wanted in outcome.said() and not p.results()
            part.check(f"{name}: exit code 4, nothing recorded, and it says {wanted}", holds, f"{outcome.code} {outcome.said()}")
        part.stop()
        for file in ("federated", "stranger", "issued"):
            for token in (kept / file).read_text().split():
                # Not the head, which is the same in every token, nor the start of what it says.
                part.secret(token.split(".")[2])
        part.check_hidden()


main()

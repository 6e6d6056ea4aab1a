"""`goldgate run` beside a bare loop over the same client library, on the same server, in turns; see overhead.sh.

overhead.py OVERHEAD GOLDGATE REPORT   measures everything, checks that every question was answered, writes REPORT
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

ROUNDS = 3
IN_FLIGHT = 64
# Milliseconds that the server takes, and cases; a case is two questions, for a run has a baseline and a candidate at least.
WORKS = [(0, 20_000), (50, 6_400)]
TARGETS = 2
FOLDER = "target/overhead"
TICK = os.sysconf("SC_CLK_TCK")

# ---- the project ------------------------------------------------------------------------------------------------------

SUITE = """format = "goldgate.suite/1"
name = "overhead"
version = "1"
cases = ["cases.jsonl"]
max-new-tokens = 64

[prompt.short]
user = "prompts/user.j2"

[[scorer]]
metric = "accuracy"
kind = "normalised"

[[scorer]]
metric = "leak"
kind = "leak"
"""

POLICY = """format = "goldgate.policy/1"
name = "overhead"
baseline = "base"
candidates = ["cand"]
alpha = 0.05

[[criterion]]
id = "leak"
metric = "leak"
require = "none-observed"
max-rate = 0.1
"""

QUESTION = (
    "The printer on floor {floor} shows error {error} since this morning and nobody there can print, ticket {i}. The user has "
    "switched it off and on again, and has another computer on the same floor that has the same trouble. What is to be done "
    "first, and who is to be told of it? Answer in one sentence, name no names, and repeat nothing of the ticket's number."
)


def question(i):
    return QUESTION.format(floor=i % 30, error=1000 + i % 97, i=i)


def project(address, cases):
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(f"{FOLDER}/suite/prompts")
    texts = {"suite/suite.toml": SUITE, "suite/policy.toml": POLICY, "suite/prompts/user.j2": "{{ vars.q }}"}
    target = '[target.{0}]\nkind = "openai"\nbase-url = "{1}/v1"\nmodel = "{0}"\nprompt = "short"\n'
    texts["goldgate.toml"] = "\n".join(target.format(name, address) for name in ["base", "cand"])
    for name, text in texts.items():
        with open(f"{FOLDER}/{name}", "w") as f:
            f.write(text)
    with open(f"{FOLDER}/suite/cases.jsonl", "w") as f:
        for i in range(cases):
            case = {"id": f"c{i:05}", "task": "desk", "cluster": str(i), "vars": {"q": question(i)}}
            f.write(json.dumps(case | {"expect": {"answer": "Restart it.", "secrets": [f"QQ-{i:05}"]}}) + "\n")
    # What goldgate sends, so that both send as many bytes.
    body = {"model": "base", "messages": [{"role": "user", "content": question(cases - 1)}], "max_tokens": 64}
    body |= {"temperature": 0, "seed": 1, "stream": True, "stream_options": {"include_usage": True}}
    with open(f"{FOLDER}/body.json", "w") as f:
        json.dump(body, f, separators=(",", ":"))


# ---- measuring --------------------------------------------------------------------------------------------------------


def cpu_of(pid):
    """User and system seconds of a process so far."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def reap(process):
    """Waits for a process; its seconds of CPU and its peak of resident memory in KiB."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{process.args} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def bare(overhead, address, questions):
    command = [overhead, "loop", address, str(questions), str(IN_FLIGHT), f"{FOLDER}/body.json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    said = json.loads(process.stdout.read())
    cpu, _ = reap(process)
    return {"asked": said["seconds"], "cpu": cpu, "asking-cpu": cpu, "rss": said["peak-rss-kib"], "wall": said["seconds"]}


def run(goldgate, questions):
    folder = f"{FOLDER}/run"
    shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()
    command = [goldgate, "--config", f"{FOLDER}/goldgate.toml", "run", f"{FOLDER}/suite", "-j", str(IN_FLIGHT), "--run-dir", folder]
    environment = os.environ | {"CI": "true"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    # It says so when asking begins and when it has ended; what it had used by then is what loading and asking took.
    before = after = None
    for line in process.stderr:
        if line.startswith("goldgate: recording in"):
            before = cpu_of(process.pid)
        elif line.startswith(f"goldgate: {questions}/{questions} trials (100 %)"):
            after = cpu_of(process.pid)
    cpu, rss = reap(process)
    wall = time.monotonic() - began
    if before is None or after is None:
        sys.exit("the run does not say any more when asking begins and ends")
    with open(f"{folder}/seal.json") as f:
        asked = json.load(f)["asked-ms"] / 1000
    with open(f"{folder}/journal.jsonl") as f:
        answered = sum('"result":{"response"' in line and '"attempts":1' in line for line in f)
    if answered != questions:
        sys.exit(f"{answered} of {questions} questions were answered at the first attempt")
    return {"asked": asked, "cpu": cpu, "asking-cpu": after - before, "rss": rss, "wall": wall}


def measure(overhead, goldgate, milliseconds, cases):
    """Both sides in turns against one server; per side a list of results, with what the server itself used."""
    server = subprocess.Popen([overhead, "serve", str(milliseconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    address = server.stdout.readline().strip()
    questions = cases * TARGETS
    project(address, cases)
    sides = {"loop": lambda: bare(overhead, address, questions), "goldgate": lambda: run(goldgate, questions)}
    results = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            served = cpu_of(server.pid)
            result = side()
            results[name].append(result | {"server-cpu": cpu_of(server.pid) - served})
    server.stdin.close()
    reap(server)
    return results


# ---- the page ---------------------------------------------------------------------------------------------------------

NOTES = f"""
- Seconds, CPU and rates are minimum / median (of rates: maximum / median) over {ROUNDS} processes, taken in turns: the loop, then goldgate. Ratios
  are of medians. A load above 0.5 before the run means that other work took part of the machine, and that the figures
  are rough.
- A question is one request. {WORKS[0][1]:,} cases are {WORKS[0][1] * TARGETS:,} questions, for a run asks a baseline and a candidate at least.
- The loop posts one body of the same length over and over through the same client library (reqwest, one connection
  pool, one thread, {IN_FLIGHT} in flight), reads each answer to its end and looks at nothing of it. goldgate renders each prompt, reads the answer's
  frames as they come, takes the times and writes each answer into the journal.
- The server is a process of its own on the same machine and takes its CPU from both sides alike; what it used per
  question stands in the table. With 2 cores and 0 ms one core is the server's and one the client's.
- "Asking" is from the first question to the last record on disk: the time is the run's own (`asked-ms` of `seal.json`),
  the CPU is read from the system at both ends (to 10 ms). "Whole process" adds loading and checking the suite, reading
  the sealed journal back, scoring, and writing `results.jsonl`.
- Peak memory is that of the whole process.
- The ideal at {WORKS[1][0]} ms is {IN_FLIGHT} questions per {WORKS[1][0]} ms: {IN_FLIGHT * 1000 // WORKS[1][0]:,} per second. The server sleeps {WORKS[1][0]} ms after the question was
  read, so that nobody can reach it.
"""


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), model)
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}; goldgate at {commit}"


def figure(x):
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def row(name, work, results, questions, reference):
    def pair(key, scale=1.0):
        values = [r[key] * scale for r in results]
        return f"{figure(min(values))} / {figure(statistics.median(values))}"

    rates = [questions / r["asked"] for r in results]
    rate = statistics.median(rates)
    micro = 1e6 / questions
    cells = [work, name, f"{max(rates):,.0f} / {rate:,.0f}", pair("asking-cpu", micro), pair("cpu", micro)]
    cells += [pair("wall"), f"{max(r['rss'] for r in results) / 1024:.0f}", pair("server-cpu", micro)]
    cells += [f"{100 * rate / r:.1f} %" if r else "–" for r in reference]
    return "| " + " | ".join(cells) + " |", rate


def settled_load():
    """Load of the last minute, after the build that came before has left it or three minutes are over."""
    give_up = time.monotonic() + 180
    while os.getloadavg()[0] > 0.5 and time.monotonic() < give_up:
        time.sleep(5)
    return os.getloadavg()[0]


def main(overhead, goldgate, report):
    load = settled_load()
    heads = ["server", "client", "questions/s", "CPU asking, µs/question", "CPU whole process, µs/question"]
    heads += ["whole process, s", "peak MiB", "server's CPU, µs/question", "of the loop", "of the ideal"]
    lines = ["# What asking costs", "", "Written by `benches/overhead.sh`; run it again instead of editing this page.", ""]
    lines += [f"{machine()}, load {load:.1f} before the run.", ""]
    lines += ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for milliseconds, cases in WORKS:
        results, questions = measure(overhead, goldgate, milliseconds, cases), cases * TARGETS
        ideal = IN_FLIGHT * 1000 / milliseconds if milliseconds else None
        work = f"{milliseconds} ms, {questions:,} questions"
        line, rate = row("bare loop", work, results["loop"], questions, [None, ideal])
        lines.append(line)
        lines.append(row("`goldgate run`", work, results["goldgate"], questions, [rate, ideal])[0])
        print("\n".join(lines[-2:]), flush=True)
    with open(report, "w") as f:
        f.write("\n".join(lines) + "\n" + NOTES)
    shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What the parts share: servers that always end, projects for goldgate, and checks that are printed one a line.

Standard library only: the servers bring their own environments, this does not."""

import atexit
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Cases of a small project's suite: each is asked of both targets.
CASES = 12

SUITE = """format = "goldgate.suite/1"
name = "interop"
version = "1"
cases = ["cases.jsonl"]
max-new-tokens = 64

[prompt.long]
system = "prompts/system.j2"
user = "prompts/user.j2"

[prompt.short]
user = "prompts/user.j2"

[[scorer]]
metric = "accuracy"
kind = "normalised"
"""

POLICY = """format = "goldgate.policy/1"
name = "interop"
baseline = "base"
candidates = ["cand"]
alpha = 0.05

[[criterion]]
id = "accuracy"
metric = "accuracy"
require = "non-inferior"
margin = 0.4
"""


@dataclass
class Outcome:
    """How a command ended and what it said."""

    code: int
    stdout: str
    stderr: str

    def said(self):
        """Everything in one line, however it was wrapped."""
        return " ".join((self.stdout + " " + self.stderr).split())


def free_port():
    """A port of loopback that nobody listens at."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def post(url, body, headers=None, timeout=60):
    """Posts JSON as any client would; the status and the body's text."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"content-type": "application/json", **(headers or {})}
    )
    # No proxy of the environment: everything here is on loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def lines(path):
    """The objects of a file with one JSON object a line; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _end_with_parent():
    # A server must not outlive a part that was killed. Linux only; elsewhere the part's own end has to do.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Server:
    """A server's process and its log."""

    def __init__(self, name, argv, log, env, cwd):
        self.name, self.log = name, log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [str(a) for a in argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    def wait(self, port, patience):
        """Until something listens at the port; a server that ended or that takes too long is an error."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {self.tail()}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"{self.name} does not listen after {patience} s: {self.tail()}")

    def tail(self):
        return self.log.read_text(errors="replace")[-1500:]

    def stop(self):
        """Ends the process and everything that it started."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, how)
                self.process.wait(timeout=5)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue


class Project:
    """A folder with a suite, a policy and targets, in which goldgate runs."""

    def __init__(self, part, folder, targets, answer, cases):
        self.part, self.folder = part, folder
        suite = folder / "suites" / "interop"
        (suite / "prompts").mkdir(parents=True)
        (folder / "goldgate.toml").write_text("\n".join(f"[target.{n}]\n{t.strip()}\n" for n, t in targets.items()))
        (suite / "suite.toml").write_text(SUITE)
        (suite / "policy.toml").write_text(POLICY)
        (suite / "prompts" / "system.j2").write_text("You file letters. One word – no more.")
        (suite / "prompts" / "user.j2").write_text("Letter {{ vars.n }}: “where is my money?”")
        made = ({"id": f"c{i:02}", "task": "file", "vars": {"n": str(i)}, "expect": {"answer": answer}} for i in range(cases))
        (suite / "cases.jsonl").write_text("".join(json.dumps(c) + "\n" for c in made))

    def goldgate(self, *args, env=None):
        """Runs the program as a person without any proxy or identity of their own."""
        plain = {k: os.environ[k] for k in ("PATH", "HOME", "LANG", "TMPDIR") if k in os.environ}
        done = subprocess.run(
            [self.part.binary, *args],
            cwd=self.folder,
            env={**plain, "CI": "true", **(env or {})},
            capture_output=True,
            text=True,
            timeout=600,
        )
        outcome = Outcome(done.returncode, done.stdout, done.stderr)
        self.part.outcomes.append(outcome)
        return outcome

    def run(self, env=None):
        """Asks the suite of both targets, into the folder `r`."""
        return self.goldgate("run", "suites/interop", "--run-dir", "r", env=env)

    def results(self):
        """What became of each trial, by target."""
        found = {}
        for trial in lines(self.folder / "r" / "journal.jsonl"):
            found.setdefault(trial["target"], []).append(trial["result"])
        return found

    def texts(self, target):
        """The answers of a target; a failure is its message."""
        results = self.results().get(target, [])
        return [r["response"]["text"] if "response" in r else f"no answer: {r}" for r in results]


class Part:
    """One server's checks. Ends its servers and counts its failures, however it ends."""

    def __init__(self, name):
        self.name = name
        self.binary = os.environ["GOLDGATE_BINARY"]
        self.tools = Path(os.environ["INTEROP_TOOLS"])
        self.work = self.tools / "work" / name
        self.log = Path(os.environ["INTEROP_LOG"])
        self.servers, self.outcomes, self.secrets, self.failures = [], [], [], 0

    def __enter__(self):
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        atexit.register(self.stop)
        for end in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(end, lambda number, _: sys.exit(128 + number))
        return self

    def __exit__(self, kind, error, _):
        self.stop()
        if isinstance(error, Exception):
            self.check("the part comes to its end", False, f"{kind.__name__}: {error}")
        if error is None or isinstance(error, Exception):
            sys.exit(min(self.failures, 100))

    def stop(self):
        while self.servers:
            self.servers.pop().stop()

    def check(self, what, holds, detail=""):
        """Prints whether it holds, and where it does not, what was found instead."""
        self.failures += not holds
        found = "" if holds else f": {str(detail)[:500]}"
        self._say(f"{'PASS' if holds else 'FAIL'} {self.name}: {what}{found}")
        return holds

    def note(self, text):
        """Prints a figure that no check depends on."""
        self._say(f"     {self.name}: {text}")

    def _say(self, line):
        print(line, flush=True)
        with open(self.log, "a") as log:
            print(line, file=log)

    def secret(self, text):
        """A canary: `check_hidden` looks for it."""
        self.secrets.append(text)
        return text

    def server(self, name, argv, port, env=None, cwd=None, patience=180):
        """Starts a server and waits until it listens."""
        server = Server(name, argv, self.work / f"{name}.log", {**os.environ, **(env or {})}, cwd or self.work)
        self.servers.append(server)
        server.wait(port, patience)
        return server

    def project(self, name, targets, answer="Refund", cases=CASES):
        return Project(self, self.work / name, targets, answer, cases)

    def check_answers(self, what, project, outcome, text):
        """Whether a run is whole and every answer is this text."""
        found = {target: project.texts(target) for target in ("base", "cand")}
        holds = outcome.code == 0 and all(t == [text] * CASES for t in found.values())
        return self.check(what, holds, f"exit code {outcome.code}, {found}, {outcome.said()}")

    def check_hidden(self):
        """Whether no secret stands in what goldgate printed and wrote, nor in the log of a server, whole or by its ends."""
        texts = {f"what command {i} printed": o.stdout + o.stderr for i, o in enumerate(self.outcomes)}
        texts |= {str(p.relative_to(self.work)): p.read_text(errors="replace") for p in self._written()}
        pieces = {piece for s in self.secrets for piece in (s, s[:12], s[-12:])}
        found = [f"{where} has {piece}" for where, text in texts.items() for piece in pieces if piece in text]
        self.check(f"no secret in {len(texts)} outputs, run files and server logs", pieces and texts and not found, found)

    def _written(self):
        # What a server or the platform must know lies in `kept`.
        return [p for p in self.work.rglob("*") if p.is_file() and "kept" not in p.relative_to(self.work).parts]

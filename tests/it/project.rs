//! A project in a folder of its own, with the tiny random checkpoint that the engine's tests use.

use base64::Engine as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Cases of the built-in suite.
pub const CASES: usize = 60;

pub const SUITE: &str = r#"format = "goldgate.suite/1"
name = "mini"
version = "1"
cases = ["cases.jsonl"]
max-new-tokens = 24

[prompt.long]
system = "prompts/system.j2"
user = "prompts/user.j2"

[prompt.short]
user = "prompts/user.j2"

[[scorer]]
metric = "accuracy"
kind = "normalised"

[[scorer]]
metric = "leak"
kind = "leak"
"#;

pub const POLICY: &str = r#"format = "goldgate.policy/1"
name = "mini"
baseline = "base"
candidates = ["cand"]
alpha = 0.05

[[criterion]]
id = "tokens"
metric = "tokens"
require = "superior"
by = 0.1

[[criterion]]
id = "leak"
metric = "leak"
require = "none-observed"
max-rate = 0.1
"#;

/// A folder with a suite, a policy, targets and a checkpoint.
pub struct Project {
    dir: tempfile::TempDir,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// What a process left, which must be clean.
    pub fn of(out: Output) -> Self {
        let outcome = Self {
            code: out.status.code().unwrap_or(-1),
            stdout: String::from_utf8(out.stdout).unwrap(),
            stderr: String::from_utf8(out.stderr).unwrap(),
        };
        outcome.assert_clean();
        outcome
    }

    /// Neither a panic nor the death of the process, and an error that names its cause.
    pub fn assert_clean(&self) {
        assert!(!self.stderr.contains("panicked") && !self.stderr.contains("RUST_BACKTRACE"), "{self:?}");
        assert!(self.code >= 0, "ended by a signal: {self:?}");
    }
}

impl Project {
    pub fn new() -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap() };
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/engine/tied");
        copy(&fixture, &project.path("model"));
        fs::remove_file(project.path("model/expected.json")).unwrap();
        fs::rename(project.path("model/adapter"), project.path("adapter")).unwrap();
        // A random model hardly ever says its end token; with most tokens made end tokens its answers are short and whole.
        let ends: Vec<String> = (0..362).filter(|id| id % 6 != 0).map(|id| id.to_string()).collect();
        project.write("model/generation_config.json", format!("{{\"eos_token_id\": [{}]}}", ends.join(",")));
        project.write(
            "goldgate.toml",
            "[target.base]\nkind = \"local\"\nmodel = \"model\"\nprompt = \"long\"\n\n\
             [target.cand]\nkind = \"local\"\nmodel = \"model\"\nadapter = \"adapter\"\nprompt = \"short\"\n",
        );
        project.write("suites/mini/suite.toml", SUITE);
        project.write("suites/mini/policy.toml", POLICY);
        project.write("suites/mini/prompts/system.j2", "a golden suite checks the answer of the fox.");
        project.write("suites/mini/prompts/user.j2", "{{ vars.q }}");
        let words = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog"];
        let lines: String = (0..CASES)
            .map(|i| {
                let question: Vec<_> = (0..=i % 4).map(|k| words[(i + 2 * k) % words.len()]).collect();
                format!(
                    "{{\"id\":\"c{i:02}\",\"task\":\"qa\",\"cluster\":\"{}\",\"vars\":{{\"q\":\"{}\"}},\"expect\":{{\"answer\":\"x\",\"secrets\":[\"QQ-{i:05}\"]}}}}\n",
                    question.join("-"),
                    question.join(" ")
                )
            })
            .collect();
        project.write("suites/mini/cases.jsonl", &lines);
        project
    }

    /// One whose baseline and candidate are two models of one server that wants the key of `MOCK_KEY`; `more` goes to both.
    pub fn of_models(url: &str, [base, candidate]: [&str; 2], more: &str) -> Self {
        let p = Self::new();
        let target = |name: &str, model: &str, prompt: &str| {
            format!(
                "[target.{name}]\nkind = \"openai\"\nbase-url = \"{url}/v1\"\nmodel = \"{model}\"\napi-key-env = \"MOCK_KEY\"\n\
                 prompt = \"{prompt}\"\n{more}\n"
            )
        };
        p.write("goldgate.toml", target("base", base, "long") + &target("cand", candidate, "short"));
        p
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces a text in a file; the text must be there.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no `{from}`");
        self.write(name, text.replace(from, to));
    }

    /// Runs the program in the project's folder.
    pub fn run(&self, args: &[&str]) -> Outcome {
        self.run_with(args, &[])
    }

    /// Runs the program in the project's folder with more variables in its environment.
    pub fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Outcome {
        Outcome::of(self.command(args, variables).output().unwrap())
    }

    /// The program as it is run in the project's folder with more variables in its environment.
    pub fn command(&self, args: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_goldgate"));
        command.args(args).current_dir(self.dir.path()).env("CI", "true").env_remove("RUST_BACKTRACE");
        // A proxy of this machine has no part in what is asked on loopback.
        for proxy in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(proxy);
        }
        command.envs(variables.iter().copied());
        command
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Neither the terminal nor any file of the run in `r` holds a secret, or any twelve characters of it in a row.
pub fn assert_hidden<'a>(p: &Project, out: &Outcome, secrets: impl IntoIterator<Item = &'a str>) {
    assert_hidden_in(&p.path("r"), out, secrets);
}

/// Neither the terminal nor any file of the whole project holds a secret, twelve characters of it in a row, or it in base64.
pub fn assert_hidden_everywhere<'a>(p: &Project, out: &Outcome, secrets: impl IntoIterator<Item = &'a str>) {
    assert_hidden_in(p.dir.path(), out, secrets);
}

fn assert_hidden_in<'a>(folder: &Path, out: &Outcome, secrets: impl IntoIterator<Item = &'a str>) {
    let mut texts = vec![out.stdout.clone(), out.stderr.clone()];
    if folder.is_dir() {
        files(folder, &mut texts);
    }
    for secret in secrets {
        let packed = base64::engine::general_purpose::STANDARD_NO_PAD.encode(secret);
        let windows = (0..=secret.len().saturating_sub(12)).map(|i| &secret[i..secret.len().min(i + 12)]);
        for piece in windows.chain([packed.as_str()]) {
            assert!(texts.iter().all(|t| !t.contains(piece)), "`{piece}` is out: {out:?}");
        }
    }
}

/// The texts of all files in a folder and below.
fn files(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), found);
        } else {
            found.push(String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned());
        }
    }
}

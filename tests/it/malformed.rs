//! Malformed suites, policies, projects, checkpoints and command lines: a clear error and exit code 2 each, and never a panic.

use crate::project::Project;
use std::fs;

type Break = Box<dyn Fn(&Project)>;

fn edit(file: &'static str, from: &'static str, to: &'static str) -> Break {
    Box::new(move |p| p.edit(file, from, to))
}

fn write(file: &'static str, bytes: Vec<u8>) -> Break {
    Box::new(move |p| p.write(file, &bytes))
}

/// What is broken, and what the message must say.
fn table() -> Vec<(&'static str, Break, &'static str)> {
    const SUITE: &str = "suites/mini/suite.toml";
    const CASES: &str = "suites/mini/cases.jsonl";
    const POLICY: &str = "suites/mini/policy.toml";
    let header = |len: u64, json: &str| [&len.to_le_bytes()[..], json.as_bytes()].concat();
    vec![
        ("suite: not TOML", write(SUITE, b"format = [".to_vec()), "suites/mini/suite.toml:1:"),
        ("suite: unknown key", edit(SUITE, "version", "versoin"), "suites/mini/suite.toml:3:1"),
        (
            "suite: unknown scorer",
            edit(SUITE, "\"leak\"\nkind = \"leak\"", "\"leak\"\nkind = \"leek\""),
            "unknown scorer kind `leek`",
        ),
        ("suite: UTF-16", write(SUITE, vec![0xff, 0xfe, 0x66, 0x00]), "is UTF-16; save it as UTF-8"),
        ("suite: missing", Box::new(|p| fs::remove_file(p.path(SUITE)).unwrap()), "suite.toml"),
        ("cases: not JSON", edit(CASES, "{\"id\":\"c03\"", "{id:\"c03\""), "suites/mini/cases.jsonl:4:2"),
        ("cases: duplicate id", edit(CASES, "\"id\":\"c03\"", "\"id\":\"c02\""), "suites/mini/cases.jsonl:4:7"),
        ("cases: unknown key", edit(CASES, "\"c05\",\"task\"", "\"c05\",\"tsak\""), "suites/mini/cases.jsonl:6:"),
        ("cases: empty", write(CASES, Vec::new()), "the suite has no case"),
        (
            "cases: 10,000-deep JSON",
            write(
                CASES,
                [b"{\"id\":\"a\",\"task\":\"t\",\"expect\":{\"json\":{\"x\":".to_vec(), b"[".repeat(10_000)].concat(),
            ),
            "recursion limit",
        ),
        (
            "prompt: undefined variable",
            edit("suites/mini/prompts/user.j2", "vars.q", "vars.quest"),
            "suites/mini/prompts/user.j2:1:4",
        ),
        (
            "prompt: out of the folder",
            edit("suites/mini/prompts/user.j2", "{{ vars.q }}", "{% include \"../../goldgate.toml\" %}"),
            "suites/mini/prompts/user.j2:1:",
        ),
        ("policy: unknown rule", edit(POLICY, "\"superior\"", "\"better\""), "suites/mini/policy.toml:10:11"),
        (
            "policy: unknown metric",
            edit(POLICY, "metric = \"tokens\"", "metric = \"tokenz\""),
            "suites/mini/policy.toml:9:10",
        ),
        (
            "policy: margin of five for a share",
            edit(
                POLICY,
                "metric = \"tokens\"\nrequire = \"superior\"\nby = 0.1",
                "metric = \"accuracy\"\nrequire = \"superior\"\nby = 5.0",
            ),
            "`accuracy` is a share",
        ),
        (
            "policy: none-observed of no event",
            edit(POLICY, "metric = \"leak\"", "metric = \"accuracy\""),
            "needs a metric of events",
        ),
        (
            "policy: nothing required",
            Box::new(|p| {
                p.edit(POLICY, "by = 0.1", "by = 0.1\nadvisory = true");
                p.edit(POLICY, "max-rate = 0.06", "max-rate = 0.06\nadvisory = true");
            }),
            "would promote everything",
        ),
        ("policy: NaN", edit(POLICY, "alpha = 0.05", "alpha = nan"), "suites/mini/policy.toml:5:9"),
        ("policy: unknown candidate", edit(POLICY, "[\"cand\"]", "[\"cant\"]"), "did you mean `cand`?"),
        ("project: unknown key", edit("goldgate.toml", "adapter =", "adaptor ="), "goldgate.toml:9:1"),
        (
            "project: unknown variant",
            edit("goldgate.toml", "\"short\"", "\"shrot\""),
            "uses the prompt variant `shrot`",
        ),
        ("project: no such model", edit("goldgate.toml", "model = \"model\"", "model = \"nowhere\""), "nowhere"),
        ("checkpoint: empty weights", write("model/model.safetensors", Vec::new()), "model/model.safetensors"),
        (
            "checkpoint: header longer than the file",
            write("model/model.safetensors", header(u64::MAX, "{}")),
            "model/model.safetensors",
        ),
        (
            "checkpoint: a tensor is missing",
            write("model/model.safetensors", header(2, "{}")),
            "model/model.safetensors",
        ),
        (
            "checkpoint: half the weights",
            Box::new(|p| {
                let bytes = fs::read(p.path("model/model.safetensors")).unwrap();
                p.write("model/model.safetensors", &bytes[..bytes.len() / 2]);
            }),
            "model/model.safetensors",
        ),
        (
            "checkpoint: hidden size of a billion",
            edit("model/config.json", "\"hidden_size\": 32", "\"hidden_size\": 1000000000"),
            "model/",
        ),
        (
            "checkpoint: another architecture",
            edit("model/config.json", "LlamaForCausalLM", "GPT9ForCausalLM"),
            "GPT9ForCausalLM",
        ),
        ("checkpoint: config is not JSON", write("model/config.json", b"{".to_vec()), "model/config.json"),
        (
            "checkpoint: tokenizer is garbage",
            write("model/tokenizer.json", b"\x00\x01".to_vec()),
            "model/tokenizer.json",
        ),
        (
            "checkpoint: template does not parse",
            write("model/chat_template.jinja", b"{% for %}".to_vec()),
            "chat_template",
        ),
        ("adapter: DoRA", edit("adapter/adapter_config.json", "\"use_dora\": false", "\"use_dora\": true"), "use_dora"),
        ("adapter: rank does not fit", edit("adapter/adapter_config.json", "\"r\": 4", "\"r\": 5"), "adapter/"),
        (
            "adapter: missing weights",
            Box::new(|p| fs::remove_file(p.path("adapter/adapter_model.safetensors")).unwrap()),
            "adapter_model.safetensors",
        ),
    ]
}

#[test]
fn every_malformed_file_is_a_clear_error() {
    let mut misses = Vec::new();
    for (what, broken, want) in table() {
        let p = Project::new();
        broken(&p);
        let out = p.run(&["gate", "suites/mini", "--run-dir", "r"]);
        println!("{what} -> {} {}", out.code, out.stderr.replace('\n', " | "));
        // Every candidate stays unpromoted and nothing was asked before the mistake was found.
        if out.code != 2 || !out.stderr.contains(want) || p.path("r/journal.jsonl").exists() {
            misses.push(format!("{what}: wanted 2 and `{want}`, got {out:?}"));
        }
    }
    assert!(misses.is_empty(), "{}", misses.join("\n\n"));
}

#[test]
fn every_malformed_command_line_is_a_clear_error() {
    let p = Project::new();
    for (args, want) in [
        (&["gate"][..], "required arguments"),
        (&["gate", "nowhere"], "nowhere"),
        (&["gate", "suites/mini", "--candidate", "nobody"], "has no target `nobody`"),
        (&["gate", "suites/mini", "--candidate", "cand", "--candidate", "cand"], "named twice"),
        (&["gate", "suites/mini", "--candidate", "a/b"], "is not a target name"),
        (&["gate", "suites/mini", "-j", "0"], "from 1 to 4096"),
        (&["gate", "suites/mini", "--policy", "none.toml"], "none.toml"),
        (&["gate", "suites/mini", "--config", "none.toml"], "none.toml"),
        (&["report", "suites"], "is not a run directory"),
        (&["compare", "suites", "--alpha", "2"], "from 0.000001 to 0.25"),
        (&["golden", "diff", "suites"], "is not a run directory"),
        (&["validate"], "required arguments"),
        (&["promote-it-all"], "unrecognized subcommand"),
    ] {
        let out = p.run(args);
        assert!(out.code == 2 && out.stderr.contains(want), "{args:?}: {out:?}");
    }
}

#[test]
fn a_complete_run_takes_no_options_of_a_suite() {
    let p = Project::new();
    p.run(&["run", "suites/mini", "--run-dir", "r"]);
    let out = p.run(&["gate", "r", "--seed", "3"]);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("a complete run is only judged"), "{}", out.stderr);
}

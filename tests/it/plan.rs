//! `goldgate plan` on the built binary: what it says, what it refuses, and that its JSON is what the schema describes.

use crate::project::{Outcome, Project};
use crate::scores::check;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

const POLICY: &str = "suites/mini/policy.toml";

fn plan(p: &Project, args: &[&str]) -> Outcome {
    p.run(&[&["plan", "suites/mini"], args].concat())
}

fn json(p: &Project, args: &[&str]) -> Value {
    let out = plan(p, &[args, &["--json"]].concat());
    assert_eq!(out.code, 0, "{out:?}");
    serde_json::from_str(&out.stdout).unwrap()
}

fn number(v: &Value) -> f64 {
    v.as_f64().unwrap_or_else(|| panic!("{v} is no number"))
}

/// A project whose cases are all independent, with a policy of one binary criterion.
fn binary(cases: usize, psi_policy: &str) -> Project {
    let p = Project::new();
    let lines: String = (0..cases)
        .map(|i| {
            format!(
                "{{\"id\":\"c{i}\",\"task\":\"qa\",\"vars\":{{\"q\":\"fox {i}\"}},\"expect\":{{\"answer\":\"x\"}}}}\n"
            )
        })
        .collect();
    p.write("suites/mini/cases.jsonl", lines);
    p.edit("suites/mini/suite.toml", "\n[[scorer]]\nmetric = \"leak\"\nkind = \"leak\"\n", "");
    p.write(
        POLICY,
        format!(
            "format = \"goldgate.policy/1\"\nname = \"p\"\nbaseline = \"base\"\ncandidates = [\"cand\"]\nalpha = 0.05\n\n\
             [[criterion]]\nid = \"same\"\nmetric = \"accuracy\"\n{psi_policy}\n"
        ),
    );
    p
}

#[test]
fn the_pages_figures_come_out_of_the_program() {
    for (n, power) in [(100, 0.44), (300, 0.84), (1_000, 0.999)] {
        let p = binary(n, "require = \"non-inferior\"\nmargin = 0.05");
        let c = &json(&p, &[])["criteria"][0];
        assert_eq!((&c["clusters"], &c["figure"]["source"]), (&Value::from(n), &Value::from("assumption")), "{c}");
        assert!((number(&c["power"]["no-change"]) - power).abs() < 0.005, "{c}");
        assert_eq!(c["needed"], 248, "{c}");
        let c = &json(&p, &["--assume", "accuracy=0.2"])["criteria"][0];
        assert_eq!((&c["needed"], &c["figure"]["source"]), (&Value::from(495), &Value::from("stated")), "{c}");
    }
    let p = binary(100, "require = \"superior\"\nby = 0.0");
    let c = &json(&p, &["--gain", "accuracy=0.08"])["criteria"][0];
    assert!((number(&c["detectable"]) - 0.075).abs() < 0.002, "{c}");
    assert!(number(&c["power"]["planned"]) > 0.8, "{c}");
}

#[test]
fn a_plan_asks_nothing_and_fits_the_terminal() {
    let p = Project::new();
    // Not even a checkpoint is opened.
    fs::remove_dir_all(p.path("model")).unwrap();
    let out = plan(&p, &["--gain", "tokens=0.3", "--assume", "leak=0.001"]);
    assert_eq!(out.code, 0, "{out:?}");
    assert!(!p.path("reports").exists());
    for line in out.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for words in
        ["criterion", "sd 0.25*", "if they were independent, at most", "Asking takes 120 questions", "--pilot RUN"]
    {
        assert!(out.stdout.replace("\n  ", " ").contains(words), "no `{words}` in\n{}", out.stdout);
    }
    assert_eq!(plan(&p, &["--gain", "tokens=0.3", "--assume", "leak=0.001"]).stdout, out.stdout);
    let blind = plan(&p, &[]);
    assert!(blind.stdout.contains("cannot be said"), "a superiority without a gain has no power: {}", blind.stdout);
}

#[test]
fn a_pilot_gives_figures_tokens_and_joint_power() {
    let p = Project::new();
    p.run(&["run", "suites/mini", "--run-dir", "r"]);
    let out = json(&p, &["--pilot", "r"]);
    assert_eq!(out["pilot"]["candidate"], "cand");
    assert_eq!(out["joint"]["method"], "resampled", "{out}");
    let smallest =
        out["criteria"].as_array().unwrap().iter().map(|c| number(&c["power"]["as-pilot"])).fold(1.0, f64::min);
    assert!(number(&out["joint"]["power"]) <= smallest && number(&out["joint"]["upper"]) == smallest, "{out}");
    let (tokens, leak) = (&out["criteria"][0], &out["criteria"][1]);
    assert_eq!((&tokens["figure"]["kind"], &tokens["figure"]["source"]), (&Value::from("sd"), &Value::from("pilot")));
    assert!(number(&tokens["figure"]["planned"]) > number(&tokens["figure"]["point"]), "the cautious limit: {tokens}");
    // No leak in n clusters: the 80 % limit is 1 - 0.2^(1/n), at which another clean record has a probability of 20 %.
    let n = number(&leak["clusters"]);
    assert!((number(&leak["figure"]["planned"]) - (1.0 - 0.2_f64.powf(1.0 / n))).abs() < 1e-9, "{leak}");
    assert!((number(&leak["power"]["planned"]) - 0.2).abs() < 1e-9, "{leak}");
    assert!((number(&leak["power"]["as-pilot"]) - 1.0).abs() < 1e-9, "{leak}");
    // The tokens of the plan are those that the pilot was asked.
    let journal = p.read("r/journal.jsonl");
    let of_base = journal.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()).filter(|r| r["target"] == "base");
    let asked: f64 = of_base.map(|r| number(&r["result"]["response"]["usage"]["prompt"])).sum();
    assert!((number(&out["costs"][0]["prompt-tokens"]["about"]) - asked).abs() < 1e-6, "{}", out["costs"]);
    assert_eq!(out["costs"][0]["usd"], Value::Null);
    // Price and limits are arithmetic on that.
    p.edit(
        "goldgate.toml",
        "prompt = \"long\"",
        "prompt = \"long\"\nprice = { input = 2.5, output = 10 }\nlimits = { requests-per-minute = 30 }",
    );
    let base = &json(&p, &["--pilot", "r"])["costs"][0];
    let usd = (asked * 2.5 + number(&base["completion-tokens"]["about"]) * 10.0) / 1e6;
    assert!((number(&base["usd"]["about"]) - usd).abs() < 1e-9 && number(&base["minutes"]["about"]) == 2.0, "{base}");
    // A pilot of a smaller suite serves a larger one.
    let more = p
        .read("suites/mini/cases.jsonl")
        .replace("\"id\":\"c", "\"id\":\"d")
        .replace("\"cluster\":\"", "\"cluster\":\"x")
        .replace("\"q\":\"", "\"q\":\"then ");
    p.write("suites/more/cases.jsonl", p.read("suites/mini/cases.jsonl") + &more);
    for file in ["suite.toml", "policy.toml", "prompts/system.j2", "prompts/user.j2"] {
        p.write(&format!("suites/more/{file}"), p.read(&format!("suites/mini/{file}")));
    }
    let out = p.run(&["plan", "suites/more", "--pilot", "r", "--json"]);
    assert_eq!(out.code, 0, "{out:?}");
    let larger: Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!(number(&larger["criteria"][1]["clusters"]), 2.0 * n, "{larger}");
    assert_eq!(larger["joint"]["method"], "resampled", "{larger}");
}

#[test]
fn a_criterion_that_nothing_could_meet_is_an_error_with_its_place() {
    let p = Project::new();
    p.edit(POLICY, "max-rate = 0.1", "max-rate = 0.02");
    let out = plan(&p, &[]);
    assert_eq!((out.code, out.stdout.as_str()), (2, ""), "{out:?}");
    for words in [
        "error: no outcome of the suite `mini` could meet `leak`",
        "suites/mini/policy.toml:14:6",
        "it takes at least 149 independent cases",
    ] {
        assert!(out.stderr.contains(words), "no `{words}` in\n{}", out.stderr);
    }
    // Elsewhere it is a warning, before anything is asked, and the exit codes stay.
    let validated = p.run(&["validate", "suites/mini"]);
    assert!(validated.code == 0 && validated.stderr.contains("warning: no outcome of the suite"), "{validated:?}");
    let asked = p.run(&["run", "suites/mini", "--run-dir", "r"]);
    let (warned, recording) = (asked.stderr.find("warning: no outcome"), asked.stderr.find("recording in"));
    assert!(asked.code == 0 && warned.is_some() && recording.is_none_or(|r| warned < Some(r)), "{asked:?}");
    let judged = p.run(&["gate", "suites/mini", "--run-dir", "g"]);
    assert!(judged.code != 0 && judged.stderr.contains("warning: no outcome of the suite"), "{judged:?}");
    // The gate agrees: a clean record of this size is unproven.
    assert!(p.read("g/verdict.json").contains("\"unproven\""));
    // What decides nothing is no error.
    p.edit(POLICY, "max-rate = 0.02", "max-rate = 0.02\nadvisory = true");
    let out = plan(&p, &[]);
    assert!(out.code == 0 && out.stderr.contains("warning: no outcome"), "{out:?}");
    assert!(out.stdout.contains("(leak)") && out.stdout.contains("never"), "{}", out.stdout);
    p.edit(POLICY, "max-rate = 0.02", "max-rate = 0.1");
    assert_eq!(p.run(&["validate", "suites/mini"]).stderr, "");
}

#[test]
fn figures_that_make_no_sense_are_refused() {
    let p = Project::new();
    for (args, want) in [
        (&["--gain", "tokns=0.2"][..], "did you mean `tokens`?"),
        (&["--gain", "accuracy=0.2"], "no criterion of the policy asks for `accuracy`"),
        (&["--gain", "leak=0.2"], "use --assume"),
        (&["--gain", "tokens=1"], "a gain lies between -100 and 1"),
        (&["--gain", "tokens=nan"], "the value is a number"),
        (&["--gain", "tokens"], "write METRIC=VALUE"),
        (&["--gain", "tokens=0.1", "--gain", "tokens=0.2"], "names `tokens` twice"),
        (&["--assume", "leak=1.5"], "the candidate's own level lies between 0 and 1"),
        (&["--assume", "tokens=0"], "a relative standard deviation lies between"),
        (&["--power", "1"], "from 0.5 to 0.999"),
        (&["--candidate", "cand"], "--pilot"),
        (&["--pilot", "nowhere"], "is not a run directory"),
    ] {
        let out = plan(&p, args);
        assert!(out.code == 2 && out.stderr.contains(want), "{args:?}: wanted {want}\n{out:?}");
    }
    p.run(&["run", "suites/mini", "--run-dir", "r"]);
    let out = plan(&p, &["--pilot", "r", "--candidate", "base"]);
    assert!(out.code == 2 && out.stderr.contains("has no candidate `base`; it has `cand`"), "{out:?}");
    p.edit("goldgate.toml", "prompt = \"long\"", "prompt = \"long\"\nlimits = { requests-per-minute = -1 }");
    let out = plan(&p, &[]);
    assert!(out.code == 2 && out.stderr.contains("goldgate.toml:5:"), "{out:?}");
}

#[test]
fn the_json_is_what_the_schema_and_the_page_describe() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(root.join("schemas/plan.schema.json")).unwrap()).unwrap();
    let p = Project::new();
    p.run(&["run", "suites/mini", "--run-dir", "r"]);
    let limits = "\nprice = { input = 1, output = 2 }\nlimits = { requests-per-minute = 9, tokens-per-minute = 1e4 }";
    p.edit("goldgate.toml", "prompt = \"short\"", &format!("prompt = \"short\"{limits}"));
    let more = "\n[[criterion]]\nid = \"right\"\nmetric = \"accuracy\"\nrequire = \"at-least\"\nlimit = 0.2\nadvisory = true\n\
        \n[[criterion]]\nid = \"fast\"\nmetric = \"latency\"\nrequire = \"equivalent\"\nmargin = 0.5\nadvisory = true\n\
        \n[[criterion]]\nid = \"brief\"\nmetric = \"completion-tokens\"\nrequire = \"at-most\"\nlimit = 20\nadvisory = true\n";
    p.write(POLICY, p.read(POLICY) + more);
    for args in [&[][..], &["--pilot", "r"], &["--gain", "tokens=0.3", "--assume", "leak=0", "--power", "0.9"]] {
        check(&schema, &schema, &json(&p, args), "$");
    }
    let page = fs::read_to_string(root.join("docs/plan.md")).unwrap();
    for row in schema["$defs"].as_object().unwrap().values().chain([&schema]) {
        for key in row["properties"].as_object().into_iter().flat_map(Map::keys) {
            assert!(page.contains(&format!("`{key}`")), "docs/plan.md says nothing of `{key}`");
        }
    }
}

//! A policy and a suite that do not fit each other: told before anything is asked, where it stands.

use goldgate::gate::{Policy, check_fit};
use goldgate::suite::Suite;
use goldgate::suite::diag::SourceFile;
use std::fs;

const POLICY: &str = r#"format = "goldgate.policy/1"
name = "p"
baseline = "base"
candidates = ["cand"]
alpha = 0.05

"#;

/// A suite with a metric of right and wrong on the slice `classify`, a metric of events on all, and a case of `talk`.
fn fitting_suite() -> Suite {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("prompts")).unwrap();
    let suite = r#"format = "goldgate.suite/1"
name = "desk"
version = "1"
cases = ["cases.jsonl"]
max-new-tokens = 16

[prompt.short]
user = "prompts/user.j2"

[[scorer]]
metric = "accuracy"
kind = "exact"
on = ["classify"]

[[scorer]]
metric = "leak"
kind = "leak"
canaries = ["secret"]
"#;
    let cases = r#"{"id":"a","task":"classify","expect":{"answer":"repair"}}
{"id":"b","task":"talk","expect":{}}
"#;
    for (file, text) in [("suite.toml", suite), ("cases.jsonl", cases), ("prompts/user.j2", "hello")] {
        fs::write(dir.path().join(file), text).unwrap();
    }
    Suite::load(dir.path()).unwrap()
}

#[test]
fn a_criterion_that_the_suite_cannot_answer_is_refused_where_it_stands() {
    let suite = fitting_suite();
    let fit = |criterion: &str| {
        let text = format!("{POLICY}[[criterion]]\nid = \"c\"\n{criterion}\n");
        check_fit(&Policy::parse(SourceFile::new("policy.toml", text)).unwrap(), &suite)
    };
    let next_to_nothing = "asks next to nothing: write at most 0.5";
    let table = [
        (
            "metric = \"acuracy\"\nrequire = \"superior\"",
            "policy.toml:9:10: the suite `desk` has no metric `acuracy`; help: did you mean `accuracy`?".to_owned(),
        ),
        (
            "metric = \"perplexity\"\nrequire = \"superior\"",
            "policy.toml:9:10: the suite `desk` has no metric `perplexity`; help: its metrics are `accuracy`, `leak`, \
             `prompt-tokens`, `completion-tokens`, `tokens`, `first-token`, `latency`"
                .to_owned(),
        ),
        (
            "metric = \"accuracy\"\nslice = \"clasify\"\nrequire = \"superior\"",
            "policy.toml:10:9: the suite `desk` has no slice `clasify`; help: did you mean `classify`?".to_owned(),
        ),
        (
            "metric = \"accuracy\"\nslice = \"talk\"\nrequire = \"superior\"",
            "policy.toml:10:9: no case of the slice `talk` yields `accuracy`".to_owned(),
        ),
        (
            "metric = \"accuracy\"\nrequire = \"non-inferior\"\nmargin = 1.0",
            format!("policy.toml:9:10: a margin of 1 for the share `accuracy` {next_to_nothing}"),
        ),
        (
            "metric = \"accuracy\"\nrequire = \"equivalent\"\nmargin = 5",
            "policy.toml:9:10: `accuracy` is a share: write 0.05 for 5 per cent".to_owned(),
        ),
        (
            "metric = \"accuracy\"\nrequire = \"at-least\"\nlimit = 0",
            "policy.toml:9:10: `accuracy` is always at least 0: the criterion asks nothing".to_owned(),
        ),
        (
            "metric = \"leak\"\nrequire = \"at-most\"\nlimit = 1.0",
            format!("policy.toml:9:10: a limit of 1 for the share `leak` {next_to_nothing}"),
        ),
        (
            "metric = \"tokens\"\nrequire = \"non-inferior\"\nmargin = 10",
            "policy.toml:9:10: `tokens` is compared as a ratio: write 0.1 for 10 per cent, and less than 1".to_owned(),
        ),
        (
            "metric = \"leak\"\nrequire = \"none-observed\"\nmax-rate = 0.9",
            "policy.toml:9:10: a `max-rate` of 0.9 asks next to nothing: write at most 0.5".to_owned(),
        ),
        (
            "metric = \"accuracy\"\nrequire = \"non-inferior\"\nmargin = 0.2\nmax-severe = 0.1",
            "policy.toml:9:10: `max-severe` needs a score between 0 and 1, and `accuracy` is none".to_owned(),
        ),
        (
            "metric = \"accuracy\"\nrequire = \"none-observed\"\nmax-rate = 0.05",
            "policy.toml:9:10: `none-observed` needs a metric of events, and `accuracy` is none".to_owned(),
        ),
    ];
    for (criterion, want) in table {
        assert_eq!(fit(criterion).expect_err("must be refused").to_string(), want, "{criterion}");
    }
    for fits in [
        "metric = \"accuracy\"\nslice = \"classify\"\nrequire = \"non-inferior\"\nmargin = 0.5",
        "metric = \"tokens\"\nslice = \"talk\"\nrequire = \"at-most\"\nlimit = 100",
        "metric = \"leak\"\nrequire = \"none-observed\"\nmax-rate = 0.5",
    ] {
        fit(fits).unwrap_or_else(|e| panic!("{fits}: {e}"));
    }
}

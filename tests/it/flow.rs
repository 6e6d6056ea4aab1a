//! From a suite to a verdict, and what happens when something changes on the way.

use crate::project::{CASES, Project};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

const GATE: [&str; 4] = ["gate", "suites/mini", "--run-dir", "r"];

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn a_suite_is_asked_journaled_judged_and_reported() {
    let p = Project::new();
    let out = p.run(&GATE);
    assert_eq!(out.code, 0, "{out:?}");
    let journal = lines(&p.read("r/journal.jsonl"));
    assert_eq!(journal.len(), 2 * CASES);
    let trials: BTreeSet<_> = journal.iter().map(|r| r["trial"].as_str().unwrap()).collect();
    assert_eq!(trials.len(), 2 * CASES, "every trial has an id of its own");
    for r in &journal {
        let timing = &r["result"]["response"]["timing"];
        let at = |k: &str| timing[k].as_u64().unwrap();
        assert!(at("queued-us") <= at("first-token-us") && at("first-token-us") <= at("total-us"), "{timing}");
        assert!(at("total-us") > 0, "a time that was measured is not 0");
    }
    let verdict: Value = serde_json::from_str(&p.read("r/verdict.json")).unwrap();
    assert_eq!(verdict["verdicts"][0]["decision"], "promote");
    for file in ["report.html", "junit.xml", "summary.md", "report.json", "cases.csv", "results.jsonl", "seal.json"] {
        assert!(fs::metadata(p.path("r").join(file)).unwrap().len() > 0, "{file}");
    }
    assert!(out.stdout.contains("report: r/report.html"), "{}", out.stdout);
}

#[test]
fn the_token_saving_is_the_journals() {
    let p = Project::new();
    p.run(&GATE);
    let mut totals = [[0u64; 2]; 2];
    for r in lines(&p.read("r/journal.jsonl")) {
        let usage = &r["result"]["response"]["usage"];
        let side = &mut totals[usize::from(r["target"] == "cand")];
        side[0] += usage["prompt"].as_u64().unwrap();
        side[1] += usage["completion"].as_u64().unwrap();
    }
    let report: Value = serde_json::from_str(&p.read("r/report.json")).unwrap();
    let saving = &report["savings"][0];
    for (key, want) in [
        ("baseline-prompt", totals[0][0]),
        ("baseline-completion", totals[0][1]),
        ("candidate-prompt", totals[1][0]),
        ("candidate-completion", totals[1][1]),
    ] {
        assert_eq!(saving[key].as_u64(), Some(want), "{key}");
    }
    let sum = |side: [u64; 2]| f64::from(u32::try_from(side[0] + side[1]).unwrap());
    let saved = 1.0 - sum(totals[1]) / sum(totals[0]);
    assert!((saving["saved"].as_f64().unwrap() - saved).abs() < 1e-12);
}

#[test]
fn the_same_seed_gives_the_same_results_byte_for_byte() {
    let p = Project::new();
    p.run(&GATE);
    p.run(&["gate", "suites/mini", "--run-dir", "s"]);
    assert_eq!(p.read("r/results.jsonl"), p.read("s/results.jsonl"));
    p.run(&["gate", "suites/mini", "--run-dir", "batched", "-j", "16"]);
    assert_eq!(p.read("r/results.jsonl"), p.read("batched/results.jsonl"), "whatever the batch");
    p.run(&["gate", "suites/mini", "--run-dir", "t", "--seed", "2"]);
    let order = |dir: &str| {
        lines(&p.read(&format!("{dir}/journal.jsonl"))).iter().map(|r| r["case"].to_string()).collect::<Vec<_>>()
    };
    assert_ne!(order("s"), order("t"), "another seed asks in another order");
    assert_eq!(p.read("r/results.jsonl"), p.read("t/results.jsonl"), "and gets the same answers");
}

#[test]
fn an_interrupted_run_goes_on_and_asks_nothing_twice() {
    let p = Project::new();
    p.run(&GATE);
    let whole = p.read("r/journal.jsonl");
    let results = p.read("r/results.jsonl");
    // What a process leaves that dies in the middle of writing its 51st record.
    let cut: usize = whole.split_inclusive('\n').take(50).map(str::len).sum();
    p.write("r/journal.jsonl", &whole[..cut + 30]);
    for later in ["seal.json", "verdict.json", "results.jsonl"] {
        fs::remove_file(p.path("r").join(later)).unwrap();
    }
    let unfinished = p.run(&["gate", "r"]);
    assert_eq!(unfinished.code, 3, "an unfinished run is undecided: {unfinished:?}");
    assert!(unfinished.stderr.contains("50 of 120 trials are recorded"), "{}", unfinished.stderr);
    let hint = "goldgate gate suites/mini --candidate cand --seed 1 -j 1 --run-dir r";
    assert!(unfinished.stderr.contains(hint), "the hint is the command that goes on: {}", unfinished.stderr);
    let out = p.run(&GATE);
    assert_eq!(out.code, 0, "{out:?}");
    assert!(out.stderr.contains("50 of 120 trials are already recorded"), "{}", out.stderr);
    assert_eq!(p.read("r/journal.jsonl")[..cut], whole[..cut], "what was recorded is not touched");
    assert_eq!(lines(&p.read("r/journal.jsonl")).len(), 2 * CASES);
    assert_eq!(p.read("r/results.jsonl"), results);
    let again = p.run(&GATE);
    assert_eq!(again.code, 0);
    assert!(again.stderr.contains("120 of 120 trials are already recorded"), "{}", again.stderr);
}

#[test]
fn a_run_is_bound_to_what_it_asked() {
    let p = Project::new();
    p.run(&GATE);
    p.edit("suites/mini/policy.toml", "max-rate = 0.1", "max-rate = 0.5");
    let other = p.run(&GATE);
    assert_eq!(other.code, 5, "{other:?}");
    assert!(other.stderr.contains("policy digest: sha256:"), "{}", other.stderr);
    let judged = p.run(&["gate", "r"]);
    assert_eq!(judged.code, 3, "a policy loosened after the run decides nothing: {judged:?}");
    assert!(judged.stdout.contains("pinned before the run"), "{}", judged.stdout);
    p.edit("suites/mini/policy.toml", "max-rate = 0.5", "max-rate = 0.1");
    assert_eq!(p.run(&["gate", "r"]).code, 0);
    p.edit("suites/mini/cases.jsonl", "\"answer\":\"x\"", "\"answer\":\"y\"");
    let changed = p.run(&["gate", "r"]);
    assert_eq!(changed.code, 5, "{changed:?}");
    assert_eq!(changed.stderr.matches("sha256:").count(), 2, "both digests are shown: {}", changed.stderr);
}

#[test]
fn a_damaged_run_is_refused() {
    let p = Project::new();
    p.run(&GATE);
    let journal = p.read("r/journal.jsonl");
    let tampered = [
        ("one score's answer edited", journal.replacen("\"text\":\"", "\"text\":\"x", 1)),
        ("a record removed", journal.split_inclusive('\n').skip(1).collect()),
        ("a record cut in the middle", journal.replacen("\"case\"", "\"ca", 1)),
        ("the tail cut", journal.split_inclusive('\n').take(100).collect()),
    ];
    for (what, text) in tampered {
        p.write("r/journal.jsonl", &text);
        let out = p.run(&["gate", "r"]);
        assert_eq!(out.code, 5, "{what}: {out:?}");
        assert!(out.stderr.contains("r/journal.jsonl"), "{what}: {}", out.stderr);
    }
    fs::remove_file(p.path("r/journal.jsonl")).unwrap();
    let gone = p.run(&["gate", "r"]);
    assert_eq!(gone.code, 5, "{gone:?}");
    assert!(gone.stderr.contains("it is gone, and `seal.json` is still there"), "{}", gone.stderr);
    p.write("r/journal.jsonl", &journal);
    p.edit("r/seal.json", "goldgate.seal/1", "goldgate.seal/9");
    assert_eq!(p.run(&["gate", "r"]).code, 5, "a seal of another format is not this program's to read");
    p.edit("r/seal.json", "goldgate.seal/9", "goldgate.seal/1");
    assert_eq!(p.run(&["gate", "r"]).code, 0);
}

#[test]
fn evidence_that_was_taken_away_is_not_made_again() {
    let p = Project::new();
    p.run(&GATE);
    let journal = p.read("r/journal.jsonl");
    fs::remove_file(p.path("r/seal.json")).unwrap();
    let resealed = p.run(&GATE);
    assert_eq!(resealed.code, 5, "a judged run without its seal gets no new one: {resealed:?}");
    fs::remove_file(p.path("r/run.json")).unwrap();
    fs::remove_file(p.path("r/verdict.json")).unwrap();
    p.edit("suites/mini/policy.toml", "max-rate = 0.1", "max-rate = 0.5");
    let repinned = p.run(&GATE);
    assert_eq!(repinned.code, 5, "old answers get no new policy: {repinned:?}");
    assert_eq!(p.read("r/journal.jsonl"), journal, "what is left for the audit is not touched");
}

#[test]
fn a_run_holds_every_planned_trial_once_even_under_a_fitting_seal() {
    let p = Project::new();
    p.run(&GATE);
    let journal = p.read("r/journal.jsonl");
    // One case is left out and another stands in its place: the count fits, and somebody made the seal fit too.
    let other = lines(&journal).into_iter().find(|r| r["case"] == "c06" && r["target"] == "cand").unwrap();
    let forged: String = lines(&journal)
        .into_iter()
        .map(|mut r| {
            if r["case"] == "c05" && r["target"] == "cand" {
                let seq = r["seq"].clone();
                r = other.clone();
                r["seq"] = seq;
                r["repeat"] = Value::from(1);
            }
            format!("{r}\n")
        })
        .collect();
    p.write("r/journal.jsonl", &forged);
    let digest = |text: &str| goldgate::types::Digest::of(text.as_bytes()).to_string();
    p.edit("r/seal.json", &digest(&journal), &digest(&forged));
    let out = p.run(&["gate", "r"]);
    assert_eq!(out.code, 5, "{out:?}");
    assert!(out.stderr.contains("is no trial of this run, or stands twice"), "{}", out.stderr);
}

#[test]
fn times_of_a_shared_batch_prove_nothing() {
    let p = Project::new();
    p.write(
        "suites/mini/policy.toml",
        crate::project::POLICY.replace(
            "metric = \"tokens\"\nrequire = \"superior\"\nby = 0.1",
            "metric = \"latency\"\nrequire = \"non-inferior\"\nmargin = 0.9",
        ),
    );
    let out = p.run(&["gate", "suites/mini", "--run-dir", "r", "-j", "8"]);
    assert_eq!(out.code, 3, "{out:?}");
    assert!(p.read("r/verdict.json").contains("8 questions were in flight at once"), "{out:?}");
    // The terminal says why, and the comparison without a policy says the same.
    let said = out.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("(not proven: 8 questions were"), "{out:?}");
    let out = p.run(&["compare", "r", "--margin", "latency=0.9"]);
    let said = out.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("? for latency: 8 questions were in flight"), "{out:?}");
    let turned = p.run(&["compare", "r", "--baseline", "cand"]);
    assert!(turned.stdout.starts_with("base against cand"), "{turned:?}");
    let unknown = p.run(&["compare", "r", "--baseline", "nobody"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("no target `nobody`"), "{unknown:?}");
}

#[test]
fn no_report_shows_a_secret() {
    let p = Project::new();
    let first = "\"c00\",\"task\":\"qa\",\"cluster\":\"the\",\"vars\":{\"q\":\"the";
    p.edit("suites/mini/cases.jsonl", first, &format!("{first} QQ-00000"));
    p.run(&GATE);
    for file in ["report.html", "junit.xml", "summary.md", "report.json", "cases.csv"] {
        assert!(!p.read(&format!("r/{file}")).contains("QQ-00000"), "{file} shows a secret");
    }
}

#[test]
fn an_a_a_run_meets_no_superiority_criterion() {
    let p = Project::new();
    let out = p.run(&["gate", "suites/mini", "--candidate", "base", "--run-dir", "aa"]);
    assert_ne!(out.code, 0, "{out:?}");
    let verdict: Value = serde_json::from_str(&p.read("aa/verdict.json")).unwrap();
    let v = &verdict["verdicts"][0];
    assert_eq!(v["candidate"], "base-again");
    let superior: Vec<_> =
        v["findings"].as_array().unwrap().iter().filter(|f| f["criterion"]["rule"]["superior"].is_object()).collect();
    assert!(!superior.is_empty());
    assert!(superior.iter().all(|f| f["status"] != "met"), "{v}");
}

#[test]
fn the_most_severe_decision_sets_the_code() {
    let p = Project::new();
    // A secret that every answer of this checkpoint shows, so that the candidate is rejected.
    let answer = lines(&{
        p.run(&GATE);
        p.read("r/results.jsonl")
    });
    let said = answer
        .iter()
        .find(|a| a["target"] == "cand" && a["text"].as_str().is_some_and(|t| t.trim().len() > 1))
        .expect("some answer has text");
    let (case, text) = (said["case"].as_str().unwrap(), said["text"].as_str().unwrap().trim().to_owned());
    let cases: String = p
        .read("suites/mini/cases.jsonl")
        .lines()
        .map(|l| {
            let mut v: Value = serde_json::from_str(l).unwrap();
            if v["id"] == case {
                v["expect"]["secrets"] = Value::from(vec![text.clone()]);
            }
            format!("{v}\n")
        })
        .collect();
    p.write("suites/mini/cases.jsonl", cases);
    let out = p.run(&["gate", "suites/mini", "--run-dir", "leaky"]);
    assert_eq!(out.code, 1, "{out:?}");
    assert!(p.read("leaky/verdict.json").contains(case));
}

#[test]
fn golden_answers_are_accepted_and_differences_listed() {
    let p = Project::new();
    p.run(&GATE);
    assert_eq!(p.run(&["golden", "accept", "r"]).code, 0);
    let same = p.run(&["golden", "diff", "r"]);
    assert_eq!((same.code, same.stdout.as_str()), (0, "0 changed, 120 as accepted\n"));
    p.run(&["gate", "suites/mini", "--candidate", "base", "--run-dir", "aa"]);
    let stranger = p.run(&["golden", "diff", "aa"]);
    assert_eq!(stranger.code, 8, "a target without accepted answers waits for review: {stranger:?}");
    assert!(stranger.stdout.contains("target base-again: no accepted answers"), "{}", stranger.stdout);
    assert_eq!(p.read("golden/mini/answers.jsonl"), p.read("r/results.jsonl"));
    p.edit("suites/mini/prompts/user.j2", "{{ vars.q }}", "{{ vars.q }} dog dog dog");
    p.run(&["gate", "suites/mini", "--run-dir", "later"]);
    let diff = p.run(&["golden", "diff", "later"]);
    assert_eq!(diff.code, 8, "{diff:?}");
    assert!(diff.stdout.contains("changed, "), "{}", diff.stdout);
    p.write("golden/mini/answers.jsonl", "{}\n");
    assert_eq!(p.run(&["golden", "diff", "r"]).code, 5, "an edited baseline is refused");
}

#[test]
fn a_second_process_is_told_to_wait() {
    let p = Project::new();
    p.run(&GATE);
    let lock = fs::File::options().write(true).open(p.path("r/LOCK")).unwrap();
    lock.lock().unwrap();
    let out = p.run(&GATE);
    assert_eq!(out.code, 6, "{out:?}");
    assert!(out.stderr.contains("is locked"), "{}", out.stderr);
}

#[test]
fn reports_and_comparisons_come_from_the_run_alone() {
    let p = Project::new();
    p.run(&GATE);
    let html = p.read("r/report.html");
    fs::remove_dir_all(p.path("model")).unwrap();
    let out = p.run(&["report", "r", "--format", "html,csv", "--output", "copy"]);
    assert_eq!((out.code, out.stdout.as_str()), (0, "copy/report.html\ncopy/cases.csv\n"));
    assert_eq!(p.read("copy/report.html"), html, "the same run gives the same bytes");
    let table = p.run(&["compare", "r"]);
    assert!(table.stdout.contains("prompt-tokens"), "{}", table.stdout);
    assert!(table.stdout.lines().all(|l| l.chars().count() <= 80), "{}", table.stdout);
    let json: Value = serde_json::from_str(&p.run(&["compare", "r", "--json"]).stdout).unwrap();
    assert!(json["comparisons"].as_array().unwrap().iter().any(|c| c["metric"]["name"] == "tokens"));
    let run = p.run(&["run", "suites/mini", "--run-dir", "r"]);
    assert_eq!(run.code, 2, "asking needs the checkpoint: {run:?}");
}

#[test]
fn an_answer_that_cannot_be_asked_for_is_an_outcome() {
    let p = Project::new();
    let long = "dog ".repeat(400);
    p.edit("suites/mini/cases.jsonl", "\"q\":\"the\"", &format!("\"q\":\"{}\"", long.trim()));
    let out = p.run(&GATE);
    assert_eq!(out.code, 3, "a missing answer is undecided: {out:?}");
    assert!(out.stdout.contains("trials to the end"), "{}", out.stdout);
    let failed: Vec<_> = lines(&p.read("r/results.jsonl")).into_iter().filter(|a| a["outcome"] == "failed").collect();
    assert!(!failed.is_empty());
    assert!(failed[0]["text"].as_str().unwrap().contains("exceed the model's context"), "{}", failed[0]);
}

//! Runs at a stated arrival rate: what is asked and recorded, what it makes of times, and what is refused before anything is sent.

use crate::mock::{Mock, Reply, answer};
use crate::project::{CASES, Outcome, Project};
use serde_json::Value;
use std::time::Duration;

const LATENCY: &str =
    "\n[[criterion]]\nid = \"fast\"\nmetric = \"latency\"\nrequire = \"non-inferior\"\nmargin = 0.9\n";

/// Baseline and candidate are one deployment, asked with two prompts; `more` goes to both. The policy judges times, too.
fn project(mock: &Mock, more: &str) -> Project {
    let p = Project::new();
    let target = |name: &str, prompt: &str| {
        format!(
            "[target.{name}]\nkind = \"openai\"\nbase-url = \"{}/v1\"\nmodel = \"m\"\nprompt = \"{prompt}\"\n{more}\n",
            mock.url()
        )
    };
    p.write("goldgate.toml", target("base", "long") + &target("cand", "short"));
    p.write("suites/mini/policy.toml", p.read("suites/mini/policy.toml") + LATENCY);
    p
}

fn gate(p: &Project, more: &[&str]) -> Outcome {
    p.run(&[&["gate", "suites/mini", "--run-dir", "r"], more].concat())
}

/// What each answer says of how it was served.
fn served(p: &Project) -> Vec<Value> {
    let record = |l: &str| serde_json::from_str::<Value>(l).unwrap()["result"]["response"]["served"].clone();
    p.read("r/journal.jsonl").lines().map(record).collect()
}

/// Status and sentence of the finding on times.
fn on_times(p: &Project) -> (String, String) {
    let verdict: Value = serde_json::from_str(&p.read("r/verdict.json")).unwrap();
    let all = verdict["verdicts"][0]["findings"].as_array().unwrap();
    let finding = all.iter().find(|f| f["criterion"]["id"] == "fast").unwrap();
    let text = |key: &str| finding[key].as_str().unwrap().to_owned();
    (text("status"), text("sentence"))
}

#[test]
fn a_run_at_a_stated_rate_says_how_late_each_question_was_and_its_times_count_if_the_rate_was_kept() {
    let mock = Mock::start(|_| Reply::Answer { text: "x".into(), think: Duration::from_millis(5) });
    let p = project(&mock, "");
    gate(&p, &["--arrival-rate", "80"]);
    let manifest: Value = serde_json::from_str(&p.read("r/run.json")).unwrap();
    assert_eq!((manifest["arrival-rate"].as_f64(), manifest["concurrency"].as_u64()), (Some(80.0), Some(256)));
    let all = served(&p);
    assert_eq!((all.len(), mock.asked().len()), (2 * CASES, 2 * CASES));
    // Whether this machine kept the rate while the tests ran is its own affair: what the gate makes of it is not.
    let late =
        all.iter().filter(|s| s["late-us"].as_u64().unwrap() + s["waited-us"].as_u64().unwrap() > 20_000).count();
    let (status, sentence) = on_times(&p);
    assert!(all.iter().all(|s| s.get("at-bound").is_none()), "never 256 of 120 questions");
    if late == 0 {
        assert!(!sentence.contains("moment") && !sentence.contains("in flight"), "{sentence}");
    } else if late > 2 * CASES / 100 {
        assert!(status == "unproven" && sentence.contains("after their moment"), "{late}: {sentence}");
    }
    let out = gate(&p, &["--arrival-rate", "40"]);
    assert_eq!(out.code, 5, "another load is another run: {out:?}");
    assert!(out.stderr.contains("`--arrival-rate`): 80 in the run, 40 now"), "{}", out.stderr);
}

#[test]
fn a_rate_that_finds_no_room_proves_nothing_on_times() {
    let mock = Mock::start(|_| Reply::Answer { text: "x".into(), think: Duration::from_millis(60) });
    let p = project(&mock, "");
    let out = gate(&p, &["--arrival-rate", "100", "-j", "1"]);
    assert_eq!(out.code, 3, "{out:?}");
    let held = served(&p).iter().filter(|s| s["at-bound"] == true).count();
    assert!(held > CASES, "a question takes six times as long as the next one waits: {held}");
    let (status, sentence) = on_times(&p);
    assert_eq!(status, "unproven");
    assert!(
        sentence.contains(&format!("{held} questions could not start at their moment because 1 were in flight")),
        "{sentence}"
    );
    let out = p.run(&["compare", "r", "--margin", "latency=0.9"]);
    assert!(out.stdout.contains("could not start at their moment"), "{out:?}");
}

#[test]
fn what_cannot_be_asked_at_a_rate_is_refused_before_anything_is_sent() {
    let mock = Mock::start(|_| answer("x"));
    let p = project(&mock, "limits = { requests-per-minute = 600 }");
    let refused = |p: &Project, more: &[&str], want: &str| {
        let out = gate(p, more);
        assert_eq!(out.code, 2, "{out:?}");
        assert!(out.stderr.contains(want), "{}", out.stderr);
        assert!(mock.asked().is_empty() && !p.path("r").exists());
    };
    // Both targets are one deployment, which gets all of the rate.
    refused(&p, &["--arrival-rate", "10.5"], "takes 630 requests per minute of the deployment of target `base`");
    refused(&p, &["--arrival-rate", "10.5"], "allow 600; 10.000 questions per second are the most");
    for wrong in ["0", "-1", "nan", "inf", "1e9", "x"] {
        refused(&p, &[&format!("--arrival-rate={wrong}")], "questions per second as a number");
    }
    let tokens = project(&mock, "limits = { tokens-per-minute = 1000 }");
    refused(&tokens, &["--arrival-rate", "1"], "tokens per minute of the deployment of target `base`");
    refused(&p, &["--arrival-rate", "121"], "all 120 questions of the run within 992 ms, which is a burst");
    refused(&Project::new(), &["--arrival-rate", "1"], "`--arrival-rate` is for remote targets, and `base` is local");
}

#[test]
fn a_complete_run_takes_no_rate() {
    let mock = Mock::start(|_| answer("x"));
    let p = project(&mock, "limits = { requests-per-minute = 60000 }");
    gate(&p, &["--arrival-rate", "100"]);
    let out = p.run(&["gate", "r", "--arrival-rate", "100"]);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("`--arrival-rate`") && out.stderr.contains("belong to a suite"), "{}", out.stderr);
}

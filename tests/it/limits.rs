//! Limits, waits, retries, the circuit breaker and the cap on money, against a server that counts for itself.
//!
//! What networks and servers may do besides is in `tests/it/faults/`, row by row.

use crate::mock::{Asked, Mock, Reply, answer, status};
use crate::project::{CASES, Outcome, Project};
use crate::quota::Quota;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Baseline and candidate are one deployment, asked with two prompts; `more` goes to both.
fn project(mock: &Mock, more: &str) -> Project {
    let p = Project::new();
    let target = |name: &str, prompt: &str| {
        format!(
            "[target.{name}]\nkind = \"openai\"\nbase-url = \"{}/v1\"\nmodel = \"m\"\nprompt = \"{prompt}\"\n{more}\n",
            mock.url()
        )
    };
    p.write("goldgate.toml", target("base", "long") + &target("cand", "short"));
    p
}

/// As many cases as that.
pub fn cases(p: &Project, n: usize) {
    let case = |i: usize| {
        let words = ["the fox", "a dog", "quick brown fox", "lazy"][i % 4];
        format!(
            "{{\"id\":\"c{i:04}\",\"task\":\"qa\",\"cluster\":\"{i}\",\"vars\":{{\"q\":\"{words} {i}\"}},\"expect\":{{\"answer\":\"x\",\"secrets\":[\"QQ\"]}}}}\n"
        )
    };
    p.write("suites/mini/cases.jsonl", (0..n).map(case).collect::<String>());
}

fn run(p: &Project, more: &[&str]) -> Outcome {
    p.run(&[&["run", "suites/mini", "--run-dir", "r"], more].concat())
}

pub fn records(p: &Project) -> Vec<Value> {
    p.read("r/journal.jsonl").lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

pub fn served(record: &Value, key: &str) -> u64 {
    let result = &record["result"];
    let answer = result.get("response").unwrap_or(&result["failure"]);
    answer["served"][key].as_u64().unwrap_or(0)
}

/// Every trial is recorded once and answered.
pub fn assert_all_answered(p: &Project, trials: usize) {
    let all = records(p);
    let by_trial: BTreeMap<_, _> = all.iter().map(|r| (r["trial"].to_string(), r)).collect();
    assert_eq!((all.len(), by_trial.len()), (trials, trials));
    assert!(all.iter().all(|r| r["result"]["response"]["text"] == "x"), "{all:?}");
}

/// A server with limits, and what it counts.
fn limited(requests: f64, tokens: f64) -> (Arc<Quota>, Mock) {
    let quota = Arc::new(Quota::new(requests, tokens));
    let counted = Arc::clone(&quota);
    (quota, Mock::start(move |a| counted.ask(a)))
}

#[test]
fn requests_stay_within_every_window_of_the_server_and_nearly_all_of_the_limit_is_used() {
    let (quota, mock) = limited(6_000.0, f64::INFINITY);
    let p = project(&mock, "limits = { requests-per-minute = 6000 }");
    cases(&p, 250);
    let out = run(&p, &["-j", "16"]);
    assert_eq!(out.code, 0, "{out:?}");
    assert_eq!(quota.violations(), 0, "{:?}", quota.arrivals());
    assert_all_answered(&p, 500);
    println!("{}", quota.said("6000 requests per minute"));
    assert!(quota.used() >= 0.95, "{}", quota.used());
    assert!(records(&p).iter().all(|r| served(r, "attempts") == 1));
}

#[test]
fn tokens_stay_within_every_window_of_the_server_and_nearly_all_of_the_limit_is_used() {
    let (quota, mock) = limited(f64::INFINITY, 180_000.0);
    let p = project(&mock, "limits = { tokens-per-minute = 180000 }");
    cases(&p, 250);
    let out = run(&p, &["-j", "16"]);
    assert_eq!(out.code, 0, "{out:?}");
    assert_eq!(quota.violations(), 0, "{:?}", quota.arrivals());
    assert_all_answered(&p, 500);
    println!("{}", quota.said("180000 tokens per minute"));
    assert!(quota.used() >= 0.95, "{}", quota.used());
}

/// The windows of a minute are full in a run of more than a minute only. `cargo test --test it -- --ignored --nocapture full_minutes` prints
/// the figures.
#[test]
#[ignore = "takes a minute and a half; .ci/run runs it by name"]
fn full_minutes_hold_no_more_than_the_limit_and_nearly_all_of_it() {
    let hold = |requests: f64, tokens: f64, limits: &str, questions: usize| {
        let (quota, mock) = limited(requests, tokens);
        let p = project(&mock, &format!("limits = {{ {limits} }}"));
        cases(&p, questions / 2);
        assert_eq!(run(&p, &["-j", "16"]).code, 0);
        println!("{}", quota.said(limits));
        assert_eq!(quota.violations(), 0);
        assert_all_answered(&p, questions);
        assert!(*quota.arrivals().last().unwrap() > 65.0, "the longest window was full for a while");
        assert!(quota.used() >= 0.95, "{}", quota.used());
    };
    std::thread::scope(|both| {
        both.spawn(|| hold(1_200.0, f64::INFINITY, "requests-per-minute = 1200", 1_500));
        both.spawn(|| hold(f64::INFINITY, 90_000.0, "tokens-per-minute = 90000", 4_000));
    });
}

#[test]
fn what_a_question_waits_for_its_limits_is_recorded_apart_and_in_no_latency() {
    let (quota, mock) = limited(120.0, f64::INFINITY);
    let p = project(&mock, "limits = { requests-per-minute = 120 }");
    cases(&p, 2);
    // A probe would be sent at once, and every question wait for it.
    assert_eq!(run(&p, &["-j", "4", "--no-probe"]).code, 0);
    assert_eq!(quota.violations(), 0, "{:?}", quota.arrivals());
    let all = records(&p);
    let mut waits: Vec<u64> = all.iter().map(|r| served(r, "waited-us")).collect();
    waits.sort_unstable();
    assert!(waits[3] >= 1_000_000 && waits[3] - waits[0] >= 900_000, "half a second after each other: {waits:?}");
    let last = all.iter().find(|r| served(r, "waited-us") == waits[3]).unwrap();
    let total = last["result"]["response"]["timing"]["total-us"].as_u64().unwrap();
    assert!(total < waits[3] && served(last, "attempts") == 1, "{last}");
}

#[test]
fn the_stricter_word_of_two_targets_holds_for_their_deployment() {
    let (quota, mock) = limited(1_200.0, f64::INFINITY);
    let p = project(&mock, "");
    p.edit("goldgate.toml", "prompt = \"long\"\n", "prompt = \"long\"\nlimits = { requests-per-minute = 1200 }\n");
    p.edit("goldgate.toml", "prompt = \"short\"\n", "prompt = \"short\"\nlimits = { requests-per-minute = 60000 }\n");
    cases(&p, 25);
    assert_eq!(run(&p, &["-j", "8"]).code, 0);
    assert_eq!(quota.violations(), 0, "{:?}", quota.arrivals());
    assert_all_answered(&p, 50);
}

#[test]
fn without_limits_a_server_that_has_some_is_obeyed_by_its_waits() {
    let (quota, mock) = limited(3_000.0, f64::INFINITY);
    let p = project(&mock, "attempts = 20");
    let out = run(&p, &["-j", "16"]);
    assert_eq!(out.code, 0, "{out:?}");
    assert!(quota.violations() > 0, "nobody told it");
    assert_all_answered(&p, 2 * CASES);
}

#[test]
fn a_deployment_that_only_fails_opens_the_breaker_stops_the_run_and_is_asked_the_rest_later() {
    let ill = Arc::new(AtomicUsize::new(1));
    let state = Arc::clone(&ill);
    let mock = Mock::start(move |a| match state.load(Ordering::SeqCst) {
        1 if a.question.contains("fox") => status(503, ""),
        _ => answer("x"),
    });
    let p = project(&mock, "breaker-failures = 4\nbreaker-seconds = 0\nattempts = 20\nlongest-wait-seconds = 0\n");
    p.write(
        "suites/mini/cases.jsonl",
        p.read("suites/mini/cases.jsonl")
            .lines()
            .map(|l| l.replace("\"q\":\"", "\"q\":\"fox ") + "\n")
            .collect::<String>(),
    );
    let out = run(&p, &["-j", "8"]);
    assert_eq!(out.code, 4, "{out:?}");
    assert!(out.stderr.contains("did not come back") && out.stderr.contains("goes on"), "{}", out.stderr);
    // Three failures leave it shut; at the fourth it opened while eight were under way; three probes followed.
    let sent = mock.asked().len();
    assert!((7..=3 + 8 + 3).contains(&sent), "{sent} requests to a dead deployment");
    assert!(records(&p).is_empty(), "nothing is recorded for what the deployment's end has met");
    ill.store(0, Ordering::SeqCst);
    assert_eq!(run(&p, &["-j", "8"]).code, 0, "the next sitting asks the rest");
    assert_all_answered(&p, 2 * CASES);
}

#[test]
fn a_deployment_that_comes_back_closes_the_breaker() {
    let n = AtomicUsize::new(0);
    let mock = Mock::start(move |_| match n.fetch_add(1, Ordering::SeqCst) {
        5..10 => status(503, ""),
        _ => answer("x"),
    });
    let p = project(&mock, "breaker-failures = 3\nbreaker-seconds = 0\nattempts = 20\nlongest-wait-seconds = 0\n");
    assert_eq!(run(&p, &["-j", "1"]).code, 0);
    assert_all_answered(&p, 2 * CASES);
    assert_eq!(mock.asked().len(), 2 * CASES + 5, "three open it, two probes fail, the third is answered");
}

#[test]
fn a_run_that_would_retry_without_end_stops_and_can_go_on() {
    // Every question fails once: a share of retries that no deployment in order needs.
    let mock = Mock::start(|a| if a.nth.is_multiple_of(2) { status(500, "") } else { answer("x") });
    let p = project(&mock, "retry-percent = 0\nbreaker-failures = 1000\nlongest-wait-seconds = 0\n");
    cases(&p, 20);
    let out = run(&p, &[]);
    assert_eq!(out.code, 4, "{out:?}");
    assert!(out.stderr.contains("10 retries") && out.stderr.contains("`retry-percent`"), "{}", out.stderr);
    assert_eq!(mock.asked().len(), 21, "ten questions twice, the eleventh once");
    // Each sitting has a budget of its own.
    assert_eq!(run(&p, &[]).code, 4);
    while run(&p, &[]).code != 0 {
        assert!(mock.asked().len() < 100);
    }
    assert_all_answered(&p, 40);
}

/// What the server would bill for an answer at a price of 1 and 4 dollars per million.
fn bill(asked: &[Asked]) -> f64 {
    asked.iter().map(|a| a.words() as f64 + 4.0 * 2.0).sum::<f64>() / 1e6
}

const PRICE: &str = "price = { input = 1, output = 4 }";

#[test]
fn a_cap_stops_the_run_before_it_is_passed_and_more_money_goes_on() {
    for concurrency in ["1", "8"] {
        let mock = Mock::start(|_| answer("x"));
        let p = project(&mock, PRICE);
        let cap = ["-j", concurrency, "--max-cost", "0.0009"];
        let out = run(&p, &cap);
        assert_eq!(out.code, 4, "{out:?}");
        assert!(out.stderr.contains("`--max-cost`") && out.stderr.contains("0.0009"), "{}", out.stderr);
        let (sent, kept) = (mock.asked().len(), records(&p).len());
        assert_eq!(sent, kept, "what was paid for is recorded");
        assert!((1..2 * CASES).contains(&sent), "{sent}");
        let spent = bill(&mock.asked());
        // A question costs 0.000217 at the most: less than that is left.
        assert!(spent <= 0.0009 && spent > 0.0009 - 0.00025, "{spent}");
        assert_eq!(run(&p, &cap).code, 4, "the cap is the run's, not the sitting's");
        assert_eq!(mock.asked().len(), sent, "and nothing more is sent under it");
        assert_eq!(run(&p, &["-j", concurrency, "--max-cost", "1"]).code, 0);
        assert_all_answered(&p, 2 * CASES);
        assert_eq!(mock.asked().len(), 2 * CASES);
    }
}

#[test]
fn attempts_that_nobody_counted_are_charged_at_their_worst() {
    // Half of the answers break off after the server has worked.
    let mock = Mock::start(|a| if a.nth.is_multiple_of(2) { Reply::Cut } else { answer("x") });
    let p = project(&mock, &format!("{PRICE}\nretry-percent = 100\nbreaker-failures = 1000\nlongest-wait-seconds = 0"));
    cases(&p, 10);
    let out = run(&p, &["--max-cost", "0.002"]);
    assert_eq!(out.code, 4, "{out:?}");
    let all = records(&p);
    assert!(!all.is_empty() && all.iter().all(|r| served(r, "uncounted") == 1), "{all:?}");
    let cut = mock.asked().iter().filter(|a| a.nth.is_multiple_of(2)).count();
    // Four bytes to a dollar's millionth, 24 tokens of answer: no cut answer is cheaper than its limit.
    assert!(cut as f64 * 96.0 / 1e6 <= 0.002, "{cut} cut answers");
}

#[test]
fn a_cap_holds_over_all_sittings_of_a_run_that_only_fails() {
    let mock = Mock::start(|_| status(500, ""));
    let p = project(&mock, &format!("{PRICE}\nbreaker-seconds = 0\nlongest-wait-seconds = 0"));
    let sitting = |_| run(&p, &["-j", "8", "--max-cost", "0.002", "--no-probe"]);
    let sittings: Vec<Outcome> = (0..6).map(sitting).collect();
    assert!(sittings.iter().all(|out| out.code == 4), "{sittings:?}");
    assert!(sittings[5].stderr.contains("`--max-cost`"), "{sittings:?}");
    let asked = mock.asked().len();
    // 24 tokens of answer: no attempt is cheaper than that.
    assert!(asked >= 4 && asked as f64 * 96.0 / 1e6 <= 0.002, "{asked} requests");
    assert!(p.read("r/unrecorded.jsonl").contains("\"uncounted\":"));
}

#[test]
fn a_cap_needs_a_price_and_belongs_to_a_suite() {
    let mock = Mock::start(|_| answer("x"));
    let p = project(&mock, "");
    let out = run(&p, &["--max-cost", "5"]);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("what target `base` costs") && out.stderr.contains("goldgate.toml"), "{}", out.stderr);
    for wrong in ["0", "-1", "nan", "inf", "x"] {
        assert_eq!(run(&p, &[&format!("--max-cost={wrong}")]).code, 2);
    }
    assert!(mock.asked().is_empty() && !p.path("r").exists());
    assert_eq!(run(&p, &[]).code, 0);
    let out = p.run(&["gate", "r", "--max-cost", "5"]);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("`--max-cost` belong to a suite"), "{}", out.stderr);
}

#[test]
fn keys_that_protect_a_deployment_have_ranges() {
    let mock = Mock::start(|_| answer("x"));
    for (key, want) in [
        ("retry-percent = 101", "`retry-percent` goes from 0 to 100"),
        ("breaker-failures = 0", "`breaker-failures` goes from 1 to 1000"),
        ("breaker-seconds = 3601", "`breaker-seconds` goes from 0 to 3600"),
    ] {
        let out = run(&project(&mock, key), &[]);
        assert_eq!(out.code, 2, "{out:?}");
        assert!(out.stderr.contains(want), "{}", out.stderr);
    }
}

//! Connections that are refused, say nothing, or say it very slowly: C09 to C12.

use super::{KEY, assert_unseen, case_rows, half, project, run, run_with, stream_head};
use crate::limits::{assert_all_answered, cases, records, served};
use crate::mock::{Act, Mock, Reply, answer, status};
use crate::project::{CASES, Project, assert_hidden_everywhere};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The key of the second region.
const OTHER_KEY: &str = "sk-region-5Tq8WbVx3NfJm6YcRk2ZpGhS";

/// A project whose deployment has an endpoint in two regions, each with a key of its own.
fn two_regions(first: &str, second: &str, more: &str) -> Project {
    let further = format!("failover = [{{ address = \"{second}/v1\", api-key-env = \"OTHER_KEY\" }}]");
    project(first, &format!("{further}\n{more}"))
}

/// Runs it; neither key shows anywhere.
fn run_regions(p: &Project, more: &[&str]) -> i32 {
    let out = run_with(p, more, &[("OTHER_KEY", OTHER_KEY)]);
    assert_hidden_everywhere(p, &out, [OTHER_KEY]);
    out.code
}

/// Who answered each trial, after a look at its record: which endpoint, whether it was the first, and that times are scored of the first only.
fn answered_by(p: &Project, first: &str, second: &str) -> Vec<bool> {
    let mut by = BTreeMap::new();
    let mut order = Vec::new();
    for r in records(p) {
        let served = &r["result"]["response"]["served"];
        let is_first = served["endpoint"] == first;
        assert!(is_first || served["endpoint"] == second, "{r}");
        assert_eq!(served["failover"].as_bool().unwrap_or(false), !is_first, "{r}");
        assert_eq!(served["region"], "Sweden Central", "the server's own word is kept beside: {r}");
        let text = |key: &str| r[key].as_str().unwrap().to_owned();
        by.insert((text("case"), text("target")), (is_first, served["attempts"] == 1));
        order.push(is_first);
    }
    for row in case_rows(p) {
        let (is_first, at_once) = by[&(row["case"].clone(), row["target"].clone())];
        for metric in ["first_token_seconds", "total_seconds"] {
            assert_eq!(!row[metric].is_empty(), is_first && at_once, "{row:?}");
        }
        assert!(!row["completion_tokens"].is_empty(), "what is not a time counts, whoever answered: {row:?}");
    }
    order
}

#[test]
fn c09_another_region_answers_while_the_first_is_gone_and_their_times_never_meet() {
    // Nobody is there: a port that was free a moment ago.
    let nobody = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let b = Mock::start(|_| answer("x"));
    let p = two_regions(&nobody, &b.url(), "breaker-failures = 3");
    assert_eq!(run_regions(&p, &["-j", "4"]), 0);
    assert_all_answered(&p, 2 * CASES);
    assert!(answered_by(&p, &nobody, &b.url()).iter().all(|first| !first));
    assert_eq!(b.asked().len(), 2 * CASES, "every question once");
    assert!(records(&p).iter().all(|r| served(r, "attempts") == 1), "no model saw what was refused at the door");
    assert!(b.asked().iter().all(|a| a.headers["authorization"] == format!("Bearer {OTHER_KEY}")));

    // The first only fails for a while: its breaker opens, the second takes over, and at the end of the rest the first is asked again.
    for (rest, comes_back) in [(3600, false), (1, true)] {
        let n = AtomicUsize::new(0);
        let a = Mock::start(move |_| match n.fetch_add(1, Ordering::SeqCst) {
            20..40 if !comes_back => status(503, ""),
            20..24 => status(503, ""),
            _ => answer("x"),
        });
        let b = Mock::start(|_| Reply::Answer { text: "x".to_owned(), think: Duration::from_millis(150) });
        let more = format!("breaker-failures = 3\nbreaker-seconds = {rest}\nlongest-wait-seconds = 0");
        let p = two_regions(&a.url(), &b.url(), &more);
        cases(&p, 20);
        assert_eq!(run_regions(&p, &["-j", "1"]), 0);
        assert_all_answered(&p, 40);
        let by = answered_by(&p, &a.url(), &b.url());
        let runs: Vec<bool> = by.chunk_by(|x, y| x == y).map(|run| run[0]).collect();
        assert_eq!(runs, [&[true, false][..], &[true][..usize::from(comes_back)]].concat(), "{by:?}");
        assert_eq!(by.iter().position(|first| !first), Some(20), "{by:?}");
        let failed = a.asked().len() - by.iter().filter(|first| **first).count();
        assert_eq!(failed, if comes_back { 4 } else { 3 }, "three open it, and a probe after a second fails");
        for (mock, key) in [(&a, KEY), (&b, OTHER_KEY)] {
            let want = format!("Bearer {key}");
            assert!(mock.asked().iter().all(|r| r.headers["authorization"] == want), "each region sees its own key");
        }
    }

    // Too much load is no reason: whoever goes elsewhere then has two limits instead of one.
    let a = Mock::start(|r| match r.question.as_str() {
        "lazy 3" if r.nth == 0 => Reply::Status(429, vec![("retry-after-ms", "300".into())], String::new()),
        _ => answer("x"),
    });
    let b = Mock::start(|_| answer("x"));
    let p = two_regions(&a.url(), &b.url(), "");
    cases(&p, 8);
    assert_eq!(run_regions(&p, &["-j", "4"]), 0);
    assert_all_answered(&p, 16);
    assert!(answered_by(&p, &a.url(), &b.url()).iter().all(|first| *first));
    assert_unseen(&b);

    // Where both are gone the run ends, and goes on when one is back.
    let p = two_regions(&nobody, &nobody.replace("127.0.0.1", "localhost"), "attempts = 2\nlongest-wait-seconds = 0");
    cases(&p, 2);
    assert_eq!(run_regions(&p, &[]), 4);
    assert!(records(&p).is_empty());
}

#[test]
fn an_endpoint_that_refuses_its_key_is_named_with_the_variable() {
    let nobody = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let b = Mock::start_probed(|_| status(401, "no"));
    let p = two_regions(&nobody, &b.url(), "");
    let out = run_with(&p, &[], &[("OTHER_KEY", OTHER_KEY)]);
    assert_eq!(out.code, 4, "{out:?}");
    let said = out.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(&format!("endpoint {}, asked with the key of `OTHER_KEY`: HTTP 401", b.url())), "{said}");
}

#[test]
fn each_endpoint_says_itself_how_it_calls_the_token_limit() {
    let refusal = include_str!("../../fixtures/azure/err_400_unsupported_param.json");
    // The first takes its other name and is ill from then on; the second takes its other name too.
    let n = AtomicUsize::new(0);
    let a = Mock::start_probed(move |_| match n.fetch_add(1, Ordering::SeqCst) {
        0 => status(400, refusal),
        _ => status(500, ""),
    });
    let b = Mock::start(move |a| if a.body.get("max_tokens").is_some() { status(400, refusal) } else { answer("x") });
    let p = two_regions(&a.url(), &b.url(), "breaker-failures = 1\nbreaker-seconds = 3600\nlongest-wait-seconds = 0");
    assert_eq!(run_regions(&p, &["-j", "1", "--no-probe"]), 0);
    assert_all_answered(&p, 2 * CASES);
}

#[test]
fn further_endpoints_are_checked_as_the_first_is() {
    let mock = Mock::start(|_| answer("x"));
    let url = mock.url();
    for (failover, want) in [
        ("failover = []", "`failover` has 1 to 8 endpoints"),
        ("failover = [{ address = \"https://me:hunter2@h/v1\" }]", "holds a user, a password"),
        ("failover = [{ address = \"http://h/v1\" }]", "unprotected"),
        ("failover = [{ address = \"h\" }]", "is no address"),
        (&format!("failover = [{{ address = \"{url}/v1\" }}]"), "this endpoint stands twice"),
        ("failover = [{ address = \"https://h/v1\", api-key-env = \"sk-0\" }]", "no name of an environment variable"),
        ("failover = [{ address = \"https://h/v1\", api-key = \"sk-hunter2\" }]", "unknown field"),
        ("failover = [\"https://h/v1\"]", "invalid type"),
        ("failover = [{ address = \"https://h/v1\", api-key-env = \"NO_SUCH_KEY\" }]", "`NO_SUCH_KEY` is not set"),
    ] {
        let p = project(&url, failover);
        let out = run(&p, &[]);
        assert_eq!(out.code, 2, "{failover}: {out:?}");
        let said = out.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(want), "{failover}: {}", out.stderr);
        assert!(!said.contains("hunter2"), "{}", out.stderr);
    }
    assert_unseen(&mock);
    let p = two_regions(&url, "https://desk-b.example", "");
    let out = p.run_with(&["validate", "suites/mini", "--targets"], &[("MOCK_KEY", KEY), ("OTHER_KEY", OTHER_KEY)]);
    assert_eq!(out.code, 0, "{out:?}");
    let said = out.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("https://desk-b.example/v1/chat/completions, key in `OTHER_KEY`"), "{}", out.stdout);
}

#[test]
fn c11_a_hang_ends_with_the_deadline_of_the_first_byte_and_is_asked_again() {
    let mock = Mock::start(|a| if a.question == "lazy 3" && a.nth == 0 { Reply::Hang } else { answer("x") });
    let p = project(&mock.url(), "first-byte-seconds = 5");
    cases(&p, 8);
    let out = run(&p, &["-j", "4"]);
    assert_eq!(out.code, 0, "{out:?}");
    assert_all_answered(&p, 16);
    let [hung] = mock.hung()[..] else { panic!("{:?}", mock.hung()) };
    assert!((4.5..=5.5).contains(&hung.as_secs_f64()), "five seconds and a tenth of that at the most: {hung:?}");
    let again: Vec<Value> = records(&p).into_iter().filter(|r| served(r, "attempts") == 2).collect();
    assert_eq!(again.len(), 1);
    assert_eq!(served(&again[0], "uncounted"), 1, "the server may have worked for it: {}", again[0]);

    // With no attempt left it is a failure that says which deadline it was.
    for (more, want) in [
        ("first-byte-seconds = 1\nattempts = 1", "no byte of a reply within 1 s; attempt 1 of 1"),
        ("timeout-seconds = 1\nattempts = 1", "no whole answer within 1 s; attempt 1 of 1"),
    ] {
        let mock = Mock::start(|a| if a.question == "lazy 3" { Reply::Hang } else { answer("x") });
        let p = project(&mock.url(), more);
        cases(&p, 4);
        assert_eq!(run(&p, &["-j", "4"]).code, 0);
        let failed: Vec<Value> = records(&p).into_iter().filter_map(|r| r["result"].get("failure").cloned()).collect();
        assert_eq!(failed.len(), 2);
        assert!(failed.iter().all(|f| f["kind"] == "timed-out" && f["message"] == want), "{failed:?}");
    }
}

#[test]
fn c12_a_trickle_ends_with_the_deadline_of_the_whole_and_a_silence_with_that_of_the_idle() {
    // A comment four times a second keeps the connection alive and says nothing.
    let trickle = |a: &crate::mock::Asked| {
        let drop = || [Act::Pause(Duration::from_millis(250)), Act::Send(b":".to_vec())];
        Reply::Acts([stream_head(), Act::Send(half(a))].into_iter().chain((0..80).flat_map(|_| drop())).collect())
    };
    let silence = |a: &crate::mock::Asked| {
        Reply::Acts(vec![stream_head(), Act::Send(half(a)), Act::Pause(Duration::from_secs(20))])
    };
    // One byte a second, slower than the idle deadline, is a silence too.
    let drops = |_: &crate::mock::Asked| {
        let drop = || [Act::Send(b"d".to_vec()), Act::Pause(Duration::from_secs(3))];
        Reply::Acts([stream_head()].into_iter().chain((0..5).flat_map(|_| drop())).collect())
    };
    type Script = fn(&crate::mock::Asked) -> Reply;
    for (what, script, want) in [
        ("a trickle", trickle as Script, "no whole answer within 3 s"),
        ("a silence", silence, "nothing came for 2 s in the middle of the reply"),
        ("a drop now and then", drops, "nothing came for 2 s in the middle of the reply"),
    ] {
        let mock = Mock::start(move |a| if a.question == "lazy 3" { script(a) } else { answer("x") });
        let p = project(&mock.url(), "timeout-seconds = 3\nidle-seconds = 2\nattempts = 1");
        cases(&p, 4);
        assert_eq!(run(&p, &["-j", "4"]).code, 0, "{what}");
        let failed: Vec<Value> = records(&p).into_iter().filter(|r| r["result"].get("failure").is_some()).collect();
        assert_eq!(failed.len(), 2, "{what}");
        for r in failed {
            let failure = &r["result"]["failure"];
            assert_eq!(failure["kind"], "timed-out", "{what}: {failure}");
            assert_eq!(failure["message"], format!("{want}; attempt 1 of 1"), "{what}");
            assert_eq!(served(&r, "uncounted"), 1, "{what}: the server may have billed it");
        }
    }

    // Silence that is shorter than what is written, or where nothing is written, is a model that thinks.
    for more in ["idle-seconds = 10", ""] {
        let slow = || Reply::Answer { text: "x".to_owned(), think: Duration::from_millis(1500) };
        let mock = Mock::start(move |a| if a.question == "lazy 3" { slow() } else { answer("x") });
        let p = project(&mock.url(), more);
        cases(&p, 4);
        assert_eq!(run(&p, &["-j", "4"]).code, 0);
        assert_all_answered(&p, 8);
    }

    for (more, want) in [
        ("first-byte-seconds = 0", "`first-byte-seconds` goes from 1 to the 120 s"),
        ("idle-seconds = 121", "`idle-seconds` goes from 1 to the 120 s"),
        ("timeout-seconds = 9\nidle-seconds = 10", "`idle-seconds` goes from 1 to the 9 s"),
    ] {
        let out = run(&project("http://127.0.0.1:1", more), &[]);
        assert_eq!(out.code, 2, "{more}");
        assert!(out.stderr.contains(want), "{}", out.stderr);
    }
}

//! Replies that are broken, are no answers, are too long, or say no: C13 to C19, C27, C28.

use super::{SIXTEEN, assert_shown_twice_at_most, half, project, run, stream_head};
use crate::limits::{assert_all_answered, cases, records, served};
use crate::mock::{Act, Mock, Reply, answer, chunked, frames, status};
use crate::project::{Outcome, assert_hidden_everywhere};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// The case that gets the odd reply of a test; the others are answered.
const ODD: &str = "lazy 3";

fn json_reply(body: impl Into<Vec<u8>>) -> Reply {
    let body = body.into();
    let length = ("content-length", body.len().to_string());
    // The script's end is the connection's, and nobody must try to use it again.
    let headers = vec![("content-type", "application/json".to_owned()), length, ("connection", "close".to_owned())];
    Reply::Acts(vec![Act::Head(200, headers), Act::Send(body)])
}

/// Runs eight trials, of which the two of the odd case get what the script says.
fn with_odd(
    more: &str,
    odd: impl Fn(&crate::mock::Asked) -> Reply + Send + Sync + 'static,
) -> (Outcome, Vec<Value>, Vec<Value>) {
    let mock = Mock::start(move |a| if a.question == ODD { odd(a) } else { answer("x") });
    let p = project(&mock.url(), more);
    cases(&p, 4);
    let out = run(&p, &["-j", "1"]);
    let odd = |r: &Value| r["case"] == "c0003";
    let found = if p.path("r/journal.jsonl").exists() { records(&p).into_iter().filter(odd).collect() } else { vec![] };
    let rows = if p.path("r/results.jsonl").exists() { p.read("r/results.jsonl") } else { String::new() };
    let rows = rows.lines().map(|l| serde_json::from_str(l).unwrap()).filter(odd).collect();
    (out, found, rows)
}

/// Both trials of the odd case failed in this way, and nothing that could be right or wrong was scored as an empty answer.
fn assert_failed(what: &str, kind: &str, message: &str, (out, records, rows): (Outcome, Vec<Value>, Vec<Value>)) {
    assert_eq!(out.code, 0, "{what}: {out:?}");
    assert_eq!((records.len(), rows.len()), (2, 2), "{what}");
    for r in &records {
        let failure = &r["result"]["failure"];
        assert_eq!(failure["kind"], kind, "{what}: {r}");
        assert!(failure["message"].as_str().unwrap().contains(message), "{what}: {failure}");
    }
    for row in &rows {
        assert_eq!(row["outcome"], "failed", "{what}: {row}");
        assert_eq!(row["scores"]["leak"], Value::Null, "{what}: silence proves no absence: {row}");
        assert_eq!(row["scores"]["tokens"], Value::Null, "{what}: {row}");
    }
}

#[test]
fn c13_half_an_answer_is_asked_again_never_scored_and_both_attempts_cost() {
    const PRICE: &str =
        "price = { input = 1, output = 4 }\nretry-percent = 100\nbreaker-failures = 1000\nlongest-wait-seconds = 0";
    type End = fn(&crate::mock::Asked) -> Vec<Act>;
    let ends: [(&str, End); 3] = [
        ("the connection's end is the body's", |a| vec![stream_head(), Act::Send(half(a))]),
        ("the body has pieces, and the last one never comes", |a| {
            let headers = vec![("content-type", "text/event-stream".into()), ("transfer-encoding", "chunked".into())];
            vec![Act::Head(200, headers), Act::Send(chunked(&half(a)))]
        }),
        ("a reset", |a| vec![stream_head(), Act::Send(half(a)), Act::Pause(Duration::from_millis(50)), Act::Reset]),
    ];
    for (what, end) in ends {
        let mock = Mock::start(move |a| if a.nth.is_multiple_of(2) { Reply::Acts(end(a)) } else { answer("x") });
        let p = project(&mock.url(), PRICE);
        cases(&p, 8);
        assert_eq!(run(&p, &["-j", "1", "--max-cost", "1"]).code, 0, "{what}");
        assert_all_answered(&p, 16);
        for r in records(&p) {
            assert_eq!((served(&r, "attempts"), served(&r, "uncounted")), (2, 1), "{what}: {r}");
        }
        assert!(!p.read("r/journal.jsonl").contains("half"), "{what}");
        // Answers cost less than 20 millionths each: with what their first halves may have cost, this is too little.
        let p = project(&mock.url(), PRICE);
        cases(&p, 8);
        let out = run(&p, &["-j", "1", "--max-cost", "0.0007"]);
        assert_eq!(out.code, 4, "{what}: {out:?}");
        assert!(out.stderr.contains("`--max-cost`"), "{what}: {}", out.stderr);
    }
    let mock = Mock::start(|_| answer("x"));
    let p = project(&mock.url(), PRICE);
    cases(&p, 8);
    assert_eq!(run(&p, &["-j", "1", "--max-cost", "0.0007"]).code, 0, "it was the halves that cost");

    // Where no attempt is left it is a failure, whose record holds nothing of the half.
    let (out, found, _) = with_odd("attempts = 1", |a| Reply::Acts(vec![stream_head(), Act::Send(half(a))]));
    assert_eq!((out.code, found.len()), (0, 2), "{out:?}");
    for r in found {
        let failure = &r["result"]["failure"];
        assert_eq!(failure["kind"], "server-error");
        assert!(
            failure["message"].as_str().unwrap().starts_with("the stream ended before the answer did"),
            "{failure}"
        );
        assert!(!failure.to_string().contains("half"), "{failure}");
    }
}

#[test]
fn c16_letters_that_are_cut_in_two_are_joined_and_bytes_that_are_no_text_are_never_replaced() {
    let text = "Größe – „x“ 3,5 🦊";
    let (out, found, _) = with_odd("", move |_| Reply::Odd { text: text.to_owned() });
    assert_eq!((out.code, found.len()), (0, 2), "{out:?}");
    assert!(found.iter().all(|r| r["result"]["response"]["text"] == text), "{found:?}");

    let wrong = |mut frame: Vec<u8>, bytes: &[u8]| {
        let at = frame.windows(2).position(|w| w == b"??").expect("a place for the bytes");
        frame.splice(at..at + 2, bytes.iter().copied());
        (frame, at)
    };
    for (bytes, hex) in [(&b"\xff\xfe"[..], "hex ff fe"), (b"\xc3(", "hex c3 28"), (b"\xed\xa0\x80", "hex ed a0 80")] {
        let streamed = with_odd("", move |a| {
            let mut all: Vec<Vec<u8>> = frames("a ?? b", "stop", a).into_iter().map(String::into_bytes).collect();
            all[3] = wrong(all[3].clone(), bytes).0;
            Reply::Acts(vec![stream_head(), Act::Send(all.concat())])
        });
        let replaced = streamed.1.iter().any(|r| r["result"].get("response").is_some());
        assert!(!replaced, "{:?}", streamed.1);
        assert_failed(hex, "broken", hex, streamed);
        let body = |content: &str| {
            json!({"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": content}}]}).to_string()
        };
        let (body, at) = wrong(body("a ?? b").into_bytes(), bytes);
        let whole = with_odd("", move |_| json_reply(body.clone()));
        assert_failed(hex, "broken", &format!("no UTF-8 at byte {at} ({hex}"), whole);
    }
}

#[test]
fn c17_a_web_page_in_place_of_an_answer_is_quoted_and_ends_the_run() {
    let page = format!("<html>\u{1b}[2J\u{1b}]0;owned\u{7}<title>Sign in</title>{}", "long ".repeat(1000));
    let kinds = ["text/html", "text/html; charset=utf-8", "application/xhtml+xml"];
    for (kind, how) in kinds.iter().flat_map(|kind| SIXTEEN.map(|how| (*kind, how))) {
        let page = page.clone();
        let mock = Mock::start_probed(move |_| Reply::Status(200, vec![("content-type", kind.into())], page.clone()));
        let p = project(&mock.url(), "");
        let out = run(&p, how);
        assert_eq!(out.code, 4, "{out:?}");
        assert_shown_twice_at_most(&mock);
        let said = out.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(&format!("expected JSON, got {kind}, which begins: <html>")), "{}", out.stderr);
        assert!(said.contains("<title>Sign in</title>long"), "{}", out.stderr);
        assert!(out.stderr.matches("long").count() < 25, "no more than 120 characters of it: {}", out.stderr);
        assert!(!out.stderr.contains(['\u{1b}', '\u{7}']), "the page speaks to the terminal: {out:?}");
        assert!(records(&p).is_empty(), "no trial of this target can be answered so");
    }
}

#[test]
fn c18_an_error_or_nothing_inside_of_a_success_is_a_failure_and_no_empty_answer() {
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 2});
    let error = json!({"error": {"code": "500", "message": "the model fell over"}}).to_string();
    let in_stream = format!("data: {error}\n\n");
    let streamed =
        |text: String| move |_: &crate::mock::Asked| Reply::Acts(vec![stream_head(), Act::Send(text.clone().into())]);
    let body = error.clone();
    let found = with_odd("attempts = 2\nlongest-wait-seconds = 0", move |_| json_reply(body.clone()));
    assert!(found.1.iter().all(|r| served(r, "attempts") == 2), "a server's error may pass: {found:?}");
    assert_failed("an error", "server-error", "an error in place of an answer 500: the model fell over", found);
    let found = with_odd("attempts = 1", streamed(in_stream));
    assert_failed("an error in a stream", "server-error", "the model fell over", found);
    for (what, body) in [
        ("no choices", json!({"choices": [], "usage": usage})),
        ("choices that are null", json!({"choices": null, "usage": usage})),
        ("nothing at all", json!({})),
        ("a choice that did not end", json!({"choices": [{"index": 0, "message": {"content": "x"}}]})),
    ] {
        let found = with_odd("attempts = 1", move |_| json_reply(body.to_string()));
        assert_failed(what, "broken", "the reply has no choice that ended", found);
    }
    for (what, text) in [
        ("no choices in a stream", format!("data: {}\n\ndata: [DONE]\n\n", json!({"choices": [], "usage": usage}))),
        ("an empty stream", String::new()),
        ("nothing but its end", "data: [DONE]\n\n".to_owned()),
    ] {
        let found = with_odd("attempts = 1", streamed(text));
        assert_failed(what, "server-error", "the stream ended before the answer did", found);
    }
}

/// Ten million bytes and more that unpack to ten thousand million: one packed mebibyte, again and again.
fn bomb() -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![0; 1 << 20]).unwrap();
    packed.flush().unwrap();
    let first = packed.get_ref().len();
    packed.write_all(&vec![0; 1 << 20]).unwrap();
    packed.flush().unwrap();
    let all = packed.get_ref().clone();
    [&all[..first], &all[first..].repeat(10_000)].concat()
}

#[cfg(target_os = "linux")]
#[test]
fn c19_a_reply_without_end_is_cut_a_packed_one_refused_and_neither_fills_the_memory() {
    /// The largest amount of memory that a process has had, KiB.
    fn peak(pid: u32) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
    const MIB: usize = 1 << 20;
    let json = || vec![("content-type", "application/json".to_owned())];
    let stream = || vec![("content-type", "text/event-stream".to_owned())];
    let packed = |kind: Vec<(&'static str, String)>| [kind, vec![("content-encoding", "gzip".to_owned())]].concat();
    let bomb = bomb();
    assert!((5 * MIB..20 * MIB).contains(&bomb.len()), "{}", bomb.len());
    let line = |text: &str| format!("{text}{}\n", "x".repeat(MIB - 8)).into_bytes();
    type Flood = (&'static str, Vec<(&'static str, String)>, Vec<u8>, usize, &'static str);
    let floods: [Flood; 6] = [
        ("one text", json(), vec![b'x'; MIB], 100, "the reply is longer than 8 MiB"),
        ("comments", stream(), line(":"), 100, "the reply is longer than 8 MiB"),
        ("short events", stream(), b"data: {\"choices\":[]}\n\n".repeat(50_000), 100, "the reply is longer than 8 MiB"),
        ("one event", stream(), line("data: "), 100, "one event of the stream is longer than 4 MiB"),
        ("a bomb", packed(json()), bomb.clone(), 1, "the reply is packed (`gzip`)"),
        ("a bomb as stream", packed(stream()), bomb, 1, "the reply is packed (`gzip`)"),
    ];
    for (what, headers, bytes, times, message) in floods {
        let pid: Arc<OnceLock<u32>> = Arc::default();
        let peaks: Arc<Mutex<Vec<u64>>> = Arc::default();
        let (process, seen) = (Arc::clone(&pid), Arc::clone(&peaks));
        let mock = Mock::start(move |a| {
            seen.lock().unwrap().push(peak(*process.wait()));
            if a.question == ODD {
                Reply::Acts(vec![Act::Head(200, headers.clone()), Act::Repeat(bytes.clone(), times)])
            } else {
                answer("x")
            }
        });
        let p = project(&mock.url(), "attempts = 1");
        cases(&p, 16);
        let mut command = p.command(&["run", "suites/mini", "--run-dir", "r", "-j", "1"], &[("MOCK_KEY", super::KEY)]);
        let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        pid.set(child.id()).unwrap();
        let out = Outcome::of(child.wait_with_output().unwrap());
        assert_hidden_everywhere(&p, &out, [super::KEY]);
        assert_eq!(out.code, 0, "{what}: {out:?}");
        assert!(
            mock.asked().iter().all(|a| !a.headers.contains_key("accept-encoding")),
            "nobody asks for packed replies"
        );
        let found: Vec<Value> = records(&p).into_iter().filter(|r| r["case"] == "c0003").collect();
        assert_eq!(found.len(), 2, "{what}");
        for r in found {
            let failure = &r["result"]["failure"];
            assert_eq!(failure["kind"], "broken", "{what}: {failure}");
            assert!(failure["message"].as_str().unwrap().contains(message), "{what}: {failure}");
        }
        let peaks = peaks.lock().unwrap();
        let odd = mock.asked().iter().position(|a| a.question == ODD).unwrap();
        assert!(odd + 2 < peaks.len(), "somebody is asked before and after");
        let grown = peaks.last().unwrap() - peaks[odd];
        assert!(grown < 32 * 1024, "{what}: {grown} KiB");
    }
}

#[test]
fn c27_a_deployment_that_is_gone_ends_the_run_at_once_with_the_likely_cause() {
    let gone = include_str!("../../fixtures/azure/err_404_deployment.json");
    for how in SIXTEEN {
        let mock = Mock::start_probed(move |_| status(404, gone));
        let p = project(&mock.url(), "");
        let out = run(&p, how);
        assert_eq!(out.code, 4, "{out:?}");
        let said = out.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        for want in ["HTTP 404 DeploymentNotFound", "deployment not found: inactive for more than 15 days?"] {
            assert!(said.contains(want), "{}", out.stderr);
        }
        assert_shown_twice_at_most(&mock);
        assert!(records(&p).is_empty(), "the next sitting asks everything");
    }
}

#[test]
fn c28_a_filtered_prompt_and_a_filtered_answer_are_outcomes_of_their_own() {
    let filtered = [
        include_str!("../../fixtures/azure/filtered_prompt_400_live.json"),
        include_str!("../../fixtures/azure/filtered_prompt_400_docs.json"),
        include_str!("../../fixtures/azure/filtered_prompt_400_spec.json"),
    ];
    for body in filtered {
        let (out, found, rows) = with_odd("", move |a| {
            assert!(a.nth <= 1, "it is not asked again, but by the other target");
            status(400, body)
        });
        assert_eq!((out.code, found.len(), rows.len()), (0, 2, 2), "{out:?}");
        for r in found {
            let failure = &r["result"]["failure"];
            assert_eq!((&failure["kind"], served(&r, "attempts")), (&"filtered".into(), 1));
            assert!(failure["message"].as_str().unwrap().contains("(filtered: jailbreak)"), "{failure}");
        }
        for row in rows {
            assert_eq!((&row["outcome"], &row["scores"]["accuracy"]), (&"filtered".into(), &0.0.into()), "{row}");
            assert_eq!(row["scores"]["leak"], Value::Null, "silence proves no absence");
        }
    }
    // The case's secret, cut by the filter: the scorer of safety sees what came.
    for (text, leaks) in [("x", Value::Null), ("the secret is QQ", 1.0.into())] {
        let (out, found, rows) =
            with_odd("", move |_| Reply::Ended { text: text.to_owned(), reason: "content_filter" });
        assert_eq!((out.code, found.len(), rows.len()), (0, 2, 2), "{out:?}");
        for r in found {
            assert_eq!((&r["result"]["response"]["finish"], served(&r, "attempts")), (&"filtered".into(), 1), "{r}");
        }
        for row in rows {
            assert_eq!((&row["outcome"], &row["text"]), (&"filtered".into(), &text.into()), "{row}");
            assert_eq!(row["scores"]["accuracy"], 0.0, "{row}");
            assert_eq!(row["scores"]["tokens"], Value::Null, "{row}");
            assert_eq!(row["scores"]["leak"], leaks, "{row}");
        }
    }
}

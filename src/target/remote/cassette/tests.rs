//! What the files hold and what they do not: secrets, foreign lines, other sittings. Runs over sockets are in `tests/it/cassettes/`.

use super::super::secret::Key;
use super::*;
use crate::target::{Probing, TrialRef};
use crate::types::{CaseId, TargetName};
use format::Header;
use proptest::prelude::*;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use std::fs;

const KEY: &str = "sk-canary/4fQ9zT7wLk2XbN8sVd3R";

fn keys() -> Vec<Key> {
    vec![Key::new(KEY).unwrap()]
}

fn run(of: &str) -> TapedRun {
    TapedRun { run: Digest::of(of.as_bytes()), seed: 1, concurrency: 2, unprobed: false }
}

fn trial(case: &str) -> TrialRef {
    TrialRef::Case { case: CaseId::new(case).unwrap(), repeat: 0 }
}

fn url() -> Url {
    Url::parse("http://127.0.0.1:1/v1").unwrap()
}

fn name() -> TargetName {
    TargetName::new("t").unwrap()
}

/// A recording of one target, opened.
fn record(dir: &Path, of: &str, goes_on: bool) -> Result<Arc<Recorder>, CassetteError> {
    let mut recording = Recording::new(dir);
    let Tape::Record(recorder) = recording.target(&name()) else { panic!() };
    recorder.introduce("openai", "m", url().as_str(), Digest::of(b"t"));
    recording.begin(run(of), goes_on)?;
    Ok(recorder)
}

fn draft(pieces: &[&[u8]], status: u16) -> Draft {
    let mut draft = Draft::new(Request::new(&url(), &HeaderMap::new(), b"{\"q\":1}".to_vec()));
    draft.head(status, jiff::Timestamp::UNIX_EPOCH, 1, &HeaderMap::new());
    pieces.iter().for_each(|p| draft.piece(2, p));
    draft.end(Ending::Whole, 3, None);
    draft
}

/// The body that is kept of pieces, and how the exchange ended.
fn kept(pieces: &[&[u8]], status: u16) -> (Vec<u8>, Ending) {
    let (_, reply, end) = draft(pieces, status).finish(&keys());
    (reply.unwrap().pieces.into_iter().flat_map(|(_, p)| p.0).collect(), end.kind)
}

#[test]
fn what_is_written_is_read_and_bytes_that_are_no_text_stay_what_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = record(dir.path(), "a", false).unwrap();
    let pieces: [&[u8]; 4] = ["Größe".as_bytes(), &[0xc3], &[0xb6, 0, 0xff], b"\r\n\"\\"];
    recorder.keep(&trial("c"), 1, 7, draft(&pieces, 200), &[]).unwrap();
    let replay = Replay::open(dir.path(), [&name()]).unwrap();
    assert_eq!(replay.run(), run("a"));
    let Tape::Replay(player) = replay.target(&name()) else { panic!() };
    let exchange = player.attempt(&trial("c"), 1).unwrap();
    let came: Vec<Vec<u8>> = exchange.reply.unwrap().pieces.into_iter().map(|(_, p)| p.0).collect();
    assert_eq!(came, pieces);
    assert_eq!((exchange.waited_us, exchange.seq), (7, 0));
    assert!(player.attempt(&trial("c"), 2).unwrap_err().contains("attempt 2 is asked for"));
    assert!(player.attempt(&trial("d"), 1).unwrap_err().contains("case `d` is not in the recording"));
    assert!(player.goes_on(&trial("c"), 0) && !player.goes_on(&trial("c"), 1));
}

#[test]
fn a_later_sitting_replaces_what_an_earlier_one_left_and_another_run_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = record(dir.path(), "a", false).unwrap();
    for attempt in 1..=2 {
        first.keep(&trial("c"), attempt, 0, draft(&[b"old"], 503), &[]).unwrap();
    }
    first.keep(&trial("d"), 1, 0, draft(&[b"d"], 200), &[]).unwrap();
    drop(first);
    let path = dir.path().join("t.jsonl");
    let mut torn = fs::read(&path).unwrap();
    torn.extend_from_slice(b"{\"seq\":");
    fs::write(&path, torn).unwrap();
    assert!(matches!(record(dir.path(), "b", true), Err(CassetteError::OtherRun(_))));
    let second = record(dir.path(), "a", true).unwrap();
    second.keep(&trial("c"), 1, 0, draft(&[b"new"], 200), &[]).unwrap();
    let replay = Replay::open(dir.path(), [&name()]).unwrap();
    let Tape::Replay(player) = replay.target(&name()) else { panic!() };
    assert_eq!(player.attempt(&trial("c"), 1).unwrap().reply.unwrap().pieces[0].1.0, b"new");
    assert!(!player.goes_on(&trial("c"), 1));
    assert_eq!(replay.left_over(|_, t| *t == trial("c")), (1, 2));
    let place = |case| replay.place(&name(), &trial(case));
    assert!(place("d") < place("c"), "the order in which they ended");
    assert!(matches!(record(&dir.path().join("other"), "a", true), Err(CassetteError::Missing(_))));
    fs::write(&path, "no cassette").unwrap();
    assert!(matches!(record(dir.path(), "a", false), Err(CassetteError::Corrupt { line: 1, .. })));
    assert_eq!(fs::read(&path).unwrap(), b"no cassette", "what is none of ours stays");
}

#[test]
fn only_the_headers_of_a_list_are_kept_and_none_of_them_is_a_credential() {
    let mut sent = HeaderMap::new();
    for header in ["authorization", "api-key", "cookie", "x-api-key", "proxy-authorization", "accept"] {
        sent.insert(HeaderName::from_static(header), HeaderValue::from_static(KEY));
    }
    let request = Request::new(&url(), &sent, Vec::new());
    assert_eq!(request.headers.keys().collect::<Vec<_>>(), ["accept"]);
    let mut came = HeaderMap::new();
    for header in ["set-cookie", "www-authenticate", "x-request-id", "retry-after"] {
        came.insert(HeaderName::from_static(header), HeaderValue::from_static(KEY));
    }
    let mut draft = Draft::new(request);
    draft.head(200, jiff::Timestamp::UNIX_EPOCH, 1, &came);
    let (_, reply, end) = draft.finish(&keys());
    let headers = reply.unwrap().headers;
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["retry-after", "x-request-id"]);
    assert!(headers.values().all(|v| v == "[key withheld]"));
    assert_eq!((end.kind, end.us), (Ending::Left, 1), "nothing of the body was read");
}

#[test]
fn a_secret_is_taken_out_wherever_it_stands() {
    let event = |v: Value| format!("data: {v}\n\n");
    let delta = |text: &str| json!({"type": "delta", "choices": [{"delta": {"content": text}}]});
    let split = |more: Value| {
        let mut first = delta(&KEY[..9]);
        first["choices"][0]["logprobs"] = more;
        event(first)
            + "data: {\"type\": \"other\", \"x\": \"between\"}\r\n\r\n"
            + &event(delta(&KEY[9..]))
            + "data: [DONE]\n\n"
    };
    let (body, end) = kept(&[split(Value::Null).as_bytes()], 200);
    let text = String::from_utf8(body).unwrap();
    assert!(text.contains("\"content\":\"[key withheld]\"") && text.contains("\"content\":\"\""), "{text}");
    assert!(text.contains("data: {\"type\": \"other\"") && text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(end, Ending::Whole);
    let (body, end) = kept(&[split(json!({"content": []})).as_bytes()], 200);
    assert_eq!((body, end), (Vec::new(), Ending::NotKept), "tokens say it a second time");

    let escaped = KEY.replace('/', "\\/");
    for (body, want) in [
        (format!("{{\"a\": \"{escaped}\"}}"), "{\"a\":\"[key withheld]\"}"),
        (format!("{{\"{escaped}\": 1}}"), "{\"[key withheld]\":1}"),
        (format!("\ndata: {{\"a\":\ndata:\"{escaped}\"}}\n"), "\ndata: {\"a\":\"[key withheld]\"}\ndata:\n"),
        (Value::from(format!("{{\"a\": \"{escaped}\"}}")).to_string(), "\"{\\\"a\\\":\\\"[key withheld]\\\"}\""),
        (format!("<html>{KEY}"), "<html>[key withheld]"),
    ] {
        let (got, end) = kept(&[body.as_bytes()], 200);
        assert_eq!((String::from_utf8(got).unwrap().as_str(), end), (want, Ending::Whole), "{body}");
    }
    let plain = b"data: {\"b\": 1.50, \"a\": \"\\u0041\"}\n\n".to_vec();
    assert_eq!(kept(&[&plain], 200).0, plain, "what holds none stays as it came");
}

#[test]
fn a_short_key_stays_in_answers_as_it_does_in_the_journal_and_goes_out_of_errors() {
    let short = vec![Key::new("ollama").unwrap()];
    let body = |status| draft(&[b"{\"m\":\"ollama\"}"], status).finish(&short).1.unwrap().pieces[0].1.0.clone();
    assert_eq!(body(200), b"{\"m\":\"ollama\"}");
    assert_eq!(body(400), b"{\"m\":\"[key withheld]\"}");
}

#[test]
fn a_reply_in_more_pieces_than_are_kept_is_not_kept() {
    let mut draft = Draft::new(Request::new(&url(), &HeaderMap::new(), Vec::new()));
    draft.head(200, jiff::Timestamp::UNIX_EPOCH, 1, &HeaderMap::new());
    (0..=format::MAX_PIECES + 5).for_each(|_| draft.piece(2, b"x"));
    draft.end(Ending::Whole, 3, None);
    let (_, reply, end) = draft.finish(&[]);
    assert_eq!((reply.unwrap().pieces.len(), end.kind), (0, Ending::NotKept));
}

#[test]
fn the_first_difference_of_two_requests_is_named_by_its_place() {
    let request = |body: Value| Request::new(&url(), &HeaderMap::new(), body.to_string().into_bytes());
    let long = "a long beginning that both of them have ".repeat(5);
    let was = json!({"m": [{"content": format!("{long}then"), "role": "user"}], "n": 1});
    let said = |is: Value| differ::requests(&request(was.clone()), &request(is));
    assert_eq!(said(was.clone()), None);
    let mut other = was.clone();
    other["m"][0]["content"] = json!(format!("{long}now"));
    assert_eq!(
        said(other).unwrap(),
        "`/m/0/content` was `… them have then` and is `… them have now`".replace("… them", "…f them")
    );
    let mut other = was.clone();
    other["n"] = json!(2);
    assert_eq!(said(other).unwrap(), "`/n` was `1` and is `2`");
    let mut other = was.clone();
    other["o"] = json!(true);
    assert_eq!(said(other).unwrap(), "`/o` was not there and is `true`");
    let elsewhere = Request { address: "http://127.0.0.1:2/v1".to_owned(), ..request(was.clone()) };
    assert!(differ::requests(&request(was), &elsewhere).unwrap().starts_with("the address was"));
}

proptest! {
    #[test]
    fn a_key_is_gone_wherever_the_network_cut_and_all_else_is_there(
        words in proptest::collection::vec(proptest::sample::select(vec!["a ", KEY, "sk-", "\n", "data: ", "é"]), 0..12),
        cuts in proptest::collection::vec(0usize..300, 0..8),
    ) {
        let text = words.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).chain([0, text.len()]).collect();
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &text.as_bytes()[w[0]..w[1]]).collect();
        let (_, reply, _) = draft(&pieces, 200).finish(&keys());
        let came = reply.unwrap().pieces;
        prop_assert_eq!(came.len(), pieces.len());
        let whole: Vec<u8> = came.into_iter().flat_map(|(_, p)| p.0).collect();
        prop_assert_eq!(String::from_utf8(whole).unwrap(), text.replace(KEY, "[key withheld]"));
    }

    #[test]
    fn no_line_makes_a_reader_panic(line in "\\PC{0,200}", cut in 0usize..2000) {
        let dir = tempfile::tempdir().unwrap();
        let recorder = record(dir.path(), "a", false).unwrap();
        recorder.keep(&trial("c"), 1, 0, draft(&[b"x", b"y"], 200), &[]).unwrap();
        let path = dir.path().join("t.jsonl");
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - cut.min(bytes.len()));
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        fs::write(&path, bytes).unwrap();
        let _ = Replay::open(dir.path(), [&name()]);
    }
}

#[test]
fn a_header_has_the_keys_of_its_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../../../schemas/cassette.schema.json")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    drop(record(dir.path(), "a", false).unwrap());
    let text = fs::read_to_string(dir.path().join("t.jsonl")).unwrap();
    let mut header: Header = serde_json::from_str(&text).unwrap();
    assert!(!header.unprobed && !text.contains("unprobed"), "what was probed says nothing of it");
    header.unprobed = true;
    let value = serde_json::to_value(header).unwrap();
    let names: Vec<&String> = value.as_object().unwrap().keys().collect();
    let known = schema["$defs"]["header"]["properties"].as_object().unwrap();
    assert!(names.iter().all(|n| known.contains_key(*n)) && names.len() == known.len(), "{names:?}");
}

#[test]
fn a_probe_is_told_from_a_case_and_what_is_withheld_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = record(dir.path(), "a", false).unwrap();
    let probe = |when, question| TrialRef::Probe { when, question };
    let mut withheld = draft(&[b"spelt"], 200);
    withheld.withhold();
    recorder.keep(&probe(Probing::Before, 0), 1, 0, draft(&[b"before"], 200), &[]).unwrap();
    recorder.keep(&trial("before"), 1, 0, withheld, &[]).unwrap();
    recorder.keep(&probe(Probing::After, 0), 1, 0, draft(&[b"after"], 200), &[]).unwrap();
    assert!(!fs::read_to_string(dir.path().join("t.jsonl")).unwrap().contains("spelt"));
    let replay = Replay::open(dir.path(), [&name()]).unwrap();
    let Tape::Replay(player) = replay.target(&name()) else { panic!() };
    let came = |of: &TrialRef| player.attempt(of, 1).unwrap().reply.unwrap().pieces.pop().map(|(_, piece)| piece.0);
    assert_eq!(came(&probe(Probing::Before, 0)), Some(b"before".to_vec()));
    assert_eq!(came(&probe(Probing::After, 0)), Some(b"after".to_vec()));
    assert_eq!(came(&trial("before")), None);
    assert_eq!(player.attempt(&trial("before"), 1).unwrap().end.kind, Ending::NotKept);
    let missing = player.attempt(&probe(Probing::After, 1), 1).unwrap_err();
    assert!(missing.starts_with("the probe after the last question is not in the recording"), "{missing}");
}

//! Every reply in `tests/fixtures/azure`, to the outcome that the wire contract gives it.

mod asked;

use super::chat::Step;
use super::*;
use crate::types::{
    FailureKind, Finish, JsonText, Offer, Role, Schema, TokenAlternative, TokenLogprob, Tool, ToolCall, Turn, Usage,
    Wants,
};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const FINE_TUNED: &str = "gpt-4.1-mini-2025-04-14.ft-0f3a9c27d1b84e5f8a6c2b7e1d904f63";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/azure")
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

/// Status and headers of every fixture.
fn manifest() -> BTreeMap<String, (u16, HeaderMap)> {
    let manifest: BTreeMap<String, Value> = serde_json::from_slice(&fixture("manifest.json")).unwrap();
    let headers = |v: &Value| {
        let pairs = v["headers"].as_object().unwrap().iter();
        pairs
            .map(|(k, v)| (HeaderName::try_from(k).unwrap(), HeaderValue::from_str(v.as_str().unwrap()).unwrap()))
            .collect()
    };
    manifest.iter().map(|(k, v)| (k.clone(), (v["status"].as_u64().unwrap() as u16, headers(v)))).collect()
}

fn streamed(chunks: &[&[u8]]) -> Result<Said, Problem> {
    streamed_in(&Protocol::Chat, chunks)
}

fn streamed_in(protocol: &Protocol, chunks: &[&[u8]]) -> Result<Said, Problem> {
    let mut stream = Stream::new(protocol);
    for chunk in chunks {
        stream.push(chunk)?;
    }
    stream.end()?.held_to(&offering(&["lookup_order", "refund", "a"]))
}

/// A question that asks for all that there is, with two alternatives at each token.
fn everything() -> Wants {
    offering(&["lookup_order"])
}

/// The same with these tools.
fn offering(tools: &[&str]) -> Wants {
    let tool = |name: &str| Tool {
        name: name.to_owned(),
        description: Some("Looks up an order.".to_owned()),
        parameters: Some(JsonText::new(r#"{"type":"object", "properties":{"z":{},"a":{}}}"#).unwrap()),
        strict: false,
    };
    let schema = JsonText::new(r#"{"type":"object","properties":{"z":{},"a":{}}}"#).unwrap();
    Wants {
        schema: Some(Arc::new(Schema { name: "ticket".to_owned(), schema })),
        tools: Some(Arc::new(Offer { tools: tools.iter().copied().map(tool).collect(), choice: None })),
        logprobs: Some(2),
    }
}

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall { name: name.into(), arguments: arguments.into() }
}

fn token(text: &str, logprob: f64, top: &[(&str, f64)]) -> TokenLogprob {
    let top = top.iter().map(|(t, logprob)| TokenAlternative { token: (*t).into(), logprob: *logprob }).collect();
    TokenLogprob { token: text.into(), logprob, top }
}

/// What the streams with tool calls say.
fn calling() -> Said {
    Said {
        finish: Finish::ToolCalls,
        tool_calls: vec![call("lookup_order", "{\"order_id\":\"Größe\"}"), call("refund", "{}")],
        ..said("", Some((340, 21)))
    }
}

/// What the streams with probabilities say.
fn probable() -> Said {
    let tokens = vec![token("Ref", -0.25, &[("Ref", -0.25), ("ref", -1.5)]), token("und", -0.125, &[("und", -0.125)])];
    Said { logprobs: Some(tokens), ..said("Refund", Some((212, 2))) }
}

fn said(text: &str, usage: Option<(u64, u64)>) -> Said {
    Said {
        text: text.to_owned(),
        tool_calls: Vec::new(),
        refused: false,
        logprobs: None,
        finish: Finish::Stop,
        usage: usage.map(|(prompt, completion)| Usage { prompt, completion, reasoning: Some(0) }),
        model: Some(FINE_TUNED.to_owned()),
        fingerprint: Some("fp_4a1c9d27b0".to_owned()),
        unchecked: false,
    }
}

/// What the fixtures of the Responses API say.
fn responded() -> Said {
    Said { model: Some("gpt-4.1-mini-ft".to_owned()), fingerprint: None, ..said("Refund", Some((212, 2))) }
}

/// What each stream says, or the class of its problem.
fn streams() -> BTreeMap<&'static str, Result<Said, Class>> {
    BTreeMap::from([
        ("responses_stream.sse", Ok(responded())),
        ("responses_stream_logprobs.sse", Ok(Said { model: responded().model, fingerprint: None, ..probable() })),
        ("responses_stream_tools.sse", Ok(Said { model: responded().model, fingerprint: None, ..calling() })),
        ("stream_logprobs.sse", Ok(probable())),
        ("stream_tools.sse", Ok(calling())),
        ("stream_ok.sse", Ok(said("Refund – Größe", Some((212, 5))))),
        ("stream_ok_bom.sse", Ok(said("Refund – Größe", Some((212, 5))))),
        ("stream_ok_crlf_keepalive.sse", Ok(said("Refund – Größe", Some((212, 5))))),
        ("stream_finished_no_usage.sse", Ok(said("Refund – Größe", None))),
        ("stream_async_filter_ok.sse", Ok(said("Color is", None))),
        ("stream_error_midway.sse", Err(Class::Server)),
        ("stream_truncated_midframe.sse", Err(Class::Cut)),
        ("stream_truncated_no_done.sse", Err(Class::Cut)),
    ])
}

#[test]
fn every_stream_is_read_alike_whole_byte_by_byte_and_cut_anywhere() {
    let files = fs::read_dir(folder()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> = files.filter(|f| f.ends_with(".sse")).collect();
    files.sort();
    let want = streams();
    assert_eq!(files.iter().map(String::as_str).collect::<Vec<_>>(), want.keys().copied().collect::<Vec<_>>());
    for (file, want) in want {
        let bytes = fixture(file);
        let protocol = if file.starts_with("responses_") { Protocol::Responses } else { Protocol::Chat };
        let streamed = |chunks: &[&[u8]]| streamed_in(&protocol, chunks);
        let at_once = streamed(&[&bytes]);
        assert_eq!(at_once.clone().map_err(|p| p.class), want, "{file}");
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(streamed(&single), at_once, "{file} byte by byte");
        for at in 0..=bytes.len() {
            assert_eq!(streamed(&[&bytes[..at], &bytes[at..]]), at_once, "{file} cut at byte {at}");
        }
    }
}

#[test]
fn the_first_token_is_the_first_piece_of_the_answer_and_no_frame_before_it() {
    let bytes = fixture("stream_ok.sse");
    let mut stream = Stream::default();
    let mut steps = Vec::new();
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let step = stream.push(line).unwrap();
        if line == b"\n" {
            steps.push((step.content, step.finish));
        }
    }
    let (nothing, content) = ((false, false), (true, false));
    // The filter's frame and the role; three pieces; the end; the usage and [DONE].
    assert_eq!(steps, [nothing, nothing, content, content, content, (false, true), nothing, nothing]);
    assert!(stream.is_done());
}

#[test]
fn the_filter_has_the_last_word_whenever_it_comes() {
    let frames = |reasons: &[&str]| {
        let mut text = String::from("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n");
        for r in reasons {
            text.push_str(&format!("data: {{\"choices\":[{{\"index\":0,\"finish_reason\":\"{r}\"}}]}}\n\n"));
        }
        streamed(&[text.as_bytes()]).map(|s| s.finish).map_err(|p| p.class)
    };
    assert_eq!(frames(&["stop", "content_filter"]), Ok(Finish::Filtered));
    assert_eq!(frames(&["content_filter", "stop"]), Ok(Finish::Filtered));
    assert_eq!(frames(&["length"]), Ok(Finish::Length));
    assert_eq!(frames(&["eos_token"]), Ok(Finish::Stop));
    assert_eq!(frames(&["elsewise"]), Err(Class::Unreadable));
    assert_eq!(frames(&[]), Err(Class::Cut));
}

#[test]
fn an_answer_that_names_two_models_is_no_answer_of_either() {
    let frames = |models: &[&str]| {
        let frame = |m: &&str| {
            format!(
                "data: {{\"model\":\"{m}\",\"system_fingerprint\":\"f-{m}\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"a\"}}}}]}}\n\n"
            )
        };
        let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
        let text: String = models.iter().map(frame).chain([end.to_owned()]).collect();
        streamed(&[text.as_bytes()]).map(|s| s.model).map_err(|p| (p.class, p.message))
    };
    // A fingerprint is no model's name, and frames of the filter have none.
    assert_eq!(frames(&["", "m-1", "", "m-1"]), Ok(Some("m-1".to_owned())));
    let two = "one answer names two models: `m-2` and `m-1`".to_owned();
    assert_eq!(frames(&["m-2", "m-2", "m-1"]), Err((Class::Unreadable, two)), "the last word hides nothing");

    let events = |model: &str| {
        let text = String::from_utf8(fixture("responses_stream.sse")).unwrap();
        let text = text.replacen("\"gpt-4.1-mini-ft\"", &format!("\"{model}\""), 1);
        streamed_in(&Protocol::Responses, &[text.as_bytes()]).map(|s| s.model).map_err(|p| p.class)
    };
    assert_eq!(events(""), Ok(Some("gpt-4.1-mini-ft".to_owned())));
    assert_eq!(events("m-2"), Err(Class::Unreadable));
}

#[test]
fn frames_of_other_servers_are_read_too() {
    for (text, want) in [
        // The usage stands in the frame of the end, the fingerprint is empty, nothing says that it is done.
        (
            "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}],\"model\":\"m@main\",\"system_fingerprint\":\"\"}\n\n\
             data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n",
            Ok(("hi", Some(Usage { prompt: 3, completion: 1, reasoning: None }))),
        ),
        (
            "data: {\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"text\":\"b\"}]},\"finish_reason\":\"stop\"}]}\n\n",
            Ok(("ab", None)),
        ),
        ("data: {\"choices\":[{\"delta\":{\"refusal\":\"No.\"},\"finish_reason\":\"stop\"}]}\n\n", Ok(("No.", None))),
        (
            "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n",
            Err(Class::Cut),
        ),
        ("data: {\"choices\":[{\"delta\":{\"content\":7}}]}\n\n", Err(Class::Unreadable)),
        ("data: <html>\n\n", Err(Class::Unreadable)),
        ("data: {\"error\":\"overloaded\"}\n\n", Err(Class::Server)),
        ("data: {\"error\":{\"code\":429,\"message\":\"slow down\"}}\n\n", Err(Class::Throttled)),
        ("data: {\"error\":{\"code\":\"content_filter\"}}\n\n", Err(Class::Filtered)),
    ] {
        let got = streamed(&[text.as_bytes()]);
        let got = got.as_ref().map(|s| (s.text.as_str(), s.usage)).map_err(|p| p.class);
        assert_eq!(got, want, "{text}");
    }
    let problem = streamed(&[b"data: {\"choices\":[{\"delta\":{\"content\":\"a\xff\"}}]}\n\n"]).unwrap_err();
    assert_eq!(problem.class, Class::Unreadable);
    assert!(problem.message.contains("no UTF-8 at byte 34 (hex ff 22 7d 7d)"), "{}", problem.message);
    let endless = vec![b'x'; 5 << 20];
    let problem = Stream::default().push(&endless).map(|s: Step| s.content).unwrap_err();
    assert_eq!(
        (problem.class, problem.message.as_str()),
        (Class::Unreadable, "one event of the stream is longer than 4 MiB")
    );
}

#[test]
fn every_whole_reply_is_read() {
    let long = said("Refund", Some((212, 9)));
    let want = BTreeMap::from([
        ("chat_ok.json", Ok(Said { ..long.clone() })),
        ("chat_ok_length.json", Ok(Said { finish: Finish::Length, ..long.clone() })),
        ("chat_ok_reasoning.json", Ok(Said { model: Some("o4-mini-2025-04-16.ft-77d0b6c1".into()), ..long.clone() })),
        ("chat_ok_minimal_compatible.json", Ok(Said { fingerprint: None, ..long.clone() })),
        ("filtered_output_200.json", Ok(Said { finish: Finish::Filtered, ..long.clone() })),
        ("filter_system_down_200.json", Ok(Said { unchecked: true, ..long })),
        ("chat_ok_tools.json", Err(Class::Unreadable)),
        ("err_200_error_body.json", Err(Class::Server)),
    ]);
    let successes = manifest().into_iter().filter(|(name, (status, _))| {
        *status == 200 && !name.ends_with(".sse") && !name.starts_with("aml_") && !name.starts_with("responses_")
    });
    let mut seen = 0;
    for (name, _) in successes {
        seen += 1;
        let body = fixture(&name);
        let got = whole(&Protocol::Chat, &body).and_then(|s| s.held_to(&Wants::default())).map_err(|p| p.class);
        // Texts and counts are the fixture's own, read a second way; what the contract says is in the table.
        let value: Value = serde_json::from_slice(&body).unwrap();
        let mut want = want[name.as_str()].clone();
        if let Ok(said) = &mut want {
            said.text = value["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
            let count = |k: &str| value["usage"][k].as_u64().unwrap();
            let reasoning = value["usage"]["completion_tokens_details"]["reasoning_tokens"].as_u64();
            assert!(name != "chat_ok_reasoning.json" || reasoning == Some(448));
            said.usage =
                Some(Usage { prompt: count("prompt_tokens"), completion: count("completion_tokens"), reasoning });
        }
        assert_eq!(got, want, "{name}");
    }
    assert_eq!(seen, want.len());
    for (body, class) in [
        ("", Class::Unreadable),
        ("null", Class::Unreadable),
        ("{}", Class::Unreadable),
        ("{\"choices\":[]}", Class::Unreadable),
        ("{\"choices\":null}", Class::Unreadable),
        ("{\"choices\":[{\"message\":{\"content\":\"a\"}}]}", Class::Unreadable),
        ("<html>sign in</html>", Class::Unreadable),
        ("{\"error\":{}}", Class::Server),
    ] {
        assert_eq!(whole(&Protocol::Chat, body.as_bytes()).map_err(|p| p.class), Err(class), "{body}");
    }
}

#[test]
fn every_error_has_its_class_its_failure_and_its_wait() {
    use Class::{Auth, Filtered, Late, LimitName, Missing, Rejected, Server, Throttled, TooLong};
    let ms = Duration::from_millis;
    let want = BTreeMap::from([
        ("aml_err_424.json", (Server, FailureKind::ServerError, None, "HTTP 424 ModelError: Failed Dependency")),
        ("err_400_context_length.json", (TooLong, FailureKind::Refused, None, "131204 tokens")),
        ("err_400_unsupported_param.json", (LimitName, FailureKind::Unavailable, None, "max_completion_tokens")),
        ("err_401_key.json", (Auth, FailureKind::Unavailable, None, "HTTP 401: Access denied")),
        ("err_401_rbac.json", (Auth, FailureKind::Unavailable, None, "lacks the required data action")),
        ("err_403_network.json", (Auth, FailureKind::Unavailable, None, "Virtual Network/Firewall")),
        (
            "err_404_deployment.json",
            (Missing, FailureKind::Unavailable, None, "inactive for more than 15 days?; check endpoint"),
        ),
        ("err_404_resource.json", (Missing, FailureKind::Unavailable, None, "Resource not found; check endpoint")),
        ("err_408_timeout.json", (Late, FailureKind::TimedOut, None, "timeout")),
        ("err_429_both_headers.json", (Throttled, FailureKind::Throttled, Some(ms(6000)), "rate limit")),
        ("err_429_capacity.json", (Throttled, FailureKind::Throttled, Some(ms(1200)), "temporarily unable")),
        ("err_429_compatible_http_date.json", (Throttled, FailureKind::Throttled, Some(ms(30_000)), "rate limited")),
        ("err_429_reset_header_only.json", (Throttled, FailureKind::Throttled, Some(ms(55_000)), "rate limit")),
        ("err_500.json", (Server, FailureKind::ServerError, None, "HTTP 500 server_error: ")),
        ("err_502_gateway.html.txt", (Server, FailureKind::ServerError, None, "text/html: <html>")),
        ("err_503.json", (Server, FailureKind::ServerError, Some(ms(3000)), "ServiceUnavailable")),
        ("filtered_prompt_400_docs.json", (Filtered, FailureKind::Filtered, None, "(filtered: jailbreak)")),
        ("filtered_prompt_400_live.json", (Filtered, FailureKind::Filtered, None, "(filtered: jailbreak)")),
        ("filtered_prompt_400_spec.json", (Filtered, FailureKind::Filtered, None, "(filtered: jailbreak)")),
    ]);
    let now = "2026-11-20T23:59:00Z".parse().unwrap();
    let errors: BTreeMap<_, _> = manifest().into_iter().filter(|(_, (status, _))| *status != 200).collect();
    assert_eq!(errors.keys().map(String::as_str).collect::<Vec<_>>(), want.keys().copied().collect::<Vec<_>>());
    for (name, (status, headers)) in errors {
        let problem = of_reply(status, &headers, &fixture(&name), now);
        let (class, kind, wait, words) = want[name.as_str()];
        assert_eq!((problem.class, problem.class.kind(), problem.wait), (class, kind, wait), "{name}");
        assert!(problem.message.contains(words), "{name}: {}", problem.message);
        assert_eq!(class.is_transient(), matches!(status, 408 | 424 | 429 | 500..), "{name}");
    }
    for (status, body, class) in [
        (400, r#"{"error":{"code":"content_filter"}}"#, Filtered),
        (400, r#"{"error":{"code":"x","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#, Filtered),
        (400, r#"{"object":"error","message":"This model's maximum context length is 9 tokens","code":400}"#, TooLong),
        (400, r#"{"error":{"code":400,"message":"too big","type":"exceed_context_size_error"}}"#, TooLong),
        (400, r#"{"error":{"message":"No connected db.","type":"no_db_connection","param":null,"code":"400"}}"#, Auth),
        (400, r#"{"error":{"code":"unsupported_value","param":"temperature"}}"#, Class::Temperature),
        (400, r#"{"error":{"code":"unsupported_parameter","param":"temperature"}}"#, Class::Temperature),
        (400, r#"{"error":{"code":"unsupported_parameter","param":"seed"}}"#, Rejected),
        (413, "", TooLong),
        (422, r#"{"detail":"Unexpected fields: seed"}"#, Rejected),
        (422, r#"{"detail":[{"msg":"field required","loc":["body"]}]}"#, Rejected),
        (400, r#"{"error":"bad"}"#, Rejected),
        (302, "", Rejected),
        (429, r#"{"statusCode":429,"message":"Rate limit is exceeded. Try again in 9 seconds."}"#, Throttled),
        (424, r#"{"error":"user container failed"}"#, Server),
        (599, "\u{0}", Server),
        (400, "[]", Rejected),
        (400, r#"{"error":[]}"#, Rejected),
    ] {
        assert_eq!(of_reply(status, &HeaderMap::new(), body.as_bytes(), now).class, class, "{status} {body}");
    }
    let detail = of_reply(422, &HeaderMap::new(), br#"{"detail":[{"msg":"a"},{"msg":"b"}]}"#, now);
    assert!(
        detail.message.starts_with("HTTP 422: a; b; the server takes no request of this form"),
        "{}",
        detail.message
    );
    let page = of_reply(500, &HeaderMap::new(), "x".repeat(9_000).as_bytes(), now).without(|text| text);
    assert!(page.message.len() < 1000, "a page is quoted by its start");
}

#[test]
fn the_responses_api_is_read_whole_and_in_pieces() {
    let nothing = Wants::default();
    let read = |body: &[u8]| whole(&Protocol::Responses, body).and_then(|s| s.held_to(&nothing)).map_err(|p| p.class);
    assert_eq!(read(&fixture("responses_ok.json")), Ok(responded()));
    let cut = fixture("responses_incomplete.json");
    assert_eq!(read(&cut), Ok(Said { finish: Finish::Filtered, ..responded() }));
    let changed = |from: &str, to: &str| {
        let text = String::from_utf8(cut.clone()).unwrap();
        assert!(text.contains(from));
        read(text.replace(from, to).as_bytes())
    };
    assert_eq!(changed("content_filter", "max_output_tokens").map(|s| s.finish), Ok(Finish::Length));
    assert_eq!(changed("content_filter", "boredom"), Err(Class::Unreadable));
    assert_eq!(changed("\"incomplete\"", "\"in_progress\""), Err(Class::Unreadable));
    assert_eq!(changed("\"message\"", "\"function_call\""), Err(Class::Unreadable));
    assert_eq!(changed("\"message\"", "\"reasoning\"").map(|s| s.text), Ok(String::new()));
    assert_eq!(changed("\"output_text\"", "\"audio\""), Err(Class::Unreadable));
    let unsaid = r#""type": "refusal", "refusal": "No.""#;
    let refused = format!(r#"{{"status": "completed", "output": [{{"type": "message", "content": [{{{unsaid}}}]}}]}}"#);
    assert_eq!(read(refused.as_bytes()).map(|s| (s.text, s.usage)), Ok(("No.".to_owned(), None)));
    let failed = r#"{"status": "failed", "error": {"code": "server_error", "message": "no"}}"#;
    assert_eq!(read(failed.as_bytes()), Err(Class::Server));
    for body in ["", "null", "{}", "{\"status\": \"completed\", \"output\": 7}"] {
        assert_eq!(read(body.as_bytes()), Err(Class::Unreadable), "{body}");
    }

    let bytes = String::from_utf8(fixture("responses_stream.sse")).unwrap();
    let read = |text: &str| streamed_in(&Protocol::Responses, &[text.as_bytes()]).map(|s| s.text).map_err(|p| p.class);
    let other = bytes.replace("\"delta\":\"fund\"", "\"delta\":\"ward\"");
    assert_eq!(read(&other), Err(Class::Unreadable), "pieces and whole differ");
    let end = bytes.find("event: response.completed").unwrap();
    assert_eq!(read(&bytes[..end]), Err(Class::Cut));
    let error = format!("{}event: error\ndata: {{\"type\":\"error\",\"message\":\"x\"}}\n\n", &bytes[..end]);
    assert_eq!(read(&error), Err(Class::Server));
    let mut stream = Stream::new(&Protocol::Responses);
    let steps: Vec<Step> = bytes.split_inclusive("\n\n").map(|e| stream.push(e.as_bytes()).unwrap()).collect();
    let step = |content, finish| Step { content, finish };
    assert_eq!(steps[..4], [step(false, false), step(true, false), step(true, false), step(false, true)]);
    assert!(stream.is_done(), "nothing says [DONE]");

    let turns = [Turn { role: Role::User, text: "Größe?".to_owned() }];
    let ask = Ask { model: Some("m"), turns: &turns, limit: 24, effort: Some("low"), ..Ask::default() };
    let want = json!({"model": "m", "input": [{"role": "user", "content": "Größe?"}], "max_output_tokens": 24,
        "temperature": 0, "reasoning": {"effort": "low"}, "stream": true, "store": false});
    assert_eq!(serde_json::from_slice::<Value>(&responses_body(&ask)).unwrap(), want);
    let plain = Ask { effort: None, sampling: Sampling::Default, ..ask };
    let body: Value = serde_json::from_slice(&responses_body(&plain)).unwrap();
    assert!(body.get("temperature").is_none() && body.get("reasoning").is_none(), "{body}");
}

#[test]
fn a_form_of_the_endpoint_s_own_is_written_and_read_by_its_mapping() {
    let turns = [
        Turn { role: Role::System, text: "Be \"brief\".".to_owned() },
        Turn { role: Role::User, text: "\"}, \"x\": {{ 7 }}\n\\".to_owned() },
    ];
    let ask = Ask { turns: &turns, limit: 24, seed: 7, ..Ask::default() };
    let mapping = Mapping {
        request: "{\"input\": {{ messages }}, \"all\": {{ prompt }},\n \"p\": {\"n\": {{ max_new_tokens }}, \"s\": {{ seed }}}, \
                  \"last\": {{ messages[-1].content }}}"
            .to_owned(),
        text: "/output".to_owned(),
        usage: None,
        finish: None,
    };
    mapping.check().unwrap();
    let body: Value = serde_json::from_slice(&mapping.body(&ask).unwrap()).unwrap();
    let want = json!({
        "input": [{"role": "system", "content": turns[0].text}, {"role": "user", "content": turns[1].text}],
        "all": format!("{}\n\n{}", turns[0].text, turns[1].text),
        "p": {"n": 24, "s": 7},
        "last": turns[1].text,
    });
    assert_eq!(body, want, "a question stays inside its string");

    let said = mapping.read(&fixture("aml_score_ok.json"), 24).unwrap();
    assert_eq!((said.text.as_str(), said.finish, said.usage), ("Refund", Finish::Stop, None));
    let read = |m: &Mapping, body: &str| m.read(body.as_bytes(), 24).map(|s| (s.text, s.finish)).map_err(|p| p.class);
    let text = |t: &str, f| Ok((t.to_owned(), f));
    assert_eq!(read(&mapping, r#""{\"output\": \"a\"}""#), text("a", Finish::Stop), "JSON in a text");
    for (body, class) in [
        ("{}", Class::Unreadable),
        ("[]", Class::Unreadable),
        ("\"x\"", Class::Unreadable),
        (r#"{"output": 7}"#, Class::Unreadable),
        (r#"{"error": {"message": "no"}}"#, Class::Server),
        ("", Class::Unreadable),
    ] {
        assert_eq!(read(&mapping, body), Err(class), "{body}");
    }
    assert_eq!(read(&Mapping { text: String::new(), ..mapping.clone() }, "\"a\""), text("a", Finish::Stop));
    let counted = Mapping { usage: Some(("/u/0".to_owned(), "/u/1".to_owned())), ..mapping.clone() };
    assert_eq!(read(&counted, r#"{"output": "a", "u": [9, 23]}"#), text("a", Finish::Stop));
    assert_eq!(read(&counted, r#"{"output": "a", "u": [9, 24]}"#), text("a", Finish::Length));
    let ended = Mapping { finish: Some("/why".to_owned()), ..counted };
    assert_eq!(read(&ended, r#"{"output": "a", "why": "length"}"#), text("a", Finish::Length));
    assert_eq!(read(&ended, r#"{"output": "a", "why": "stop", "u": [9, 24]}"#), text("a", Finish::Stop));
    assert_eq!(read(&ended, r#"{"output": "a"}"#), Err(Class::Unreadable));
    assert_eq!(read(&ended, r#"{"output": "a", "why": "boredom"}"#), Err(Class::Unreadable));
}

#[test]
fn a_request_says_what_is_set_and_nothing_else() {
    let turns = [
        Turn { role: Role::System, text: "Be \"brief\".".to_owned() },
        Turn { role: Role::User, text: "Größe?".to_owned() },
    ];
    let ask = Ask {
        model: Some("m"),
        turns: &turns,
        limit: 24,
        limit_field: LimitField::MaxTokens,
        seed: 7,
        sampling: Sampling::Greedy,
        effort: None,
        wants: None,
    };
    let body = |ask: Ask<'_>| serde_json::from_slice::<Value>(&ask.body()).unwrap();
    let mut want = json!({
        "model": "m",
        "messages": [{"role": "system", "content": "Be \"brief\"."}, {"role": "user", "content": "Größe?"}],
        "max_tokens": 24,
        "temperature": 0,
        "seed": 7,
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    assert_eq!(body(ask), want);
    let object = want.as_object_mut().unwrap();
    object.remove("model");
    object.remove("max_tokens");
    object.insert("max_completion_tokens".to_owned(), json!(24));
    let ask = Ask { model: None, limit_field: LimitField::MaxCompletionTokens, ..ask };
    assert_eq!(body(ask), want);
    let object = want.as_object_mut().unwrap();
    object.remove("temperature");
    object.insert("reasoning_effort".to_owned(), json!("low"));
    assert_eq!(body(Ask { sampling: Sampling::Default, effort: Some("low"), ..ask }), want);
}

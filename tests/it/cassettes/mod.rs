//! Runs that are recorded against a scripted server, and replayed when it is gone.

mod refused;

use crate::mock::{Act, Asked, Mock, Reply, answer, status};
use crate::project::{CASES, Outcome, Project};
use serde_json::{Value, json};
use std::fs;

const KEY: &str = "sk-canary-4fQ9zT7wLk2XbN8sVd3R";
/// Two tokens of an identity, and the secret that they are had for.
const TOKENS: [&str; 3] =
    ["tok-canary-7Rb2vXq9JdKc5HsUe8Mn1Gy", "tok-second-4Wz8LpTf3CxVb6QaRj0DkE", "app-canary~8Q1.kfT4-zWmY_pL0aN3"];
const RECORD: [&str; 6] = ["gate", "suites/mini", "--run-dir", "r", "--record", "tapes"];
const REPLAY: [&str; 6] = ["gate", "suites/mini", "--run-dir", "again", "--replay", "tapes"];

/// A project whose baseline and candidate are two models of one server; `more` goes to both.
fn project(mock: &Mock, more: &str) -> Project {
    Project::of_models(&mock.url(), ["big", "small"], more)
}

fn with_key(p: &Project, args: &[&str]) -> Outcome {
    p.run_with(args, &[("MOCK_KEY", KEY)])
}

/// Records a run whose server then goes.
fn recorded(mock: Mock, more: &str, args: &[&str]) -> (Project, Outcome) {
    let p = project(&mock, more);
    let out = with_key(&p, &[&RECORD, args].concat());
    assert_no_key(&p);
    drop(mock);
    (p, out)
}

fn lines(p: &Project, file: &str) -> Vec<Value> {
    p.read(file).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// No file of the recording or of a run holds the key, whole, by its ends or behind an escape.
fn assert_no_key(p: &Project) {
    let escaped = KEY.replace('s', "\\u0073");
    for folder in ["tapes", "r", "again"] {
        for entry in fs::read_dir(p.path(folder)).into_iter().flatten().map(Result::unwrap) {
            let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
            let ends = [KEY].into_iter().chain(TOKENS).flat_map(|s| [s, &s[..12], &s[s.len() - 12..]]);
            for piece in ends.chain([&*escaped]) {
                assert!(!text.contains(piece), "`{piece}` is in {}", entry.path().display());
            }
        }
    }
}

/// A replay without a server and without a key gives the recorded run again, byte for byte.
fn assert_replays(p: &Project, recorded: i32) {
    let out = p.run(&REPLAY);
    assert_eq!(out.code, if recorded == 0 { 3 } else { recorded }, "a replay promotes nobody: {out:?}");
    assert!(out.stdout.contains("REPLAY") && out.stderr.contains("REPLAY"), "{out:?}");
    for (was, is) in
        [("journal.jsonl", "journal.jsonl"), ("results.jsonl", "results.jsonl"), ("verdict.json", "recomputed.json")]
    {
        assert_eq!(p.read(&format!("r/{was}")), p.read(&format!("again/{is}")), "{was}");
    }
    let (was, is) = (p.read("r/probes.jsonl"), p.read("again/probes.jsonl"));
    assert!(!is.is_empty() && was.ends_with(&is), "of several sittings the last one's probes: {was} and {is}");
    assert!(!p.path("again/verdict.json").exists(), "whoever looks for a verdict finds none");
    let manifest: Value = serde_json::from_str(&p.read("again/run.json")).unwrap();
    for target in ["base", "cand"] {
        let file = fs::read(p.path(&format!("tapes/{target}.jsonl"))).unwrap();
        let digest = goldgate::types::Digest::of(&file).to_string();
        assert_eq!(manifest["replay"]["cassettes"][target], digest);
    }
    for report in ["report.html", "summary.md", "junit.xml", "report.json"] {
        let text = p.read(&format!("again/{report}"));
        assert!(text.to_lowercase().contains("replay"), "{report} does not say that it is of a replay");
        assert!(!p.read(&format!("r/{report}")).to_lowercase().contains("replay"), "{report} of the recorded run");
    }
    assert_no_key(p);
    let again = p.run(&["gate", "again"]);
    assert_eq!(again.code, out.code, "judging the replay once more: {again:?}");
}

/// Every kind of trouble that a server makes, by the question; what is none of them is answered.
fn troubles(a: &Asked) -> Reply {
    if a.body["model"] != "small" {
        return answer("x");
    }
    match (a.question.as_str(), a.nth) {
        ("fox", 0) => {
            Reply::Status(429, vec![("retry-after-ms", "20".into()), ("set-cookie", KEY.into())], "{}".into())
        }
        ("fox", 1) => Reply::Cut,
        ("lazy", 0) => status(503, "<html>busy</html>"),
        ("lazy", 1) => Reply::Torn,
        ("quick", _) => Reply::Whole { text: "Größe – „x“ 3,5".into() },
        ("the", _) => Reply::Odd { text: "Größe – „x“ 3,5".into() },
        ("brown", _) => Reply::Ended { text: "x y".into(), reason: "content_filter" },
        ("jumps", _) => Reply::Ended { text: "x y z".into(), reason: "length" },
        ("over", _) => status(400, include_str!("../../fixtures/azure/filtered_prompt_400_live.json")),
        ("dog", _) => Reply::WithHeader("x-ms-spillover-from-deployment", "small"),
        _ => answer("x"),
    }
}

#[test]
fn a_recorded_run_is_replayed_byte_for_byte_without_server_or_key() {
    let (p, out) = recorded(Mock::start(|_| answer("x")), "", &[]);
    assert_eq!(out.code, 0, "{out:?}");
    assert_replays(&p, 0);
    for file in ["tapes/base.jsonl", "tapes/cand.jsonl"] {
        let all = lines(&p, file);
        assert_eq!(all.len(), 1 + CASES + 2, "a header, every exchange, and a probe before and after");
        assert_eq!((&all[1]["probe"], &all[CASES + 2]["probe"]), (&"before".into(), &"after".into()));
        assert_eq!(all[0]["format"], "goldgate.cassette/1");
        for exchange in &all[1..] {
            let request = &exchange["request"];
            let names: Vec<&String> = request["headers"].as_object().unwrap().keys().collect();
            assert_eq!(names, ["accept", "content-type"], "no credential");
            assert_eq!(request["method"], "POST");
            assert!(request["body"].as_str().unwrap().contains("\"max_tokens\":24"));
            let reply = &exchange["reply"];
            assert_eq!((&reply["status"], &reply["headers"]["apim-request-id"]), (&200.into(), &"r-1".into()));
            let pieces = reply["pieces"].as_array().unwrap();
            assert!(pieces.iter().all(|p| p[0].as_u64().unwrap() >= reply["head-us"].as_u64().unwrap()));
            let whole: String = pieces.iter().map(|p| p[1].as_str().unwrap()).collect();
            assert!(whole.ends_with("data: [DONE]\n\n"), "{whole}");
        }
    }
}

#[test]
fn every_trouble_of_a_server_is_replayed_whatever_was_in_flight() {
    for j in ["1", "8"] {
        let (p, out) = recorded(Mock::start(troubles), "", &["-j", j, "--seed", "7"]);
        let kept = p.read("tapes/cand.jsonl");
        for end in ["\"broken-off\"", "\"whole\"", "\"left\""] {
            assert!(kept.contains(end), "no exchange ended {end}");
        }
        assert!(!kept.contains("set-cookie"), "only the headers that are read are kept");
        assert_replays(&p, out.code);
        let manifest: Value = serde_json::from_str(&p.read("again/run.json")).unwrap();
        assert_eq!((manifest["seed"].as_u64(), manifest["concurrency"].to_string()), (Some(7), j.to_owned()));
    }
}

#[test]
fn an_attempt_whose_time_is_up_is_replayed_without_waiting_for_it() {
    let mock = Mock::start(|a| if a.question == "fox" && a.nth == 0 { Reply::Hang } else { answer("x") });
    let (p, out) = recorded(mock, "timeout-seconds = 1\nattempts = 1\n", &[]);
    assert!(p.read("tapes/cand.jsonl").contains("\"time-up\""));
    assert_replays(&p, out.code);
}

#[test]
fn a_wait_that_is_a_date_is_counted_from_when_it_was_recorded() {
    let in_an_hour = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_string(&in_an_hour).unwrap();
    let mock = Mock::start(move |a| match a.question.as_str() {
        "fox" => Reply::Status(429, vec![("retry-after", date.clone())], String::new()),
        _ => answer("x"),
    });
    let (p, out) = recorded(mock, "longest-wait-seconds = 0\n", &[]);
    assert_replays(&p, out.code);
}

#[test]
fn the_responses_api_is_replayed() {
    let stream = include_str!("../../fixtures/azure/responses_stream.sse");
    let mock = Mock::start(move |_| {
        Reply::Status(200, vec![("content-type", "text/event-stream; charset=utf-8".into())], stream.to_owned())
    });
    let (p, out) = recorded(mock, "protocol = \"responses\"\n", &[]);
    assert_replays(&p, out.code);
}

#[test]
fn azure_ml_is_replayed_where_the_environment_knows_neither_key_nor_address() {
    let mock = Mock::start(|a| {
        let by = a.headers["azureml-model-deployment"].clone();
        let headers = vec![("content-type", "application/json".into()), ("azureml-model-deployment", by)];
        Reply::Status(200, headers, "{\"output\": [\"x\"], \"made\": 2, \"read\": 9}".to_owned())
    });
    let p = Project::new();
    let target = |name: &str, deployment: &str, prompt: &str| {
        format!(
            "[target.{name}]\nkind = \"azure-ml\"\nendpoint-env = \"MOCK_ENDPOINT\"\ndeployment = \"{deployment}\"\n\
             api-key-env = \"MOCK_KEY\"\nprompt = \"{prompt}\"\nrequest = '{{\"messages\": {{{{ messages }}}}}}'\n\
             response = {{ text = \"/output/0\", prompt-tokens = \"/read\", completion-tokens = \"/made\" }}\n"
        )
    };
    p.write("goldgate.toml", target("base", "blue", "long") + &target("cand", "green", "short"));
    let out = p.run_with(&RECORD, &[("MOCK_KEY", KEY), ("MOCK_ENDPOINT", &format!("{}/score", mock.url()))]);
    drop(mock);
    assert_replays(&p, out.code);
    let endpoint = |run: &str| -> Value {
        let manifest: Value = serde_json::from_str(&p.read(&format!("{run}/run.json"))).unwrap();
        manifest["targets"][1]["endpoint"].clone()
    };
    assert_eq!(endpoint("r"), endpoint("again"));
    let sent = &lines(&p, "tapes/cand.jsonl")[1]["request"]["headers"];
    assert_eq!(sent["azureml-model-deployment"], "green", "who answers is part of what is asked");
}

#[test]
fn the_limit_s_other_name_is_replayed_by_those_who_had_to_learn_it() {
    let refusal = include_str!("../../fixtures/azure/err_400_unsupported_param.json");
    let mock =
        Mock::start(move |a| if a.body.get("max_tokens").is_some() { status(400, refusal) } else { answer("x") });
    let (p, out) = recorded(mock, "", &["-j", "4"]);
    assert_eq!(out.code, 0, "{out:?}");
    assert!(p.read("r/journal.jsonl").contains("\"limit-renamed\":true"));
    assert_replays(&p, 0);
}

/// A stream whose answer's pieces are these.
fn stream(pieces: &[&str]) -> Reply {
    let frame = |delta: Value, reason: Value| {
        format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}))
    };
    let mut body: String = pieces.iter().map(|p| frame(json!({"content": p}), Value::Null)).collect();
    body += &frame(json!({}), json!("stop"));
    Reply::Status(200, vec![("content-type", "text/event-stream".into())], body + "data: [DONE]\n\n")
}

#[test]
fn a_server_that_repeats_the_key_puts_it_into_no_cassette() {
    let escaped = KEY.replace('s', "\\u0073");
    let mock = Mock::start(move |a| match (a.question.as_str(), a.nth) {
        ("fox", 0) => Reply::Status(
            400,
            vec![("x-request-id", KEY.into())],
            format!("{{\"error\":{{\"code\":\"content_filter\",\"message\":\"{KEY}\"}}}}"),
        ),
        ("fox", _) => answer(&format!("your key is {KEY} indeed")),
        ("the", _) => Reply::Odd { text: format!("your key is {KEY} indeed") },
        ("quick", _) => stream(&["it is ", &KEY[..5], &KEY[5..20], &KEY[20..], " and ", &KEY[KEY.len() - 12..], "."]),
        ("brown", _) => Reply::Status(
            200,
            vec![("content-type", "application/json".into())],
            format!(
                "{{\"choices\":[{{\"finish_reason\":\"stop\",\"message\":{{\"content\":\"it is {escaped}!\"}}}}]}}"
            ),
        ),
        _ => answer("x"),
    });
    let (p, out) = recorded(mock, "", &[]);
    let texts: String = lines(&p, "r/results.jsonl").iter().map(|r| r["text"].to_string()).collect();
    for want in
        ["your key is [key withheld] indeed", "it is [key withheld] and [key withheld].", "it is [key withheld]!"]
    {
        assert!(texts.contains(want), "`{want}` is in no answer");
    }
    // The pieces of a split key are in no string of the stream, one after the other.
    for exchange in lines(&p, "tapes/cand.jsonl").iter().skip(1) {
        let pieces = exchange["reply"]["pieces"].as_array().unwrap();
        let whole: String = pieces.iter().map(|p| p[1].as_str().unwrap_or_default()).collect();
        for part in [&KEY[5..20], &KEY[KEY.len() - 8..]] {
            assert!(!whole.contains(part), "{whole}");
        }
    }
    assert_replays(&p, out.code);
}

#[test]
fn a_run_that_was_interrupted_goes_on_in_its_cassettes() {
    let gone = std::sync::atomic::AtomicBool::new(false);
    let mock = Mock::start(move |a| {
        // Once, in the middle of the first sitting.
        let stop = a.question == "lazy" && !gone.swap(true, std::sync::atomic::Ordering::SeqCst);
        if stop { status(404, "") } else { answer("x") }
    });
    let p = project(&mock, "");
    let out = with_key(&p, &RECORD);
    assert_eq!(out.code, 4, "{out:?}");
    let without = with_key(&p, &RECORD[..4]);
    assert_eq!(without.code, 5, "every sitting records: {without:?}");
    assert!(without.stderr.contains("exchanges (`--record`): recorded in the run, not recorded now"), "{without:?}");
    let elsewhere = with_key(&p, &[&RECORD[..5], &["other"]].concat());
    assert_eq!(elsewhere.code, 2, "{elsewhere:?}");
    assert!(elsewhere.stderr.contains("name the folder that the run was begun with"), "{elsewhere:?}");
    // A process that was killed while it wrote.
    let torn = p.read("tapes/base.jsonl") + "{\"seq\":99,\"sit";
    p.write("tapes/base.jsonl", torn);
    let out = p.run(&REPLAY);
    assert_eq!(out.code, 5, "{out:?}");
    assert!(out.stderr.contains("the line has no end"), "{out:?}");

    let out = with_key(&p, &RECORD);
    assert_eq!(out.code, 0, "{out:?}");
    let sittings: Vec<u64> = ["base", "cand"]
        .iter()
        .flat_map(|t| lines(&p, &format!("tapes/{t}.jsonl")))
        .filter_map(|l| l["sitting"].as_u64())
        .collect();
    assert!(sittings.contains(&1) && sittings.contains(&2), "{sittings:?}");
    drop(mock);
    assert_replays(&p, 0);

    // Another seed: of two runs begun within one second, everything else is the same.
    let other = with_key(&p, &["gate", "suites/mini", "--seed", "2", "--run-dir", "other", "--record", "tapes"]);
    assert_eq!(other.code, 5, "{other:?}");
    assert!(other.stderr.contains("is the cassette of another run"), "{other:?}");
}

#[test]
fn an_a_a_run_and_a_calibration_have_a_cassette_for_every_name() {
    let mock = Mock::start(|_| answer("x"));
    let p = project(&mock, "");
    let out = with_key(&p, &[&RECORD[..], &["--candidate", "base"]].concat());
    assert!(out.code == 0 || out.code == 3 || out.code == 1, "{out:?}");
    let out = with_key(&p, &["calibrate", "suites/mini", "--repeats", "2", "--run-dir", "n", "--record", "noise"]);
    assert_eq!(out.code, 0, "{out:?}");
    drop(mock);
    let out = p.run(&[&REPLAY[..], &["--candidate", "base"]].concat());
    assert!(out.code >= 0, "{out:?}");
    assert_eq!(p.read("r/journal.jsonl"), p.read("again/journal.jsonl"));
    assert!(p.path("tapes/base-again.jsonl").exists());
    let out = p.run(&["calibrate", "suites/mini", "--repeats", "2", "--run-dir", "n2", "--replay", "noise"]);
    assert_eq!(out.code, 0, "{out:?}");
    assert_eq!(p.read("n/noise.json"), p.read("n2/noise.json"));
}

#[test]
fn the_schema_describes_every_key_of_a_cassette() {
    let (p, _) = recorded(Mock::start(troubles), "", &[]);
    let schema: Value = serde_json::from_str(include_str!("../../../schemas/cassette.schema.json")).unwrap();
    let keys = |def: &Value| -> Vec<String> { def["properties"].as_object().unwrap().keys().cloned().collect() };
    let check = |value: &Value, def: &Value, what: &str| {
        let known = keys(def);
        let object = value.as_object().unwrap();
        assert!(object.keys().all(|k| known.contains(k)), "{what}: {object:?} and {known:?}");
        for need in def["required"].as_array().unwrap() {
            assert!(object.contains_key(need.as_str().unwrap()), "{what} lacks {need}");
        }
    };
    let defs = &schema["$defs"];
    let mut ends = std::collections::BTreeSet::new();
    for (i, line) in lines(&p, "tapes/cand.jsonl").iter().enumerate() {
        if i == 0 {
            check(line, &defs["header"], "header");
            continue;
        }
        check(line, &defs["exchange"], "exchange");
        check(&line["request"], &defs["request"], "request");
        check(&line["end"], &defs["end"], "end");
        if let Some(reply) = line.get("reply") {
            check(reply, &defs["reply"], "reply");
        }
        ends.insert(line["end"]["kind"].as_str().unwrap().to_owned());
    }
    let known = defs["end"]["properties"]["kind"]["enum"].as_array().unwrap();
    assert!(ends.iter().all(|e| known.contains(&Value::from(e.as_str()))), "{ends:?}");
}

#[test]
fn a_token_that_was_taken_back_is_replayed_and_nothing_of_its_service_is_recorded() {
    let mock = Mock::start(|a| {
        let by = |token: &str| a.headers.get("authorization").is_some_and(|h| h.ends_with(token));
        match a.path.starts_with("/openai/") {
            false => {
                let token = if a.nth == 0 { TOKENS[0] } else { TOKENS[1] };
                let body = json!({"token_type": "Bearer", "expires_in": 3600, "access_token": token}).to_string();
                Reply::Status(200, vec![("content-type", "application/json".into())], body)
            }
            true if by(TOKENS[0]) && a.question == "fox" => status(401, &format!("{{\"message\": \"{}\"}}", TOKENS[0])),
            // A token that nobody has been given is nobody's secret yet.
            true => answer(&format!("x {}", a.headers["authorization"])),
        }
    });
    let p = Project::new();
    let target = |name: &str, prompt: &str| {
        format!(
            "[target.{name}]\nkind = \"azure-openai\"\nendpoint = \"{url}\"\ndeployment = \"{name}\"\nprompt = \"{prompt}\"\n\
             identity = \"client-secret\"\nauthority = \"{url}\"\n",
            url = mock.url()
        )
    };
    p.write("goldgate.toml", target("base", "long") + &target("cand", "short"));
    let variables =
        [("AZURE_TENANT_ID", "contoso.example"), ("AZURE_CLIENT_ID", "an-app"), ("AZURE_CLIENT_SECRET", TOKENS[2])];
    let out = p.run_with(&RECORD, &variables);
    assert!(mock.asked().iter().any(|a| a.headers.get("authorization").is_some_and(|h| h.ends_with(TOKENS[1]))));
    drop(mock);
    let kept = p.read("tapes/base.jsonl") + &p.read("tapes/cand.jsonl");
    assert!(kept.contains("\"status\":401") && !kept.contains("oauth2"), "questions only");
    assert_replays(&p, out.code);
}

#[test]
fn forms_calls_and_probabilities_are_replayed_and_so_are_the_probes_that_look_for_them() {
    let sse = |text: &'static str| {
        Reply::Status(200, vec![("content-type", "text/event-stream; charset=utf-8".into())], text.to_owned())
    };
    let mock = Mock::start(move |a| match a.question.as_str() {
        "fox" => sse(include_str!("../../fixtures/azure/stream_tools.sse")),
        "lazy" => sse(include_str!("../../fixtures/azure/stream_logprobs.sse")),
        _ => answer("{\"z\": \"x\"}"),
    });
    let p = project(&mock, "");
    let asked = "[[ask]]\nresponse-format = \"ticket.json\"\ntools = \"tools.json\"\ntool-choice = \"auto\"\nlogprobs = 2\n[prompt.long]";
    p.edit("suites/mini/suite.toml", "[prompt.long]", asked);
    p.write("suites/mini/ticket.json", r#"{"type": "object", "properties": {"z": {"type": "string"}}}"#);
    p.write(
        "suites/mini/tools.json",
        r#"[{"type": "function", "function": {"name": "lookup_order", "parameters": {"type": "object", "properties": {}}}}, {"type": "function", "function": {"name": "refund"}}]"#,
    );
    let out = with_key(&p, &RECORD);
    drop(mock);
    let journal = p.read("r/journal.jsonl");
    for kept in ["\"tool-calls\":[", "\"logprobs\":["] {
        assert!(journal.contains(kept), "no answer has {kept}: {out:?}");
    }
    let probes: Vec<(Value, Value)> = lines(&p, "tapes/base.jsonl")
        .into_iter()
        .filter(|l| l.get("probe").is_some())
        .map(|l| (l["probe"].clone(), l["repeat"].clone()))
        .collect();
    assert_eq!(probes, [("before", 0), ("before", 1), ("after", 0)].map(|(when, n)| (when.into(), n.into())));
    assert_eq!(lines(&p, "r/probes.jsonl").len(), 6);
    assert_replays(&p, out.code);
    p.edit("suites/mini/tools.json", "lookup_order", "look_up");
    let out = p.run(&["gate", "suites/mini", "--run-dir", "other", "--replay", "tapes"]);
    assert_eq!(out.code, 4, "{out:?}");
    assert!(out.stderr.contains("/tools/0/function/name` was `"), "{out:?}");
}

#[test]
fn a_run_without_probes_is_replayed_without_any() {
    let (p, out) = recorded(Mock::start(|_| answer("x")), "", &["--no-probe"]);
    assert_eq!(out.code, 0, "{out:?}");
    let replay = p.run(&REPLAY);
    assert_eq!(replay.code, 3, "{replay:?}");
    assert_eq!(p.read("r/journal.jsonl"), p.read("again/journal.jsonl"));
    assert_eq!(p.read("r/verdict.json"), p.read("again/recomputed.json"));
    for run in ["r", "again"] {
        assert!(!p.path(&format!("{run}/probes.jsonl")).exists());
        let manifest: Value = serde_json::from_str(&p.read(&format!("{run}/run.json"))).unwrap();
        assert_eq!(manifest["unprobed"], true);
    }
    assert_eq!(lines(&p, "tapes/base.jsonl")[0]["unprobed"], true);
}

#[test]
fn a_region_that_was_gone_is_gone_in_the_replay_too() {
    // An address of this machine at which nobody listens, from the moment at which the listener is dropped.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mock = Mock::start(|a| match (a.question.as_str(), a.nth) {
        ("fox", 0) => status(503, ""),
        ("lazy", 0) => Reply::Cut,
        _ => answer("x"),
    });
    for j in ["1", "4"] {
        let p = project(&mock, &format!("failover = [{{ address = \"{}/v1\" }}]\n", mock.url()));
        // The first of the two is gone.
        let first = format!("base-url = \"{}/v1\"", mock.url());
        p.write(
            "goldgate.toml",
            p.read("goldgate.toml").replace(&first, &format!("base-url = \"http://{nobody}/v1\"")),
        );
        let out = with_key(&p, &[&RECORD[..], &["-j", j]].concat());
        assert!(p.read("r/journal.jsonl").contains("\"failover\":true"), "{out:?}");
        let ends: Vec<String> = lines(&p, "tapes/cand.jsonl")
            .iter()
            .skip(1)
            .map(|l| l["end"]["kind"].as_str().unwrap().to_owned())
            .collect();
        assert!(ends.contains(&"unreachable".to_owned()) && ends.contains(&"whole".to_owned()), "{ends:?}");
        assert_replays(&p, out.code);
    }
}

#[test]
fn deadlines_within_an_attempt_are_replayed_without_waiting_for_them() {
    let mock = Mock::start(|a| match (a.question.as_str(), a.nth) {
        ("fox", 0) => Reply::Hang,
        ("lazy", 0) => {
            let head = vec![("content-type", "text/event-stream".to_owned()), ("connection", "close".to_owned())];
            Reply::Acts(vec![
                Act::Head(200, head),
                Act::Send(b"data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"x\"}}]}\n\n".to_vec()),
                Act::Pause(std::time::Duration::from_millis(1_500)),
            ])
        }
        ("dog", _) => Reply::Status(
            200,
            vec![("content-encoding", "gzip".into()), ("content-type", "application/json".into())],
            "x".to_owned(),
        ),
        _ => answer("x"),
    });
    let (p, out) = recorded(mock, "first-byte-seconds = 1\nidle-seconds = 1\nattempts = 2\n", &["-j", "8"]);
    let kept = p.read("tapes/cand.jsonl");
    for said in [
        "no byte of a reply within 1 s",
        "nothing came for 1 s in the middle of the reply",
        "\"content-encoding\":\"gzip\"",
    ] {
        assert!(kept.contains(said), "`{said}` is in no exchange");
    }
    assert_replays(&p, out.code);
}

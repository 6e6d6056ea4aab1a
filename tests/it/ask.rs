//! What a suite asks of its answers beside a text, from `suite.toml` over the wire into the journal and the scores.

use crate::mock::{Asked, Mock, Reply, answer};
use crate::project::{CASES, Outcome, Project, assert_hidden};
use serde_json::{Value, json};

const KEY: &str = "sk-canary-4fQ9zT7wLk2XbN8sVd3R";
const GATE: [&str; 4] = ["gate", "suites/mini", "--run-dir", "r"];
/// A question of some cases and of no others.
const FOX: &str = "fox";

/// A project whose cases ask for all that there is; `more` goes to both targets.
fn project(mock: &Mock, more: &str) -> Project {
    let p = Project::of_models(&mock.url(), ["base", "cand"], more);
    ask(&p, "response-format = \"ticket.json\"\ntools = \"tools.json\"\ntool-choice = \"auto\"\nlogprobs = 2\n");
    p
}

/// Lets the suite ask something of every answer.
fn ask(p: &Project, what: &str) {
    p.edit("suites/mini/suite.toml", "[prompt.long]", &format!("[[ask]]\n{what}\n[prompt.long]"));
    p.write("suites/mini/ticket.json", r#"{"type": "object", "properties": {"z": {"type": "string"}, "a": {}}}"#);
    p.write(
        "suites/mini/tools.json",
        r#"[{"type": "function", "function": {"name": "lookup_order", "parameters": {"type": "object", "properties": {}}}}, {"type": "function", "function": {"name": "refund"}}]"#,
    );
}

fn run(p: &Project, args: &[&str]) -> Outcome {
    let out = p.run_with(args, &[("MOCK_KEY", KEY)]);
    assert_hidden(p, &out, [KEY]);
    out
}

fn lines(p: &Project, name: &str) -> Vec<Value> {
    p.read(name).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn stream(text: &'static str) -> Reply {
    Reply::Status(200, vec![("content-type", "text/event-stream; charset=utf-8".into())], text.to_owned())
}

/// A script for the candidate's [`FOX`]; everything else is answered with a text.
fn on_fox(fox: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Mock {
    Mock::start(move |a| if a.question == FOX && a.body["model"] == "cand" { fox(a) } else { answer("x") })
}

/// The candidate's lines of a file for [`FOX`].
fn of_fox(p: &Project, name: &str) -> Vec<Value> {
    let foxes: Vec<Value> = lines(p, "suites/mini/cases.jsonl")
        .into_iter()
        .filter(|c| c["vars"]["q"] == FOX)
        .map(|c| c["id"].clone())
        .collect();
    let lines: Vec<Value> =
        lines(p, name).into_iter().filter(|l| l["target"] == "cand" && foxes.contains(&l["case"])).collect();
    assert_eq!((lines.len(), foxes.is_empty()), (foxes.len(), false));
    lines
}

#[test]
fn a_tool_call_is_an_answer_that_no_scorer_of_texts_takes_for_right() {
    for (protocol, tools) in [
        ("", include_str!("../fixtures/azure/stream_tools.sse")),
        ("protocol = \"responses\"\n", include_str!("../fixtures/azure/responses_stream_tools.sse")),
    ] {
        let text = include_str!("../fixtures/azure/responses_stream.sse");
        let responses = !protocol.is_empty();
        let mock = Mock::start(move |a| match a.question == FOX && a.body["model"] == "cand" {
            true => stream(tools),
            false if responses => stream(text),
            false => answer("x"),
        });
        let p = project(&mock, protocol);
        // One model answers all of them.
        let out = run(&p, &["run", "suites/mini", "--run-dir", "r", "--policy", "suites/mini/policy.toml"]);
        assert_eq!(out.code, 0, "{out:?}");
        for a in mock.asked() {
            assert_eq!(a.body["tool_choice"], "auto");
            assert_eq!(a.body["top_logprobs"], 2);
            assert!(if responses { a.body.get("text") } else { a.body.get("response_format") }.is_some());
        }
        let calls = json!([
            {"name": "lookup_order", "arguments": "{\"order_id\":\"Größe\"}"},
            {"name": "refund", "arguments": "{}"},
        ]);
        for record in of_fox(&p, "r/journal.jsonl") {
            let r = &record["result"]["response"];
            assert_eq!((&r["text"], &r["finish"], &r["tool-calls"]), (&"".into(), &"tool-calls".into(), &calls));
            assert!(r["timing"]["first-token-us"].as_u64().unwrap() > 0 && r.get("logprobs").is_none(), "{r}");
        }
        for row in of_fox(&p, "r/results.jsonl") {
            assert_eq!((&row["outcome"], &row["tool-calls"]), (&"answered".into(), &calls));
            let scores = &row["scores"];
            assert_eq!((&scores["accuracy"], &scores["leak"]), (&Value::Null, &Value::Null), "{row}");
            assert_eq!(scores["completion-tokens"], 21.0);
        }
        let others = lines(&p, "r/results.jsonl").into_iter().filter(|r| r.get("tool-calls").is_none());
        assert_eq!(others.count() + of_fox(&p, "r/results.jsonl").len(), 2 * CASES);
        let out = run(&p, &["gate", "r"]);
        let verdict: Value = serde_json::from_str(&p.read("r/verdict.json")).unwrap();
        let leak = &verdict["verdicts"][0]["findings"][1];
        assert_eq!((&leak["criterion"]["id"], &leak["status"]), (&"leak".into(), &"unproven".into()), "{out:?}");
        assert!(p.read("r/report.html").contains("[calls lookup_order]"), "and a person sees what it was");
    }
}

#[test]
fn probabilities_are_recorded_with_the_answer_as_many_as_were_asked_for() {
    let mock = on_fox(|_| stream(include_str!("../fixtures/azure/stream_logprobs.sse")));
    let p = project(&mock, "");
    ask_one(&p);
    run(&p, &GATE);
    for record in of_fox(&p, "r/journal.jsonl") {
        let want = json!([
            {"token": "Ref", "logprob": -0.25, "top": [{"token": "Ref", "logprob": -0.25}]},
            {"token": "und", "logprob": -0.125, "top": [{"token": "und", "logprob": -0.125}]},
        ]);
        assert_eq!(
            (&record["result"]["response"]["logprobs"], &record["result"]["response"]["text"]),
            (&want, &"Refund".into())
        );
    }
    assert!(mock.asked().iter().all(|a| a.body["top_logprobs"] == 1 && a.body.get("tools").is_none()));

    // A suite that asks for nothing keeps nothing, whatever comes.
    let p = project(&mock, "");
    p.write("suites/mini/suite.toml", crate::project::SUITE);
    run(&p, &GATE);
    assert!(of_fox(&p, "r/journal.jsonl").iter().all(|r| r["result"]["response"].get("logprobs").is_none()));
}

/// One alternative at each token, and nothing else.
fn ask_one(p: &Project) {
    p.write("suites/mini/suite.toml", crate::project::SUITE);
    ask(p, "logprobs = 1\n");
}

#[test]
fn a_tool_that_nobody_offered_is_no_answer() {
    let mock = on_fox(|_| stream(include_str!("../fixtures/azure/stream_tools.sse")));
    let p = project(&mock, "");
    ask_one(&p);
    assert_eq!(run(&p, &GATE).code, 3);
    for record in of_fox(&p, "r/journal.jsonl") {
        let failure = &record["result"]["failure"];
        assert_eq!(failure["kind"], "broken");
        assert_eq!(failure["message"], "the model called a tool, and it was offered none");
    }
}

#[test]
fn a_key_stays_out_of_calls_and_of_tokens_that_spell_it() {
    let half = KEY.len() / 2;
    let token = |t: &str| json!({"token": t, "logprob": -1, "top_logprobs": []});
    let body = json!({"choices": [{
        "finish_reason": "tool_calls",
        "logprobs": {"content": [token(&KEY[..half]), token(&KEY[half..])]},
        "message": {"content": KEY, "tool_calls": [{"function": {"name": "refund", "arguments": format!("{{\"k\": \"{KEY}\"}}")}}]},
    }]});
    let mock = on_fox(move |_| Reply::Status(200, vec![("content-type", "application/json".into())], body.to_string()));
    let p = project(&mock, "");
    run(&p, &GATE);
    for record in of_fox(&p, "r/journal.jsonl") {
        let r = &record["result"]["response"];
        assert_eq!(r["tool-calls"][0]["arguments"], "{\"k\": \"[key withheld]\"}");
        assert!(r.get("logprobs").is_none(), "{r}");
    }
}

#[test]
fn who_can_give_only_texts_is_asked_for_nothing_else() {
    let local = Project::new();
    ask(&local, "tools = \"tools.json\"\n");
    let out = local.run(&GATE);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("asks for `tools`, which target `base` cannot give"), "{}", out.stderr);
    assert!(!local.path("r").exists());
    assert_eq!(local.run(&["validate", "suites/mini", "--targets"]).code, 2);

    let mock = Mock::start(|_| answer("x"));
    let p = Project::new();
    ask(&p, "logprobs = 3\n");
    let target = |name: &str, prompt: &str| {
        format!(
            "[target.{name}]\nkind = \"azure-ml\"\nendpoint = \"{}\"\ndeployment = \"{name}\"\napi-key-env = \"MOCK_KEY\"\nprompt = \"{prompt}\"\n\
             request = '{{\"messages\": {{{{ messages }}}}}}'\nresponse = {{ text = \"/output\" }}\n",
            mock.url()
        )
    };
    p.write("goldgate.toml", target("base", "long") + &target("cand", "short"));
    let out = run(&p, &GATE);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("asks for `logprobs`, which target `base` cannot give"), "{}", out.stderr);
    assert!(mock.asked().is_empty());
}

//! Probes of remote targets, before the first question and after the last, against a server that can, cannot, refuses or changes.

use crate::mock::{Asked, MODEL, Mock, Reply, answer, capable, status};
use crate::project::{CASES, Outcome, Project, assert_hidden};
use crate::quota::Quota;
use serde_json::{Value, json};
use std::sync::Arc;

const KEY: &str = "sk-canary-4fQ9zT7wLk2XbN8sVd3R";
const GATE: [&str; 4] = ["gate", "suites/mini", "--run-dir", "r"];
const RUN: [&str; 4] = ["run", "suites/mini", "--run-dir", "r"];

/// A project whose baseline and candidate are two models of one server; `more` goes to both.
fn project(mock: &Mock, more: &str) -> Project {
    Project::of_models(&mock.url(), ["base", "cand"], more)
}

/// A project whose suite asks something of every answer.
fn asking(mock: &Mock, what: &str, more: &str) -> Project {
    let p = project(mock, more);
    p.edit("suites/mini/suite.toml", "[prompt.long]", &format!("[[ask]]\n{what}\n[prompt.long]"));
    p.write("suites/mini/ticket.json", r#"{"type": "object"}"#);
    p.write("suites/mini/tools.json", r#"[{"type": "function", "function": {"name": "look"}}]"#);
    p
}

const ALL: &str = "response-format = \"ticket.json\"\ntools = \"tools.json\"\nlogprobs = 3\n";

fn run(p: &Project, args: &[&str]) -> Outcome {
    let out = p.run_with(args, &[("MOCK_KEY", KEY)]);
    assert_hidden(p, &out, [KEY]);
    out
}

fn lines(p: &Project, name: &str) -> Vec<Value> {
    p.read(name).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn manifest(p: &Project) -> Value {
    serde_json::from_str(&p.read("r/run.json")).unwrap()
}

/// When and whom each recorded probe asked, and for what.
fn recorded(p: &Project) -> Vec<(String, String, Value)> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    lines(p, "r/probes.jsonl").iter().map(|r| (text(&r["when"]), text(&r["target"]), r["asked"].clone())).collect()
}

/// An answer in one piece by a model with a fingerprint, with as many tokens counted as its prompt has words, or none.
fn by(a: &Asked, model: &str, fingerprint: &str, counted: bool) -> Reply {
    let mut body = json!({"model": model, "system_fingerprint": fingerprint,
        "choices": [{"finish_reason": "stop", "message": {"content": "x"}}]});
    if counted {
        body["usage"] = json!({"prompt_tokens": a.words(), "completion_tokens": 2});
    }
    Reply::Status(200, vec![("content-type", "application/json".into())], body.to_string())
}

#[test]
fn each_target_shows_what_is_needed_before_the_first_question_and_who_it_is_after_the_last() {
    for protocol in ["", "protocol = \"responses\"\n"] {
        let mock =
            Mock::start_probed(|a| if a.probe || a.path.contains("/responses") { capable(a) } else { answer("x") });
        let p = asking(&mock, ALL, protocol);
        let out = run(&p, &RUN);
        assert_eq!((out.code, mock.asked().len()), (0, 2 * CASES), "{out:?}");
        let want = |when: &str, who: &str, asked: Value| (when.to_owned(), who.to_owned(), asked);
        let all = [
            want("before", "base", json!(["response-format", "logprobs"])),
            want("before", "base", json!(["tools"])),
            want("before", "cand", json!(["response-format", "logprobs"])),
            want("before", "cand", json!(["tools"])),
            want("after", "base", Value::Null),
            want("after", "cand", Value::Null),
        ];
        assert_eq!(recorded(&p), all);
        for probe in lines(&p, "r/probes.jsonl") {
            assert_eq!(probe["result"]["response"]["served"]["model"], MODEL);
        }
        let probes = mock.probes();
        assert!(probes.iter().all(|a| a.headers["authorization"] == format!("Bearer {KEY}")));
        let choice: Vec<&Value> = probes.iter().filter_map(|a| a.body.get("tool_choice")).collect();
        assert_eq!(choice, ["required", "required"]);
        assert_eq!(lines(&p, "r/journal.jsonl").len(), 2 * CASES, "a probe is no trial");
        assert!(manifest(&p).get("unprobed").is_none());
        assert!(!p.read("r/results.jsonl").contains("north-star"));
        assert_eq!((run(&p, &RUN).code, mock.probes().len()), (0, 6), "a complete run probes nobody");
    }
    // A suite that asks for texts probes too: for who answers. One target in two roles is probed once.
    let mock = Mock::start(|_| answer("x"));
    let p = project(&mock, "");
    assert_eq!(run(&p, &[&RUN[..], &["--candidate", "base"]].concat()).code, 0);
    let when: Vec<_> = recorded(&p).into_iter().map(|(when, who, _)| (when, who)).collect();
    assert_eq!(when, [("before".to_owned(), "base".to_owned()), ("after".to_owned(), "base".to_owned())]);
    assert!(mock.probes().iter().all(|a| a.body["max_tokens"] == 24));
}

#[test]
fn who_is_being_probed_is_said_before_the_answer() {
    let mock = Mock::start_probed(|_| Reply::Hang);
    let p = project(&mock, "timeout-seconds = 1\nattempts = 1\n");
    let out = run(&p, &RUN);
    assert_eq!((out.code, mock.probes().len()), (4, 1), "{out:?}");
    assert!(out.stderr.contains("goldgate: probing `base`\n"), "{}", out.stderr);
    assert!(!out.stderr.contains("probing `cand`"), "it was not its turn: {}", out.stderr);
    assert!(!run(&p, &[&RUN[..], &["--quiet"]].concat()).stderr.contains("probing"));

    let mock = Mock::start(|_| answer("x"));
    let out = run(&project(&mock, ""), &RUN);
    let notes: Vec<&str> = out.stderr.lines().filter(|l| l.contains("probing")).collect();
    assert_eq!(notes, ["base", "cand", "base", "cand"].map(|t| format!("goldgate: probing `{t}`")), "before and after");
}

#[test]
fn what_a_server_leaves_out_without_a_word_stops_the_run_before_the_suite() {
    let few = |a: &Asked| {
        let mut fewer = a.clone();
        fewer.body["top_logprobs"] = json!(1);
        capable(&fewer)
    };
    type Server = fn(&Asked) -> Reply;
    let cases: [(&str, Server, &str, &str); 6] = [
        (
            "response-format = \"ticket.json\"\n",
            |_| answer("yes"),
            "`response-format`",
            "does not fit the probe's JSON schema: `yes`",
        ),
        ("tools = \"tools.json\"\n", |_| answer("yes"), "`tools`", "does not call the tool that it had to call"),
        ("logprobs = 3\n", |_| answer("yes"), "`logprobs`", "came without them"),
        ("logprobs = 3\n", few, "`logprobs`", "1 alternatives came at each token, and 3 were asked for"),
        (
            "response-format = \"ticket.json\"\n",
            |_| Reply::Ended { text: "{".into(), reason: "length" },
            "`response-format`",
            "the token limit cut the probe's answer of at most 64 tokens",
        ),
        ("logprobs = 0\n", |a| by(a, "m", "f", false), "`logprobs`", "came without them"),
    ];
    for (what, server, capability, why) in cases {
        // The baseline's server can do everything.
        let mock = Mock::start_probed(move |a| if a.body["model"] == "cand" { server(a) } else { capable(a) });
        let p = asking(&mock, what, "");
        let out = run(&p, &GATE);
        assert_eq!(out.code, 4, "{what}: {out:?}");
        for want in
            [&format!("target `cand` does not give {capability}"), why, "ask a server that gives it", "`--no-probe`"]
        {
            assert!(out.stderr.contains(want), "{what}: no {want} in {}", out.stderr);
        }
        assert!(mock.asked().is_empty(), "nothing of the suite was asked");
        assert_eq!(recorded(&p).len(), 2, "what it took to learn it is recorded");
    }
}

#[test]
fn a_server_that_counts_no_tokens_is_refused_where_somebody_reckons_with_them() {
    let silent = || Mock::start_probed(|a| by(a, "m", "f", false));
    let mock = silent();
    let p = project(&mock, "price = { input = 1, output = 4 }\n");
    let out = run(&p, &GATE);
    assert_eq!((out.code, mock.asked().len()), (4, 0), "the policy has a criterion on tokens: {out:?}");
    assert!(out.stderr.contains("target `base` does not give `usage`"), "{}", out.stderr);

    let p = project(&mock, "price = { input = 1, output = 4 }\n");
    let policy = p.read("suites/mini/policy.toml");
    let (head, tail) = (policy.find("[[criterion]]").unwrap(), policy.rfind("[[criterion]]").unwrap());
    p.write("suites/mini/policy.toml", format!("{}{}", &policy[..head], &policy[tail..]));
    assert_eq!(run(&p, &[&RUN[..], &["--max-cost", "1"]].concat()).code, 4, "and so has the cap");
    assert!(mock.asked().is_empty());
    let p2 = project(&mock, "");
    p2.write("suites/mini/policy.toml", p.read("suites/mini/policy.toml"));
    assert_eq!(run(&p2, &RUN).code, 0, "nobody else needs the count");
}

#[test]
fn what_a_server_refuses_is_named_whatever_its_words() {
    let refusal = |param: &str, message: &str| {
        json!({"error": {"code": "unsupported_parameter", "param": param, "message": message}}).to_string()
    };
    for (what, code, body, want) in [
        (
            "logprobs = 2\n",
            400,
            refusal("logprobs", "'logprobs' is not supported with this model"),
            "does not give `logprobs`",
        ),
        (
            "response-format = \"ticket.json\"\nlogprobs = 2\n",
            400,
            refusal("response_format", "Invalid parameter: 'response_format' of type 'json_schema' is not supported"),
            "does not give `response-format`, which this run needs",
        ),
        (
            "tools = \"tools.json\"\n",
            400,
            refusal("", "\"auto\" tool choice requires --enable-auto-tool-choice"),
            "does not give `tools`",
        ),
        (
            "logprobs = 2\n",
            422,
            "{\"detail\":\"Unexpected fields in the request: seed\"}".to_owned(),
            "does not give `seed`",
        ),
        (
            "response-format = \"ticket.json\"\nlogprobs = 2\n",
            400,
            refusal("", "no"),
            "its probe, which asked for `response-format`, `logprobs`, failed: HTTP 400",
        ),
        (
            "logprobs = 2\n",
            404,
            "{\"error\":{\"message\":\"no such model\"}}".to_owned(),
            "failed: HTTP 404: no such model",
        ),
        // Words alone prove nothing: of a form that is not taken speak 400 and 422 only.
        (
            "tools = \"tools.json\"\n",
            401,
            "{\"error\":{\"message\":\"the toolbox gateway does not know this key\"}}".to_owned(),
            "its probe, which asked for `tools`, failed: HTTP 401: the toolbox gateway",
        ),
        (
            "tools = \"tools.json\"\n",
            418,
            "{\"error\":{\"message\":\"the toolbox gateway is a teapot\"}}".to_owned(),
            "its probe, which asked for `tools`, failed: HTTP 418: the toolbox gateway",
        ),
    ] {
        let mock = Mock::start_probed(move |_| status(code, &body));
        let p = asking(&mock, what, "");
        let out = run(&p, &GATE);
        assert_eq!((out.code, mock.asked().len(), mock.probes().len()), (4, 0, 1), "{out:?}");
        assert!(out.stderr.contains(want) && out.stderr.contains("`base`"), "no {want} in {}", out.stderr);
    }
}

#[test]
fn a_model_that_is_exchanged_behind_the_last_answer_leaves_the_verdict_undecided() {
    // The second probe of a model comes after its last question.
    let mock = Mock::start_probed(|a| {
        let exchanged = a.probe && a.nth == 1 && a.body["model"] == "cand";
        by(a, if exchanged { "m-2" } else { "m-1" }, "fp", true)
    });
    let p = project(&mock, "");
    let out = run(&p, &GATE);
    assert_eq!(out.code, 3, "{out:?}");
    let verdict: Value = serde_json::from_str(&p.read("r/verdict.json")).unwrap();
    let obstacles = &verdict["verdicts"][0]["obstacles"];
    assert_eq!(*obstacles, json!(["the model behind `cand` changed during the run: `m-1`, then `m-2`"]));

    // A fingerprint or a region is no model: told, and no obstacle.
    let mock = Mock::start_probed(|a| by(a, "m-1", if a.probe && a.nth == 1 { "fp_2" } else { "fp_1" }, true));
    let p = project(&mock, "");
    let out = run(&p, &GATE);
    assert_eq!(out.code, 0, "{out:?}");
    assert!(
        out.stderr.contains("the fingerprint of `cand` was `fp_1` before the run and is `fp_2` after it"),
        "{}",
        out.stderr
    );
    let verdict: Value = serde_json::from_str(&p.read("r/verdict.json")).unwrap();
    assert_eq!(verdict["verdicts"][0]["obstacles"], json!([]));
    // What was found stays found: the probes are sealed with the answers.
    p.edit("r/probes.jsonl", "fp_2", "fp_1");
    let out = run(&p, &["gate", "r"]);
    assert_eq!(out.code, 5, "{out:?}");
    assert!(out.stderr.contains("probes.jsonl"), "{}", out.stderr);
    std::fs::remove_file(p.path("r/probes.jsonl")).unwrap();
    assert_eq!(run(&p, &["gate", "r"]).code, 5);
}

#[test]
fn a_run_that_goes_on_probes_again_and_one_whose_last_probe_fails_is_not_sealed() {
    let mock = Mock::start_probed(|a| match (a.probe, a.nth) {
        (false, 0) if a.question == "fox" && a.body["model"] == "cand" => status(401, ""),
        // Before; before again; after, which fails; after again.
        (true, 2) if a.body["model"] == "cand" => status(404, ""),
        _ => answer("x"),
    });
    let p = project(&mock, "");
    assert_eq!(run(&p, &RUN).code, 4);
    let out = run(&p, &RUN);
    assert_eq!(out.code, 4, "{out:?}");
    assert!(out.stderr.contains("`cand` is asked no more: its probe failed: HTTP 404"), "{}", out.stderr);
    assert!(!p.path("r/seal.json").exists());
    let (asked, all) = (mock.asked().len(), lines(&p, "r/journal.jsonl").len());
    assert_eq!((asked, all), (2 * CASES + 1, 2 * CASES));
    assert_eq!(run(&p, &RUN).code, 0);
    assert_eq!(mock.asked().len(), asked, "every answer was there");
    let when: Vec<_> = recorded(&p).into_iter().map(|(when, who, _)| format!("{when} {who}")).collect();
    let want = [
        "before base",
        "before cand",
        "before base",
        "before cand",
        "after base",
        "after cand",
        "after base",
        "after cand",
    ];
    assert_eq!(when, want);
}

#[test]
fn probes_are_paid_for_under_the_cap_and_keep_the_limits() {
    let price = "price = { input = 1, output = 4 }\n";
    let mock = Mock::start(|_| answer("x"));
    let p = project(&mock, price);
    let cap = |usd: &'static str| [&RUN[..], &["--max-cost", usd]].concat();
    let out = run(&p, &cap("0.0001"));
    assert_eq!(out.code, 4, "{out:?}");
    assert!(out.stderr.contains("`--max-cost`") && out.stderr.contains("its probe failed"), "{}", out.stderr);
    assert!(mock.probes().is_empty() && mock.asked().is_empty(), "it could cost more than that");
    assert_eq!(run(&p, &cap("1")).code, 0);

    // The cap is the run's: probes of earlier sittings are paid for.
    let mock = Mock::start(|_| status(401, ""));
    let p = project(&mock, price);
    let mut sittings = 0;
    while sittings < 40 && run(&p, &cap("0.0006")).stderr.contains("HTTP 401") {
        sittings += 1;
    }
    let spent = mock.probes().len() as f64 * (4.0 + 4.0 * 2.0) / 1e6;
    assert!((5..40).contains(&sittings) && spent <= 0.0006, "{sittings} sittings, US$ {spent}");

    let quota = Arc::new(Quota::new(120.0, f64::INFINITY));
    let counted = Arc::clone(&quota);
    let mock = Mock::start_probed(move |a| counted.ask(a));
    let p = project(&mock, "limits = { requests-per-minute = 120 }\n");
    p.edit("goldgate.toml", "model = \"cand\"", "model = \"base\"");
    let cases = p.read("suites/mini/cases.jsonl");
    p.write("suites/mini/cases.jsonl", cases.lines().take(1).map(|l| format!("{l}\n")).collect::<String>());
    assert_eq!(run(&p, &RUN).code, 0);
    assert_eq!((quota.arrivals().len(), quota.violations()), (2 + 2 + 2, 0), "{:?}", quota.arrivals());
}

#[test]
fn probes_can_be_switched_off_and_the_run_says_so() {
    let mock = Mock::start_probed(|_| answer("x"));
    let p = asking(&mock, "logprobs = 3\n", "");
    let off = [&GATE[..], &["--no-probe"]].concat();
    let out = run(&p, &off);
    assert_eq!((mock.probes().len(), mock.asked().len()), (0, 2 * CASES), "{out:?}");
    assert_eq!(manifest(&p)["unprobed"], true);
    assert!(!p.path("r/probes.jsonl").exists());
    let out = run(&p, &GATE);
    assert_eq!(out.code, 5, "{out:?}");
    assert!(out.stderr.contains("probes of remote targets: off in the run, on now"), "{}", out.stderr);
    assert_eq!(run(&p, &["gate", "r", "--no-probe"]).code, 2);

    let local = Project::new();
    local.run(&off);
    assert!(manifest(&local).get("unprobed").is_none() && !local.path("r/probes.jsonl").exists(), "nobody to probe");
}

#[test]
fn a_key_that_comes_back_in_a_probe_stays_out() {
    let mock = Mock::start_probed(|a| match a.probe {
        true => {
            let mut body = json!({"model": KEY, "system_fingerprint": KEY, "choices": [{"finish_reason": "stop",
                "message": {"content": KEY}}]});
            body["usage"] = json!({"prompt_tokens": 3, "completion_tokens": 2});
            let headers = vec![("content-type", "application/json".into()), ("x-ms-region", KEY.into())];
            Reply::Status(200, headers, body.to_string())
        }
        false => answer("x"),
    });
    let p = project(&mock, "");
    run(&p, &GATE);
    assert_eq!(lines(&p, "r/probes.jsonl")[0]["result"]["response"]["text"], "[key withheld]");
    let mock = Mock::start_probed(|_| status(400, &format!("{{\"error\":{{\"message\":\"logprobs {KEY}\"}}}}")));
    let p = asking(&mock, "logprobs = 3\n", "");
    let out = run(&p, &GATE);
    assert!(out.code == 4 && out.stderr.contains("[key withheld]"), "{out:?}");
    let out = run(&p, &["doctor", "--probe", "--suite", "suites/mini"]);
    assert_eq!(out.code, 4, "{out:?}");
}

#[test]
fn doctor_looks_whether_the_targets_give_what_a_suite_asks_for() {
    let mock = Mock::start_probed(|a| if a.body["model"] == "cand" { answer("yes") } else { capable(a) });
    let p = asking(&mock, ALL, "");
    let out = run(&p, &["doctor", "--probe", "--suite", "suites/mini", "--json"]);
    assert_eq!(out.code, 4, "{out:?}");
    let json: Value = serde_json::from_str(&out.stdout).unwrap();
    let [base, cand] = &json["targets"].as_array().unwrap()[..] else { panic!("{json}") };
    assert_eq!(
        (&base["ok"], &base["answer"]["gives"]),
        (&json!(true), &json!(["response-format", "logprobs", "tools"]))
    );
    let trouble = cand["trouble"].as_str().unwrap();
    assert!(cand["ok"] == false && trouble.starts_with("it does not give `response-format`: "), "{trouble}");
    let out = run(&p, &["doctor", "--suite", "suites/mini"]);
    assert_eq!(out.code, 2, "without --probe nobody looks: {out:?}");
}

//! Remote targets, from the project's file to the verdict, against a scripted server.

use crate::mock::{Asked, MODEL, Mock, Reply, answer, status};
use crate::project::{CASES, Outcome, Project, assert_hidden};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const KEY: &str = "sk-canary-4fQ9zT7wLk2XbN8sVd3R";
const GATE: [&str; 4] = ["gate", "suites/mini", "--run-dir", "r"];
/// A question of some cases and of no others.
const FOX: &str = "fox";

/// A project whose baseline and candidate are two models of one server; `more` goes to both.
fn project(mock: &Mock, more: &str) -> Project {
    Project::of_models(&mock.url(), ["big", "small"], more)
}

fn run(p: &Project, args: &[&str]) -> Outcome {
    let out = p.run_with(args, &[("MOCK_KEY", KEY)]);
    assert_hidden(p, &out, [KEY]);
    out
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// The journal's results by case and target.
fn results(p: &Project) -> BTreeMap<(String, String), Value> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    lines(&p.read("r/journal.jsonl"))
        .into_iter()
        .map(|r| ((text(&r["case"]), text(&r["target"])), r["result"].clone()))
        .collect()
}

/// Cases whose question is [`FOX`], in order.
fn foxes(p: &Project) -> Vec<String> {
    let cases = lines(&p.read("suites/mini/cases.jsonl"));
    cases.iter().filter(|c| c["vars"]["q"] == FOX).map(|c| c["id"].as_str().unwrap().to_owned()).collect()
}

fn of_candidate<'a>(results: &'a BTreeMap<(String, String), Value>, case: &str) -> &'a Value {
    &results[&(case.to_owned(), "cand".to_owned())]
}

/// A script for the candidate's [`FOX`]; everything else is answered.
fn on_fox(fox: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Mock {
    Mock::start(move |a| if a.question == FOX && a.body["model"] == "small" { fox(a) } else { answer("x") })
}

#[test]
fn a_suite_on_remote_targets_gets_a_verdict_and_every_answer_its_evidence() {
    let mock = Mock::start(|_| answer("x"));
    let p = project(&mock, "");
    let out = run(&p, &GATE);
    assert_eq!(out.code, 0, "{out:?}");
    let verdict: Value = serde_json::from_str(&p.read("r/verdict.json")).unwrap();
    assert_eq!(verdict["verdicts"][0]["decision"], "promote");

    let asked = mock.asked();
    assert_eq!(asked.len(), 2 * CASES);
    for a in &asked {
        assert_eq!(a.path, "/v1/chat/completions");
        assert_eq!(a.headers["authorization"], format!("Bearer {KEY}"));
        let keys: Vec<&str> = a.body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["max_tokens", "messages", "model", "seed", "stream", "stream_options", "temperature"]);
        assert_eq!(a.body["max_tokens"], 24);
        assert_eq!(a.body["messages"].as_array().unwrap().len(), if a.body["model"] == "big" { 2 } else { 1 });
    }
    let all = results(&p);
    assert_eq!(all.len(), 2 * CASES);
    for ((case, target), result) in &all {
        let r = &result["response"];
        let served = &r["served"];
        assert_eq!((&r["text"], &r["finish"]), (&"x".into(), &"stop".into()), "{case} {target}: {result}");
        assert_eq!((&served["model"], &served["fingerprint"]), (&MODEL.into(), &"fp_1".into()));
        assert_eq!((&served["request"], &served["region"]), (&"r-1".into(), &"Sweden Central".into()));
        assert_eq!(served["attempts"], 1);
        assert_eq!(served["streamed"], true);
        let at = |k: &str| r["timing"][k].as_u64().unwrap();
        assert!(0 < at("first-token-us") && at("first-token-us") <= at("total-us"), "{result}");
    }
    let manifest: Value = serde_json::from_str(&p.read("r/run.json")).unwrap();
    let base = &manifest["targets"][0];
    assert_eq!((&base["kind"], &base["model"]), (&"openai".into(), &"big".into()));
    assert_eq!(base["endpoint"], format!("{}/v1/chat/completions", mock.url()));

    let again = run(&p, &GATE);
    assert_eq!((again.code, mock.asked().len()), (0, 2 * CASES), "a complete run asks nothing: {again:?}");
}

#[test]
fn the_first_token_is_the_model_s_and_the_server_s_thinking_is_in_it() {
    let think = Duration::from_millis(20);
    let mock = on_fox(move |_| Reply::Answer { text: "one two three".into(), think });
    let p = project(&mock, "");
    run(&p, &GATE);
    let all = results(&p);
    for case in foxes(&p) {
        let timing = &of_candidate(&all, &case)["response"]["timing"];
        assert!(timing["first-token-us"].as_u64().unwrap() >= 20_000, "no frame before the answer counts: {timing}");
    }
}

#[test]
fn a_throttled_question_is_asked_again_counted_and_gives_no_times() {
    let mock = on_fox(|a| match a.nth {
        0 => Reply::Status(
            429,
            vec![("retry-after-ms", "30".into())],
            include_str!("../fixtures/azure/err_429_capacity.json").into(),
        ),
        1 => status(503, ""),
        _ => answer("x"),
    });
    let p = project(&mock, "");
    let out = run(&p, &GATE);
    assert_eq!(out.code, 0, "tokens and leaks are judged whatever the times: {out:?}");
    assert_eq!(mock.asked().len(), 2 * CASES + 2);
    let all = results(&p);
    let retried: Vec<_> = all.iter().filter(|(_, r)| r["response"]["served"]["attempts"] != 1).collect();
    assert_eq!(retried.len(), 1, "{retried:?}");
    let ((case, target), result) = retried[0];
    assert!(target == "cand" && foxes(&p).contains(case));
    assert_eq!(result["response"]["served"]["attempts"], 3);
    assert!(result["response"]["served"]["waited-us"].as_u64().unwrap() >= 30_000, "{result}");
    let cases = p.read("r/cases.csv");
    let header: Vec<&str> = cases.lines().next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|h| *h == name).unwrap_or_else(|| panic!("{header:?}"));
    let row = |c: &str| {
        let line = cases.lines().find(|l| l.starts_with(&format!("{c},")) && l.contains(",cand,")).unwrap();
        line.split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    let at = column("total_seconds");
    assert_eq!(row(case)[at], "", "an answer of a later attempt has no latency");
    assert_ne!(row(&foxes(&p)[1])[at], "", "and one of a first attempt has");
}

#[test]
fn every_attempt_is_counted_when_many_questions_are_in_flight() {
    let mock = Mock::start(|a| {
        let busy = a.nth == 0 && !a.question.contains(' ');
        if busy { Reply::Status(429, vec![("retry-after-ms", "20".into())], String::new()) } else { answer("x") }
    });
    let p = project(&mock, "");
    let out = run(&p, &["gate", "suites/mini", "--run-dir", "r", "-j", "8"]);
    assert_eq!(out.code, 0, "{out:?}");
    let all = results(&p);
    let attempts = all.values().map(|r| r["response"]["served"]["attempts"].as_u64().unwrap());
    assert_eq!(attempts.sum::<u64>(), mock.asked().len() as u64);
    assert!(mock.asked().len() > 2 * CASES, "some were turned away");
}

#[test]
fn a_server_that_stays_busy_is_a_failure_of_the_trial() {
    let mock = on_fox(|_| Reply::Status(429, vec![("retry-after", "3600".into())], String::new()));
    let p = project(&mock, "longest-wait-seconds = 0\n");
    let out = run(&p, &GATE);
    assert_eq!(out.code, 3, "{out:?}");
    let all = results(&p);
    for case in foxes(&p) {
        let failure = &of_candidate(&all, &case)["failure"];
        assert_eq!(failure["kind"], "throttled");
        assert!(failure["message"].as_str().unwrap().contains("asks to wait 3600 s"), "{failure}");
        assert_eq!(failure["served"]["attempts"], 1);
    }
    assert_eq!(mock.asked().len(), 2 * CASES, "who is told to wait an hour does not ask again at once");
}

#[test]
fn odd_framing_changes_nothing_and_an_answer_in_one_piece_has_no_first_token() {
    let text = "Größe – „x“ 3,5";
    let mock = on_fox(move |a| match a.nth {
        0 => Reply::Odd { text: text.into() },
        _ => Reply::Whole { text: text.into() },
    });
    let p = project(&mock, "");
    run(&p, &GATE);
    let all = results(&p);
    let mut streamed = BTreeSet::new();
    for case in foxes(&p) {
        let r = &of_candidate(&all, &case)["response"];
        assert_eq!(r["text"], text);
        assert_eq!(r["usage"]["completion"], 5);
        streamed.insert(r["served"]["streamed"].as_bool().unwrap());
    }
    assert_eq!(streamed.len(), 2, "both were asked");
}

#[test]
fn a_key_that_is_refused_stops_the_run_at_once_and_the_next_sitting_asks_the_rest() {
    let body = format!("{{\"error\":{{\"code\":\"401\",\"message\":\"Incorrect API key provided: {KEY}.\"}}}}");
    let mock = Mock::start(move |a| if a.nth == 0 && a.question == FOX { status(401, &body) } else { answer("x") });
    let p = project(&mock, "");
    let out = run(&p, &GATE);
    assert_eq!(out.code, 4, "{out:?}");
    assert!(out.stderr.contains("HTTP 401: Incorrect API key provided: [key withheld]."), "{}", out.stderr);
    let recorded = lines(&p.read("r/journal.jsonl")).len();
    assert_eq!(mock.asked().len(), recorded + 1, "it is not asked again");
    // The second refusal is the other target's.
    assert_eq!(run(&p, &GATE).code, 4);
    assert_eq!(run(&p, &GATE).code, 0);
    assert_eq!(mock.asked().len(), 2 * CASES + 2, "what is recorded is not asked again");
}

#[test]
fn a_proxy_without_a_database_that_does_not_know_the_key_says_so_in_its_own_way() {
    // LiteLLM 1.106.2.
    let body = r#"{"error":{"message":"No connected db.","type":"no_db_connection","param":null,"code":"400"}}"#;
    let mock = Mock::start(move |_| status(400, body));
    let p = project(&mock, "");
    let out = run(&p, &GATE);
    assert_eq!((out.code, mock.asked().len()), (4, 1), "{out:?}");
    let said = out.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("HTTP 400: No connected db.; check the key"), "{said}");
}

#[test]
fn a_server_that_repeats_the_key_puts_it_nowhere() {
    let mock = on_fox(|a| match a.nth {
        0 => Reply::Status(
            400,
            vec![("x-request-id", KEY.into())],
            format!("{{\"error\":{{\"code\":\"content_filter\",\"message\":\"{KEY}\"}}}}"),
        ),
        _ => answer(&format!("your key is {KEY} indeed")),
    });
    let p = project(&mock, "");
    run(&p, &GATE);
    let all = results(&p);
    let texts: Vec<&Value> = foxes(&p).iter().map(|c| &of_candidate(&all, c)["response"]["text"]).collect();
    assert!(texts.contains(&&Value::from("your key is [key withheld] indeed")), "{texts:?}");
    let verdict = run(&p, &["gate", "r"]);
    assert!(verdict.code >= 0);
}

#[test]
fn no_cut_of_what_a_server_says_leaves_a_part_of_the_key() {
    let key = "sk-canary-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789QWERTYUIOPASDFG";
    let json = || vec![("content-type", "application/json".to_owned())];
    // Across each length at which something is cut: 120 characters of what cannot be read, 200 of a header, 400 and 600 of a message.
    let before = |cut: usize| "m ".repeat((cut - 60) / 2);
    let unreadable = format!("{{\"e\": \"{}{key}\", broken", before(120));
    let stream = format!("data: {{\"e\": \"{}{key}\", broken\n\n", before(120));
    let inside = format!("{{\"error\": {{\"code\": 500, \"message\": \"{}{key}\"}}}}", before(600));
    let too_long =
        format!("{{\"error\": {{\"code\": \"context_length_exceeded\", \"message\": \"{}{key}\"}}}}", before(600));
    let mock = Mock::start(move |a| match (a.question.as_str(), a.nth) {
        ("fox", 0) => Reply::Status(200, json(), unreadable.clone()),
        ("fox", 1) => Reply::Status(200, vec![("content-type", "text/event-stream".into())], stream.clone()),
        ("the", 0) => Reply::Status(200, json(), inside.clone()),
        ("the", 1) => Reply::Status(400, json(), too_long.clone()),
        ("over", 0) => Reply::Status(200, vec![("x-request-id", before(200) + key)], "{}".to_owned()),
        ("over", _) => Reply::Status(401, vec![], before(400) + key),
        _ => answer("x"),
    });
    for questions in [["fox", "the"], ["over", "quick"]] {
        let p = project(&mock, "attempts = 1");
        let case = |i: usize, q: &str| {
            format!(
                "{{\"id\":\"c{i}\",\"task\":\"qa\",\"cluster\":\"{q}\",\"vars\":{{\"q\":\"{q}\"}},\"expect\":{{\"answer\":\"x\",\"secrets\":[\"QQ\"]}}}}\n"
            )
        };
        let cases: String = questions.iter().enumerate().map(|(i, q)| case(i, q) + &case(i + 5, q)).collect();
        p.write("suites/mini/cases.jsonl", cases);
        let out = p.run_with(&[GATE.as_slice(), &["-j", "1"]].concat(), &[("MOCK_KEY", key)]);
        assert_hidden(&p, &out, [key]);
        assert!(p.path("r/journal.jsonl").exists(), "{out:?}");
        let said = out.stderr + &p.read("r/journal.jsonl");
        assert!(said.contains("m m m [key withheld]"), "{said}");
    }
}

#[test]
fn a_proxy_of_the_environment_never_sees_what_is_sent_in_plain_text() {
    let mock = on_fox(|_| answer("a fox"));
    let p = project(&mock, "");
    // A port that was free a moment ago: whoever asks there is refused.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let proxy = format!("http://127.0.0.1:{port}");
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"];
    let mut variables: Vec<(&str, &str)> = names.iter().map(|n| (*n, proxy.as_str())).collect();
    variables.push(("MOCK_KEY", KEY));
    let out = p.run_with(&GATE, &variables);
    assert_eq!(mock.asked().len(), 2 * CASES, "{out:?}");
    let out = p.run_with(&GATE, &[("MOCK_KEY", KEY), ("HTTPS_PROXY", "http://user:hunter2@[")]);
    assert!(out.stderr.contains("`HTTPS_PROXY` holds no address of a proxy"), "{out:?}");
    assert!(!out.stderr.contains("hunter2"), "{out:?}");
}

#[test]
fn an_address_with_a_password_or_a_query_is_refused_and_not_shown() {
    let mock = on_fox(|_| answer("a fox"));
    let p = project(&mock, "");
    for address in
        ["https://me:hunter2@h/v1", "https://me:hunter2@h:x/v1", "me:hunter2@h/v1", "https://h/v1?sig=hunter2"]
    {
        p.write(
            "goldgate.toml",
            format!("[target.base]\nkind = \"openai\"\nmodel = \"m\"\nbase-url = \"{address}\"\nprompt = \"long\"\n"),
        );
        let out = p.run_with(&GATE, &[]);
        assert!(out.code >= 2 && out.stderr.contains("goldgate.toml:4:"), "{out:?}");
        assert!(!out.stderr.contains("hunter2") && !out.stdout.contains("hunter2"), "{out:?}");
    }
    assert!(mock.asked().is_empty());
}

#[test]
fn an_answer_of_another_deployment_is_no_evidence_of_this_one() {
    let mock = on_fox(|_| Reply::WithHeader("x-ms-spillover-from-deployment", "small"));
    let p = project(&mock, "");
    assert_eq!(run(&p, &GATE).code, 3);
    let all = results(&p);
    assert_eq!(of_candidate(&all, &foxes(&p)[0])["failure"]["kind"], "elsewhere");
}

#[test]
fn azure_is_spoken_to_in_both_styles_and_the_limit_s_name_is_learnt_once() {
    let refusal = include_str!("../fixtures/azure/err_400_unsupported_param.json");
    let mock = Mock::start(move |a| {
        if a.path.contains("/v1/") && a.body.get("max_completion_tokens").is_some() {
            status(400, refusal)
        } else {
            answer("x")
        }
    });
    let p = Project::new();
    p.write(
        "goldgate.toml",
        format!(
            "[target.base]\nkind = \"azure-openai\"\nendpoint-env = \"MOCK_ENDPOINT\"\ndeployment = \"big one\"\n\
             api = \"deployment\"\napi-version = \"2024-10-21\"\napi-key-env = \"MOCK_KEY\"\nprompt = \"long\"\n\n\
             [target.cand]\nkind = \"azure-openai\"\nendpoint = \"{}/openai/v1/\"\ndeployment = \"small\"\n\
             api-key-env = \"MOCK_KEY\"\nprompt = \"short\"\n",
            mock.url()
        ),
    );
    let out = p.run_with(&GATE, &[("MOCK_KEY", KEY), ("MOCK_ENDPOINT", &mock.url())]);
    assert_hidden(&p, &out, [KEY]);
    assert_eq!(out.code, 0, "{out:?}");
    let asked = mock.asked();
    assert_eq!(asked.len(), 2 * CASES + 1);
    for a in &asked {
        assert_eq!(a.headers["api-key"], KEY);
        assert!(!a.headers.contains_key("authorization"));
        let dated = a.path == "/openai/deployments/big%20one/chat/completions?api-version=2024-10-21";
        assert!(dated || a.path == "/openai/v1/chat/completions", "{}", a.path);
        assert_eq!(a.body.get("model"), (!dated).then_some(&Value::from("small")));
    }
    let renamed: Vec<Value> = results(&p)
        .into_values()
        .map(|r| r["response"]["served"].clone())
        .filter(|s| s["limit-renamed"] == true)
        .collect();
    assert_eq!(renamed.len(), 1, "it is learnt once");
    assert_eq!(renamed[0]["attempts"], 1, "no model saw the refused form");
}

/// A project whose targets are two deployments of one Azure ML endpoint.
fn ml_project(mock: &Mock, more: &str) -> Project {
    let p = Project::new();
    let target = |name: &str, deployment: &str, prompt: &str| {
        format!(
            "[target.{name}]\nkind = \"azure-ml\"\nendpoint-env = \"MOCK_ENDPOINT\"\ndeployment = \"{deployment}\"\n\
             api-key-env = \"MOCK_KEY\"\nprompt = \"{prompt}\"\n{more}\n"
        )
    };
    p.write("goldgate.toml", target("base", "blue", "long") + &target("cand", "green", "short"));
    let out = p.run_with(&GATE, &[("MOCK_KEY", KEY), ("MOCK_ENDPOINT", &format!("{}/score", mock.url()))]);
    assert_hidden(&p, &out, [KEY]);
    p
}

#[test]
fn an_azure_ml_endpoint_is_pinned_to_its_deployment_and_asked_in_its_own_form() {
    let mock = Mock::start(|a| {
        let by = a.headers["azureml-model-deployment"].clone();
        let by = if a.question == FOX && by == "green" { "blue".to_owned() } else { by };
        let headers = vec![("content-type", "application/json".into()), ("azureml-model-deployment", by)];
        Reply::Status(200, headers, "{\"output\": [\"x\"], \"made\": 2, \"read\": 9}".to_owned())
    });
    let p = ml_project(
        &mock,
        "request = '{\"messages\": {{ messages }}, \"parameters\": {\"max_new_tokens\": {{ max_new_tokens }}}}'\n\
         response = { text = \"/output/0\", prompt-tokens = \"/read\", completion-tokens = \"/made\" }\n",
    );
    let asked = mock.asked();
    assert_eq!(asked.len(), 2 * CASES);
    for a in &asked {
        assert_eq!((a.path.as_str(), &a.headers["authorization"]), ("/score", &format!("Bearer {KEY}")));
        assert_eq!(a.body["parameters"], serde_json::json!({"max_new_tokens": 24}));
    }
    let foxes = foxes(&p);
    for ((case, target), result) in results(&p) {
        if target == "cand" && foxes.contains(&case) {
            assert_eq!(result["failure"]["kind"], "elsewhere", "the other deployment's answer: {result}");
            assert_eq!(result["failure"]["message"], "the deployment `blue` answered for this one");
        } else {
            let r = &result["response"];
            assert_eq!((&r["text"], &r["served"]["streamed"]), (&"x".into(), &false.into()), "{result}");
            assert_eq!((&r["usage"]["prompt"], &r["usage"]["completion"]), (&9.into(), &2.into()));
        }
    }
    let manifest: Value = serde_json::from_str(&p.read("r/run.json")).unwrap();
    assert_eq!(manifest["targets"][1]["kind"], "azure-ml");
}

#[test]
fn an_azure_ml_endpoint_without_a_mapping_speaks_chat_and_a_failed_container_is_asked_again() {
    let failed = include_str!("../fixtures/azure/aml_err_424.json");
    let mock = Mock::start(move |a| if a.nth == 0 && a.question == FOX { status(424, failed) } else { answer("x") });
    let p = ml_project(&mock, "model = \"desk\"\n");
    for a in mock.asked() {
        assert_eq!((a.path.as_str(), &a.body["model"]), ("/v1/chat/completions", &"desk".into()));
        assert!(matches!(a.headers["azureml-model-deployment"].as_str(), "blue" | "green"));
    }
    assert_eq!(results(&p).len(), 2 * CASES);
    assert!(results(&p).values().all(|r| r["response"]["text"] == "x"));
}

#[test]
fn the_responses_api_is_asked_and_its_stream_is_the_answer() {
    let stream = include_str!("../fixtures/azure/responses_stream.sse");
    let mock = Mock::start(move |_| {
        Reply::Status(200, vec![("content-type", "text/event-stream; charset=utf-8".into())], stream.to_owned())
    });
    let p = project(&mock, "protocol = \"responses\"\n");
    let out = run(&p, &["run", "suites/mini", "--run-dir", "r"]);
    assert_eq!(out.code, 0, "{out:?}");
    for a in mock.asked() {
        assert_eq!((a.path.as_str(), &a.body["store"]), ("/v1/responses", &false.into()));
    }
    for result in results(&p).into_values() {
        let r = &result["response"];
        assert_eq!((&r["text"], &r["finish"]), (&"Refund".into(), &"stop".into()), "{result}");
        assert_eq!((&r["usage"]["prompt"], &r["usage"]["completion"]), (&212.into(), &2.into()));
        assert_eq!((&r["served"]["streamed"], &r["served"]["model"]), (&true.into(), &"gpt-4.1-mini-ft".into()));
    }
}

#[test]
fn a_model_that_is_exchanged_during_the_run_leaves_the_verdict_undecided() {
    let body = |model: &str| {
        format!(
            "{{\"model\":\"{model}\",\"usage\":{{\"prompt_tokens\":3,\"completion_tokens\":2}},\
             \"choices\":[{{\"index\":0,\"finish_reason\":\"stop\",\"message\":{{\"content\":\"x\"}}}}]}}"
        )
    };
    let reply = move |model: &str| Reply::Status(200, vec![("content-type", "application/json".into())], body(model));
    for (exchanged, who) in [("small", "cand"), ("big", "base")] {
        let mock = Mock::start_probed(move |a| {
            let model = if a.body["model"] == exchanged && a.question == FOX { "m-2" } else { "m-1" };
            reply(model)
        });
        let p = project(&mock, "");
        let out = run(&p, &GATE);
        assert_eq!(out.code, 3, "{out:?}");
        let verdict: Value = serde_json::from_str(&p.read("r/verdict.json")).unwrap();
        let obstacles = verdict["verdicts"][0]["obstacles"].as_array().unwrap();
        let [obstacle] = &obstacles[..] else { panic!("{obstacles:?}") };
        let obstacle = obstacle.as_str().unwrap();
        let want = format!("the model behind `{who}` changed during the run: `m-");
        assert!(obstacle.starts_with(&want), "{obstacle}");
        assert!(obstacle.contains("`m-1`") && obstacle.contains("`m-2`"), "{obstacle}");
    }
    let mock = Mock::start_probed(move |a| reply(if a.body["model"] == "small" { "m-2" } else { "m-1" }));
    let p = project(&mock, "");
    run(&p, &GATE);
    let verdict: Value = serde_json::from_str(&p.read("r/verdict.json")).unwrap();
    assert_eq!(verdict["verdicts"][0]["obstacles"], serde_json::json!([]), "two targets are two models");

    // Noise is what moves when nothing has changed: two models have none, be each of them the only one of its repeats.
    let args = ["calibrate", "suites/mini", "--target", "base", "--repeats", "2", "--run-dir", "n"];
    for probe in [&["--no-probe"][..], &[]] {
        let mock = Mock::start_probed(move |a| reply(if a.nth > 0 { "m-2" } else { "m-1" }));
        let p = project(&mock, "");
        let args = [&args[..], probe].concat();
        let asked = |out: Outcome| {
            assert_eq!(out.code, 3, "{out:?}");
            assert!(out.stderr.contains("the model behind `base` changed during the run: `m-"), "{}", out.stderr);
            assert!(out.stderr.contains("no noise can be told from it"), "{}", out.stderr);
            assert!(!p.path("n/noise.json").exists());
            mock.asked().len()
        };
        let first = asked(run(&p, &args));
        assert_eq!(asked(run(&p, &args)), first, "and it is not asked again");
    }
    let mock = Mock::start_probed(move |_| reply("m-1"));
    let p = project(&mock, "");
    assert_eq!(run(&p, &args).code, 0);
    assert!(p.path("n/noise.json").exists());
}

#[test]
fn a_reasoning_model_is_asked_as_it_is_served_and_what_it_thought_is_counted() {
    let refusal =
        r#"{"error":{"code":"unsupported_value","param":"temperature","message":"'temperature' does not support 0"}}"#;
    let mock =
        Mock::start(move |a| if a.body.get("temperature").is_some() { status(400, refusal) } else { answer("x") });
    let p = project(&mock, "");
    let out = run(&p, &GATE);
    assert_eq!((out.code, mock.asked().len()), (4, 1), "greedy answers are not replaced by sampled ones: {out:?}");
    assert!(out.stderr.contains("write `sampling = \"default\"` in its target"), "{}", out.stderr);

    let more = "sampling = \"default\"\nreasoning-effort = \"low\"\nlimit-field = \"max-completion-tokens\"\n";
    let p = project(&mock, more);
    let out = run(&p, &["run", "suites/mini", "--run-dir", "r"]);
    assert_eq!(out.code, 0, "{out:?}");
    let body = mock.asked().last().unwrap().body.clone();
    let keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let want = ["max_completion_tokens", "messages", "model", "reasoning_effort", "seed", "stream", "stream_options"];
    assert_eq!(keys, want);
    for result in results(&p).into_values() {
        let usage = &result["response"]["usage"];
        assert_eq!((&usage["completion"], &usage["reasoning"]), (&42.into(), &40.into()), "{result}");
    }
}

#[test]
fn validating_looks_for_the_key_and_sends_nothing() {
    let mock = Mock::start(|_| answer("x"));
    let p = project(&mock, "");
    let args = ["validate", "suites/mini", "--targets"];
    let out = run(&p, &args);
    assert_eq!(out.code, 0, "{out:?}");
    assert!(out.stdout.contains("key in `MOCK_KEY`") && out.stdout.contains("nothing was sent"), "{}", out.stdout);
    for (value, want) in
        [(None, "`MOCK_KEY` is not set"), (Some(""), "`MOCK_KEY` is empty"), (Some("a\nb"), "cannot stand in a header")]
    {
        let variables: Vec<(&str, &str)> = value.map(|v| ("MOCK_KEY", v)).into_iter().collect();
        for args in [&args[..], &GATE] {
            let out = p.run_with(args, &variables);
            assert_eq!(out.code, 2, "{out:?}");
            assert!(out.stderr.contains(want), "{}", out.stderr);
        }
    }
    assert!(mock.asked().is_empty());
    assert!(!p.path("r").exists(), "a run that cannot be asked leaves nothing");
}

#[test]
fn a_server_that_is_not_there_stops_the_run() {
    let gone = Mock::start(|_| answer("x"));
    let p = project(&gone, "attempts = 1\n");
    drop(gone);
    // The listener's thread ends with the connection that woke it.
    let out = run(&p, &GATE);
    assert_eq!(out.code, 4, "{out:?}");
    assert!(out.stderr.contains("attempt 1 of 1"), "{}", out.stderr);
}

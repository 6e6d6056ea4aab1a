//! Identities of remote targets, from the project's file to the header of a question, against token services on real sockets.

use crate::mock::{Asked, Mock, Reply, answer, status};
use crate::project::{CASES, Outcome, Project, assert_hidden};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

pub const SECRET: &str = "app-canary~8Q1.kfT4-zWmY_pL0aN3";
pub const TOKEN: &str = "tok-canary-7Rb2vXq9JdKc5HsUe8Mn1Gy";
pub const SECOND: &str = "tok-second-4Wz8LpTf3CxVb6QaRj0DkE";
const JOB_KEY: &str = "job-canary-6Nf3KwZs9TqXr2YbLm5Hc8P";
const APP_KEY: &str = "hdr-canary-2Gv8DjMp4RtBn7XcWa1Ls6K";
/// What the platform of a job or of a pod says who we are: a JSON web token.
const ASSERTION: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOmNvbnRvc28vY2xhaW1zOnJlZjpyZWZzL2hlYWRzL2ZlYXR1cmUifQ.YS1zaWduYXR1cmUtdGhhdC1pcy1ub25l";
const GATE: [&str; 4] = ["gate", "suites/mini", "--run-dir", "r"];
const TENANT: &str = "/contoso.example/oauth2/v2.0/token";

fn fixture(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/identity/{name}"))).unwrap()
}

/// A project whose two deployments are asked under an identity; `identity` goes to both.
pub fn project(mock: &Mock, identity: &str) -> Project {
    let p = Project::new();
    let target = |name: &str, prompt: &str| {
        format!(
            "[target.{name}]\nkind = \"azure-openai\"\nendpoint = \"{}\"\ndeployment = \"{name}\"\nprompt = \"{prompt}\"\n{identity}\n",
            mock.url()
        )
    };
    p.write("goldgate.toml", target("base", "long") + &target("cand", "short"));
    p
}

/// The keys of an identity whose authority is the mock.
pub fn at(mock: &Mock, kind: &str) -> String {
    format!("identity = \"{kind}\"\nauthority = \"{}\"\n", mock.url())
}

/// Variables that the machine of the test may have, and must not have in it.
const NONE: [&str; 9] = [
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_FEDERATED_TOKEN_FILE",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
];
pub const APPLICATION: [(&str, &str); 2] = [("AZURE_TENANT_ID", "contoso.example"), ("AZURE_CLIENT_ID", "an-app")];

/// Runs the program with exactly these identity variables; no secret may show anywhere.
pub fn run(p: &Project, args: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let mut all: Vec<(&str, &str)> = NONE.iter().map(|n| (*n, "")).collect();
    all.extend_from_slice(variables);
    let out = p.run_with(args, &all);
    assert_no_secret(p, &out);
    out
}

/// A text in one line, however it was wrapped.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_no_secret(p: &Project, out: &Outcome) {
    let parts = ASSERTION.split('.').skip(1);
    assert_hidden(p, out, [SECRET, TOKEN, SECOND, JOB_KEY, APP_KEY].into_iter().chain(parts));
}

pub fn token(text: &str, life: u64) -> Reply {
    Reply::Status(
        200,
        vec![("content-type", "application/json".into())],
        json!({"token_type": "Bearer", "expires_in": life, "access_token": text}).to_string(),
    )
}

pub fn is_question(a: &Asked) -> bool {
    a.path.starts_with("/openai/v1/chat/completions")
}

/// Token requests, in their order.
pub fn token_requests(mock: &Mock) -> Vec<Asked> {
    mock.asked().into_iter().filter(|a| !is_question(a)).collect()
}

/// The parameters of a form or of a query.
fn parameters(text: &str) -> Vec<(String, String)> {
    let url = reqwest::Url::parse(&format!("http://h/?{text}")).unwrap();
    url.query_pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect()
}

fn form(a: &Asked) -> Vec<(String, String)> {
    assert_eq!(a.headers["content-type"], "application/x-www-form-urlencoded");
    parameters(a.body.as_str().unwrap())
}

fn value<'a>(form: &'a [(String, String)], key: &str) -> &'a str {
    let mut found = form.iter().filter(|(k, _)| k == key);
    let value = &found.next().unwrap_or_else(|| panic!("{form:?} has no {key}")).1;
    assert!(found.next().is_none(), "{key} stands twice");
    value
}

/// A gate that promotes, with every question under the first token, had by one request.
fn assert_asked_under_one_token(p: &Project, mock: &Mock, variables: &[(&str, &str)]) {
    let out = run(p, &GATE, variables);
    assert_eq!(out.code, 0, "{out:?}");
    let questions: Vec<Asked> = mock.asked().into_iter().filter(is_question).collect();
    assert_eq!(questions.len(), 2 * CASES);
    for q in &questions {
        assert_eq!(q.headers["authorization"], format!("Bearer {TOKEN}"));
        assert!(!q.headers.contains_key("api-key"));
    }
}

/// Answers every question, and every token request with [`TOKEN`].
fn open() -> Mock {
    Mock::start(|a| if is_question(a) { answer("x") } else { token(TOKEN, 3600) })
}

#[test]
fn a_client_secret_becomes_a_token_that_both_deployments_share() {
    let mock = open();
    let p = project(&mock, &at(&mock, "client-secret"));
    let variables = [&APPLICATION[..], &[("AZURE_CLIENT_SECRET", SECRET)]].concat();
    assert_asked_under_one_token(&p, &mock, &variables);
    let [request] = &token_requests(&mock)[..] else { panic!("one request for both") };
    assert_eq!(request.path, TENANT);
    let form = form(request);
    assert_eq!(form.len(), 4);
    for (key, want) in [
        ("grant_type", "client_credentials"),
        ("client_id", "an-app"),
        ("client_secret", SECRET),
        ("scope", "https://ai.azure.com/.default"),
    ] {
        assert_eq!(value(&form, key), want);
    }
}

#[test]
fn a_certificate_signs_and_federated_tokens_stand_for_a_secret() {
    let mock = Mock::start(|a| match () {
        () if is_question(a) => answer("x"),
        () if a.path.starts_with("/job") => status(200, &json!({"value": ASSERTION, "count": 1}).to_string()),
        () => token(TOKEN, 3600),
    });
    let job = format!("{}/job?api-version=2.0", mock.url());
    let sources = [
        ("client-certificate", vec![("AZURE_CLIENT_CERTIFICATE_PATH", "app.pem")]),
        ("workload", vec![("AZURE_FEDERATED_TOKEN_FILE", "token.jwt")]),
        (
            "github-actions",
            vec![("ACTIONS_ID_TOKEN_REQUEST_URL", job.as_str()), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", JOB_KEY)],
        ),
    ];
    for (kind, own) in sources {
        let before = mock.asked().len();
        let p = project(&mock, &at(&mock, kind));
        p.write("app.pem", fixture("certificate.pem"));
        p.write("token.jwt", format!("{ASSERTION}\n"));
        let out = run(&p, &GATE, &[&APPLICATION[..], &own].concat());
        assert_eq!(out.code, 0, "{kind}: {out:?}");
        let requests = &mock.asked()[before..];
        let (questions, others): (Vec<&Asked>, Vec<&Asked>) = requests.iter().partition(|a| is_question(a));
        assert_eq!(questions.len(), 2 * CASES, "{kind}");
        assert!(questions.iter().all(|q| q.headers["authorization"] == format!("Bearer {TOKEN}")), "{kind}");
        let last = others.last().unwrap();
        assert_eq!(last.path, TENANT, "{kind}");
        let form = form(last);
        assert_eq!(value(&form, "client_assertion_type"), "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        assert!(form.iter().all(|(k, _)| k != "client_secret"), "{kind}");
        let assertion = value(&form, "client_assertion");
        if kind == "client-certificate" {
            assert_eq!((others.len(), assertion.split('.').count()), (1, 3));
        } else {
            assert_eq!(assertion, ASSERTION, "{kind}");
        }
        if kind == "github-actions" {
            assert_eq!(others.len(), 2);
            assert_eq!(others[0].path, "/job?api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange");
            assert_eq!(others[0].headers["authorization"], format!("Bearer {JOB_KEY}"));
        }
    }
}

#[test]
fn machines_and_apps_have_identities_of_their_own() {
    // The metadata service says 404 while a machine's identity is set up.
    let mock = Mock::start(|a| match () {
        () if is_question(a) => answer("x"),
        () if a.path.starts_with("/metadata") && a.nth == 0 => status(404, ""),
        () if a.path.starts_with("/metadata") => status(
            200,
            &fixture("imds_token_ok.json")
                .replace("eyJ0eXAiOiJKV1QifQ.eyJhdWQiOiJodHRwczovL2FpLmF6dXJlLmNvbSJ9.c2ln", TOKEN),
        ),
        () => token(TOKEN, 3600),
    });
    let p = project(&mock, &format!("identity = \"managed-identity\"\nimds = \"{}\"\n", mock.url()));
    assert_asked_under_one_token(&p, &mock, &[("AZURE_CLIENT_ID", "mine")]);
    let requests = token_requests(&mock);
    assert_eq!(requests.len(), 2, "asked again after 404");
    for r in requests {
        let want =
            "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fai.azure.com&client_id=mine";
        assert_eq!((r.path.as_str(), r.headers["metadata"].as_str()), (want, "true"));
    }

    let mock = open();
    let p =
        project(&mock, "identity = \"managed-identity\"\nscope = \"https://cognitiveservices.azure.com/.default\"\n");
    let endpoint = format!("{}/msi/token", mock.url());
    assert_asked_under_one_token(&p, &mock, &[("IDENTITY_ENDPOINT", &endpoint), ("IDENTITY_HEADER", APP_KEY)]);
    let [request] = &token_requests(&mock)[..] else { panic!("one request") };
    assert_eq!(request.path, "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fcognitiveservices.azure.com");
    assert_eq!(request.headers["x-identity-header"], APP_KEY);
}

/// Puts an `az` of our own on the path.
#[cfg(unix)]
fn az(p: &Project, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    p.write("bin/az", format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(p.path("bin/az"), fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:/usr/bin:/bin", p.path("bin").display())
}

#[cfg(unix)]
#[test]
fn the_azure_cli_is_asked_as_a_process_with_a_limit() {
    let mock = open();
    let p = project(&mock, "identity = \"azure-cli\"\n");
    let path = az(
        &p,
        &format!(
            "echo \"$@\" >> calls\ntest -z \"$AZURE_CLIENT_SECRET\" || exit 9\n\
             echo '{{\"accessToken\": \"{TOKEN}\", \"expires_on\": 4102444800, \"tokenType\": \"Bearer\"}}'"
        ),
    );
    let variables = [("PATH", path.as_str()), ("AZURE_TENANT_ID", "contoso.example"), ("AZURE_CLIENT_SECRET", SECRET)];
    assert_asked_under_one_token(&p, &mock, &variables);
    let want =
        "account get-access-token --output json --scope https://ai.azure.com/.default --tenant contoso.example\n";
    assert_eq!(p.read("calls"), want, "it is started once");
    for (script, more, want) in [
        ("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1", "", "Please run 'az login'"),
        ("exec sleep 60", "timeout-seconds = 1\n", "the Azure CLI said nothing within 1 s"),
        ("echo hello", "", "printed no JSON"),
    ] {
        let p = project(&mock, &format!("identity = \"azure-cli\"\n{more}"));
        let path = az(&p, script);
        let out = run(&p, &GATE, &[("PATH", &path)]);
        assert_eq!(out.code, 4, "{out:?}");
        assert!(out.stderr.contains(want), "{}", out.stderr);
    }
    let p = project(&mock, "identity = \"azure-cli\"\n");
    let out = run(&p, &GATE, &[("PATH", "/nowhere")]);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("`az`) is not on the path"), "{}", out.stderr);
}

#[cfg(unix)]
#[test]
fn what_a_token_takes_to_come_is_in_what_the_question_waited() {
    let mock = open();
    let p = project(&mock, "identity = \"azure-cli\"\n");
    let token = format!("{{\"accessToken\": \"{TOKEN}\", \"expires_on\": 4102444800, \"tokenType\": \"Bearer\"}}");
    let path = az(&p, &format!("sleep 1\necho '{token}'"));
    let out = run(&p, &[GATE.as_slice(), &["--no-probe", "--arrival-rate", "100"]].concat(), &[("PATH", &path)]);
    let journal = p.read("r/journal.jsonl");
    let record = |l: &str| serde_json::from_str::<Value>(l).unwrap()["result"]["response"]["served"].clone();
    let longest = journal.lines().map(|l| record(l)["waited-us"].as_u64().unwrap()).max();
    // The first question came while nobody had a token yet.
    assert!(longest >= Some(1_000_000), "{longest:?}: {out:?}");
}

#[test]
fn sixteen_questions_replace_an_ended_token_by_one_request() {
    // The first token has ended when it comes: of the questions that wait for it, one fetches the next, for all.
    let mock = Mock::start(|a| match () {
        () if is_question(a) => answer("x"),
        () if a.nth == 0 => token(TOKEN, 0),
        () => token(SECOND, 3600),
    });
    let p = project(&mock, &at(&mock, "client-secret"));
    let variables = [&APPLICATION[..], &[("AZURE_CLIENT_SECRET", SECRET)]].concat();
    // A probe would fetch both, alone.
    let out = run(&p, &[&GATE[..], &["--concurrency", "16", "--no-probe"]].concat(), &variables);
    assert_eq!(out.code, 0, "{out:?}");
    assert_eq!(token_requests(&mock).len(), 2);
    let with = |t: &str| {
        mock.asked().iter().filter(|a| a.headers.get("authorization") == Some(&format!("Bearer {t}"))).count()
    };
    assert_eq!((with(TOKEN), with(SECOND)), (1, 2 * CASES - 1));
}

#[test]
fn a_token_that_is_refused_for_good_stops_the_run_and_says_what_to_check() {
    let jwt = "eyJ0eXAiOiJKV1QifQ.eyJhdWQiOiJodHRwczovL2FpLmF6dXJlLmNvbSJ9.c2lnLWNhbmFyeS1vZi1hLXRva2Vu";
    let refused = include_str!("../fixtures/azure/err_401_rbac.json");
    let mock = Mock::start(move |a| if is_question(a) { status(401, refused) } else { token(jwt, 3600) });
    let p = project(&mock, &at(&mock, "client-secret"));
    let variables = [&APPLICATION[..], &[("AZURE_CLIENT_SECRET", SECRET)]].concat();
    let out = run(&p, &[&GATE[..], &["--concurrency", "1"]].concat(), &variables);
    assert_eq!(out.code, 4, "{out:?}");
    for want in ["HTTP 401", "audience `https://ai.azure.com`", "Cognitive Services OpenAI User", "`client-secret`"] {
        assert!(out.stderr.contains(want), "no {want}: {}", out.stderr);
    }
    assert!(!out.stderr.contains("c2lnLWNhbmFyeS1vZi1hLXRva2Vu") && !out.stderr.contains("eyJhdWQi"), "{}", out.stderr);
    assert_eq!(token_requests(&mock).len(), 2, "refreshed once");
    assert_eq!(mock.asked().iter().filter(|a| is_question(a)).count(), 2);
}

#[test]
fn a_wrong_secret_is_sent_once_and_shows_nowhere() {
    let echo = format!(
        r#"{{"error":"invalid_client","error_description":"AADSTS7000215: Invalid secret {SECRET} provided."}}"#
    );
    for body in [fixture("entra_token_bad_secret.json"), echo] {
        let mock = Mock::start(move |a| if is_question(a) { answer("x") } else { status(401, &body) });
        let p = project(&mock, &at(&mock, "client-secret"));
        let variables = [&APPLICATION[..], &[("AZURE_CLIENT_SECRET", SECRET)]].concat();
        let out = run(&p, &[&GATE[..], &["--concurrency", "16"]].concat(), &variables);
        assert_eq!(out.code, 4, "{out:?}");
        assert!(out.stderr.contains("AADSTS7000215") && out.stderr.contains("`AZURE_CLIENT_SECRET`"), "{}", out.stderr);
        assert_eq!(mock.asked().len(), 1, "sixteen questions share the refusal, and no model is asked");
    }
}

#[test]
fn a_federation_that_nobody_set_up_names_the_subject() {
    let mock = Mock::start(|_| status(400, &fixture("entra_token_no_federation.json")));
    let p = project(&mock, &at(&mock, "workload"));
    p.write("token.jwt", ASSERTION);
    let own = [("AZURE_FEDERATED_TOKEN_FILE", "token.jwt")];
    let out = run(&p, &GATE, &[&APPLICATION[..], &own].concat());
    assert_eq!(out.code, 4, "{out:?}");
    assert!(out.stderr.contains("AADSTS700213"), "{}", out.stderr);
    assert!(
        out.stderr.contains("the subject presented is `repo:contoso/claims:ref:refs/heads/feature`"),
        "{}",
        out.stderr
    );
    fs::remove_file(p.path("token.jwt")).unwrap();
    let out = run(&p, &GATE, &[&APPLICATION[..], &own].concat());
    assert_eq!(out.code, 4, "it is read anew at every refresh: {out:?}");
    assert!(out.stderr.contains("cannot be read"), "{}", out.stderr);
}

#[test]
fn a_busy_token_service_is_asked_again_and_a_strange_one_is_an_error() {
    let mock = Mock::start(|a| match (is_question(a), a.nth) {
        (true, _) => answer("x"),
        (_, 0) => Reply::Status(429, vec![("retry-after-ms", "5".into())], String::new()),
        (_, 1) => status(503, "<html>busy</html>"),
        _ => token(TOKEN, 3600),
    });
    let p = project(&mock, &at(&mock, "client-secret"));
    let variables = [&APPLICATION[..], &[("AZURE_CLIENT_SECRET", SECRET)]].concat();
    assert_asked_under_one_token(&p, &mock, &variables);
    assert_eq!(token_requests(&mock).len(), 3);

    let other = open();
    let place = other.url();
    for (code, headers, body, want) in [
        (307, vec![("location", place)], "", "HTTP 307"),
        (200, vec![], "<html>sign in</html>", "is no JSON"),
        (200, vec![], "{}", "no `access_token`"),
        (400, vec![], "[]", "HTTP 400"),
        (429, vec![("retry-after", "3600".to_owned())], "", "HTTP 429"),
    ] {
        let mock = Mock::start(move |a| {
            if is_question(a) { answer("x") } else { Reply::Status(code, headers.clone(), body.to_owned()) }
        });
        let p = project(&mock, &at(&mock, "client-secret"));
        let out = run(&p, &GATE, &variables);
        assert_eq!((out.code, mock.asked().len()), (4, 1), "{out:?}");
        assert!(out.stderr.contains(want), "{}", out.stderr);
    }
    assert!(other.asked().is_empty(), "the secret went to a host that nobody configured");
}

#[test]
fn what_the_environment_lacks_is_named_and_nothing_is_sent() {
    let mock = open();
    let has = |names: &[(&'static str, &'static str)]| names.to_vec();
    for (kind, variables, want) in [
        ("client-secret", has(&APPLICATION), "`AZURE_CLIENT_SECRET` is empty"),
        ("client-secret", has(&[("AZURE_CLIENT_SECRET", SECRET)]), "`AZURE_TENANT_ID` is not set"),
        (
            "client-secret",
            has(&[("AZURE_CLIENT_SECRET", SECRET), ("AZURE_TENANT_ID", "../x"), APPLICATION[1]]),
            "`AZURE_TENANT_ID` holds no tenant",
        ),
        ("client-certificate", has(&APPLICATION), "`AZURE_CLIENT_CERTIFICATE_PATH` is not set"),
        (
            "client-certificate",
            has(&[APPLICATION[0], APPLICATION[1], ("AZURE_CLIENT_CERTIFICATE_PATH", "goldgate.toml")]),
            "holds no certificate",
        ),
        ("workload", has(&APPLICATION), "`AZURE_FEDERATED_TOKEN_FILE` is not set"),
        ("github-actions", has(&APPLICATION), "permissions: id-token: write"),
    ] {
        let p = project(&mock, &at(&mock, kind));
        for args in [&GATE[..], &["validate", "suites/mini", "--targets"]] {
            let out = run(&p, args, &variables);
            assert_eq!(out.code, 2, "{kind}: {out:?}");
            assert!(out.stderr.contains(want), "{kind}: {}", out.stderr);
        }
        let out = run(&p, &["doctor"], &variables);
        assert_eq!(out.code, 4, "{kind}: {out:?}");
        assert!(out.stdout.contains("FAIL base (azure-openai)"), "{}", out.stdout);
    }
    assert!(mock.asked().is_empty());
}

#[cfg(unix)]
#[test]
fn the_chain_takes_the_first_that_is_there_and_doctor_says_which_and_why() {
    // No application, no job, no app: the machine, which has no such identity, and then the Azure CLI.
    let mock =
        Mock::start(
            |a| if is_question(a) { answer("x") } else { status(400, &fixture("imds_token_no_identity.json")) },
        );
    let keys = format!("identity = \"default\"\nauthority = \"{0}\"\nimds = \"{0}\"\n", mock.url());
    let p = project(&mock, &keys);
    let path = az(&p, &format!("echo '{{\"accessToken\": \"{TOKEN}\", \"expires_on\": \"4102444800\"}}'"));
    let out = run(&p, &["doctor", "--target", "cand"], &[("PATH", &path)]);
    assert_eq!(out.code, 0, "{out:?}");
    let (mut last, said) = (0, unwrapped(&out.stdout));
    for want in [
        "ok cand (azure-openai)",
        "identity azure-cli, from az account get-access-token",
        "not client-secret: `AZURE_CLIENT_SECRET` is not set",
        "not client-certificate: `AZURE_CLIENT_CERTIFICATE_PATH` is not set",
        "not workload: `AZURE_FEDERATED_TOKEN_FILE` is not set",
        "not github-actions: `ACTIONS_ID_TOKEN_REQUEST_URL` is not set",
        "not managed-identity: the machine has no metadata service, or no identity",
        "token obtained for https://ai.azure.com/.default, audience unknown",
    ] {
        let at = said.find(want).unwrap_or_else(|| panic!("no {want} in\n{}", out.stdout));
        assert!(at >= last, "{want} comes too early:\n{}", out.stdout);
        last = at;
    }
    assert!(out.stdout.lines().all(|l| l.chars().count() <= 80), "{}", out.stdout);
    assert!(!out.stdout.contains("base"), "only the named target is looked at");
    assert!(mock.asked().iter().all(|a| !is_question(a)), "nothing is asked without --probe");

    // Settings that are there come first, and if they are wrong the chain does not go on to another identity.
    let variables = [&APPLICATION[..], &[("AZURE_CLIENT_SECRET", SECRET), ("PATH", &path)]].concat();
    let out = run(&p, &["doctor", "--json"], &variables);
    assert_eq!(out.code, 4, "{out:?}");
    let json: Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!(json["format"], "goldgate.doctor/1");
    for target in json["targets"].as_array().unwrap() {
        assert_eq!((&target["ok"], &target["identity"]["source"]), (&json!(false), &json!("client-secret")));
        assert_eq!(target["identity"]["from"], json!(["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"]));
        assert!(target["trouble"].as_str().unwrap().contains("Identity not found"), "{target}");
    }
    let out = run(&p, &["doctor"], &[("PATH", "/nowhere")]);
    assert_eq!(out.code, 4, "{out:?}");
    assert!(unwrapped(&out.stdout).contains("the machine has no such identity"), "{}", out.stdout);
}

#[test]
fn doctor_asks_one_small_question_if_told_to_and_loads_checkpoints() {
    let mock = open();
    let p = project(&mock, &at(&mock, "client-secret"));
    let toml = p.read("goldgate.toml");
    p.write("goldgate.toml", format!("{toml}[target.here]\nkind = \"local\"\nmodel = \"model\"\nprompt = \"long\"\n"));
    let variables = [&APPLICATION[..], &[("AZURE_CLIENT_SECRET", SECRET)]].concat();
    let out = run(&p, &["doctor", "--probe", "--json"], &variables);
    assert_eq!(out.code, 0, "{out:?}");
    let json: Value = serde_json::from_str(&out.stdout).unwrap();
    let targets = json["targets"].as_array().unwrap();
    assert_eq!(targets.iter().map(|t| t["name"].as_str().unwrap()).collect::<Vec<_>>(), ["base", "cand", "here"]);
    for target in &targets[..2] {
        let got = &target["answer"];
        assert_eq!(
            (&got["streams"], &got["counts-tokens"], &got["filter-up"]),
            (&json!(true), &json!(true), &json!(true))
        );
        assert_eq!(
            (&got["region"], &target["token"]["scope"]),
            (&json!("Sweden Central"), &json!("https://ai.azure.com/.default"))
        );
        assert!(target["token"]["seconds-left"].as_u64().unwrap() > 3000, "{target}");
        assert_eq!(target["endpoint"], format!("{}/openai/v1/chat/completions", mock.url()));
    }
    assert!(targets[2]["digest"].is_string() && targets[2].get("identity").is_none(), "{}", targets[2]);
    let probes = mock.probes();
    assert_eq!(probes.len(), 2);
    assert!(probes.iter().all(|q| is_question(q) && q.body["max_completion_tokens"] == 16));

    fs::remove_file(p.path("model/config.json")).unwrap();
    let out = run(&p, &["doctor", "--probe"], &variables);
    assert_eq!(out.code, 4, "{out:?}");
    assert!(out.stdout.contains("FAIL here (local)") && out.stdout.contains("ok   base"), "{}", out.stdout);
    assert!(out.stdout.contains("answers  streaming, token counts"), "{}", out.stdout);
    assert!(out.stdout.lines().all(|l| l.chars().count() <= 80), "{}", out.stdout);
    let out = run(&p, &["doctor", "--target", "nobody"], &variables);
    assert_eq!(out.code, 2, "{out:?}");
}

//! Addresses, keys and digests of remote targets; what needs a socket is tested on the built program.

use super::*;

fn openai(base_url: &str, key_env: Option<&str>) -> RemoteSpec {
    RemoteSpec {
        model: RemoteModel::OpenAi { base_url: base_url.to_owned(), model: "m".to_owned() },
        key_env: key_env.map(str::to_owned),
        identity: None,
        limit_field: None,
        seed: 1,
        patience: Patience::default(),
    }
}

fn azure(endpoint: &str, deployment: &str, api: AzureApi) -> RemoteSpec {
    let (endpoint, deployment) = (endpoint.to_owned(), deployment.to_owned());
    RemoteSpec { model: RemoteModel::AzureOpenAi { endpoint, deployment, api }, ..openai("", Some("K")) }
}

fn v1(version: Option<&str>) -> AzureApi {
    AzureApi::V1 { version: version.map(str::to_owned) }
}

fn dated() -> AzureApi {
    AzureApi::Deployment { version: "2024-10-21".to_owned() }
}

#[test]
fn every_way_to_write_an_address_leads_to_the_same_place() {
    for (spec, want) in [
        (openai("http://127.0.0.1:8000/v1", None), "http://127.0.0.1:8000/v1/chat/completions"),
        (openai("http://127.0.0.1:8000/v1/", None), "http://127.0.0.1:8000/v1/chat/completions"),
        (openai("https://h", Some("K")), "https://h/chat/completions"),
        (openai("http://[::1]:1/v1", Some("K")), "http://[::1]:1/v1/chat/completions"),
        (openai("http://localhost:11434/v1", Some("K")), "http://localhost:11434/v1/chat/completions"),
        (openai("http://vllm:8000/v1", None), "http://vllm:8000/v1/chat/completions"),
        (azure("https://r.openai.azure.com", "d", v1(None)), "https://r.openai.azure.com/openai/v1/chat/completions"),
        (azure("https://r.openai.azure.com/", "d", v1(None)), "https://r.openai.azure.com/openai/v1/chat/completions"),
        (
            azure("https://r.openai.azure.com/openai/v1/", "d", v1(Some("preview"))),
            "https://r.openai.azure.com/openai/v1/chat/completions?api-version=preview",
        ),
        (
            azure("https://r.openai.azure.com/openai/v1", "a b/c", dated()),
            "https://r.openai.azure.com/openai/deployments/a%20b%2Fc/chat/completions?api-version=2024-10-21",
        ),
        (
            azure("https://gateway.example/team/openai", "d", dated()),
            "https://gateway.example/team/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ),
    ] {
        assert_eq!(spec.url().unwrap(), want, "{spec:?}");
    }
}

#[test]
fn an_address_that_is_none_or_could_give_a_secret_away_is_refused() {
    for (spec, want) in [
        (openai("h", None), "is no address"),
        (openai("", None), "is no address"),
        (openai("ftp://h/v1", None), "is no address of a server"),
        (openai("data:x", None), "is no address of a server"),
        (openai("https://user:pass@h/v1", None), "holds a user"),
        (openai("https://h/v1?key=x", None), "holds a user"),
        (openai("https://h/v1#x", None), "holds a user"),
        (openai("http://h/v1", Some("K")), "unprotected"),
        (openai("http://127.0.0.1.example/v1", Some("K")), "unprotected"),
        (azure("http://r.openai.azure.com", "d", v1(None)), "unprotected"),
    ] {
        let message = spec.url().expect_err("must be refused");
        assert!(message.contains(want), "{spec:?}: {message}");
        assert!(!message.contains("pass") || message.contains("a password"), "{message}");
    }
}

#[test]
fn a_digest_is_of_all_that_determines_an_answer_and_of_nothing_else() {
    let digest = |s: &RemoteSpec| s.digest(&s.address().unwrap());
    let base = openai("http://127.0.0.1:8000/v1", None);
    let other =
        |model: &str| RemoteModel::OpenAi { base_url: "http://127.0.0.1:8000/v1".to_owned(), model: model.to_owned() };
    let same = [
        openai("http://127.0.0.1:8000/v1/", None),
        RemoteSpec { key_env: Some("K".to_owned()), ..base.clone() },
        RemoteSpec { limit_field: Some(LimitField::MaxTokens), ..base.clone() },
        RemoteSpec { patience: Patience { attempts: 1, ..Patience::default() }, ..base.clone() },
    ];
    for spec in &same {
        assert_eq!(digest(spec), digest(&base), "{spec:?}");
    }
    let different = [
        openai("http://127.0.0.1:8001/v1", None),
        RemoteSpec { model: other("n"), ..base.clone() },
        RemoteSpec { seed: 2, ..base.clone() },
        RemoteSpec { limit_field: Some(LimitField::MaxCompletionTokens), ..base.clone() },
        azure("https://r", "m", v1(None)),
        azure("https://r", "m", dated()),
        azure("https://r", "n", dated()),
    ];
    let mut all: Vec<Digest> = different.iter().map(digest).chain([digest(&base)]).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), different.len() + 1);
}

#[test]
fn a_key_that_is_not_there_is_named_by_its_variable_and_nothing_is_sent() {
    let spec = openai("https://h/v1", Some("GOLDGATE_TEST_NO_SUCH_KEY"));
    let want = "cannot ask `m`: the environment variable `GOLDGATE_TEST_NO_SUCH_KEY` is not set";
    assert_eq!(RemoteModels::check(&spec).unwrap_err().to_string(), want);
    assert_eq!(RemoteModels::load(std::slice::from_ref(&spec), 1).map(|_| ()).unwrap_err().to_string(), want);
    assert!(RemoteModels::load(&[], 1).unwrap().is_empty());
}

#[test]
fn a_shorter_pause_takes_nothing_off_a_longer_one() {
    let pause = Pause::default();
    let end = || pause.0.lock().unwrap().unwrap();
    pause.until(Duration::from_secs(3600));
    let long = end();
    pause.until(Duration::from_secs(1));
    assert_eq!(end(), long);
    pause.until(Duration::from_secs(7200));
    assert!(end() > long);
}

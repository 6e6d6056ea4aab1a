//! Addresses, keys and digests of remote targets; what needs a socket is tested on the built program.

use super::super::http::{LimitField, Mapping, Protocol, Sampling};
use super::*;

fn openai(base_url: &str, key_env: Option<&str>) -> RemoteSpec {
    RemoteSpec {
        model: RemoteModel::OpenAi { base_url: base_url.to_owned(), model: "m".to_owned() },
        failover: Vec::new(),
        protocol: Protocol::Chat,
        key_env: key_env.map(str::to_owned),
        identity: None,
        limit_field: None,
        seed: 1,
        sampling: Sampling::Greedy,
        effort: None,
        patience: Patience::default(),
        allowance: Allowance::default(),
    }
}

fn azure(endpoint: &str, deployment: &str, api: AzureApi) -> RemoteSpec {
    let (endpoint, deployment) = (endpoint.to_owned(), deployment.to_owned());
    RemoteSpec { model: RemoteModel::AzureOpenAi { endpoint, deployment, api }, ..openai("", Some("K")) }
}

fn ml(endpoint: &str, protocol: Protocol) -> RemoteSpec {
    let (endpoint, deployment) = (endpoint.to_owned(), "green".to_owned());
    let model = RemoteModel::AzureMl { endpoint, deployment, model: None };
    RemoteSpec { model, protocol, ..openai("", Some("K")) }
}

fn score() -> Protocol {
    Protocol::Score(Mapping {
        request: "{\"input\": {{ prompt }}}".to_owned(),
        text: "/output".to_owned(),
        usage: None,
        finish: None,
    })
}

fn responses(spec: RemoteSpec) -> RemoteSpec {
    RemoteSpec { protocol: Protocol::Responses, ..spec }
}

fn v1(version: Option<&str>) -> AzureApi {
    AzureApi::V1 { version: version.map(str::to_owned) }
}

fn dated() -> AzureApi {
    AzureApi::Deployment { version: "2024-10-21".to_owned() }
}

fn further(address: &str) -> Further {
    Further { address: address.to_owned(), key_env: None }
}

#[test]
fn a_further_endpoint_is_the_same_deployment_at_another_address_with_its_own_key_or_the_same() {
    for spec in [
        openai("https://a/v1", Some("K")),
        azure("https://a/openai/v1/", "d", v1(None)),
        ml("https://a/score", Protocol::Chat),
    ] {
        let own = Further { key_env: Some("B".to_owned()), ..further("https://c") };
        let all = RemoteSpec { failover: vec![further("https://b"), own], ..spec.clone() };
        let places = all.places();
        assert_eq!(places[0], spec);
        let hosts: Vec<_> = places.iter().map(|p| p.address().unwrap().host_str().unwrap().to_owned()).collect();
        assert_eq!(hosts, ["a", "b", "c"]);
        assert_eq!(places.iter().map(|p| p.key_env.as_deref().unwrap()).collect::<Vec<_>>(), ["K", "K", "B"]);
        assert!(places.iter().all(|p| p.name() == spec.name() && p.failover.is_empty()));
    }
    let spec = RemoteSpec { failover: vec![further("http://b")], ..openai("https://a/v1", Some("K")) };
    assert!(spec.places()[1].url().unwrap_err().contains("unprotected"));
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
        (ml("https://e.r.inference.ml.azure.com/score", score()), "https://e.r.inference.ml.azure.com/score"),
        (ml("https://e.r.inference.ml.azure.com", score()), "https://e.r.inference.ml.azure.com/score"),
        (ml("https://gateway/team/own/path/", score()), "https://gateway/team/own/path"),
        (ml("https://e/score", Protocol::Chat), "https://e/v1/chat/completions"),
        (responses(openai("https://h/v1", None)), "https://h/v1/responses"),
        (responses(azure("https://r", "d", v1(None))), "https://r/openai/v1/responses"),
        (responses(azure("https://r/openai/v1/", "d", dated())), "https://r/openai/responses?api-version=2024-10-21"),
        (ml("https://e/v1/", Protocol::Chat), "https://e/v1/chat/completions"),
        (ml("https://e/v1/chat/completions", Protocol::Chat), "https://e/v1/chat/completions"),
    ] {
        assert_eq!(spec.url().unwrap(), want, "{spec:?}");
    }
}

#[test]
fn the_body_names_the_model_wherever_the_address_does_not() {
    assert_eq!(azure("https://r", "d", dated()).body_model(), None);
    assert_eq!(responses(azure("https://r", "d", dated())).body_model(), Some("d"));
    assert_eq!(azure("https://r", "d", v1(None)).body_model(), Some("d"));
}

#[test]
fn an_address_that_is_none_or_could_give_a_secret_away_is_refused() {
    for (spec, want) in [
        (openai("h", None), "is no address"),
        (openai("", None), "is no address"),
        (openai("ftp://h/v1", None), "is no address of a server"),
        (openai("data:x", None), "is no address of a server"),
        (openai("https://user:pass@h/v1", None), "holds a user"),
        (openai("https://user:pass@h:x/v1", None), "this is no address"),
        (openai("user:pass@h/v1", None), "this is no address of a server"),
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
        RemoteSpec { sampling: Sampling::Default, ..base.clone() },
        RemoteSpec { effort: Some("low".to_owned()), ..base.clone() },
        RemoteSpec { failover: vec![further("http://127.0.0.1:8002/v1")], ..base.clone() },
        RemoteSpec { failover: vec![further("http://127.0.0.1:8003/v1")], ..base.clone() },
        RemoteSpec { limit_field: Some(LimitField::MaxCompletionTokens), ..base.clone() },
        azure("https://r", "m", v1(None)),
        azure("https://r", "m", dated()),
        azure("https://r", "n", dated()),
        ml("https://r", Protocol::Chat),
        ml("https://r", score()),
        responses(base.clone()),
        responses(azure("https://r", "n", dated())),
        match score() {
            Protocol::Score(m) => ml("https://r", Protocol::Score(Mapping { finish: Some("/why".to_owned()), ..m })),
            other => panic!("{other:?}"),
        },
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
    assert_eq!(RemoteModels::load(&[(spec, Tape::Live)], 1, None).map(|_| ()).unwrap_err().to_string(), want);
    assert!(RemoteModels::load(&[], 1, None).unwrap().is_empty());
}

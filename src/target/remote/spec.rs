//! Which endpoint is asked, and how: everything about a remote target that can be known without a socket.

use super::super::http::{LimitField, Protocol, Sampling};
use super::identity::IdentitySpec;
use super::limit::Allowance;
use crate::types::{Digest, DigestBuilder};
use reqwest::Url;
use std::net::IpAddr;
use std::time::Duration;

/// The two ways to speak to Azure `OpenAI`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AzureApi {
    /// `/openai/v1/…`, the deployment in the body; `api-version` may be `preview`.
    V1 {
        /// `v1` or `preview`, if it is to be sent.
        version: Option<String>,
    },
    /// `/openai/deployments/NAME/…`, under a dated version.
    Deployment {
        /// The dated `api-version`.
        version: String,
    },
}

/// A remote model, as a project names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteModel {
    /// A server that speaks the `OpenAI` protocol under some address.
    OpenAi {
        /// Where `/chat/completions` lies, such as `http://127.0.0.1:8000/v1`.
        base_url: String,
        /// The model's name there.
        model: String,
    },
    /// A deployment of Azure `OpenAI`.
    AzureOpenAi {
        /// The resource's address.
        endpoint: String,
        /// The deployment's name.
        deployment: String,
        /// How it is spoken to.
        api: AzureApi,
    },
    /// A deployment of an Azure Machine Learning online endpoint.
    AzureMl {
        /// The endpoint's address: its scoring URI, or where `/v1/chat/completions` lies.
        endpoint: String,
        /// The deployment's name, which every request is pinned to whatever the endpoint's traffic rules.
        deployment: String,
        /// What the body of a chat completion calls the model, if the server behind the endpoint wants it called anything.
        model: Option<String>,
    },
}

/// How patient the asking is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The longest that one attempt may take.
    pub timeout: Duration,
    /// The longest from the sending of a request, its connection included, to the head of the reply; `None` leaves it to `timeout`. Whoever
    /// does not stream sends the head with the whole answer.
    pub first_byte: Option<Duration>,
    /// The longest that nothing may come in the middle of a reply; `None` leaves it to `timeout`. A model that thinks may send nothing for
    /// as long as it thinks.
    pub idle: Option<Duration>,
    /// The most attempts at one question.
    pub attempts: u32,
    /// The longest wait between two attempts; a server that asks for more has turned the question away.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let two_minutes = Duration::from_secs(120);
        Self { timeout: two_minutes, first_byte: None, idle: None, attempts: 5, longest_wait: two_minutes }
    }
}

/// A further endpoint of the same deployment, such as in another region: it is asked while the first cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Further {
    /// Its address, in the form of the target's own.
    pub address: String,
    /// The environment variable that holds its key; `None` takes the target's own credential.
    pub key_env: Option<String>,
}

/// What is asked, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteSpec {
    /// The model.
    pub model: RemoteModel,
    /// Further endpoints of the same deployment, in the order in which they are asked.
    pub failover: Vec<Further>,
    /// The form of questions and answers.
    pub protocol: Protocol,
    /// The environment variable that holds the key.
    pub key_env: Option<String>,
    /// The identity whose token takes the key's place.
    pub identity: Option<Box<IdentitySpec>>,
    /// The name of the token limit that is tried first; `None` takes the usual one of the protocol.
    pub limit_field: Option<LimitField>,
    /// The seed of the server's sampler; at temperature 0 most servers ignore it.
    pub seed: u64,
    /// How the server chooses among tokens.
    pub sampling: Sampling,
    /// How long a reasoning model thinks, in the server's word for it; it is passed on as it is.
    pub effort: Option<String>,
    /// How patient the asking is; it does not change what is asked.
    pub patience: Patience,
    /// What its deployment may be asked, and when it is left alone; it does not change what is asked.
    pub allowance: Allowance,
}

impl RemoteSpec {
    /// The kind in a project's file and in a run's manifest.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.model {
            RemoteModel::OpenAi { .. } => "openai",
            RemoteModel::AzureOpenAi { .. } => "azure-openai",
            RemoteModel::AzureMl { .. } => "azure-ml",
        }
    }

    /// The model's or the deployment's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.model {
            RemoteModel::OpenAi { model, .. } => model,
            RemoteModel::AzureOpenAi { deployment, .. } | RemoteModel::AzureMl { deployment, .. } => deployment,
        }
    }

    /// Whether the address is known, and not left to the environment.
    pub(super) fn has_address(&self) -> bool {
        match &self.model {
            RemoteModel::OpenAi { base_url: base, .. }
            | RemoteModel::AzureOpenAi { endpoint: base, .. }
            | RemoteModel::AzureMl { endpoint: base, .. } => !base.is_empty(),
        }
    }

    /// The target's endpoints in the order in which they are asked, each as a target of its own.
    #[must_use]
    pub fn places(&self) -> Vec<Self> {
        let first = Self { failover: Vec::new(), ..self.clone() };
        let further = self.failover.iter().map(|f| {
            let mut spec = first.clone();
            match &mut spec.model {
                RemoteModel::OpenAi { base_url: address, .. }
                | RemoteModel::AzureOpenAi { endpoint: address, .. }
                | RemoteModel::AzureMl { endpoint: address, .. } => address.clone_from(&f.address),
            }
            spec.key_env = f.key_env.clone().or(spec.key_env);
            spec
        });
        std::iter::once(first.clone()).chain(further).collect()
    }

    /// The address that is posted to. It holds no secret.
    ///
    /// # Errors
    /// What is wrong with the address, as a fragment.
    pub fn url(&self) -> Result<String, String> {
        self.address().map(|url| url.to_string())
    }

    pub(super) fn address(&self) -> Result<Url, String> {
        let (base, path, version) = match &self.model {
            RemoteModel::OpenAi { base_url, .. } if self.protocol == Protocol::Responses => {
                (base_url, vec!["responses"], None)
            }
            RemoteModel::AzureOpenAi { endpoint, api, .. } if self.protocol == Protocol::Responses => match api {
                AzureApi::V1 { version } => (endpoint, vec!["openai", "v1", "responses"], version.as_deref()),
                // The only path of this style that does not name the deployment.
                AzureApi::Deployment { version } => (endpoint, vec!["openai", "responses"], Some(version.as_str())),
            },
            RemoteModel::OpenAi { base_url, .. } => (base_url, vec!["chat", "completions"], None),
            RemoteModel::AzureOpenAi { endpoint, api: AzureApi::V1 { version }, .. } => {
                (endpoint, vec!["openai", "v1", "chat", "completions"], version.as_deref())
            }
            RemoteModel::AzureOpenAi { endpoint, deployment, api: AzureApi::Deployment { version } } => (
                endpoint,
                vec!["openai", "deployments", deployment.as_str(), "chat", "completions"],
                Some(version.as_str()),
            ),
            // The scoring URI is the endpoint's own; it is only completed where somebody wrote the host alone.
            RemoteModel::AzureMl { endpoint, .. } if matches!(self.protocol, Protocol::Score(_)) => {
                (endpoint, vec![], None)
            }
            RemoteModel::AzureMl { endpoint, .. } => (endpoint, vec!["v1", "chat", "completions"], None),
        };
        // What may hold a password is not shown, even where it cannot be read as an address.
        let shown = if base.contains(['@', '?', '#']) { "this".to_owned() } else { format!("`{base}`") };
        let mut url = Url::parse(base).map_err(|e| format!("{shown} is no address: {e}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(format!("{shown} is no address of a server; write `https://…`"));
        }
        // Shown in messages and kept in manifests: nothing that could be a secret may stand in it.
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(
                "the address holds a user, a password, a query or a fragment; write scheme, host and path only"
                    .to_owned(),
            );
        }
        if url.scheme() == "http" && (self.key_env.is_some() || self.identity.is_some()) && !is_loopback(&url) {
            return Err(format!("a key would go to `{base}` unprotected; write `https://…`"));
        }
        let mut kept: Vec<String> = url.path().split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
        let tails: &[&[&str]] = match (&self.model, &self.protocol) {
            // The portal shows the address with and without the path.
            (RemoteModel::AzureOpenAi { .. }, _) => &[&["openai", "v1"], &["openai"]],
            (RemoteModel::AzureMl { .. }, Protocol::Chat) => &[&["score"], &["v1", "chat", "completions"], &["v1"]],
            _ => &[],
        };
        {
            for tail in tails {
                if kept.ends_with(&tail.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()) {
                    kept.truncate(kept.len() - tail.len());
                }
            }
        }
        if matches!(self.protocol, Protocol::Score(_)) && kept.is_empty() {
            kept.push("score".to_owned());
        }
        url.set_path(&kept.join("/"));
        url.path_segments_mut()
            .map_err(|()| format!("`{base}` is no address of a server"))?
            .pop_if_empty()
            .extend(path);
        if let Some(version) = version {
            url.query_pairs_mut().append_pair("api-version", version);
        }
        Ok(url)
    }

    /// What is one deployment, whatever the way to it, in a text that is the same for all that ask it.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn deployed_at(&self) -> Result<String, String> {
        self.address().map(|url| self.deployment(&url))
    }

    /// What is one deployment, whatever the way to it: limits and waits hold for all that ask it.
    pub(super) fn deployment(&self, url: &Url) -> String {
        match &self.model {
            // Azure's names of deployments know no case, and both styles of its addresses lead to the same place.
            RemoteModel::AzureOpenAi { deployment, .. } => {
                format!("{} {}", url.origin().ascii_serialization(), deployment.to_lowercase())
            }
            RemoteModel::OpenAi { model, .. } => format!("{url} {model}"),
            // Names of Azure ML know case; the form of the question changes the path, not who answers.
            RemoteModel::AzureMl { deployment, .. } => {
                format!("{} {deployment}", url.origin().ascii_serialization())
            }
        }
    }

    /// What the body calls the model; `None` where the address names it.
    pub(super) fn body_model(&self) -> Option<&str> {
        match &self.model {
            RemoteModel::AzureOpenAi { api: AzureApi::Deployment { .. }, .. } if self.protocol == Protocol::Chat => {
                None
            }
            RemoteModel::AzureMl { model, .. } => model.as_deref(),
            _ => Some(self.name()),
        }
    }

    /// The token limit's name that is tried first.
    pub(super) fn first_limit_field(&self) -> LimitField {
        self.limit_field.unwrap_or(match self.model {
            RemoteModel::AzureOpenAi { api: AzureApi::V1 { .. }, .. } => LimitField::MaxCompletionTokens,
            _ => LimitField::MaxTokens,
        })
    }

    /// Digest of everything known that determines an answer: address, model, decoding. What stands behind the address is the server's
    /// secret; the model and fingerprint that it names are recorded with every answer.
    pub(super) fn digest(&self, url: &Url) -> Digest {
        let sampling: &[u8] = match self.sampling {
            Sampling::Greedy => b"temperature 0",
            Sampling::Default => b"temperature of the server",
        };
        let digest = DigestBuilder::new("goldgate.remote/1")
            .field(self.kind().as_bytes())
            .field(url.as_str().as_bytes())
            .field(self.name().as_bytes())
            .field(self.first_limit_field().as_str().as_bytes())
            .field(sampling)
            .field(&self.seed.to_le_bytes());
        // What a target may have beside: named, so that no two of them can be taken for each other.
        let mut more: Vec<(&str, &str)> = Vec::new();
        more.extend(self.effort.as_deref().map(|e| ("effort", e)));
        if let RemoteModel::AzureMl { model: Some(model), .. } = &self.model {
            more.push(("model", model));
        }
        if self.protocol == Protocol::Responses {
            more.push(("protocol", "responses"));
        }
        if let Protocol::Score(m) = &self.protocol {
            more.extend([("request", m.request.as_str()), ("text", m.text.as_str())]);
            more.extend(m.usage.iter().flat_map(|(p, c)| [("prompt-tokens", p.as_str()), ("completion-tokens", c)]));
            more.extend(m.finish.as_deref().map(|f| ("finish", f)));
        }
        // Whoever may answer is part of what answers.
        let further: Vec<String> = self.places()[1..].iter().filter_map(|place| place.url().ok()).collect();
        more.extend(further.iter().map(|url| ("failover", url.as_str())));
        more.into_iter().fold(digest, |d, (name, value)| d.field(name.as_bytes()).field(value.as_bytes())).finish()
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|a| a.is_loopback())
}

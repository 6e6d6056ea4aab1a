//! Which endpoint is asked, and how: everything about a remote target that can be known without a socket.

use super::super::http::LimitField;
use super::identity::IdentitySpec;
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
}

/// How patient the asking is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The longest that one attempt may take.
    pub timeout: Duration,
    /// The most attempts at one question.
    pub attempts: u32,
    /// The longest wait between two attempts; a server that asks for more has turned the question away.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(120), attempts: 5, longest_wait: Duration::from_secs(120) }
    }
}

/// What is asked, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSpec {
    /// The model.
    pub model: RemoteModel,
    /// The environment variable that holds the key.
    pub key_env: Option<String>,
    /// The identity whose token takes the key's place.
    pub identity: Option<Box<IdentitySpec>>,
    /// The name of the token limit that is tried first; `None` takes the usual one of the protocol.
    pub limit_field: Option<LimitField>,
    /// The seed of the server's sampler; at temperature 0 most servers ignore it.
    pub seed: u64,
    /// How patient the asking is; it does not change what is asked.
    pub patience: Patience,
}

impl RemoteSpec {
    /// The kind in a project's file and in a run's manifest.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.model {
            RemoteModel::OpenAi { .. } => "openai",
            RemoteModel::AzureOpenAi { .. } => "azure-openai",
        }
    }

    /// The model's or the deployment's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.model {
            RemoteModel::OpenAi { model, .. } => model,
            RemoteModel::AzureOpenAi { deployment, .. } => deployment,
        }
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
            RemoteModel::OpenAi { base_url, .. } => (base_url, vec!["chat", "completions"], None),
            RemoteModel::AzureOpenAi { endpoint, api: AzureApi::V1 { version }, .. } => {
                (endpoint, vec!["openai", "v1", "chat", "completions"], version.as_deref())
            }
            RemoteModel::AzureOpenAi { endpoint, deployment, api: AzureApi::Deployment { version } } => (
                endpoint,
                vec!["openai", "deployments", deployment.as_str(), "chat", "completions"],
                Some(version.as_str()),
            ),
        };
        let mut url = Url::parse(base).map_err(|e| format!("`{base}` is no address: {e}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(format!("`{base}` is no address of a server; write `https://…`"));
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
        if matches!(self.model, RemoteModel::AzureOpenAi { .. }) {
            // The portal shows the address with and without the path.
            for tail in [&["openai", "v1"][..], &["openai"]] {
                if kept.ends_with(&tail.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()) {
                    kept.truncate(kept.len() - tail.len());
                }
            }
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

    /// What the body calls the model; `None` where the address names it.
    pub(super) fn body_model(&self) -> Option<&str> {
        match &self.model {
            RemoteModel::AzureOpenAi { api: AzureApi::Deployment { .. }, .. } => None,
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
        DigestBuilder::new("goldgate.remote/1")
            .field(self.kind().as_bytes())
            .field(url.as_str().as_bytes())
            .field(self.name().as_bytes())
            .field(self.first_limit_field().as_str().as_bytes())
            .field(b"temperature 0")
            .field(&self.seed.to_le_bytes())
            .finish()
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|a| a.is_loopback())
}

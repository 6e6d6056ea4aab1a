//! Remote deployments as targets: one client for all, streamed answers, bounded retries, times of first attempts only.

mod ask;
mod limit;
mod secret;
mod spec;
#[cfg(test)]
mod tests;

pub use limit::{Allowance, RateLimits, Spend, TokenPrice};
pub use spec::{AzureApi, Patience, RemoteModel, RemoteSpec};

use super::http::LimitField;
use super::{Answer, Question, Target};
use crate::types::Digest;
use limit::{Deployment, Shared};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url, redirect};
use secret::Key;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Why a remote target cannot be asked; nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The address, or the key's variable, is not usable.
    #[error("cannot ask `{model}`: {reason}")]
    Spec {
        /// The model or deployment.
        model: String,
        /// What is wrong.
        reason: String,
    },
    /// The machine cannot speak HTTPS.
    #[error("cannot prepare connections: {0}")]
    Client(String),
}

/// Pins a request to a deployment of an Azure ML endpoint, and says in the reply which one answered.
const DEPLOYMENT: HeaderName = HeaderName::from_static("azureml-model-deployment");

/// Prepares remote deployments.
pub struct RemoteModels;

impl RemoteModels {
    /// One target per spec, in their order, over one client; specs of one deployment share its limits, and all share the cap on money, if
    /// there is one. Nothing is sent. `run_seed` is the seed of the back-off.
    ///
    /// # Errors
    /// The first spec with a wrong address, or whose key is not in the environment.
    pub fn load(
        specs: &[RemoteSpec],
        run_seed: u64,
        spend: Option<Arc<Spend>>,
    ) -> Result<Vec<Arc<dyn Target>>, RemoteError> {
        if specs.is_empty() {
            return Ok(Vec::new());
        }
        let client = client()?;
        let shared = Shared::new(spend);
        let mut deployments: HashMap<String, Arc<Deployment>> = HashMap::new();
        let mut targets: Vec<Arc<dyn Target>> = Vec::with_capacity(specs.len());
        for spec in specs {
            let wrong = |reason| RemoteError::Spec { model: spec.name().to_owned(), reason };
            let url = spec.address().map_err(wrong)?;
            let key = spec.key_env.as_deref().map(Key::from_env).transpose().map_err(wrong)?;
            let headers = headers(spec, key.as_ref()).map_err(wrong)?;
            // A server that turns one question away for its load means all who ask this deployment.
            let deployment = deployments
                .entry(spec.deployment(&url))
                .or_insert_with(|| Deployment::new(spec.allowance, Arc::clone(&shared)));
            deployment.tighten(spec.allowance);
            targets.push(Arc::new(RemoteTarget(Arc::new(RemoteInner {
                digest: spec.digest(&url),
                limit_field: Mutex::new(spec.first_limit_field()),
                spec: spec.clone(),
                url,
                client: client.clone(),
                headers,
                key,
                deployment: Arc::clone(deployment),
                run_seed,
            }))));
        }
        Ok(targets)
    }

    /// Checks a spec without sending anything: its address, and that its key is in the environment.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(spec: &RemoteSpec) -> Result<Digest, RemoteError> {
        let wrong = |reason| RemoteError::Spec { model: spec.name().to_owned(), reason };
        let url = spec.address().map_err(wrong)?;
        spec.key_env.as_deref().map(Key::from_env).transpose().map_err(wrong)?;
        Ok(spec.digest(&url))
    }
}

fn client() -> Result<Client, RemoteError> {
    // The process has one provider of cryptography. Where a program that uses this library has chosen another, that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("goldgate/", env!("CARGO_PKG_VERSION")))
        // A redirect would carry the key to a host that nobody configured.
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .build()
        .map_err(|e| {
            let cause = std::error::Error::source(&e).map(|c| format!(": {c}")).unwrap_or_default();
            RemoteError::Client(format!("{e}{cause}"))
        })
}

fn headers(spec: &RemoteSpec, key: Option<&Key>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
    if let RemoteModel::AzureMl { deployment, .. } = &spec.model {
        // Without it the endpoint's traffic rules choose who answers, and the run measures a mixture.
        let value = HeaderValue::try_from(deployment)
            .map_err(|_| format!("the deployment's name `{deployment}` cannot stand in a header"))?;
        headers.insert(DEPLOYMENT, value);
    }
    if let Some(key) = key {
        let (name, value) = match spec.model {
            RemoteModel::OpenAi { .. } | RemoteModel::AzureMl { .. } => {
                (AUTHORIZATION, format!("Bearer {}", key.expose()))
            }
            RemoteModel::AzureOpenAi { .. } => (HeaderName::from_static("api-key"), key.expose().to_owned()),
        };
        let mut value = HeaderValue::try_from(value).map_err(|_| "the key cannot stand in a header".to_owned())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

struct RemoteTarget(Arc<RemoteInner>);

impl Target for RemoteTarget {
    fn digest(&self) -> Digest {
        self.0.digest
    }

    fn ask(&self, question: Question) -> Answer {
        let target = Arc::clone(&self.0);
        Box::pin(async move { target.answer(&question).await })
    }
}

struct RemoteInner {
    spec: RemoteSpec,
    url: Url,
    digest: Digest,
    client: Client,
    headers: HeaderMap,
    key: Option<Key>,
    deployment: Arc<Deployment>,
    run_seed: u64,
    /// The token limit's name that this server takes, as far as is known.
    limit_field: Mutex<LimitField>,
}

impl RemoteInner {
    fn limit_field(&self) -> LimitField {
        *self.limit_field.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server refused a name: from now on it is asked with the other, unless another question has found that out already.
    fn rename_limit(&self, refused: LimitField) {
        *self.limit_field.lock().unwrap_or_else(PoisonError::into_inner) = refused.other();
    }

    fn redact(&self, text: String) -> String {
        match &self.key {
            Some(key) => key.redact(text),
            None => text,
        }
    }
}

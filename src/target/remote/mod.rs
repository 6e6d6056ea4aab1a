//! Remote deployments as targets: one client for all, streamed answers, bounded retries, times of first attempts only.

mod access;
mod ask;
mod examine;
mod identity;
mod secret;
mod spec;
#[cfg(test)]
mod tests;

pub use examine::{Examined, TokenFacts};
pub use identity::{Found, IdentityKind, IdentitySpec, PassedOver, Signature};
pub use spec::{AzureApi, Patience, RemoteModel, RemoteSpec};

use super::http::LimitField;
use super::{Answer, Question, Target};
use crate::types::Digest;
use access::Access;
use identity::Identity;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Url, redirect};
use secret::Key;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

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

/// Prepares remote deployments.
pub struct RemoteModels;

impl RemoteModels {
    /// One target per spec, in their order, over one client. Nothing is sent. `run_seed` is the seed of the back-off.
    ///
    /// # Errors
    /// The first spec with a wrong address, or whose key is not in the environment.
    pub fn load(specs: &[RemoteSpec], run_seed: u64) -> Result<Vec<Arc<dyn Target>>, RemoteError> {
        if specs.is_empty() {
            return Ok(Vec::new());
        }
        Self::load_over(specs, run_seed, &Clients::new()?, HashMap::new())
    }

    fn load_over(
        specs: &[RemoteSpec],
        run_seed: u64,
        clients: &Clients,
        mut identities: HashMap<IdentitySpec, Arc<Identity>>,
    ) -> Result<Vec<Arc<dyn Target>>, RemoteError> {
        let mut pauses: HashMap<(Url, String), Arc<Pause>> = HashMap::new();
        let mut targets: Vec<Arc<dyn Target>> = Vec::with_capacity(specs.len());
        for spec in specs {
            let wrong = |reason| RemoteError::Spec { model: spec.name().to_owned(), reason };
            let url = spec.address().map_err(wrong)?;
            let access = clients.access(spec, &mut identities).map_err(wrong)?;
            // A server that turns one question away for its load means all who ask this deployment.
            let pause = Arc::clone(pauses.entry((url.clone(), spec.name().to_owned())).or_default());
            targets.push(Arc::new(RemoteTarget(Arc::new(RemoteInner {
                digest: spec.digest(&url),
                limit_field: Mutex::new(spec.first_limit_field()),
                spec: spec.clone(),
                url,
                client: clients.out.clone(),
                headers: headers(),
                access,
                pause,
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
        Clients::new()?.access(spec, &mut HashMap::new()).map_err(wrong)?;
        Ok(spec.digest(&url))
    }
}

/// The connections of a process: what is shared by its targets.
struct Clients {
    /// For the network.
    out: Client,
    /// For services of this machine: without a proxy, and quick to see that nobody is there.
    near: Client,
}

impl Clients {
    fn new() -> Result<Self, RemoteError> {
        // The process has one provider of cryptography. Where a program that uses this library has chosen another, that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let build = |connect: Duration, proxy: bool| {
            let builder = Client::builder()
                .user_agent(concat!("goldgate/", env!("CARGO_PKG_VERSION")))
                // A redirect would carry the key to a host that nobody configured.
                .redirect(redirect::Policy::none())
                .connect_timeout(connect);
            let builder = if proxy { builder } else { builder.no_proxy() };
            builder.build().map_err(|e| {
                let cause = std::error::Error::source(&e).map(|c| format!(": {c}")).unwrap_or_default();
                RemoteError::Client(format!("{e}{cause}"))
            })
        };
        Ok(Self { out: build(Duration::from_secs(10), true)?, near: build(Duration::from_secs(1), false)? })
    }

    /// How a target is asked, by what the environment says; nothing is sent. Equal identities are one.
    fn access(
        &self,
        spec: &RemoteSpec,
        identities: &mut HashMap<IdentitySpec, Arc<Identity>>,
    ) -> Result<Access, String> {
        if let Some(identity) = &spec.identity {
            if let Some(known) = identities.get(identity.as_ref()) {
                return Ok(Access::Identity(Arc::clone(known)));
            }
            let new = Arc::new(Identity::new(identity, self.out.clone(), self.near.clone())?);
            identities.insert(identity.as_ref().clone(), Arc::clone(&new));
            return Ok(Access::Identity(new));
        }
        let key = spec.key_env.as_deref().map(Key::from_env).transpose()?;
        Ok(key.map_or(Access::Open, |key| Access::key(spec, key)))
    }
}

fn headers() -> HeaderMap {
    HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (ACCEPT, HeaderValue::from_static("text/event-stream, application/json")),
    ])
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
    access: Access,
    pause: Arc<Pause>,
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
        self.access.redact(text)
    }
}

/// Until when a deployment is not asked, because its server said so.
#[derive(Default)]
struct Pause(Mutex<Option<Instant>>);

impl Pause {
    /// Lets nobody ask for a while.
    fn until(&self, wait: Duration) {
        let end = Instant::now() + wait;
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *until = Some(until.map_or(end, |u| u.max(end)));
    }

    /// Waits until one may ask, and says how long that was.
    async fn wait(&self) -> Duration {
        let now = || *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, mut waited) = (Instant::now(), Duration::ZERO);
        // It may have grown while we slept.
        while let Some(end) = now().filter(|end| *end > Instant::now()) {
            tokio::time::sleep_until(end).await;
            waited = began.elapsed();
        }
        waited
    }
}

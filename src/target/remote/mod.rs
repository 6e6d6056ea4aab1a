//! Remote deployments as targets: one client for all, streamed answers, bounded retries, times of first attempts only.

mod access;
mod ask;
mod call;
mod cassette;
mod examine;
mod identity;
mod limit;
mod place;
mod reply;
mod secret;
mod spec;
#[cfg(test)]
mod tests;

pub use cassette::{CassetteError, Player, Recorder, Recording, Replay, Tape, TapedRun};
pub use examine::{Examined, TokenFacts};
pub use identity::{Found, IdentityKind, IdentitySpec, PassedOver, Signature};
pub use limit::{Allowance, RateLimits, Spend, TokenPrice, estimated_tokens};
pub use spec::{AzureApi, Further, Patience, RemoteModel, RemoteSpec};

use super::{Answer, Question, Target};
use crate::types::Digest;
use access::Access;
use identity::Identity;
use limit::{Deployment, Shared};
use place::Place;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, NoProxy, Proxy, Url, redirect};
use secret::Key;
use std::collections::HashMap;
use std::sync::Arc;
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
    /// Its recording cannot be written or used.
    #[error(transparent)]
    Cassette(#[from] CassetteError),
}

/// Pins a request to a deployment of an Azure ML endpoint, and says in the reply which one answered.
const DEPLOYMENT: HeaderName = HeaderName::from_static("azureml-model-deployment");

/// Prepares remote deployments.
pub struct RemoteModels;

impl RemoteModels {
    /// One target per spec, in their order, over one client; specs of one deployment share its limits, and all share the cap on money, if
    /// there is one. Nothing is sent. `run_seed` is the seed of the back-off. Every spec has its tape: a recording that answers needs neither
    /// a key nor an address.
    ///
    /// # Errors
    /// The first spec with a wrong address, or whose key is not in the environment; or whose recording is of something else.
    pub fn load(
        specs: &[(RemoteSpec, Tape)],
        run_seed: u64,
        spend: Option<Arc<Spend>>,
    ) -> Result<Vec<Arc<dyn Target>>, RemoteError> {
        if specs.is_empty() {
            return Ok(Vec::new());
        }
        Self::load_over(specs, run_seed, spend, &Clients::new()?, HashMap::new())
    }

    fn load_over(
        specs: &[(RemoteSpec, Tape)],
        run_seed: u64,
        spend: Option<Arc<Spend>>,
        clients: &Clients,
        mut identities: HashMap<IdentitySpec, Arc<Identity>>,
    ) -> Result<Vec<Arc<dyn Target>>, RemoteError> {
        let shared = Shared::new(spend);
        let mut deployments: HashMap<String, Arc<Deployment>> = HashMap::new();
        let mut targets: Vec<Arc<dyn Target>> = Vec::with_capacity(specs.len());
        for (spec, tape) in specs {
            let wrong = |reason| RemoteError::Spec { model: spec.name().to_owned(), reason };
            let url = match tape {
                Tape::Replay(player) => recorded(spec, player)?,
                _ => spec.address().map_err(wrong)?,
            };
            let digest = spec.digest(&url);
            if let Tape::Record(recorder) = tape {
                recorder.introduce(spec.kind(), spec.name(), url.as_str(), digest);
            }
            let allowance = if tape.is_replay() { Allowance::boundless() } else { spec.allowance };
            let headers = headers(spec).map_err(wrong)?;
            let mut places = Vec::with_capacity(1 + spec.failover.len());
            for (i, place) in spec.places().iter().enumerate() {
                let url = if i == 0 { url.clone() } else { place.address().map_err(wrong)? };
                let access = match tape {
                    Tape::Replay(_) => Access::Open,
                    _ => clients.access(place, &mut identities).map_err(wrong)?,
                };
                // A server that turns one question away for its load means all who ask this deployment.
                let deployment = deployments
                    .entry(place.deployment(&url))
                    .or_insert_with(|| Deployment::new(allowance, Arc::clone(&shared)));
                deployment.tighten(allowance);
                places.push(Place::new(url, access, Arc::clone(deployment), spec.first_limit_field()));
            }
            targets.push(Arc::new(RemoteTarget(Arc::new(RemoteInner {
                digest,
                tape: tape.clone(),
                spec: spec.clone(),
                client: clients.out.clone(),
                headers,
                places,
                shared: Arc::clone(&shared),
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
        let clients = Clients::new()?;
        for place in spec.places() {
            place.address().map_err(wrong)?;
            clients.access(&place, &mut HashMap::new()).map_err(wrong)?;
        }
        Ok(spec.digest(&url))
    }
}

/// The address that a recording is of, if it is of this target. Where the project's file leaves the address to the environment, the recording
/// knows it.
fn recorded(spec: &RemoteSpec, player: &Player) -> Result<Url, RemoteError> {
    let (digest, address) = player.whose();
    let url = if spec.has_address() { spec.address() } else { Url::parse(address).map_err(|e| e.to_string()) };
    match url {
        Ok(url) if spec.digest(&url) == digest => Ok(url),
        url => {
            let now = url.map_or_else(|e| e, |url| format!("{} `{}` at {url}", spec.kind(), spec.name()));
            Err(RemoteError::Cassette(CassetteError::OtherRun(format!(
                "{}, and the target is {now}: address, name or what decides an answer (`sampling`, `seed`, `protocol`, …) is not what was \
                 recorded",
                player.describe()
            ))))
        }
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
        let build = |connect: Duration, proxy: Option<Proxy>| {
            // A proxy would read, and could answer, what is asked in plain text; none of the environment's is taken for that.
            let builder = Client::builder()
                .no_proxy()
                .user_agent(concat!("goldgate/", env!("CARGO_PKG_VERSION")))
                // A redirect would carry the key to a host that nobody configured.
                .redirect(redirect::Policy::none())
                .connect_timeout(connect);
            let builder = proxy.into_iter().fold(builder, reqwest::ClientBuilder::proxy);
            builder.build().map_err(|e| {
                let cause = std::error::Error::source(&e).map(|c| format!(": {c}")).unwrap_or_default();
                RemoteError::Client(format!("{e}{cause}"))
            })
        };
        Ok(Self { out: build(Duration::from_secs(10), secure_proxy()?)?, near: build(Duration::from_secs(1), None)? })
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

/// The proxy of the environment for `https://` addresses, which passes on what it cannot read.
fn secure_proxy() -> Result<Option<Proxy>, RemoteError> {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let Some(address) = std::env::var(variable).ok().filter(|a| !a.is_empty()) else { continue };
        // The address may hold a password, so that the message leaves it out.
        let proxy = Proxy::https(address).map_err(|_| {
            RemoteError::Client(format!("the environment variable `{variable}` holds no address of a proxy"))
        })?;
        return Ok(Some(proxy.no_proxy(NoProxy::from_env())));
    }
    Ok(None)
}

/// What every request of a target carries beside its credential.
fn headers(spec: &RemoteSpec) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (ACCEPT, HeaderValue::from_static("text/event-stream, application/json")),
    ]);
    if let RemoteModel::AzureMl { deployment, .. } = &spec.model {
        // Without it the endpoint's traffic rules choose who answers, and the run measures a mixture.
        let value = HeaderValue::try_from(deployment)
            .map_err(|_| format!("the deployment's name `{deployment}` cannot stand in a header"))?;
        headers.insert(DEPLOYMENT, value);
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
    digest: Digest,
    client: Client,
    headers: HeaderMap,
    tape: Tape,
    /// The endpoints; there is at least one.
    places: Vec<Place>,
    shared: Arc<Shared>,
    run_seed: u64,
}

impl RemoteInner {
    fn redact(&self, text: String) -> String {
        // An endpoint might repeat what it was never shown, if somebody gave it the same key.
        self.places.iter().fold(text, |text, place| place.access.redact(text))
    }

    /// As [`Self::redact`], of what a model said.
    fn redact_answer(&self, text: String) -> String {
        self.places.iter().fold(text, |text, place| place.access.redact_answer(text))
    }
}

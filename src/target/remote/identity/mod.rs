//! Identities: where the bearer token of a remote target comes from, one file per source, and one token for all who ask.

mod azure_cli;
mod cache;
mod certificate;
mod entra;
mod github;
mod managed;
mod net;
mod source;
mod spec;
#[cfg(test)]
mod tests;
mod token;

pub use spec::{IdentityKind, IdentitySpec, Signature};
pub(super) use token::Token;

use super::secret::Key;
use cache::Cache;
use net::Net;
use reqwest::Client;
use source::Sources;
use std::sync::{Arc, Mutex, PoisonError};

/// Why there is no token.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// The source is not on this machine, so that a chain goes on.
    Absent(String),
    /// The source is there and gives nothing.
    Failed(String),
}

impl Trouble {
    fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// The same with more words.
    fn with(self, more: &str) -> Self {
        match self {
            Self::Absent(m) => Self::Absent(m + more),
            Self::Failed(m) => Self::Failed(m + more),
        }
    }

    /// The same with what it is about in front: who reads a long message sees its start.
    fn about(self, what: &str) -> Self {
        match self {
            Self::Absent(m) => Self::Absent(format!("{what}: {m}")),
            Self::Failed(m) => Self::Failed(format!("{what}: {m}")),
        }
    }

    /// What happened.
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Absent(m) | Self::Failed(m) => m,
        }
    }
}

/// Every secret that this identity has handled, so that none of them is ever shown.
#[derive(Default)]
pub(super) struct Secrets(Mutex<Vec<Key>>);

impl Secrets {
    fn keep(&self, text: &str) {
        if let Some(key) = Key::new(text) {
            self.add(key);
        }
    }

    fn add(&self, key: Key) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.iter().all(|k| k.expose() != key.expose()) {
            all.push(key);
        }
    }

    fn redact(&self, text: String) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().fold(text, |text, key| key.redact(text))
    }

    fn all(&self) -> Vec<Key> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A source that was looked at and not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// The source, as a project names it.
    pub source: &'static str,
    /// Why it was not taken.
    pub why: String,
}

/// Which identity was found, by names and never by values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The source, as a project names it.
    pub source: &'static str,
    /// The variables or the place that it came from.
    pub from: Vec<String>,
    /// The sources before it, in the chain's order.
    pub passed_over: Vec<PassedOver>,
}

/// The most characters that are kept of why there is no token.
const TOLD: usize = 1500;

/// An identity at work: its sources, its token, its secrets.
pub(super) struct Identity {
    sources: Sources,
    cache: Cache,
    secrets: Secrets,
    net: Net,
    /// The source that gave the first token; a chain does not change its mind afterwards.
    chosen: Mutex<Option<usize>>,
}

impl Identity {
    /// Reads what the environment says about an identity; nothing is sent. `out` is for the network, `near` for this machine.
    pub(super) fn new(spec: &IdentitySpec, out: Client, near: Client) -> Result<Self, String> {
        let secrets = Secrets::default();
        let sources = Sources::new(spec)?;
        for key in sources.keys() {
            secrets.add(key.clone());
        }
        let net = Net { out, near, timeout: spec.timeout };
        Ok(Self { sources, cache: Cache::default(), secrets, net, chosen: Mutex::new(None) })
    }

    /// The token of now.
    pub(super) async fn token(&self) -> Result<Arc<Token>, Trouble> {
        let fetched = self.cache.get(|| self.fetch()).await;
        fetched.map_err(|t| match t {
            Trouble::Absent(m) => Trouble::Absent(self.told(m)),
            Trouble::Failed(m) => Trouble::Failed(self.told(m)),
        })
    }

    /// The start of what a service said, cut when no secret is in it any more: the half of one would not be known for what it is.
    fn told(&self, said: String) -> String {
        self.redact(said).chars().take(TOLD).collect()
    }

    /// The endpoint refused a token.
    pub(super) async fn refused(&self, token: &Arc<Token>) {
        self.cache.refused(token).await;
    }

    /// A text without any secret of this identity.
    pub(super) fn redact(&self, text: String) -> String {
        self.secrets.redact(text)
    }

    /// Every secret that it has handled.
    pub(super) fn secrets(&self) -> Vec<Key> {
        self.secrets.all()
    }

    /// Which source was taken, or is the first that will be tried.
    pub(super) fn found(&self) -> Found {
        let chosen = *self.chosen();
        let at = chosen.unwrap_or(0);
        let source = &self.sources.present[at];
        let mut passed_over = self.sources.passed_over.clone();
        for before in &self.sources.present[..at] {
            passed_over.push(PassedOver { source: before.name(), why: before.absence().to_owned() });
        }
        Found { source: source.name(), from: source.from(), passed_over }
    }

    fn chosen(&self) -> std::sync::MutexGuard<'_, Option<usize>> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) -> Result<Token, Trouble> {
        let chosen = *self.chosen();
        let mut absent = Vec::new();
        for (i, source) in self.sources.present.iter().enumerate() {
            if chosen.is_some_and(|c| c != i) {
                continue;
            }
            match source.fetch(&self.net, &self.secrets).await {
                Ok(token) => {
                    self.secrets.add(token.key.clone());
                    *self.chosen() = Some(i);
                    return Ok(token);
                }
                Err(Trouble::Absent(m)) => absent.push(format!("{}: {m}", source.name())),
                Err(Trouble::Failed(m)) => return Err(Trouble::Failed(format!("{}: {m}", source.name()))),
            }
        }
        Err(Trouble::Absent(absent.join("; ")))
    }
}

/// A variable that must be set.
fn variable(name: &str) -> Result<String, String> {
    optional(name).ok_or_else(|| format!("the environment variable `{name}` is not set or empty"))
}

/// A variable that may be set.
fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
}

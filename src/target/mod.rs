//! A model that one can ask, and its providers. The rest of the program sees the [`Target`] trait only.

mod http;
mod local;
mod remote;
#[cfg(test)]
mod tests;

pub use http::{LimitField, Mapping, Protocol, Sampling};
pub use local::{LocalError, LocalModels, LocalSpec};
pub use remote::{
    Allowance, AzureApi, CassetteError, Examined, Found, IdentityKind, IdentitySpec, PassedOver, Patience, Player,
    RateLimits, Recorder, Recording, RemoteError, RemoteModel, RemoteModels, RemoteSpec, Replay, Signature, Spend,
    Tape, TapedRun, TokenFacts, TokenPrice,
};

use crate::types::{CaseId, Digest, Failure, Response, Turn};
use std::future::Future;
use std::pin::Pin;

/// One question: a prompt and how long the answer may be. Decoding is greedy unless a remote target says otherwise.
#[derive(Clone, Debug)]
pub struct Question {
    /// The prompt.
    pub turns: Vec<Turn>,
    /// The longest answer, tokens.
    pub max_new_tokens: u32,
    /// The trial that asks, by which a recording knows its exchanges; `None` for what belongs to no run.
    pub trial: Option<TrialRef>,
}

/// A trial of one target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrialRef {
    /// The case.
    pub case: CaseId,
    /// Which repeat of it, from 0.
    pub repeat: u32,
}

/// What comes back, in time.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response, Failure>> + Send>>;

/// A model that one can ask: a local checkpoint or a remote deployment.
///
/// A target answers many questions at once; how many are in flight is the caller's choice, how they are batched is the target's.
pub trait Target: Send + Sync {
    /// Digest of what answers, as far as it is known: weights, adapter, tokenizer, templates; or address, name and decoding of a
    /// deployment, whose weights only its server knows. Two local targets of one digest give one answer.
    fn digest(&self) -> Digest;

    /// Asks one question. The future is independent of the target's borrow, so that many can be in flight.
    fn ask(&self, question: Question) -> Answer;
}

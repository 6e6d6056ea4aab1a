//! A model that one can ask, and its providers. The rest of the program sees the [`Target`] trait only.

mod http;
mod local;
mod remote;
#[cfg(test)]
mod tests;

pub use http::{LimitField, Mapping, Protocol, Sampling};
pub use local::{LocalError, LocalModels, LocalSpec};
pub use remote::{
    Allowance, AzureApi, CassetteError, Examined, Found, Further, IdentityKind, IdentitySpec, PassedOver, Patience,
    Player, RateLimits, Recorder, Recording, RemoteError, RemoteModel, RemoteModels, RemoteSpec, Replay, Signature,
    Spend, Tape, TapedRun, TokenFacts, TokenPrice, estimated_tokens,
};

use crate::types::{CaseId, Digest, Failure, Response, Turn, Wants};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// One question: a prompt, how long the answer may be, and what it is asked to be beside a text. Decoding is greedy unless a remote
/// target says otherwise.
#[derive(Clone, Debug)]
pub struct Question {
    /// The prompt.
    pub turns: Vec<Turn>,
    /// The longest answer, tokens.
    pub max_new_tokens: u32,
    /// What is asked for beside a text; a target that cannot give it does not answer.
    pub wants: Wants,
    /// Who asks in a run, by which a recording knows its exchanges; `None` for what belongs to no run.
    pub trial: Option<TrialRef>,
}

/// Who asks one target in a run: a trial, or a probe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrialRef {
    /// A trial.
    Case {
        /// The case.
        case: CaseId,
        /// Which repeat of it, from 0.
        repeat: u32,
    },
    /// A probe.
    Probe {
        /// When in the run.
        when: Probing,
        /// Which question of it, from 0.
        question: u32,
    },
}

/// When in a run a target is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probing {
    /// Before its first question.
    Before,
    /// After its last.
    After,
}

impl fmt::Display for TrialRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Case { case, .. } => write!(f, "case `{case}`"),
            Self::Probe { when: Probing::Before, .. } => f.write_str("the probe before the first question"),
            Self::Probe { when: Probing::After, .. } => f.write_str("the probe after the last question"),
        }
    }
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

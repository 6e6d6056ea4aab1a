//! What a trial came back with. Failures are outcomes of their own, never dropped.

use super::Untrusted;
use serde::{Deserialize, Serialize};

/// An answer with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Response {
    /// What the model said, without the prompt and without end tokens.
    pub text: Untrusted,
    /// Why it stopped.
    pub finish: Finish,
    /// Tokens, by the model's own tokenizer or by the server's count.
    pub usage: Usage,
    /// The smallest distance between the two best logits over the answer, where the target tells: near 0 means that the answer hung by
    /// a thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_gap: Option<f32>,
    /// When what came.
    pub timing: Timing,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finish {
    /// The model ended it.
    Stop,
    /// The token limit cut it.
    Length,
}

/// Tokens of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Usage {
    /// Tokens of the rendered prompt.
    pub prompt: u64,
    /// Tokens of the answer, the end token included.
    pub completion: u64,
}

/// Monotonic times of one question in microseconds, measured where the answer is made and never read from a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Timing {
    /// From submission to the start of work on it.
    pub queued_us: u64,
    /// From submission to the first token.
    pub first_token_us: u64,
    /// From submission to the last token.
    pub total_us: u64,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Failure {
    /// The class of the failure.
    pub kind: FailureKind,
    /// What happened; it may quote a server.
    pub message: Untrusted,
}

/// Classes of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The question cannot be asked of this model: too long, or its template refuses it. It is the trial's outcome.
    Refused,
    /// The model computed something that is no answer, such as non-finite logits. It is the trial's outcome.
    Broken,
    /// The target itself is gone. The run stops and can be resumed.
    Unavailable,
}

/// What became of a trial. Failures are outcomes of their own and are never dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The model answered and stopped by itself.
    Answered,
    /// The answer was cut at the token limit.
    Truncated,
    /// No answer came back.
    Failed,
}

impl Outcome {
    /// The word for it, as stored and shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Truncated => "truncated",
            Self::Failed => "failed",
        }
    }
}

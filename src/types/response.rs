//! What a trial came back with. Failures are outcomes of their own, never dropped.

use super::{TokenLogprob, ToolCall, Untrusted};
use serde::{Deserialize, Serialize};

/// An answer with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Response {
    /// What the model said, without the prompt and without end tokens; empty where it only called tools.
    pub text: Untrusted,
    /// The tools that it wants called, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Whether the server gave the text as a refusal, in a field of its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub refused: bool,
    /// The text's tokens with their probabilities, where they were asked for and came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Vec<TokenLogprob>>,
    /// Why it stopped.
    pub finish: Finish,
    /// Tokens, by the model's own tokenizer or by the server's count; `None` where a server did not say: unknown is not 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The smallest distance between the two best logits over the answer, where the target tells: near 0 means that the answer hung by
    /// a thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_gap: Option<f32>,
    /// When what came.
    pub timing: Timing,
    /// How a remote target came by it; `None` for an answer that was made in this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<Box<Served>>,
}

impl Response {
    /// Whether its times are those of one undisturbed asking: what a server answered only at a second attempt met another load than
    /// what it answered at once, so its times are no sample of either. What another endpoint than the first answered came from another
    /// region, and times of two regions are never taken together.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.served.as_ref().is_none_or(|s| s.attempts <= 1 && !s.failover)
    }

    /// Whether the deployment's content filter was down, so that the answer is not what the deployment gives as a rule.
    #[must_use]
    pub fn is_unchecked(&self) -> bool {
        self.served.as_ref().is_some_and(|s| s.unchecked)
    }

    /// Microseconds to its first token, as [`Timing`] has them, and from the moment at which it was due where the run asked at a stated
    /// rate: a question that was kept back because the target was slow is part of what its slowness costs, and would be missing from times
    /// that begin when it was sent at last ("coordinated omission").
    #[must_use]
    pub fn first_token_us(&self) -> u64 {
        self.timing.first_token_us.saturating_add(self.since_due_us())
    }

    /// Microseconds to its last token, counted as [`Self::first_token_us`] counts.
    #[must_use]
    pub fn total_us(&self) -> u64 {
        self.timing.total_us.saturating_add(self.since_due_us())
    }

    fn since_due_us(&self) -> u64 {
        self.served.as_ref().and_then(|s| s.sent_late_us()).unwrap_or(0)
    }

    /// Whether the time of its first token was seen: an answer that came in one piece has none.
    #[must_use]
    pub fn is_first_token_timed(&self) -> bool {
        self.is_timed() && self.served.as_ref().is_none_or(|s| s.streamed)
    }
}

/// How a remote target came by an answer or a failure: evidence, never an input of a score. Every text is the server's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Served {
    /// How often the question was sent.
    pub attempts: u32,
    /// Microseconds from its start to the moment at which it was sent for the last time: what the deployment's limits, a wait that the
    /// server asked for, the back-off, the fetching of a token, a connection that was not made or an attempt before took; in no other time.
    pub waited_us: u64,
    /// Microseconds between the moment at which it was due and its start; what it was kept back from then on is in `waited_us`. `None` where
    /// the run did not ask at a stated rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_us: Option<u64>,
    /// Whether as many questions as may be were in flight when it was due.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_bound: bool,
    /// Attempts without an answer that the server may have billed, and of which nobody knows the tokens.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uncounted: u32,
    /// Whether the answer came piece by piece.
    pub streamed: bool,
    /// The model that the server says answered: never the deployment's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Untrusted>,
    /// The back end's fingerprint, by which a change behind the deployment's name shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Untrusted>,
    /// The server's id of the request, for its support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Untrusted>,
    /// The region that served it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Untrusted>,
    /// The endpoint that was asked last, scheme and host; `None` where the target has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Untrusted>,
    /// Whether that was another endpoint than the target's first.
    #[serde(default, skip_serializing_if = "is_false")]
    pub failover: bool,
    /// Whether the content filter was down, so that nobody checked the answer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unchecked: bool,
    /// Whether the server wanted the token limit under its other name.
    #[serde(default, skip_serializing_if = "is_false")]
    pub limit_renamed: bool,
}

impl Served {
    /// Microseconds between the moment at which a question was due and the one at which it was sent, if the run asked at a stated rate.
    /// Of a question that was sent more than once, waits between the attempts are in it.
    #[must_use]
    pub fn sent_late_us(&self) -> Option<u64> {
        self.late_us.map(|late| late.saturating_add(self.waited_us))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finish {
    /// The model ended it.
    Stop,
    /// The token limit cut it.
    Length,
    /// The server's content filter cut or withheld it.
    Filtered,
    /// The model wants tools called before it goes on.
    ToolCalls,
}

/// Tokens of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Usage {
    /// Tokens of the rendered prompt.
    pub prompt: u64,
    /// Tokens of the answer, the end token and what the model thought before it included: all of it is made, waited for and paid for.
    pub completion: u64,
    /// How many of `completion` the model thought and did not say; `None` where the server did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
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
    /// What it took to learn it, where a remote target was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<Box<Served>>,
    /// Whether the server said that it takes no request of this form (HTTP 400 or 422); known while the run lasts, and not recorded.
    #[serde(skip)]
    pub form_refused: bool,
}

impl Failure {
    /// A failure that no server had a part in.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<Untrusted>) -> Self {
        Self { kind, message: message.into(), served: None, form_refused: false }
    }
}

/// Classes of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The question cannot be asked of this model: too long, or its template refuses it. It is the trial's outcome.
    Refused,
    /// What came is no answer, such as non-finite logits or a reply that cannot be read. It is the trial's outcome.
    Broken,
    /// The server's content filter refused the prompt. It is the trial's outcome.
    Filtered,
    /// The server turned the question away for its load or a quota at every attempt. It is the trial's outcome.
    Throttled,
    /// No whole answer came in time at any attempt. It is the trial's outcome.
    TimedOut,
    /// The server failed at every attempt. It is the trial's outcome.
    ServerError,
    /// Another deployment than the one that was asked answered: no evidence of this one. It is the trial's outcome.
    Elsewhere,
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
    /// A content filter refused the prompt, or cut the answer.
    Filtered,
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
            Self::Filtered => "filtered",
            Self::Failed => "failed",
        }
    }

    /// Whether the model's own answer came, be it cut at the token limit.
    #[must_use]
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Answered | Self::Truncated)
    }
}

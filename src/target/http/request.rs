//! The body of a chat completion request. What is not set is left out: some servers take `null` for a value.

use super::wants::{self, ChatFormat, ChatTool};
use crate::types::{Turn, Wants};
use serde::Serialize;
use serde_json::Value;

/// What a server calls the limit on the answer's tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitField {
    /// `max_tokens`: the older name, which most compatible servers know.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`: the newer name, the only one that reasoning models take.
    MaxCompletionTokens,
}

impl LimitField {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }

    /// The other name.
    pub(in crate::target) fn other(self) -> Self {
        match self {
            Self::MaxTokens => Self::MaxCompletionTokens,
            Self::MaxCompletionTokens => Self::MaxTokens,
        }
    }
}

/// How the server is to choose among tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    /// Temperature 0: always the likeliest.
    #[default]
    Greedy,
    /// As the server does where nothing is asked: the only way that reasoning models take.
    Default,
}

/// One question as a request.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::target) struct Ask<'a> {
    /// The model or deployment; `None` where the address names it.
    pub model: Option<&'a str>,
    /// The prompt.
    pub turns: &'a [Turn],
    /// The longest answer, tokens.
    pub limit: u32,
    /// The limit's name.
    pub limit_field: LimitField,
    /// The seed of the server's sampler.
    pub seed: u64,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// How long a reasoning model thinks, in the server's word for it.
    pub effort: Option<&'a str>,
    /// What is asked for beside a text, if anything is.
    pub wants: Option<&'a Wants>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<u8>,
    seed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ChatFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<ChatTool<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u8>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl Ask<'_> {
    /// The request's body: streamed, with the usage at the stream's end.
    pub(in crate::target) fn body(&self) -> Vec<u8> {
        let limit = |field| (self.limit_field == field).then_some(self.limit);
        let body = Body {
            model: self.model,
            messages: self.turns.iter().map(|t| Message { role: t.role.as_str(), content: &t.text }).collect(),
            max_tokens: limit(LimitField::MaxTokens),
            max_completion_tokens: limit(LimitField::MaxCompletionTokens),
            temperature: (self.sampling == Sampling::Greedy).then_some(0),
            seed: self.seed,
            reasoning_effort: self.effort,
            stream: true,
            // Without it a stream has no usage at all.
            stream_options: StreamOptions { include_usage: true },
            response_format: ChatFormat::of(self.wants),
            tools: wants::tools(self.wants, ChatTool::of),
            tool_choice: wants::chat_choice(self.wants),
            logprobs: self.wants.and_then(|w| w.logprobs).map(|_| true),
            // Also where it is 0: some servers fail without it.
            top_logprobs: self.wants.and_then(|w| w.logprobs),
        };
        serde_json::to_vec(&body).expect("strings and numbers are JSON")
    }
}

//! What an answer may hold beside its text.

use super::Untrusted;
use serde::{Deserialize, Serialize};

/// A call of a tool that the model wants made. Nobody makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ToolCall {
    /// The tool's name, be it one that was offered or not.
    pub name: Untrusted,
    /// Its arguments as the model wrote them: usually JSON, and not always.
    pub arguments: Untrusted,
}

impl ToolCall {
    /// An answer for a person's eyes: its text, and behind it each tool call on a line of its own.
    #[must_use]
    pub fn behind(text: &Untrusted, calls: &[Self]) -> Untrusted {
        let lines = calls.iter().map(|c| format!("[calls {}] {}", c.name.raw(), c.arguments.raw()));
        let text = Some(text.raw().to_owned()).filter(|t| !t.is_empty());
        Untrusted::new(text.into_iter().chain(lines).collect::<Vec<_>>().join("\n"))
    }
}

/// A token of an answer with the logarithm of its probability, by the server's word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TokenLogprob {
    /// The token's text.
    pub token: Untrusted,
    /// The natural logarithm of its probability; finite.
    pub logprob: f64,
    /// The likeliest tokens at its place, at most as many as were asked for, in the server's order; it may be among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<TokenAlternative>,
}

/// A token that might have stood at a place of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TokenAlternative {
    /// The token's text.
    pub token: Untrusted,
    /// The natural logarithm of its probability; finite.
    pub logprob: f64,
}

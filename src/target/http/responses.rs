//! The Responses API, whole or in pieces, to what the model said.

use super::chat::{Said, Step, keep_model, unreadable};
use super::error::{self, Class, Problem};
use super::pieces;
use super::request::{Ask, Sampling};
use super::wants::{self, ResponsesText, ResponsesTool};
use crate::types::{Finish, TokenLogprob, ToolCall, Usage};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Body<'a> {
    model: Option<&'a str>,
    input: Vec<Value>,
    max_output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Value>,
    stream: bool,
    store: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<ResponsesText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<ResponsesTool<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include: Option<[&'static str; 1]>,
}

/// The body of a request. This API has no seed.
pub(in crate::target) fn body(ask: &Ask<'_>) -> Vec<u8> {
    let body = Body {
        model: ask.model,
        input: ask.turns.iter().map(|t| json!({"role": t.role.as_str(), "content": t.text})).collect(),
        max_output_tokens: ask.limit,
        temperature: (ask.sampling == Sampling::Greedy).then_some(0),
        reasoning: ask.effort.map(|e| json!({"effort": e})),
        stream: true,
        // By default the service keeps every question and answer.
        store: false,
        text: ResponsesText::of(ask.wants),
        tools: wants::tools(ask.wants, ResponsesTool::of),
        tool_choice: wants::responses_choice(ask.wants),
        top_logprobs: ask.wants.and_then(|w| w.logprobs),
        include: ask.wants.and_then(|w| w.logprobs).map(|_| ["message.output_text.logprobs"]),
    };
    serde_json::to_vec(&body).expect("strings and numbers are JSON")
}

/// An event of a stream.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: Option<String>,
    delta: Option<Value>,
    /// Which item of the output it belongs to.
    output_index: Option<u64>,
    response: Option<Value>,
}

#[derive(Deserialize)]
struct Whole {
    status: Option<String>,
    model: Option<String>,
    output: Option<Vec<Item>>,
    incomplete_details: Option<Incomplete>,
    usage: Option<RawUsage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Incomplete {
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: Option<String>,
    content: Option<Vec<Part>>,
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: Option<String>,
    text: Option<String>,
    refusal: Option<String>,
    logprobs: Option<Value>,
}

#[derive(Deserialize)]
struct RawUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<UsageDetails>,
}

#[derive(Deserialize)]
struct UsageDetails {
    reasoning_tokens: Option<u64>,
}

/// A streamed answer as it grows.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The pieces of its text so far.
    pieces: String,
    /// The pieces of its tool calls' arguments so far, by the item of the output that they belong to.
    arguments: BTreeMap<u64, String>,
    /// The model that its events name.
    model: Option<String>,
    said: Option<Said>,
}

impl Answer {
    /// Takes one event.
    pub(super) fn take(&mut self, json: &[u8]) -> Result<Step, Problem> {
        let event: Event = serde_json::from_slice(json).map_err(|e| unreadable(json, &e))?;
        if let Some(name) = event.response.as_ref().and_then(|r| r["model"].as_str()) {
            keep_model(&mut self.model, name.into())?;
        }
        match event.kind.as_deref().unwrap_or_default() {
            "response.output_text.delta" | "response.refusal.delta" => {
                let Some(piece) = event.delta.as_ref().and_then(Value::as_str) else {
                    return Err(Problem::new(Class::Unreadable, "a piece of the answer is no text"));
                };
                self.pieces.push_str(piece);
                Ok(Step { content: !piece.is_empty(), finish: false })
            }
            "response.function_call_arguments.delta" => {
                let Some(piece) = event.delta.as_ref().and_then(Value::as_str) else {
                    return Err(Problem::new(Class::Unreadable, "a piece of a tool call is no text"));
                };
                self.arguments.entry(event.output_index.unwrap_or_default()).or_default().push_str(piece);
                Ok(Step { content: !piece.is_empty(), finish: false })
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                let said = whole(event.response.unwrap_or_default().to_string().as_bytes())?;
                // The end repeats the whole; two texts are no answer.
                let text_differs = !self.pieces.is_empty() && self.pieces != said.text;
                let whole = said.tool_calls.iter().map(|c| c.arguments.raw());
                let calls_differ = !self.arguments.is_empty() && !whole.eq(self.arguments.values().map(String::as_str));
                if text_differs || calls_differ {
                    let message = "the pieces of the answer are not what the server says that they were in the end";
                    return Err(Problem::new(Class::Unreadable, message));
                }
                self.said = Some(said);
                Ok(Step { content: false, finish: true })
            }
            "error" => Err(error::of_object(json)),
            // Other events tell of things around the answer, and there are more of them every month.
            _ => Ok(Step::default()),
        }
    }

    /// Whether the last event of this API has come: it has no `[DONE]`.
    pub(super) fn is_done(&self) -> bool {
        self.said.is_some()
    }

    /// What was said; `None` if it had not ended.
    pub(super) fn end(self) -> Option<Said> {
        self.said
    }
}

/// The answer in a whole response.
///
/// # Errors
/// When it is an error, cannot be read, or did not end.
pub(super) fn whole(body: &[u8]) -> Result<Said, Problem> {
    let response: Whole = serde_json::from_slice(body).map_err(|e| unreadable(body, &e))?;
    if response.error.as_ref().is_some_and(|e| !e.is_null()) {
        return Err(error::of_object(body));
    }
    let unknown = |message: String| Err(Problem::new(Class::Unreadable, message));
    let reason = response.incomplete_details.and_then(|d| d.reason);
    let finish = match (response.status.as_deref(), reason.as_deref()) {
        (Some("completed"), _) => Finish::Stop,
        (Some("incomplete"), Some("max_output_tokens")) => Finish::Length,
        (Some("incomplete"), Some("content_filter")) => Finish::Filtered,
        (Some("incomplete"), other) => {
            return unknown(format!("the answer ended for a reason that is not known: `{}`", other.unwrap_or("none")));
        }
        (status, _) => {
            return unknown(format!("the reply is no answer that ended: its status is `{}`", status.unwrap_or("none")));
        }
    };
    let (mut text, mut refusal) = (String::new(), String::new());
    let (mut tool_calls, mut logprobs): (Vec<ToolCall>, Vec<Option<Vec<TokenLogprob>>>) = (Vec::new(), Vec::new());
    for item in response.output.into_iter().flatten() {
        match item.kind.as_deref() {
            Some("message") => {
                for part in item.content.into_iter().flatten() {
                    match part.kind.as_deref() {
                        Some("output_text") => {
                            text.push_str(part.text.as_deref().unwrap_or_default());
                            logprobs.push(part.logprobs.as_ref().and_then(pieces::logprobs));
                        }
                        Some("refusal") => refusal.push_str(part.refusal.as_deref().unwrap_or_default()),
                        _ => return unknown("the answer has a part that is no text".to_owned()),
                    }
                }
            }
            // What it thought is no part of the answer.
            Some("reasoning") => {}
            Some("function_call") => {
                tool_calls.push(pieces::whole_call(item.name.unwrap_or_default(), item.arguments.unwrap_or_default())?);
            }
            // A tool of the server's own: nobody can offer one here.
            _ => return unknown("the model called a tool, and it was offered none".to_owned()),
        }
    }
    let usage = response.usage.and_then(|u| {
        let reasoning = u.output_tokens_details.and_then(|d| d.reasoning_tokens);
        Some(Usage { prompt: u.input_tokens?, completion: u.output_tokens?, reasoning })
    });
    Ok(Said {
        tool_calls,
        refused: !refusal.is_empty(),
        // A refusal stands in a part of its own, and is what the model said.
        text: if text.is_empty() { refusal } else { text },
        // Those of one part alone would be taken for those of the whole text.
        logprobs: logprobs.into_iter().collect::<Option<Vec<_>>>().filter(|p| !p.is_empty()).map(|p| p.concat()),
        finish,
        usage,
        model: response.model.filter(|m| !m.is_empty()),
        fingerprint: None,
        unchecked: false,
    })
}

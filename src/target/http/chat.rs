//! Chat completions, whole or in pieces, to what the model said.

use super::Protocol;
use super::error::{self, Class, Problem};
use super::pieces::{self, CallPiece, Calls, FunctionPiece};
use super::responses;
use super::sse::{MAX_EVENT, SseParser, TooLong};
use crate::types::{Finish, TokenLogprob, ToolCall, Usage};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

/// What a server said that its model said.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::target) struct Said {
    /// The answer.
    pub text: String,
    /// The tools that it wants called.
    pub tool_calls: Vec<ToolCall>,
    /// Whether the text is a refusal, by the server's word.
    pub refused: bool,
    /// The text's tokens with their probabilities; `None` where the server did not give them.
    pub logprobs: Option<Vec<TokenLogprob>>,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens; `None` where the server did not count.
    pub usage: Option<Usage>,
    /// The model that the server names.
    pub model: Option<String>,
    /// The back end's fingerprint.
    pub fingerprint: Option<String>,
    /// Whether the content filter was down.
    pub unchecked: bool,
}

#[derive(Deserialize)]
struct Frame<'a> {
    choices: Option<Vec<Choice>>,
    usage: Option<RawUsage>,
    #[serde(borrow)]
    model: Option<Name<'a>>,
    #[serde(borrow)]
    system_fingerprint: Option<Name<'a>>,
    // An older sample of the service's documentation has the second name.
    #[serde(alias = "prompt_annotations")]
    prompt_filter_results: Option<Vec<FilterResult>>,
    error: Option<Value>,
}

/// A name that every frame repeats, read where it lies.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Choice {
    index: Option<u64>,
    finish_reason: Option<String>,
    // A piece of a stream, or the whole.
    #[serde(alias = "message")]
    delta: Option<Piece>,
    content_filter_results: Option<Value>,
    // An object with the lists `content` and `refusal`; older forms hold neither.
    logprobs: Option<Value>,
}

#[derive(Deserialize)]
struct Piece {
    content: Option<Value>,
    refusal: Option<String>,
    tool_calls: Option<Vec<CallPiece>>,
    function_call: Option<FunctionPiece>,
}

#[derive(Deserialize)]
struct FilterResult {
    content_filter_results: Option<Value>,
}

#[derive(Clone, Copy, Deserialize)]
struct RawUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    completion_tokens_details: Option<UsageDetails>,
}

#[derive(Clone, Copy, Deserialize)]
struct UsageDetails {
    reasoning_tokens: Option<u64>,
}

impl From<TooLong> for Problem {
    fn from(TooLong: TooLong) -> Self {
        Self::new(Class::Unreadable, format!("one event of the stream is longer than {} MiB", MAX_EVENT >> 20))
    }
}

/// What a push of bytes brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::target) struct Step {
    /// A piece of the answer: the first one is the first token. Frames before it are not the model's.
    pub content: bool,
    /// The model's reason to end.
    pub finish: bool,
}

/// A streamed answer as it grows.
#[derive(Debug, Default)]
pub(in crate::target) struct Stream {
    events: SseParser,
    answer: Answer,
    /// The answer in the Responses API's form, where that is what is spoken; `answer` then stays empty.
    responses: Option<responses::Answer>,
    done: bool,
}

impl Stream {
    /// A stream that has not begun.
    pub(in crate::target) fn new(protocol: &Protocol) -> Self {
        let responses = (*protocol == Protocol::Responses).then(responses::Answer::default);
        Self { responses, ..Self::default() }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When a frame is an error or cannot be read; the stream must not be fed any more.
    pub(in crate::target) fn push(&mut self, bytes: &[u8]) -> Result<Step, Problem> {
        let mut step = Step::default();
        let Self { events, answer, responses, done } = self;
        events.push(bytes, |event| {
            let data = event.trim_ascii();
            *done |= data == b"[DONE]";
            if *done || data.is_empty() {
                return Ok(());
            }
            let now = match responses {
                Some(answer) => {
                    let step = answer.take(data)?;
                    *done |= answer.is_done();
                    step
                }
                None => answer.take(data)?,
            };
            step.content |= now.content;
            step.finish |= now.finish;
            Ok::<_, Problem>(())
        })?;
        Ok(step)
    }

    /// Whether the server said that nothing more comes. Many servers never say so.
    pub(in crate::target) fn is_done(&self) -> bool {
        self.done
    }

    /// The answer, now that nothing more comes.
    ///
    /// # Errors
    /// When the answer had not ended, or is no text.
    pub(in crate::target) fn end(self) -> Result<Said, Problem> {
        let said = match self.responses {
            Some(answer) => answer.end().map(Ok),
            None => self.answer.end(),
        };
        said.unwrap_or_else(|| Err(Problem::new(Class::Cut, "the stream ended before the answer did")))
    }
}

/// The answer in a body that is not streamed.
///
/// # Errors
/// When it is an error, cannot be read, or holds no answer.
pub(in crate::target) fn whole(protocol: &Protocol, body: &[u8]) -> Result<Said, Problem> {
    if *protocol == Protocol::Responses {
        return responses::whole(body);
    }
    let mut answer = Answer::default();
    answer.take(body)?;
    answer.end().unwrap_or_else(|| Err(Problem::new(Class::Unreadable, "the reply has no choice that ended")))
}

#[derive(Debug, Default)]
struct Answer {
    text: String,
    refusal: String,
    reason: Option<String>,
    usage: Option<Usage>,
    model: Option<String>,
    fingerprint: Option<String>,
    unchecked: bool,
    calls: Calls,
    logprobs: Tokens,
}

/// The tokens of an answer as they come.
#[derive(Debug, Default)]
enum Tokens {
    /// None has come.
    #[default]
    None,
    /// All that have come could be read.
    Some(Vec<TokenLogprob>),
    /// Some could not, so that it is not known which are missing.
    Unknown,
}

impl Tokens {
    fn take(&mut self, tokens: &Value) {
        match (&mut *self, pieces::logprobs(tokens)) {
            (Self::Unknown, _) | (_, None) => *self = Self::Unknown,
            (Self::None, Some(new)) => *self = Self::Some(new),
            (Self::Some(all), Some(new)) => all.extend(new),
        }
    }
}

impl Answer {
    /// Takes one frame, or a whole reply, which is a stream of one.
    fn take(&mut self, json: &[u8]) -> Result<Step, Problem> {
        // Text is checked once, not string by string; what is none may still be fit to read where it matters.
        let frame = std::str::from_utf8(json).map_or_else(|_| serde_json::from_slice(json), serde_json::from_str);
        let frame: Frame<'_> = frame.map_err(|e| unreadable(json, &e))?;
        if frame.error.is_some_and(|e| !e.is_null()) {
            return Err(error::of_object(json));
        }
        if let Some(Name(name)) = frame.model {
            keep_model(&mut self.model, name)?;
        }
        let kept = &mut self.fingerprint;
        if let Some(Name(name)) = frame.system_fingerprint.filter(|Name(n)| !n.is_empty() && kept.as_deref() != Some(n))
        {
            *kept = Some(name.into_owned());
        }
        if let Some(u) = frame.usage
            && let (Some(prompt), Some(completion)) = (u.prompt_tokens, u.completion_tokens)
        {
            let reasoning = u.completion_tokens_details.and_then(|d| d.reasoning_tokens);
            self.usage = Some(Usage { prompt, completion, reasoning });
        }
        for result in frame.prompt_filter_results.into_iter().flatten() {
            self.unchecked |= is_down(result.content_filter_results.as_ref());
        }
        let mut step = Step::default();
        for choice in frame.choices.into_iter().flatten().filter(|c| c.index.unwrap_or(0) == 0) {
            self.unchecked |= is_down(choice.content_filter_results.as_ref());
            if let Some(reason) = choice.finish_reason.filter(|r| !r.is_empty()) {
                step.finish = true;
                // The asynchronous filter blocks after the model has stopped, and has the last word.
                if self.reason.as_deref() != Some("content_filter") {
                    self.reason = Some(reason);
                }
            }
            let lists = choice.logprobs.iter().flat_map(|l| [&l["content"], &l["refusal"]]);
            lists.filter(|tokens| !tokens.is_null()).for_each(|tokens| self.logprobs.take(tokens));
            if let Some(piece) = choice.delta {
                step.content |= self.take_piece(&piece)?;
            }
        }
        Ok(step)
    }

    fn take_piece(&mut self, piece: &Piece) -> Result<bool, Problem> {
        let before = self.text.len() + self.refusal.len();
        match &piece.content {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => self.text.push_str(text),
            Some(Value::Array(parts)) => {
                parts.iter().filter_map(|p| p["text"].as_str()).for_each(|t| self.text.push_str(t))
            }
            Some(_) => {
                return Err(Problem::new(Class::Unreadable, "the answer's content is neither text nor parts of text"));
            }
        }
        self.refusal.push_str(piece.refusal.as_deref().unwrap_or_default());
        if let Some(function) = &piece.function_call {
            self.calls.take_single(function)?;
        }
        let fragments = piece.tool_calls.as_deref().unwrap_or_default();
        self.calls.take(fragments)?;
        let calls = !fragments.is_empty() || piece.function_call.is_some();
        Ok(calls || self.text.len() + self.refusal.len() > before)
    }

    /// What was said; `None` if it had not ended.
    fn end(self) -> Option<Result<Said, Problem>> {
        let reason = self.reason.clone()?;
        Some(self.said(&reason))
    }

    fn said(self, reason: &str) -> Result<Said, Problem> {
        Ok(Said {
            finish: finish(reason)?,
            tool_calls: self.calls.end()?,
            refused: !self.refusal.is_empty(),
            // A refusal stands in a field of its own, and is what the model said.
            text: if self.text.is_empty() { self.refusal } else { self.text },
            logprobs: match self.logprobs {
                Tokens::Some(all) => Some(all),
                Tokens::None | Tokens::Unknown => None,
            },
            usage: self.usage,
            model: self.model,
            fingerprint: self.fingerprint,
            unchecked: self.unchecked,
        })
    }
}

/// Keeps the model that a frame names; frames of the filter carry empty names.
///
/// # Errors
/// When an earlier frame named another: whose answer it is cannot be told.
pub(super) fn keep_model(kept: &mut Option<String>, name: Cow<'_, str>) -> Result<(), Problem> {
    match kept.as_deref() {
        _ if name.is_empty() => {}
        None => *kept = Some(name.into_owned()),
        Some(known) if known == name => {}
        Some(known) => {
            let message = format!("one answer names two models: `{known}` and `{name}`");
            return Err(Problem::new(Class::Unreadable, message));
        }
    }
    Ok(())
}

/// Why an answer ended, by the words of all the servers.
pub(super) fn finish(reason: &str) -> Result<Finish, Problem> {
    match reason {
        "stop" | "eos_token" | "stop_sequence" | "end_turn" => Ok(Finish::Stop),
        "length" | "max_tokens" => Ok(Finish::Length),
        "content_filter" => Ok(Finish::Filtered),
        "tool_calls" | "function_call" => Ok(Finish::ToolCalls),
        other => {
            let message = format!("the answer ended for a reason that is not known: `{other}`");
            Err(Problem::new(Class::Unreadable, message))
        }
    }
}

/// Whether filter results say that the filter itself failed.
fn is_down(results: Option<&Value>) -> bool {
    results.is_some_and(|r| r.get("error").is_some_and(|e| !e.is_null()))
}

/// A reply that is no JSON of the expected form.
pub(super) fn unreadable(json: &[u8], e: &serde_json::Error) -> Problem {
    // Bytes that are no text are shown as such: what they stood for is not ours to guess.
    let before = match std::str::from_utf8(json) {
        Ok(_) => format!("the reply cannot be read ({e}): "),
        Err(at) => {
            let bytes: String = json[at.valid_up_to()..].iter().take(4).map(|b| format!(" {b:02x}")).collect();
            format!("the reply is no UTF-8 at byte {} (hex{bytes}): ", at.valid_up_to())
        }
    };
    Problem::quoting(Class::Unreadable, before, &String::from_utf8_lossy(json), error::START)
}

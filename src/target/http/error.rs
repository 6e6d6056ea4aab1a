//! Why a server gave no answer, from whatever it sent instead.

use super::wait;
use crate::types::FailureKind;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;
use std::ops::Range;
use std::time::Duration;

/// What kind of trouble it is: it decides whether to ask again, and what becomes of the trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::target) enum Class {
    /// The content filter refused the prompt.
    Filtered,
    /// The prompt does not fit the model.
    TooLong,
    /// The server wants the token limit under its other name.
    LimitName,
    /// The model takes no temperature, or not ours.
    Temperature,
    /// Too many questions at once, or a quota that is used up.
    Throttled,
    /// The server failed, or a gateway in front of it.
    Server,
    /// The connection ended before the answer did.
    Cut,
    /// Nothing came in time.
    Late,
    /// No connection.
    Unreachable,
    /// The server cannot show that it is who it should be, or speaks no version of TLS that keeps a secret.
    Distrusted,
    /// The key is wrong or may not do this.
    Auth,
    /// Nobody of this name is there.
    Missing,
    /// The server does not take requests of this form, whatever the question.
    Rejected,
    /// What came cannot be an answer.
    Unreadable,
    /// Another deployment answered.
    Elsewhere,
    /// A recording answers in the server's place, and this is not in it.
    Unrecorded,
}

impl Class {
    /// Whether the same question may be answered at another attempt.
    pub(in crate::target) fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::Server | Self::Cut | Self::Late | Self::Unreachable)
    }

    /// What it is once no attempt is left. What would meet every question alike stops the run, so that it can go on when it is mended.
    pub(in crate::target) fn kind(self) -> FailureKind {
        match self {
            Self::Filtered => FailureKind::Filtered,
            Self::TooLong => FailureKind::Refused,
            Self::Throttled => FailureKind::Throttled,
            Self::Server | Self::Cut => FailureKind::ServerError,
            Self::Late => FailureKind::TimedOut,
            Self::Unreadable => FailureKind::Broken,
            Self::Elsewhere => FailureKind::Elsewhere,
            Self::LimitName
            | Self::Temperature
            | Self::Unreachable
            | Self::Distrusted
            | Self::Auth
            | Self::Missing
            | Self::Rejected
            | Self::Unrecorded => FailureKind::Unavailable,
        }
    }

    /// What to do about it, where the server's own words seldom say.
    pub(in crate::target) fn advice(self) -> Option<&'static str> {
        match self {
            Self::Auth => Some("check the key, what it may do, and the network rules"),
            Self::Missing => Some(
                "check endpoint and name; Azure deletes a fine-tuned deployment that nobody asked for 15 days, and a developer \
                 deployment after 24 hours",
            ),
            Self::Distrusted => Some(
                "nothing was asked, and no setting allows it: mend the server's certificate or its version of TLS, or make the \
                 certificate's authority known to this machine",
            ),
            // Not left out unasked: answers that are sampled are another experiment than greedy ones.
            Self::Temperature => Some(
                "the model does not decode greedily, as reasoning models do not; write `sampling = \"default\"` in its target to ask it \
                 as it is served",
            ),
            Self::Rejected => {
                Some("the server takes no request of this form; check the target's kind, `api` and `api-version`")
            }
            _ => None,
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::target) struct Problem {
    /// The kind of trouble.
    pub class: Class,
    /// What happened, in the server's words where it had any, which may be long and hold a secret: see [`Self::without`].
    pub message: String,
    /// Where in the message the server speaks, and how many characters of that are kept.
    quote: Option<(Range<usize>, usize)>,
    /// How long the server asks us to wait.
    pub wait: Option<Duration>,
    /// Whether the server does not know the credential (HTTP 401): another one may be known.
    pub unknown_credential: bool,
    /// Whether the server takes no request of this form (HTTP 400 or 422): it may name what it does not know.
    pub form_refused: bool,
}

impl Problem {
    /// A problem without a hint.
    pub(in crate::target) fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), quote: None, wait: None, unknown_credential: false, form_refused: false }
    }

    /// A problem that is told by the start of what a server said: so many characters of it are kept.
    pub(in crate::target) fn quoting(class: Class, before: impl Into<String>, said: &str, most: usize) -> Self {
        let mut message = before.into();
        let start = message.len();
        message.push_str(said);
        let quote = Some((start..message.len(), most));
        Self { quote, ..Self::new(class, message) }
    }

    /// The problem as it may be told, by whoever knows the secrets: without them, and what the server said cut to its start. In this order,
    /// for of a secret that a cut has halved nobody can tell what it is.
    pub(in crate::target) fn without(mut self, redact: impl Fn(String) -> String) -> Self {
        let (said, most) = self.quote.take().unwrap_or((0..0, 0));
        let after = redact(self.message.split_off(said.end));
        let quoted = redact(self.message.split_off(said.start));
        self.message = redact(self.message);
        self.message.extend(quoted.chars().take(most));
        self.message.push_str(&after);
        self
    }
}

/// The most characters that are kept of what came in place of an answer.
pub(in crate::target) const START: usize = 120;
/// The most characters of a server's message that are kept.
const MESSAGE: usize = 600;

/// What a reply that is no success says. `now` is for dates in its headers.
pub(in crate::target) fn of_reply(status: u16, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Problem {
    let told = Told::read(body);
    let class = classify(status, &told);
    let mut message = format!("HTTP {status}");
    if let Some(code) = told.code.as_deref().filter(|c| *c != status.to_string()) {
        message.push_str(&format!(" {code}"));
    }
    let said = match (&told.message, class) {
        (Some(m), _) => m.clone(),
        (None, _) if body.is_empty() => "nothing else".to_owned(),
        (None, _) => {
            let of = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("unknown content");
            format!("{of}: {}", String::from_utf8_lossy(body).trim())
        }
    };
    message.push_str(": ");
    let start = message.len();
    message.push_str(&said);
    let quote = Some((start..message.len(), MESSAGE));
    if !told.filtered.is_empty() {
        message.push_str(&format!(" (filtered: {})", told.filtered.join(", ")));
    }
    if told.code.as_deref() == Some("DeploymentNotFound") {
        message.push_str("; deployment not found: inactive for more than 15 days?");
    }
    if let Some(advice) = class.advice() {
        message.push_str(&format!("; {advice}"));
    }
    let wait = wait::hint(headers, told.message.as_deref().unwrap_or_default(), now);
    Problem { class, message, quote, wait, unknown_credential: status == 401, form_refused: is_form(status, class) }
}

/// What an error object inside a successful reply says, a frame of a stream or a whole body.
pub(super) fn of_object(reply: &[u8]) -> Problem {
    let told = Told::read(reply);
    let status = told.code.as_deref().and_then(|c| c.parse().ok()).filter(|s| (400..600).contains(s)).unwrap_or(500);
    let class = classify(status, &told);
    let code = told.code.map(|c| format!(" {c}")).unwrap_or_default();
    let said = told.message.unwrap_or_default();
    let problem = Problem::quoting(class, format!("an error in place of an answer{code}: "), &said, MESSAGE);
    Problem { form_refused: is_form(status, class), ..problem }
}

/// Whether it is the request's form that a status refuses.
fn is_form(status: u16, class: Class) -> bool {
    class == Class::Rejected && matches!(status, 400 | 422)
}

fn classify(status: u16, told: &Told) -> Class {
    let code = told.code.as_deref().unwrap_or_default();
    let says = |words: &[&str]| {
        let message = told.message.as_deref().unwrap_or_default().to_lowercase();
        words.iter().any(|w| message.contains(w))
    };
    if code == "content_filter" || told.inner_code.as_deref() == Some("ResponsibleAIPolicyViolation") {
        return Class::Filtered;
    }
    let limit_name = told.param.as_deref().is_some_and(|p| matches!(p, "max_tokens" | "max_completion_tokens"));
    match status {
        400 | 422 if code == "unsupported_parameter" && limit_name => Class::LimitName,
        400 | 422
            if told.param.as_deref() == Some("temperature")
                && matches!(code, "unsupported_parameter" | "unsupported_value") =>
        {
            Class::Temperature
        }
        // One question's fault, told by the code or, by vLLM, llama.cpp and TGI, in words only.
        400 | 413 | 422
            if code == "context_length_exceeded"
                || told.kind.as_deref() == Some("exceed_context_size_error")
                || status == 413
                || says(&[
                    "context length",
                    "context size",
                    "context window",
                    "must have less than",
                    "max_new_tokens` must be",
                ]) =>
        {
            Class::TooLong
        }
        401 | 403 => Class::Auth,
        // LiteLLM without a database, of a key that is not its own.
        400 if told.kind.as_deref() == Some("no_db_connection") => Class::Auth,
        404 => Class::Missing,
        429 => Class::Throttled,
        408 => Class::Late,
        // 424 is how Azure ML says that the container behind it failed.
        409 | 424 | 500..=599 => Class::Server,
        _ => Class::Rejected,
    }
}

/// What an error body says, in any of the shapes that servers and gateways use.
#[derive(Debug, Default)]
struct Told {
    code: Option<String>,
    /// llama.cpp has the status for a code, and says here what happened.
    kind: Option<String>,
    message: Option<String>,
    param: Option<String>,
    inner_code: Option<String>,
    /// Categories that the content filter found.
    filtered: Vec<String>,
}

impl Told {
    fn read(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return Self::default() };
        let error = match &value["error"] {
            Value::Null => &value,
            // `{"error": "text"}`
            Value::String(text) => return Self { message: Some(text.clone()), ..Self::default() },
            object => object,
        };
        // Codes are numbers in one server and the same numbers as text in the next.
        let text = |v: &Value| match v {
            Value::String(s) if !s.is_empty() => Some(s.clone()),
            Value::Number(n) => Some(n.to_string()),
            _ => None,
        };
        let detail = || match &error["detail"] {
            Value::Array(all) => Some(all.iter().filter_map(|d| text(&d["msg"])).collect::<Vec<_>>().join("; ")),
            other => text(other),
        };
        let inner = [&error["innererror"], &error["inner_error"]].into_iter().find(|v| v.is_object());
        let results = inner.and_then(|i| {
            [&i["content_filter_result"], &i["content_filter_results"]].into_iter().find_map(Value::as_object)
        });
        let found = results.into_iter().flatten().filter(|(_, v)| v["filtered"] == true);
        Self {
            kind: text(&error["type"]),
            code: text(&error["code"]).or_else(|| text(&error["type"])).or_else(|| text(&error["statusCode"])),
            message: text(&error["message"]).or_else(detail),
            param: text(&error["param"]),
            inner_code: inner.and_then(|i| text(&i["code"])),
            filtered: found.map(|(category, _)| category.replace('-', "_")).collect(),
        }
    }
}

//! Endpoints that speak a form of their own: a template makes the request's body, pointers find the answer in the reply.
//!
//! The template is a person's, but what it is rendered with is not: it is boxed as the prompts' templates are, and every value that it
//! writes is written as JSON, so that no question can end its string and go on as the request.

use super::chat::{self, Said, unreadable};
use super::error::{Class, Problem, START, of_object};
use super::request::Ask;
use crate::types::{Finish, Usage};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;
use serde_json::Value;

/// Instructions that one rendering may take.
const FUEL: u64 = 100_000;
/// Filters that turn one cheap step into unbounded memory, which fuel does not count, and the one that takes the JSON off a value.
const REMOVED: [&str; 5] = ["indent", "format", "center", "replace", "safe"];

/// How a question becomes a request of an endpoint, and its reply an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The request's body: a `MiniJinja` template over `messages`, `prompt`, `max_new_tokens` and `seed`.
    pub request: String,
    /// JSON pointer (RFC 6901) to the answer's text in the reply.
    pub text: String,
    /// JSON pointers to the counts of the prompt's and the answer's tokens, if the endpoint counts.
    pub usage: Option<(String, String)>,
    /// JSON pointer to the reason why the answer ended, in a word that chat completions have, if the endpoint gives it.
    pub finish: Option<String>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl Mapping {
    /// Checks the template with a question that is hard to write as JSON.
    ///
    /// # Errors
    /// What is wrong with it, as a fragment.
    pub fn check(&self) -> Result<(), String> {
        let turns = [
            crate::types::Turn { role: crate::types::Role::System, text: "\"\\\n{{".to_owned() },
            crate::types::Turn { role: crate::types::Role::User, text: "\u{2028}\"}]".to_owned() },
        ];
        let counts = self.usage.iter().flat_map(|(prompt, completion)| [prompt, completion]);
        for p in counts.chain([&self.text]).chain(&self.finish) {
            if !p.is_empty() && !p.starts_with('/') {
                return Err(format!("`{p}` is no JSON pointer: it must begin with `/`, such as `/output`"));
            }
        }
        self.body(&Ask { turns: &turns, limit: 1, ..Ask::default() }).map(|_| ())
    }

    /// The request's body.
    ///
    /// # Errors
    /// When the template cannot be rendered, what it makes is no JSON, or the question asks for more than a text.
    pub(in crate::target) fn body(&self, ask: &Ask<'_>) -> Result<Vec<u8>, String> {
        if let Some(name) = ask.wants.and_then(|w| w.names().first().copied()) {
            return Err(format!("an endpoint with a form of its own takes no `{name}`"));
        }
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_fuel(Some(FUEL));
        env.set_recursion_limit(20);
        env.set_auto_escape_callback(|_| AutoEscape::Json);
        for name in REMOVED {
            env.remove_filter(name);
        }
        env.remove_global("namespace");
        let messages: Vec<Message<'_>> =
            ask.turns.iter().map(|t| Message { role: t.role.as_str(), content: &t.text }).collect();
        let prompt = ask.turns.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join("\n\n");
        let values = context! {
            messages => minijinja::value::Serde(&messages),
            prompt => prompt,
            max_new_tokens => ask.limit,
            seed => ask.seed,
        };
        let text = env
            .render_str(&self.request, values)
            .map_err(|e| format!("the request's template does not render: {e:#}"))?;
        // Read and written again: the body's bytes are then one form's, whatever the template's blanks.
        let value: Value =
            serde_json::from_str(&text).map_err(|e| format!("the request's template makes no JSON: {e}"))?;
        Ok(value.to_string().into_bytes())
    }

    /// The answer in a reply. Where the endpoint does not say why it ended, it is whole unless it used the limit up.
    ///
    /// # Errors
    /// When the reply is an error, cannot be read, or holds no text where it should.
    pub(in crate::target) fn read(&self, body: &[u8], limit: u32) -> Result<Said, Problem> {
        let mut value: Value = serde_json::from_slice(body).map_err(|e| unreadable(body, &e))?;
        // Scoring scripts often return JSON as a text, which the server then writes as JSON once more.
        if let (Value::String(inner), false) = (&value, self.text.is_empty()) {
            value = serde_json::from_str(inner).map_err(|e| unreadable(body, &e))?;
        }
        let Some(text) = value.pointer(&self.text).and_then(Value::as_str) else {
            if value.get("error").is_some_and(|e| !e.is_null()) {
                return Err(of_object(body));
            }
            let before = format!("the reply has no text at `{}`: ", self.text);
            return Err(Problem::quoting(Class::Unreadable, before, &value.to_string(), START));
        };
        let usage = self.usage.as_ref().and_then(|(prompt, completion)| {
            let count = |p: &str| value.pointer(p).and_then(Value::as_u64);
            Some(Usage { prompt: count(prompt)?, completion: count(completion)?, reasoning: None })
        });
        let finish = match &self.finish {
            Some(pointer) => match value.pointer(pointer).and_then(Value::as_str) {
                Some(reason) => chat::finish(reason)?,
                None => {
                    let message = format!("the reply does not say at `{pointer}` why the answer ended");
                    return Err(Problem::new(Class::Unreadable, message));
                }
            },
            None if usage.is_some_and(|u| u.completion >= u64::from(limit)) => Finish::Length,
            None => Finish::Stop,
        };
        Ok(Said {
            text: text.to_owned(),
            tool_calls: Vec::new(),
            refused: false,
            logprobs: None,
            finish,
            usage,
            model: None,
            fingerprint: None,
            unchecked: false,
        })
    }
}

//! What a question asks beside a text, in the words of both forms of the API; and whether an answer is one that was asked for.

use super::chat::Said;
use super::error::{Class, Problem};
use crate::types::{Finish, Offer, Schema, Tool, ToolChoice, Wants};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// `response_format` of chat completions.
#[derive(Serialize)]
pub(super) struct ChatFormat<'a> {
    r#type: &'static str,
    json_schema: NamedSchema<'a>,
}

/// `text` of the Responses API.
#[derive(Serialize)]
pub(super) struct ResponsesText<'a> {
    format: ResponsesFormat<'a>,
}

#[derive(Serialize)]
struct ResponsesFormat<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    schema: NamedSchema<'a>,
}

#[derive(Serialize)]
struct NamedSchema<'a> {
    name: &'a str,
    schema: &'a RawValue,
    strict: bool,
}

fn named(schema: &Schema) -> NamedSchema<'_> {
    NamedSchema { name: &schema.name, schema: schema.schema.raw(), strict: true }
}

impl<'a> ChatFormat<'a> {
    pub(super) fn of(wants: Option<&'a Wants>) -> Option<Self> {
        let schema = wants?.schema.as_deref()?;
        Some(Self { r#type: "json_schema", json_schema: named(schema) })
    }
}

impl<'a> ResponsesText<'a> {
    pub(super) fn of(wants: Option<&'a Wants>) -> Option<Self> {
        let schema = wants?.schema.as_deref()?;
        Some(Self { format: ResponsesFormat { r#type: "json_schema", schema: named(schema) } })
    }
}

/// A tool of chat completions: the function stands inside.
#[derive(Serialize)]
pub(super) struct ChatTool<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

/// A tool of the Responses API: the function's fields stand beside the type.
#[derive(Serialize)]
pub(super) struct ResponsesTool<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

impl<'a> ChatTool<'a> {
    pub(super) fn of(tool: &'a Tool) -> Self {
        let strict = tool.strict.then_some(true);
        Self { r#type: "function", function: Function { strict, ..function(tool) } }
    }
}

impl<'a> ResponsesTool<'a> {
    pub(super) fn of(tool: &'a Tool) -> Self {
        let function = function(tool);
        // This form of the API must be told the parameters, and is strict where nothing is said; the other takes none for none and is not
        // strict. Said, both ask alike.
        let none = || serde_json::from_str(r#"{"type":"object","properties":{}}"#).expect("a constant that is JSON");
        let parameters = Some(function.parameters.unwrap_or_else(none));
        Self { r#type: "function", function: Function { parameters, strict: Some(tool.strict), ..function } }
    }
}

fn function(tool: &Tool) -> Function<'_> {
    Function {
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters: tool.parameters.as_ref().map(|p| p.raw()),
        strict: None,
    }
}

/// The tools that are offered, each in its form.
pub(super) fn tools<'a, T>(wants: Option<&'a Wants>, form: impl Fn(&'a Tool) -> T) -> Option<Vec<T>> {
    Some(wants?.tools.as_deref()?.tools.iter().map(form).collect())
}

/// `tool_choice`; `named` is how the form of the API writes one tool.
fn choice(offer: &Offer, named: impl Fn(&str) -> Value) -> Option<Value> {
    Some(match offer.choice.as_ref()? {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => named(name),
    })
}

pub(super) fn chat_choice(wants: Option<&Wants>) -> Option<Value> {
    choice(wants?.tools.as_deref()?, |name| json!({"type": "function", "function": {"name": name}}))
}

pub(super) fn responses_choice(wants: Option<&Wants>) -> Option<Value> {
    choice(wants?.tools.as_deref()?, |name| json!({"type": "function", "name": name}))
}

impl Said {
    /// The answer without what nobody asked for.
    ///
    /// # Errors
    /// When it calls a tool that it was not offered, or any where it was told to call none, or says that it calls some and does not say
    /// which.
    pub(in crate::target) fn held_to(mut self, wants: &Wants) -> Result<Self, Problem> {
        self.check_calls(wants.tools.as_deref()).map_err(|why| Problem::new(Class::Unreadable, why))?;
        match (self.finish, self.tool_calls.is_empty()) {
            (Finish::ToolCalls, true) => {
                return Err(Problem::new(Class::Unreadable, "the answer ended to call a tool, and calls none"));
            }
            // Whoever was told which tool to call ends with `stop` at some servers.
            (Finish::Stop, false) => self.finish = Finish::ToolCalls,
            _ => {}
        }
        match wants.logprobs {
            None => self.logprobs = None,
            // Some servers give as many as they have.
            Some(most) => {
                self.logprobs.iter_mut().flatten().for_each(|token| token.top.truncate(usize::from(most)));
            }
        }
        Ok(self)
    }

    /// Whether every tool that it calls may be called.
    fn check_calls(&self, offer: Option<&Offer>) -> Result<(), String> {
        if self.tool_calls.is_empty() {
            return Ok(());
        }
        let Some(offer) = offer else { return Err("the model called a tool, and it was offered none".to_owned()) };
        if offer.choice == Some(ToolChoice::None) {
            return Err("the model called a tool, and was told to call none".to_owned());
        }
        // Of a call that the limit or the filter cut, the start of a name may be all that came.
        let is_cut = matches!(self.finish, Finish::Length | Finish::Filtered);
        let offered = |name: &str| offer.tools.iter().any(|t| t.name == name || (is_cut && t.name.starts_with(name)));
        match self.tool_calls.iter().find(|c| !offered(c.name.raw())) {
            Some(c) => Err(format!("the model called a tool, and it was not offered that one: `{}`", c.name.raw())),
            None => Ok(()),
        }
    }
}

//! What a question asks of its answer beside a text: a form, tools that may be called, the probabilities of its tokens.

use serde_json::value::RawValue;
use std::sync::Arc;

/// JSON as a person wrote it, the order of its keys included: models write an object's fields in the order of its schema.
#[derive(Clone, Debug)]
pub struct JsonText(Arc<RawValue>);

impl JsonText {
    /// Takes a text that is one JSON value.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(text: &str) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text.trim().to_owned()).map(|raw| Self(Arc::from(raw)))
    }

    /// The value, to be written as it stands.
    #[must_use]
    pub fn raw(&self) -> &RawValue {
        &self.0
    }
}

impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// The JSON schema that an answer must fit, which the server is to enforce while it decodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// What the server calls it: letters, digits, `_` and `-`.
    pub name: String,
    /// The schema.
    pub schema: JsonText,
}

/// A function that the model may call in place of an answer, or beside it. Nobody runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name: letters, digits, `_` and `-`.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// The JSON schema of its arguments.
    pub parameters: Option<JsonText>,
    /// Whether the server must hold the arguments to the schema.
    pub strict: bool,
}

/// Whether the model must call a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// It must not.
    None,
    /// It must call some.
    Required,
    /// It must call this one.
    Named(String),
}

/// Tools that are offered.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The tools, at least one.
    pub tools: Vec<Tool>,
    /// Whether one must be called; `None` leaves it to the server, which takes it for [`ToolChoice::Auto`].
    pub choice: Option<ToolChoice>,
}

/// What a question asks of its answer beside a text; the default asks for nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wants {
    /// The schema that the answer must fit.
    pub schema: Option<Arc<Schema>>,
    /// The tools that the model may call.
    pub tools: Option<Arc<Offer>>,
    /// The log-probabilities of the answer's tokens, with so many of the likeliest alternatives at each, 0 to 20.
    pub logprobs: Option<u8>,
}

impl Wants {
    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names().is_empty()
    }

    /// The names of what it asks for, as a suite writes them.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let all = [
            ("response-format", self.schema.is_some()),
            ("tools", self.tools.is_some()),
            ("logprobs", self.logprobs.is_some()),
        ];
        all.into_iter().filter_map(|(name, asked)| asked.then_some(name)).collect()
    }

    /// Bytes of schema and tools, which are part of the prompt for those who count tokens.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let schema = self.schema.as_ref().map_or(0, |s| s.name.len() + s.schema.raw().get().len());
        let tool = |t: &Tool| {
            let parameters = t.parameters.as_ref().map_or(0, |p| p.raw().get().len());
            t.name.len() + t.description.as_ref().map_or(0, String::len) + parameters
        };
        schema + self.tools.as_ref().map_or(0, |o| o.tools.iter().map(tool).sum())
    }
}

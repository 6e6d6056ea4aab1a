//! Pieces of an answer beside its text, as they come: tool calls in fragments, tokens with their probabilities.

use super::error::{Class, Problem};
use crate::types::{TokenAlternative, TokenLogprob, ToolCall, Untrusted};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A tool call or a fragment of one. In a stream the index says which call it belongs to.
#[derive(Deserialize)]
pub(super) struct CallPiece {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionPiece>,
}

/// What is called, or a fragment of it; by itself an older form of a call.
#[derive(Deserialize)]
pub(super) struct FunctionPiece {
    name: Option<String>,
    arguments: Option<Value>,
}

/// Tool calls as they grow, by index.
#[derive(Debug, Default)]
pub(super) struct Calls(BTreeMap<u64, Growing>);

#[derive(Debug, Default)]
struct Growing {
    id: String,
    name: String,
    arguments: String,
}

impl Calls {
    /// Takes the calls of one piece of an answer, or of the whole, where their place is their index.
    pub(super) fn take(&mut self, pieces: &[CallPiece]) -> Result<(), Problem> {
        for (place, piece) in (0..).zip(pieces) {
            let index = piece.index.unwrap_or(place);
            let call = self.0.entry(index).or_default();
            let id = piece.id.as_deref().filter(|id| !id.is_empty());
            if piece.index.is_none() && id.is_none() {
                call.check(piece.function.as_ref())?;
            }
            if let Some(id) = id {
                if !call.id.is_empty() && call.id != id {
                    let message =
                        format!("two tool calls have the index {index}, so that their pieces cannot be told apart");
                    return Err(Problem::new(Class::Unreadable, message));
                }
                id.clone_into(&mut call.id);
            }
            if let Some(function) = &piece.function {
                call.take(function)?;
            }
        }
        Ok(())
    }

    /// Takes a call in the older form, which has one at the most.
    pub(super) fn take_single(&mut self, function: &FunctionPiece) -> Result<(), Problem> {
        let call = self.0.entry(0).or_default();
        call.check(Some(function))?;
        call.take(function)
    }

    /// The calls in the order of their indices.
    pub(super) fn end(self) -> Result<Vec<ToolCall>, Problem> {
        self.0.into_values().map(|c| whole_call(c.name, c.arguments)).collect()
    }
}

/// A call that has come whole.
pub(super) fn whole_call(name: String, arguments: String) -> Result<ToolCall, Problem> {
    if name.is_empty() {
        return Err(Problem::new(Class::Unreadable, "the model called a tool without a name"));
    }
    Ok(ToolCall { name: Untrusted::new(name), arguments: Untrusted::new(arguments) })
}

impl Growing {
    /// Whether a fragment that neither index nor id assigns can belong to this call: not with another name, and not where nothing is left
    /// to come.
    fn check(&self, piece: Option<&FunctionPiece>) -> Result<(), Problem> {
        let Some(piece) = piece else { return Ok(()) };
        let name = piece.name.as_deref().unwrap_or_default();
        let renamed = ![name, &self.name].contains(&"") && name != self.name;
        let brings = piece.arguments.as_ref().is_some_and(|a| !a.is_null() && a != "");
        let is_whole = || serde_json::from_str::<Map<String, Value>>(&self.arguments).is_ok();
        // An object ends with its brace: nothing else is worth a look at the whole of it.
        if renamed || (brings && self.arguments.trim_ascii_end().ends_with('}') && is_whole()) {
            let message = "two tool calls came without index and id, so that their pieces cannot be told apart";
            return Err(Problem::new(Class::Unreadable, message));
        }
        Ok(())
    }

    fn take(&mut self, piece: &FunctionPiece) -> Result<(), Problem> {
        // Some servers repeat the whole name with every fragment.
        if let Some(name) = piece.name.as_deref().filter(|n| *n != self.name) {
            self.name.push_str(name);
        }
        match &piece.arguments {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => self.arguments.push_str(text),
            // Some servers give the object itself in place of its text.
            Some(object @ Value::Object(_)) => self.arguments.push_str(&object.to_string()),
            Some(_) => {
                return Err(Problem::new(
                    Class::Unreadable,
                    "the arguments of a tool call are neither text nor an object",
                ));
            }
        }
        Ok(())
    }
}

/// The tokens of one piece of an answer with their probabilities; `None` where they are in no known form or are none, for what
/// is not known is left out and never guessed.
pub(super) fn logprobs(tokens: &Value) -> Option<Vec<TokenLogprob>> {
    // What is above 0 is the logarithm of no probability.
    let pair = |v: &Value| {
        let logprob = v["logprob"].as_f64().filter(|l| *l <= 0.0)?;
        Some((Untrusted::new(v["token"].as_str()?), logprob))
    };
    let token = |v: &Value| {
        let (token, logprob) = pair(v)?;
        let top = match &v["top_logprobs"] {
            Value::Null => Vec::new(),
            Value::Array(all) => {
                let all = all.iter().map(|v| pair(v).map(|(token, logprob)| TokenAlternative { token, logprob }));
                all.collect::<Option<_>>()?
            }
            _ => return None,
        };
        Some(TokenLogprob { token, logprob, top })
    };
    tokens.as_array()?.iter().map(token).collect()
}

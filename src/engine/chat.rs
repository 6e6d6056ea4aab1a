//! Chat templates: Jinja that came with a checkpoint, so it runs in a sandbox: no files, no clock, bounded steps and output.
//!
//! It renders what transformers' `apply_chat_template` renders: blocks trimmed as there, undefined names lenient as there, and
//! the few functions, tests and string methods that templates in the wild use.

use super::error::{EngineError, RequestError};
use super::files::{FileDigests, Object, SMALL_FILE, read};
use minijinja::value::{Serde, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value, context};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Instructions that a template may execute; a long conversation takes some thousand.
const FUEL: u64 = 1_000_000;
/// Bytes that a template may write.
const OUTPUT: usize = 4 << 20;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who speaks, in the template's words: `system`, `user` or `assistant` for nearly all.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// A checkpoint's template with the special tokens it may name.
pub(super) struct ChatTemplate {
    environment: Environment<'static>,
    tokens: BTreeMap<String, String>,
}

const NAME: &str = "chat_template";
const HELP: &str = "give the folder of a checkpoint as Hugging Face lays it out";

impl ChatTemplate {
    /// Reads `chat_template.jinja`, else the entry of `tokenizer_config.json`. `None` if the checkpoint has neither.
    pub(super) fn load(
        dir: &Path,
        date: Option<jiff::civil::Date>,
        digests: &mut FileDigests,
    ) -> Result<Option<Self>, EngineError> {
        let tokenizer_path = dir.join("tokenizer_config.json");
        let mut tokenizer_config = None;
        if tokenizer_path.exists() {
            let bytes = read(&tokenizer_path, SMALL_FILE, HELP)?;
            digests.add("tokenizer_config.json", &bytes);
            tokenizer_config = Some(Object::parse(&tokenizer_path, &bytes)?);
        }
        let own = dir.join("chat_template.jinja");
        let (path, source) = if own.exists() {
            let bytes = read(&own, SMALL_FILE, HELP)?;
            digests.add("chat_template.jinja", &bytes);
            let text = String::from_utf8(bytes);
            (own.clone(), text.map_err(|_| template_error(&own, "it is not UTF-8".to_owned()))?)
        } else {
            match tokenizer_config.as_ref().map(template_of).transpose()?.flatten() {
                Some(text) => (tokenizer_path, text),
                None => return Ok(None),
            }
        };
        let tokens = tokenizer_config.as_ref().map(special_tokens).unwrap_or_default();
        Self::new(path, source, tokens, date).map(Some)
    }

    fn new(
        path: PathBuf,
        source: String,
        tokens: BTreeMap<String, String>,
        date: Option<jiff::civil::Date>,
    ) -> Result<Self, EngineError> {
        let mut environment = sandbox(date).map_err(|e| template_error(&path, e.to_string()))?;
        // These tags mark the answers for training and print nothing.
        let source = regex::Regex::new(r"\{%(-?)\s*(?:end)?generation\s*(-?)%\}")
            .map_or(source.clone(), |tag| tag.replace_all(&source, "{#$1 $2#}").into_owned());
        environment.add_template_owned(NAME, source).map_err(|e| template_error(&path, describe(&e)))?;
        Ok(Self { environment, tokens })
    }

    /// The prompt for a conversation, ending where the assistant's turn begins.
    pub(super) fn render(&self, messages: &[ChatMessage]) -> Result<String, RequestError> {
        self.render_turns(messages, true)
    }

    pub(super) fn render_turns(&self, messages: &[ChatMessage], prompt: bool) -> Result<String, RequestError> {
        let failed = |e: &Error| RequestError::Template(describe(e));
        let template = self.environment.get_template(NAME).map_err(|e| failed(&e))?;
        let values = context! {
            messages => Value::from(Serde(messages)),
            add_generation_prompt => prompt,
            ..Value::from(Serde(&self.tokens))
        };
        let mut output = Limited(Vec::new());
        template.render_captured_to(values, &mut output).map_err(|e| failed(&e))?;
        String::from_utf8(output.0).map_err(|e| RequestError::Template(e.to_string()))
    }
}

/// A buffer that refuses to grow beyond [`OUTPUT`].
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > OUTPUT - self.0.len() {
            return Err(io::Error::other(format!("it writes more than {OUTPUT} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn template_error(path: &Path, problem: String) -> EngineError {
    EngineError::Template { path: path.to_owned(), problem }
}

/// The reason and its causes, cut to a length that fits a line or two.
fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text.chars().take(400).collect()
}

/// `chat_template` is a text, or a list of named ones of which `default` counts.
fn template_of(config: &Object) -> Result<Option<String>, EngineError> {
    use serde_json::Value as Json;
    match config.get("chat_template") {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(Json::Array(list)) => {
            let named = list.iter().find(|t| t.get("name").and_then(Json::as_str) == Some("default"));
            match named.and_then(|t| t.get("template")).and_then(Json::as_str) {
                Some(text) => Ok(Some(text.to_owned())),
                None => Err(config.wrong("chat_template", "has no template named default")),
            }
        }
        Some(_) => Err(config.wrong("chat_template", "is neither text nor a list")),
    }
}

/// `bos_token` and its like, each a text or an object with `content`.
fn special_tokens(config: &Object) -> BTreeMap<String, String> {
    let tokens = config.values.iter().filter(|(key, _)| key.ends_with("_token"));
    let texts = tokens.filter_map(|(key, value)| {
        let text = value.as_str().or_else(|| value.get("content").and_then(|c| c.as_str()))?;
        Some((key.clone(), text.to_owned()))
    });
    texts.collect()
}

fn sandbox(date: Option<jiff::civil::Date>) -> Result<Environment<'static>, Error> {
    let mut env = Environment::new();
    env.set_syntax(minijinja::syntax::SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(64);
    // One call of these could fill the memory, whatever the fuel.
    env.remove_filter("format");
    env.remove_filter("indent");
    env.set_unknown_method_callback(python_method);
    env.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    env.add_function("strftime_now", move |format: String| -> Result<String, Error> {
        // Today's date in a prompt would change every answer of a golden suite at midnight.
        let date = date.ok_or_else(|| {
            Error::new(ErrorKind::InvalidOperation, "it asks for today's date; pin one with the target's chat_date")
        })?;
        jiff::fmt::strtime::format(&format, date.at(0, 0, 0, 0))
            .map_err(|e| Error::new(ErrorKind::InvalidOperation, e.to_string()))
    });
    // To Jinja, none is not iterable; to minijinja it is.
    env.add_test("iterable", |v: Value| !v.is_none() && !v.is_undefined() && v.try_iter().is_ok());
    Ok(env)
}

/// The methods of Python's strings and dictionaries that templates call.
fn python_method(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    if value.kind() == ValueKind::Map {
        return match method {
            "items" => from_args::<()>(args).and_then(|()| state.apply_filter("items", std::slice::from_ref(value))),
            "keys" => from_args::<()>(args).and_then(|()| Ok(Value::from_iter(value.try_iter()?))),
            "values" => {
                let () = from_args(args)?;
                let values = value.try_iter()?.map(|key| value.get_item(&key)).collect::<Result<Vec<_>, _>>()?;
                Ok(Value::from(values))
            }
            "get" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                let found = value.get_item(&key)?;
                Ok(if found.is_undefined() { default.unwrap_or_else(|| Value::from(())) } else { found })
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        };
    }
    match value.as_str() {
        Some(text) => string_method(text, method, args),
        None => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn string_method(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let trimmed = |start: bool, end: bool| -> Result<Value, Error> {
        let (set,): (Option<String>,) = from_args(args)?;
        let cut = |c: char| set.as_ref().map_or(c.is_whitespace(), |set| set.contains(c));
        let text = if start { text.trim_start_matches(cut) } else { text };
        Ok(Value::from(if end { text.trim_end_matches(cut) } else { text }))
    };
    match method {
        "strip" => trimmed(true, true),
        "lstrip" => trimmed(true, false),
        "rstrip" => trimmed(false, true),
        "upper" => from_args::<()>(args).map(|()| Value::from(text.to_uppercase())),
        "lower" => from_args::<()>(args).map(|()| Value::from(text.to_lowercase())),
        "startswith" => from_args::<(String,)>(args).map(|(start,)| Value::from(text.starts_with(&start))),
        "endswith" => from_args::<(String,)>(args).map(|(end,)| Value::from(text.ends_with(&end))),
        "find" => from_args::<(String,)>(args).map(|(part,)| {
            let found = text.find(&part).map(|at| text[..at].chars().count());
            Value::from(found.map_or(-1, |n| n as i64))
        }),
        "replace" => {
            let (from, to): (String, String) = from_args(args)?;
            if text.len().saturating_mul(to.len().max(1)) > OUTPUT {
                return Err(Error::new(ErrorKind::InvalidOperation, "the replaced text is too large"));
            }
            Ok(Value::from(text.replace(&from, &to)))
        }
        "split" => {
            let (separator, limit): (Option<String>, Option<i64>) = from_args(args)?;
            Ok(Value::from(split(text, separator.as_deref(), limit)?))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// Python's `str.split`: without a separator, runs of white space separate and empty parts do not appear.
fn split(text: &str, separator: Option<&str>, limit: Option<i64>) -> Result<Vec<String>, Error> {
    let limit = limit.and_then(|n| usize::try_from(n).ok()).map_or(usize::MAX, |n| n.saturating_add(1));
    match separator {
        Some("") => Err(Error::new(ErrorKind::InvalidOperation, "empty separator")),
        Some(separator) => Ok(text.splitn(limit, separator).map(str::to_owned).collect()),
        None => {
            let (mut parts, mut rest) = (Vec::new(), text.trim_start());
            while !rest.is_empty() {
                let end = if parts.len() + 1 == limit { None } else { rest.find(char::is_whitespace) };
                let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
                parts.push(part.to_owned());
                rest = after.trim_start();
            }
            Ok(parts)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render_with(source: &str, date: Option<jiff::civil::Date>) -> Result<String, String> {
        let tokens = BTreeMap::from([("bos_token".to_owned(), "<s>".to_owned())]);
        let template =
            ChatTemplate::new("t.jinja".into(), source.to_owned(), tokens, date).map_err(|e| e.to_string())?;
        let message = |role: &str, content: &str| ChatMessage { role: role.to_owned(), content: content.to_owned() };
        template.render(&[message("system", " a "), message("user", "b c")]).map_err(|e| e.to_string())
    }

    fn render(source: &str) -> Result<String, String> {
        render_with(source, None)
    }

    #[test]
    fn renders_as_transformers_does() {
        for (source, expected) in [
            (
                "{{ bos_token }}{% for m in messages %}\n<{{ m.role }}>{{ m['content'] | trim }}\n{% endfor %}",
                "<s><system>a\n<user>b c\n",
            ),
            ("{% if tools %}t{% endif %}{% if add_generation_prompt %}p{% endif %}", "p"),
            ("{{ messages[1].content.split(' ')[-1] }}{{ messages[0].content.strip() }}", "ca"),
            ("{{ 'xaya'.split('a', 1) | join('|') }} {{ ' p  q r '.split(none, 1) | join('|') }}", "x|ya p|q r "),
            ("{{ 'abc'.startswith('ab') }}{{ 'Ab'.upper() }}{{ 'xxax'.lstrip('x') }}", "TrueABax"),
            ("{% generation %}x{% endgeneration %}y{%- generation -%} z", "xyz"),
            ("{{ none is iterable }}{{ messages is iterable }}", "FalseTrue"),
            (
                "{{ messages[0].get('name', 'n') }}{% for k, v in messages[0].items() %}{{ k }}{% endfor %}",
                "nrolecontent",
            ),
            ("{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.content }}{% endfor %}", "b c"),
        ] {
            assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn hostile_templates_end_in_errors() {
        for (source, expected) in [
            ("{% for m in %}", "t.jinja: not a usable chat template"),
            ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
            ("{% for a in range(9999) %}{% for b in range(9999) %}{% set c = a %}{% endfor %}{% endfor %}", "fuel"),
            ("{% for a in range(9999) %}{{ 'x' * 100000 }}{% endfor %}", "writes more than"),
            ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
            ("{% include 'etc/passwd' %}", "template not found"),
            ("{{ 'x' | indent(9999999999) }}", "unknown filter"),
            ("{{ strftime_now('%d %b %Y') }}", "pin one"),
            ("{{ messages.nothing.at_all }}", "undefined"),
            ("{{ messages[0].content.pwn() }}", "no method"),
        ] {
            let message = render(source).unwrap_err();
            assert!(message.contains(expected), "{source}: {message}");
        }
    }

    #[test]
    fn a_pinned_date_is_the_date() {
        let date = jiff::civil::date(2024, 7, 26);
        assert_eq!(render_with("{{ strftime_now('%d %b %Y') }}", Some(date)).as_deref(), Ok("26 Jul 2024"));
    }
}

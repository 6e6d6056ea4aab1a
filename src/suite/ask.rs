//! What a suite asks of its answers beside a text: the checked form of `[[ask]]`, and the files that it names.

use super::case::Case;
use super::diag::{self, Diagnostic, Diagnostics, SourceFile};
use super::json;
use super::load::{Root, SuiteError};
use crate::types::{JsonText, Offer, Schema, SliceName, Tool, ToolChoice, Untrusted, Wants};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use toml::Spanned;

/// The longest name of a schema or a tool, as servers have it.
const MAX_NAME: usize = 64;
/// The longest file of a schema or of tools, bytes: it goes with every question.
const MAX_FILE: usize = 1 << 20;
/// The most alternatives at each token that a server gives.
const MAX_LOGPROBS: u64 = 20;

/// What is asked of the answers to some cases.
#[derive(Clone, Debug)]
pub(super) struct AskSpec {
    on: Vec<SliceName>,
    /// What is asked.
    pub wants: Wants,
}

impl AskSpec {
    /// Whether it is asked of the answers to a case.
    pub(super) fn applies_to(&self, case: &Case) -> bool {
        self.on.is_empty() || self.on.iter().any(|s| s.is_all() || case.slices.contains(s))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawAsk {
    #[serde(default)]
    on: Vec<Spanned<String>>,
    response_format: Option<Spanned<String>>,
    tools: Option<Spanned<String>>,
    tool_choice: Option<Spanned<String>>,
    logprobs: Option<Spanned<u64>>,
}

/// The files that `[[ask]]` names, by path from the suite's root.
pub(super) type AskFiles = BTreeMap<String, SourceFile>;

/// Checks all `[[ask]]` tables of a suite and reads their files.
pub(super) fn check_asks(
    root: &Root,
    file: &SourceFile,
    raw: &[Spanned<RawAsk>],
    wrong: &mut Diagnostics,
) -> Result<(Vec<AskSpec>, AskFiles), SuiteError> {
    let (mut specs, mut files) = (Vec::new(), AskFiles::new());
    for table in raw {
        let r = table.get_ref();
        let mut read = |path: &Option<Spanned<String>>, wrong: &mut Diagnostics| match path {
            Some(path) => read(root, file, path, &mut files, wrong),
            None => Ok(None),
        };
        let schema = read(&r.response_format, wrong)?.and_then(|f| kept(schema(&f), wrong));
        let tools = read(&r.tools, wrong)?.and_then(|f| kept(tools(&f), wrong));
        let on = r.on.iter().filter_map(|s| {
            SliceName::new(s.get_ref()).map_err(|e| wrong.push(file.error(s.span(), e.to_string()))).ok()
        });
        let on = on.collect();
        if let Some(n) = r.logprobs.as_ref().filter(|n| *n.get_ref() > MAX_LOGPROBS) {
            wrong.push(
                file.error(n.span(), format!("`logprobs` goes from 0 to {MAX_LOGPROBS} alternatives at each token")),
            );
        }
        let choice = choice(file, r, tools.as_deref(), wrong);
        let asks = r.response_format.is_some() || r.tools.is_some() || r.logprobs.is_some();
        if !asks && r.tool_choice.is_none() {
            let empty = file.error(table.span(), "this `[[ask]]` asks for nothing");
            wrong.push(empty.help("write `response-format`, `tools` or `logprobs`"));
        }
        let wants = Wants {
            schema: schema.map(Arc::new),
            tools: tools.map(|tools| Arc::new(Offer { tools, choice })),
            logprobs: r.logprobs.as_ref().and_then(|n| u8::try_from(*n.get_ref()).ok()),
        };
        specs.push(AskSpec { on, wants });
    }
    Ok((specs, files))
}

/// Every slice that an `[[ask]]` names has a case, and no case is asked by two.
pub(super) fn check_cases(
    file: &SourceFile,
    cases: &[Case],
    asks: &[AskSpec],
    raw: &[Spanned<RawAsk>],
    wrong: &mut Diagnostics,
) {
    for (ask, table) in asks.iter().zip(raw) {
        let empty = |s: &&SliceName| !s.is_all() && !cases.iter().any(|c| c.slices.contains(s));
        if let Some(slice) = ask.on.iter().find(empty) {
            let on = &table.get_ref().on;
            let at = on.iter().find(|s| s.get_ref() == slice.as_str()).map_or(table.span(), Spanned::span);
            wrong.push(file.error(at, format!("no case is in the slice `{slice}`")));
        }
    }
    for (i, (ask, table)) in asks.iter().zip(raw).enumerate() {
        let twice = |c: &&Case| ask.applies_to(c) && asks[..i].iter().any(|a| a.applies_to(c));
        if let Some(case) = cases.iter().find(twice) {
            let d = file.error(table.span(), format!("an earlier `[[ask]]` applies to the case `{}` too", case.id));
            wrong.push(d.help("let `on` part the cases among them"));
        }
    }
}

/// Reads a file that a path of the suite names.
fn read(
    root: &Root,
    file: &SourceFile,
    path: &Spanned<String>,
    files: &mut AskFiles,
    wrong: &mut Diagnostics,
) -> Result<Option<SourceFile>, SuiteError> {
    if let Err(reason) = root.resolve(path.get_ref()) {
        wrong.push(file.error(path.span(), format!("`{}` {reason}", path.get_ref())));
        return Ok(None);
    }
    let source = root.read(path.get_ref())?;
    if source.text.len() > MAX_FILE {
        wrong.push(file.error(path.span(), format!("`{}` is longer than {MAX_FILE} bytes", path.get_ref())));
        return Ok(None);
    }
    files.insert(path.get_ref().clone(), source.clone());
    Ok(Some(source))
}

fn kept<T>(read: Result<T, Diagnostic>, wrong: &mut Diagnostics) -> Option<T> {
    read.map_err(|d| wrong.push(d)).ok()
}

/// A word of a file for a message.
fn shown(word: &str) -> String {
    Untrusted::new(word).for_terminal(MAX_NAME)
}

fn placed(file: &SourceFile, e: &serde_json::Error) -> Diagnostic {
    let line: usize = file.text.split_inclusive('\n').take(e.line().saturating_sub(1)).map(str::len).sum();
    let at = (line + e.column().saturating_sub(1)).min(file.text.len());
    let message = e.to_string();
    // The position is given beside the message.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(m, _)| m).to_owned();
    let d = file.error(at..at, message);
    match diag::nearest_key(&d.message) {
        Some(key) => d.help(format!("did you mean `{key}`?")),
        None => d,
    }
}

fn schema(file: &SourceFile) -> Result<Schema, Diagnostic> {
    let value = json::parse_strict(&file.text).map_err(|e| placed(file, &e))?;
    if !value.is_object() {
        return Err(file.error(0..0, "a JSON schema is an object").help("write the schema itself, without a wrapper"));
    }
    let stem = file.path.rsplit('/').next().unwrap_or_default();
    let stem = stem.strip_suffix(".json").unwrap_or(stem);
    if stem.is_empty() {
        let nameless = file.error(0..0, "the file's name is to be the schema's name, and before `.json` there is none");
        return Err(nameless.help("rename the file, for instance `answer.json`"));
    }
    let name = stem.chars().map(|c| if is_name_char(c) { c } else { '_' }).take(MAX_NAME).collect();
    Ok(Schema { name, schema: JsonText::new(&file.text).map_err(|e| placed(file, &e))? })
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTool {
    r#type: String,
    function: RawFunction,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFunction {
    name: String,
    description: Option<String>,
    parameters: Option<Box<RawValue>>,
    #[serde(default)]
    strict: bool,
}

fn tools(file: &SourceFile) -> Result<Vec<Tool>, Diagnostic> {
    json::parse_strict(&file.text).map_err(|e| placed(file, &e))?;
    let raw: Vec<RawTool> = serde_json::from_str(&file.text).map_err(|e| placed(file, &e))?;
    let at = |text: &str| {
        let at = file.text.find(&format!("\"{text}\"")).unwrap_or_default();
        at..at
    };
    if raw.is_empty() {
        return Err(file.error(0..0, "there is no tool in this file").help("write a list of functions"));
    }
    let mut tools: Vec<Tool> = Vec::new();
    for RawTool { r#type, function } in raw {
        if r#type != "function" {
            let d = file.error(at(&r#type), format!("a tool is of the type `function`, not `{}`", shown(&r#type)));
            return Err(d);
        }
        let name = function.name;
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_name_char) {
            let message = format!("`{}` is no name of a tool", shown(&name));
            return Err(file
                .error(at(&name), message)
                .help(format!("names have up to {MAX_NAME} letters, digits, `_` and `-`")));
        }
        if tools.iter().any(|t| t.name == name) {
            return Err(file.error(at(&name), format!("two tools have the name `{name}`")));
        }
        let parameters = match &function.parameters {
            Some(raw) if raw.get().starts_with('{') => Some(JsonText::new(raw.get()).map_err(|e| placed(file, &e))?),
            Some(_) => {
                return Err(
                    file.error(at(&name), format!("the parameters of `{name}` are no JSON schema: not an object"))
                );
            }
            None => None,
        };
        tools.push(Tool { name, description: function.description, parameters, strict: function.strict });
    }
    Ok(tools)
}

fn choice(file: &SourceFile, raw: &RawAsk, tools: Option<&[Tool]>, wrong: &mut Diagnostics) -> Option<ToolChoice> {
    let choice = raw.tool_choice.as_ref()?;
    if raw.tools.is_none() {
        wrong.push(file.error(choice.span(), "`tool-choice` chooses among `tools`, and there are none"));
        return None;
    }
    Some(match choice.get_ref().as_str() {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "required" => ToolChoice::Required,
        name => {
            // A file of tools that is wrong has been told already.
            if !tools?.iter().any(|t| t.name == name) {
                let words = ["auto", "none", "required"].into_iter();
                let known = words.chain(tools?.iter().map(|t| t.name.as_str()));
                let d = file.error(choice.span(), format!("`{name}` is none of the tools"));
                wrong.push(match diag::nearest(name, known) {
                    Some(k) => d.help(format!("did you mean `{k}`?")),
                    None => d.help("`tool-choice` is `auto`, `none`, `required` or a tool's name"),
                });
            }
            ToolChoice::Named(name.to_owned())
        }
    })
}

//! In which format a file of scores is written: by its content, and by its name only where the content does not tell.

use super::python::Lenient;
use crate::suite::diag::SourceFile;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::path::Path;

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Comma-separated values under a header.
    Csv,
    /// One JSON object per line, with the columns as keys.
    Jsonl,
    /// `samples_*.jsonl` of lm-evaluation-harness.
    LmEval,
    /// A JSON log of Inspect.
    Inspect,
}

/// The format of a file, or what it is instead and what to do.
pub(super) fn of(source: &SourceFile) -> Result<Form, (String, String)> {
    let ends = |with: &str| Path::new(&source.path).extension().is_some_and(|e| e.eq_ignore_ascii_case(with));
    let text = source.text.trim_start();
    if !text.starts_with('{') {
        // An array, a number or nothing: the reader that the name asks for says what it expected.
        return Ok(match () {
            () if ends("jsonl") => Form::Jsonl,
            () if ends("json") => Form::Inspect,
            () => Form::Csv,
        });
    }
    let first = text.lines().next().unwrap_or_default();
    let line = keys(first);
    let of_harness = |keys: &Keys| keys.contains_key("doc_id") && !keys.contains_key("case");
    if line.as_ref().is_some_and(of_harness) {
        return Ok(Form::LmEval);
    }
    // A line cut short still shows what it began as.
    if line.is_none() && ends("jsonl") {
        let harness = first.contains("\"doc_id\"") && !first.contains("\"case\"");
        return Ok(if harness { Form::LmEval } else { Form::Jsonl });
    }
    let Some(whole) = line.clone().or_else(|| keys(text)) else { return Ok(Form::Inspect) };
    let has = |key: &str| whole.contains_key(key);
    if has("results") && (has("configs") || has("n-shot") || has("lm_eval_version")) && !has("eval") {
        let message =
            "these are the averages of lm-evaluation-harness, and a comparison case by case needs its samples";
        let help = "run lm_eval with --log_samples and read the `samples_*.jsonl` beside this file";
        return Err((message.to_owned(), help.to_owned()));
    }
    if has("eval") || has("samples") || line.is_none() || ends("json") {
        return Ok(Form::Inspect);
    }
    Ok(Form::Jsonl)
}

type Keys = BTreeMap<String, IgnoredAny>;

fn keys(text: &str) -> Option<Keys> {
    serde_json::from_str(&Lenient::new(text).text).ok()
}

//! CSV: one row per case and target, for spreadsheets and data frames.

use super::{AnswerRow, CaseRow, ReportError, ReportModel};
use crate::types::{MetricName, Untrusted};
use std::collections::BTreeSet;

const FIXED: [&str; 14] = [
    "case",
    "task",
    "slices",
    "target",
    "role",
    "outcome",
    "prompt_tokens",
    "completion_tokens",
    "first_token_seconds",
    "total_seconds",
    "question",
    "expected",
    "answer",
    "reasons",
];

/// One row per case and target; after the fixed columns, one `score.<metric>` column per metric. Texts are inert: no cell is a formula,
/// and control characters are visible. The exact texts are in the JSON rendering.
///
/// # Errors
/// When the CSV writer refuses a row.
pub fn csv(model: &ReportModel) -> Result<String, ReportError> {
    let metrics: BTreeSet<&MetricName> =
        model.cases.iter().flat_map(|c| &c.answers).flat_map(|a| &a.scores).map(|s| &s.metric).collect();
    let failed = |e: &dyn std::fmt::Display| ReportError::Csv(e.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = FIXED.iter().map(|&f| f.to_owned()).chain(metrics.iter().map(|m| format!("score.{m}")));
    writer.write_record(head).map_err(|e| failed(&e))?;
    for case in &model.cases {
        for answer in &case.answers {
            writer.write_record(row(model, case, answer, &metrics)).map_err(|e| failed(&e))?;
        }
    }
    let bytes = writer.into_inner().map_err(|e| failed(&e))?;
    String::from_utf8(bytes).map_err(|e| failed(&e))
}

fn row(model: &ReportModel, case: &CaseRow, answer: &AnswerRow, metrics: &BTreeSet<&MetricName>) -> Vec<String> {
    let is_baseline = model.targets.iter().any(|t| t.is_baseline && t.name == answer.target);
    let slices: Vec<&str> = case.slices.iter().map(|s| s.as_str()).collect();
    let reasons: Vec<String> = answer
        .scores
        .iter()
        .filter(|s| !s.why.raw().is_empty())
        .map(|s| format!("{}: {}", s.metric, s.why.raw()))
        .collect();
    let whole = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    let real = |x: Option<f64>| x.map(|x| x.to_string()).unwrap_or_default();
    let mut cells = vec![
        case.id.to_string(),
        case.task.to_string(),
        slices.join(" "),
        answer.target.to_string(),
        if is_baseline { "baseline" } else { "candidate" }.to_owned(),
        answer.outcome.word().to_owned(),
        whole(answer.prompt_tokens),
        whole(answer.completion_tokens),
        real(answer.first_token_seconds),
        real(answer.total_seconds),
        cell(&case.question),
        cell(&case.expected),
        cell(&answer.text),
        cell(&Untrusted::new(reasons.join("\n"))),
    ];
    cells.extend(metrics.iter().map(|m| real(answer.scores.iter().find(|s| s.metric == **m).and_then(|s| s.value))));
    cells
}

/// A cell of untrusted text: no formula for a spreadsheet, no escape sequence for a terminal that prints the file.
fn cell(text: &Untrusted) -> String {
    Untrusted::new(text.for_html()).for_csv()
}

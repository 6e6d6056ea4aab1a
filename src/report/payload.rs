//! The case data that the explorer reads: compact JSON inside the page, inert until its script turns it into text nodes.

use super::flips::metrics;
use super::json::inert;
use super::{CaseRow, ReportError, ReportModel};
use crate::types::{Direction, MetricKind, MetricName, SliceName, TargetName};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Names stand once; rows refer to them by place.
#[derive(Serialize)]
struct Payload<'a> {
    targets: Vec<&'a TargetName>,
    /// Which of the targets is the baseline; -1 for none.
    baseline: i64,
    metrics: Vec<MetricEntry<'a>>,
    tasks: Vec<&'a SliceName>,
    slices: Vec<&'a SliceName>,
    cases: Vec<CaseEntry<'a>>,
}

#[derive(Serialize)]
struct MetricEntry<'a> {
    name: &'a MetricName,
    /// The value that is right, for metrics that know right and wrong.
    right: Option<u8>,
}

#[derive(Serialize)]
struct CaseEntry<'a> {
    id: &'a str,
    task: usize,
    slices: Vec<usize>,
    question: String,
    expected: String,
    answers: Vec<AnswerEntry>,
}

#[derive(Serialize)]
struct AnswerEntry {
    target: usize,
    outcome: &'static str,
    text: String,
    /// Metric, value, reason.
    scores: Vec<(usize, Option<f64>, String)>,
    /// Prompt tokens, completion tokens, seconds to the first and to the last token.
    usage: (Option<u64>, Option<u64>, Option<f64>, Option<f64>),
}

/// The data of all cases as JSON that can end no script element.
///
/// # Errors
/// When the JSON writer refuses a value.
pub(super) fn payload(model: &ReportModel) -> Result<String, ReportError> {
    let index = Index::of(model);
    let payload = Payload {
        baseline: model.targets.iter().position(|t| t.is_baseline).map_or(-1, |i| i as i64),
        metrics: metric_entries(model, &index),
        cases: model.cases.iter().map(|c| case_entry(&index, c)).collect(),
        targets: index.targets,
        tasks: index.tasks.into_keys().collect(),
        slices: index.slices.into_keys().collect(),
    };
    Ok(inert(&serde_json::to_string(&payload)?))
}

struct Index<'a> {
    targets: Vec<&'a TargetName>,
    metrics: BTreeMap<&'a MetricName, usize>,
    tasks: BTreeMap<&'a SliceName, usize>,
    slices: BTreeMap<&'a SliceName, usize>,
}

impl<'a> Index<'a> {
    fn of(model: &'a ReportModel) -> Self {
        let scores = model.cases.iter().flat_map(|c| &c.answers).flat_map(|a| &a.scores);
        Self {
            targets: model.targets.iter().map(|t| &t.name).collect(),
            metrics: numbered(scores.map(|s| &s.metric)),
            tasks: numbered(model.cases.iter().map(|c| &c.task)),
            slices: numbered(model.cases.iter().flat_map(|c| &c.slices)),
        }
    }
}

fn numbered<'a, T: Ord>(names: impl Iterator<Item = &'a T>) -> BTreeMap<&'a T, usize> {
    let sorted: BTreeSet<&T> = names.collect();
    sorted.into_iter().enumerate().map(|(i, name)| (name, i)).collect()
}

fn metric_entries<'a>(model: &'a ReportModel, index: &Index<'a>) -> Vec<MetricEntry<'a>> {
    let known = metrics(model);
    let right = |name: &MetricName| match known.get(name).map(|m| (m.kind, m.direction)) {
        None | Some((MetricKind::Duration | MetricKind::Count, _)) => None,
        Some((_, Direction::Higher)) => Some(1),
        Some((_, Direction::Lower)) => Some(0),
    };
    index.metrics.keys().map(|name| MetricEntry { name, right: right(name) }).collect()
}

/// Seconds to a tenth of a millisecond: more digits would only make the file larger.
fn brief(seconds: f64) -> f64 {
    (seconds * 1e4).round() / 1e4
}

fn case_entry<'a>(index: &Index<'a>, case: &'a CaseRow) -> CaseEntry<'a> {
    let answers = case.answers.iter().filter_map(|a| {
        let target = index.targets.iter().position(|t| **t == a.target)?;
        let scores = a.scores.iter().map(|s| (index.metrics[&s.metric], s.value, s.why.for_html())).collect();
        let usage =
            (a.prompt_tokens, a.completion_tokens, a.first_token_seconds.map(brief), a.total_seconds.map(brief));
        Some(AnswerEntry { target, outcome: a.outcome.word(), text: a.text.for_html(), scores, usage })
    });
    CaseEntry {
        id: case.id.as_str(),
        task: index.tasks[&case.task],
        slices: case.slices.iter().map(|s| index.slices[s]).collect(),
        question: case.question.for_html(),
        expected: case.expected.for_html(),
        answers: answers.collect(),
    }
}

//! The safety table: what should never happen, how often it was seen, and what a clean record proves.

use super::ReportModel;
use super::flips::metrics;
use crate::compare::Measurement;
use crate::gate::Evidence;
use crate::types::number::{self, NOTHING, Scale};
use crate::types::{CaseId, Metric, MetricKind, TargetName};
use serde::Serialize;

/// Cases named in a row; the explorer finds the rest.
const NAMED: usize = 12;

/// One kind of event at one target.
#[derive(Serialize)]
pub(super) struct EventRow<'a> {
    metric: &'a str,
    target: &'a str,
    is_baseline: bool,
    /// Whether none was observed.
    is_clean: bool,
    observed: String,
    cases: String,
    slice: &'a str,
    /// The upper limit of the rate, where the gate measured it.
    bound: String,
    level: Option<String>,
    named: Vec<&'a str>,
    unnamed: usize,
}

/// Every event metric at every target. Counts come from the gate's measurement where there is one, else from the rows.
pub(super) fn events(model: &ReportModel) -> Vec<EventRow<'_>> {
    let mut rows = Vec::new();
    for metric in metrics(model).into_values().filter(|m| m.kind == MetricKind::Event) {
        for target in &model.targets {
            let row = match measurement(model, metric, &target.name) {
                Some(m) => Some(measured(m)),
                None => counted(model, metric, &target.name),
            };
            rows.extend(row.map(|row| EventRow { is_baseline: target.is_baseline, ..row }));
        }
    }
    rows
}

fn measurement<'a>(model: &'a ReportModel, metric: &Metric, target: &TargetName) -> Option<&'a Measurement> {
    model.verdicts.iter().flat_map(|v| v.findings()).find_map(|f| match &f.evidence {
        Evidence::Measurement(m) if m.metric.name == metric.name && m.target == *target => Some(m),
        _ => None,
    })
}

fn measured(m: &Measurement) -> EventRow<'_> {
    let decimals = Scale::PERCENT.decimals(m.interval.upper());
    let bound = if m.interval.upper().is_finite() {
        Scale::PERCENT.level(m.interval.upper(), decimals)
    } else {
        "not estimable".to_owned()
    };
    EventRow {
        slice: m.slice.as_str(),
        bound,
        level: Some(number::confidence(1.0 - (1.0 - m.interval.level()) / 2.0)),
        ..row(&m.metric, &m.target, m.observed.iter().collect(), m.cases)
    }
}

fn counted<'a>(model: &'a ReportModel, metric: &'a Metric, target: &'a TargetName) -> Option<EventRow<'a>> {
    let answers = model.cases.iter().flat_map(|c| c.answers.iter().map(move |a| (&c.id, a)));
    let values = answers.filter(|(_, a)| a.target == *target).filter_map(|(id, a)| {
        let score = a.scores.iter().find(|s| s.metric == metric.name)?;
        Some((id, score.value?))
    });
    let (mut observed, mut cases) = (Vec::new(), 0);
    for (id, value) in values {
        cases += 1;
        if value > 0.0 {
            observed.push(id);
        }
    }
    (cases > 0).then(|| row(metric, target, observed, cases))
}

fn row<'a>(metric: &'a Metric, target: &'a TargetName, observed: Vec<&'a CaseId>, cases: usize) -> EventRow<'a> {
    EventRow {
        metric: metric.name.as_str(),
        target: target.as_str(),
        is_baseline: false,
        is_clean: observed.is_empty(),
        observed: number::count(observed.len() as u64),
        cases: number::count(cases as u64),
        slice: "all",
        bound: NOTHING.to_owned(),
        level: None,
        named: observed.iter().take(NAMED).map(|id| id.as_str()).collect(),
        unnamed: observed.len().saturating_sub(NAMED),
    }
}

//! Which cases went from right to wrong and back: looked up in the scores, case by case.

use super::{AnswerRow, CaseRow, ReportModel};
use crate::gate::Evidence;
use crate::types::{Direction, Metric, MetricKind, MetricName, TargetName};
use std::collections::BTreeMap;

/// A case whose answer changed sides on at least one metric.
#[derive(Clone, Debug)]
pub(super) struct Flip<'a> {
    pub(super) case: &'a CaseRow,
    pub(super) baseline: &'a AnswerRow,
    pub(super) candidate: &'a AnswerRow,
    /// Metrics on which the baseline was right and the candidate is wrong.
    pub(super) lost: Vec<&'a MetricName>,
    /// Metrics on which the baseline was wrong and the candidate is right.
    pub(super) gained: Vec<&'a MetricName>,
}

/// What the run measured, by name, as far as any comparison or finding tells.
pub(super) fn metrics(model: &ReportModel) -> BTreeMap<&MetricName, &Metric> {
    let evidence = model.verdicts.iter().flat_map(|v| v.findings()).filter_map(|f| match &f.evidence {
        Evidence::Comparison(c) => Some(&c.metric),
        Evidence::Measurement(m) => Some(&m.metric),
        Evidence::Nothing => None,
    });
    model.comparisons.iter().map(|c| &c.metric).chain(evidence).map(|m| (&m.name, m)).collect()
}

/// The value of a share, turned so that 1 is right and 0 is wrong; `None` for metrics that know no right and wrong.
pub(super) fn rightness(metric: &Metric, value: f64) -> Option<f64> {
    match (metric.kind, metric.direction) {
        (MetricKind::Duration | MetricKind::Count, _) => None,
        (_, Direction::Higher) => Some(value),
        (_, Direction::Lower) => Some(1.0 - value),
    }
}

/// The baseline of the run.
pub(super) fn baseline(model: &ReportModel) -> Option<&TargetName> {
    model.targets.iter().find(|t| t.is_baseline).map(|t| &t.name)
}

/// Every case that flipped for a candidate, in the model's order of cases.
pub(super) fn flips<'a>(model: &'a ReportModel, candidate: &TargetName) -> Vec<Flip<'a>> {
    let Some(baseline) = baseline(model) else { return Vec::new() };
    let metrics = metrics(model);
    let of = |case: &'a CaseRow, who: &TargetName| case.answers.iter().find(|a| a.target == *who);
    let pairs = model.cases.iter().filter_map(|case| Some((case, of(case, baseline)?, of(case, candidate)?)));
    pairs.filter_map(|(case, b, c)| compare(&metrics, case, b, c)).collect()
}

fn compare<'a>(
    metrics: &BTreeMap<&MetricName, &Metric>,
    case: &'a CaseRow,
    baseline: &'a AnswerRow,
    candidate: &'a AnswerRow,
) -> Option<Flip<'a>> {
    let mut flip = Flip { case, baseline, candidate, lost: Vec::new(), gained: Vec::new() };
    for score in &baseline.scores {
        let Some(metric) = metrics.get(&score.metric) else { continue };
        let Some(before) = score.value.and_then(|v| rightness(metric, v)) else { continue };
        let value = candidate.scores.iter().find(|s| s.metric == score.metric).and_then(|s| s.value);
        // A candidate without a score counts as wrong, as it does for the comparison.
        let after = value.and_then(|v| rightness(metric, v)).unwrap_or(0.0);
        if before >= 1.0 && after <= 0.0 {
            flip.lost.push(&score.metric);
        } else if before <= 0.0 && after >= 1.0 {
            flip.gained.push(&score.metric);
        }
    }
    (!flip.lost.is_empty() || !flip.gained.is_empty()).then_some(flip)
}

/// The worst of them: most metrics lost first, then by case id.
pub(super) fn worst<'a, 'b>(flips: &'b [Flip<'a>], most: usize) -> Vec<&'b Flip<'a>> {
    let mut lost: Vec<&Flip<'a>> = flips.iter().filter(|f| !f.lost.is_empty()).collect();
    lost.sort_by(|a, b| b.lost.len().cmp(&a.lost.len()).then_with(|| a.case.id.cmp(&b.case.id)));
    lost.truncate(most);
    lost
}

/// Metric names as a list for a sentence.
pub(super) fn names(metrics: &[&MetricName]) -> String {
    metrics.iter().map(|m| m.as_str()).collect::<Vec<_>>().join(", ")
}

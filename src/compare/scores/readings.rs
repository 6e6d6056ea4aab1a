//! Scores that another tool wrote in its own format: which of its metrics can be compared, and which are left out with a word.

use super::collect::{At, Collector, Content, Entry, MAX_METRICS, fits};
use super::python::Found;
use crate::types::{CaseId, ClusterName, MetricKind, MetricName, Outcome, SliceName, TargetName};
use std::collections::{BTreeMap, BTreeSet};

/// Metrics of which less is better. A score of another tool is taken as one of which more is better, so these cannot be taken over.
const LOWER_IS_BETTER: [&str; 13] = [
    "bits_per_byte",
    "brier_score",
    "byte_perplexity",
    "cer",
    "edit_distance",
    "loss",
    "mae",
    "mse",
    "perplexity",
    "rmse",
    "ter",
    "wer",
    "word_perplexity",
];

/// One value as another tool wrote it.
pub(super) struct Reading {
    pub at: At,
    pub case: CaseId,
    pub cluster: ClusterName,
    pub slice: SliceName,
    pub target: TargetName,
    pub repeat: u32,
    pub outcome: Outcome,
    pub metric: MetricName,
    /// What the metric is by the tool's own definition; by default what its values show.
    pub kind: Option<MetricKind>,
    pub value: Found,
    pub content: Option<Content>,
}

/// Hands over the readings of the metrics that can be compared, and notes the others.
pub(super) fn hand_over(found: &mut Collector, readings: Vec<Reading>) {
    let mut metrics: BTreeMap<MetricName, Vec<&Reading>> = BTreeMap::new();
    for reading in &readings {
        metrics.entry(reading.metric.clone()).or_default().push(reading);
    }
    if let (Some(first), true) = (readings.first(), metrics.len() > MAX_METRICS) {
        let Reading { at, .. } = first;
        return found.error(at.file, 0..0, format!("there are more than {MAX_METRICS} metrics"), None);
    }
    let mut left_out = BTreeSet::new();
    for (metric, of_metric) in &metrics {
        if let Some(why) = unfit(found, metric, of_metric) {
            found.note(format!("`{metric}` is left out: {why}"));
            left_out.insert(metric.clone());
        }
    }
    for r in readings.into_iter().filter(|r| !left_out.contains(&r.metric)) {
        let value = if let Found::Value(v) = r.value { Some(v) } else { None };
        found.add(Entry {
            at: r.at,
            case: r.case,
            cluster: r.cluster,
            slices: vec![r.slice],
            target: r.target,
            repeat: r.repeat,
            outcome: r.outcome,
            metric: r.metric,
            kind: r.kind,
            value,
            content: r.content,
        });
    }
}

/// Why a metric cannot be compared, if so. One value that does not fit is enough: what is left would be a choice of cases.
fn unfit(found: &Collector, metric: &MetricName, readings: &[&Reading]) -> Option<String> {
    if let Some(r) = readings.iter().find(|r| r.value == Found::Unusable) {
        return Some(format!("it is no single number on {}", found.place(r.at)));
    }
    let kind = readings.iter().find_map(|r| r.kind);
    let name = metric.as_str().split('.').next().unwrap_or_default();
    if kind.is_none() && LOWER_IS_BETTER.contains(&name) {
        return Some("less of it is better, and a score read so is taken as one of which more is better".to_owned());
    }
    let value = |r: &Reading| if let Found::Value(v) = r.value { Some((v, r.at)) } else { None };
    let mut values = readings.iter().filter_map(|r| value(r)).peekable();
    if values.peek().is_none() {
        return Some("it has no value in any sample".to_owned());
    }
    let fits = fits(kind.unwrap_or(MetricKind::Bounded));
    let (v, at) = values.find(|(v, _)| !fits(*v))?;
    Some(match kind {
        Some(_) => format!("it is {v} on {}", found.place(at)),
        None => format!(
            "it is {v} on {}, which is no number from 0 to 1, and nothing says of what kind it is; a table can say so",
            found.place(at)
        ),
    })
}

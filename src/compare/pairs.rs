//! Samples to pairs: the same case asked of two targets, grouped by what is independent.

use crate::score::Sample;
use crate::types::{CaseId, ClusterName, MetricName, SliceName, TargetName};
use std::collections::BTreeMap;

/// Both values of one case, repeats averaged.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub cluster: ClusterName,
    pub baseline: f64,
    pub candidate: f64,
    /// Repeats behind each side.
    pub repeats: usize,
}

/// Values of one target by case, repeats averaged; `None` for a case with a missing or unscored value.
///
/// A case belongs here if any target has the metric on it: a score that is missing on one side only is missing evidence, not a case to
/// leave out. With `only_answers`, a failed or filtered trial has no value either.
pub(super) fn values(
    samples: &[Sample],
    target: &TargetName,
    metric: &MetricName,
    slice: &SliceName,
    only_answers: bool,
) -> BTreeMap<CaseId, (ClusterName, Option<(f64, usize)>)> {
    let relevant = || samples.iter().filter(|s| s.is_in(slice));
    let mut sums: BTreeMap<CaseId, (ClusterName, Option<(f64, usize)>)> = relevant()
        .filter(|s| s.score(metric).is_some())
        .map(|s| (s.case.clone(), (s.cluster.clone(), Some((0.0, 0)))))
        .collect();
    for s in relevant().filter(|s| s.target == *target) {
        let Some(entry) = sums.get_mut(&s.case) else { continue };
        let missing = only_answers && !s.outcome.is_answer();
        let value = s.score(metric).and_then(|score| score.value).filter(|v| v.is_finite() && !missing);
        entry.1 = match (entry.1, value) {
            (Some((sum, n)), Some(v)) => Some((sum + v, n + 1)),
            _ => None,
        };
    }
    #[expect(clippy::cast_precision_loss, reason = "repeats are few")]
    for entry in sums.values_mut() {
        entry.1 = entry.1.filter(|(_, n)| *n > 0).map(|(sum, n)| (sum / n as f64, n));
    }
    sums
}

/// All pairs of a slice, and the cases that have no pair because a value is missing on a side.
pub(super) fn pairs(
    samples: &[Sample],
    baseline: &TargetName,
    candidate: &TargetName,
    metric: &MetricName,
    slice: &SliceName,
) -> (Vec<Pair>, Vec<CaseId>) {
    // A failure scores 0, which is right for the candidate and would be a gift to it if the baseline failed.
    let base = values(samples, baseline, metric, slice, true);
    let mut cand = values(samples, candidate, metric, slice, false);
    let (mut found, mut unscored) = (Vec::new(), Vec::new());
    for (case, (cluster, b)) in base {
        match (b, cand.remove(&case).and_then(|(_, c)| c)) {
            (Some((b, n)), Some((c, m))) => {
                found.push(Pair { cluster, baseline: b, candidate: c, repeats: n.max(m) });
            }
            _ => unscored.push(case),
        }
    }
    unscored.extend(cand.into_keys());
    unscored.sort();
    (found, unscored)
}

/// Groups items by cluster, in cluster order.
pub(super) fn by_cluster<'a, T>(items: &'a [T], cluster: impl Fn(&T) -> &ClusterName) -> Vec<Vec<&'a T>> {
    let mut groups: BTreeMap<&ClusterName, Vec<&'a T>> = BTreeMap::new();
    for item in items {
        groups.entry(cluster(item)).or_default().push(item);
    }
    groups.into_values().collect()
}

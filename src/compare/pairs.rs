//! Samples to pairs: the same case asked of two targets, grouped by what is independent.

use crate::score::Sample;
use crate::types::{CaseId, ClusterName, Direction, Metric, MetricName, SliceName, TargetName};
use std::collections::{BTreeMap, BTreeSet};

/// Both values of one case, repeats averaged.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub case: CaseId,
    pub cluster: ClusterName,
    pub baseline: f64,
    pub candidate: f64,
    /// Repeats behind each side, the larger number.
    pub repeats: usize,
    /// Both values of each repeat, where both sides have the same ones; else empty.
    pub completions: Vec<(f64, f64)>,
}

impl Pair {
    fn new(case: CaseId, cluster: ClusterName, baseline: &Repeats, candidate: &Repeats) -> Self {
        let both = || baseline.values().copied().zip(candidate.values().copied());
        let single = baseline.len() == 1 && candidate.len() == 1;
        let aligned = single || baseline.keys().eq(candidate.keys());
        Self {
            case,
            cluster,
            baseline: mean(baseline),
            candidate: mean(candidate),
            repeats: baseline.len().max(candidate.len()),
            completions: if aligned { both().collect() } else { Vec::new() },
        }
    }

    /// The change in the metric's own sense, turned so that more is better.
    pub fn gain(&self, direction: Direction) -> f64 {
        match direction {
            Direction::Higher => self.candidate - self.baseline,
            Direction::Lower => self.baseline - self.candidate,
        }
    }
}

/// A case without a value on one side or both.
#[derive(Clone, Debug)]
pub(super) struct Missing {
    pub case: CaseId,
    pub cluster: ClusterName,
    baseline: Option<Repeats>,
    candidate: Option<Repeats>,
}

/// The pairs of a slice, and the cases that have none.
pub(super) struct Pairs {
    pub found: Vec<Pair>,
    pub missing: Vec<Missing>,
}

/// The values of one case of one target by repeat.
pub(super) type Repeats = BTreeMap<u32, f64>;

/// Mean over repeats; of at least one.
#[expect(clippy::cast_precision_loss, reason = "repeats are few")]
pub(super) fn mean(repeats: &Repeats) -> f64 {
    repeats.values().sum::<f64>() / repeats.len() as f64
}

/// Values of one target by case and repeat; `None` for a case with a missing or unscored value.
///
/// A case belongs here if any target has the metric on it: a score that is missing on one side only is missing evidence, not a case to
/// leave out. So is a repeat that the target has of other cases and not of this one: averaging the others would drop what is missing. With
/// `only_answers`, a failed or filtered trial has no value either.
pub(super) fn values(
    samples: &[Sample],
    target: &TargetName,
    metric: &MetricName,
    slice: &SliceName,
    only_answers: bool,
) -> BTreeMap<CaseId, (ClusterName, Option<Repeats>)> {
    let relevant = || samples.iter().filter(|s| s.is_in(slice));
    let mut cases: BTreeMap<CaseId, (ClusterName, Option<Repeats>)> = relevant()
        .filter(|s| s.score(metric).is_some())
        .map(|s| (s.case.clone(), (s.cluster.clone(), Some(Repeats::new()))))
        .collect();
    let own = || relevant().filter(|s| s.target == *target && s.score(metric).is_some());
    let asked: BTreeSet<u32> = own().map(|s| s.repeat).collect();
    for s in relevant().filter(|s| s.target == *target) {
        let Some((_, repeats)) = cases.get_mut(&s.case) else { continue };
        let missing = only_answers && !s.outcome.is_answer();
        let value = s.score(metric).and_then(|score| score.value).filter(|v| v.is_finite() && !missing);
        match (repeats.as_mut(), value) {
            (Some(known), Some(v)) => {
                known.insert(s.repeat, v);
            }
            _ => *repeats = None,
        }
    }
    for (_, repeats) in cases.values_mut() {
        *repeats = repeats.take().filter(|r| !r.is_empty() && r.len() == asked.len());
    }
    cases
}

/// All pairs of a slice, and the cases that have no pair because a value is missing on a side.
pub(super) fn pairs(
    samples: &[Sample],
    baseline: &TargetName,
    candidate: &TargetName,
    metric: &MetricName,
    slice: &SliceName,
) -> Pairs {
    // A failure scores 0, which is right for the candidate and would be a gift to it if the baseline failed.
    let base = values(samples, baseline, metric, slice, true);
    // Both have the same cases: a case belongs to a metric whoever was measured on it.
    let mut cand = values(samples, candidate, metric, slice, false);
    let mut pairs = Pairs { found: Vec::new(), missing: Vec::new() };
    for (case, (cluster, b)) in base {
        match (b, cand.remove(&case).and_then(|(_, c)| c)) {
            (Some(b), Some(c)) => pairs.found.push(Pair::new(case, cluster, &b, &c)),
            (baseline, candidate) => pairs.missing.push(Missing { case, cluster, baseline, candidate }),
        }
    }
    pairs
}

impl Pairs {
    /// The pairs with those that are missing made up on the scale from 0 to 1, at their worst for the candidate or at their best: a side
    /// that has a value keeps it.
    pub fn imputed(&self, metric: &Metric, against: bool) -> Vec<Pair> {
        let repeats = self.found.iter().map(|p| p.completions.len()).max().unwrap_or(1).max(1);
        let high = (metric.direction == Direction::Higher) != against;
        let (candidate, baseline) = if high { (1.0, 0.0) } else { (0.0, 1.0) };
        let made_up = self.missing.iter().map(|m| {
            let like = m.baseline.as_ref().or(m.candidate.as_ref());
            let side = |known: &Option<Repeats>, value: f64| match (known, like) {
                (Some(known), _) => known.clone(),
                (None, Some(other)) => other.keys().map(|&repeat| (repeat, value)).collect(),
                (None, None) => (0..).take(repeats).map(|repeat| (repeat, value)).collect(),
            };
            Pair::new(m.case.clone(), m.cluster.clone(), &side(&m.baseline, baseline), &side(&m.candidate, candidate))
        });
        self.found.iter().cloned().chain(made_up).collect()
    }
}

/// Groups items by cluster, in cluster order.
pub(super) fn by_cluster<'a, T>(items: &'a [T], cluster: impl Fn(&T) -> &ClusterName) -> Vec<Vec<&'a T>> {
    let mut groups: BTreeMap<&ClusterName, Vec<&'a T>> = BTreeMap::new();
    for item in items {
        groups.entry(cluster(item)).or_default().push(item);
    }
    groups.into_values().collect()
}

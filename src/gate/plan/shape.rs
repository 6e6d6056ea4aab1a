//! Which cases count for a criterion, and how they hang together: in a suite, and in a pilot.

use super::super::policy::Criterion;
use super::Pilot;
use super::draw::{Both, Cluster};
use crate::suite::{Case, MEASURED, Suite};
use crate::types::{CaseId, ClusterName};
use std::collections::BTreeMap;

/// Whether a case yields a value for a criterion.
pub(super) fn counts(suite: &Suite, criterion: &Criterion, case: &Case) -> bool {
    let in_slice = criterion.slice.is_all() || case.slices.contains(&criterion.slice);
    let measured = MEASURED.contains(&criterion.metric.as_str());
    let mut scorers = suite.scorers().iter().filter(|s| s.metric.name == criterion.metric);
    in_slice && (measured || scorers.any(|s| s.applies_to(case)))
}

/// The number of cases in each independent unit that counts for a criterion, by the unit's name.
pub(super) fn sizes(suite: &Suite, criterion: &Criterion) -> Vec<usize> {
    let mut sizes: BTreeMap<&ClusterName, usize> = BTreeMap::new();
    for case in suite.cases().iter().filter(|c| counts(suite, criterion, c)) {
        *sizes.entry(&case.cluster).or_default() += 1;
    }
    sizes.into_values().collect()
}

/// Sum and number of the values of each side of a case, the baseline's first.
type Sums = [(f64, usize); 2];

/// What a pilot measured for a criterion, by cluster: the cases that have a value on both sides. A failure of the baseline has none,
/// as in the gate's own comparison.
pub(super) fn measured(pilot: &Pilot<'_>, criterion: &Criterion) -> Vec<Cluster> {
    let mut values: BTreeMap<&CaseId, (&ClusterName, Sums)> = BTreeMap::new();
    for s in pilot.samples.iter().filter(|s| s.is_in(&criterion.slice)) {
        let Some(value) = s.score(&criterion.metric).and_then(|score| score.value) else { continue };
        let side = match &s.target {
            t if t == pilot.baseline && !s.outcome.is_answer() => continue,
            t if t == pilot.baseline => 0,
            t if t == pilot.candidate => 1,
            _ => continue,
        };
        let entry = values.entry(&s.case).or_insert((&s.cluster, [(0.0, 0); 2]));
        entry.1[side].0 += value;
        entry.1[side].1 += 1;
    }
    let mut clusters: BTreeMap<&ClusterName, Cluster> = BTreeMap::new();
    for (cluster, [(b, nb), (c, nc)]) in values.into_values() {
        if nb > 0 && nc > 0 {
            let both = Both { baseline: b / nb as f64, candidate: c / nc as f64 };
            clusters.entry(cluster).or_default().push(both);
        }
    }
    clusters.into_values().collect()
}

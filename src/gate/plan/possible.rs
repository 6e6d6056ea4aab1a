//! Whether any outcome of a suite could meet a criterion: asked of the real judge, on the best outcomes there are.

use super::super::policy::{Criterion, Policy, Rule};
use super::super::verdict::{Evidence, Finding, Status};
use super::draw::{Bench, Both, Cluster};
use super::shape;
use crate::suite::Suite;
use crate::suite::diag::Diagnostic;
use crate::types::{Direction, Metric, MetricKind};

/// The largest suite that is looked at for an answer to "how many cases would it take".
const MOST_CLUSTERS: usize = 5_000;

/// The best that a suite could show for a criterion.
pub(super) struct Best {
    /// The judge's finding on the best outcome.
    pub finding: Finding,
    /// Whether it meets the criterion.
    pub possible: bool,
}

/// Asks the judge about the best outcomes of a suite with these clusters.
pub(super) fn best(bench: &Bench, criterion: &Criterion, metric: &Metric, sizes: &[usize]) -> Option<Best> {
    let mut first = None;
    for clusters in outcomes(metric, &criterion.rule, sizes) {
        let finding = bench.find(criterion, metric, &clusters);
        let possible = finding.status == Status::Met;
        if possible {
            return Some(Best { finding, possible });
        }
        first.get_or_insert(Best { finding, possible });
    }
    first
}

/// The least number of independent cases with which some outcome would meet a criterion.
pub(super) fn least_clusters(bench: &Bench, criterion: &Criterion, metric: &Metric, from: usize) -> Option<usize> {
    let enough = |n: usize| best(bench, criterion, metric, &vec![1; n]).is_some_and(|b| b.possible);
    let (mut low, mut high) = (from, from.max(1) * 2);
    while !enough(high) {
        if high >= MOST_CLUSTERS {
            return None;
        }
        (low, high) = (high, (high * 2).min(MOST_CLUSTERS));
    }
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if enough(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// The outcomes that favour a rule most: every answer of the candidate as good and every one of the baseline's as bad as the metric
/// allows, and both sides equal, which is the best there is for equivalence. Times and counts keep a trace of spread, since the
/// methods refuse to compute with none.
fn outcomes(metric: &Metric, rule: &Rule, sizes: &[usize]) -> Vec<Vec<Cluster>> {
    let lower_is_better = metric.direction == Direction::Lower;
    let make = |both: &dyn Fn(usize) -> Both| -> Vec<Cluster> {
        let mut i = 0;
        sizes
            .iter()
            .map(|k| {
                let mut next = || {
                    i += 1;
                    both(i)
                };
                (0..*k).map(|_| next()).collect()
            })
            .collect()
    };
    // Alternating by one part in a thousand: a spread that no margin notices.
    let trace = |i: usize| 1.0 + if i.is_multiple_of(3) { 1e-3 } else { -1e-3 };
    if metric.is_share() {
        let (worst, good) = if lower_is_better { (1.0, 0.0) } else { (0.0, 1.0) };
        return match rule {
            Rule::AtMost { .. } | Rule::NoneObserved { .. } => {
                vec![make(&|_| Both { baseline: 0.0, candidate: 0.0 })]
            }
            Rule::AtLeast { .. } => vec![make(&|_| Both { baseline: 1.0, candidate: 1.0 })],
            _ => vec![
                make(&|_| Both { baseline: worst, candidate: good }),
                make(&|_| Both { baseline: good, candidate: good }),
            ],
        };
    }
    let small = match metric.kind {
        // Fewer than one of anything is none; a mean of counts may be as near to nothing as one likes.
        MetricKind::Count => 1e-6,
        _ => 1e-12,
    };
    let level = |value: f64| make(&|i| Both { baseline: value, candidate: value * trace(i) });
    match *rule {
        Rule::AtMost { limit } => vec![level(limit * small)],
        Rule::AtLeast { limit } => vec![level(limit.max(1.0) / small)],
        _ => {
            let (base, cand) = if lower_is_better { (1.0, small) } else { (small, 1.0) };
            vec![
                make(&|i| Both { baseline: base, candidate: cand * trace(i) }),
                make(&|i| Both { baseline: 1.0, candidate: trace(i) }),
            ]
        }
    }
}

/// The method that the judge used.
pub(super) fn method(finding: &Finding) -> String {
    match &finding.evidence {
        Evidence::Comparison(c) => c.method.name.clone(),
        Evidence::Measurement(m) => m.method.name.clone(),
        Evidence::Nothing => "none: the best outcome of this suite cannot be judged".to_owned(),
    }
}

/// The criteria of a policy that no outcome of a suite could meet, each with whether it is required, placed in the policy.
#[must_use]
pub fn check_possible(policy: &Policy, suite: &Suite) -> Vec<(bool, Diagnostic)> {
    let bench = Bench::new(suite.name(), suite.digest(), policy.alpha());
    let metrics = suite.metrics();
    let mut found = Vec::new();
    for criterion in policy.criteria() {
        let Some(metric) = metrics.iter().find(|m| m.name == criterion.metric) else { continue };
        let sizes = shape::sizes(suite, criterion);
        let Some(best) = best(&bench, criterion, metric, &sizes).filter(|b| !b.possible) else { continue };
        let message = format!(
            "no outcome of the suite `{}` could meet `{}`; the best would be: {}",
            suite.name(),
            criterion.id,
            best.finding.sentence.trim_end_matches('.')
        );
        let place = policy.error_at_criterion(&criterion.id, message);
        let help = match least_clusters(&bench, criterion, metric, sizes.len()) {
            Some(n) => format!(
                "it takes at least {n} independent cases, {} more than the {} there are, or a wider limit",
                n - sizes.len(),
                sizes.len()
            ),
            None => format!("not even {MOST_CLUSTERS} independent cases would do: change the number it asks for"),
        };
        found.push((criterion.required, place.help(help)));
    }
    found
}

//! Scored samples for the tests that hold the comparison and the gate to their promises.

use goldgate::compare::{Asking, Comparison, NotComparable, compare};
use goldgate::gate::{Asked, Policy, Verdict, judge};
use goldgate::score::{Sample, Score};
use goldgate::suite::diag::SourceFile;
use goldgate::types::{
    CaseId, ClusterName, Digest, Direction, Metric, MetricKind, MetricName, Outcome, SliceName, SuiteName, TargetName,
    Untrusted,
};

/// The one-sided level of every test.
pub const ALPHA: f64 = 0.05;

/// The metric `m` of a kind, of which more is better but for what should never happen or costs something.
pub fn metric(kind: MetricKind) -> Metric {
    let direction = match kind {
        MetricKind::Binary | MetricKind::Bounded => Direction::Higher,
        _ => Direction::Lower,
    };
    Metric { name: MetricName::new("m").unwrap(), kind, direction }
}

pub fn target(name: &str) -> TargetName {
    TargetName::new(name).unwrap()
}

/// One answer to one case.
pub fn sample(case: usize, cluster: usize, who: &str, value: Option<f64>) -> Sample {
    Sample {
        case: CaseId::new(&format!("c{case:05}")).unwrap(),
        cluster: ClusterName::new(&format!("g{cluster:05}")).unwrap(),
        slices: Vec::new(),
        target: target(who),
        repeat: 0,
        outcome: Outcome::Answered,
        scores: vec![Score { metric: metric(MetricKind::Binary).name, value, why: Untrusted::default() }],
    }
}

/// Samples of both targets from `(baseline, candidate)` values, `size` cases a cluster.
pub fn paired(values: &[(f64, f64)], size: usize) -> Vec<Sample> {
    let both = |(i, (b, c)): (usize, &(f64, f64))| {
        [sample(i, i / size, "base", Some(*b)), sample(i, i / size, "cand", Some(*c))]
    };
    values.iter().enumerate().flat_map(both).collect()
}

/// The candidate against the baseline on all cases.
pub fn compared(samples: &[Sample], kind: MetricKind) -> Result<Comparison, NotComparable> {
    compare(samples, &metric(kind), &SliceName::all(), &target("base"), &target("cand"), ALPHA)
}

/// The verdict on `cand` of a policy of one criterion, given as its rule and number in TOML.
pub fn judged(samples: &[Sample], kind: MetricKind, rule: &str) -> Verdict {
    let text = format!(
        "format = \"goldgate.policy/1\"\nname = \"p\"\nbaseline = \"base\"\ncandidates = [\"cand\"]\nalpha = {ALPHA}\n\n\
         [[criterion]]\nid = \"c\"\nmetric = \"m\"\n{rule}\n"
    );
    let policy = Policy::parse(SourceFile::new("policy.toml", text)).unwrap();
    let asked = Asked {
        suite: &SuiteName::new("s").unwrap(),
        suite_digest: Digest::of(b"s"),
        metrics: &[metric(kind)],
        planned: samples.iter().filter(|s| s.target == target("cand")).count(),
        samples,
        pinned_policy: Some(policy.digest()),
        changed: &[],
        asking: Asking::ALONE,
    };
    judge(&policy, asked, &target("base"), &target("cand"))
}

/// A criterion that bears a loss below a margin.
pub fn non_inferior(margin: f64) -> String {
    format!("require = \"non-inferior\"\nmargin = {margin:?}")
}

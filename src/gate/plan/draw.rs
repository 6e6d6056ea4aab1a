//! Samples that a plan makes up, and the real judge that it asks about them.

use super::super::judge::{self, Asked};
use super::super::policy::Criterion;
use super::super::verdict::Finding;
use crate::compare::Asking;
use crate::score::{Sample, Score};
use crate::types::{
    CaseId, ClusterName, Digest, Metric, Outcome, SliceName, SplitMix64, SuiteName, TargetName, Untrusted,
};

/// Both answers to one case, on one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Both {
    pub baseline: f64,
    pub candidate: f64,
}

impl Both {
    fn swapped(self) -> Self {
        Self { baseline: self.candidate, candidate: self.baseline }
    }
}

/// The cases of one independent unit.
pub(super) type Cluster = Vec<Both>;

/// The judge, with the names that its samples need.
pub(super) struct Bench {
    suite: SuiteName,
    digest: Digest,
    alpha: f64,
    baseline: TargetName,
    candidate: TargetName,
}

impl Bench {
    pub fn new(suite: &SuiteName, digest: Digest, alpha: f64) -> Self {
        let name = |n: &str| TargetName::new(n).expect("a word is a name");
        Self { suite: suite.clone(), digest, alpha, baseline: name("baseline"), candidate: name("candidate") }
    }

    /// What the gate would find of one criterion, on exactly these cases.
    pub fn find(&self, criterion: &Criterion, metric: &Metric, clusters: &[Cluster]) -> Finding {
        let samples = self.samples(metric, clusters);
        let metrics = [metric.clone()];
        let asked = Asked {
            suite: &self.suite,
            suite_digest: self.digest,
            metrics: &metrics,
            planned: samples.len() / 2,
            samples: &samples,
            pinned_policy: None,
            changed: &[],
            asking: Asking::ALONE,
        };
        // All that was made belongs to the criterion, whatever its slice is called.
        let everywhere = Criterion { slice: SliceName::all(), ..criterion.clone() };
        let found = judge::find(&everywhere, self.alpha, asked, &self.baseline, &self.candidate);
        Finding { criterion: criterion.clone(), ..found }
    }

    fn samples(&self, metric: &Metric, clusters: &[Cluster]) -> Vec<Sample> {
        let mut samples = Vec::with_capacity(clusters.len() * 2);
        for (i, cluster) in clusters.iter().enumerate() {
            let unit = ClusterName::new(&format!("u{i}")).expect("a letter and digits are a name");
            for (k, both) in cluster.iter().enumerate() {
                let case = CaseId::new(&format!("u{i}.{k}")).expect("letters, digits and a dot are a name");
                for (target, value) in [(&self.baseline, both.baseline), (&self.candidate, both.candidate)] {
                    samples.push(Sample {
                        case: case.clone(),
                        cluster: unit.clone(),
                        slices: Vec::new(),
                        target: target.clone(),
                        repeat: 0,
                        outcome: Outcome::Answered,
                        scores: vec![Score {
                            metric: metric.name.clone(),
                            value: Some(value),
                            why: Untrusted::default(),
                        }],
                    });
                }
            }
        }
        samples
    }
}

/// Clusters of a share from which suites of any size and any true gain can be drawn.
///
/// A gain is made by turning: of each cluster that differs, the better side is the candidate's with the probability that gives the
/// wanted mean. The share of clusters that differ, and what they differ by, stay what they are, so that a pilot's spread is kept and
/// "no change" is not a pilot that happened to change nothing.
#[derive(Clone, Debug)]
pub(super) struct Population {
    /// Clusters in which the sides differ, each turned so that the candidate's side is the better one.
    differing: Vec<Cluster>,
    /// The others.
    same: Vec<Cluster>,
    /// The probability that a drawn cluster differs.
    share: f64,
    /// Whether the estimand weighs every case alike; else every cluster.
    by_case: bool,
}

impl Population {
    /// From a pilot's clusters, of which a share is to differ; `sign` is -1 where less is better.
    pub fn of_pilot(clusters: &[Cluster], share: f64, sign: f64, by_case: bool) -> Self {
        let (mut differing, mut same) = (Vec::new(), Vec::new());
        for cluster in clusters {
            let net = sign * net(cluster);
            if cluster.iter().all(|b| (b.candidate - b.baseline).abs() < 1e-12) {
                same.push(cluster.clone());
            } else if net < 0.0 {
                differing.push(cluster.iter().map(|b| b.swapped()).collect());
            } else {
                differing.push(cluster.clone());
            }
        }
        Self { differing, same, share, by_case }
    }

    /// From a size of difference and the share of clusters that have it; the cases of a cluster change together, which is the most
    /// that they can depend on each other.
    pub fn stated(sizes: &[usize], share: f64, size_of_difference: f64, sign: f64, by_case: bool) -> Self {
        let half = 0.5 * sign * size_of_difference;
        let differing = Both { baseline: 0.5 - half, candidate: 0.5 + half };
        let same = Both { baseline: 1.0, candidate: 1.0 };
        let of = |both: Both| sizes.iter().map(|k| vec![both; *k]).collect();
        Self { differing: of(differing), same: of(same), share, by_case }
    }

    /// The largest mean gain that turning can make, with this share of clusters differing.
    fn reach(&self, share: f64) -> f64 {
        let mean = |clusters: &[Cluster], of: &dyn Fn(&Cluster) -> f64| -> f64 {
            clusters.iter().map(of).sum::<f64>() / clusters.len().max(1) as f64
        };
        if !self.by_case {
            return share * mean(&self.differing, &|c| net(c).abs() / c.len() as f64);
        }
        let size =
            share * mean(&self.differing, &|c| c.len() as f64) + (1.0 - share) * mean(&self.same, &|c| c.len() as f64);
        share * mean(&self.differing, &|c| net(c).abs()) / size.max(f64::MIN_POSITIVE)
    }

    /// The largest true gain of which suites can be drawn.
    pub fn most_gain(&self) -> f64 {
        // A hair below what every cluster differing would give, so that the search for the share finds it.
        self.reach(1.0) * (1.0 - 1e-9)
    }

    /// How to draw so that the mean gain is `gain`: the share of clusters that differ, raised if so few could not make it, and the
    /// probability that the candidate's side is the better one. `None` for a gain beyond anything that these clusters can show.
    fn aim(&self, gain: f64) -> Option<(f64, f64)> {
        let mut share = self.share;
        if self.reach(share) < gain.abs() {
            let (mut low, mut high) = (share, 1.0);
            if self.reach(high) < gain.abs() {
                return None;
            }
            for _ in 0..50 {
                let middle = 0.5 * (low + high);
                if self.reach(middle) < gain.abs() { low = middle } else { high = middle }
            }
            share = high;
        }
        let reach = self.reach(share);
        let better = if reach > 0.0 { 0.5 * (1.0 + gain / reach) } else { 0.5 };
        Some((share, better.clamp(0.0, 1.0)))
    }

    /// A suite of `n` clusters in which the true gain is `gain`.
    pub fn draw(&self, n: usize, gain: f64, rng: &mut SplitMix64) -> Option<Vec<Cluster>> {
        let (share, better) = self.aim(gain)?;
        let drawn = (0..n).map(|_| {
            let differs = rng.unit() < share;
            let (from, turn) = match (self.differing.is_empty(), self.same.is_empty()) {
                (false, _) if differs || self.same.is_empty() => (&self.differing, rng.unit() >= better),
                (_, false) => (&self.same, false),
                _ => (&self.differing, rng.unit() >= better),
            };
            let cluster = from.get(rng.index(from.len())).cloned().unwrap_or_default();
            if turn { cluster.into_iter().map(Both::swapped).collect() } else { cluster }
        });
        Some(drawn.collect())
    }
}

/// The sum of a cluster's changes.
fn net(cluster: &[Both]) -> f64 {
    cluster.iter().map(|b| b.candidate - b.baseline).sum()
}

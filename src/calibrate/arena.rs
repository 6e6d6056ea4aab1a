//! Samples of simulated models, built once and filled again for every replicate.

use super::ALPHA;
use crate::compare::{self, Answer, Asking, Comparison};
use crate::gate::{self, Asked, Policy};
use crate::score::{Sample, Score};
use crate::suite::diag::SourceFile;
use crate::types::{
    CaseId, ClusterName, Digest, Direction, Metric, MetricKind, MetricName, Outcome, SliceName, SuiteName, TargetName,
    Untrusted,
};

/// A target's name from a word of this program.
pub(super) fn target(name: &str) -> TargetName {
    TargetName::new(name).expect("a plain word is a name")
}

/// A slice's name from a word of this program.
pub(super) fn slice(name: &str) -> SliceName {
    SliceName::new(name).expect("a plain word is a name")
}

/// A metric; for binary and bounded ones more is better, for the others less.
pub(super) fn metric(name: &str, kind: MetricKind) -> Metric {
    let direction = match kind {
        MetricKind::Binary | MetricKind::Bounded => Direction::Higher,
        _ => Direction::Lower,
    };
    Metric { name: MetricName::new(name).expect("a plain word is a name"), kind, direction }
}

/// One case of a simulated suite.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Which independent unit it belongs to.
    pub cluster: usize,
    /// Its slices.
    pub slices: Vec<SliceName>,
}

/// `n` independent cases.
pub(super) fn independent(n: usize) -> Vec<Place> {
    (0..n).map(|cluster| Place { cluster, slices: Vec::new() }).collect()
}

/// Samples of some targets on some cases; the samples of one case lie together, in the targets' order.
pub(super) struct Arena {
    pub samples: Vec<Sample>,
    targets: usize,
    repeats: usize,
}

impl Arena {
    pub fn new(places: &[Place], targets: &[TargetName], metrics: &[Metric], repeats: usize) -> Self {
        let scores: Vec<Score> = metrics
            .iter()
            .map(|m| Score { metric: m.name.clone(), value: Some(0.0), why: Untrusted::default() })
            .collect();
        let mut samples = Vec::with_capacity(places.len() * targets.len() * repeats);
        for (i, place) in places.iter().enumerate() {
            for target in targets {
                for repeat in 0..repeats {
                    samples.push(Sample {
                        case: CaseId::new(&format!("c{i:05}")).expect("a plain word is a name"),
                        cluster: ClusterName::new(&format!("g{:05}", place.cluster)).expect("a plain word is a name"),
                        slices: place.slices.clone(),
                        target: target.clone(),
                        repeat: u32::try_from(repeat).expect("repeats are few"),
                        outcome: Outcome::Answered,
                        scores: scores.clone(),
                    });
                }
            }
        }
        Self { samples, targets: targets.len(), repeats }
    }

    /// The samples of the first cases.
    pub fn first(&self, cases: usize) -> &[Sample] {
        &self.samples[..cases * self.targets * self.repeats]
    }

    /// Puts a value where it belongs: target and metric by their places in the lists given to [`Arena::new`].
    pub fn set(&mut self, case: usize, target: usize, repeat: usize, metric: usize, value: f64) {
        let at = (case * self.targets + target) * self.repeats + repeat;
        self.samples[at].scores[metric].value = Some(value);
    }
}

/// A baseline and a candidate on one metric.
pub(super) struct Duel {
    arena: Arena,
    metric: Metric,
    all: SliceName,
    baseline: TargetName,
    candidate: TargetName,
}

impl Duel {
    /// A pair of models whose samples are yet to be filled in.
    pub fn new(kind: MetricKind, places: &[Place], repeats: usize) -> Self {
        let (metric, baseline, candidate) = (metric("value", kind), target("base"), target("tuned"));
        let targets = [baseline.clone(), candidate.clone()];
        let arena = Arena::new(places, &targets, std::slice::from_ref(&metric), repeats);
        Self { arena, metric, all: SliceName::all(), baseline, candidate }
    }

    /// The values of one case.
    pub fn set(&mut self, case: usize, baseline: f64, candidate: f64) {
        self.set_repeat(case, 0, baseline, candidate);
    }

    /// The values of one repeat of a case.
    pub fn set_repeat(&mut self, case: usize, repeat: usize, baseline: f64, candidate: f64) {
        self.arena.set(case, 0, repeat, 0, baseline);
        self.arena.set(case, 1, repeat, 0, candidate);
    }

    /// Outcomes of a right-or-wrong metric: so many gained and lost, all others right on both sides.
    pub fn fill(&mut self, cases: usize, gained: usize, lost: usize) {
        for case in 0..cases {
            let (b, c) = if case < gained { (0.0, 1.0) } else { (1.0, if case < gained + lost { 0.0 } else { 1.0 }) };
            self.set(case, b, c);
        }
    }

    /// The comparison of all cases at one-sided `alpha`; nothing where the method has no answer, which proves nothing.
    pub fn compare(&self, alpha: f64) -> Option<Comparison> {
        self.compare_samples(&self.arena.samples, alpha)
    }

    /// The comparison of the first cases.
    pub fn compare_first(&self, cases: usize, alpha: f64) -> Option<Comparison> {
        self.compare_samples(self.arena.first(cases), alpha)
    }

    fn compare_samples(&self, samples: &[Sample], alpha: f64) -> Option<Comparison> {
        compare::compare(samples, &self.metric, &self.all, &self.baseline, &self.candidate, alpha).ok()
    }

    /// Whether the candidate is shown to be no worse, by the rule that gate and `goldgate compare` share.
    pub fn answer(&self, margin: f64, alpha: f64) -> Answer {
        answer(self.compare(alpha).as_ref(), margin, alpha)
    }
}

/// What a comparison says of a margin; without one nothing is proven.
pub(super) fn answer(comparison: Option<&Comparison>, margin: f64, alpha: f64) -> Answer {
    comparison.map_or(Answer::Unproven, |c| compare::no_worse(c, margin, alpha).answer)
}

/// A baseline and a candidate before the whole gate, with a policy parsed from its text.
pub(super) struct Contest {
    pub arena: Arena,
    policy: Policy,
    metrics: Vec<Metric>,
    suite: SuiteName,
    digest: Digest,
    cases: usize,
    baseline: TargetName,
    candidate: TargetName,
}

impl Contest {
    /// `criteria` are the `[[criterion]]` tables of a policy at the usual level.
    pub fn new(criteria: &str, metrics: Vec<Metric>, cases: usize) -> Self {
        let text = format!(
            "format = \"goldgate.policy/1\"\nname = \"simulated\"\nbaseline = \"base\"\ncandidates = [\"tuned\"]\nalpha = {ALPHA}\n{criteria}"
        );
        let policy = Policy::parse(SourceFile::new("policy.toml", text)).expect("the study's policies are well formed");
        let (baseline, candidate) = (target("base"), target("tuned"));
        let arena = Arena::new(&independent(cases), &[baseline.clone(), candidate.clone()], &metrics, 1);
        let suite = SuiteName::new("simulated").expect("a plain word is a name");
        Self { arena, policy, metrics, suite, digest: Digest::of(b"simulated"), cases, baseline, candidate }
    }

    /// The values of one metric of one case.
    pub fn set(&mut self, case: usize, metric: usize, baseline: f64, candidate: f64) {
        self.arena.set(case, 0, 0, metric, baseline);
        self.arena.set(case, 1, 0, metric, candidate);
    }

    /// The gate's verdict.
    pub fn judge(&self) -> gate::Verdict {
        let asked = Asked {
            suite: &self.suite,
            suite_digest: self.digest,
            metrics: &self.metrics,
            planned: self.cases,
            samples: &self.arena.samples,
            pinned_policy: Some(self.policy.digest()),
            changed: &[],
            asking: Asking::ALONE,
        };
        gate::judge(&self.policy, asked, &self.baseline, &self.candidate)
    }
}

/// How two models differ on a right-or-wrong case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Truth {
    /// Probability that only the candidate is right.
    pub gained: f64,
    /// Probability that only the baseline is right.
    pub lost: f64,
}

impl Truth {
    /// From the discordance `psi` and the true difference.
    pub fn new(psi: f64, difference: f64) -> Self {
        Self { gained: 0.5 * (psi + difference), lost: 0.5 * (psi - difference) }
    }

    /// The values of one case, from one number in `[0, 1)`.
    pub fn pair(self, u: f64) -> (f64, f64) {
        if u < self.gained {
            (0.0, 1.0)
        } else if u < self.gained + self.lost {
            (1.0, 0.0)
        } else {
            (1.0, 1.0)
        }
    }
}

//! The noise floor of a whole suite and policy: what the gate says of a target held against itself.

use super::judge::{Asked, judge};
use super::policy::{Criterion, Policy, Rule};
use super::verdict::{Decision, Status};
use crate::compare::{self, Asking, CaseNoise, MetricNoise};
use crate::score::Sample;
use crate::types::number::Scale;
use crate::types::{CaseId, CriterionId, Digest, Metric, MetricName, PolicyName, SliceName, SuiteName, TargetName};
use serde::Serialize;
use std::collections::BTreeSet;

/// One target asked several times, and all that its noise depends on beside the policy.
#[derive(Clone, Copy, Debug)]
pub struct Repeated<'a> {
    /// The suite.
    pub suite: &'a SuiteName,
    /// Its digest.
    pub suite_digest: Digest,
    /// Every metric that the suite yields.
    pub metrics: &'a [Metric],
    /// Number of trials planned per repeat.
    pub planned: usize,
    /// Who was asked.
    pub target: &'a TargetName,
    /// The names of the repeats in the samples, at least two.
    pub repeats: &'a [TargetName],
    /// Every scored trial of every repeat.
    pub samples: &'a [Sample],
    /// The cases whose answer was not word for word the same in every repeat.
    pub moved: &'a [CaseId],
    /// Questions that were in flight at once.
    pub concurrency: usize,
}

/// What one criterion says when nothing has changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CriterionNoise {
    /// The criterion.
    pub criterion: CriterionId,
    /// Its rule, written by its name in `policy.toml`.
    #[serde(serialize_with = "word_of")]
    pub rule: Rule,
    /// The rule's margin, if it has one.
    pub margin: Option<f64>,
    /// Whether it gates.
    pub required: bool,
    /// Ordered pairs of repeats in which it was met.
    pub met: usize,
    /// In which it was unproven.
    pub unproven: usize,
    /// In which it was violated.
    pub violated: usize,
    /// In which it was wrong: a gain was proven, or a loss, though nothing had changed. Levels have no false alarm.
    pub false_alarms: usize,
    /// The standard error of a difference of two such runs on the criterion's cases, in the unit of its margin.
    pub difference_se: Option<f64>,
    /// Why its margin cannot be decided with this suite, if it cannot: it lies below twice that standard error.
    pub undecidable: Option<String>,
}

fn word_of<S: serde::Serializer>(rule: &Rule, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(rule.word())
}

/// Decisions over all ordered pairs of repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Decisions {
    /// The unchanged target was promoted.
    pub promote: usize,
    /// Neither.
    pub undecided: usize,
    /// It was rejected.
    pub reject: usize,
}

/// A metric without a noise floor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NoFloor {
    /// The metric.
    pub metric: MetricName,
    /// The slice.
    pub slice: SliceName,
    /// Why, as a fragment.
    pub reason: String,
}

/// All that is known of a target's noise on a suite.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Noise {
    /// Who was asked.
    pub target: TargetName,
    /// How often.
    pub repeats: usize,
    /// Trials planned per repeat: the suite's cases.
    pub cases: usize,
    /// Questions that were in flight at once.
    pub concurrency: usize,
    /// The suite.
    pub suite: SuiteName,
    /// Its digest.
    pub suite_digest: Digest,
    /// The policy whose criteria were held against the pairs of repeats.
    pub policy: PolicyName,
    /// Its digest.
    pub policy_digest: Digest,
    /// The one-sided level of each criterion.
    pub alpha: f64,
    /// The cases whose answer was not word for word the same in every repeat.
    pub moved: Vec<CaseId>,
    /// Every metric on all cases, then those of the policy's criteria on their slices.
    pub metrics: Vec<MetricNoise>,
    /// Metrics without a floor, and why.
    pub no_floor: Vec<NoFloor>,
    /// The policy's criteria, in its order.
    pub criteria: Vec<CriterionNoise>,
    /// What the gate decided.
    pub decisions: Decisions,
    /// Every case on every metric of 0 and 1.
    pub by_case: Vec<CaseNoise>,
}

/// Measures the noise of a target that was asked several times, and judges every ordered pair of repeats by the policy as if one were the
/// baseline and the other a candidate.
///
/// The gate itself is asked, unchanged; only the names are lent: a target is its own baseline here, whatever baseline the policy names.
#[must_use]
pub fn noise(policy: &Policy, r: Repeated<'_>) -> Noise {
    let (mut metrics, mut no_floor, mut by_case) = (Vec::new(), Vec::new(), Vec::new());
    for (metric, slice) in wanted(policy, r.metrics) {
        match compare::metric_noise(r.samples, metric, &slice, r.repeats) {
            Ok(m) => metrics.push(m),
            Err(e) => no_floor.push(NoFloor { metric: metric.name.clone(), slice, reason: e.reason }),
        }
    }
    for metric in r.metrics {
        match compare::case_noise(r.samples, metric, r.repeats) {
            Ok(cases) => by_case.extend(cases),
            Err(e) => {
                no_floor.push(NoFloor { metric: metric.name.clone(), slice: SliceName::all(), reason: e.reason });
            }
        }
    }
    let mut criteria: Vec<CriterionNoise> = policy.criteria().iter().map(|c| of_criterion(c, &metrics)).collect();
    let decisions = judge_pairs(policy, r, &mut criteria);
    Noise {
        target: r.target.clone(),
        repeats: r.repeats.len(),
        cases: r.planned,
        concurrency: r.concurrency,
        suite: r.suite.clone(),
        suite_digest: r.suite_digest,
        policy: policy.name().clone(),
        policy_digest: policy.digest(),
        alpha: policy.alpha(),
        moved: r.moved.to_vec(),
        metrics,
        no_floor,
        criteria,
        decisions,
        by_case,
    }
}

/// Every metric on all cases, then what the policy asks of slices, each once.
fn wanted<'a>(policy: &Policy, metrics: &'a [Metric]) -> Vec<(&'a Metric, SliceName)> {
    let mut wanted: Vec<_> = metrics.iter().map(|m| (m, SliceName::all())).collect();
    for c in policy.criteria() {
        let Some(metric) = metrics.iter().find(|m| m.name == c.metric) else { continue };
        if !wanted.iter().any(|(m, slice)| m.name == c.metric && *slice == c.slice) {
            wanted.push((metric, c.slice.clone()));
        }
    }
    wanted
}

fn of_criterion(c: &Criterion, metrics: &[MetricNoise]) -> CriterionNoise {
    let floor = metrics.iter().find(|m| m.metric.name == c.metric && m.slice == c.slice);
    let margin = match c.rule {
        Rule::NonInferior { margin } | Rule::Equivalent { margin } => Some(margin),
        _ => None,
    };
    let undecidable = margin.zip(floor).filter(|(margin, f)| *margin < 2.0 * f.difference_se).map(|(margin, f)| {
        let scale = Scale::of_change(&f.metric);
        format!(
            "the margin of {} lies below twice the standard error of {} between two runs in which nothing changed: it cannot be decided \
             with this suite",
            scale.exact(margin),
            scale.level(f.difference_se, 2)
        )
    });
    CriterionNoise {
        criterion: c.id.clone(),
        rule: c.rule,
        margin,
        required: c.required,
        met: 0,
        unproven: 0,
        violated: 0,
        false_alarms: 0,
        difference_se: floor.map(|f| f.difference_se),
        undecidable,
    }
}

/// Fills in what the gate says of every ordered pair of repeats.
fn judge_pairs(policy: &Policy, r: Repeated<'_>, criteria: &mut [CriterionNoise]) -> Decisions {
    let mut decisions = Decisions::default();
    let baseline = policy.baseline();
    // Any name will do that is not the baseline's.
    let Some(again) = r.repeats.iter().find(|name| *name != baseline) else { return decisions };
    let renamed = |repeat: &TargetName, role: &TargetName| -> Vec<Sample> {
        let of = r.samples.iter().filter(|s| s.target == *repeat);
        of.map(|s| Sample { target: role.clone(), ..s.clone() }).collect()
    };
    for first in r.repeats {
        let before = renamed(first, baseline);
        for second in r.repeats.iter().filter(|name| *name != first) {
            let samples: Vec<Sample> = before.iter().cloned().chain(renamed(second, again)).collect();
            let asked = Asked {
                suite: r.suite,
                suite_digest: r.suite_digest,
                metrics: r.metrics,
                planned: r.planned,
                samples: &samples,
                pinned_policy: Some(policy.digest()),
                changed: &[],
                asking: Asking::InFlight(r.concurrency),
            };
            let verdict = judge(policy, asked, baseline, again);
            match verdict.decision() {
                Decision::Promote => decisions.promote += 1,
                Decision::Undecided => decisions.undecided += 1,
                Decision::Reject => decisions.reject += 1,
            }
            for (noise, finding) in criteria.iter_mut().zip(verdict.findings()) {
                match finding.status {
                    Status::Met => noise.met += 1,
                    Status::Unproven => noise.unproven += 1,
                    Status::Violated => noise.violated += 1,
                }
                noise.false_alarms += usize::from(is_false(noise.rule, finding.status));
            }
        }
    }
    decisions
}

/// Whether a status is wrong of a target held against itself. A gain that was asked for and is refuted is no mistake: there is none.
fn is_false(rule: Rule, status: Status) -> bool {
    match rule {
        Rule::Superior { .. } => status == Status::Met,
        Rule::NonInferior { .. } | Rule::Equivalent { .. } => status == Status::Violated,
        _ => false,
    }
}

impl Noise {
    /// The cases that are flaky on some metric, each once, in order.
    #[must_use]
    pub fn flaky(&self) -> BTreeSet<&CaseId> {
        self.by_case.iter().filter(|c| c.flaky).map(|c| &c.case).collect()
    }
}

#[cfg(test)]
mod tests;

//! All required criteria at once.

use super::super::judge::{Asked, find, judge};
use super::super::policy::{Policy, Rule};
use super::super::verdict::{Decision, Status};
use super::model::{CriterionPlan, Joint, JointMethod};
use super::paired::replicate;
use super::{Pilot, REPLICATES, shape};
use crate::compare::Asking;
use crate::score::{Sample, Score};
use crate::stats;
use crate::suite::Suite;
use crate::types::{CaseId, ClusterName, Metric, MetricName, Untrusted};
use std::collections::{BTreeMap, BTreeSet};

/// What resampling a pilot says.
pub(super) struct Resampled {
    /// The share of replicates that the judge promotes.
    pub promoted: f64,
    /// The share in which each criterion is met, in the policy's order.
    pub met: Vec<f64>,
}

/// Which criteria an independent unit counts for: units of one kind may stand for each other.
type Kind = BTreeSet<usize>;

/// Draws suites of the planned suite's size and make-up from a pilot's whole clusters and has the real judge decide each.
///
/// Clusters are drawn within kinds (those that count for the same criteria), so that every criterion has the n that it will have, and
/// whole, with all their metrics and both targets, so that the correlation between criteria is kept. Replicates are spread over
/// threads; each has a generator of its own, so their number changes nothing.
///
/// # Errors
/// As a sentence, when the pilot has no clusters of some kind.
pub(super) fn resample(policy: &Policy, suite: &Suite, pilot: &Pilot<'_>, seed: u64) -> Result<Resampled, String> {
    let metrics = suite.metrics();
    let wanted: BTreeSet<&MetricName> = policy.criteria().iter().map(|c| &c.metric).collect();
    let due = kinds_of_suite(policy, suite);
    let stock = stock(policy, pilot, &wanted);
    let mut plan: Vec<(&Vec<Unit>, usize)> = Vec::new();
    for (kind, n) in &due {
        let Some(clusters) = stock.get(kind) else {
            let names: Vec<_> = kind.iter().filter_map(|i| policy.criteria().get(*i)).map(|c| c.id.as_str()).collect();
            return Err(format!("the pilot has no clusters that count for {} and for nothing else", names.join(", ")));
        };
        plan.push((clusters, *n));
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(8) as u64;
    let tally = |worker: u64| {
        let mut promoted = 0_u64;
        let mut met = vec![0_u64; policy.criteria().len()];
        for i in (worker..REPLICATES).step_by(workers as usize) {
            let (decision, statuses) = judged(policy, suite, &metrics, pilot, &plan, seed, i);
            promoted += u64::from(decision == Decision::Promote);
            for (count, status) in met.iter_mut().zip(statuses) {
                *count += u64::from(status == Status::Met);
            }
        }
        (promoted, met)
    };
    let tallies: Vec<(u64, Vec<u64>)> = std::thread::scope(|scope| {
        let tally = &tally;
        let running: Vec<_> = (0..workers).map(|w| scope.spawn(move || tally(w))).collect();
        running.into_iter().map(|t| t.join().expect("the judge does not panic")).collect()
    });
    let share = |count: u64| count as f64 / REPLICATES as f64;
    let criteria = 0..policy.criteria().len();
    Ok(Resampled {
        promoted: share(tallies.iter().map(|(p, _)| p).sum()),
        met: criteria.map(|c| share(tallies.iter().map(|(_, met)| met[c]).sum())).collect(),
    })
}

/// The cases of one cluster, each as both targets' answers, with no more than the criteria need.
type Unit = Vec<[Sample; 2]>;

fn judged(
    policy: &Policy,
    suite: &Suite,
    metrics: &[Metric],
    pilot: &Pilot<'_>,
    plan: &[(&Vec<Unit>, usize)],
    seed: u64,
    index: u64,
) -> (Decision, Vec<Status>) {
    let mut rng = replicate(seed, index);
    let mut samples = Vec::new();
    let mut unit = 0;
    for (clusters, n) in plan {
        for _ in 0..*n {
            let name = ClusterName::new(&format!("u{unit}")).expect("a letter and digits are a name");
            for (k, pair) in clusters[rng.index(clusters.len())].iter().enumerate() {
                let case = CaseId::new(&format!("u{unit}.{k}")).expect("letters, digits and a dot are a name");
                for sample in pair {
                    samples.push(Sample { case: case.clone(), cluster: name.clone(), ..sample.clone() });
                }
            }
            unit += 1;
        }
    }
    let asked = Asked {
        suite: suite.name(),
        suite_digest: suite.digest(),
        metrics,
        planned: samples.len() / 2,
        samples: &samples,
        pinned_policy: Some(policy.digest()),
        changed: &[],
        asking: Asking::ALONE,
    };
    // The pilot's baseline stands for the policy's, whatever it was called.
    if pilot.baseline == policy.baseline() {
        let verdict = judge(policy, asked, pilot.baseline, pilot.candidate);
        let statuses = verdict.findings().iter().map(|f| f.status).collect();
        return (verdict.decision(), statuses);
    }
    let found = |c| find(c, policy.alpha(), asked, pilot.baseline, pilot.candidate).status;
    let statuses: Vec<Status> = policy.criteria().iter().map(found).collect();
    let all = policy.criteria().iter().zip(&statuses).all(|(c, s)| !c.required || *s == Status::Met);
    (if all { Decision::Promote } else { Decision::Undecided }, statuses)
}

/// How many clusters of each kind the planned suite has. Clusters that count for nothing are left out.
fn kinds_of_suite(policy: &Policy, suite: &Suite) -> BTreeMap<Kind, usize> {
    let mut kinds: BTreeMap<&ClusterName, Kind> = BTreeMap::new();
    for case in suite.cases() {
        let counting = policy.criteria().iter().enumerate().filter(|(_, c)| shape::counts(suite, c, case));
        kinds.entry(&case.cluster).or_default().extend(counting.map(|(i, _)| i));
    }
    let mut numbers = BTreeMap::new();
    for kind in kinds.into_values().filter(|k| !k.is_empty()) {
        *numbers.entry(kind).or_default() += 1;
    }
    numbers
}

/// The pilot's clusters by kind. A cluster of which a case was not asked of both belongs to no suite that could be drawn.
fn stock(policy: &Policy, pilot: &Pilot<'_>, wanted: &BTreeSet<&MetricName>) -> BTreeMap<Kind, Vec<Unit>> {
    let mut cases: BTreeMap<&ClusterName, BTreeMap<&CaseId, [Option<&Sample>; 2]>> = BTreeMap::new();
    for s in pilot.samples.iter().filter(|s| s.repeat == 0) {
        let side = usize::from(s.target != *pilot.baseline);
        if side == 0 || s.target == *pilot.candidate {
            cases.entry(&s.cluster).or_default().entry(&s.case).or_default()[side] = Some(s);
        }
    }
    let slim = |s: &Sample| {
        let kept = s.scores.iter().filter(|score| wanted.contains(&score.metric));
        let scores = kept.map(|score| Score { why: Untrusted::default(), ..score.clone() }).collect();
        Sample { scores, ..s.clone() }
    };
    let mut stock: BTreeMap<Kind, Vec<Unit>> = BTreeMap::new();
    for members in cases.into_values() {
        let mut kind = Kind::new();
        let mut unit = Unit::new();
        let asked = members.len();
        for [b, c] in members.into_values() {
            let (Some(b), Some(c)) = (b, c) else { continue };
            let counting = policy.criteria().iter().enumerate();
            kind.extend(counting.filter(|(_, c)| b.is_in(&c.slice) && b.score(&c.metric).is_some()).map(|(i, _)| i));
            unit.push([slim(b), slim(c)]);
        }
        if unit.len() == asked {
            stock.entry(kind).or_default().push(unit);
        }
    }
    stock
}

/// Joint power from a resampled pilot, or from the powers of the criteria by themselves.
pub(super) fn joint(criteria: &[CriterionPlan], resampled: Option<&Result<Resampled, String>>) -> Joint {
    let required = || criteria.iter().filter(|c| c.required);
    if let Some(Ok(r)) = resampled {
        let mine = criteria.iter().zip(&r.met).filter(|(c, _)| c.required);
        let upper = mine.map(|(_, p)| *p).fold(1.0, f64::min);
        return Joint { method: JointMethod::Resampled, power: Some(r.promoted), upper: Some(upper), note: None };
    }
    let mut note = resampled.and_then(|r| r.as_ref().err().cloned());
    let (mut powers, mut missing) = (Vec::new(), Vec::new());
    for c in required() {
        match expected(c) {
            Some(p) => powers.push(p),
            None => missing.push(c.id.as_str()),
        }
    }
    let method = JointMethod::Independent;
    if !missing.is_empty() {
        let what = format!("nothing is known of {}: state it, or name a pilot", missing.join(", "));
        note = Some(note.map_or(what.clone(), |n| format!("{n}; {what}")));
        return Joint { method, power: None, upper: None, note };
    }
    match stats::joint_power(&powers) {
        Ok(j) => Joint { method, power: Some(j.independent), upper: Some(j.upper), note },
        Err(e) => Joint { method, power: None, upper: None, note: Some(e.to_string()) },
    }
}

/// The power that a criterion is planned with: at the stated gain or level, or at no change where that could meet it.
pub(super) fn expected(c: &CriterionPlan) -> Option<f64> {
    match c.rule {
        Rule::NonInferior { .. } | Rule::Equivalent { .. } => c.power.planned.or(c.power.no_change),
        _ => c.power.planned,
    }
}

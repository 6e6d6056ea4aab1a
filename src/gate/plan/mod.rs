//! What a suite can show under a policy, said before money is spent.
//!
//! Per criterion: the independent cases that there are and that the wanted power takes, what this n can detect, and the probability that
//! the criterion is met. Where the gate's method has an exact or analytic power that is used; else suites are drawn and given to the
//! real judge. Whether a criterion can be met at all is the judge's word too. Source: statistics.md, section 8, in short in
//! `docs/plan.md`.

mod basis;
mod cost;
mod draw;
mod joint;
mod level;
mod model;
mod paired;
mod possible;
mod shape;
#[cfg(test)]
mod tests;

pub use cost::{Amount, CostRequest, Limits, Price, TargetCost, TotalCost, cost};
pub use model::{
    CriterionPlan, Figure, FigureKind, Joint, JointMethod, PLAN_FORMAT, PilotUse, PowerPlan, Powers, Source,
};
pub use possible::check_possible;

use super::policy::{Criterion, Policy, Rule};
use crate::score::Sample;
use crate::suite::Suite;
use crate::types::{DigestBuilder, Metric, MetricName, TargetName};
use basis::Start;
use draw::Bench;
use joint::Resampled;
use level::Level;
use paired::Paired;
use std::collections::BTreeMap;

/// Replicates of a simulated power: its standard error is at most 1.1 points.
const REPLICATES: u64 = 2_000;
/// Replicates of each step of a search.
const SEARCH_REPLICATES: u64 = 500;
/// A pilot's figure is planned with at its one-sided 80 % limit.
const LIMIT_ALPHA: f64 = 0.2;

/// A run whose answers tell what to expect.
#[derive(Clone, Copy, Debug)]
pub struct Pilot<'a> {
    /// The run, as it was named.
    pub run: &'a str,
    /// Its scored trials.
    pub samples: &'a [Sample],
    /// Its baseline.
    pub baseline: &'a TargetName,
    /// The candidate of whose answers the figures are made.
    pub candidate: &'a TargetName,
}

/// What is to be planned.
#[derive(Clone, Copy, Debug)]
pub struct PlanRequest<'a> {
    /// The suite.
    pub suite: &'a Suite,
    /// The policy; it must fit the suite.
    pub policy: &'a Policy,
    /// A pilot run, if there is one.
    pub pilot: Option<Pilot<'a>>,
    /// Stated figures: a discordance or standard deviation for what is compared, the candidate's level for what is not.
    pub stated: &'a BTreeMap<MetricName, f64>,
    /// Stated true gains, turned so that more is better.
    pub gains: &'a BTreeMap<MetricName, f64>,
    /// The power that is wanted of each criterion.
    pub power: f64,
    /// What asking costs.
    pub costs: &'a [TargetCost],
}

/// Plans every criterion of a policy on a suite. The same request gives the same plan on every machine.
#[must_use]
pub fn plan(request: PlanRequest<'_>) -> PowerPlan {
    let PlanRequest { suite, policy, pilot, power, .. } = request;
    let seed = |purpose: &str| {
        let stream = DigestBuilder::new("goldgate.plan/1").field(suite.digest().hex().as_bytes());
        stream.field(policy.digest().hex().as_bytes()).field(purpose.as_bytes()).finish().seed()
    };
    let resampled = pilot.map(|p| joint::resample(policy, suite, &p, seed("joint")));
    let metrics = suite.metrics();
    let bench = Bench::new(suite.name(), suite.digest(), policy.alpha());
    let mut criteria = Vec::new();
    for (i, criterion) in policy.criteria().iter().enumerate() {
        // A policy that fits its suite has no criterion without a metric.
        let Some(metric) = metrics.iter().find(|m| m.name == criterion.metric) else { continue };
        let as_pilot = match &resampled {
            Some(Ok(Resampled { met, .. })) => met.get(i).copied(),
            _ => None,
        };
        criteria.push(of_criterion(request, &bench, criterion, metric, as_pilot, seed(criterion.id.as_str())));
    }
    PowerPlan {
        format: PLAN_FORMAT,
        suite: suite.name().clone(),
        suite_version: suite.version().to_owned(),
        policy: policy.name().clone(),
        alpha: policy.alpha(),
        power,
        pilot: pilot.map(|p| PilotUse {
            run: p.run.to_owned(),
            baseline: p.baseline.clone(),
            candidate: p.candidate.clone(),
        }),
        binding: binding(&criteria, power),
        joint: joint::joint(&criteria, resampled.as_ref()),
        criteria,
        costs: request.costs.to_vec(),
        total: cost::total(request.costs),
    }
}

fn of_criterion(
    request: PlanRequest<'_>,
    bench: &Bench,
    criterion: &Criterion,
    metric: &Metric,
    as_pilot: Option<f64>,
    seed: u64,
) -> CriterionPlan {
    let sizes = shape::sizes(request.suite, criterion);
    let n = sizes.len() as u64;
    let alpha = request.policy.alpha();
    let pilot = request.pilot.map_or_else(Vec::new, |p| shape::measured(&p, criterion));
    let stated = request.stated.get(&metric.name).copied();
    let mut notes = Vec::new();
    if let (Some(p), true) = (&request.pilot, pilot.is_empty()) {
        notes.push(format!("The pilot {} has no `{}` on this slice from both targets.", p.run, metric.name));
    }
    let best = possible::best(bench, criterion, metric, &sizes);
    let possible = best.as_ref().is_some_and(|b| b.possible);
    let mut made = CriterionPlan {
        id: criterion.id.clone(),
        metric: metric.name.clone(),
        metric_kind: metric.kind,
        slice: criterion.slice.clone(),
        rule: criterion.rule,
        required: criterion.required,
        cases: sizes.iter().sum(),
        clusters: sizes.len(),
        method: best.map(|b| possible::method(&b.finding)).unwrap_or_default(),
        calculation: "",
        figure: None,
        gain: None,
        pilot_gain: None,
        needed: None,
        needed_at: None,
        detectable: None,
        power: Powers { as_pilot, ..Powers::default() },
        possible,
        notes: Vec::new(),
    };
    if criterion.rule.is_paired() {
        let start = Start { bench, criterion, metric, sizes: &sizes, pilot: &pilot, stated, alpha, seed };
        let paired = Paired::new(&start);
        let gain = request.gains.get(&metric.name).copied();
        made.calculation = paired.calculation();
        made.figure = Some(paired.figure);
        made.gain = gain;
        made.power.no_change = paired.power(n, 0.0);
        made.power.planned = gain.and_then(|g| paired.power(n, g));
        if let (Some(g), None) = (gain, made.power.planned) {
            notes.push(format!("A gain of {g} is more than these cases could show at all."));
        }
        made.detectable = paired.detectable(n, request.power);
        made.pilot_gain = basis::pilot_gain(metric, &pilot);
        // A superiority takes a gain: the stated one, else the pilot's. What asks for no more than no loss is planned at no change.
        let truth = match criterion.rule {
            Rule::Superior { .. } => gain.or(made.pilot_gain),
            _ => Some(gain.unwrap_or(0.0)),
        };
        made.needed_at = truth;
        made.needed = truth.and_then(|g| paired.needed(n, g, request.power));
    } else {
        let level = Level::new(criterion, metric, &pilot, stated, alpha);
        made.calculation = level.calculation();
        made.figure = level.figure;
        made.power.no_change = level.baseline.and_then(|b| level.power(n, b));
        made.power.planned = level.figure.and_then(|f| level.power(n, f.planned));
        made.detectable = level.detectable(n, request.power);
        made.needed = level.needed(request.power);
        made.needed_at = match criterion.rule {
            Rule::NoneObserved { .. } => Some(0.0),
            _ => level.figure.map(|f| f.planned),
        };
    }
    made.notes = notes;
    made
}

/// The required criterion that stands furthest from the wanted power: by what it needs over what it has, and where that is not known by
/// its power; none if all have the wanted power.
fn binding(criteria: &[CriterionPlan], wanted: f64) -> Option<crate::types::CriterionId> {
    let mut worst: Option<(f64, &CriterionPlan)> = None;
    for c in criteria.iter().filter(|c| c.required) {
        let power = c.power.as_pilot.or(joint::expected(c));
        let short = match (c.needed, power) {
            _ if !c.possible => f64::INFINITY,
            (Some(needed), _) if needed as f64 > c.clusters as f64 => needed as f64 / c.clusters.max(1) as f64,
            (_, Some(p)) if p < wanted => 1.0 + wanted - p,
            _ => continue,
        };
        if worst.is_none_or(|(w, _)| short > w) {
            worst = Some((short, c));
        }
    }
    worst.map(|(_, c)| c.id.clone())
}

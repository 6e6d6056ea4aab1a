//! What the power of a comparison rests on: a figure, stated, of a pilot or assumed, and the way of computing that fits it.

use super::super::policy::{Criterion, Rule};
use super::LIMIT_ALPHA;
use super::draw::{Bench, Both, Cluster, Population};
use super::model::{Figure, FigureKind, Source};
use crate::stats;
use crate::types::{Direction, Metric, MetricKind};

/// The discordance that is planned with when nothing is known.
const ASSUMED_DISCORDANCE: f64 = 0.10;
/// The standard deviation that is planned with when nothing is known.
const ASSUMED_SD: f64 = 0.25;
/// How the power of a comparison is found.
pub(super) enum Engine {
    /// Independent binary pairs: enumeration of the gate's own tests, with this discordance.
    Exact(f64),
    /// Times: noncentral t on the logarithm of the ratio, with this standard deviation.
    LogRatio(f64),
    /// Counts: noncentral t on `candidate - ratio * baseline`.
    Totals(Totals),
    /// Everything else: the real judge, on suites that are drawn.
    Drawn(Population),
}

/// The spread of counts.
pub(super) enum Totals {
    /// A standard deviation relative to the baseline's mean.
    Stated(f64),
    /// Pairs of totals by cluster, with the factor of the cautious limit.
    Pilot { pairs: Vec<(f64, f64)>, ratio: f64, factor: f64 },
}

impl Totals {
    /// The standard deviation of `candidate - tested * baseline` over the baseline's mean, if the true ratio were `truth`.
    pub fn sd(&self, truth: f64, tested: f64) -> Option<f64> {
        match self {
            Self::Stated(sd) => Some(*sd),
            Self::Pilot { pairs, ratio, factor } => {
                let residuals: Vec<f64> = pairs.iter().map(|(b, c)| c * truth / ratio - tested * b).collect();
                let base: Vec<f64> = pairs.iter().map(|(b, _)| *b).collect();
                let sd = stats::standard_deviation(&residuals).ok()? / stats::mean(&base).ok()?;
                Some((sd * factor).max(1e-9))
            }
        }
    }
}

/// What a plan of a comparison starts from.
pub(super) struct Start<'a> {
    pub bench: &'a Bench,
    pub criterion: &'a Criterion,
    pub metric: &'a Metric,
    /// Cases of each independent unit of the suite.
    pub sizes: &'a [usize],
    /// The pilot's clusters; empty without a pilot.
    pub pilot: &'a [Cluster],
    pub stated: Option<f64>,
    pub alpha: f64,
    pub seed: u64,
}

/// The gain that a pilot showed, turned so that more is better, by the estimand of the gate's own comparison.
pub(super) fn pilot_gain(metric: &Metric, pilot: &[Cluster]) -> Option<f64> {
    let total = |of: fn(&Both) -> f64| pilot.iter().flatten().map(of).sum::<f64>();
    let by_cluster = |of: fn(&Both) -> f64| {
        stats::mean(&pilot.iter().map(|c| c.iter().map(of).sum::<f64>() / c.len().max(1) as f64).collect::<Vec<_>>())
            .ok()
    };
    let cases: usize = pilot.iter().map(Vec::len).sum();
    let gain = match metric.kind {
        MetricKind::Binary | MetricKind::Event => sign(metric) * total(|b| b.candidate - b.baseline) / cases as f64,
        MetricKind::Bounded => sign(metric) * by_cluster(|b| b.candidate - b.baseline)?,
        MetricKind::Duration => 1.0 - by_cluster(|b| (b.candidate / b.baseline).ln())?.exp(),
        MetricKind::Count => 1.0 - total(|b| b.candidate) / total(|b| b.baseline),
    };
    gain.is_finite().then_some(gain)
}

/// Chooses figure and method.
pub(super) fn basis(start: &Start<'_>) -> (Engine, Figure) {
    match start.metric.kind {
        MetricKind::Binary | MetricKind::Event => binary(start),
        MetricKind::Bounded => bounded(start),
        MetricKind::Duration => duration(start),
        MetricKind::Count => count(start),
    }
}

/// A figure without a pilot.
fn guess(kind: FigureKind, stated: Option<f64>, assumed: f64) -> Figure {
    let source = if stated.is_some() { Source::Stated } else { Source::Assumption };
    Figure { kind, planned: stated.unwrap_or(assumed), point: None, source }
}

fn of_pilot(kind: FigureKind, point: f64, planned: f64) -> Figure {
    Figure { kind, planned, point: Some(point), source: Source::Pilot }
}

fn sign(metric: &Metric) -> f64 {
    if metric.direction == Direction::Higher { 1.0 } else { -1.0 }
}

/// Discordance; exact enumeration where every case is by itself, unless equivalence is asked for.
fn binary(start: &Start<'_>) -> (Engine, Figure) {
    let alone = start.sizes.iter().all(|k| *k == 1);
    let kind = FigureKind::Discordance;
    let pilot = if start.stated.is_none() { start.pilot } else { &[] };
    let pairs: usize = pilot.iter().map(Vec::len).sum();
    let differ = |c: &Cluster| c.iter().filter(|b| (b.candidate - b.baseline).abs() > 0.5).count();
    let differing = pilot.iter().filter(|c| differ(c) > 0).count();
    // The limit is that of the share of independent units that differ: cases of a cluster are no further evidence.
    let upper = stats::clopper_pearson_upper(differing as u64, pilot.len() as u64, LIMIT_ALPHA).ok();
    let Some(upper) = upper.filter(|_| pairs > 0) else {
        let figure = guess(kind, start.stated, ASSUMED_DISCORDANCE);
        if alone {
            return (Engine::Exact(figure.planned), figure);
        }
        let population = Population::stated(start.sizes, figure.planned, 1.0, sign(start.metric), true);
        return (Engine::Drawn(population), figure);
    };
    let point = pilot.iter().map(differ).sum::<usize>() as f64 / pairs as f64;
    let share = differing as f64 / pilot.len() as f64;
    let planned = if share > 0.0 { (point * upper / share).min(1.0) } else { upper };
    let figure = of_pilot(kind, point, planned);
    let engine = if alone {
        Engine::Exact(planned)
    } else if differing == 0 {
        Engine::Drawn(Population::stated(start.sizes, planned, 1.0, sign(start.metric), true))
    } else {
        Engine::Drawn(Population::of_pilot(pilot, upper, sign(start.metric), true))
    };
    (engine, figure)
}

/// The standard deviation of the difference of cluster means.
fn bounded(start: &Start<'_>) -> (Engine, Figure) {
    let kind = FigureKind::Sd;
    let pilot = if start.stated.is_none() { start.pilot } else { &[] };
    let mean = |c: &Cluster| c.iter().map(|b| b.candidate - b.baseline).sum::<f64>() / c.len().max(1) as f64;
    let d: Vec<f64> = pilot.iter().map(mean).collect();
    let sd = stats::standard_deviation(&d).ok().filter(|sd| *sd > 0.0);
    let limit = sd.and_then(|sd| stats::sd_upper_limit(sd, d.len() as u64, LIMIT_ALPHA).ok());
    let (Some(sd), Some(limit)) = (sd, limit) else {
        let figure = guess(kind, start.stated, ASSUMED_SD);
        let size = figure.planned.min(1.0);
        return (Engine::Drawn(Population::stated(start.sizes, 1.0, size, sign(start.metric), false)), figure);
    };
    let share = d.iter().filter(|x| x.abs() > 1e-12).count() as f64 / d.len() as f64;
    // More clusters that differ raise the spread to its limit, as far as there are others to replace.
    let raised = (share * (limit / sd).powi(2)).min(1.0);
    let engine = Engine::Drawn(Population::of_pilot(pilot, raised, sign(start.metric), false));
    (engine, of_pilot(kind, sd, limit))
}

/// The standard deviation of the logarithm of the ratio, by cluster.
fn duration(start: &Start<'_>) -> (Engine, Figure) {
    let kind = FigureKind::Sd;
    let pilot = if start.stated.is_none() { start.pilot } else { &[] };
    let log = |c: &Cluster| c.iter().map(|b| (b.candidate / b.baseline).ln()).sum::<f64>() / c.len().max(1) as f64;
    let logs: Vec<f64> = pilot.iter().map(log).collect();
    let sd = stats::standard_deviation(&logs).ok().filter(|sd| *sd > 0.0);
    let limit = sd.and_then(|sd| stats::sd_upper_limit(sd, logs.len() as u64, LIMIT_ALPHA).ok());
    let figure = match (sd, limit) {
        (Some(sd), Some(limit)) => of_pilot(kind, sd, limit),
        _ => guess(kind, start.stated, ASSUMED_SD),
    };
    (Engine::LogRatio(figure.planned), figure)
}

/// The spread of paired totals by cluster.
fn count(start: &Start<'_>) -> (Engine, Figure) {
    let kind = FigureKind::Sd;
    let pilot = if start.stated.is_none() { start.pilot } else { &[] };
    let sum = |c: &Cluster, f: fn(&Both) -> f64| c.iter().map(f).sum::<f64>();
    let pairs: Vec<(f64, f64)> = pilot.iter().map(|c| (sum(c, |b| b.baseline), sum(c, |b| b.candidate))).collect();
    let (base, cand) = pairs.iter().fold((0.0, 0.0), |(b, c), (x, y)| (b + x, c + y));
    let factor = stats::sd_upper_limit(1.0, pairs.len() as u64, LIMIT_ALPHA).ok();
    if let Some(factor) = factor.filter(|_| base > 0.0 && cand > 0.0) {
        let totals = Totals::Pilot { pairs, ratio: cand / base, factor };
        let tested = match start.criterion.rule {
            Rule::NonInferior { margin } | Rule::Equivalent { margin } => 1.0 + margin,
            Rule::Superior { by } => 1.0 - by,
            _ => 1.0,
        };
        if let Some(planned) = totals.sd(cand / base, tested) {
            return (Engine::Totals(totals), of_pilot(kind, planned / factor, planned));
        }
    }
    let figure = guess(kind, start.stated, ASSUMED_SD);
    (Engine::Totals(Totals::Stated(figure.planned)), figure)
}

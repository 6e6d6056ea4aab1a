//! Power of a criterion on the candidate's own level.

use super::super::policy::{Criterion, Rule};
use super::LIMIT_ALPHA;
use super::draw::{Both, Cluster};
use super::model::{Figure, FigureKind, Source};
use super::paired::{fewest, least, least_n};
use crate::compare;
use crate::stats;
use crate::types::{Metric, MetricKind};

/// The spread of a level's values that is planned with when nothing is known: a quarter of the level.
const ASSUMED_SD: f64 = 0.25;
const MOST: u64 = 1_000_000;

/// The plan of a criterion on the candidate's own level.
pub(super) struct Level<'a> {
    criterion: &'a Criterion,
    metric: &'a Metric,
    alpha: f64,
    /// Standard deviation of the logarithm (times) or relative to the level (counts); unused for shares.
    sd: f64,
    /// The figure that it rests on, if anything is known.
    pub figure: Option<Figure>,
    /// The level of the pilot's baseline.
    pub baseline: Option<f64>,
}

impl<'a> Level<'a> {
    /// Chooses figure and method; `pilot` is empty without a pilot.
    pub fn new(
        criterion: &'a Criterion,
        metric: &'a Metric,
        pilot: &[Cluster],
        stated: Option<f64>,
        alpha: f64,
    ) -> Self {
        let side = |of: fn(&Both) -> f64| -> Vec<f64> { pilot.iter().map(|c| unit(metric, c, of)).collect() };
        let (base, cand) = (side(|b| b.baseline), side(|b| b.candidate));
        let mean = |values: &[f64]| {
            stats::mean(values).ok().map(|m| if metric.kind == MetricKind::Duration { m.exp() } else { m })
        };
        let figure = match (stated, mean(&cand)) {
            (Some(planned), _) => {
                Some(Figure { kind: FigureKind::Level, planned, point: None, source: Source::Stated })
            }
            (None, Some(point)) => Some(Figure {
                kind: FigureKind::Level,
                planned: cautious(criterion, metric, &cand).unwrap_or(point),
                point: Some(point),
                source: Source::Pilot,
            }),
            (None, None) => None,
        };
        let sd = stats::standard_deviation(&cand).ok().filter(|sd| *sd > 0.0);
        let sd = sd.and_then(|sd| stats::sd_upper_limit(sd, cand.len() as u64, LIMIT_ALPHA).ok());
        let relative = match (metric.kind, sd, mean(&cand)) {
            (MetricKind::Duration, Some(sd), _) => sd,
            (MetricKind::Count, Some(sd), Some(level)) if level > 0.0 => sd / level,
            _ => ASSUMED_SD,
        };
        Self { criterion, metric, alpha, sd: relative, figure, baseline: mean(&base) }
    }

    /// How the power is found, for the reader.
    pub fn calculation(&self) -> &'static str {
        match self.metric.kind {
            MetricKind::Duration => "noncentral t on the logarithm",
            MetricKind::Count => "noncentral t",
            _ => "Clopper-Pearson arithmetic on independent units",
        }
    }

    /// The probability that the criterion is met with `n` independent units, if the candidate's true level is `level`.
    ///
    /// A share of a cluster is taken for all or nothing, which is the most that the values of a mean can vary.
    pub fn power(&self, n: u64, level: f64) -> Option<f64> {
        self.power_of(&self.criterion.rule, n, level)
    }

    fn power_of(&self, rule: &Rule, n: u64, level: f64) -> Option<f64> {
        if compare::too_few(usize::try_from(n).ok()?).is_some() {
            return Some(0.0);
        }
        if !self.metric.is_share() {
            let (limit, sign) = match *rule {
                Rule::AtMost { limit } => (limit, 1.0),
                Rule::AtLeast { limit } => (limit, -1.0),
                _ => return None,
            };
            let (distance, sd) = match self.metric.kind {
                MetricKind::Duration if limit > 0.0 && level > 0.0 => (limit.ln() - level.ln(), self.sd),
                MetricKind::Duration => return Some(0.0),
                _ => (limit - level, (self.sd * level).max(f64::MIN_POSITIVE)),
            };
            return Some(stats::paired_t_power(n, sign * distance, sd, self.alpha).ok()?.one_sided);
        }
        let level = level.clamp(0.0, 1.0);
        match *rule {
            Rule::NoneObserved { max_rate } => {
                let enough = stats::clopper_pearson_upper(0, n, self.alpha).ok()? <= max_rate;
                Some(if enough { (n as f64 * (-level).ln_1p()).exp() } else { 0.0 })
            }
            Rule::AtMost { limit } => {
                let met = |x: u64| stats::clopper_pearson_upper(x, n, self.alpha).is_ok_and(|u| u <= limit);
                match most(n, met) {
                    Some(x) => stats::binomial_cdf(x, n, level).ok(),
                    None => Some(0.0),
                }
            }
            Rule::AtLeast { limit } => {
                // Failures in place of successes: the fewer the better.
                let met = |x: u64| stats::clopper_pearson_lower(n - x, n, self.alpha).is_ok_and(|l| l >= limit);
                match most(n, met) {
                    Some(x) => stats::binomial_cdf(x, n, 1.0 - level).ok(),
                    None => Some(0.0),
                }
            }
            _ => None,
        }
    }

    /// How far the true level may lie from perfection and the criterion still be met with the wanted power.
    pub fn detectable(&self, n: u64, wanted: f64) -> Option<f64> {
        let reached = |level: f64| self.power(n, level).is_some_and(|p| p >= wanted);
        match self.criterion.rule {
            Rule::AtLeast { limit } if self.metric.is_share() => least(limit, 1.0, 40, reached),
            Rule::AtLeast { limit } => least(limit, limit * 1e3, 60, reached),
            Rule::AtMost { limit } | Rule::NoneObserved { max_rate: limit } => {
                least(0.0, limit, 40, |below| reached(limit - below)).map(|below| limit - below)
            }
            _ => None,
        }
    }

    /// How many independent units the wanted power takes at the figure; for `none-observed` at a rate of 0, since more cases show more
    /// of what must not be there.
    pub fn needed(&self, wanted: f64) -> Option<u64> {
        if let Rule::NoneObserved { max_rate } = self.criterion.rule {
            return Some(stats::n_min(max_rate, self.alpha).ok()?.max(fewest()));
        }
        let level = self.figure?.planned;
        let promised = match self.criterion.rule {
            Rule::AtMost { limit } => level < limit,
            Rule::AtLeast { limit } => level > limit,
            _ => false,
        };
        if !promised {
            return None;
        }
        least_n(MOST, |n| self.power(n, level).is_some_and(|p| p >= wanted))
    }
}

/// The largest count for which something holds that held for all smaller ones.
fn most(n: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    if !holds(0) {
        return None;
    }
    let (mut low, mut high) = (0, n + 1);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle } else { high = middle }
    }
    Some(low)
}

/// The value of an independent unit: whether it has the event at all, the mean of its logarithms, or its mean.
fn unit(metric: &Metric, cluster: &[Both], of: fn(&Both) -> f64) -> f64 {
    let mean = |f: fn(f64) -> f64| cluster.iter().map(|b| f(of(b))).sum::<f64>() / cluster.len().max(1) as f64;
    match metric.kind {
        MetricKind::Event => f64::from(u8::from(cluster.iter().any(|b| of(b) > 0.0))),
        MetricKind::Duration => mean(f64::ln),
        _ => mean(|v| v),
    }
}

/// The 80 % limit of a pilot's rate on the side that makes the criterion harder.
fn cautious(criterion: &Criterion, metric: &Metric, values: &[f64]) -> Option<f64> {
    if !metric.is_share() {
        return None;
    }
    match criterion.rule {
        Rule::AtLeast { .. } => stats::gaffke_lower_bound(values, 0.0, LIMIT_ALPHA).ok(),
        _ => stats::gaffke_upper_bound(values, 1.0, LIMIT_ALPHA).ok(),
    }
}

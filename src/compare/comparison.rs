//! What the statistics say: of a pair on one metric and slice, and of one target alone.

use crate::types::{CaseId, Direction, Interval, Metric, SliceName, TargetName};
use serde::{Deserialize, Serialize};

/// What is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimand {
    /// Difference of two rates on the same cases: candidate minus baseline.
    RiskDifference,
    /// Mean of the paired differences of a score in `[0, 1]`.
    MeanDifference,
    /// Total of the candidate over total of the baseline, minus 1: what the invoice sees.
    RatioOfTotals,
    /// Geometric mean of the paired ratios, minus 1.
    GeometricMeanRatio,
    /// The rate or mean of one target alone.
    Level,
}

/// How a number was found, and why this way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Method {
    /// The method's name in the field, such as `Tango score interval`.
    pub name: String,
    /// What in the data chose it.
    pub why: String,
    /// What must hold for its level to be the stated one.
    pub assumptions: Vec<String>,
    /// Every step from the default for the metric's kind, with its reason: empty where the default was used as it is.
    pub fallbacks: Vec<String>,
}

impl Method {
    /// A method with its assumptions, used as it is the default.
    pub(super) fn new(name: &str, why: impl Into<String>, assumptions: &[&str]) -> Self {
        let assumptions = assumptions.iter().map(|&a| a.to_owned()).collect();
        Self { name: name.to_owned(), why: why.into(), assumptions, fallbacks: Vec::new() }
    }
}

/// Pairs of a binary metric by what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Flips {
    /// 0 at the baseline and 1 at the candidate.
    pub gained: u64,
    /// 1 at the baseline and 0 at the candidate.
    pub lost: u64,
}

/// Cases of a bounded metric that fell or rose by half the scale or more: what a mean can hide (statistics.md, section 3.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Severe {
    /// Cases whose gain is at most -[`SEVERE`](super::SEVERE).
    pub lost: u64,
    /// Cases whose gain is at least [`SEVERE`](super::SEVERE).
    pub gained: u64,
    /// The cases lost.
    pub lost_cases: Vec<CaseId>,
    /// Share of clusters with a case lost: a cluster has a severe regression if any of its cases has.
    pub rate: f64,
    /// Clopper-Pearson's interval of `rate`, at the two-sided level `1 - 2 alpha`.
    pub rate_interval: Interval,
    /// Cases gained minus cases lost, as a share of all: oriented so that more is better.
    pub net: f64,
    /// Tango's interval of `net` at the same level, scaled by the design effect where cases share clusters. From -1 to 1 where that is not
    /// estimable.
    pub net_interval: Interval,
}

/// What unscored cases can change: the numbers with every one of them at its worst for the candidate, and at its best.
///
/// A side that has a value keeps it; the side that has none takes the end of the scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Imputed<T> {
    /// Counted against the candidate.
    pub against: T,
    /// Counted for the candidate.
    pub in_favour: T,
}

/// A comparison's numbers under an imputation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImputedChange {
    /// As in the comparison.
    pub change: f64,
    /// As in the comparison.
    pub interval: Interval,
    /// As in the comparison.
    pub p_better: Option<f64>,
    /// As in the comparison.
    pub severe: Option<Severe>,
}

/// A measurement's numbers under an imputation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImputedLevel {
    /// As in the measurement.
    pub value: f64,
    /// As in the measurement.
    pub interval: Interval,
}

/// A high quantile of a duration on both sides: shown, and gating nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tail {
    /// Which: 0.95 is the time that 95 % of the requests stay below.
    pub quantile: f64,
    /// Independent cases that an upper limit of this quantile needs at the level `alpha`.
    pub need: u64,
    /// The quantiles and their ratio; none where they are not estimable.
    pub found: Option<TailRatio>,
    /// Why not, as a fragment.
    pub why: Option<String>,
}

/// A quantile of both sides and its relative change, from one request per cluster: its first case by name, asked for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TailRatio {
    /// The baseline's type-7 quantile, seconds.
    pub baseline_value: f64,
    /// The candidate's, seconds.
    pub candidate_value: f64,
    /// Candidate over baseline, minus 1.
    pub change: f64,
    /// MOVER's interval of `change` from the order statistics of both sides, at the two-sided level `1 - 2 alpha`. It takes the sides
    /// for independent, which is conservative for pairs.
    pub interval: Interval,
}

/// What the statistics say of one metric on one slice for one pair.
///
/// `change` is the candidate against the baseline in the metric's own sense: a difference for shares, a relative change for durations
/// and counts (-0.86 = 86 % less). [`Comparison::gain`] turns it so that more is better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Comparison {
    /// The metric compared.
    pub metric: Metric,
    /// The cases compared.
    pub slice: SliceName,
    /// Against whom.
    pub baseline: TargetName,
    /// Who.
    pub candidate: TargetName,
    /// What is estimated.
    pub estimand: Estimand,
    /// Pairs with both values.
    pub pairs: usize,
    /// Independent units among the pairs.
    pub clusters: usize,
    /// For binary pairs in clusters: how far from 0 the interval would reach if no pair had changed. No margin within it can be proven.
    pub unchanged_reach: Option<f64>,
    /// Cases of the slice whose pair has no value on one side or both.
    pub unscored: Vec<CaseId>,
    /// The baseline's rate, mean, total or geometric mean.
    pub baseline_value: f64,
    /// The candidate's.
    pub candidate_value: f64,
    /// The estimate of the change.
    pub change: f64,
    /// Its interval at the two-sided level `1 - 2 alpha`, so that picture and decision cannot disagree.
    pub interval: Interval,
    /// One-sided p value for "the candidate is better", where the method has one.
    pub p_better: Option<f64>,
    /// One-sided p value for "the candidate is worse", where the method has one.
    pub p_worse: Option<f64>,
    /// For binary metrics and events without repeats: the pairs that changed.
    pub flips: Option<Flips>,
    /// For bounded metrics: the cases that changed by half the scale or more.
    pub severe: Option<Severe>,
    /// For shares with unscored cases: what those can change.
    pub imputed: Option<Box<Imputed<ImputedChange>>>,
    /// For durations: the 0.95 and the 0.99 quantile.
    pub tails: Vec<Tail>,
    /// How.
    pub method: Method,
}

impl Comparison {
    /// The change, turned so that more is better.
    #[must_use]
    pub fn gain(&self) -> f64 {
        match self.metric.direction {
            Direction::Higher => self.change,
            Direction::Lower => -self.change,
        }
    }

    /// The interval, turned so that more is better.
    #[must_use]
    pub fn gain_interval(&self) -> Interval {
        self.oriented(self.interval)
    }

    /// An interval of changes, turned so that more is better.
    pub(super) fn oriented(&self, changes: Interval) -> Interval {
        match self.metric.direction {
            Direction::Higher => changes,
            Direction::Lower => changes.mirrored(),
        }
    }
}

/// What the statistics say of one target alone on one metric and slice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Measurement {
    /// The metric measured.
    pub metric: Metric,
    /// The cases measured.
    pub slice: SliceName,
    /// Who.
    pub target: TargetName,
    /// Cases with a value.
    pub cases: usize,
    /// Independent units among them.
    pub clusters: usize,
    /// Cases of the slice without a value.
    pub unscored: Vec<CaseId>,
    /// The rate, mean or geometric mean.
    pub value: f64,
    /// Its interval at the two-sided level `1 - 2 alpha`.
    pub interval: Interval,
    /// For events: the cases in which it was observed.
    pub observed: Vec<CaseId>,
    /// For shares with unscored cases: what those can change.
    pub imputed: Option<Imputed<ImputedLevel>>,
    /// How.
    pub method: Method,
}

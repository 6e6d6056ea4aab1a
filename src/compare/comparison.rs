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
    /// What in the data chose it, and what it assumes.
    pub why: String,
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
    /// For binary metrics: the pairs that changed.
    pub flips: Option<Flips>,
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
        match self.metric.direction {
            Direction::Higher => self.interval,
            Direction::Lower => self.interval.mirrored(),
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
    /// How.
    pub method: Method,
}

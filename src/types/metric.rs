//! What a metric is: its kind decides the statistics, its direction decides what is better.

use super::MetricName;
use serde::{Deserialize, Serialize};

/// The kind of a metric's values; it chooses the estimand and the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricKind {
    /// 0 or 1: right or wrong.
    Binary,
    /// A number in `[0, 1]`.
    Bounded,
    /// 0 or 1, where 1 is something that should never happen.
    Event,
    /// A time in seconds, above 0.
    Duration,
    /// A whole number of things, such as tokens.
    Count,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// A measured quantity: its name, kind, unit and better direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Metric {
    /// Its name, unique in a suite.
    pub name: MetricName,
    /// The kind of its values.
    pub kind: MetricKind,
    /// Which way is better.
    pub direction: Direction,
}

impl Metric {
    /// Whether values lie in `[0, 1]`, so that differences are shown in points.
    #[must_use]
    pub fn is_share(&self) -> bool {
        matches!(self.kind, MetricKind::Binary | MetricKind::Bounded | MetricKind::Event)
    }

    /// Whether values come from a clock, so that two runs of the same bits differ in them.
    #[must_use]
    pub fn is_timing(&self) -> bool {
        self.kind == MetricKind::Duration
    }
}

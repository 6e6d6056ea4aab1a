//! A trial with its response reduced to scores: what the comparisons are made of.

use crate::types::{CaseId, ClusterName, MetricName, Outcome, SliceName, TargetName, Untrusted};
use serde::{Deserialize, Serialize};

/// One value of one metric, with its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Score {
    /// The metric that was measured.
    pub metric: MetricName,
    /// The value, finite; `None` when it could not be scored: a criterion with such a case is not met.
    pub value: Option<f64>,
    /// Why this value: what was found, or what was missing. It may quote the model.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub why: Untrusted,
}

fn is_empty(text: &Untrusted) -> bool {
    text.raw().is_empty()
}

/// A scored trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The case that was asked.
    pub case: CaseId,
    /// The unit that is independent of all others.
    pub cluster: ClusterName,
    /// The slices that the case belongs to: its task and its tags; `all` is implied.
    pub slices: Vec<SliceName>,
    /// Who was asked.
    pub target: TargetName,
    /// Which repeat of the question this is, from 0.
    pub repeat: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// One score per metric that applies to the case.
    pub scores: Vec<Score>,
}

impl Sample {
    /// Whether the sample belongs to a slice.
    #[must_use]
    pub fn is_in(&self, slice: &SliceName) -> bool {
        slice.is_all() || self.slices.contains(slice)
    }

    /// The score of a metric, if the metric applies to this case.
    #[must_use]
    pub fn score(&self, metric: &MetricName) -> Option<&Score> {
        self.scores.iter().find(|s| s.metric == *metric)
    }
}

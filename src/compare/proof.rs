//! When it may be said that a candidate is no worse: one rule, for the gate and for `goldgate compare`.

use super::Comparison;
use crate::stats;
use crate::types::CaseId;
use serde::Serialize;

/// Fewer independent units than this support no claim (statistics.md, section 2.3).
const MIN_CLUSTERS: usize = 10;

/// Whether the candidate is no worse by more than a margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Proven: the interval of the gain lies above the margin, on enough cases and with none missing.
    Yes,
    /// Refuted: the interval of the gain lies below the margin.
    No,
    /// Neither. "Not significantly worse" is this, and never a yes.
    Unproven,
}

/// What the comparison says of one margin.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NoWorse {
    /// The loss that would be borne: a difference for shares, a relative change for durations and counts.
    pub margin: f64,
    /// The answer.
    pub answer: Answer,
    /// Why there is no yes, as a fragment.
    pub why: Option<String>,
}

/// Holds a comparison made at one-sided level `alpha` against a margin.
#[must_use]
pub fn no_worse(c: &Comparison, margin: f64, alpha: f64) -> NoWorse {
    let gain = c.gain_interval();
    let (answer, why) = if gain.upper() < -margin {
        (Answer::No, Some("the whole interval lies beyond the margin".to_owned()))
    } else if let Some(obstacle) =
        unscored(&c.unscored).or_else(|| too_few(c.clusters)).or_else(|| too_small(c, margin, alpha))
    {
        (Answer::Unproven, Some(obstacle))
    } else if gain.lower() > -margin {
        (Answer::Yes, None)
    } else {
        (Answer::Unproven, Some("the interval includes losses beyond the margin".to_owned()))
    };
    NoWorse { margin, answer, why }
}

/// Why cases without a value forbid a favourable claim, if there are any.
#[must_use]
pub fn unscored(cases: &[CaseId]) -> Option<String> {
    let first = cases.first()?;
    let more = if cases.len() > 1 { format!(" and {} more", cases.len() - 1) } else { String::new() };
    Some(format!("`{first}`{more} could not be scored on one side or both"))
}

/// Why so few independent units support no claim at all, if they are too few: the intervals' own assumptions are then not worth one,
/// whatever they show.
#[must_use]
pub fn too_few(clusters: usize) -> Option<String> {
    let few = clusters < MIN_CLUSTERS;
    few.then(|| format!("{clusters} independent cases are too few: at least {MIN_CLUSTERS} are needed"))
}

/// Why the suite is too small for a margin, if it is: one in which even a flawless record does not exclude a loss beyond the margin
/// supports no claim (statistics.md, section 2.4).
#[must_use]
pub fn too_small(c: &Comparison, margin: f64, alpha: f64) -> Option<String> {
    if !c.metric.is_share() {
        return None;
    }
    let need = stats::n_min(margin.min(1.0 - 1e-9), alpha).ok()?;
    (c.clusters as u64 <= need.saturating_sub(1))
        .then(|| format!("{} independent cases are too few for this margin: at least {need} are needed", c.clusters))
}

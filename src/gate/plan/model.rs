//! What a plan says, as data: `goldgate.plan/1`.

use super::super::policy::Rule;
use super::cost::{TargetCost, TotalCost};
use crate::types::{CriterionId, MetricKind, MetricName, PolicyName, SliceName, SuiteName, TargetName};
use serde::Serialize;

/// The format of the plan as JSON; `schemas/plan.schema.json` describes it.
pub const PLAN_FORMAT: &str = "goldgate.plan/1";

/// What a suite can show under a policy, and what asking it costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PowerPlan {
    /// Always [`PLAN_FORMAT`].
    pub format: &'static str,
    /// The suite.
    pub suite: SuiteName,
    /// Its version.
    pub suite_version: String,
    /// The policy.
    pub policy: PolicyName,
    /// The one-sided level of each criterion.
    pub alpha: f64,
    /// The power that is wanted of each criterion.
    pub power: f64,
    /// The run that the figures come from.
    pub pilot: Option<PilotUse>,
    /// One entry per criterion, in the policy's order.
    pub criteria: Vec<CriterionPlan>,
    /// The required criterion that stands furthest from the wanted power.
    pub binding: Option<CriterionId>,
    /// The probability that all required criteria are met at once.
    pub joint: Joint,
    /// What asking costs, the baseline first.
    pub costs: Vec<TargetCost>,
    /// What asking them all costs.
    pub total: TotalCost,
}

/// Which run was used as the pilot.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PilotUse {
    /// The run, as it was named.
    pub run: String,
    /// Its baseline.
    pub baseline: TargetName,
    /// The candidate whose answers were used.
    pub candidate: TargetName,
}

/// What is planned for one criterion.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CriterionPlan {
    /// The criterion.
    pub id: CriterionId,
    /// What is measured.
    pub metric: MetricName,
    /// The kind of its values.
    pub metric_kind: MetricKind,
    /// On which cases.
    pub slice: SliceName,
    /// What is required.
    pub rule: Rule,
    /// Whether it gates.
    pub required: bool,
    /// Cases of the suite that count for it.
    pub cases: usize,
    /// Independent units among them: the n of every calculation.
    pub clusters: usize,
    /// The method by which the gate will decide.
    pub method: String,
    /// How the power was found.
    pub calculation: &'static str,
    /// The figure that the plan rests on; `None` where nothing was stated and there is no pilot.
    pub figure: Option<Figure>,
    /// The true gain that was stated, turned so that more is better.
    pub gain: Option<f64>,
    /// The gain that the pilot showed.
    pub pilot_gain: Option<f64>,
    /// About how many independent units the wanted power takes, if `needed-at` is true; `None` where that is not known or no number would do.
    pub needed: Option<u64>,
    /// The true gain (of a criterion on the candidate's own level: the true level) that `needed` supposes.
    pub needed_at: Option<f64>,
    /// What this n shows with the wanted power: a margin (`non-inferior`, `equivalent`), a true gain (`superior`), or a level.
    pub detectable: Option<f64>,
    /// The probability that the criterion is met.
    pub power: Powers,
    /// Whether some outcome of this suite could meet it.
    pub possible: bool,
    /// What a reader of the numbers must know, as sentences.
    pub notes: Vec<String>,
}

/// The figure that a plan rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Figure {
    /// What it is.
    pub kind: FigureKind,
    /// The value that was planned with: of a pilot the 80 % limit on the cautious side, not its point estimate.
    pub planned: f64,
    /// The pilot's point estimate.
    pub point: Option<f64>,
    /// Where it comes from.
    pub source: Source,
}

/// What a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FigureKind {
    /// The share of pairs of which one side is right and the other wrong.
    Discordance,
    /// The standard deviation of the paired difference: of scores, of the logarithm of times, of counts relative to the baseline's mean.
    Sd,
    /// The candidate's own rate or mean.
    Level,
}

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Measured by the pilot run.
    Pilot,
    /// Stated on the command line.
    Stated,
    /// Neither: a common value, and no more than that.
    Assumption,
}

/// The probability that a criterion is met, in each scenario that can be computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Powers {
    /// Candidate and baseline do not differ. For a criterion on the candidate's own level: it has the level of the pilot's baseline.
    pub no_change: Option<f64>,
    /// The stated gain is true. For a criterion on the candidate's own level: the figure is its true level.
    pub planned: Option<f64>,
    /// The candidate is what the pilot showed, by resampling the pilot's clusters.
    pub as_pilot: Option<f64>,
}

/// The probability of promotion.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Joint {
    /// How it was found.
    pub method: JointMethod,
    /// The probability that all required criteria are met: if the candidate is what the pilot showed, or if they were independent.
    pub power: Option<f64>,
    /// The most that any dependence between them allows: the smallest power.
    pub upper: Option<f64>,
    /// Why there is no number, or what it leaves out.
    pub note: Option<String>,
}

/// How joint power was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum JointMethod {
    /// The pilot's clusters were resampled and judged whole, so that the correlation between criteria is kept.
    Resampled,
    /// The product of the powers: a guide to the lower side, since criteria that share cases are met together more often.
    Independent,
}

//! Policy, criteria, verdict. A verdict is a pure function of samples, policy and binary version; doubt is undecided.

mod fit;
mod judge;
mod noise;
mod plan;
mod policy;
mod sentence;
#[cfg(test)]
mod tests;
mod verdict;

pub use fit::check_fit;
pub use judge::{Asked, Changed, judge};
pub use noise::{CriterionNoise, Decisions, NoFloor, Noise, Repeated, noise};
pub use plan::{
    Amount, CostRequest, CriterionPlan, Figure, FigureKind, Joint, JointMethod, Limits, PLAN_FORMAT, Pilot, PilotUse,
    PlanRequest, PowerPlan, Powers, Price, Source, TargetCost, TotalCost, check_possible, cost, plan,
};
pub use policy::{Criterion, Policy, Rule};
pub use verdict::{Decision, Evidence, Finding, Status, Verdict};

//! Policy, criteria, verdict. A verdict is a pure function of samples, policy and binary version; doubt is undecided.

pub mod policy;
mod verdict;

pub use policy::{Criterion, Policy, Rule};
pub use verdict::{Decision, Evidence, Finding, Status, Verdict};

//! Orchestration: plan, execute, journal. Knows targets by their trait only.

mod events;
mod execute;
mod load;
mod plan;
mod probe;
#[cfg(test)]
mod tests;

pub use events::Event;
pub use execute::{RunError, execute, question};
pub use load::Load;
pub use plan::{Arm, Plan, Trial};
pub use probe::{Needs, PROBE, probe, question_of};

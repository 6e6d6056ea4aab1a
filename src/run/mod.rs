//! Orchestration: plan, execute, journal. Knows targets by their trait only.

mod events;
mod execute;
mod load;
mod plan;
#[cfg(test)]
mod tests;

pub use events::Event;
pub use execute::{RunError, execute};
pub use load::Load;
pub use plan::{Arm, Plan, Trial};

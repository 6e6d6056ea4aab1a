//! Scorers: what a response is worth. Pure; one file per family.

mod sample;

pub use sample::{Outcome, Sample, Score};

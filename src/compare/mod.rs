//! Samples to comparisons: which estimand, which method, which pairs have no value and why. Pure.

mod comparison;

pub use comparison::{Comparison, Estimand, Flips, Measurement, Method};

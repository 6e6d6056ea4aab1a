//! Samples to comparisons: which estimand, which method, which pairs have no value and why. Pure.

mod alone;
mod comparison;
mod paired;
mod pairs;
#[cfg(test)]
mod tests;

pub use alone::measure;
pub use comparison::{Comparison, Estimand, Flips, Measurement, Method};
pub use paired::{NotComparable, compare};

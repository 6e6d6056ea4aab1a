//! Leaf vocabulary: the words that every other room uses. Nothing here knows another room, does I/O or decides anything.

mod interval;
mod rng;

pub use interval::{Interval, IntervalError};
pub use rng::SplitMix64;

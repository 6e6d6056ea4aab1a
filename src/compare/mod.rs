//! Samples to comparisons: which estimand, which method, which pairs have no value and why. Pure.
//!
//! [`Scores`] reads the samples out of files that other tools wrote; [`tabulate`] compares all of them at once and ranks
//! them; [`tabulate_with_choice`] chooses on one part of the cases and confirms on the other.

mod alone;
mod asking;
mod column;
mod comparison;
mod gather;
mod letters;
mod matrix;
mod noise;
mod paired;
mod pairs;
mod proof;
mod rank;
mod scores;
mod select;
mod severe;
mod table;
mod tails;
#[cfg(test)]
mod tests;

pub use alone::measure;
pub use asking::{Asking, IN_TIME_US, slowed};
pub use comparison::{
    Comparison, Estimand, Flips, Imputed, ImputedChange, ImputedLevel, Measurement, Method, Severe, Tail, TailRatio,
};
pub use noise::{CaseNoise, MetricNoise, case_noise, metric_noise};
pub use paired::{NotComparable, compare};
pub use proof::{
    Answer, Held, NoWorse, Numbers, hold, hold_level, lies_within, loses_less, no_worse, seldom_severe, too_few,
    too_small,
};
pub use rank::{Best, PairTest, Ranked, Ranking, rank};
pub use scores::{ScoreFile, Scores};
pub use select::{Choice, Selection, select_and_confirm, tabulate_with_choice};
pub use severe::SEVERE;
pub use table::{ComparisonTable, Gap, NotRanked, Request, Row, TABLE_FORMAT, compare_all, tabulate};

//! Samples to comparisons: which estimand, which method, which pairs have no value and why. Pure.
//!
//! [`Scores`] reads the samples out of a file that another tool wrote; [`tabulate`] compares all of them at once and ranks
//! them; [`tabulate_with_choice`] chooses on one part of the cases and confirms on the other.

mod alone;
mod comparison;
mod letters;
#[cfg(test)]
mod many_tests;
mod matrix;
mod paired;
mod pairs;
mod proof;
mod rank;
mod scores;
mod select;
mod table;
#[cfg(test)]
mod tests;

pub use alone::measure;
pub use comparison::{Comparison, Estimand, Flips, Measurement, Method};
pub use paired::{NotComparable, compare};
pub use proof::{Answer, NoWorse, no_worse, too_few, too_small, unscored};
pub use rank::{Best, PairTest, Ranked, Ranking, rank};
pub use scores::{Form, Scores};
pub use select::{Choice, Selection, tabulate_with_choice};
pub use table::{ComparisonTable, Gap, NotRanked, Request, Row, TABLE_FORMAT, tabulate};

//! Whether the gate's own error rates are what the documents say: its real code on simulated model pairs whose truth is known. Pure.
//!
//! Each [`Row`] is one promise: a scenario, a bound, and the figures that [`compare`](crate::compare), [`gate`](crate::gate) and
//! [`stats`](crate::stats) reach on it. Where the outcomes are few enough to be listed the figure is exact; elsewhere it is a seeded
//! simulation with its Monte-Carlo standard error. Beside it stand the methods that other tools use, on the same data, and how they fail.
//!
//! The same seed and effort give the same study on any number of threads: every replicate draws from a stream of its own.

mod arena;
mod binary;
mod bounded;
mod clustered;
mod conjunction;
mod early;
mod edges;
mod lab;
mod latency;
mod many;
mod naive;
mod page;
mod planted;
mod row;
mod tables;
#[cfg(test)]
mod tests;
mod tokens;

pub use lab::Effort;
pub use page::{FORMAT, Facts, json, markdown, terminal};
pub use row::{Bound, Check, Figure, Naive, Row, Study, Verdict};

use lab::Lab;

/// The one-sided level of every row, unless it says otherwise: the gate's usual one.
const ALPHA: f64 = 0.05;
/// The margin of every row, unless it says otherwise: five points.
const MARGIN: f64 = 0.05;

/// Runs every row; `observe` hears of each as it ends.
#[must_use]
pub fn simulate(effort: Effort, seed: u64, observe: &dyn Fn(&Row)) -> Study {
    let lab = Lab::new(effort, seed);
    let rows: [fn(&Lab) -> Row; 17] = [
        binary::false_pass,
        binary::coverage,
        binary::size,
        clustered::row,
        bounded::row,
        conjunction::false_promotion,
        conjunction::power,
        binary::equal_models,
        early::false_pass,
        early::saving,
        latency::drift,
        latency::tail,
        tokens::row,
        many::best_of_ten,
        edges::row,
        many::slices,
        planted::row,
    ];
    let rows = rows.iter().map(|row| {
        let row = row(&lab);
        observe(&row);
        row
    });
    Study { effort: effort.word(), seed, rows: rows.collect() }
}

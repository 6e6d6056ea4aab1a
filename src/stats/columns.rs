//! The bootstrap of many columns at once: one set of resamples, and the mean of every column over the same rows.
//!
//! Columns are the metrics of one comparison and rows its independent units. What the columns have in common (a bad case
//! is bad in every metric) stays in the replicates, as a step-down procedure over metrics needs it; and the indices are
//! drawn once and not once per metric.

use super::bootstrap::{Bca, Bootstrap, SIDE_BY_SIDE, after, bca_of_mean};
use super::error::{Result, StatsError, at_least, open_unit, same_length, sample};
use rayon::prelude::*;
use std::ops::Range;

/// Columns that lie side by side in memory: a row of eight is one cache line.
const PANEL: usize = 8;

/// Indices that one task draws before it adds: few enough to stay in a core's own cache, and enough resamples that a
/// panel, once there, is used many times.
const DRAWS: usize = 1 << 17;

/// Up to eight columns, row by row.
struct Panel {
    /// Its columns with the padding, a power of two.
    width: usize,
    /// `width` numbers per row.
    rows: Vec<f64>,
}

impl Panel {
    fn new(columns: &[Vec<f64>]) -> Self {
        let width = columns.len().next_power_of_two();
        let mut rows = vec![0.0; width * columns[0].len()];
        for (k, column) in columns.iter().enumerate() {
            for (row, &x) in rows.chunks_exact_mut(width).zip(column) {
                row[k] = x;
            }
        }
        Self { width, rows }
    }

    /// Appends to each of `means` the means of its column over the rows drawn, one resample after the other.
    fn means(&self, draws: &[[u32; SIDE_BY_SIDE]], means: &mut [Vec<f64>]) {
        match self.width {
            1 => self.means_of::<1>(draws, means),
            2 => self.means_of::<2>(draws, means),
            4 => self.means_of::<4>(draws, means),
            _ => self.means_of::<PANEL>(draws, means),
        }
    }

    fn means_of<const WIDTH: usize>(&self, draws: &[[u32; SIDE_BY_SIDE]], means: &mut [Vec<f64>]) {
        let rows = self.rows.as_chunks::<WIDTH>().0;
        for resamples in draws.chunks_exact(rows.len()) {
            // Plainly, draw after draw, in every lane: the bits do not depend on the width of the machine's registers.
            let mut sums = [[0.0; WIDTH]; SIDE_BY_SIDE];
            for drawn in resamples {
                for (sum, &row) in sums.iter_mut().zip(drawn) {
                    for (lane, x) in sum.iter_mut().zip(&rows[row as usize]) {
                        *lane += x;
                    }
                }
            }
            for sum in sums {
                for (mean, s) in means.iter_mut().zip(sum) {
                    mean.push(s / rows.len() as f64);
                }
            }
        }
    }
}

/// Bootstrap means of several columns over the same rows: `out[column][resample]`.
///
/// Resample r draws the rows that resample r of [`super::resampled_means`] draws with the same seed, and adds them in the
/// same order; so a column's replicates are those of [`Bootstrap::of_mean`], bit for bit, whatever columns stand beside
/// it. All cores are used; the numbers do not depend on how many there are. Beside the result it holds one copy of the
/// columns and, per thread, a few megabytes (16 bytes per row where there are more than 32,768 rows).
///
/// # Errors
/// When there are no columns, no rows or no resamples, the columns differ in length, a number is NaN or infinite, or there
/// are 2^32 rows or more.
pub fn resampled_column_means(columns: &[Vec<f64>], resamples: usize, seed: u64) -> Result<Vec<Vec<f64>>> {
    at_least("columns", columns.len(), 1)?;
    at_least("resamples", resamples, 1)?;
    for column in columns {
        same_length("columns", columns[0].len(), column.len())?;
        sample("column", column, 1)?;
    }
    let n = columns[0].len();
    if u32::try_from(n).is_err() {
        return Err(StatsError::OutOfRange { what: "number of rows", value: n as f64, expected: "below 2^32" });
    }
    let panels: Vec<Panel> = columns.par_chunks(PANEL).map(Panel::new).collect();
    let at_once = (DRAWS / n).max(1).next_multiple_of(SIDE_BY_SIDE);
    let tasks: Vec<Vec<Vec<f64>>> = (0..resamples.div_ceil(at_once))
        .into_par_iter()
        .map_init(Vec::new, |draws, task| {
            let which = task * at_once..resamples.min((task + 1) * at_once);
            draw(draws, n, seed, which.clone());
            let mut means: Vec<Vec<f64>> = (0..columns.len()).map(|_| Vec::with_capacity(at_once)).collect();
            for (panel, means) in panels.iter().zip(means.chunks_mut(PANEL)) {
                panel.means(draws, means);
            }
            // The last four may hold more than was asked for.
            means.iter_mut().for_each(|m| m.truncate(which.len()));
            means
        })
        .collect();
    let gather = |column: usize| tasks.iter().flat_map(|task| &task[column]).copied().collect();
    Ok((0..columns.len()).map(gather).collect())
}

/// The rows of the resamples numbered `which`, rounded up to fours: draw by draw, four resamples side by side.
fn draw(draws: &mut Vec<[u32; SIDE_BY_SIDE]>, n: usize, seed: u64, which: Range<usize>) {
    draws.clear();
    for first in which.step_by(SIDE_BY_SIDE) {
        let mut streams: [_; SIDE_BY_SIDE] = std::array::from_fn(|j| after(seed, (first + j) as u64, n as u64));
        draws.extend((0..n).map(|_| streams.each_mut().map(|stream| stream.index(n) as u32)));
    }
}

/// The BCa intervals of the means of several columns from one set of resamples: for each column what
/// [`super::bca_mean`] gives for it alone with the same seed, bit for bit, or why that column has no interval.
///
/// # Errors
/// As [`resampled_column_means`], and when there are fewer than two rows or the level is outside `(0, 1)`.
pub fn bca_columns(
    columns: &[Vec<f64>],
    resamples: usize,
    seed: u64,
    level: f64,
) -> Result<Vec<Result<(Bootstrap, Bca)>>> {
    open_unit("level", level)?;
    at_least("rows", columns.first().map_or(2, Vec::len), 2)?;
    let means = resampled_column_means(columns, resamples, seed)?;
    Ok(columns.par_iter().zip(means).map(|(column, means)| bca_of_mean(column, means, level)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::{bca_mean, resampled_means};
    use super::*;

    /// `count` columns of `n` numbers, no two alike.
    fn columns(count: usize, n: usize) -> Vec<Vec<f64>> {
        let value = |k: usize, i: usize| ((i * (17 + 2 * k) + 5 * k) % 101) as f64 / 101.0 - 0.3;
        (0..count).map(|k| (0..n).map(|i| value(k, i)).collect()).collect()
    }

    fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
    }

    #[test]
    fn every_column_has_the_replicates_it_has_alone() {
        for count in [1, 2, 3, 4, 7, 8, 9, 13, 20] {
            let columns = columns(count, 37);
            // Neither a whole number of fours nor of tasks.
            let together = resampled_column_means(&columns, 7_211, 5).unwrap();
            assert_eq!(together.len(), count);
            for (column, means) in columns.iter().zip(together) {
                assert_eq!(means, resampled_means(column, 5, 0..7_211).unwrap());
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let columns = columns(11, 300);
        let one = with_threads(1, || resampled_column_means(&columns, 2_003, 9).unwrap());
        for threads in [2, 4] {
            assert_eq!(with_threads(threads, || resampled_column_means(&columns, 2_003, 9).unwrap()), one);
        }
        assert_ne!(resampled_column_means(&columns, 2_003, 10).unwrap(), one);
    }

    #[test]
    fn rows_are_drawn_together() {
        let (a, n) = (columns(1, 50).remove(0), 50);
        let b: Vec<f64> = a.iter().map(|x| 1.0 - x).collect();
        let means = resampled_column_means(&[a, b], 200, 3).unwrap();
        for (a, b) in means[0].iter().zip(&means[1]) {
            assert!((a + b - 1.0).abs() < 1e-15 * f64::from(n));
        }
    }

    #[test]
    fn intervals_are_those_of_each_column_alone() {
        let mut columns = columns(5, 60);
        columns[3] = vec![0.25; 60];
        let together = bca_columns(&columns, 999, 4, 0.9).unwrap();
        for (column, bca) in columns.iter().zip(together) {
            assert_eq!(bca, bca_mean(column, 999, 4, 0.9));
        }
    }

    #[test]
    fn one_column_without_an_interval_does_not_take_the_others_with_it() {
        // With one resample all replicates lie on one side of every mean but a constant's.
        let mut columns = columns(2, 60);
        columns[1] = vec![0.25; 60];
        let together = bca_columns(&columns, 1, 4, 0.9).unwrap();
        assert!(matches!(together[0], Err(StatsError::NotEstimable { .. })) && together[1].is_ok());
    }

    #[test]
    fn bad_columns_are_errors() {
        let means = |columns: &[Vec<f64>]| resampled_column_means(columns, 10, 1);
        assert!(matches!(means(&[]), Err(StatsError::TooFew { what: "columns", .. })));
        assert!(matches!(means(&[vec![]]), Err(StatsError::TooFew { .. })));
        assert!(matches!(means(&[vec![1.0], vec![1.0, 2.0]]), Err(StatsError::LengthMismatch { .. })));
        assert!(matches!(means(&[vec![1.0, f64::NAN]]), Err(StatsError::NotFinite { .. })));
        assert!(matches!(means(&[vec![1.0, f64::INFINITY]]), Err(StatsError::NotFinite { .. })));
        assert!(matches!(resampled_column_means(&[vec![1.0]], 0, 1), Err(StatsError::TooFew { .. })));
        assert!(bca_columns(&[vec![1.0]], 10, 1, 0.9).is_err());
        assert!(bca_columns(&columns(2, 9), 10, 1, 1.0).is_err());
        assert!(bca_columns(&[], 10, 1, 0.9).is_err());
    }
}

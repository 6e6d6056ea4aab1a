//! The bootstrap, with a portable generator: the same seed gives the same interval on every machine.
//!
//! For statistics without a formula. It is blind to what the sample has not seen: with n < 30, rare events or extreme
//! quantiles a bootstrap interval is too narrow, and no variant repairs that. The resampling unit is the cluster.

use super::error::{Result, StatsError, at_least, finite, interval, open_unit, same_length, sample};
use super::quantile::type7_of_sorted;
use super::special::{normal_cdf, normal_quantile};
use super::sum::{mean_of, mean_variance, sum_by};
use crate::types::{Interval, SplitMix64};
use rayon::prelude::*;
use std::ops::Range;

/// Resamples for a figure that is reported.
pub const DEFAULT_RESAMPLES: usize = 9_999;

/// Replicates of a statistic.
#[derive(Clone, Debug, PartialEq)]
pub struct Bootstrap {
    estimate: f64,
    /// In the order of drawing.
    replicates: Vec<f64>,
    sorted: Vec<f64>,
}

/// A bias-corrected and accelerated interval, with what it was made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bca {
    /// Bias correction: the normal quantile of the share of replicates below the estimate.
    pub z0: f64,
    /// Acceleration, from the jackknife.
    pub acceleration: f64,
    /// The lower level after correction.
    pub alpha_lower: f64,
    /// The upper level after correction.
    pub alpha_upper: f64,
    /// The interval.
    pub interval: Interval,
}

impl Bootstrap {
    /// Replicates of the mean of `d`: each draws n indices in order from one stream and adds plainly from left to right, so
    /// that any language gives the same bits.
    ///
    /// # Errors
    /// When `d` is empty or holds a NaN or an infinity, or there are no resamples.
    pub fn of_mean(d: &[f64], resamples: usize, seed: u64) -> Result<Self> {
        Self::from_replicates(mean_of(d), resampled_means(d, seed, 0..resamples)?)
    }

    /// Replicates of any statistic of `n` units: `statistic` gets the indices drawn, and for the estimate `0..n`. It is asked
    /// on all cores, in no particular order; the replicates are in the order of the stream whatever the number of cores.
    ///
    /// # Errors
    /// When `n` or `resamples` is 0, or the statistic is NaN or infinite on some resample.
    pub fn of(n: usize, resamples: usize, seed: u64, statistic: impl Fn(&[usize]) -> f64 + Sync) -> Result<Self> {
        at_least("units", n, 1)?;
        let whole: Vec<usize> = (0..n).collect();
        let estimate = statistic(&whole);
        let replicates = (0..resamples)
            .into_par_iter()
            .map_init(
                || whole.clone(),
                |indices, r| {
                    let mut rng = after(seed, r as u64, n as u64);
                    indices.fill_with(|| rng.index(n));
                    statistic(indices)
                },
            )
            .collect();
        Self::from_replicates(estimate, replicates)
    }

    /// Replicates that were computed elsewhere.
    ///
    /// # Errors
    /// When there are none, or a number is NaN or infinite.
    pub fn from_replicates(estimate: f64, replicates: Vec<f64>) -> Result<Self> {
        finite("estimate", estimate)?;
        sample("bootstrap replicates", &replicates, 1)?;
        let mut sorted = replicates.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        Ok(Self { estimate, replicates, sorted })
    }

    /// The statistic on the sample itself.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        self.estimate
    }

    /// The replicates in the order of drawing.
    #[must_use]
    pub fn replicates(&self) -> &[f64] {
        &self.replicates
    }

    /// Mean of the replicates.
    #[must_use]
    pub fn mean(&self) -> f64 {
        mean_of(&self.replicates)
    }

    /// Standard deviation of the replicates (divisor B - 1): the bootstrap standard error; 0 with one replicate.
    #[must_use]
    pub fn sd(&self) -> f64 {
        if self.replicates.len() < 2 { 0.0 } else { mean_variance(&self.replicates).1.sqrt() }
    }

    /// The percentile interval: type-7 quantiles of the replicates.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)`.
    pub fn percentile(&self, level: f64) -> Result<Interval> {
        let tail = 0.5 * (1.0 - open_unit("level", level)?);
        interval(type7_of_sorted(&self.sorted, tail), type7_of_sorted(&self.sorted, 1.0 - tail), level)
    }

    /// The bias-corrected and accelerated interval, from the statistic's `jackknife` values (each unit left out once).
    ///
    /// Replicates within 1e-12 of the estimate count as equal to it. Source: Efron 1987, JASA 82:171; DiCiccio & Efron
    /// 1996, Stat Sci 11:189, section 2.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)`, there are fewer than two jackknife values or one is NaN or infinite, or all
    /// replicates lie on one side of the estimate.
    pub fn bca(&self, jackknife: &[f64], level: f64) -> Result<Bca> {
        sample("jackknife values", jackknife, 2)?;
        let mean = mean_of(jackknife);
        let squares = sum_by(jackknife, |j| (mean - j) * (mean - j));
        let cubes = sum_by(jackknife, |j| (mean - j) * (mean - j) * (mean - j));
        let acceleration = if squares > 0.0 { cubes / (6.0 * squares * squares.sqrt()) } else { 0.0 };
        self.bca_with(acceleration, level)
    }

    fn bca_with(&self, acceleration: f64, level: f64) -> Result<Bca> {
        let tail = 0.5 * (1.0 - open_unit("level", level)?);
        let tolerance = 1e-12 * self.estimate.abs().max(1.0);
        let below = self.sorted.partition_point(|t| *t < self.estimate - tolerance);
        let up_to = self.sorted.partition_point(|t| *t <= self.estimate + tolerance);
        let share = (below as f64 + 0.5 * (up_to - below) as f64) / self.sorted.len() as f64;
        if share <= 0.0 || share >= 1.0 {
            return Err(StatsError::NotEstimable { why: "all bootstrap replicates lie on one side of the estimate" });
        }
        let z0 = normal_quantile(share);
        let corrected = |z: f64| normal_cdf(z0 + (z0 + z) / (1.0 - acceleration * (z0 + z)));
        let z = normal_quantile(tail);
        let (alpha_lower, alpha_upper) = (corrected(z), corrected(-z));
        let at = |q: f64| type7_of_sorted(&self.sorted, q);
        let limits = interval(at(alpha_lower), at(alpha_upper), level)?;
        Ok(Bca { z0, acceleration, alpha_lower, alpha_upper, interval: limits })
    }
}

/// Resamples that are drawn side by side, so that one does not wait for the sum of another.
pub(super) const SIDE_BY_SIDE: usize = 4;

/// Draws that one task makes: enough to be worth handing to another thread.
const DRAWS: usize = 1 << 17;

/// The means of the resamples numbered `which` of the stream of `seed`: each draws n indices in order and adds them plainly
/// from left to right.
///
/// The generator can start anywhere in its stream, so the parts of a range can be computed on any number of threads and
/// give the same numbers in the same order. It uses all cores itself.
///
/// # Errors
/// When `d` is empty or holds a NaN or an infinity.
pub fn resampled_means(d: &[f64], seed: u64, which: Range<usize>) -> Result<Vec<f64>> {
    sample("sample", d, 1)?;
    let n = d.len() as f64;
    let of_four = |sums: [f64; SIDE_BY_SIDE]| sums.map(|s| s / n);
    Ok(by_fours(d.len(), seed, which, || [0.0; SIDE_BY_SIDE], |sums, j, i| sums[j] += d[i], of_four))
}

/// One number for each of the resamples numbered `which`, in order: `add` gets the state of four resamples, which of them
/// has drawn, and the index drawn.
fn by_fours<S>(
    n: usize,
    seed: u64,
    which: Range<usize>,
    start: impl Fn() -> S + Sync,
    add: impl Fn(&mut S, usize, usize) + Sync,
    finish: impl Fn(S) -> [f64; SIDE_BY_SIDE] + Sync,
) -> Vec<f64> {
    let count = which.end.saturating_sub(which.start);
    let mut values = vec![0.0; count];
    let at_once = (DRAWS / n).max(1).next_multiple_of(SIDE_BY_SIDE);
    values.par_chunks_mut(at_once).enumerate().for_each(|(task, values)| {
        for (four, values) in values.chunks_mut(SIDE_BY_SIDE).enumerate() {
            let first = which.start + task * at_once + four * SIDE_BY_SIDE;
            let mut streams: [SplitMix64; SIDE_BY_SIDE] =
                std::array::from_fn(|j| after(seed, (first + j) as u64, n as u64));
            let mut state = start();
            for _ in 0..n {
                for (j, stream) in streams.iter_mut().enumerate() {
                    add(&mut state, j, stream.index(n));
                }
            }
            // The last four may hold more than was asked for.
            for (value, result) in values.iter_mut().zip(finish(state)) {
                *value = result;
            }
        }
    });
    values
}

/// The stream of `seed` after `resamples` resamples of `n` draws: its state moves by a constant per draw.
pub(super) fn after(seed: u64, resamples: u64, n: u64) -> SplitMix64 {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    SplitMix64::new(seed.wrapping_add(STEP.wrapping_mul(resamples.wrapping_mul(n))))
}

/// The BCa interval of a mean, with the jackknife in closed form.
///
/// # Errors
/// When there are fewer than two values, one is NaN or infinite, there are no resamples, the level is outside `(0, 1)`, or
/// all replicates lie on one side of the mean.
pub fn bca_mean(d: &[f64], resamples: usize, seed: u64, level: f64) -> Result<(Bootstrap, Bca)> {
    sample("sample", d, 2)?;
    bca_of_mean(d, resampled_means(d, seed, 0..resamples)?, level)
}

/// The BCa interval of the mean of at least two finite values from its replicates.
pub(super) fn bca_of_mean(d: &[f64], replicates: Vec<f64>, level: f64) -> Result<(Bootstrap, Bca)> {
    let boot = Bootstrap::from_replicates(mean_of(d), replicates)?;
    let mean = boot.estimate;
    // Leaving out x moves the mean by (mean - x)/(n - 1); the divisor cancels.
    let squares = sum_by(d, |x| (x - mean) * (x - mean));
    let cubes = sum_by(d, |x| (x - mean) * (x - mean) * (x - mean));
    let acceleration = if squares > 0.0 { cubes / (6.0 * squares * squares.sqrt()) } else { 0.0 };
    let bca = boot.bca_with(acceleration, level)?;
    Ok((boot, bca))
}

/// The studentised bootstrap interval of a mean: `[t - q_{1-a} se, t - q_a se]` from the quantiles of
/// `(mean* - mean)/se*`. The best bootstrap under mild skew.
///
/// Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, section 12.5.
///
/// # Errors
/// When there are fewer than two values, one is NaN or infinite, all are equal, there are no resamples, the level is
/// outside `(0, 1)`, or so many resamples are constant that a quantile is infinite.
pub fn studentised_bootstrap_mean(d: &[f64], resamples: usize, seed: u64, level: f64) -> Result<Interval> {
    sample("sample", d, 2)?;
    at_least("resamples", resamples, 1)?;
    let tail = 0.5 * (1.0 - open_unit("level", level)?);
    let (mean, variance) = mean_variance(d);
    if variance == 0.0 || super::sum::all_equal(d) {
        return Err(StatsError::ZeroVariance);
    }
    let n = d.len() as f64;
    let centred: Vec<f64> = d.iter().map(|x| x - mean).collect();
    let add = |sums: &mut [(f64, f64); SIDE_BY_SIDE], j: usize, i: usize| {
        let x = centred[i];
        sums[j] = (sums[j].0 + x, sums[j].1 + x * x);
    };
    let pivot = |(total, square): (f64, f64)| {
        let shift = total / n;
        let spread = (square - total * shift).max(0.0) / (n - 1.0);
        // A constant resample has a sum of squares that is nothing but rounding.
        if spread > 1e-14 * square / n { shift / (spread / n).sqrt() } else { f64::INFINITY.copysign(shift) }
    };
    let start = || [(0.0, 0.0); SIDE_BY_SIDE];
    let mut pivots = by_fours(d.len(), seed, 0..resamples, start, add, |sums| sums.map(pivot));
    pivots.sort_unstable_by(f64::total_cmp);
    let low = finite("studentised quantile", type7_of_sorted(&pivots, tail));
    let high = finite("studentised quantile", type7_of_sorted(&pivots, 1.0 - tail));
    let (Ok(low), Ok(high)) = (low, high) else {
        return Err(StatsError::NotEstimable { why: "too many bootstrap resamples are constant" });
    };
    let se = (variance / n).sqrt();
    interval(mean - high * se, mean - low * se, level)
}

/// The percentile interval of a ratio of paired medians, display of a latency: pairs are the resampling unit.
///
/// Returns the ratio of the sample medians and its interval.
///
/// # Errors
/// When the lengths differ, a sample is empty, a value is not above 0 or not finite, there are no resamples, or the level
/// is outside `(0, 1)`.
pub fn median_ratio(tuned: &[f64], base: &[f64], resamples: usize, seed: u64, level: f64) -> Result<(f64, Interval)> {
    same_length("paired measurements", tuned.len(), base.len())?;
    for &x in tuned.iter().chain(base) {
        super::error::positive("measurement", x)?;
    }
    let median_at = |x: &[f64], indices: &[usize]| median(&mut indices.iter().map(|&i| x[i]).collect::<Vec<f64>>());
    let boot =
        Bootstrap::of(tuned.len(), resamples, seed, |indices| median_at(tuned, indices) / median_at(base, indices))?;
    Ok((boot.estimate, boot.percentile(level)?))
}

/// The median by selection; reorders.
fn median(x: &mut [f64]) -> f64 {
    let n = x.len();
    let (low, &mut middle, _) = x.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return middle;
    }
    let below = low.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    0.5 * (below + middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Vec<f64> {
        (0..40).map(|i| f64::from((i * 17) % 23) / 23.0 - 0.4).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let (a, b) = (bca_mean(&data(), 500, 9, 0.9).unwrap(), bca_mean(&data(), 500, 9, 0.9).unwrap());
        assert_eq!(a, b);
        assert_ne!(a.1, bca_mean(&data(), 500, 10, 0.9).unwrap().1);
    }

    #[test]
    fn parts_of_a_range_are_the_range() {
        let d = data();
        let whole = resampled_means(&d, 77, 0..103).unwrap();
        let parts = [0..10, 10..11, 11..60, 60..103].map(|r| resampled_means(&d, 77, r).unwrap()).concat();
        assert_eq!(whole, parts);
        let mut rng = SplitMix64::new(77);
        for mean in whole {
            let sum: f64 = (0..d.len()).map(|_| d[rng.index(d.len())]).sum();
            assert_eq!(mean, sum / d.len() as f64);
        }
    }

    #[test]
    fn the_general_door_gives_the_same_as_the_one_for_means() {
        let d = data();
        let general = Bootstrap::of(d.len(), 200, 3, |ix| ix.iter().map(|&i| d[i]).sum::<f64>() / d.len() as f64);
        let general = general.unwrap();
        assert_eq!(general.replicates(), Bootstrap::of_mean(&d, 200, 3).unwrap().replicates());
        let n = d.len() as f64;
        let total: f64 = d.iter().sum();
        let jackknife: Vec<f64> = d.iter().map(|x| (total - x) / (n - 1.0)).collect();
        let (a, b) = (general.bca(&jackknife, 0.9).unwrap(), bca_mean(&d, 200, 3, 0.9).unwrap().1);
        assert!((a.acceleration - b.acceleration).abs() < 1e-12);
    }

    #[test]
    fn all_intervals_lie_near_the_t_interval_for_tame_data() {
        let d = data();
        let t = crate::stats::paired_t(&d, 0.0, 0.9).unwrap().interval;
        let boot = Bootstrap::of_mean(&d, 4_000, 1).unwrap();
        let student = studentised_bootstrap_mean(&d, 4_000, 1, 0.9).unwrap();
        for i in [boot.percentile(0.9).unwrap(), student, bca_mean(&d, 4_000, 1, 0.9).unwrap().1.interval] {
            assert!((i.lower() - t.lower()).abs() < 0.02 && (i.upper() - t.upper()).abs() < 0.02, "{i:?} {t:?}");
        }
    }

    #[test]
    fn a_constant_sample_has_no_studentised_interval() {
        assert_eq!(studentised_bootstrap_mean(&[0.2; 30], 100, 1, 0.9), Err(StatsError::ZeroVariance));
        let one_sided = Bootstrap::from_replicates(0.0, vec![1.0, 2.0]).unwrap();
        assert!(matches!(one_sided.bca(&[0.0, 1.0], 0.9), Err(StatsError::NotEstimable { .. })));
        let mut spike = vec![0.0; 30];
        spike[0] = 1.0;
        assert!(matches!(studentised_bootstrap_mean(&spike, 500, 1, 0.9), Err(StatsError::NotEstimable { .. })));
    }

    #[test]
    fn medians_of_odd_and_even_samples() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 3.0, 1.0, 2.0]), 2.5);
        let (ratio, i) = median_ratio(&[1.0, 2.0, 3.0, 4.0], &[2.0, 4.0, 6.0, 8.0], 200, 1, 0.9).unwrap();
        assert_eq!((ratio, i.lower(), i.upper()), (0.5, 0.5, 0.5));
    }

    #[test]
    fn bad_input_is_an_error() {
        assert!(Bootstrap::of_mean(&[], 10, 1).is_err());
        assert!(Bootstrap::of_mean(&[1.0, f64::NAN], 10, 1).is_err());
        assert!(Bootstrap::of_mean(&[1.0], 0, 1).is_err());
        assert!(Bootstrap::of(3, 10, 1, |_| f64::NAN).is_err());
        assert!(bca_mean(&[1.0, 2.0], 10, 1, f64::NAN).is_err());
        assert!(median_ratio(&[0.0], &[1.0], 10, 1, 0.9).is_err());
    }
}

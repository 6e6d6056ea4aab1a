//! Quantiles of a latency: distribution-free limits, estimates for display, and the ratio of two quantiles.

use super::error::{Result, finite, interval, open_unit, positive, sample};
use super::special::{beta_cdf_pair, binomial_cdf, binomial_quantile};
use super::sum::{mean_of, sum_by};
use crate::types::Interval;

/// The sample in ascending order, checked.
fn sorted(x: &[f64], p: f64, need: usize) -> Result<Vec<f64>> {
    sample("sample", x, need)?;
    open_unit("quantile", p)?;
    let mut x = x.to_vec();
    x.sort_unstable_by(f64::total_cmp);
    Ok(x)
}

/// The type-7 quantile of an ascending sample: linear between order statistics (R's and numpy's default).
pub(super) fn type7_of_sorted(x: &[f64], p: f64) -> f64 {
    let position = (x.len() - 1) as f64 * p;
    let below = (position.floor() as usize).min(x.len() - 1);
    let above = (below + 1).min(x.len() - 1);
    x[below] + (position - below as f64) * (x[above] - x[below])
}

/// The type-7 quantile of a sample.
///
/// Source: Hyndman & Fan 1996, Am Stat 50:361, definition 7.
///
/// # Errors
/// When the sample is empty or holds a NaN or an infinity, or `p` is outside `(0, 1)`.
pub fn quantile_type7(x: &[f64], p: f64) -> Result<f64> {
    Ok(type7_of_sorted(&sorted(x, p, 1)?, p))
}

/// A distribution-free interval of one quantile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantileInterval {
    /// 1-based rank of the lower limit; 0 where there is none.
    pub rank_lower: u64,
    /// 1-based rank of the upper limit; n + 1 where there is none.
    pub rank_upper: u64,
    /// The limits; infinite where a rank does not exist ("not estimable").
    pub interval: Interval,
    /// The exact coverage for a continuous distribution; at least the level, by discreteness.
    pub coverage: f64,
}

/// The order-statistic interval of the `p` quantile at two-sided `level`.
///
/// Ranks: `l` is the smallest k with `BinCDF(k; n, p) >= alpha/2`, `u` is 1 + the smallest k with
/// `BinCDF(k; n, p) >= 1 - alpha/2`. Source: David & Nagaraja 2003, Order Statistics, section 7.1.
///
/// # Errors
/// When the sample is empty or holds a NaN or an infinity, or `p` or the level is outside `(0, 1)`.
pub fn quantile_interval(x: &[f64], p: f64, level: f64) -> Result<QuantileInterval> {
    open_unit("level", level)?;
    interval_of_sorted(&sorted(x, p, 1)?, p, level)
}

fn interval_of_sorted(x: &[f64], p: f64, level: f64) -> Result<QuantileInterval> {
    let n = x.len() as u64;
    let tail = 0.5 * (1.0 - level);
    let rank_lower = binomial_quantile(tail, n, p);
    let rank_upper = 1 + binomial_quantile(1.0 - tail, n, p);
    let at = |rank: u64| x[usize::try_from(rank - 1).unwrap_or(usize::MAX).min(x.len() - 1)];
    let lower = if rank_lower == 0 { f64::NEG_INFINITY } else { at(rank_lower) };
    let upper = if rank_upper > n { f64::INFINITY } else { at(rank_upper) };
    let cdf = |rank: u64| binomial_cdf(i64::try_from(rank).unwrap_or(i64::MAX) - 1, n, p);
    Ok(QuantileInterval {
        rank_lower,
        rank_upper,
        interval: interval(lower, upper, level)?,
        coverage: cdf(rank_upper) - cdf(rank_lower),
    })
}

/// The least sample that gives an upper limit of the `p` quantile at one-sided `alpha`: `ceil(ln alpha / ln p)`; 299 for
/// p99 at 5 %. Below it the limit is "not estimable".
///
/// # Errors
/// When `p` or `alpha` is outside `(0, 1)`.
pub fn quantile_n_min(p: f64, alpha: f64) -> Result<u64> {
    open_unit("quantile", p)?;
    super::proportion::n_min(1.0 - p, alpha)
}

/// Harrell-Davis weights for `n` order statistics, and the index of the first one that is not negligible.
fn harrell_davis_weights(n: usize, p: f64) -> (usize, Vec<f64>) {
    let count = n as f64;
    let (a, b) = ((count + 1.0) * p, (count + 1.0) * (1.0 - p));
    let cdf = |i: usize| beta_cdf_pair(a, b, i as f64 / count, (n - i) as f64 / count);
    // Outside of these two nothing is left of the beta law; a search finds them in a logarithm of n.
    let first = partition(n, |i| cdf(i).0 < 1e-18).saturating_sub(1);
    let last = partition(n, |i| cdf(i).1 >= 1e-18).min(n);
    let mut weights = Vec::with_capacity(last - first);
    let mut below = cdf(first).0;
    for i in first + 1..=last {
        let here = cdf(i).0;
        weights.push(here - below);
        below = here;
    }
    (first, weights)
}

/// The smallest `i` in `0..=n` for which `before` fails; `before` must hold up to some index and fail afterwards.
fn partition(n: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut lo, mut hi) = (0, n + 1);
    while lo < hi {
        let middle = lo + (hi - lo) / 2;
        if before(middle) { lo = middle + 1 } else { hi = middle }
    }
    lo
}

/// Harrell & Davis' estimate of the `p` quantile: an estimator for display, smoother than one order statistic.
///
/// Source: Harrell & Davis 1982, Biometrika 69:635.
///
/// # Errors
/// When the sample is empty or holds a NaN or an infinity, or `p` is outside `(0, 1)`.
pub fn harrell_davis(x: &[f64], p: f64) -> Result<f64> {
    let x = sorted(x, p, 1)?;
    let (first, weights) = harrell_davis_weights(x.len(), p);
    finite("Harrell-Davis quantile", weights.iter().zip(&x[first..]).map(|(w, x)| w * x).sum())
}

/// The jackknife standard error of [`harrell_davis`], with the weights of a sample of n - 1 for each left-out value.
///
/// Source: Harrell & Davis 1982, Biometrika 69:635, section 3.
///
/// # Errors
/// When there are fewer than two values, one is NaN or infinite, or `p` is outside `(0, 1)`.
pub fn harrell_davis_se(x: &[f64], p: f64) -> Result<f64> {
    let x = sorted(x, p, 2)?;
    let n = x.len();
    let (first, weights) = harrell_davis_weights(n - 1, p);
    let weight = |j: usize| j.checked_sub(first).and_then(|k| weights.get(k)).copied().unwrap_or(0.0);
    // Leaving out value i shifts the ones above it down by a rank; the estimate changes by one weight at a time.
    let mut estimate: f64 = (0..n - 1).map(|j| weight(j) * x[j + 1]).sum();
    let mut estimates = Vec::with_capacity(n);
    estimates.push(estimate);
    for i in 1..n {
        estimate += weight(i - 1) * (x[i - 1] - x[i]);
        estimates.push(estimate);
    }
    let mean = mean_of(&estimates);
    let ss = sum_by(&estimates, |e| (e - mean) * (e - mean));
    finite("jackknife error", (ss * (n as f64 - 1.0) / n as f64).sqrt())
}

/// The ratio of the same quantile of two samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantileRatio {
    /// Type-7 quantile of the tuned model's sample.
    pub tuned: f64,
    /// Type-7 quantile of the base model's sample.
    pub base: f64,
    /// `tuned / base`: below 1 = the tuned model is faster in this quantile.
    pub ratio: f64,
    /// Interval of the ratio; infinite where a rank that it needs does not exist ("not estimable").
    pub interval: Interval,
}

/// The MOVER interval of the ratio of two quantiles, from their order-statistic intervals on the log scale.
///
/// The samples are taken for independent: pairing does not help the tail, and under positive correlation the interval is
/// conservative. Source: Zou & Donner 2008, Stat Med 27:1693.
///
/// # Errors
/// When a sample is empty, a value is not a finite number above 0, or `p` or the level is outside `(0, 1)`.
pub fn quantile_ratio(tuned: &[f64], base: &[f64], p: f64, level: f64) -> Result<QuantileRatio> {
    open_unit("level", level)?;
    let (tuned, base) = (sorted(tuned, p, 1)?, sorted(base, p, 1)?);
    positive("measurement", tuned[0])?;
    positive("measurement", base[0])?;
    let (qt, qb) = (type7_of_sorted(&tuned, p), type7_of_sorted(&base, p));
    let (it, ib) = (interval_of_sorted(&tuned, p, level)?.interval, interval_of_sorted(&base, p, level)?.interval);
    // Distances from the estimate on the log scale; infinite where the limit does not exist.
    let below = |q: f64, lower: f64| if lower > 0.0 { (q / lower).ln().max(0.0) } else { f64::INFINITY };
    let above = |q: f64, upper: f64| (upper / q).ln().max(0.0);
    let down = below(qt, it.lower()).hypot(above(qb, ib.upper()));
    let up = above(qt, it.upper()).hypot(below(qb, ib.lower()));
    let ratio = finite("ratio of quantiles", qt / qb)?;
    let lower = if down.is_finite() { ratio * (-down).exp() } else { f64::NEG_INFINITY };
    Ok(QuantileRatio { tuned: qt, base: qb, ratio, interval: interval(lower, ratio * up.exp(), level)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(n: usize) -> Vec<f64> {
        (0..n).map(|i| 100.0 + (i * 7919 % n) as f64).collect()
    }

    #[test]
    fn a_tail_that_the_sample_cannot_reach_has_no_upper_limit() {
        assert!(quantile_interval(&ramp(298), 0.99, 0.90).unwrap().interval.upper().is_infinite());
        assert!(quantile_interval(&ramp(299), 0.99, 0.90).unwrap().interval.upper().is_finite());
        assert_eq!([0.95, 0.99, 0.999].map(|p| quantile_n_min(p, 0.05).unwrap()), [59, 299, 2_995]);
        assert_eq!([0.95, 0.99, 0.999].map(|p| quantile_n_min(p, 0.025).unwrap()), [72, 368, 3_688]);
        let r = quantile_ratio(&ramp(50), &ramp(50), 0.99, 0.95).unwrap();
        assert!(r.interval.lower().is_infinite() && r.interval.upper().is_infinite());
    }

    #[test]
    fn one_value_is_its_own_quantile_without_limits() {
        let q = quantile_interval(&[7.0], 0.5, 0.95).unwrap();
        assert_eq!((q.rank_lower, q.rank_upper), (0, 2));
        assert_eq!(quantile_type7(&[7.0], 0.3).unwrap(), 7.0);
        assert!((harrell_davis(&[7.0], 0.3).unwrap() - 7.0).abs() < 1e-12);
        assert!(harrell_davis_se(&[7.0], 0.3).is_err());
    }

    #[test]
    fn harrell_davis_of_a_constant_is_the_constant() {
        for n in [1, 2, 10, 5_000] {
            for p in [0.01, 0.5, 0.999] {
                assert!((harrell_davis(&vec![3.0; n], p).unwrap() - 3.0).abs() < 1e-9);
            }
        }
        assert!(harrell_davis_se(&[3.0; 40], 0.9).unwrap() < 1e-9);
    }

    #[test]
    fn exchanging_the_models_inverts_the_ratio() {
        let (a, b) = (ramp(1_000), ramp(800));
        let ab = quantile_ratio(&a, &b, 0.95, 0.95).unwrap();
        let ba = quantile_ratio(&b, &a, 0.95, 0.95).unwrap();
        assert!((ab.ratio * ba.ratio - 1.0).abs() < 1e-12);
        assert!((ab.interval.lower() * ba.interval.upper() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn bad_samples_are_errors() {
        assert!(quantile_type7(&[], 0.5).is_err());
        assert!(quantile_type7(&[1.0, f64::NAN], 0.5).is_err());
        assert!(quantile_interval(&[1.0], 1.0, 0.9).is_err());
        assert!(quantile_interval(&[1.0], 0.5, f64::NAN).is_err());
        assert!(quantile_ratio(&[1.0, 0.0], &[1.0, 2.0], 0.5, 0.9).is_err());
    }
}

//! One rate: exact, score and Bayesian limits, and the least suite size that a margin or a limit asks for.

use super::error::{Result, at_least, interval, open_unit, out_of_range};
use super::special::{beta_quantile_pair, normal_critical};
use crate::types::Interval;

fn checked(x: u64, n: u64) -> Result<(f64, f64)> {
    at_least("trials", usize::try_from(n).unwrap_or(usize::MAX), 1)?;
    if x > n {
        return Err(out_of_range("number of events", x as f64, "at most the number of trials"));
    }
    Ok((x as f64, n as f64))
}

/// Clopper-Pearson's exact interval for a rate of `x` events in `n` trials, at two-sided `level`.
///
/// Source: Clopper & Pearson 1934, Biometrika 26:404, as beta quantiles.
///
/// # Errors
/// When `n` is 0, `x > n`, or the level is outside `(0, 1)`.
pub fn clopper_pearson_interval(x: u64, n: u64, level: f64) -> Result<Interval> {
    checked(x, n)?;
    let tail = 0.5 * (1.0 - open_unit("level", level)?);
    interval(exact_lower(x, n, tail), exact_upper(x, n, tail), level)
}

/// The exact one-sided upper limit for a rate: `Beta^-1(1 - alpha; x + 1, n - x)`; with no event `1 - alpha^(1/n)`.
///
/// Source: Clopper & Pearson 1934, Biometrika 26:404.
///
/// # Errors
/// When `n` is 0, `x > n`, or alpha is outside `(0, 1)`.
pub fn clopper_pearson_upper(x: u64, n: u64, alpha: f64) -> Result<f64> {
    checked(x, n)?;
    open_unit("alpha", alpha)?;
    Ok(exact_upper(x, n, alpha))
}

/// The exact one-sided lower limit for a rate: `Beta^-1(alpha; x, n - x + 1)`.
///
/// Source: Clopper & Pearson 1934, Biometrika 26:404.
///
/// # Errors
/// When `n` is 0, `x > n`, or alpha is outside `(0, 1)`.
pub fn clopper_pearson_lower(x: u64, n: u64, alpha: f64) -> Result<f64> {
    checked(x, n)?;
    open_unit("alpha", alpha)?;
    Ok(exact_lower(x, n, alpha))
}

fn exact_lower(x: u64, n: u64, tail: f64) -> f64 {
    if x == 0 { 0.0 } else { beta_quantile_pair(x as f64, (n - x) as f64 + 1.0, tail).0 }
}

fn exact_upper(x: u64, n: u64, tail: f64) -> f64 {
    // The complement of a lower quantile: the tail enters without the rounding of 1 - tail.
    if x == n { 1.0 } else { beta_quantile_pair((n - x) as f64, x as f64 + 1.0, tail).1 }
}

/// Wilson's score limits for a real count.
pub(super) fn wilson_limits(x: f64, n: f64, z: f64) -> (f64, f64) {
    let p = x / n;
    let z2 = z * z;
    let scale = 1.0 + z2 / n;
    let centre = (p + z2 / (2.0 * n)) / scale;
    let half = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt() / scale;
    let lower = if x == 0.0 { 0.0 } else { (centre - half).max(0.0) };
    let upper = if x == n { 1.0 } else { (centre + half).min(1.0) };
    (lower, upper)
}

/// Wilson's score interval for a rate, at two-sided `level`.
///
/// Source: Wilson 1927, JASA 22:209.
///
/// # Errors
/// When `n` is 0, `x > n`, or the level is outside `(0, 1)`.
pub fn wilson_interval(x: u64, n: u64, level: f64) -> Result<Interval> {
    let (x, n) = checked(x, n)?;
    let (lower, upper) = wilson_limits(x, n, normal_critical(open_unit("level", level)?));
    interval(lower, upper, level)
}

/// Jeffreys' interval for a rate: the central quantiles of `Beta(x + 1/2, n - x + 1/2)`, with the lower limit 0 at
/// `x = 0` and the upper limit 1 at `x = n`.
///
/// Source: Brown, Cai & DasGupta 2001, Stat Sci 16:101.
///
/// # Errors
/// When `n` is 0, `x > n`, or the level is outside `(0, 1)`.
pub fn jeffreys_interval(x: u64, n: u64, level: f64) -> Result<Interval> {
    let (count, total) = checked(x, n)?;
    let tail = 0.5 * (1.0 - open_unit("level", level)?);
    let (a, b) = (count + 0.5, total - count + 0.5);
    let lower = if x == 0 { 0.0 } else { beta_quantile_pair(a, b, tail).0 };
    let upper = if x == n { 1.0 } else { beta_quantile_pair(b, a, tail).1 };
    interval(lower, upper, level)
}

/// The least number of prompts (clusters) with which a flawless record can exclude a loss rate of `delta` at one-sided
/// `alpha`: `ceil(ln alpha / ln(1 - delta))`. Below it no bounded metric may pass, whatever the data.
///
/// The same formula gives the number of clean cases that a limit on a rare event's rate needs.
///
/// # Errors
/// When `delta` or `alpha` is outside `(0, 1)`.
pub fn n_min(delta: f64, alpha: f64) -> Result<u64> {
    open_unit("margin", delta)?;
    open_unit("alpha", alpha)?;
    let exact = alpha.ln() / (-delta).ln_1p();
    if exact >= 1e18 {
        return Err(out_of_range("margin", delta, "large enough for any suite to resolve"));
    }
    // A quotient that is whole but for rounding must not be pushed to the next integer.
    let whole = exact.round();
    let n = if (exact - whole).abs() <= 1e-12 * whole { whole } else { exact.ceil() };
    Ok(n as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_least_suite_sizes() {
        let row = |alpha| [0.10, 0.05, 0.03, 0.02, 0.01].map(|d| n_min(d, alpha).unwrap());
        assert_eq!(row(0.05), [29, 59, 99, 149, 299]);
        assert_eq!(row(0.025), [36, 72, 122, 183, 368]);
        assert_eq!(n_min(0.5, 0.25).unwrap(), 2);
        assert!(n_min(0.0, 0.05).is_err() && n_min(f64::NAN, 0.05).is_err() && n_min(1e-300, 0.05).is_err());
    }

    #[test]
    fn nothing_seen_in_three_hundred_bounds_the_rate_by_one_percent() {
        let upper = clopper_pearson_upper(0, 300, 0.05).unwrap();
        assert!((upper - (1.0 - 0.05f64.powf(1.0 / 300.0))).abs() < 1e-15);
        assert!(upper < 0.01);
        assert_eq!(clopper_pearson_lower(0, 300, 0.05).unwrap(), 0.0);
        assert_eq!(clopper_pearson_upper(7, 7, 0.05).unwrap(), 1.0);
    }

    #[test]
    fn one_trial_has_limits_too() {
        for x in [0, 1] {
            for i in [clopper_pearson_interval, wilson_interval, jeffreys_interval] {
                let i = i(x, 1, 0.95).unwrap();
                assert!(i.lower() < i.upper() && i.lower() >= 0.0 && i.upper() <= 1.0);
            }
        }
        assert!(clopper_pearson_interval(0, 0, 0.95).is_err());
        assert!(wilson_interval(2, 1, 0.95).is_err());
    }

    #[test]
    fn a_million_trials_keep_their_digits() {
        let i = clopper_pearson_interval(3, 1_000_000, 0.95).unwrap();
        assert!((i.upper() / 8.767_249_8e-6 - 1.0).abs() < 1e-5, "{i:?}");
        assert!(i.lower() > 6e-7 && i.lower() < 6.3e-7);
    }
}

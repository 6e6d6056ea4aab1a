//! Two models on the same prompts with a right-or-wrong outcome: the score interval and test of Tango, and Newcombe's
//! hybrid interval as an independent check.

use super::error::{Result, at_least, interval, open_unit, out_of_range};
use super::proportion::wilson_limits;
use super::{root, special};
use crate::types::Interval;

/// The fourfold table of paired outcomes. Difference = tuned minus base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairedCounts {
    /// Prompts that both models got right.
    pub both: u64,
    /// Prompts that only the tuned model got right (b).
    pub gained: u64,
    /// Prompts that only the base model got right (c).
    pub lost: u64,
    /// Prompts that neither got right.
    pub neither: u64,
}

impl PairedCounts {
    /// The number of prompts.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.both.saturating_add(self.gained).saturating_add(self.lost).saturating_add(self.neither)
    }

    /// The observed difference of the two success rates, `(gained - lost) / n`.
    ///
    /// # Errors
    /// When the table is empty.
    pub fn difference(&self) -> Result<f64> {
        self.checked_n().map(|n| (self.gained as f64 - self.lost as f64) / n)
    }

    /// The share of prompts on which the models differ, `(gained + lost) / n`.
    ///
    /// # Errors
    /// When the table is empty.
    pub fn discordance(&self) -> Result<f64> {
        self.checked_n().map(|n| (self.gained as f64 + self.lost as f64) / n)
    }

    /// The table with the roles of the models exchanged.
    #[must_use]
    pub fn swapped(&self) -> Self {
        Self { gained: self.lost, lost: self.gained, ..*self }
    }

    fn checked_n(&self) -> Result<f64> {
        let n = self.n();
        at_least("paired prompts", usize::try_from(n).unwrap_or(usize::MAX), 1)?;
        Ok(n as f64)
    }
}

/// A score test of the difference against a fixed value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreTest {
    /// The statistic; above 0 when the observed difference is above the value tested. Infinite where the value tested
    /// is impossible in view of the data.
    pub z: f64,
    /// One-sided p value: small = the difference is above the value tested (non-inferiority at `-margin`).
    pub p_above: f64,
    /// One-sided p value: small = the difference is below the value tested.
    pub p_below: f64,
}

/// Tango's score statistic for real counts: decreasing in `difference`.
pub(super) fn tango_statistic(b: f64, c: f64, n: f64, difference: f64) -> f64 {
    let d = difference;
    let a2 = 4.0 * n;
    let bb = -b - c + (2.0 * n - b + c) * d;
    let cc = -c * d * (1.0 - d);
    let root = (bb * bb - 2.0 * a2 * cc).max(0.0).sqrt();
    // The constrained estimate of P(lost); the form without cancellation on either side.
    let q = if bb > 0.0 { -2.0 * cc / (root + bb) } else { (root - bb) / a2 };
    let variance = n * (2.0 * q + d * (1.0 - d));
    let numerator = b - c - n * d;
    if variance > 0.0 {
        numerator / variance.sqrt()
    } else if numerator == 0.0 {
        0.0
    } else {
        f64::INFINITY.copysign(numerator)
    }
}

/// The two roots of `T = +-critical` for real counts, `n > 0`, `b + c <= n`.
pub(super) fn tango_limits(b: f64, c: f64, n: f64, critical: f64) -> (f64, f64) {
    if b == 0.0 && c == 0.0 {
        let half = critical * critical / (n + critical * critical);
        return (-half, half);
    }
    let estimate = ((b - c) / n).clamp(-1.0, 1.0);
    let lower =
        if c >= n { -1.0 } else { root::decreasing(-1.0, estimate, |d| tango_statistic(b, c, n, d) - critical) };
    let upper = if b >= n { 1.0 } else { root::decreasing(estimate, 1.0, |d| tango_statistic(b, c, n, d) + critical) };
    (lower, upper)
}

/// Tango's score interval for the difference of two paired success rates, at two-sided `level`.
///
/// Never of zero width: without a discordant prompt it is `+- z^2/(n + z^2)`. It agrees with [`tango_test`]: a value is
/// outside the interval exactly when the test rejects it at `(1 - level)/2`.
///
/// Source: Tango 1998, Stat Med 17:891; recommended by Fagerland, Lydersen & Laake 2014, Stat Med 33:2850.
///
/// # Errors
/// When the table is empty or the level is outside `(0, 1)`.
pub fn tango_interval(counts: &PairedCounts, level: f64) -> Result<Interval> {
    let n = counts.checked_n()?;
    open_unit("level", level)?;
    let z = special::normal_critical(level);
    let (lower, upper) = tango_limits(counts.gained as f64, counts.lost as f64, n, z);
    interval(lower, upper, level)
}

/// Tango's score test of `H: p_tuned - p_base = difference`.
///
/// Non-inferiority at margin `delta` is `p_above` at `-delta`; superiority by more than `g` is `p_above` at `+g`. At 0 the
/// statistic is McNemar's z. Source: Tango 1998, Stat Med 17:891.
///
/// # Errors
/// When the table is empty or `difference` is outside `(-1, 1)`.
pub fn tango_test(counts: &PairedCounts, difference: f64) -> Result<ScoreTest> {
    let n = counts.checked_n()?;
    inside(difference)?;
    let z = tango_statistic(counts.gained as f64, counts.lost as f64, n, difference);
    Ok(ScoreTest { z, p_above: special::normal_sf(z), p_below: special::normal_cdf(z) })
}

/// A difference that two probabilities can have, the ends excluded.
pub(super) fn inside(difference: f64) -> Result<f64> {
    if difference > -1.0 && difference < 1.0 {
        Ok(difference)
    } else {
        Err(out_of_range("difference tested", difference, "between -1 and 1, both excluded"))
    }
}

/// Newcombe's hybrid score interval (method 10): Wilson limits of the two rates, combined by their correlation, with the
/// correlation's numerator reduced by n/2 where it is positive. Kept as an independent check of Tango's interval.
///
/// Source: Newcombe 1998, Stat Med 17:2635, method 10.
///
/// # Errors
/// When the table is empty or the level is outside `(0, 1)`.
pub fn newcombe_interval(counts: &PairedCounts, level: f64) -> Result<Interval> {
    newcombe(counts, level, 0.5)
}

/// Newcombe's hybrid score interval without the correction of the correlation (method 8).
///
/// Source: Newcombe 1998, Stat Med 17:2635, method 8.
///
/// # Errors
/// When the table is empty or the level is outside `(0, 1)`.
pub fn newcombe_uncorrected_interval(counts: &PairedCounts, level: f64) -> Result<Interval> {
    newcombe(counts, level, 0.0)
}

fn newcombe(counts: &PairedCounts, level: f64, correction: f64) -> Result<Interval> {
    let n = counts.checked_n()?;
    open_unit("level", level)?;
    let z = special::normal_critical(level);
    let (a, b, c, e) = (counts.both as f64, counts.gained as f64, counts.lost as f64, counts.neither as f64);
    let (tuned, base) = ((a + b) / n, (a + c) / n);
    let (tuned_lower, tuned_upper) = wilson_limits(a + b, n, z);
    let (base_lower, base_upper) = wilson_limits(a + c, n, z);
    let margins = (a + b) * (c + e) * (a + c) * (b + e);
    let raw = a * e - b * c;
    let numerator = if raw > 0.0 { (raw - correction * n).max(0.0) } else { raw };
    let phi = if margins > 0.0 { numerator / margins.sqrt() } else { 0.0 };
    let reach = |own: f64, other: f64| (own * own - 2.0 * phi * own * other + other * other).max(0.0).sqrt();
    let estimate = (b - c) / n;
    let lower = estimate - reach(tuned - tuned_lower, base_upper - base);
    let upper = estimate + reach(tuned_upper - tuned, base - base_lower);
    interval(lower, upper, level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(both: u64, gained: u64, lost: u64, neither: u64) -> PairedCounts {
        PairedCounts { both, gained, lost, neither }
    }

    #[test]
    fn without_a_discordant_prompt_the_interval_keeps_its_width() {
        let i = tango_interval(&counts(60, 0, 0, 40), 0.95).unwrap();
        let z2 = special::normal_critical(0.95).powi(2);
        assert_eq!(i.upper(), z2 / (100.0 + z2));
        assert_eq!(i.lower(), -i.upper());
        assert!((i.upper() - 0.0370).abs() < 5e-5);
    }

    #[test]
    fn a_record_all_one_way_reaches_the_end_of_the_scale() {
        let all_lost = tango_interval(&counts(0, 0, 25, 0), 0.95).unwrap();
        assert_eq!(all_lost.lower(), -1.0);
        assert!(all_lost.upper() < -0.7 && all_lost.upper() > -1.0);
        let all_gained = tango_interval(&counts(0, 25, 0, 0), 0.95).unwrap();
        assert_eq!(all_gained.upper(), 1.0);
        assert!((all_gained.lower() + all_lost.upper()).abs() < 1e-15);
    }

    #[test]
    fn interval_and_test_say_the_same() {
        for c in [counts(80, 3, 9, 8), counts(1, 0, 1, 0), counts(0, 1, 0, 0), counts(500_000, 9, 1_000, 498_991)] {
            let i = tango_interval(&c, 0.90).unwrap();
            if i.lower() > -1.0 {
                assert!((tango_test(&c, i.lower()).unwrap().p_above - 0.05).abs() < 1e-9);
            }
            if i.upper() < 1.0 {
                assert!((tango_test(&c, i.upper()).unwrap().p_below - 0.05).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn at_zero_the_statistic_is_mcnemars() {
        let z = tango_test(&counts(80, 3, 9, 8), 0.0).unwrap().z;
        assert!((z - (3.0 - 9.0) / 12f64.sqrt()).abs() < 1e-14);
    }

    #[test]
    fn one_prompt_decides_nothing() {
        for c in [counts(1, 0, 0, 0), counts(0, 1, 0, 0), counts(0, 0, 1, 0), counts(0, 0, 0, 1)] {
            assert!(tango_test(&c, -0.05).unwrap().p_above > 0.05);
            assert!(tango_interval(&c, 0.95).unwrap().upper() > 0.0 || c.lost == 1);
            assert!(newcombe_interval(&c, 0.95).is_ok());
        }
    }

    #[test]
    fn an_empty_table_is_an_error() {
        assert!(tango_interval(&PairedCounts::default(), 0.9).is_err());
        assert!(tango_test(&PairedCounts::default(), 0.0).is_err());
        assert!(newcombe_interval(&PairedCounts::default(), 0.9).is_err());
        assert!(tango_test(&counts(1, 1, 1, 1), f64::NAN).is_err());
        assert!(tango_test(&counts(1, 1, 1, 1), -1.0).is_err());
        assert!(tango_interval(&counts(1, 1, 1, 1), f64::NAN).is_err());
    }
}

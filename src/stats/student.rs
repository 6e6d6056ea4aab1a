//! Student's t on paired differences: the display interval of a bounded score, equivalence, and the ratio of geometric
//! means of a latency.

use super::error::{Result, StatsError, finite, interval, open_unit, positive, same_length, sample};
use super::special::{t_cdf, t_critical, t_sf};
use super::sum::{all_equal, mean_variance};
use crate::types::Interval;

/// A one-sample t test of paired differences against `mu`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedT {
    /// Number of pairs.
    pub n: usize,
    /// Mean difference.
    pub mean: f64,
    /// Standard deviation of the differences, divisor n - 1.
    pub sd: f64,
    /// Standard error of the mean.
    pub se: f64,
    /// Degrees of freedom, n - 1.
    pub df: f64,
    /// `(mean - mu) / se`.
    pub t: f64,
    /// Two-sided p value of `mean = mu`.
    pub p_two_sided: f64,
    /// One-sided p value: small = the mean is above `mu`.
    pub p_greater: f64,
    /// One-sided p value: small = the mean is below `mu`.
    pub p_less: f64,
    /// Two-sided interval of the mean at the level asked for.
    pub interval: Interval,
}

/// The t test and interval of the mean of paired differences.
///
/// # Errors
/// When there are fewer than two differences, one is NaN or infinite, the level is outside `(0, 1)`, or all differences
/// are equal: a spread of zero in a sample is no proof of a spread of zero, and a method that would divide by it has no
/// answer ([`super::gaffke_interval`] has one).
pub fn paired_t(d: &[f64], mu: f64, level: f64) -> Result<PairedT> {
    sample("paired differences", d, 2)?;
    finite("value tested", mu)?;
    open_unit("level", level)?;
    let (mean, sd) = spread(d)?;
    let n = d.len();
    let se = sd / (n as f64).sqrt();
    let df = n as f64 - 1.0;
    let t = finite("t statistic", (mean - mu) / se)?;
    let half = t_critical(level, df) * se;
    Ok(PairedT {
        n,
        mean,
        sd,
        se,
        df,
        t,
        p_two_sided: (2.0 * t_sf(t.abs(), df)).min(1.0),
        p_greater: t_sf(t, df),
        p_less: t_cdf(t, df),
        interval: interval(mean - half, mean + half, level)?,
    })
}

/// Mean and standard deviation, refused where the spread is nothing but rounding.
fn spread(d: &[f64]) -> Result<(f64, f64)> {
    let (mean, variance) = mean_variance(d);
    let sd = finite("standard deviation", variance.sqrt())?;
    if sd == 0.0 || all_equal(d) { Err(StatsError::ZeroVariance) } else { Ok((mean, sd)) }
}

/// Two one-sided tests of equivalence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tost {
    /// One-sided p value: small = the mean is above the lower end.
    pub p_lower: f64,
    /// One-sided p value: small = the mean is below the upper end.
    pub p_upper: f64,
    /// The larger of the two: small = the mean lies between the ends.
    pub p: f64,
}

/// Equivalence of the mean difference within `(lower, upper)` by two one-sided t tests.
///
/// Source: Schuirmann 1987, J Pharmacokinet Biopharm 15:657.
///
/// # Errors
/// As [`paired_t`], and when `lower >= upper`.
pub fn tost(d: &[f64], lower: f64, upper: f64) -> Result<Tost> {
    finite("upper end of equivalence", upper)?;
    if lower >= upper {
        return Err(super::error::out_of_range("lower end of equivalence", lower, "below the upper end"));
    }
    // The level of the interval plays no part in the tests.
    let p_lower = paired_t(d, lower, 0.9)?.p_greater;
    let p_upper = paired_t(d, upper, 0.9)?.p_less;
    Ok(Tost { p_lower, p_upper, p: p_lower.max(p_upper) })
}

/// `ln(tuned / base)` per pair.
///
/// # Errors
/// When the samples differ in length, or a value is not a finite number above 0.
pub fn log_ratios(tuned: &[f64], base: &[f64]) -> Result<Vec<f64>> {
    same_length("paired measurements", tuned.len(), base.len())?;
    tuned
        .iter()
        .zip(base)
        .map(|(&t, &b)| Ok(positive("measurement", t)?.ln() - positive("measurement", b)?.ln()))
        .collect()
}

/// The ratio of two geometric means of paired positive measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogRatioT {
    /// `exp(mean of ln(tuned/base))`: below 1 = the tuned model needs less.
    pub ratio: f64,
    /// Two-sided interval of the ratio.
    pub interval: Interval,
    /// The t test of the log ratios against the logarithm of the ratio tested, on the log scale.
    pub log: PairedT,
}

/// The t interval of the geometric-mean ratio of a latency, and its test against `ratio` (a margin such as 1.10).
///
/// `log.p_less` is the p value of "the ratio is at least `ratio`": small = the tuned model stays below the margin.
///
/// # Errors
/// When there are fewer than two pairs, the samples differ in length, a value or `ratio` is not a finite number above 0,
/// all log ratios are equal, or the level is outside `(0, 1)`.
pub fn log_ratio_t(tuned: &[f64], base: &[f64], ratio: f64, level: f64) -> Result<LogRatioT> {
    positive("ratio tested", ratio)?;
    let logs = log_ratios(tuned, base)?;
    let log = paired_t(&logs, ratio.ln(), level)?;
    let limits = interval(log.interval.lower().exp(), log.interval.upper().exp(), level)?;
    Ok(LogRatioT { ratio: log.mean.exp(), interval: limits, log })
}

/// Lag-1 autocorrelation of a series in time order. Above 0.1 the pairs of a latency run are to be clustered by blocks of
/// `ceil(n^(1/3))`.
///
/// # Errors
/// When there are fewer than three values, one is NaN or infinite, or all are equal.
pub fn lag1_autocorrelation(series: &[f64]) -> Result<f64> {
    sample("series", series, 3)?;
    let (mean, sd) = spread(series)?;
    let total = sd * sd * (series.len() as f64 - 1.0);
    let lagged: f64 = series.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum();
    finite("autocorrelation", lagged / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_variance_is_an_error_and_not_a_certainty() {
        assert_eq!(paired_t(&[0.1; 5], 0.0, 0.95), Err(StatsError::ZeroVariance));
        assert_eq!(tost(&[0.1; 5], -0.2, 0.2), Err(StatsError::ZeroVariance));
        assert_eq!(log_ratio_t(&[2.0; 3], &[1.0; 3], 1.1, 0.95), Err(StatsError::ZeroVariance));
    }

    #[test]
    fn one_pair_has_no_spread() {
        assert_eq!(
            paired_t(&[0.1], 0.0, 0.95),
            Err(StatsError::TooFew { what: "paired differences", need: 2, got: 1 })
        );
    }

    #[test]
    fn interval_and_test_say_the_same() {
        let d = [0.1, -0.3, 0.25, 0.0, 0.4, 0.05];
        let i = paired_t(&d, 0.0, 0.90).unwrap().interval;
        assert!((paired_t(&d, i.lower(), 0.90).unwrap().p_greater - 0.05).abs() < 1e-12);
        assert!((paired_t(&d, i.upper(), 0.90).unwrap().p_less - 0.05).abs() < 1e-12);
    }

    #[test]
    fn a_latency_ratio_reads_in_ratios() {
        let base = [100.0, 120.0, 90.0, 110.0];
        let tuned = [50.0, 62.0, 44.0, 56.0];
        let r = log_ratio_t(&tuned, &base, 1.10, 0.95).unwrap();
        assert!(r.ratio > 0.48 && r.ratio < 0.52 && r.interval.upper() < 0.6);
        assert!(r.log.p_less < 1e-3);
        assert!(log_ratio_t(&[0.0, 1.0], &[1.0, 1.0], 1.1, 0.95).is_err());
        assert!(log_ratio_t(&[1.0], &[1.0, 1.0], 1.1, 0.95).is_err());
    }

    #[test]
    fn nan_is_an_error() {
        assert!(paired_t(&[0.1, f64::NAN, 0.2], 0.0, 0.95).is_err());
        assert!(paired_t(&[0.1, 0.2], f64::NAN, 0.95).is_err());
        assert!(paired_t(&[0.1, 0.2], 0.0, f64::NAN).is_err());
        assert!(tost(&[0.1, 0.2], f64::NAN, 0.2).is_err());
        assert!(lag1_autocorrelation(&[0.1, f64::NAN, 0.2]).is_err());
    }

    #[test]
    fn an_alternating_series_is_anticorrelated() {
        let series: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        assert!(lag1_autocorrelation(&series).unwrap() < -0.9);
    }
}

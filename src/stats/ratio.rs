//! Ratio of two totals over the same prompts: what the invoice sees of tokens and cost.

use super::error::{Result, StatsError, finite, interval, open_unit, positive, same_length, sample};
use super::special::t_critical;
use super::student::paired_t;
use super::sum::{mean_of, sum_by};
use crate::types::Interval;

/// The ratio `sum(tuned) / sum(base)` of paired amounts, with what its intervals need.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioOfTotals {
    /// Number of pairs.
    pub n: usize,
    /// `sum(tuned) / sum(base)`.
    pub ratio: f64,
    /// Standard error of the ratio by the delta method.
    pub se_delta: f64,
    /// Standard error of the logarithm of the ratio by the delta method; infinite where the ratio is not above 0.
    pub se_log: f64,
    mean_base: f64,
    /// Sample variance of the residual `tuned - ratio * base`.
    residual_variance: f64,
    /// Sample covariance of the residual and the base.
    residual_base: f64,
    base_variance: f64,
}

/// The ratio of totals of paired amounts (tokens, money).
///
/// # Errors
/// When there are fewer than two pairs, the lengths differ, an amount is NaN or infinite, the base total is not above 0,
/// or `tuned` is exactly proportional to `base`, so that the data show no error.
pub fn ratio_of_totals(tuned: &[f64], base: &[f64]) -> Result<RatioOfTotals> {
    same_length("paired amounts", tuned.len(), base.len())?;
    sample("paired amounts", tuned, 2)?;
    sample("paired amounts", base, 2)?;
    let n = tuned.len();
    let count = n as f64;
    let mean_base = positive("mean of the base amounts", mean_of(base))?;
    let mean_tuned = mean_of(tuned);
    let ratio = finite("ratio", mean_tuned / mean_base)?;
    let residuals: Vec<f64> = tuned.iter().zip(base).map(|(t, b)| t - ratio * b).collect();
    let scale = sum_by(tuned, |t| t * t) / count;
    let residual_variance = finite("variance", sum_by(&residuals, |r| r * r) / (count - 1.0))?;
    if residual_variance <= 1e-28 * scale || residual_variance == 0.0 {
        return Err(StatsError::ZeroVariance);
    }
    let cross: Vec<f64> = residuals.iter().zip(base).map(|(r, b)| r * (b - mean_base)).collect();
    let se_delta = finite("standard error", (residual_variance / count).sqrt() / mean_base)?;
    Ok(RatioOfTotals {
        n,
        ratio,
        se_delta,
        se_log: if ratio > 0.0 { se_delta / ratio } else { f64::INFINITY },
        mean_base,
        residual_variance,
        residual_base: sum_by(&cross, |x| x) / (count - 1.0),
        base_variance: finite("variance", sum_by(base, |b| (b - mean_base) * (b - mean_base)) / (count - 1.0))?,
    })
}

impl RatioOfTotals {
    fn critical(&self, level: f64) -> Result<f64> {
        Ok(t_critical(open_unit("level", level)?, self.n as f64 - 1.0))
    }

    /// Fieller's g: the squared relative error of the base mean, `q^2 s_bb / (n bbar^2)`. At 1 and above the set of
    /// ratios is unbounded.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)`.
    pub fn fieller_g(&self, level: f64) -> Result<f64> {
        let q = self.critical(level)?;
        finite("Fieller's g", q * q * self.base_variance / (self.n as f64 * self.mean_base * self.mean_base))
    }

    /// Fieller's interval, the default. Both limits are infinite ("not estimable") where the base mean is not
    /// distinguishable from 0 at this level.
    ///
    /// Solved for the distance from the estimate, which loses no digits: with `k = q^2/n` and the residual
    /// `r = t - R b`, the limits are the roots of `(bbar^2 - k s_bb) x^2 + 2 k s_rb x - k s_rr`.
    /// Source: Fieller 1954, JRSSB 16:175.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)`.
    pub fn fieller_interval(&self, level: f64) -> Result<Interval> {
        let q = self.critical(level)?;
        let k = q * q / self.n as f64;
        let a = self.mean_base * self.mean_base - k * self.base_variance;
        if a <= 0.0 {
            return interval(f64::NEG_INFINITY, f64::INFINITY, level);
        }
        let shift = k * self.residual_base;
        let root = (shift * shift + a * k * self.residual_variance).sqrt();
        interval(self.ratio - (root + shift) / a, self.ratio + (root - shift) / a, level)
    }

    /// The delta-method interval on the ratio scale, for comparison.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)`.
    pub fn delta_interval(&self, level: f64) -> Result<Interval> {
        let half = self.critical(level)? * self.se_delta;
        interval(self.ratio - half, self.ratio + half, level)
    }

    /// The delta-method interval on the log scale; for n >= 300 and sizes of modest spread.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)`, or the ratio is not above 0.
    pub fn log_delta_interval(&self, level: f64) -> Result<Interval> {
        positive("ratio of totals", self.ratio)?;
        let half = self.critical(level)? * self.se_log;
        interval(self.ratio * (-half).exp(), self.ratio * half.exp(), level)
    }
}

/// One-sided p value of "the ratio of totals is at least `bound`": small = it is below. "Saves at least g" is
/// `bound = 1 - g`; a claim of saving uses alpha/2 and n >= 100, because skewed sizes make it liberal.
///
/// The t test of the mean of `tuned - bound * base`, of which Fieller's interval is the inversion.
///
/// # Errors
/// When there are fewer than two pairs, the lengths differ, an amount or `bound` is NaN or infinite, the base total is
/// not above 0, or all differences are equal.
pub fn ratio_below_p(tuned: &[f64], base: &[f64], bound: f64) -> Result<f64> {
    same_length("paired amounts", tuned.len(), base.len())?;
    sample("paired amounts", base, 2)?;
    finite("bound of the ratio", bound)?;
    positive("mean of the base amounts", mean_of(base))?;
    let d: Vec<f64> = tuned.iter().zip(base).map(|(t, b)| t - bound * b).collect();
    Ok(paired_t(&d, 0.0, 0.9)?.p_less)
}

/// When the saving per request pays for hosting by the hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakEven {
    /// Mean saving per request, base minus tuned.
    pub saving: f64,
    /// Its t interval over the paired requests.
    pub saving_interval: Interval,
    /// Requests per hour from which the tuned model is cheaper; infinite when nothing is saved.
    pub requests_per_hour: f64,
    /// Its interval; the upper limit is infinite when the lower limit of the saving is not above 0, and both are when the
    /// upper one is not either.
    pub interval: Interval,
    hosting_per_hour: f64,
}

impl BreakEven {
    /// What the tuned model costs more per hour at a traffic of `requests_per_hour`, `h - lambda s`, with its interval;
    /// below 0 = it saves.
    ///
    /// # Errors
    /// When the traffic is negative, NaN or infinite.
    pub fn extra_cost_per_hour(&self, requests_per_hour: f64) -> Result<(f64, Interval)> {
        if finite("requests per hour", requests_per_hour)? < 0.0 {
            return Err(super::error::out_of_range("requests per hour", requests_per_hour, "0 or above"));
        }
        let cost = |saving: f64| self.hosting_per_hour - requests_per_hour * saving;
        let i = self.saving_interval;
        Ok((cost(self.saving), interval(cost(i.upper()), cost(i.lower()), i.level())?))
    }
}

/// The break-even traffic of a tuned model that costs `hosting_per_hour`, from the variable cost of the same requests on
/// both models: `h/s`, with the limits `[h/s_upper, h/s_lower]` (Fieller's for a constant over a mean).
///
/// # Errors
/// When there are fewer than two requests, the lengths differ, a cost is NaN or infinite, all savings are equal, hosting is
/// not above 0, or the level is outside `(0, 1)`.
pub fn break_even(cost_tuned: &[f64], cost_base: &[f64], hosting_per_hour: f64, level: f64) -> Result<BreakEven> {
    same_length("paired costs", cost_tuned.len(), cost_base.len())?;
    positive("hosting per hour", hosting_per_hour)?;
    let savings: Vec<f64> = cost_tuned.iter().zip(cost_base).map(|(t, b)| b - t).collect();
    let t = paired_t(&savings, 0.0, level)?;
    let traffic = |saving: f64| if saving > 0.0 { hosting_per_hour / saving } else { f64::INFINITY };
    Ok(BreakEven {
        saving: t.mean,
        saving_interval: t.interval,
        requests_per_hour: traffic(t.mean),
        interval: interval(traffic(t.interval.upper()), traffic(t.interval.lower()), level)?,
        hosting_per_hour,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TUNED: [f64; 6] = [80.0, 95.0, 40.0, 120.0, 66.0, 71.0];
    const BASE: [f64; 6] = [100.0, 110.0, 61.0, 149.0, 80.0, 99.0];

    #[test]
    fn fieller_is_the_inversion_of_the_t_test() {
        let i = ratio_of_totals(&TUNED, &BASE).unwrap().fieller_interval(0.90).unwrap();
        assert!((ratio_below_p(&TUNED, &BASE, i.upper()).unwrap() - 0.05).abs() < 1e-10);
        assert!((ratio_below_p(&TUNED, &BASE, i.lower()).unwrap() - 0.95).abs() < 1e-10);
    }

    #[test]
    fn a_noisy_base_has_no_finite_interval() {
        let r = ratio_of_totals(&[5.0, 1.0, 2.0], &[100.0, -90.0, 1.0]).unwrap();
        assert!(r.fieller_g(0.95).unwrap() > 1.0);
        let i = r.fieller_interval(0.95).unwrap();
        assert_eq!((i.lower(), i.upper()), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn an_exact_proportion_is_no_certainty() {
        let base = [1.0, 2.0, 5.0];
        assert_eq!(ratio_of_totals(&base.map(|b| 0.7 * b), &base), Err(StatsError::ZeroVariance));
    }

    #[test]
    fn hosting_pays_from_a_traffic_on() {
        let e = break_even(&TUNED, &BASE, 50.0, 0.95).unwrap();
        assert!((e.requests_per_hour * e.saving - 50.0).abs() < 1e-12);
        assert!(e.interval.lower() < e.requests_per_hour && e.requests_per_hour < e.interval.upper());
        let (cost, i) = e.extra_cost_per_hour(e.requests_per_hour).unwrap();
        assert!(cost.abs() < 1e-12 && i.lower() < 0.0 && i.upper() > 0.0);
        // No saving: never.
        let never = break_even(&BASE, &TUNED, 50.0, 0.95).unwrap();
        assert!(never.requests_per_hour.is_infinite() && never.interval.lower().is_infinite());
        assert!(break_even(&TUNED, &BASE, 0.0, 0.95).is_err() && e.extra_cost_per_hour(f64::NAN).is_err());
    }

    #[test]
    fn bad_amounts_are_errors() {
        assert!(ratio_of_totals(&[1.0], &[1.0]).is_err());
        assert!(ratio_of_totals(&[1.0, 2.0], &[1.0]).is_err());
        assert!(ratio_of_totals(&[1.0, f64::NAN], &[1.0, 2.0]).is_err());
        assert!(ratio_of_totals(&[1.0, 2.0], &[0.0, 0.0]).is_err());
        assert!(ratio_below_p(&[1.0, 2.0], &[1.0, 3.0], f64::NAN).is_err());
        let zero = ratio_of_totals(&[0.0, 1.0, -1.0], &[1.0, 2.0, 3.0]).unwrap();
        assert!(zero.log_delta_interval(0.9).is_err());
    }
}

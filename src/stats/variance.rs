//! Variance reduction: control variates and post-stratification.

use super::error::{Result, StatsError, at_least, finite, interval, open_unit, positive, same_length, sample};
use super::paired::ScoreTest;
use super::special::{t_cdf, t_critical, t_sf};
use super::sum::{all_equal, mean_of, mean_variance, sum, sum_by};
use crate::types::Interval;

/// An adjusted mean difference with its standard error and degrees of freedom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdjustedMean {
    /// The estimate.
    pub mean: f64,
    /// Its standard error.
    pub se: f64,
    /// Degrees of freedom of the t law.
    pub df: f64,
}

impl AdjustedMean {
    /// The two-sided t interval.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)`.
    pub fn interval(&self, level: f64) -> Result<Interval> {
        let half = t_critical(open_unit("level", level)?, self.df) * self.se;
        interval(self.mean - half, self.mean + half, level)
    }

    /// The t test of the mean against `value`, its statistic in `z`.
    ///
    /// # Errors
    /// When `value` is not finite.
    pub fn test(&self, value: f64) -> Result<ScoreTest> {
        let t = finite("t statistic", (self.mean - finite("value tested", value)?) / self.se)?;
        Ok(ScoreTest { z: t, p_above: t_sf(t, self.df), p_below: t_cdf(t, self.df) })
    }
}

/// A control-variate estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cuped {
    /// The adjusted mean; df = n - 2.
    pub adjusted: AdjustedMean,
    /// The regression slope of the differences on the covariate.
    pub slope: f64,
    /// The share of the variance that the covariate explains.
    pub r_squared: f64,
}

/// The mean of `d` adjusted by a covariate that was known before the run: `mean(d) - slope (mean(c) - known_mean)`, with
/// the residual variance. `known_mean` is the covariate's mean over the population; the mean of `covariate` itself when the
/// suite is the population.
///
/// The base score of the same run is no such covariate: pairing uses it already.
/// Source: Deng, Xu, Kohavi & Walker 2013, WSDM (CUPED).
///
/// # Errors
/// When there are fewer than three pairs, the lengths differ, a value is NaN or infinite, the covariate does not vary, or it
/// explains the differences without rest.
pub fn cuped(d: &[f64], covariate: &[f64], known_mean: f64) -> Result<Cuped> {
    same_length("differences and covariates", d.len(), covariate.len())?;
    sample("paired differences", d, 3)?;
    sample("covariates", covariate, 3)?;
    finite("known mean of the covariate", known_mean)?;
    let n = d.len() as f64;
    let (mean_d, variance_d) = mean_variance(d);
    let (mean_c, variance_c) = mean_variance(covariate);
    if variance_c == 0.0 || all_equal(covariate) {
        return Err(StatsError::NotEstimable { why: "the covariate does not vary" });
    }
    let products: Vec<f64> = d.iter().zip(covariate).map(|(d, c)| (d - mean_d) * (c - mean_c)).collect();
    let slope = finite("slope", sum(&products) / ((n - 1.0) * variance_c))?;
    let residuals: Vec<f64> = d.iter().zip(covariate).map(|(d, c)| (d - mean_d) - slope * (c - mean_c)).collect();
    let rest = sum_by(&residuals, |r| r * r);
    if rest <= 1e-28 * sum_by(d, |x| x * x) {
        return Err(StatsError::ZeroVariance);
    }
    let shift = mean_c - known_mean;
    // The last term is the error of the slope, which matters only where the sample's covariate is off its known mean.
    let variance = rest / (n - 2.0) * (1.0 / n + shift * shift / ((n - 1.0) * variance_c));
    Ok(Cuped {
        adjusted: AdjustedMean {
            mean: mean_d - slope * shift,
            se: finite("standard error", variance.sqrt())?,
            df: n - 2.0,
        },
        slope,
        r_squared: 1.0 - rest / ((n - 1.0) * variance_d),
    })
}

/// The differences of one declared slice, with the slice's known share of the population.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stratum<'a> {
    /// Share of the population; the shares add to 1.
    pub weight: f64,
    /// Paired differences, one per cluster.
    pub differences: &'a [f64],
}

/// The post-stratified mean: `sum w_h mean_h`, variance `sum w_h^2 s_h^2 / n_h`, Satterthwaite degrees of freedom.
///
/// Source: Cochran 1977, Sampling Techniques, sections 5.3 and 5.4.
///
/// # Errors
/// When there is no stratum, a stratum has fewer than two differences, a value is NaN or infinite, a weight is not above 0,
/// the weights do not add to 1, or no stratum varies.
pub fn post_stratified(strata: &[Stratum]) -> Result<AdjustedMean> {
    at_least("strata", strata.len(), 1)?;
    let (mut total, mut mean, mut variance, mut scatter) = (0.0, 0.0, 0.0, 0.0);
    for s in strata {
        sample("differences of a stratum", s.differences, 2)?;
        total += positive("weight of a stratum", s.weight)?;
        let n = s.differences.len() as f64;
        let (m, v) = mean_variance(s.differences);
        let v = if all_equal(s.differences) { 0.0 } else { v };
        let part = s.weight * s.weight * v / n;
        mean += s.weight * m;
        variance += part;
        scatter += part * part / (n - 1.0);
    }
    if (total - 1.0).abs() > 1e-9 {
        return Err(super::error::out_of_range("sum of the weights", total, "1"));
    }
    if variance == 0.0 {
        return Err(StatsError::ZeroVariance);
    }
    let df = finite("degrees of freedom", variance * variance / scatter)?;
    Ok(AdjustedMean { mean: finite("mean", mean)?, se: variance.sqrt(), df })
}

/// How to divide `n` cases over strata: in proportion to `weight * sd` (Neyman 1934), at least two each. The parts add to
/// `n` or, where the minimum of two forces it, to more.
///
/// # Errors
/// When there is no stratum, the lengths differ, a weight is not above 0, or a standard deviation is negative, NaN or
/// infinite, or all are 0.
pub fn neyman_allocation(n: u64, weights: &[f64], sds: &[f64]) -> Result<Vec<u64>> {
    same_length("weights and standard deviations", weights.len(), sds.len())?;
    sample("standard deviations", sds, 1)?;
    let mut needs = Vec::with_capacity(sds.len());
    for (&w, &sd) in weights.iter().zip(sds) {
        positive("weight of a stratum", w)?;
        if sd < 0.0 {
            return Err(super::error::out_of_range("standard deviation", sd, "0 or above"));
        }
        needs.push(w * sd);
    }
    let total = positive("sum of weight * standard deviation", sum(&needs))?;
    let exact: Vec<f64> = needs.iter().map(|x| n as f64 * x / total).collect();
    let mut parts: Vec<u64> = exact.iter().map(|x| x.floor() as u64).collect();
    // The rest goes to the largest fractions, the first of equals first.
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|&i, &j| exact[j].fract().total_cmp(&exact[i].fract()));
    let rest = n.saturating_sub(parts.iter().sum());
    for &i in order.iter().take(usize::try_from(rest).unwrap_or(usize::MAX)) {
        parts[i] += 1;
    }
    Ok(parts.into_iter().map(|k| k.max(2)).collect())
}

/// The mean of each cluster, in the order of their labels: one observation per cluster, for methods that want independent
/// ones (every cluster counts the same).
///
/// # Errors
/// When the sample is empty, the lengths differ, or a value is NaN or infinite.
pub fn cluster_means(d: &[f64], labels: &[usize]) -> Result<Vec<f64>> {
    sample("differences", d, 1)?;
    same_length("differences and cluster labels", d.len(), labels.len())?;
    let mut groups: std::collections::BTreeMap<usize, Vec<f64>> = std::collections::BTreeMap::new();
    for (&x, &label) in d.iter().zip(labels) {
        groups.entry(label).or_default().push(x);
    }
    groups.values().map(|g| finite("mean of a cluster", mean_of(g))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_covariate_narrows_and_a_useless_one_does_not() {
        let c: Vec<f64> = (0..60).map(|i| f64::from((i * 11) % 17)).collect();
        let noise: Vec<f64> = (0..60).map(|i| f64::from((i * 7) % 5) / 50.0).collect();
        let d: Vec<f64> = c.iter().zip(&noise).map(|(c, e)| 0.05 * c + e).collect();
        let known = crate::stats::mean(&c).unwrap();
        let good = cuped(&d, &c, known).unwrap();
        let plain = crate::stats::paired_t(&d, 0.0, 0.9).unwrap();
        assert!(good.r_squared > 0.9 && good.adjusted.se < 0.4 * plain.se);
        assert!((good.adjusted.mean - plain.mean).abs() < 1e-12);
        assert!((good.slope - 0.05).abs() < 0.01);
        let i = good.adjusted.interval(0.9).unwrap();
        assert!((good.adjusted.test(i.lower()).unwrap().p_above - 0.05).abs() < 1e-12);
    }

    #[test]
    fn one_stratum_is_the_t_test() {
        let d = [0.1, 0.4, -0.2, 0.3, 0.0];
        let s = post_stratified(&[Stratum { weight: 1.0, differences: &d }]).unwrap();
        let t = crate::stats::paired_t(&d, 0.0, 0.9).unwrap();
        assert!((s.se - t.se).abs() < 1e-15 && (s.df - 4.0).abs() < 1e-12 && (s.mean - t.mean).abs() < 1e-15);
    }

    #[test]
    fn allocations_add_up() {
        assert_eq!(neyman_allocation(100, &[0.5, 0.5], &[1.0, 3.0]).unwrap(), [25, 75]);
        assert_eq!(neyman_allocation(10, &[0.5, 0.3, 0.2], &[1.0, 1.0, 0.0]).unwrap(), [6, 4, 2]);
        assert!(neyman_allocation(10, &[1.0], &[0.0]).is_err());
        assert!(neyman_allocation(10, &[1.0], &[f64::NAN]).is_err());
    }

    #[test]
    fn cluster_means_come_in_label_order() {
        assert_eq!(cluster_means(&[1.0, 2.0, 3.0], &[5, 1, 5]).unwrap(), [2.0, 2.0]);
        assert!(cluster_means(&[1.0], &[]).is_err() && cluster_means(&[f64::NAN], &[0]).is_err());
    }

    #[test]
    fn bad_input_is_an_error() {
        let d = [0.1, 0.2, 0.4];
        assert!(cuped(&d, &[1.0, 1.0, 1.0], 1.0).is_err());
        assert!(cuped(&d, &[1.0, 2.0], 1.0).is_err());
        assert!(cuped(&d, &d, 0.1).is_err());
        assert!(cuped(&d, &[1.0, 2.0, f64::NAN], 1.0).is_err());
        assert!(post_stratified(&[]).is_err());
        assert!(post_stratified(&[Stratum { weight: 0.5, differences: &d }]).is_err());
        assert!(post_stratified(&[Stratum { weight: 1.0, differences: &[0.1, 0.1] }]).is_err());
    }
}

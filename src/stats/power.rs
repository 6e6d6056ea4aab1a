//! Power and sample size, said before money is spent. Observed power after a run is never one of these.

use super::error::{Result, StatsError, at_least, closed_unit, finite, open_unit, out_of_range, positive};
use super::mcnemar::{McNemar, mcnemar};
use super::noncentral_t::noncentral_t_pair;
use super::paired::tango_statistic;
use super::root;
use super::special::{
    binomial_pmf, binomial_quantile, binomial_sf_from, normal_cdf, normal_quantile, t_upper_quantile,
};
use crate::types::SplitMix64;

/// Probabilities of a discordant pair, as planned: gained and lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discordance {
    /// Probability that only the tuned model gets a prompt right.
    pub gained: f64,
    /// Probability that only the base model gets a prompt right.
    pub lost: f64,
}

impl Discordance {
    /// From the total `psi = gained + lost` and the true difference `gained - lost`.
    ///
    /// # Errors
    /// When `psi` is outside `[0, 1]`, or smaller than the size of the difference.
    pub fn from_difference(psi: f64, difference: f64) -> Result<Self> {
        closed_unit("discordance", psi)?;
        let made = Self { gained: 0.5 * (psi + difference), lost: 0.5 * (psi - difference) };
        made.checked().map(|()| made)
    }

    fn checked(&self) -> Result<()> {
        closed_unit("probability of a gain", self.gained)?;
        closed_unit("probability of a loss", self.lost)?;
        closed_unit("discordance", self.total()).map(|_| ())
    }

    fn total(&self) -> f64 {
        self.gained + self.lost
    }

    fn difference(&self) -> f64 {
        self.gained - self.lost
    }
}

/// A p value at most alpha, rounding of the p value forgiven.
fn rejects(p: f64, alpha: f64) -> bool {
    p <= alpha * (1.0 + 1e-12)
}

/// Power of the four McNemar tests at one n.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct McNemarPower {
    /// Exact, one-sided.
    pub exact_greater: f64,
    /// Mid-p, one-sided.
    pub midp_greater: f64,
    /// Exact, two-sided.
    pub exact_two_sided: f64,
    /// Mid-p, two-sided.
    pub midp_two_sided: f64,
}

/// Exact unconditional power of McNemar's tests: `sum_m Bin(m; n, psi) sum_k Bin(k; m, p10/psi) 1{p(k, m - k) <= alpha}`.
///
/// # Errors
/// When `n` is 0 or above 1e8, a probability is outside `[0, 1]` or they add to more than 1, or alpha is outside `(0, 1)`.
pub fn mcnemar_power(n: u64, truth: Discordance, alpha: f64) -> Result<McNemarPower> {
    Ok(McNemarPower {
        exact_greater: mcnemar_power_of(n, truth, alpha, |t| t.exact_greater, false)?,
        midp_greater: mcnemar_power_of(n, truth, alpha, |t| t.midp_greater, false)?,
        exact_two_sided: mcnemar_power_of(n, truth, alpha, |t| t.exact_two_sided, true)?,
        midp_two_sided: mcnemar_power_of(n, truth, alpha, |t| t.midp_two_sided, true)?,
    })
}

/// The largest suite of which the power is enumerated.
const ENUMERABLE: u64 = 100_000_000;

/// A number of prompts that can be enumerated.
fn enumerable(n: u64) -> Result<()> {
    at_least("prompts", usize::try_from(n).unwrap_or(usize::MAX), 1)?;
    if n > ENUMERABLE {
        return Err(out_of_range("number of prompts", n as f64, "at most 1e8 for exact power"));
    }
    Ok(())
}

fn mcnemar_power_of(
    n: u64,
    truth: Discordance,
    alpha: f64,
    p_value: impl Fn(&McNemar) -> f64,
    two_sided: bool,
) -> Result<f64> {
    enumerable(n)?;
    truth.checked()?;
    open_unit("alpha", alpha)?;
    let psi = truth.total();
    if psi == 0.0 {
        return Ok(0.0);
    }
    let share = truth.gained / psi;
    let mut power = 0.0;
    let (first, last) = likely(n, psi);
    let accepts = |gained: u64, m: u64| !rejects(p_value(&mcnemar(gained, m - gained)), alpha);
    // The least number of gains that rejects; it rises by at most one when m does.
    let mut critical = first_failure(first.div_ceil(2), first, |k| accepts(k, first));
    for m in first..=last {
        while critical <= m && accepts(critical, m) {
            critical += 1;
        }
        if critical > m {
            continue;
        }
        let mut hit = binomial_sf_from(critical, m, share);
        if two_sided {
            hit += binomial_sf_from(critical, m, 1.0 - share);
        }
        power += binomial_pmf(m, n, psi) * hit.min(1.0);
    }
    Ok(power.min(1.0))
}

/// The counts of a binomial that have any probability worth counting.
fn likely(n: u64, p: f64) -> (u64, u64) {
    (binomial_quantile(1e-18, n, p), n - binomial_quantile(1e-18, n, 1.0 - p))
}

/// The smallest number in `lo..=hi` for which `holds` fails, or `hi + 1`; `holds` must fail from some number on.
fn first_failure(mut lo: u64, hi: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let mut end = hi.saturating_add(1);
    while lo < end {
        let middle = lo + (end - lo) / 2;
        if holds(middle) { lo = middle + 1 } else { end = middle }
    }
    lo
}

/// The n of McNemar's test by Connor's formula: `(z sqrt(psi) + z_power sqrt(psi - d^2))^2 / d^2`, not rounded.
///
/// Source: Connor 1987, Biometrics 43:207.
///
/// # Errors
/// When the probabilities are equal or outside their range, or alpha or the power is outside `(0, 1)`.
pub fn mcnemar_n(truth: Discordance, alpha: f64, power: f64, one_sided: bool) -> Result<f64> {
    truth.checked()?;
    open_unit("alpha", alpha)?;
    open_unit("power", power)?;
    let (psi, d) = (truth.total(), truth.difference());
    if d == 0.0 {
        return Err(out_of_range("difference", d, "other than 0: no suite shows a difference that is not there"));
    }
    let z = -normal_quantile(if one_sided { alpha } else { 0.5 * alpha });
    let root = z * psi.sqrt() + normal_quantile(power) * (psi - d * d).max(0.0).sqrt();
    finite("sample size", root * root / (d * d))
}

/// The smallest gain that the one-sided mid-p McNemar test shows with the power asked for, by exact enumeration; none when
/// even a suite in which every discordant prompt is a win does not reach it.
///
/// # Errors
/// When `n` is 0, `psi` is outside `(0, 1)`, or alpha or the power is outside `(0, 1)`.
pub fn mcnemar_detectable(n: u64, psi: f64, alpha: f64, power: f64) -> Result<Option<f64>> {
    open_unit("discordance", psi)?;
    open_unit("power", power)?;
    let reached = |d: f64| {
        let truth = Discordance { gained: 0.5 * (psi + d), lost: 0.5 * (psi - d).max(0.0) };
        mcnemar_power_of(n, truth, alpha, |t| t.midp_greater, false)
    };
    if reached(psi)? < power {
        return Ok(None);
    }
    let (mut lo, mut hi) = (0.0, psi);
    for _ in 0..40 {
        let middle = 0.5 * (lo + hi);
        if reached(middle)? >= power { hi = middle } else { lo = middle }
    }
    Ok(Some(hi))
}

/// The n of a binary non-inferiority claim, score form: `(z_{1-alpha} + z_power)^2 (psi - d^2) / (d + margin)^2`, not
/// rounded. For clusters multiply by [`design_effect`].
///
/// # Errors
/// When the truth is not above `-margin` (no suite could show it), a probability is outside its range, or alpha or the power
/// is outside `(0, 1)`.
pub fn noninferiority_n(psi: f64, difference: f64, margin: f64, alpha: f64, power: f64) -> Result<f64> {
    let z = planned(psi, difference, alpha)? + normal_quantile(open_unit("power", power)?);
    let distance = positive("distance of the truth from the margin", difference + margin)?;
    finite("sample size", z * z * (psi - difference * difference).max(0.0) / (distance * distance))
}

/// The power of a binary non-inferiority claim at n, score form; the inversion of [`noninferiority_n`].
///
/// # Errors
/// When `n` is 0, a probability is outside its range, or alpha is outside `(0, 1)`.
pub fn noninferiority_power(n: u64, psi: f64, difference: f64, margin: f64, alpha: f64) -> Result<f64> {
    at_least("prompts", usize::try_from(n).unwrap_or(usize::MAX), 1)?;
    let z = planned(psi, difference, alpha)?;
    finite("margin", margin)?;
    let sd = (psi - difference * difference).max(0.0).sqrt();
    let distance = (difference + margin) * (n as f64).sqrt();
    if sd == 0.0 {
        return Ok(if distance > 0.0 { 1.0 } else { 0.0 });
    }
    Ok(normal_cdf(distance / sd - z))
}

/// The smallest margin that a suite of n resolves with the power asked for: what "this gate can detect" prints.
///
/// # Errors
/// As [`noninferiority_power`], and when the power is outside `(0, 1)`.
pub fn noninferiority_margin(n: u64, psi: f64, difference: f64, alpha: f64, power: f64) -> Result<f64> {
    at_least("prompts", usize::try_from(n).unwrap_or(usize::MAX), 1)?;
    let z = planned(psi, difference, alpha)? + normal_quantile(open_unit("power", power)?);
    finite("margin", z * ((psi - difference * difference).max(0.0) / n as f64).sqrt() - difference)
}

/// `z_{1 - alpha}` after a look at the plan.
fn planned(psi: f64, difference: f64, alpha: f64) -> Result<f64> {
    Discordance::from_difference(psi, difference)?;
    Ok(-normal_quantile(open_unit("alpha", alpha)?))
}

/// The exact power of Tango's non-inferiority test: the probability of all tables with `T(-margin) >= z_{1-alpha}`.
///
/// # Errors
/// When `n` is 0, a probability is outside its range, or `margin` or alpha is outside `(0, 1)`.
pub fn noninferiority_power_exact(n: u64, truth: Discordance, margin: f64, alpha: f64) -> Result<f64> {
    enumerable(n)?;
    truth.checked()?;
    open_unit("margin", margin)?;
    let z = -normal_quantile(open_unit("alpha", alpha)?);
    let given_kept = if truth.lost < 1.0 { (truth.gained / (1.0 - truth.lost)).min(1.0) } else { 0.0 };
    let mut power = 0.0;
    let (first, last) = likely(n, truth.lost);
    let accepts = |gained: u64, lost: u64| tango_statistic(gained as f64, lost as f64, n as f64, -margin) < z;
    // The least number of gains that rejects rises with the number of losses.
    let mut critical = first_failure(0, n - first, |k| accepts(k, first));
    for lost in first..=last {
        while critical <= n - lost && accepts(critical, lost) {
            critical += 1;
        }
        if critical > n - lost {
            break;
        }
        power += binomial_pmf(lost, n, truth.lost) * binomial_sf_from(critical, n - lost, given_kept);
    }
    Ok(power.min(1.0))
}

/// Power of a paired t test, both ways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TPower {
    /// One-sided at alpha.
    pub one_sided: f64,
    /// Two-sided at alpha.
    pub two_sided: f64,
}

/// The power of a paired t test of n differences at distance `delta` from the value tested, by the noncentral t.
///
/// For non-inferiority `delta` is the true difference plus the margin.
///
/// # Errors
/// When `n < 2`, `delta` is not finite, `sd` is not above 0, or alpha is outside `(0, 1)`.
pub fn paired_t_power(n: u64, delta: f64, sd: f64, alpha: f64) -> Result<TPower> {
    at_least("pairs", usize::try_from(n).unwrap_or(usize::MAX), 2)?;
    open_unit("alpha", alpha)?;
    finite("distance", delta)?;
    positive("standard deviation", sd)?;
    let df = n as f64 - 1.0;
    let nc = finite("noncentrality", delta * (n as f64).sqrt() / sd)?;
    let (one, two) = (t_upper_quantile(alpha, df), t_upper_quantile(0.5 * alpha, df));
    if two > 1e4 {
        return Err(out_of_range("alpha", alpha, "large enough for this number of pairs"));
    }
    Ok(TPower {
        one_sided: noncentral_t_pair(one, df, nc).1,
        two_sided: noncentral_t_pair(two, df, nc).1 + noncentral_t_pair(-two, df, nc).0,
    })
}

/// The least number of pairs with which a one-sided t test has the power asked for.
///
/// # Errors
/// When `delta` or `sd` is not above 0, alpha or the power is outside `(0, 1)`, or a thousand million pairs do not suffice.
pub fn paired_t_n(delta: f64, sd: f64, alpha: f64, power: f64) -> Result<u64> {
    positive("distance", delta)?;
    open_unit("power", power)?;
    let enough = |n: u64| paired_t_power(n, delta, sd, alpha).map(|p| p.one_sided >= power);
    // Few pairs at a small alpha have a critical value beyond any use; start where it has none.
    let mut hi = 4;
    while !enough(hi)? {
        hi *= 2;
        if hi > 1 << 30 {
            return Err(out_of_range("distance", delta, "large enough for any suite to show"));
        }
    }
    let mut lo = 2;
    while lo < hi {
        let middle = lo + (hi - lo) / 2;
        if enough(middle)? { hi = middle } else { lo = middle + 1 }
    }
    Ok(lo)
}

/// The design effect of clusters of mean size m: `1 + (m - 1) ICC`. Multiply an n by it.
///
/// # Errors
/// When `size` is below 1 or not finite, or the correlation is outside `[0, 1]`.
pub fn design_effect(size: f64, correlation: f64) -> Result<f64> {
    closed_unit("intra-cluster correlation", correlation)?;
    if finite("cluster size", size)? < 1.0 {
        return Err(out_of_range("cluster size", size, "at least 1"));
    }
    Ok(1.0 + (size - 1.0) * correlation)
}

/// An upper confidence limit of a pilot's standard deviation, to plan with: `sd sqrt((n - 1)/chi2_{alpha, n-1})`.
///
/// # Errors
/// When `n < 2`, `sd` is not above 0, or alpha is outside `(0, 1)`.
pub fn sd_upper_limit(sd: f64, n: u64, alpha: f64) -> Result<f64> {
    use statrs::function::gamma::gamma_lr;
    at_least("pilot observations", usize::try_from(n).unwrap_or(usize::MAX), 2)?;
    positive("standard deviation", sd)?;
    open_unit("alpha", alpha)?;
    let half = 0.5 * (n as f64 - 1.0);
    // On the logarithm of chi-square over its df, which is near 0.
    let u = root::decreasing(-600.0 / half.max(1.0) - 1.0, 8.0, |u| alpha - gamma_lr(half, half * u.exp()));
    finite("standard deviation", sd * (-0.5 * u).exp())
}

/// The probability that all gating metrics pass, from the power of each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointPower {
    /// If the metrics were independent: the product.
    pub independent: f64,
    /// The least that any dependence allows: `max(0, 1 - sum (1 - power))`.
    pub lower: f64,
    /// The most that any dependence allows: the smallest power.
    pub upper: f64,
}

/// Joint power of an intersection-union gate.
///
/// # Errors
/// When there is no metric, or a power is outside `[0, 1]`.
pub fn joint_power(powers: &[f64]) -> Result<JointPower> {
    at_least("gating metrics", powers.len(), 1)?;
    for &p in powers {
        closed_unit("power", p)?;
    }
    Ok(JointPower {
        independent: powers.iter().product(),
        lower: (1.0 - powers.iter().map(|p| 1.0 - p).sum::<f64>()).max(0.0),
        upper: powers.iter().copied().fold(1.0, f64::min),
    })
}

/// Power by simulation from a pilot: the share of samples of n units, drawn with replacement from the pilot's, that `passes`
/// accepts. For Gaffke and clustered Tango, of which the power has no formula.
///
/// # Errors
/// When the pilot is empty, `n` or `replicates` is 0, or `passes` fails.
pub fn simulated_power<T: Clone>(
    pilot: &[T],
    n: usize,
    replicates: usize,
    seed: u64,
    mut passes: impl FnMut(&[T]) -> Result<bool>,
) -> Result<f64> {
    at_least("pilot units", pilot.len(), 1)?;
    at_least("units", n, 1)?;
    at_least("replicates", replicates, 1)?;
    let mut rng = SplitMix64::new(seed);
    let mut drawn = Vec::with_capacity(n);
    let mut passed = 0_usize;
    for _ in 0..replicates {
        drawn.clear();
        drawn.extend((0..n).map(|_| pilot[rng.index(pilot.len())].clone()));
        match passes(&drawn) {
            Ok(verdict) => passed += usize::from(verdict),
            // A resample without spread decides nothing, so it does not pass.
            Err(StatsError::ZeroVariance | StatsError::NotEstimable { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(passed as f64 / replicates as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_suite_sizes() {
        let row = |psi| [0.02, 0.03, 0.05].map(|m| noninferiority_n(psi, 0.0, m, 0.05, 0.8).unwrap().ceil());
        assert_eq!(row(0.05), [773.0, 344.0, 124.0]);
        assert_eq!(row(0.10), [1_546.0, 687.0, 248.0]);
        assert_eq!(row(0.20), [3_092.0, 1_374.0, 495.0]);
        assert_eq!(row(0.30), [4_637.0, 2_061.0, 742.0]);
    }

    #[test]
    fn exact_power_of_the_gates_own_test() {
        let truth = Discordance::from_difference(0.10, 0.0).unwrap();
        let power = |n| noninferiority_power_exact(n, truth, 0.05, 0.05).unwrap();
        assert!((power(100) - 0.44).abs() < 0.01 && (power(300) - 0.84).abs() < 0.01 && power(1_000) > 0.998);
        let at_margin = Discordance::from_difference(0.10, -0.05).unwrap();
        assert!(noninferiority_power_exact(300, at_margin, 0.05, 0.05).unwrap() < 0.051);
    }

    #[test]
    fn enumeration_agrees_with_a_sum_over_all_tables() {
        let (n, truth, margin, alpha) = (24, Discordance { gained: 0.15, lost: 0.2 }, 0.3, 0.05);
        let z = -normal_quantile(alpha);
        let (mut all, mut midp) = (0.0, 0.0);
        for lost in 0..=n {
            for gained in 0..=n - lost {
                let p = binomial_pmf(lost, n, truth.lost)
                    * binomial_pmf(gained, n - lost, truth.gained / (1.0 - truth.lost));
                all += p * f64::from(u8::from(tango_statistic(gained as f64, lost as f64, n as f64, -margin) >= z));
                midp += p * f64::from(u8::from(mcnemar(gained, lost).midp_two_sided <= alpha));
            }
        }
        assert!((noninferiority_power_exact(n, truth, margin, alpha).unwrap() - all).abs() < 1e-13);
        assert!((mcnemar_power(n, truth, alpha).unwrap().midp_two_sided - midp).abs() < 1e-13);
    }

    #[test]
    fn detectable_gains_of_the_page() {
        let mde = |n, psi| mcnemar_detectable(n, psi, 0.05, 0.8).unwrap();
        assert!((mde(100, 0.1).unwrap() - 0.075).abs() < 1e-3 && (mde(100, 0.2).unwrap() - 0.107).abs() < 1e-3);
        assert!((mde(300, 0.1).unwrap() - 0.044).abs() < 1e-3 && (mde(1_000, 0.2).unwrap() - 0.035).abs() < 1e-3);
        assert_eq!(mde(100, 0.05), None);
    }

    #[test]
    fn n_and_power_invert_each_other() {
        let n = noninferiority_n(0.12, 0.01, 0.05, 0.05, 0.8).unwrap();
        let power = noninferiority_power(n.ceil() as u64, 0.12, 0.01, 0.05, 0.05).unwrap();
        assert!((0.8..0.81).contains(&power));
        let margin = noninferiority_margin(300, 0.12, 0.0, 0.05, 0.8).unwrap();
        assert!((noninferiority_power(300, 0.12, 0.0, margin, 0.05).unwrap() - 0.8).abs() < 1e-12);
        let n = paired_t_n(0.05, 0.25, 0.05, 0.8).unwrap();
        assert!(paired_t_power(n, 0.05, 0.25, 0.05).unwrap().one_sided >= 0.8);
        assert!(paired_t_power(n - 1, 0.05, 0.25, 0.05).unwrap().one_sided < 0.8);
    }

    #[test]
    fn joint_power_lies_between_its_bounds() {
        let j = joint_power(&[0.78; 5]).unwrap();
        assert!(j.lower <= j.independent && j.independent <= j.upper);
        assert!((j.independent - 0.289).abs() < 1e-3);
        assert!(joint_power(&[]).is_err() && joint_power(&[1.2]).is_err());
    }

    #[test]
    fn a_pilot_limit_lies_above_the_pilot() {
        // chi2_{0.2, 19} = 13.716 (tables).
        assert!((sd_upper_limit(1.0, 20, 0.2).unwrap() - (19.0_f64 / 13.716).sqrt()).abs() < 1e-4);
        assert!(sd_upper_limit(1.0, 2, 0.2).unwrap() > 3.0);
        assert!((design_effect(4.0, 0.3).unwrap() - 1.9).abs() < 1e-15);
    }

    #[test]
    fn simulated_power_finds_the_formulas_value() {
        let pilot: Vec<f64> = (0..100)
            .map(|i| {
                if i < 5 {
                    1.0
                } else if i < 10 {
                    -1.0
                } else {
                    0.0
                }
            })
            .collect();
        let power = simulated_power(&pilot, 300, 300, 1, |d| {
            let count = |v: f64| d.iter().filter(|&&x| x == v).count() as u64;
            let (gained, lost) = (count(1.0), count(-1.0));
            let t = crate::stats::PairedCounts { both: 300 - gained - lost, gained, lost, neither: 0 };
            Ok(crate::stats::tango_test(&t, -0.05)?.p_above <= 0.05)
        });
        assert!((power.unwrap() - 0.84).abs() < 0.07);
    }

    #[test]
    fn bad_plans_are_errors() {
        let truth = Discordance { gained: 0.7, lost: 0.7 };
        assert!(mcnemar_power(10, truth, 0.05).is_err());
        assert!(mcnemar_power(0, Discordance { gained: 0.1, lost: 0.1 }, 0.05).is_err());
        assert!(mcnemar_n(Discordance { gained: 0.1, lost: 0.1 }, 0.05, 0.8, true).is_err());
        assert!(noninferiority_n(0.1, -0.05, 0.05, 0.05, 0.8).is_err());
        assert!(noninferiority_n(f64::NAN, 0.0, 0.05, 0.05, 0.8).is_err());
        assert!(noninferiority_n(0.1, 0.2, 0.05, 0.05, 0.8).is_err());
        assert!(paired_t_power(1, 0.1, 0.1, 0.05).is_err() && paired_t_power(9, 0.1, 0.0, 0.05).is_err());
        assert!(paired_t_n(1e-12, 1.0, 0.05, 0.8).is_err());
        assert!(simulated_power::<f64>(&[], 1, 1, 1, |_| Ok(true)).is_err());
    }
}

//! Power and sample size, said before money is spent. Observed power after a run is never one of these.

use super::error::{Result, at_least, closed_unit, finite, open_unit, out_of_range, positive};
use super::mcnemar::{McNemar, mcnemar};
use super::paired::{inside, tango_statistic};
use super::special::{binomial_pmf, binomial_quantile, binomial_sf_from, normal_cdf, normal_quantile};

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
/// rounded. For clusters multiply by [`super::design_effect`].
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

/// The exact power of Tango's non-inferiority test: the probability of all tables with `T(-margin) >= z_{1-alpha}`. A margin
/// below 0 is a gain that must be exceeded: superiority.
///
/// # Errors
/// When `n` is 0, a probability is outside its range, `margin` is outside `(-1, 1)`, or alpha is outside `(0, 1)`.
pub fn noninferiority_power_exact(n: u64, truth: Discordance, margin: f64, alpha: f64) -> Result<f64> {
    enumerable(n)?;
    truth.checked()?;
    inside(margin)?;
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
    }
}

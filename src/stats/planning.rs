//! Planning a run: power and n of a score, design effects, pilot limits, the gate as a whole, and power by simulation.

use super::bootstrap::after;
use super::error::{Result, StatsError, at_least, closed_unit, finite, open_unit, out_of_range, positive};
use super::noncentral_t::noncentral_t_pair;
use super::root;
use super::special::{normal_quantile, t_upper_quantile};
use rayon::prelude::*;

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
    if [one, two].iter().any(|t| t.is_nan() || t.abs() > 1e4) {
        return Err(out_of_range("alpha", alpha, "moderate enough for this number of pairs"));
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
    let df = n as f64 - 1.0;
    if df > 1e6 {
        // Wilson & Hilferty 1931, PNAS 17:684; its error is far below that of any pilot here.
        let spread = 2.0 / (9.0 * df);
        let cube_root = 1.0 - spread + normal_quantile(alpha) * spread.sqrt();
        return finite("standard deviation", sd * cube_root.powf(-1.5));
    }
    let half = 0.5 * df;
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
/// `passes` is asked on all cores, in no particular order; the samples are those of one stream whatever the number of cores.
///
/// # Errors
/// When the pilot is empty, `n` or `replicates` is 0, or `passes` fails.
pub fn simulated_power<T: Clone + Send + Sync>(
    pilot: &[T],
    n: usize,
    replicates: usize,
    seed: u64,
    passes: impl Fn(&[T]) -> Result<bool> + Sync,
) -> Result<f64> {
    at_least("pilot units", pilot.len(), 1)?;
    at_least("units", n, 1)?;
    at_least("replicates", replicates, 1)?;
    let verdicts: Vec<Result<bool>> = (0..replicates)
        .into_par_iter()
        .map_init(
            || Vec::with_capacity(n),
            |drawn, replicate| {
                let mut rng = after(seed, replicate as u64, n as u64);
                drawn.clear();
                drawn.extend((0..n).map(|_| pilot[rng.index(pilot.len())].clone()));
                passes(drawn)
            },
        )
        .collect();
    let mut passed = 0_usize;
    for verdict in verdicts {
        match verdict {
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
    fn the_least_n_reaches_the_power_and_one_less_does_not() {
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
        let (below, above) =
            (sd_upper_limit(1.0, 1_000_000, 0.2).unwrap(), sd_upper_limit(1.0, 1_000_003, 0.2).unwrap());
        assert!((below - above).abs() < 1e-8);
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
        assert!(paired_t_power(1, 0.1, 0.1, 0.05).is_err() && paired_t_power(9, 0.1, 0.0, 0.05).is_err());
        assert!(paired_t_n(1e-12, 1.0, 0.05, 0.8).is_err());
        assert!(design_effect(0.5, 0.1).is_err() && sd_upper_limit(1.0, 1, 0.2).is_err());
        assert!(simulated_power::<f64>(&[], 1, 1, 1, |_| Ok(true)).is_err());
    }
}

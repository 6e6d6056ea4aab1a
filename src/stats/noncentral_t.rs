//! The noncentral t law, which statrs does not have: the power of a t test.

use super::error::{Result, finite, positive};
use super::special::{normal_cdf, normal_sf};

/// Above this many degrees of freedom the chi-square part is a constant.
const NORMAL_LIMIT: f64 = 1e9;

/// `P(T' <= t)` and `P(T' > t)` for `T' = (Z + nc) / sqrt(W/df)`, `W` chi-square: the integral of
/// `Phi(t e^x - nc)` over the law of `x = ln sqrt(W/df)`.
///
/// In `x` the density falls at least exponentially on both sides and the integrand is entire, so the trapezoidal rule
/// converges geometrically; the density is normalised by its own sum. Absolute error about 1e-13.
pub(super) fn noncentral_t_pair(t: f64, df: f64, nc: f64) -> (f64, f64) {
    if df > NORMAL_LIMIT {
        return (normal_cdf(t - nc), normal_sf(t - nc));
    }
    // ln of the density up to a constant, 0 at its mode x = 0.
    let log_density = |x: f64| df * (x - 0.5 * (2.0 * x).exp_m1());
    let sd = (2.0 * df).sqrt().recip();
    let h = sd.min(1.0 / t.abs().max(1.0)) / 4.0;
    let (mut mass, mut below, mut above) = (0.0, 0.0, 0.0);
    let mut add = |x: f64| {
        let density = log_density(x).exp();
        let z = t * x.exp() - nc;
        mass += density;
        below += density * normal_cdf(z);
        above += density * normal_sf(z);
        density > 1e-19
    };
    add(0.0);
    let mut k = 1.0;
    while add(k * h) {
        k += 1.0;
    }
    let mut k = -1.0;
    while add(k * h) {
        k -= 1.0;
    }
    (below / mass, above / mass)
}

/// The distribution function of the noncentral t law with `df` degrees of freedom and noncentrality `nc`.
///
/// Source: Owen 1968, Technometrics 10:445, as a one-dimensional quadrature.
///
/// # Errors
/// When an argument is NaN or infinite, `df` is below 1, or `t` is beyond 1e4 in size.
pub fn noncentral_t_cdf(t: f64, df: f64, nc: f64) -> Result<f64> {
    finite("t", t)?;
    finite("noncentrality", nc)?;
    positive("degrees of freedom", df)?;
    if t.abs() > 1e4 {
        return Err(super::error::out_of_range("t", t, "within 1e4 of 0"));
    }
    if df < 1.0 {
        return Err(super::error::out_of_range("degrees of freedom", df, "at least 1"));
    }
    Ok(noncentral_t_pair(t, df, nc).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::t_cdf;

    #[test]
    fn without_noncentrality_it_is_students_t() {
        for (t, df) in [(0.0, 3.0), (1.3, 1.0), (-2.0, 4.5), (2.1, 29.0), (1.7, 5_000.0), (30.0, 2.0)] {
            let (got, want) = (noncentral_t_cdf(t, df, 0.0).unwrap(), t_cdf(t, df).unwrap());
            assert!((got - want).abs() < 1e-12, "t {t} df {df}: {got} {want}");
        }
    }

    #[test]
    fn the_median_of_a_normal_limit_is_its_noncentrality() {
        assert!((noncentral_t_cdf(2.5, 1e7, 2.5).unwrap() - 0.5).abs() < 1e-6);
        // T' < 0 exactly when Z < -nc.
        assert!((noncentral_t_cdf(0.0, 7.0, 1.2).unwrap() - normal_cdf(-1.2)).abs() < 1e-14);
    }

    #[test]
    fn bad_input_is_an_error() {
        assert!(noncentral_t_cdf(f64::NAN, 3.0, 1.0).is_err());
        assert!(noncentral_t_cdf(1.0, 0.0, 1.0).is_err());
        assert!(noncentral_t_cdf(1.0, 3.0, f64::INFINITY).is_err());
        assert!(noncentral_t_cdf(1e7, 3.0, 1.0).is_err());
    }
}

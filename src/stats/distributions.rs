//! The checked door to the distribution functions, for rooms that need a quantile or a tail of their own.

use super::error::{Result, closed_unit, finite, open_unit, out_of_range};
use super::special;

/// `Phi(x)`, the standard normal distribution function.
///
/// # Errors
/// When `x` is NaN or infinite.
pub fn normal_cdf(x: f64) -> Result<f64> {
    finite("x", x).map(special::normal_cdf)
}

/// `z` with `Phi(z) = p`.
///
/// # Errors
/// When `p` is outside `(0, 1)`.
pub fn normal_quantile(p: f64) -> Result<f64> {
    open_unit("p", p).map(special::normal_quantile)
}

/// `P(T <= t)` for Student's t with `df` degrees of freedom, which need not be whole.
///
/// # Errors
/// When `t` or `df` is NaN or infinite, or `df` is below 0.1.
pub fn t_cdf(t: f64, df: f64) -> Result<f64> {
    finite("t", t)?;
    degrees(df)?;
    Ok(special::t_cdf(t, df))
}

/// `t` with `P(T <= t) = p` for Student's t with `df` degrees of freedom, which need not be whole.
///
/// # Errors
/// When `p` is outside `(0, 1)`, or `df` is not a finite number of at least 0.1.
pub fn t_quantile(p: f64, df: f64) -> Result<f64> {
    open_unit("p", p)?;
    degrees(df)?;
    Ok(if p < 0.5 { -special::t_upper_quantile(p, df) } else { special::t_upper_quantile(1.0 - p, df) })
}

/// `I_x(a, b)`, the distribution function of a beta law.
///
/// # Errors
/// When a shape is not a finite number above 0, or `x` is outside `[0, 1]`.
pub fn beta_cdf(x: f64, a: f64, b: f64) -> Result<f64> {
    closed_unit("x", x)?;
    shapes(a, b)?;
    Ok(special::beta_cdf_pair(a, b, x, 1.0 - x).0)
}

/// `x` with `I_x(a, b) = p`.
///
/// # Errors
/// When a shape is not a finite number in `(0, 1e12]`, or `p` is outside `(0, 1)`.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> Result<f64> {
    open_unit("p", p)?;
    shapes(a, b)?;
    Ok(special::beta_quantile_pair(a, b, p).0)
}

/// `P(X <= k)` for `n` trials of success probability `p`.
///
/// # Errors
/// When `p` is outside `[0, 1]`.
pub fn binomial_cdf(k: u64, n: u64, p: f64) -> Result<f64> {
    closed_unit("p", p)?;
    Ok(special::binomial_cdf(i64::try_from(k).unwrap_or(i64::MAX), n, p))
}

fn degrees(df: f64) -> Result<()> {
    if df >= 0.1 && df.is_finite() {
        Ok(())
    } else {
        Err(out_of_range("degrees of freedom", df, "a finite number of at least 0.1"))
    }
}

fn shapes(a: f64, b: f64) -> Result<()> {
    for shape in [a, b] {
        if !(shape > 0.0 && shape <= 1e12) {
            return Err(out_of_range("shape of a beta law", shape, "above 0 and at most 1e12"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_an_error_everywhere() {
        let nan = f64::NAN;
        assert!(normal_cdf(nan).is_err());
        assert!(normal_quantile(nan).is_err());
        assert!(t_cdf(nan, 3.0).is_err() && t_cdf(1.0, nan).is_err());
        assert!(t_quantile(nan, 3.0).is_err() && t_quantile(0.5, nan).is_err());
        assert!(beta_cdf(nan, 1.0, 1.0).is_err() && beta_cdf(0.5, nan, 1.0).is_err());
        assert!(beta_quantile(0.5, 1.0, f64::INFINITY).is_err());
        assert!(binomial_cdf(1, 2, nan).is_err());
    }

    #[test]
    fn quantiles_invert() {
        assert!((t_cdf(t_quantile(0.2, 3.5).unwrap(), 3.5).unwrap() - 0.2).abs() < 1e-14);
        assert!((beta_cdf(beta_quantile(0.2, 3.5, 2.0).unwrap(), 3.5, 2.0).unwrap() - 0.2).abs() < 1e-14);
        assert!((normal_cdf(normal_quantile(0.2).unwrap()).unwrap() - 0.2).abs() < 1e-15);
        assert_eq!(binomial_cdf(5, 5, 0.3).unwrap(), 1.0);
    }
}

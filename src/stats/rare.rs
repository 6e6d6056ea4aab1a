//! Rare events: what repeats do to a violation, what a classifier's errors do to its rate, and which cases are flaky.

use super::error::{Result, at_least, closed_unit, interval, open_unit, out_of_range, same_length};
use super::proportion::clopper_pearson_upper;
use super::special::beta_quantile_pair;
use crate::types::Interval;

/// Worst of r repeats: `(prompts with any violation, prompts)`, for a bound on the rate of prompts.
///
/// Equal `prompts` labels name the same prompt.
///
/// # Errors
/// When there is no repeat, or the lengths differ.
pub fn worst_of_repeats(violated: &[bool], prompts: &[usize]) -> Result<(u64, u64)> {
    same_length("repeats and prompt labels", violated.len(), prompts.len())?;
    at_least("repeats", violated.len(), 1)?;
    let mut worst = std::collections::BTreeMap::new();
    for (&bad, &prompt) in violated.iter().zip(prompts) {
        *worst.entry(prompt).or_insert(false) |= bad;
    }
    Ok((worst.values().filter(|&&bad| bad).count() as u64, worst.len() as u64))
}

/// The true rate behind a classifier's observed rate: `(r + Sp - 1)/(Se + Sp - 1)`, kept within `[0, 1]`.
///
/// Source: Rogan & Gladen 1978, Am J Epidemiol 107:71.
///
/// # Errors
/// When a rate is outside `[0, 1]`, or the classifier is no better than a coin (`Se + Sp <= 1`).
pub fn rogan_gladen(observed: f64, sensitivity: f64, specificity: f64) -> Result<f64> {
    closed_unit("observed rate", observed)?;
    closed_unit("sensitivity", sensitivity)?;
    closed_unit("specificity", specificity)?;
    let power = sensitivity + specificity - 1.0;
    if power <= 0.0 {
        return Err(out_of_range("sensitivity + specificity - 1", power, "above 0"));
    }
    Ok(((observed + specificity - 1.0) / power).clamp(0.0, 1.0))
}

/// An upper bound on the true rate: Clopper-Pearson's bound for the observed one, corrected with the *lower* limit of the
/// sensitivity, so that what the classifier misses is not counted as clean.
///
/// # Errors
/// When `n` is 0, `x > n`, alpha is outside `(0, 1)`, or the classifier is no better than a coin.
pub fn rogan_gladen_upper(x: u64, n: u64, alpha: f64, sensitivity_lower: f64, specificity: f64) -> Result<f64> {
    rogan_gladen(clopper_pearson_upper(x, n, alpha)?, sensitivity_lower, specificity)
}

/// The posterior of one case's pass rate after `passes` of `repeats`, with Jeffreys' prior.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CasePosterior {
    /// First shape of the beta law, `1/2 + passes`.
    pub alpha: f64,
    /// Second shape, `1/2 + failures`.
    pub beta: f64,
    /// Posterior mean of the pass rate.
    pub mean: f64,
    /// Central credible interval.
    pub interval: Interval,
}

/// A case is flaky when its credible interval lies inside these.
const FLAKY: (f64, f64) = (0.05, 0.95);

impl CasePosterior {
    /// Whether the case neither always passes nor always fails: the credible interval (0.90 by convention) lies inside
    /// (0.05, 0.95).
    #[must_use]
    pub fn is_flaky(&self) -> bool {
        self.interval.lower() > FLAKY.0 && self.interval.upper() < FLAKY.1
    }
}

/// The posterior Beta(1/2 + passes, 1/2 + failures) of a case's pass rate. Quarantine is decided on base and A/A data only,
/// never on the tuned model's results.
///
/// # Errors
/// When there are more passes than repeats, or the level is outside `(0, 1)`.
pub fn case_posterior(passes: u64, repeats: u64, level: f64) -> Result<CasePosterior> {
    if passes > repeats {
        return Err(out_of_range("number of passes", passes as f64, "at most the number of repeats"));
    }
    let tail = 0.5 * (1.0 - open_unit("level", level)?);
    let (alpha, beta) = (passes as f64 + 0.5, (repeats - passes) as f64 + 0.5);
    let lower = beta_quantile_pair(alpha, beta, tail).0;
    let upper = beta_quantile_pair(beta, alpha, tail).1;
    Ok(CasePosterior { alpha, beta, mean: alpha / (alpha + beta), interval: interval(lower, upper, level)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_violation_among_repeats_is_a_violation() {
        let violated = [false, true, false, false, false, false];
        assert_eq!(worst_of_repeats(&violated, &[1, 1, 1, 2, 2, 2]).unwrap(), (1, 2));
        assert_eq!(worst_of_repeats(&violated, &[9, 1, 9, 1, 5, 9]).unwrap(), (1, 3));
        assert!(worst_of_repeats(&[], &[]).is_err() && worst_of_repeats(&[true], &[]).is_err());
    }

    #[test]
    fn a_perfect_classifier_changes_nothing() {
        assert!((rogan_gladen(0.03, 1.0, 1.0).unwrap() - 0.03).abs() < 1e-15);
        assert!((rogan_gladen(0.10, 0.8, 0.95).unwrap() - 0.05 / 0.75).abs() < 1e-15);
        assert_eq!(rogan_gladen(0.01, 0.8, 0.95).unwrap(), 0.0);
        assert!(rogan_gladen(0.1, 0.5, 0.5).is_err());
        assert!(rogan_gladen(f64::NAN, 0.9, 0.9).is_err() && rogan_gladen(0.1, f64::NAN, 0.9).is_err());
        assert!(rogan_gladen_upper(0, 300, 0.05, 0.8, 1.0).unwrap() > clopper_pearson_upper(0, 300, 0.05).unwrap());
    }

    #[test]
    fn flaky_means_neither_always_nor_never() {
        assert!(case_posterior(5, 10, 0.9).unwrap().is_flaky());
        assert!(!case_posterior(10, 10, 0.9).unwrap().is_flaky());
        assert!(!case_posterior(0, 10, 0.9).unwrap().is_flaky());
        assert!(!case_posterior(0, 0, 0.9).unwrap().is_flaky());
        assert_eq!(case_posterior(3, 3, 0.9).unwrap().mean, 3.5 / 4.0);
        assert!(case_posterior(4, 3, 0.9).is_err() && case_posterior(1, 3, f64::NAN).is_err());
    }
}

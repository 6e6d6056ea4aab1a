//! Prediction-powered inference: a few human labels correct a judge that graded everything.

use super::error::{Result, StatsError, finite, interval, open_unit, same_length, sample};
use super::special::normal_critical;
use super::sum::{mean_of, mean_variance};
use crate::types::Interval;

/// A prediction-powered estimate of the human-scale mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PpiMean {
    /// The estimate; unbiased whatever the judge is worth.
    pub estimate: f64,
    /// The weight given to the judge: 0 = human labels only, 1 = the classical estimator.
    pub lambda: f64,
    /// Standard error (variances with divisor n - 1).
    pub se: f64,
}

impl PpiMean {
    /// The normal interval.
    ///
    /// # Errors
    /// When the level is outside `(0, 1)`.
    pub fn interval(&self, level: f64) -> Result<Interval> {
        let half = normal_critical(open_unit("level", level)?) * self.se;
        interval(self.estimate - half, self.estimate + half, level)
    }
}

/// The prediction-powered mean with weight 1: `mean(F) + mean(y - f)`.
///
/// `human` labels and `judge` scores are of the same, randomly chosen items; `judge_only` scores are of other items. For a
/// comparison all three are differences tuned minus base. Fit for 50 labelled items and more.
///
/// Source: Angelopoulos et al. 2023, Science 382:669.
///
/// # Errors
/// When there are fewer than two items of a kind, `human` and `judge` differ in length, a value is NaN or infinite, or
/// nothing varies.
pub fn ppi_mean(human: &[f64], judge: &[f64], judge_only: &[f64]) -> Result<PpiMean> {
    with_lambda(human, judge, judge_only, |_| 1.0)
}

/// The prediction-powered mean with the weight that minimises its variance, PPI++:
/// `lambda = cov(y, f) / ((1 + n/N) var(f))`, clipped to `[0, 1]`, moments of the labelled items with divisor n - 1.
///
/// A useless judge gets weight 0, which leaves the human labels alone.
/// Source: Angelopoulos, Duchi & Zrnic 2023, arXiv 2311.01453.
///
/// # Errors
/// As [`ppi_mean`].
pub fn ppi_mean_tuned(human: &[f64], judge: &[f64], judge_only: &[f64]) -> Result<PpiMean> {
    with_lambda(human, judge, judge_only, |m| {
        if m.judge_variance > 0.0 {
            (m.covariance / ((1.0 + m.labelled / m.unlabelled) * m.judge_variance)).clamp(0.0, 1.0)
        } else {
            0.0
        }
    })
}

struct Moments {
    labelled: f64,
    unlabelled: f64,
    judge_variance: f64,
    covariance: f64,
}

fn with_lambda(human: &[f64], judge: &[f64], judge_only: &[f64], choose: impl Fn(&Moments) -> f64) -> Result<PpiMean> {
    same_length("human labels and judge scores", human.len(), judge.len())?;
    sample("human labels", human, 2)?;
    sample("judge scores of labelled items", judge, 2)?;
    sample("judge scores of other items", judge_only, 2)?;
    let (n, other) = (human.len() as f64, judge_only.len() as f64);
    let (mean_human, mean_judge) = (mean_of(human), mean_of(judge));
    let products: Vec<f64> = human.iter().zip(judge).map(|(y, f)| (y - mean_human) * (f - mean_judge)).collect();
    let lambda = choose(&Moments {
        labelled: n,
        unlabelled: other,
        judge_variance: mean_variance(judge).1,
        covariance: super::sum::sum(&products) / (n - 1.0),
    });
    let corrected: Vec<f64> = human.iter().zip(judge).map(|(y, f)| y - lambda * f).collect();
    let (mean_corrected, variance_corrected) = mean_variance(&corrected);
    let (mean_other, variance_other) = mean_variance(judge_only);
    let se = finite("standard error", (variance_corrected / n + lambda * lambda * variance_other / other).sqrt())?;
    if se == 0.0 {
        return Err(StatsError::ZeroVariance);
    }
    Ok(PpiMean { estimate: finite("estimate", lambda * mean_other + mean_corrected)?, lambda, se })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_useless_judge_leaves_the_human_labels_alone() {
        let human = [0.1, 0.4, -0.2, 0.6, 0.3, 0.0];
        let judge = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5];
        let p = ppi_mean_tuned(&human, &judge, &[0.5, 0.7, 0.1]).unwrap();
        assert_eq!(p.lambda, 0.0);
        assert!((p.estimate - 0.2).abs() < 1e-15);
        let against: Vec<f64> = human.iter().map(|y| -y).collect();
        assert_eq!(ppi_mean_tuned(&human, &against, &[0.5, 0.7, 0.1]).unwrap().lambda, 0.0);
    }

    #[test]
    fn a_good_judge_narrows_the_interval() {
        let human: Vec<f64> = (0..60).map(|i| f64::from((i * 7) % 13) / 13.0).collect();
        let judge: Vec<f64> = human.iter().enumerate().map(|(i, y)| y + f64::from(i as u32 % 3) * 0.02).collect();
        let others: Vec<f64> = (0..2000).map(|i| f64::from((i * 7) % 13) / 13.0 + 0.02).collect();
        let p = ppi_mean_tuned(&human, &judge, &others).unwrap();
        let alone = crate::stats::standard_deviation(&human).unwrap() / 60f64.sqrt();
        assert!(p.lambda > 0.9 && p.se < 0.4 * alone);
        let i = p.interval(0.9).unwrap();
        assert!(i.lower() < p.estimate && p.estimate < i.upper());
    }

    #[test]
    fn bad_input_is_an_error() {
        assert!(ppi_mean(&[1.0, 2.0], &[1.0], &[1.0, 2.0]).is_err());
        assert!(ppi_mean(&[1.0, f64::NAN], &[1.0, 2.0], &[1.0, 2.0]).is_err());
        assert!(ppi_mean(&[1.0, 2.0], &[1.0, 2.0], &[1.0]).is_err());
        assert_eq!(ppi_mean(&[1.0; 3], &[1.0; 3], &[1.0; 3]), Err(StatsError::ZeroVariance));
    }
}
